"""What flows between the steps: frozen values that every step may know."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pegcount.zone import Zone


class Granularity(IntEnum):
    """Width of a bin; the numbers are those of `pegcount.v1.Granularity`."""

    MINUTE = 1
    FIVE_MINUTES = 2
    FIFTEEN_MINUTES = 3
    THIRTY_MINUTES = 4
    HOUR = 5
    DAY = 6
    WEEK = 7
    MONTH = 8


class SessionKind(IntEnum):
    """What a session was; the numbers are those of `pegcount.v1.SessionKind`."""

    CALL = 1
    ASR = 2
    TTS = 3


class ParsedTime(Protocol):
    """A well-formed time text, of which the zone may still be needed to know the instant."""

    def instant_us(self, zone: Zone) -> int:
        """The instant in microseconds UTC; `zone` matters only where the text has none."""


class Calendar(Protocol):
    """What validating a request needs of the calendar."""

    def zone(self, name: str) -> Zone | None:
        """The zone of an IANA name, None for any other text."""

    def parse_time(self, text: str) -> ParsedTime | None:
        """A time as requests write it, None for any other text."""

    def parse_date(self, text: str) -> int | None:
        """Days since 1970-01-01 of a date as requests write it, None for any other text."""

    def tzdata_version(self) -> str:
        """Version of the time zone rules."""


@dataclass(frozen=True, slots=True)
class Between:
    """An integer column lies in [low, high], both inclusive; absent never does."""

    column: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """A column equals one of the values; absent never does."""

    column: str
    values: tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A text column compares with a text; `how` is one of the four names of `TextFilter`."""

    column: str
    how: str
    text: str


@dataclass(frozen=True, slots=True)
class InNetwork:
    """A text column is an address within a CIDR block; unreadable ones never are."""

    column: str
    network: str


@dataclass(frozen=True, slots=True)
class Present:
    """A column has a value (`wanted`) or has none (not `wanted`)."""

    column: str
    wanted: bool


Predicate = Between | OneOf | TextMatch | InNetwork | Present
"""One condition on a record; those of one query must all hold."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A valid request for session usage; `to_us` is None where it is now."""

    from_us: int
    to_us: int | None
    granularity: Granularity
    zone: Zone
    sma_period: int | None
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One name to order by."""

    name: str
    descending: bool


# Fields of the active sessions report that are called otherwise in records.
_COLUMN_OF_FIELD = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}


@dataclass(frozen=True, slots=True)
class ActiveQuery:
    """A valid request for active sessions."""

    fields: tuple[str, ...]
    order: tuple[OrderTerm, ...]
    limit: int | None
    rollup: bool
    code_deck: int | None
    zone: Zone
    predicates: tuple[Predicate, ...]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns of the records that make up the key: all fields but the aggregates."""
        keys = (name for name in self.fields if name not in ("quantity", "duration"))
        return tuple(_COLUMN_OF_FIELD.get(name, name) for name in keys)


@dataclass(frozen=True, slots=True)
class FolderQuery:
    """A valid request for folder statistics; dates are days since 1970-01-01, inclusive."""

    company: str
    organization: str
    folder: str
    from_date: int
    to_date: int
    zone: Zone
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class QualityQuery:
    """A valid request for origination quality; `to_us` is None where it is now."""

    from_us: int
    to_us: int | None
    granularity: Granularity
    zone: Zone
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one report.

    Bin i is [edge_us[i], edge_us[i + 1]), in microseconds UTC; both arrays have shape
    (bins + 1,), or (0,) where there are no bins. `calendar_us` are the edges of the whole
    calendar bins, `edge_us` those of what is asked of them: the same but where a range
    clips the first and the last bin. The first `warmup_count` bins lie before the range;
    only a moving average reads them.
    """

    edge_us: NDArray[np.int64]
    calendar_us: NDArray[np.int64]
    from_us: int
    to_us: int
    warmup_count: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to scan."""
        return len(self.edge_us) == 0


@dataclass(frozen=True, slots=True)
class Measure:
    """The sums of a cell.

    "sessions": records. "calls": calls, answered calls, milliseconds from answer to end.
    "elapsed": sessions, milliseconds since answer as of `as_of_us`.
    """

    name: str
    as_of_us: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """What a store is asked: integer sums per bin and group over the records that meet all predicates."""

    edge_us: NDArray[np.int64] | None
    """Bins of the setup time, shape (bins + 1,), or (0,) for no bins; None is one bin of all time."""
    predicates: tuple[Predicate, ...]
    keys: tuple[str, ...]
    """Columns to group by."""
    measure: Measure
    code_deck: int | None = None
    """Stands in place of the rates that the records carry."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record of a batch that was not taken; `reason` is the number of a `RejectReason`."""

    index: int
    reason: int
    description: str


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What became of one batch; the four add up to it."""

    accepted: int
    replaced: int
    duplicates: int
    rejected: tuple[RejectedRecord, ...]
    batch_id: str | None = None
    """The caller's name for the batch."""


@dataclass(frozen=True, slots=True)
class CodeDeckEntry:
    """One destination of a code deck: leading digits, name and country ("" is none)."""

    code: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records are kept; None is no limit."""

    days: int | None = None
    """UTC days, today included."""
    bytes: int | None = None
    """Bytes of segments, newest days first; the newest day is kept whatever its size."""


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds; times are microseconds UTC, None without records."""

    records: int
    unsealed_records: int
    active_records: int
    segments: int
    segment_bytes: int
    first_setup_us: int | None
    last_setup_us: int | None
