"""What each dimension of the traffic question is of a record, as a key and as a condition.

`DIMENSIONS` has a rule for each dimension.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from pegcount.model import Between, OneOf, Predicate, Present
from pegcount.traffic import (
    ColumnKey,
    DeckCodeKey,
    InGroups,
    Key,
    LocalTimeKey,
    PrefixKey,
    QuotientKey,
)
from pegcount.v1 import traffic_pb2

INT64_MIN: Final = -(2**63) + 1
"""The least integer of a record; the one below marks an absent value."""
INT64_MAX: Final = 2**63 - 1

Condition: TypeAlias = Predicate | InGroups
Values: TypeAlias = Sequence[Any]
"""Whole numbers, or texts."""
Part: TypeAlias = Literal["hour", "weekday"]
LocalTime: TypeAlias = Callable[[Part], LocalTimeKey]
"""Returns the key of a part of the local time in the range of a request."""

_NEVER: Final = Between("tenant_id", 1, 0)
"""Holds for no record."""


class DimensionRule(Protocol):
    """A dimension. Conditions are alternatives: a record satisfies one of them or more, or none."""

    @property
    def column(self) -> str:
        """The field of records that it tells of."""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts, not whole numbers."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Fields of `GroupSpec` that it takes beside `dimension`."""

    @property
    def allowed(self) -> tuple[int, int] | None:
        """The least and the greatest value, if others are mistakes."""

    def key(self, spec: traffic_pb2.GroupSpec, local_time: LocalTime) -> Key:
        """Returns what records are grouped by; parameters must be valid."""

    def equal(self, values: Values, local_time: LocalTime) -> Iterable[Condition]:
        """Yields the conditions that it has one of some values; of prefixes, that it begins with one."""

    def between(self, low: int, high: int, local_time: LocalTime) -> Iterable[Condition]:
        """Yields the conditions that a number is in [low, high]."""

    def absent(self) -> Iterable[Condition]:
        """Yields the conditions that it has no value."""


