"""Instants of calls of which rows state some times and durations."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.importers.mapping.call_instants import CallInstants, StatedCall, call_instants
from pegcount.importers.mapping.durations import StatedDuration
from pegcount.importers.mapping.time_formats import StatedTime
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.zone import US_PER_SECOND

from .reading import get_zone

BERLIN = get_zone("Europe/Berlin")
SETUP_US = 1_792_884_600 * US_PER_SECOND
"""2026-10-25T01:30:00 in Berlin, an hour and a half before the clock goes back for the first time."""


def at(seconds: float, resolution_us: int = US_PER_SECOND) -> StatedTime:
    """An instant, in seconds after the setup."""
    return StatedTime(SETUP_US + round(seconds * US_PER_SECOND), True, resolution_us)


def local(us: int) -> StatedTime:
    """What the clock of Berlin shows at an instant, with all its decimals."""
    return StatedTime(us + BERLIN.offset_s_at(us) * US_PER_SECOND, False, 1)


def lasting(seconds: float, resolution_us: int = US_PER_SECOND) -> StatedDuration:
    return StatedDuration(round(seconds * US_PER_SECOND), resolution_us)


def seconds(found: CallInstants) -> tuple[float, float | None, float]:
    answer = None if found.answer_us is None else (found.answer_us - SETUP_US) / US_PER_SECOND
    return (found.setup_us - SETUP_US) / US_PER_SECOND, answer, (found.end_us - SETUP_US) / US_PER_SECOND


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (StatedCall(True, setup=at(0), answer=at(5), end=at(65)), (0, 5, 65)),
        (StatedCall(True, setup=at(0), call=lasting(65), talk=lasting(60)), (0, 5, 65)),
        (StatedCall(True, setup=at(0), ring=lasting(5), talk=lasting(60)), (0, 5, 65)),
        (StatedCall(True, setup=at(0), talk=lasting(60)), (0, 0, 60)),
        (StatedCall(True, end=at(65), call=lasting(65), talk=lasting(60)), (0, 5, 65)),
        (StatedCall(True, answer=at(5), ring=lasting(5), talk=lasting(60)), (0, 5, 65)),
        (StatedCall(True, setup=at(0), answer=at(5), talk=lasting(0)), (0, 5, 5)),
        (StatedCall(False, setup=at(0), end=at(20)), (0, None, 20)),
        (StatedCall(False, setup=at(0), ring=lasting(20), talk=lasting(0)), (0, None, 20)),
        (StatedCall(False, setup=at(0), talk=lasting(0)), (0, None, 0)),
        # An answer of a call that was not answered, such as of an announcement, tells nothing.
        (StatedCall(False, setup=at(0), answer=at(3), call=lasting(20), talk=lasting(17)), (0, None, 20)),
        # The finer of a time and a duration counts; the duration if they are alike.
        (StatedCall(True, setup=at(0), answer=at(5), end=at(65), talk=lasting(60.25, 10_000)), (0, 4.75, 65)),
        (
            StatedCall(True, setup=at(0), answer=at(5.5, 1_000), end=at(65.75, 1_000), talk=lasting(60)),
            (0, 5.5, 65.75),
        ),
        (StatedCall(True, setup=at(0), end=at(66), call=lasting(65), talk=lasting(60)), (0, 5, 65)),
        # Rounding may put an instant before the one that it follows.
        (StatedCall(True, setup=at(0), call=lasting(59), talk=lasting(60)), (0, 0, 59)),
        (StatedCall(True, setup=at(0.5, 1_000), answer=at(0), end=at(9)), (0.5, 0.5, 9)),
    ],
)
def test_instants(call: StatedCall, expected: tuple[float, float | None, float]) -> None:
    assert seconds(call_instants(call, BERLIN)) == expected


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (StatedCall(True, end=at(9)), "nothing tells when the call began"),
        (StatedCall(True, setup=at(0), answer=at(9)), "nothing tells when the call ended"),
        (StatedCall(True, setup=at(0), end=at(9)), "the call was answered, and nothing tells when"),
        (StatedCall(False, setup=at(9), end=at(0)), "end_time is 9 s before setup_time"),
        (StatedCall(True, setup=at(0), answer=at(9), end=at(2.5)), "end_time is 6.5 s before answer_time"),
        (StatedCall(True, setup=at(9), answer=at(0), end=at(20)), "answer_time is 9 s before setup_time"),
        (
            StatedCall(False, setup=at(0), end=at(9), call=lasting(20)),
            ("end_time and call_seconds do not agree: they are 11 s apart"),
        ),
        (
            StatedCall(True, setup=at(0), answer=at(9), end=at(60), talk=lasting(60)),
            ("answer_time and talk_seconds do not agree: they are 9 s apart"),
        ),
        (
            StatedCall(True, setup=at(0), answer=at(9), end=at(60), ring=lasting(1)),
            ("answer_time and ring_seconds do not agree: they are 8 s apart"),
        ),
    ],
)
def test_contradictions_are_refused(call: StatedCall, problem: str) -> None:
    with pytest.raises(UnreadableRowError) as caught:
        call_instants(call, BERLIN)
    assert str(caught.value) == problem


def test_the_hour_that_occurs_twice() -> None:
    """A call of 15 minutes from 02:50 to 02:05: the clock went back in between."""
    setup_us = 1_792_889_400 * US_PER_SECOND
    end_us = setup_us + 900 * US_PER_SECOND
    found = call_instants(StatedCall(False, setup=local(setup_us), end=local(end_us)), BERLIN)
    assert (found.setup_us, found.end_us) == (setup_us, end_us)
    # One from 02:05 to 02:50 took 45 minutes, unless its duration says otherwise.
    early, late = local(setup_us - 2_700 * US_PER_SECOND), local(setup_us)
    short = call_instants(StatedCall(False, setup=early, end=late), BERLIN)
    assert short.end_us - short.setup_us == 2_700 * US_PER_SECOND
    long = call_instants(StatedCall(False, setup=early, end=late, call=lasting(6_300)), BERLIN)
    assert long.end_us - long.setup_us == 6_300 * US_PER_SECOND


STATEMENTS = ("setup", "answer", "end", "call", "ring", "talk")
ENOUGH = [
    names
    for count in range(2, 7)
    for names in combinations(STATEMENTS, count)
    if ("setup" in names or {"end", "call"} <= {*names} or {"answer", "ring"} <= {*names})
    and not {"end", "call", "talk"}.isdisjoint(names)
    and ({"answer", "ring"} & {*names} or ({"talk"} & {*names} and {"end", "call"} & {*names}))
]


@given(
    names=st.sampled_from(ENOUGH),
    offset_s=st.integers(0, 4 * 3_600),
    ring_s=st.integers(0, 120),
    talk_s=st.integers(0, 7_200),
    is_local=st.booleans(),
)
def test_enough_statements_give_the_call(
    names: tuple[str, ...], offset_s: int, ring_s: int, talk_s: int, is_local: bool
) -> None:
    """Whatever is stated of a call, if it is enough, gives its durations, also in a repeated hour."""
    setup_us = SETUP_US + offset_s * US_PER_SECOND
    answer_us = setup_us + ring_s * US_PER_SECOND
    end_us = answer_us + talk_s * US_PER_SECOND
    show = local if is_local else (lambda us: StatedTime(us, True, 1))
    everything: dict[str, Any] = {
        "setup": show(setup_us),
        "answer": show(answer_us),
        "end": show(end_us),
        "call": lasting(ring_s + talk_s, 1),
        "ring": lasting(ring_s, 1),
        "talk": lasting(talk_s, 1),
    }
    found = call_instants(StatedCall(True, **{name: everything[name] for name in names}), BERLIN)
    has_durations = len({"call", "ring", "talk"} & {*names}) >= 2 or not is_local
    if has_durations:
        assert found.answer_us is not None
        lengths = (found.answer_us - found.setup_us, found.end_us - found.answer_us)
        assert lengths == (ring_s * US_PER_SECOND, talk_s * US_PER_SECOND)
    if not is_local:
        assert found == CallInstants(setup_us, answer_us, end_us)
