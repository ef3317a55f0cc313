"""The interface of an engine: loading of tables, and the expressions of its SQL dialect."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator
from datetime import date
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from .differences import Asked, Predicate

Row = tuple[Any, ...]


class Engine(ABC):
    """An engine with the tables `sessions` and `entries`."""

    name: str
    differences: tuple[Predicate, ...]

    @abstractmethod
    def load(self, sessions: pa.Table, entries: pa.Table) -> None:
        """Replaces both tables."""

    @abstractmethod
    def ask(self, sql: str, zone: str = "UTC") -> list[Row]:
        """Returns the rows of a query; `zone` is the session's time zone if the engine has one."""

    def differs(self, asked: Asked) -> list[str]:
        """Returns the names of the known differences that apply to this request."""
        return [predicate.__name__ for predicate in self.differences if predicate(asked)]

    @abstractmethod
    def instant(self, time_us: int) -> str: ...

    @abstractmethod
    def day(self, value: date) -> str: ...

    @abstractmethod
    def micros(self, time: str) -> str: ...

    @abstractmethod
    def bin_start(self, time: str, granularity: int, zone: str) -> str:
        """Returns the expression for the first microsecond of the bin that contains a time."""

    @abstractmethod
    def local_date(self, time: str, zone: str) -> str: ...

    @abstractmethod
    def steps(self, start_us: int, step_us: int, count: int) -> str:
        """Returns a table of instants in the column `time`."""

    @abstractmethod
    def floor_divided(self, number: str, divisor: int) -> str:
        """Divides a non-negative number, rounding down."""

    @abstractmethod
    def starts_with(self, text: str, start: str) -> str: ...

    @abstractmethod
    def ends_with(self, text: str, end: str) -> str: ...

    @abstractmethod
    def contains(self, text: str, part: str) -> str: ...

    @abstractmethod
    def decimal(self, digits: str) -> str:
        """Returns an exact decimal literal. The engine limits its digits; random requests stay below the
        limit."""

    @abstractmethod
    def in_block(self, address: str, block: str) -> str:
        """Returns whether a text is an address within a CIDR block."""

    @abstractmethod
    def value_of_largest(self, value: str, by: str) -> str: ...


def quoted(text: str) -> str:
    """Quotes a text as a literal for either engine."""
    assert "\\" not in text, "ClickHouse reads escapes"
    return "'" + text.replace("'", "''") + "'"


def decimal_count(digits: str) -> int:
    return len(digits.partition(".")[2])


def literal(value: int | str) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def listed(values: Any) -> str:
    return "(" + ", ".join(literal(value) for value in values) + ")"


def one_of_or_absent(column: str, values: Any, absent: Container[str]) -> Iterator[str]:
    """Yields the condition that a column has one of the values, or is absent if `absent` has its name."""
    conditions = [f"{column} IN {listed(values)}"] if values else []
    if column in absent:
        conditions.append(f"{column} IS NULL")
    if conditions:
        yield f"({' OR '.join(conditions)})"
