"""Validation of requests: reads their fields and collects everything that is wrong with them."""

from collections.abc import Iterable, Sequence
from typing import Any

from pegcount.config import Config
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Calendar, Granularity, OneOf, Predicate
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY, Zone

_TIME_FORM = "YYYY-MM-DDTHH:mm:ss[.fraction][Z|+HH:MM|-HH:MM] or YYYY-MM-DD"
_DATE_FORM = "YYYYMMDD or YYYY-MM-DD"
# A day more than records may have on either side, as a local day may begin before UTC's.
_FIRST_US = -US_PER_DAY
_LAST_US = 84_007 * US_PER_DAY


class RequestValidator:
    """One request under examination.

    Every method reads one field, notes what is wrong with it, and gives the value or a
    stand-in; `raise_violations` raises what was noted, so a stand-in never gets further.
    """

    def __init__(self, calendar: Calendar, config: Config) -> None:
        self.config = config
        self._calendar = calendar
        self._violations: list[Violation] = []
        # Which of two local times is earlier depends on the zone that was not understood.
        self._zone_is_fallback = False

    def raise_violations(self) -> None:
        """Raises InvalidRequestError with all violations, if there are any."""
        if self._violations:
            raise InvalidRequestError(self._violations)

    def add_violation(self, field: str, reason: str, description: str, **metadata: object) -> None:
        """Notes one violation."""
        texts = {name: str(value) for name, value in metadata.items()}
        self._violations.append(Violation(field, reason, description, texts))

    def zone(self, name: str | None) -> Zone:
        """`time_zone`; None is UTC."""
        zone = self._calendar.zone("UTC" if name is None else name)
        if zone is not None:
            return zone
        version = self._calendar.tzdata_version()
        description = f"{name!r} is no IANA time zone of tzdata {version}, such as Europe/Berlin"
        self.add_violation("time_zone", "UNKNOWN_TIME_ZONE", description, value=name, tzdata_version=version)
        self._zone_is_fallback = True
        fallback = self._calendar.zone("UTC")
        assert fallback is not None, "tzdata has UTC"
        return fallback

    def required_text(self, field: str, value: str) -> str:
        """A text that must be there and may be the value of a record."""
        if not value:
            self.add_violation(field, "REQUIRED_FIELD_MISSING", "is required")
        return self.text(field, value)

    def text(self, field: str, value: str) -> str:
        """A text that may be the value of a record."""
        self.check_text(field, value)
        return value

    def check_text(self, field: str, value: str) -> bool:
        """Whether a text may be the value of a record, for what must not look at a longer one."""
        asked, allowed = len(value.encode()), self.config.filter_text_bytes_max
        if asked > allowed:
            description = f"has {asked} bytes; {allowed} are allowed"
            self.add_violation(field, "TEXT_TOO_LONG", description, asked=asked, allowed=allowed)
        return asked <= allowed

    def instant_us(self, field: str, text: str, zone: Zone) -> int:
        """A time, in microseconds UTC."""
        parsed = self._calendar.parse_time(text)
        if parsed is None:
            self.add_violation(
                field, "MALFORMED_TIME", f"{text!r} is not of the form {_TIME_FORM}", value=text
            )
            return 0
        us = parsed.instant_us(zone)
        if not _FIRST_US <= us <= _LAST_US:
            self._out_of_range(field, text)
        return us

    def range_us(self, from_text: str, to_text: str | None, zone: Zone) -> tuple[int, int | None]:
        """`from_time` and `to_time`, in microseconds UTC; None where `to_time` is absent."""
        violations_before = len(self._violations)
        if not from_text:
            self.add_violation("from_time", "REQUIRED_FIELD_MISSING", f"is required: {_TIME_FORM}")
        from_us = self.instant_us("from_time", from_text, zone) if from_text else 0
        to_us = None if to_text is None else self.instant_us("to_time", to_text, zone)
        is_valid = violations_before == len(self._violations) and not self._zone_is_fallback
        if to_us is not None and from_us >= to_us and is_valid:
            description = f"{from_text} is not before to_time {to_text}"
            self.add_violation("from_time", "EMPTY_RANGE", description, from_time=from_text, to_time=to_text)
        return from_us, to_us

    def date(self, field: str, text: str) -> int:
        """A date, in days since 1970-01-01."""
        days = self._calendar.parse_date(text)
        if days is None:
            self.add_violation(
                field, "MALFORMED_DATE", f"{text!r} is not of the form {_DATE_FORM}", value=text
            )
            return 0
        if not _FIRST_US <= days * US_PER_DAY <= _LAST_US:
            self._out_of_range(field, text)
        return days

    def granularity(self, field: str, number: int) -> Granularity:
        """A granularity that must be there."""
        if number == 0:
            allowed = _names(reports_pb2.Granularity)
            self.add_violation(field, "REQUIRED_FIELD_MISSING", f"is required; one of {allowed}")
        return Granularity(self.enum(field, number, reports_pb2.Granularity) or Granularity.DAY)

    def enum(self, field: str, number: int, names: Any) -> int:
        """A number of an enum; 0, which is unspecified, for one that it does not have."""
        # Quicker than `names.values()`, which makes a list of them.
        if number in names.DESCRIPTOR.values_by_number:
            return number
        allowed = _names(names)
        self.add_violation(
            field,
            "UNKNOWN_ENUM_VALUE",
            f"{number} is not known; one of {allowed}",
            value=number,
            allowed=allowed,
        )
        return 0

    def number_within(self, field: str, value: int, minimum: int, maximum: int) -> int:
        """A number within limits, both inclusive."""
        if not minimum <= value <= maximum:
            description = f"{value} is not within {minimum} to {maximum}"
            self.add_violation(
                field, "VALUE_OUT_OF_RANGE", description, value=value, minimum=minimum, maximum=maximum
            )
        return value

    def any_of(self, field: str, column: str, values: Sequence[int] | Sequence[str]) -> Iterable[Predicate]:
        """A list of which a record must have one; an empty list asks nothing."""
        asked, allowed = len(values), self.config.filter_value_count_max
        if asked > allowed:
            description = f"has {asked} values; {allowed} are allowed"
            self.add_violation(
                field, "FILTER_VALUE_LIMIT_EXCEEDED", description, asked=asked, allowed=allowed
            )
            return ()
        return (OneOf(column, tuple(values)),) if values else ()  # type: ignore[arg-type]

    def _out_of_range(self, field: str, text: str) -> None:
        description = f"{text} is not within 1969-12-31T00:00:00Z to 2200-01-02T00:00:00Z"
        self.add_violation(field, "TIME_OUT_OF_RANGE", description, value=text)


def _names(names: Any) -> str:
    """What an enum allows, without the unspecified value."""
    return ", ".join(names.keys()[1:])