@dataclass(frozen=True, slots=True)
class _OfColumn:
    """A column of records."""

    column: str
    is_text: bool
    parameters: tuple[str, ...] = ()
    allowed: tuple[int, int] | None = None
    may_be_absent: bool = True
    """Whether it has no default."""

    def key(self, spec: traffic_pb2.GroupSpec, local_time: LocalTime) -> Key:
        return ColumnKey(self.column)

    def equal(self, values: Values, local_time: LocalTime) -> Iterable[Condition]:
        yield OneOf(self.column, tuple(values))

    def between(self, low: int, high: int, local_time: LocalTime) -> Iterable[Condition]:
        yield Between(self.column, low, high)

    def absent(self) -> Iterable[Condition]:
        yield Present(self.column, wanted=False) if self.may_be_absent else _NEVER


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The beginning of a number, of which one leading plus is dropped."""

    column: str
    is_text: bool = True
    parameters: tuple[str, ...] = ("digits", "code_deck")
    allowed: tuple[int, int] | None = None

    def key(self, spec: traffic_pb2.GroupSpec, local_time: LocalTime) -> Key:
        return PrefixKey(self.column, spec.digits) if spec.HasField("digits") else DeckCodeKey(self.column)

    def equal(self, values: Values, local_time: LocalTime) -> Iterable[Condition]:
        # A number begins with a text of n characters if and only if its first n characters are the text.
        by_length: dict[int, list[tuple[str]]] = {}
        for text in shortest_beginnings(values):
            by_length.setdefault(len(text), []).append((text,))
        for length, groups in by_length.items():
            yield InGroups((PrefixKey(self.column, length),), tuple(groups))

    def between(self, low: int, high: int, local_time: LocalTime) -> Iterable[Condition]:
        raise AssertionError("a prefix is a text")

    def absent(self) -> Iterable[Condition]:
        yield OneOf(self.column, ("+",), or_absent=True)


@dataclass(frozen=True, slots=True)
class _Quotient:
    """A column of whole numbers divided by a number and rounded down."""

    column: str
    divisor: int
    is_text: bool = False
    parameters: tuple[str, ...] = ()
    allowed: tuple[int, int] | None = None

    def key(self, spec: traffic_pb2.GroupSpec, local_time: LocalTime) -> Key:
        return QuotientKey(self.column, self.divisor)

    def equal(self, values: Values, local_time: LocalTime) -> Iterable[Condition]:
        for value in dict.fromkeys(int(value) for value in values):
            yield from self.between(value, value, local_time)

    def between(self, low: int, high: int, local_time: LocalTime) -> Iterable[Condition]:
        least = max(INT64_MIN, low * self.divisor)
        greatest = min(INT64_MAX, high * self.divisor + self.divisor - 1)
        yield Between(self.column, least, greatest) if least <= greatest else _NEVER

    def absent(self) -> Iterable[Condition]:
        yield Present(self.column, wanted=False)


@dataclass(frozen=True, slots=True)
class _LocalTime:
    """A part of the local setup time, which each record has."""

    part: Part
    allowed: tuple[int, int]
    column: str = "session_setup_time"
    is_text: bool = False
    parameters: tuple[str, ...] = ()

    def key(self, spec: traffic_pb2.GroupSpec, local_time: LocalTime) -> Key:
        return local_time(self.part)

    def equal(self, values: Values, local_time: LocalTime) -> Iterable[Condition]:
        groups = tuple((value,) for value in dict.fromkeys(values))
        yield InGroups((local_time(self.part),), groups) if groups else _NEVER

    def between(self, low: int, high: int, local_time: LocalTime) -> Iterable[Condition]:
        first, last = self.allowed
        return self.equal(range(max(low, first), min(high, last) + 1), local_time)

    def absent(self) -> Iterable[Condition]:
        yield _NEVER


_INTEGERS: Final = (
    *("TENANT_ID", "APP_ID", "COMP_ID", "EQUIPMENT_ID", "SRC_COUNTRY_ID", "DST_COUNTRY_ID", "SIP_STATUS"),
    *("RELEASE_PARTY", "ORIG_COMPANIES_ID", "ORIG_OWNER_USERS_ID", "ORIG_CLIENTS_ID", "ORIG_ACCOUNTS_ID"),
    *("TERM_COMPANIES_ID", "TERM_OWNER_USERS_ID", "TERM_CLIENTS_ID", "TERM_ACCOUNTS_ID"),
)
_TEXTS: Final = (
    *("SOURCE", "ACCOUNT_ID", "EQUIPMENT_NAME", "COMPANY", "ORGANIZATION", "FOLDER", "AGENT_ID"),
    *("ORIG_CLIENTS_NAME", "ORIG_ACCOUNTS_NAME", "TERM_CLIENTS_NAME", "TERM_ACCOUNTS_NAME"),
    *("CURRENCY", "VENDOR_CURRENCY"),
)
_RATES: Final = tuple(
    f"{leg}_RATES_{name}" for leg in ("ORIG", "TERM") for name in ("CODE", "CODE_NAME", "COUNTRY")
)
"""Texts that a code deck can supply."""
_OTHERS: Final[Mapping[str, DimensionRule]] = {
    "KIND": _OfColumn("kind", is_text=False, allowed=(1, 3), may_be_absent=False),
    "LAST_ATTEMPT": _OfColumn("is_last_attempt", is_text=False, allowed=(0, 1), may_be_absent=False),
    "SRC_PREFIX": _Prefix("src_prefix_routing"),
    "DST_PREFIX": _Prefix("dst_prefix_routing"),
    "CAUSE": _OfColumn("disconnect_cause", is_text=False),
    "CAUSE_CLASS": _Quotient("disconnect_cause", 16),
    "HOUR_OF_DAY": _LocalTime("hour", (0, 23)),
    "WEEKDAY": _LocalTime("weekday", (1, 7)),
}
_RULES: Final[Mapping[str, DimensionRule]] = {
    **{name: _OfColumn(name.lower(), is_text=False) for name in _INTEGERS},
    **{name: _OfColumn(name.lower(), is_text=True) for name in _TEXTS},
    **{name: _OfColumn(name.lower(), is_text=True, parameters=("code_deck",)) for name in _RATES},
    **_OTHERS,
}

DIMENSIONS: Final[Mapping[int, DimensionRule]] = {
    number: _RULES[name.removeprefix("TRAFFIC_DIMENSION_")]
    for name, number in traffic_pb2.TrafficDimension.items()
    if number
}
"""The rule of each dimension, by its number."""


def shortest_beginnings(texts: Iterable[str]) -> list[str]:
    """Returns the texts that begin with none of the others, each once: numbers begin with these or with none.

    >>> shortest_beginnings(["441", "4", "33", "4"])
    ['4', '33']
    """
    given = dict.fromkeys(texts)
    shortest: set[str] = set()
    last = None
    # In order, all that begin with a text follow it.
    for text in sorted(given):
        if last is None or not text.startswith(last):
            last = text
            shortest.add(text)
    return [text for text in given if text in shortest]


def dimension_name(number: int) -> str:
    """Returns the name of a dimension without its prefix.

    >>> dimension_name(traffic_pb2.TRAFFIC_DIMENSION_DST_PREFIX)
    'DST_PREFIX'
    """
    return traffic_pb2.TrafficDimension.Name(traffic_pb2.TrafficDimension.ValueType(number)).removeprefix(
        "TRAFFIC_DIMENSION_"
    )


def is_of_terminating_leg(number: int) -> bool:
    """Returns whether a dimension tells which vendor got an attempt of a call."""
    return dimension_name(number).startswith("TERM_")


def is_prefix(number: int) -> bool:
    """Returns whether a dimension is the beginning of a number."""
    return isinstance(DIMENSIONS[number], _Prefix)


def is_of_local_time(number: int) -> bool:
    """Returns whether a dimension is a part of the local time."""
    return isinstance(DIMENSIONS.get(number), _LocalTime)


def is_listed_in_records(number: int) -> bool:
    """Returns whether records carry the values of a dimension as they are, and some of them lack each."""
    rule = DIMENSIONS.get(number)
    return isinstance(rule, _OfColumn) and rule.column != "is_last_attempt"
