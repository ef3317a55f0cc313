"""Instants of a call that is logged in local time and with its durations."""

import re
from dataclasses import dataclass

from pegcount.importers.local_timestamp import LocalClock, LocalTimestamp
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.zoned_timestamp import set_instant
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND

# Durations are cut to whole seconds, and so are texts; billsec may also be rounded up.
_TOLERANCE_US = US_PER_SECOND
_SECONDS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """What a row says of the times of its call; `answer` is None if it was not answered."""

    start: LocalTimestamp
    answer: LocalTimestamp | None
    end: LocalTimestamp
    duration_us: int
    billsec_us: int


def read_seconds(name: str, text: str) -> int:
    """Microseconds of a number of seconds, whole or with a fraction.

    Raises UnreadableRowError, naming the column, for anything else.
    """
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise UnreadableRowError(f"{name}: {text!r} is no number of seconds")
    whole, fraction = match.groups()
    return int(whole) * US_PER_SECOND + int((fraction or "").ljust(6, "0"))


def set_call_times(
    record: SessionRecord, call: LoggedCall, clock: LocalClock, created_us: int | None = None
) -> None:
    """Give a record its setup, answer and end time.

    end = start + duration and answer = end - billsec. The local texts of both only check,
    because around the hour that a clock repeats they may read earlier than the start. Of
    two instants that the start may mean, the texts rule out what contradicts them; then the
    earlier that is not before `created_us`, the instant at which the channel was made.
    Raises UnreadableRowError where no instant fits.
    """
    setup_us = _setup_us(call, clock, created_us)
    end_us = setup_us + call.duration_us
    set_instant(record.setup_time, setup_us)
    set_instant(record.end_time, end_us)
    if call.answer is not None:
        # A billsec that was rounded up would put the answer before the setup.
        set_instant(record.answer_time, max(setup_us, end_us - call.billsec_us))


def _setup_us(call: LoggedCall, clock: LocalClock, created_us: int | None) -> int:
    fitting_us = [
        start_us for start_us in clock.instants_us(call.start.local_us) if _fits(call, clock, start_us)
    ]
    if not fitting_us:
        raise UnreadableRowError("the dates do not agree with duration and billsec")
    if created_us is None:
        return fitting_us[0]
    earliest_us = created_us - call.start.resolution_us - _TOLERANCE_US
    for start_us in fitting_us:
        if start_us >= earliest_us:
            return start_us
    raise UnreadableRowError("the call starts before its uniqueid was made; is the time zone right?")


def _fits(call: LoggedCall, clock: LocalClock, start_us: int) -> bool:
    end_us = start_us + call.duration_us
    if not _reads(call.end, clock, end_us, call.start.resolution_us):
        return False
    if call.answer is None:
        return True
    answer_us = end_us - call.billsec_us
    return answer_us >= start_us - _TOLERANCE_US and _reads(
        call.answer, clock, answer_us, call.start.resolution_us
    )


def _reads(stamp: LocalTimestamp, clock: LocalClock, instant_us: int, start_resolution_us: int) -> bool:
    """Whether a clock may read `stamp` at an instant that was reckoned from the start."""
    allowed_us = _TOLERANCE_US + max(stamp.resolution_us, start_resolution_us)
    return any(abs(read_us - instant_us) <= allowed_us for read_us in clock.instants_us(stamp.local_us))
