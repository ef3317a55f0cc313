"""The instants of a call of which a row states some times and durations.

A call has three instants: setup, answer and end. Each comes from the finest statement: its own time, or
another instant and the duration between both. All other statements only check them.

A local time that the clock shows twice has two readings. Of all readings in which times and durations agree,
that of the shortest call counts, of these that of the shortest ringing, and then the earliest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from pegcount.importers.mapping.durations import StatedDuration
from pegcount.importers.mapping.time_formats import StatedTime
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.zone import US_PER_SECOND, Zone

# Programs truncate or round times and durations, each by itself.
_TOLERANCE_US = US_PER_SECOND


@dataclass(frozen=True, slots=True)
class StatedCall:
    """What a row states of its call; None for what it does not state."""

    is_answered: bool
    setup: StatedTime | None = None
    answer: StatedTime | None = None
    end: StatedTime | None = None
    call: StatedDuration | None = None
    """From the setup to the end."""
    ring: StatedDuration | None = None
    """From the setup to the answer."""
    talk: StatedDuration | None = None
    """From the answer to the end."""


@dataclass(frozen=True, slots=True)
class CallInstants:
    """Instants in microseconds UTC; the answer is None if the call was not answered."""

    setup_us: int
    answer_us: int | None
    end_us: int


@dataclass(frozen=True, slots=True)
class _Instant:
    """An instant as a statement gives it: its own time, or the duration with this name."""

    us: int
    resolution_us: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class _Step:
    """How one instant follows from another one."""

    name: str
    source: str
    target: str
    us: int
    """From the source to the target."""
    resolution_us: int


_Instants = dict[str, _Instant]
_SETUP, _ANSWER, _END = "setup_time", "answer_time", "end_time"


def call_instants(call: StatedCall, zone: Zone, created_us: int | None = None) -> CallInstants:
    """Returns the instants of a call; one that began at `created_us` was not set up before.

    Where a time and a duration are equally fine, the duration counts for the answer and the end, and the time
    for the setup. Raises UnreadableRowError if a needed statement is missing, if statements contradict each
    other, or for a local time that the clock skips.
    """
    problem = ""
    best: CallInstants | None = None
    for reading in _readings(call, zone):
        try:
            found = _resolved(call, reading, created_us)
        except UnreadableRowError as error:
            problem = problem or str(error)
            continue
        if best is None or _rank(found) < _rank(best):
            best = found
    if best is None:
        raise UnreadableRowError(problem)
    return best


def instants_of(time: StatedTime, zone: Zone) -> Sequence[int]:
    """Returns the instants that a time may mean: two if the clock shows it twice, the earlier one first.

    Raises UnreadableRowError if the clock skips it.
    """
    if time.is_instant:
        return (time.us,)
    found = sorted(set(zone.instants_us(time.us)))
    if found[0] + zone.offset_s_at(found[0]) * US_PER_SECOND != time.us:
        shown = datetime(1970, 1, 1) + timedelta(microseconds=time.us)
        raise UnreadableRowError(f"the clock of {zone.name} skips {shown}; is the time zone right?")
    return found


def _rank(found: CallInstants) -> tuple[int, int, int]:
    ring_us = 0 if found.answer_us is None else found.answer_us - found.setup_us
    return found.end_us - found.setup_us, ring_us, found.setup_us


def _readings(call: StatedCall, zone: Zone) -> Iterator[_Instants]:
    times = {_SETUP: call.setup, _ANSWER: call.answer if call.is_answered else None, _END: call.end}
    stated = {name: time for name, time in times.items() if time is not None}
    choices = [instants_of(time, zone) for time in stated.values()]
    for reading in product(*choices):
        yield {
            name: _Instant(us, time.resolution_us)
            for (name, time), us in zip(stated.items(), reading, strict=True)
        }


def _resolved(call: StatedCall, stated: _Instants, created_us: int | None) -> CallInstants:
    steps = _steps(call)
    found = _finest(stated, steps)
    _complete(call, found)
    setup = found[_SETUP]
    if created_us is not None and setup.us < created_us - _TOLERANCE_US - setup.resolution_us:
        raise UnreadableRowError("the call starts before its Unix time; is the time zone right?")
    _require_agreement(stated, steps, found)
    return _ordered(call, found)


def _steps(call: StatedCall) -> list[_Step]:
    """Returns what the stated durations give, in the order in which they are asked."""
    of_call = ("call_seconds", _SETUP, _END, call.call)
    of_talk = ("talk_seconds", _ANSWER, _END, call.talk if call.is_answered else None)
    of_ring = ("ring_seconds", _SETUP, _ANSWER, call.ring if call.is_answered else None)
    steps = []
    for (name, first, last, stated), sign in (
        *((of_call, 1), (of_talk, -1), (of_ring, 1)),
        *((of_talk, 1), (of_ring, -1), (of_call, -1)),
    ):
        if stated is not None:
            source, target = (first, last) if sign > 0 else (last, first)
            steps.append(_Step(name, source, target, sign * stated.us, stated.resolution_us))
    return steps


def _finest(stated: _Instants, steps: Sequence[_Step]) -> _Instants:
    """Returns each instant as the finest statements give it; those that nothing gives are missing."""
    found = dict(stated)
    # A second pass carries what the first one found over one more duration: there are two between any two.
    for step in (*steps, *steps):
        source = found.get(step.source)
        if source is not None:
            resolution_us = max(source.resolution_us, step.resolution_us)
            given = _Instant(source.us + step.us, resolution_us, step.name)
            if _is_better(step.target, given, found.get(step.target)):
                found[step.target] = given
    return found


def _is_better(name: str, given: _Instant, held: _Instant | None) -> bool:
    if held is None or given.resolution_us < held.resolution_us:
        return True
    # Switches measure durations, and print times beside them.
    return name != _SETUP and not held.by and given.resolution_us == held.resolution_us


def _complete(call: StatedCall, found: _Instants) -> None:
    """Adds what no statement gives: an answer at the setup, and the end of a call that was not answered."""
    if _SETUP not in found:
        raise UnreadableRowError("nothing tells when the call began")
    setup = found[_SETUP]
    if not call.is_answered:
        if _END not in found:
            # The call ended when it stopped to ring, for all that the row says.
            found[_END] = _Instant(setup.us + (0 if call.ring is None else call.ring.us), 0)
        return
    if _ANSWER not in found:
        if call.talk is None:
            raise UnreadableRowError("the call was answered, and nothing tells when")
        # Without a time of ringing, the call is taken to be answered at once.
        found[_ANSWER] = _Instant(setup.us, setup.resolution_us)
    if _END not in found:
        if call.talk is None:
            raise UnreadableRowError("nothing tells when the call ended")
        found[_END] = _Instant(found[_ANSWER].us + call.talk.us, 0)


def _require_agreement(stated: _Instants, steps: Sequence[_Step], found: _Instants) -> None:
    """Raises UnreadableRowError if what is stated is farther from what was found than rounding explains."""
    for name, time in stated.items():
        _require_near(found[name].us - time.us, [time, found[name]], name, found[name].by)
    for step in steps:
        source, target = found[step.source], found[step.target]
        if step.name not in (source.by, target.by):
            apart_us = target.us - source.us - step.us
            _require_near(apart_us, [source, target, step], step.target, step.name)


def _require_near(apart_us: int, stated: Sequence[_Instant | _Step], one: str, other: str) -> None:
    if abs(apart_us) > _TOLERANCE_US + max(each.resolution_us for each in stated):
        raise UnreadableRowError(f"{one} and {other} do not agree: they are {_seconds(abs(apart_us))} apart")


def _ordered(call: StatedCall, found: _Instants) -> CallInstants:
    """Returns the instants; one that rounding has put before another one is as late as that."""
    allowed_us = _TOLERANCE_US + max(instant.resolution_us for instant in found.values())
    setup_us, end_us = found[_SETUP].us, found[_END].us
    if not call.is_answered:
        return CallInstants(setup_us, None, _not_before(end_us, setup_us, _END, _SETUP, allowed_us))
    answer_us = _not_before(found[_ANSWER].us, setup_us, _ANSWER, _SETUP, allowed_us)
    if call.talk is not None and call.talk.resolution_us < found[_END].resolution_us:
        # The talk is known better than the end, so that this moves, too.
        end_us += answer_us - found[_ANSWER].us
    return CallInstants(setup_us, answer_us, _not_before(end_us, answer_us, _END, _ANSWER, allowed_us))


def _not_before(at_us: int, least_us: int, name: str, least_name: str, allowed_us: int) -> int:
    if at_us < least_us - allowed_us:
        raise UnreadableRowError(f"{name} is {_seconds(least_us - at_us)} before {least_name}")
    return max(at_us, least_us)


def _seconds(us: int) -> str:
    return f"{us / US_PER_SECOND:.3f}".rstrip("0").rstrip(".") + " s"
