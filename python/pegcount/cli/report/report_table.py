"""What a report says, apart from how it is written: typed columns, rows, totals, remarks and notices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

Value: TypeAlias = str | int | float | bool | None
"""An exact value of an answer; None where it has no value."""


OTHER_COLUMN: Final = "other"
"""The column that tells whether a row is all groups together that an answer left out."""


class Kind(Enum):
    """What the values of a column are, and so their unit."""

    TEXT = "text"
    """A name or an id that is a text."""
    ID = "id"
    """An id that is a whole number."""
    TIME = "time"
    """An instant, RFC 3339 in the zone of the report."""
    COUNT = "count"
    """A number of sessions."""
    MEAN = "mean"
    """A mean of counts."""
    PERCENT = "percent"
    """A ratio in percent."""
    SECONDS = "seconds"
    """A mean duration in seconds."""
    RATE = "rate"
    """Calls per second."""
    DURATION_MS = "duration_ms"
    """A sum of durations in milliseconds."""
    DURATION_S = "duration_s"
    """A sum of durations in whole seconds."""
    MILLISECONDS = "milliseconds"
    """A time of one call."""
    DURATION_US = "duration_us"
    """A sum of durations in microseconds."""
    ERLANGS = "erlangs"
    """Traffic intensity."""
    CHANGE = "change"
    """A change in percent, with its sign."""
    AMOUNT = "amount"
    """An amount of money: a decimal text, as a float would round it."""
    FLAG = "flag"
    """True or false."""

    @property
    def is_figure(self) -> bool:
        """Whether values are numbers, of which not even a digit may be lost."""
        return self not in (Kind.TEXT, Kind.TIME, Kind.FLAG)


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """Name of the field in the contract."""
    heading: str
    """What people call it, unit included."""
    kind: Kind


@dataclass(frozen=True)
class Row:
    """The values of one row, in the order of the columns."""

    values: tuple[Value, ...]
    level: int | None = None
    """How many key columns are kept; the others are rolled up. None: all."""
    is_other: bool = False
    """Whether its keys of groups are those of all other groups together."""


@dataclass(frozen=True)
class Measured:
    """A value of a remark."""

    value: Value
    kind: Kind


Remark: TypeAlias = tuple[str | Measured, ...]
"""A sentence about the whole report: words and figures, to be joined by blanks."""


@dataclass(frozen=True)
class Notice:
    """What the reader should know; see `NoticeCode` of the contract."""

    code: str
    text: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FiringAlert:
    """A rule of a watch that fires for a group."""

    rule: str
    """As it was given."""
    keys: Mapping[str, Value]
    """The group: the values of the dimensions."""
    other: bool
    """Whether the group is all others together."""
    start_time: str | None
    """Start of the bin that decided it, RFC 3339 in the zone of the report."""
    value: Value
    """The figure in this bin."""
    denominator: int | None
    """What the figure divides by there."""


@dataclass(frozen=True)
class Range:
    """What the request came to mean; times are RFC 3339 in `time_zone`."""

    from_time: str
    to_time: str
    time_zone: str
    granularity: str | None
    generated_at: str


@dataclass(frozen=True)
class ReportTable:
    """A whole answer."""

    report: str
    """The command: usage, active, folders, quality, traffic, busy-hour or feeds."""
    subject: str
    """What the figures are of, such as `CALL sessions per DAY`."""
    range: Range
    columns: tuple[Column, ...]
    key_count: int
    """Columns, from the first, that name a row; the others are its figures."""
    rows: tuple[Row, ...]
    subtotals: tuple[Row, ...]
    """Sums over rows, the total included; empty unless somebody asked for a rollup."""
    total_row: Row | None
    """The figures of all rows as a row of the table; absent where a report has no total."""
    totals: Mapping[str, Value]
    """The totals of the answer by field name, exact."""
    remarks: tuple[Remark, ...]
    notices: tuple[Notice, ...]
    alerts: tuple[FiringAlert, ...] | None = None
    """What fires; None except in a watch."""

    @property
    def sums(self) -> list[Row]:
        """The rows below the line: subtotals, then the total."""
        return [*self.subtotals, *([] if self.total_row is None else [self.total_row])]
