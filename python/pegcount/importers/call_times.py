"""Setup, answer and end of a call that a switch logged in local time, with its durations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pegcount.importers.call_record import set_instant
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.time_text import ParsedTime
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND, Zone

# Switches truncate durations and timestamps to whole seconds; Asterisk may also round billsec up.
_TOLERANCE_US = US_PER_SECOND
_SECONDS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """Times of a call as its row states them; `answer` and `end` are None if it does not state them."""

    start: ParsedTime
    is_answered: bool
    answer: ParsedTime | None
    end: ParsedTime | None
    duration_us: int
    billsec_us: int


def read_seconds(name: str, text: str) -> int:
    """Returns the microseconds of a text in seconds, with up to six decimals.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise UnreadableRowError(f"{name}: {text!r} is not a number of seconds")
    whole, fraction = match.groups()
    return int(whole) * US_PER_SECOND + int((fraction or "").ljust(6, "0"))


def set_call_times(
    record: SessionRecord, call: LoggedCall, zone: Zone, created_us: int | None = None
) -> None:
    """Sets the setup, answer and end time of a record.

    end = start + duration and answer = end - billsec. The logged answer and end only
    validate these, because in the hour that a clock repeats they may read earlier than the
    start. If the start may mean two instants, those that contradict the logged times are
    ruled out; of the rest, the earliest that is not before `created_us`, the creation of
    the channel in microseconds UTC, is the setup time.
    Raises UnreadableRowError if every instant is ruled out.
    """
    setup_us = _setup_us(call, zone, created_us)
    end_us = setup_us + call.duration_us
    set_instant(record.setup_time, setup_us)
    set_instant(record.end_time, end_us)
    if call.is_answered:
        # A billsec that was rounded up would put the answer before the setup.
        set_instant(record.answer_time, max(setup_us, end_us - call.billsec_us))


def _setup_us(call: LoggedCall, zone: Zone, created_us: int | None) -> int:
    starts_us = _instants_us(call.start, zone)
    consistent_us = [start_us for start_us in starts_us if _is_consistent(call, zone, start_us)]
    if not consistent_us:
        raise UnreadableRowError("the dates do not agree with duration and billsec")
    if created_us is None:
        return consistent_us[0]
    earliest_us = created_us - call.start.resolution_us - _TOLERANCE_US
    for start_us in consistent_us:
        if start_us >= earliest_us:
            return start_us
    raise UnreadableRowError("the call starts before its uniqueid was made; is the time zone right?")


def _is_consistent(call: LoggedCall, zone: Zone, start_us: int) -> bool:
    """Returns whether the logged answer and end agree with a start at `start_us`."""
    end_us = start_us + call.duration_us
    if not _may_mean(call.end, zone, end_us, call.start.resolution_us):
        return False
    if not call.is_answered:
        return True
    answer_us = end_us - call.billsec_us
    return answer_us >= start_us - _TOLERANCE_US and _may_mean(
        call.answer, zone, answer_us, call.start.resolution_us
    )


def _may_mean(timestamp: ParsedTime | None, zone: Zone, instant_us: int, start_resolution_us: int) -> bool:
    """Returns whether a timestamp may mean an instant that was computed from the start of the call.

    One that is not stated may mean any.
    """
    if timestamp is None:
        return True
    allowed_us = _TOLERANCE_US + max(timestamp.resolution_us, start_resolution_us)
    return any(abs(read_us - instant_us) <= allowed_us for read_us in _instants_us(timestamp, zone))


def _instants_us(timestamp: ParsedTime, zone: Zone) -> Sequence[int]:
    """Returns the instants that a timestamp may mean, ascending."""
    return (timestamp.us,) if timestamp.is_instant else zone.instants_us(timestamp.us)
