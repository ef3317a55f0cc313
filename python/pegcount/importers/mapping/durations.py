"""Durations of mapped files: numbers of a unit, `H:MM:SS`, and those that Go programs print."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_NS_PER_UNIT = {"s": 10**9, "min": 60 * 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_GO = "go"
_MINUTES_AND_SECONDS = "mm:ss"
UNITS = (*_NS_PER_UNIT, _MINUTES_AND_SECONDS, _GO)
"""Units of durations."""

_NS_PER_US = 1_000
_NUMBER = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,12}))?")
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?")
_SHORT_CLOCK = re.compile(r"([0-9]{1,5}):([0-5][0-9])(?:\.([0-9]{1,9}))?")
_GO_TEXT = re.compile(r"(?:([0-9]{1,12})h)?(?:([0-9]{1,12})m)?(?:([0-9]{1,12})(?:\.([0-9]{1,9}))?s)?")
_GO_SMALL = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?(ms|us|µs|ns)")
_GO_NUMBER_MIN = _NS_PER_UNIT["ms"]
_US_MAX = 2**50


class DurationTextError(ValueError):
    """A text is not a duration; the message continues a sentence that begins with the text."""


@dataclass(frozen=True, slots=True)
class StatedDuration:
    """A duration as a cell states it, in microseconds; `resolution_us` is the last unit of the text."""

    us: int
    resolution_us: int


DurationReader = Callable[[str], StatedDuration]
"""Reads a duration; raises DurationTextError."""


def duration_reader(unit: str, has_decimal_comma: bool) -> DurationReader:
    """Returns a reader of numbers of one of `UNITS`; texts of the form `H:MM:SS` need no unit."""

    def read(text: str) -> StatedDuration:
        if has_decimal_comma:
            if "." in text:
                raise DurationTextError("has a point, and `decimal_comma` says that decimals follow a comma")
            text = text.replace(",", ".")
        found = _read(text, unit)
        if found is None:
            raise DurationTextError(f"is not a duration ({unit}), nor of the form H:MM:SS")
        if found.us > _US_MAX:
            raise DurationTextError("is a duration of more than 35 years")
        return found

    return read


def _read(text: str, unit: str) -> StatedDuration | None:
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part) for part in clock.groups()[:3])
        return _of_seconds((hours * 60 + minutes) * 60 + seconds, clock[4])
    if unit == _GO:
        return _read_go(text)
    if unit == _MINUTES_AND_SECONDS:
        short = _SHORT_CLOCK.fullmatch(text)
        return None if short is None else _of_seconds(int(short[1]) * 60 + int(short[2]), short[3])
    number = _NUMBER.fullmatch(text)
    return None if number is None else _of_unit(int(number[1]), number[2], _NS_PER_UNIT[unit])


def _read_go(text: str) -> StatedDuration | None:
    if small := _GO_SMALL.fullmatch(text):
        return _of_unit(int(small[1]), small[2], _NS_PER_UNIT[small[3].replace("µ", "u")])
    if _NUMBER.fullmatch(text) and text.isdecimal() and (int(text) == 0 or int(text) >= _GO_NUMBER_MIN):
        # Go counts a duration in nanoseconds. A small number is rather one of seconds.
        return _of_unit(int(text), None, _NS_PER_UNIT["ns"])
    found = _GO_TEXT.fullmatch(text)
    if found is None or not text:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    return _of_seconds((hours * 60 + minutes) * 60 + seconds, found[4])


def _of_seconds(seconds: int, decimals: str | None) -> StatedDuration:
    return _of_unit(seconds, decimals, _NS_PER_UNIT["s"])


def _of_unit(whole: int, decimals: str | None, unit_ns: int) -> StatedDuration:
    """Returns a number of a unit, rounded down to microseconds."""
    digits = decimals or ""
    total_ns = whole * unit_ns + int(digits or 0) * unit_ns // 10 ** len(digits)
    resolution_us = unit_ns // (_NS_PER_US * 10 ** len(digits))
    return StatedDuration(total_ns // _NS_PER_US, max(1, resolution_us))
