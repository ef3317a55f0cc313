"""Converts the open hours of the traffic question."""

import re
from collections.abc import Hashable, Iterator
from typing import Any, Final

from pegcount.errors import quoted, shortened
from pegcount.request.validation import RequestValidator, suggested
from pegcount.suggestion import suggestion
from pegcount.traffic import OpenHours
from pegcount.v1 import traffic_pb2
from pegcount.zone import US_PER_DAY

_ALL_WEEKDAYS: Final = range(1, 8)
_US_PER_MINUTE: Final = 60_000_000
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NEAR: Final = re.compile(r"([0-9]{1,2})[:.h]?([0-9]{2})(?::00)?")
"""Texts that state a time of day in another form, such as `8:30`, `0830` or `08:30:00`."""
_MIDNIGHT: Final = "24:00"


def open_hours(message: traffic_pb2.OpenHours, validator: RequestValidator) -> OpenHours:
    """Returns the hours of a message; reports what is wrong with it."""
    weekdays = frozenset(_weekdays(message, validator))
    from_us = _time_of_day_us("open_hours.from_time", message.from_time, validator)
    to_us = _time_of_day_us("open_hours.to_time", message.to_time, validator, is_end=True)
    dates = frozenset(_excluded_dates(message, validator))
    to_us = to_us if to_us > from_us else to_us + US_PER_DAY
    return OpenHours(weekdays or frozenset(_ALL_WEEKDAYS), from_us, to_us, dates)


def _weekdays(message: traffic_pb2.OpenHours, validator: RequestValidator) -> Iterator[int]:
    first_index = dict[Hashable, int]()
    for index, weekday in enumerate(validator.values("open_hours.weekdays", message, "weekdays")):
        field = f"open_hours.weekdays[{index}]"
        validator.number_within(field, weekday, _ALL_WEEKDAYS[0], _ALL_WEEKDAYS[-1])
        _check_distinct(field, weekday, weekday, index, first_index, validator)
        yield weekday


def _excluded_dates(message: traffic_pb2.OpenHours, validator: RequestValidator) -> Iterator[int]:
    first_index = dict[Hashable, int]()
    for index, text in enumerate(validator.values("open_hours.excluded_dates", message, "excluded_dates")):
        field, earlier_count = f"open_hours.excluded_dates[{index}]", validator.violation_count
        date = validator.date(field, text)
        if validator.violation_count == earlier_count:
            _check_distinct(field, date, text, index, first_index, validator)
        yield date


def _check_distinct(
    field: str,
    value: Hashable,
    shown: Any,
    index: int,
    first_index: dict[Hashable, int],
    validator: RequestValidator,
) -> None:
    first = first_index.setdefault(value, index)
    if first != index:
        description = f"{shown} is listed already, at position {first}"
        validator.add_violation(field, "REPEATED_NAME", description, value=shown)


def _time_of_day_us(field: str, text: str, validator: RequestValidator, *, is_end: bool = False) -> int:
    """Returns a local time as microseconds after midnight."""
    form = f"HH:MM, 00:00 to {_MIDNIGHT if is_end else '23:59'}"
    if not text:
        description = f"is required: a local time of the form {form}"
        validator.add_violation(field, "REQUIRED_FIELD_MISSING", description)
        return 0
    if is_end and text == _MIDNIGHT:
        return US_PER_DAY
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        near = _near(text, is_end=is_end)
        hint = "" if near is None else suggestion(near)
        description = f"{quoted(text)} is not of the form {form}{hint}"
        metadata = {"value": shortened(text), **suggested(near)}
        validator.add_violation(field, "MALFORMED_TIME", description, **metadata)
        return 0
    hour, minute = map(int, match.groups())
    return (60 * hour + minute) * _US_PER_MINUTE


def _near(text: str, *, is_end: bool) -> str | None:
    """Returns the time of the accepted form that a text states in another form, None if it states none."""
    match = _NEAR.fullmatch(text.strip())
    near = None if match is None else f"{int(match[1]):02}:{match[2]}"
    if near is not None and (_TIME_OF_DAY.fullmatch(near) or (is_end and near == _MIDNIGHT)):
        return near
    return None
