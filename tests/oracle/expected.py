"""Expected refusals with all their violations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from pegcount.v1 import error_reason_pb2

from . import calendar

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Violation:
    """An invalid field; `reason` is the name of an ErrorReason without prefix."""

    field: str
    reason: str


@dataclass(frozen=True)
class ExpectedError:
    """The status that the service must answer with.

    `code` is the name of a gRPC status code. `reason` is that of ErrorInfo. It is None for
    INVALID_ARGUMENT, where any of the violations may be the first.
    """

    code: str
    reason: str | None
    violations: frozenset[Violation]


class Violations:
    """Collects the violations of one request."""

    def __init__(self) -> None:
        self._found: set[Violation] = set()

    def add(self, field: str, reason: str) -> None:
        error_reason_pb2.ErrorReason.Value("ERROR_REASON_" + reason)
        self._found.add(Violation(field, reason))

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self) -> ExpectedError:
        assert self._found
        return ExpectedError("INVALID_ARGUMENT", None, frozenset(self._found))

    def required(self, field: str, value: str, text_bytes_max: int) -> None:
        if not value:
            self.add(field, "REQUIRED_FIELD_MISSING")
        self.text(field, value, text_bytes_max)

    def text(self, field: str, value: str, text_bytes_max: int) -> None:
        if len(value.encode()) > text_bytes_max:
            self.add(field, "TEXT_TOO_LONG")

    def granularity(self, field: str, value: int) -> bool:
        if value == 0:
            self.add(field, "REQUIRED_FIELD_MISSING")
        elif not 1 <= value <= 8:
            self.add(field, "UNKNOWN_ENUM_VALUE")
        return 1 <= value <= 8

    def count_of_values(self, field: str, values: Sequence[object], value_count_max: int) -> bool:
        if len(values) > value_count_max:
            self.add(field, "FILTER_VALUE_LIMIT_EXCEEDED")
        return len(values) <= value_count_max

    def absent(self, names: Sequence[str], allowed: Sequence[str], value_count_max: int) -> Sequence[str]:
        """Checks the list `absent`, and returns those of its names that are allowed."""
        if not self.count_of_values("absent", names, value_count_max):
            return ()
        for position, name in enumerate(names):
            if name not in allowed:
                self.add(f"absent[{position}]", "UNKNOWN_NAME")
            elif name in names[:position]:
                self.add(f"absent[{position}]", "REPEATED_NAME")
        return [name for name in names if name in allowed]

    def zone(self, value: str | None) -> str | None:
        """Returns the zone of a request, or None if it is invalid."""
        if value is None:
            return "UTC"
        return self._read("time_zone", lambda: calendar.check_zone(value))

    def time(self, field: str, value: str, zone: str | None) -> int | None:
        """Returns a time of a request in microseconds, or None if it or its zone is invalid."""
        instant_us = self._read(field, lambda: calendar.parse_time(value, zone or "UTC"))
        return instant_us if zone is not None else None

    def day(self, field: str, value: str) -> date | None:
        """Returns a date of a request, or None if it is invalid."""
        return self._read(field, lambda: calendar.parse_date(value))

    def _read(self, field: str, read: Callable[[], _Read]) -> _Read | None:
        try:
            return read()
        except calendar.Refused as refused:
            self.add(field, refused.reason)
            return None


def too_many_cells() -> ExpectedError:
    """More cells than allowed. The scan finds this out, so the refusal names no field."""
    violations = Violations()
    violations.add("", "CELL_LIMIT_EXCEEDED")
    return violations.error()


def not_found(reason: str) -> ExpectedError:
    """A NOT_FOUND status."""
    error_reason_pb2.ErrorReason.Value("ERROR_REASON_" + reason)
    return ExpectedError("NOT_FOUND", reason, frozenset())
