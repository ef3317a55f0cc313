"""Validates the fields of requests and collects all violations of one request."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

from google.protobuf.message import Message

from pegcount import calendar
from pegcount.config import Config
from pegcount.errors import quoted, shortened
from pegcount.model import Granularity, OneOf, Predicate, Present
from pegcount.request.list_limits import LIST_LIMITS, ListLimit, add_if_exceeded
from pegcount.request.violations import Violations
from pegcount.time_hints import TIME_FORM, TimeProblem, date_problem, time_problem
from pegcount.time_text import REQUEST, TimeTextError, read_date, read_time
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY, Zone

# Record times lie in [1970-01-01, 2200-01-01) UTC. A local day may start or end up to a day outside.
_FIRST_US = -US_PER_DAY
_LAST_US = 84_007 * US_PER_DAY


Check: TypeAlias = Callable[[], None]
"""Raises CancelledError or DeadlineError if the work must end."""


def never_ends() -> None:
    """The check of a request that is so short that its validation need not be cancelled."""


class RequestValidator:
    """Validates the fields of one request.

    Each method validates one field, collects its violations, and returns the value, or a fallback
    if the field is invalid. Callers end with `raise_violations`, so that no fallback reaches a query.
    """

    def __init__(self, config: Config, check: Check) -> None:
        """`check` is called before each field whose value may be long."""
        self.config = config
        self._check = check
        self._violations = Violations(config.violation_count_max)
        # Without the requested zone, two local times cannot be compared.
        self._zone_is_fallback = False

    def raise_violations(self) -> None:
        """Raises InvalidRequestError with all collected violations, if there are any."""
        self._violations.raise_any()

    @property
    def violation_count(self) -> int:
        """How many violations were collected so far."""
        return self._violations.count

    def add_violation(self, field: str, reason: str, description: str, /, **metadata: object) -> None:
        """Collects one violation; see `Violations.add`."""
        self._violations.add(field, reason, description, **metadata)

    def zone(self, name: str | None) -> Zone:
        """Returns the zone named by the field `time_zone`; None means UTC."""
        self._check()
        zone = calendar.zone("UTC" if name is None else name)
        if name is None or zone is not None:
            assert zone is not None, "tzdata has UTC"
            return zone
        version = calendar.tzdata_version()
        description = f"{quoted(name)} is not an IANA time zone of tzdata {version}{calendar.zone_hint(name)}"
        metadata = {
            "value": shortened(name),
            "tzdata_version": version,
            **suggested(calendar.near_zone(name)),
        }
        self.add_violation("time_zone", "UNKNOWN_TIME_ZONE", description, **metadata)
        self._zone_is_fallback = True
        fallback = calendar.zone("UTC")
        assert fallback is not None, "tzdata has UTC"
        return fallback

    def required_text(self, field: str, value: str) -> str:
        """Validates a required text; see `text`."""
        if not value:
            self.add_violation(field, "REQUIRED_FIELD_MISSING", "is required")
        return self.text(field, value)

    def text(self, field: str, value: str) -> str:
        """Validates that a text has at most `filter_text_bytes_max` bytes, the longest text of a record."""
        self.accepts_text(field, value)
        return value

    def accepts_text(self, field: str, value: str) -> bool:
        """Returns whether `text` accepts the value, so that the caller can skip parsing a long one."""
        self._check()
        asked, allowed = len(value.encode()), self.config.filter_text_bytes_max
        if asked > allowed:
            description = f"has {asked} bytes; {allowed} are allowed"
            self.add_violation(field, "TEXT_TOO_LONG", description, asked=asked, allowed=allowed)
        return asked <= allowed

    def instant_us(self, field: str, text: str, zone: Zone) -> int:
        """Parses a time into microseconds UTC."""
        self._check()
        try:
            us = read_time(text, REQUEST).instant_us(zone)
        except TimeTextError as error:
            self._malformed(field, "MALFORMED_TIME", text, time_problem(text, error))
            return 0
        if not _FIRST_US <= us <= _LAST_US:
            self._out_of_range(field, text)
        return us

    def range_us(self, from_text: str, to_text: str | None, zone: Zone) -> tuple[int, int | None]:
        """Parses `from_time` and `to_time` into microseconds UTC; an absent `to_time` is None."""
        if not from_text:
            self.add_violation("from_time", "REQUIRED_FIELD_MISSING", f"is required: {TIME_FORM}")
        from_us, to_us = self.open_range_us(from_text or None, to_text, zone)
        return from_us or 0, to_us

    def open_range_us(
        self, from_text: str | None, to_text: str | None, zone: Zone
    ) -> tuple[int | None, int | None]:
        """As `range_us`, but `from_time` may be absent too."""
        earlier_count = self._violations.count
        from_us = None if from_text is None else self.instant_us("from_time", from_text, zone)
        to_us = None if to_text is None else self.instant_us("to_time", to_text, zone)
        is_comparable = self._violations.count == earlier_count and not self._zone_is_fallback
        if from_us is not None and to_us is not None and from_us >= to_us and is_comparable:
            description = f"{from_text} is not before to_time {to_text}"
            self.add_violation("from_time", "EMPTY_RANGE", description, from_time=from_text, to_time=to_text)
        return from_us, to_us

    def date(self, field: str, text: str) -> int:
        """Parses a date into days since 1970-01-01."""
        self._check()
        try:
            days = read_date(text)
        except TimeTextError as error:
            self._malformed(field, "MALFORMED_DATE", text, date_problem(text, error))
            return 0
        if not _FIRST_US <= days * US_PER_DAY <= _LAST_US:
            self._out_of_range(field, text)
        return days

    def granularity(self, field: str, number: int) -> Granularity:
        """Validates a required granularity."""
        if number == 0:
            allowed = _value_names(reports_pb2.Granularity)
            description = "is required, such as GRANULARITY_HOUR"
            self.add_violation(field, "REQUIRED_FIELD_MISSING", description, allowed=allowed)
        return Granularity(self.enum(field, number, reports_pb2.Granularity) or Granularity.DAY)

    def enum(self, field: str, number: int, enum_class: Any) -> int:
        """Validates a number of an enum; returns 0, the unspecified value, for an unknown number."""
        # A dictionary look-up; `enum_class.values()` would build a list.
        if number in enum_class.DESCRIPTOR.values_by_number:
            return number
        name = enum_class.DESCRIPTOR.name
        example = enum_class.keys()[1]
        self.add_violation(
            field,
            "UNKNOWN_ENUM_VALUE",
            f"{number} is not a value of {name}, such as {example}",
            value=number,
            allowed=_value_names(enum_class),
        )
        return 0

    def required_enum(self, field: str, number: int, enum_class: Any) -> int:
        """As `enum`, of a field that is required; reports the unspecified value, too."""
        if number == 0:
            allowed = _value_names(enum_class)
            description = f"is required, such as {enum_class.keys()[1]}"
            self.add_violation(field, "REQUIRED_FIELD_MISSING", description, allowed=allowed)
        return self.enum(field, number, enum_class)

    def number_within(self, field: str, value: int, minimum: int, maximum: int) -> int:
        """Validates that a number is between `minimum` and `maximum`, both inclusive."""
        if not minimum <= value <= maximum:
            description = f"{value} is not within {minimum} to {maximum}"
            self.add_violation(
                field, "VALUE_OUT_OF_RANGE", description, value=value, minimum=minimum, maximum=maximum
            )
        return value

    def count_within(self, field: str, count: int, limit: ListLimit) -> bool:
        """Returns whether a list has as many values as it may have; reports one that has more."""
        return not add_if_exceeded(field, count, limit, self.config, self._violations)

    def values(self, field: str, message: Message, name: str) -> Sequence[Any]:
        """Returns the values of the list `name` of a message, or no value if there are more than allowed."""
        self._check()
        values: Sequence[Any] = getattr(message, name)
        if not values:
            return ()
        limit = LIST_LIMITS[message.DESCRIPTOR.fields_by_name[name].full_name]
        return values if self.count_within(field, len(values), limit) else ()

    def filter_texts(self, field: str, message: Message, name: str) -> Sequence[str]:
        """Returns the texts of the list `name` of a message, none of which may be empty; see `text`."""
        values = self.values(field, message, name)
        for i, value in enumerate(values):
            if not value:
                self.add_violation(f"{field}[{i}]", "EMPTY_FILTER", "is empty, which no record carries")
            self.text(f"{field}[{i}]", value)
        return values

    def any_of(
        self, field: str, column: str, message: Message, name: str, absent: Collection[str] = ()
    ) -> Iterable[Predicate]:
        """Returns the predicate that a column equals one of the values of the list `name` of a message.

        An empty list adds no predicate. If `absent` has the column, values that are absent match too.
        """
        return one_of_or_absent(column, self.values(field, message, name), absent)

    def _malformed(self, field: str, reason: str, text: str, problem: TimeProblem) -> None:
        metadata = {"value": shortened(text), **suggested(problem.suggestion)}
        self.add_violation(field, reason, problem.description, **metadata)

    def _out_of_range(self, field: str, text: str) -> None:
        description = f"{text} is not within 1969-12-31T00:00:00Z to 2200-01-02T00:00:00Z"
        self.add_violation(field, "TIME_OUT_OF_RANGE", description, value=text)


def one_of_or_absent(column: str, values: Sequence[Any], absent: Collection[str]) -> Iterable[Predicate]:
    """Returns the predicate that a column equals one of the values, or is absent if `absent` has its name.

    Without values and `absent`, any value matches: the result is empty.
    """
    or_absent = column in absent
    if values:
        return (OneOf(column, tuple(values), or_absent),)
    return (Present(column, wanted=False),) if or_absent else ()


def suggested(text: str | None) -> dict[str, str]:
    """Returns the metadata of a violation that suggests a text, none without one."""
    return {} if text is None else {"suggestion": text}


def _value_names(enum_class: Any) -> str:
    """Returns the names of an enum except the first, the unspecified value."""
    return ", ".join(enum_class.keys()[1:])
