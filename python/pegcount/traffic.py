"""Immutable values of the traffic question, which pass between request, calendar, store and response.

A `TrafficScan` is to `Store.traffic_partials` what a `Scan` is to `Store.partials`, with more to sum at once:

- **Keys.** A group is the values of all keys; absent is a value of its own. `kind` and `is_last_attempt` have
  their defaults.
- **Measures.** Each cell has one value for each measure. "count" counts the records that satisfy a condition,
  "sum" adds up a value of the records that have it, as an integer of 128 bits, and "values" lists the
  distinct values of the records that have one, ascending, each with the number of these records.
- **Cells.** As those of a `Scan`: without keys, one for each bin, also those without records; with keys, one
  for each (bin, group) that has a record.
- **Bins, predicates, code deck, consistency.** As those of a `Scan`.

Conditions of "count", of a record:

| name | holds if |
|---|---|
| `all` | always |
| `answered` | it has an `answer_time` |
| `answered_within` | it is answered, and answer - setup <= `limit_us` |
| `shorter` | it is answered and ended, and end - answer < `limit_us` |
| `cause_known` | it has a `disconnect_cause` |
| `cause_in` | its `disconnect_cause` is one of `causes` |
| `delivered` | it is answered, or its `disconnect_cause` is one of `causes` |
| `pdd_known` | it has a value `pdd_ms` |
| `alerted` | it has an `alert_time` |
| `priced` | it is answered, and has a `customer_price` |
| `unrated` | it is answered, and lacks `customer_price` or `vendor_price` |

Values of "sum" and "values", of a record; milliseconds are floor(microseconds / 1000):

| name | value | records without it |
|---|---|---|
| `duration_ms` | end - answer | those not answered, or not ended |
| `ring_ms` | answer - alert, without `alert_time` answer - setup | those not answered |
| `pdd_ms` | alert - setup, without `alert_time` answer - setup | those with neither |
| `customer_price`, `vendor_price` | the price in units of 10^-9 | those without it |
| `margin` | `customer_price` - `vendor_price` | those without both, or with different currencies |
| `setup_second` | floor(setup / 1,000,000 us) | none |
| `delay_ms` | 100 * floor((received - end) / 100,000 us), which may be negative | active ones |

Intervals of "occupied" and "occupancy", of a record; it occupies them from the start, inclusive, to the end,
exclusive. Its end is `end_time`, or `now_us` of the scan if it is active; one before the start is at the
start:

| name | from | records without it |
|---|---|---|
| `talk` | `answer_time` | those not answered |
| `seized` | `setup_time` | none |

"occupied" adds up the microseconds of each interval within the bin, as an integer of 128 bits. "occupancy" is
the number of intervals that hold an instant, as a function of the instants in the bin: the instants at which
it changes, ascending, each with its change, not 0. Before the bin, and from its end on, the function is 0, so
that an interval which reaches beyond the bin begins, or ends, at its edge; the changes of a cell add up to 0,
and cells are added up by adding the changes at each instant. Intervals that touch leave no change.

These two measures are of the records that satisfy `occupancy_predicates`, whenever they were set up; a cell
exists if one of its intervals, not empty, overlaps the bin. All other measures are of the records that
satisfy `predicates`, in the bin of their setup time. With both, a scan with keys has a cell for each (bin,
group) that either of them has.

Currencies are the same if `currency` and `vendor_currency` are the same text, or both absent. Prices and
margins are for "sum" alone, `setup_second` and `delay_ms` are for "values" alone.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pegcount.model import Between, Bins, Granularity, Predicate, Present
from pegcount.zone import Zone

Condition = Literal[
    "all",
    "answered",
    "answered_within",
    "shorter",
    "cause_known",
    "cause_in",
    "delivered",
    "pdd_known",
    "alerted",
    "priced",
    "unrated",
]
Interval = Literal["talk", "seized"]
RowValue = Literal[
    "duration_ms",
    "ring_ms",
    "pdd_ms",
    "customer_price",
    "vendor_price",
    "margin",
    "setup_second",
    "delay_ms",
]


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """The value of a column of `Scan`; with a code deck, `*_rates_*` are those of the deck."""

    column: str


@dataclass(frozen=True, slots=True)
class PrefixKey:
    """The first characters of a column of texts, after one leading `+` is dropped.

    A text that is shorter is kept whole. An absent text, and one of a plus sign alone, is absent.
    """

    column: str
    length: int


@dataclass(frozen=True, slots=True)
class DeckCodeKey:
    """The longest code of the scan's code deck that a column of texts begins with, after one leading `+`.

    Absent if there is none.
    """

    column: str


@dataclass(frozen=True, slots=True)
class QuotientKey:
    """A column of integers divided by a positive number and rounded down; absent without a value."""

    column: str
    divisor: int


@dataclass(frozen=True, slots=True)
class LocalTimeKey:
    """A part of the local setup time: "hour", 0 to 23, or "weekday", 1 (Monday) to 7.

    From `from_us[i]` (microseconds UTC, ascending) the local clock is `offset_us[i]` ahead of UTC; before the
    first, as from it.
    """

    part: Literal["hour", "weekday"]
    from_us: tuple[int, ...]
    offset_us: tuple[int, ...]


_INT64_MAX: Final = 2**63 - 1
_ENDED: Final = Present("end_time", wanted=True)

Key = ColumnKey | PrefixKey | DeckCodeKey | QuotientKey | LocalTimeKey
"""What a record is grouped by."""

KeyValue = int | str | None
"""The value of a key; None is absent."""


@dataclass(frozen=True, slots=True)
class InGroups:
    """The keys of a record have the values of one of the groups."""

    keys: tuple[Key, ...]
    groups: tuple[tuple[KeyValue, ...], ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions holds."""

    conditions: "tuple[Predicate | InGroups, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """A condition does not hold; for an absent value, too, if the condition does not hold for it."""

    condition: "Predicate | InGroups | AnyOf"


TrafficPredicate = Predicate | InGroups | AnyOf | Not
"""A condition of a record. A record matches a scan if all of them hold."""


@dataclass(frozen=True, slots=True)
class TrafficMeasure:
    """One thing to sum; see the head of the module for the names and their parameters."""

    how: Literal["count", "sum", "values", "occupied", "occupancy"]
    what: Condition | RowValue | Interval
    limit_us: int = 0
    causes: tuple[int, ...] = ()


INTERVALS: Final = ("occupied", "occupancy")
"""What `TrafficMeasure.how` is of measures of intervals."""

CALLS: Final = TrafficMeasure("count", "all")
ANSWERED: Final = TrafficMeasure("count", "answered")
CAUSE_KNOWN: Final = TrafficMeasure("count", "cause_known")


@dataclass(frozen=True, slots=True)
class TrafficScan:
    """A query to a store for several measures per bin and group over the records that match."""

    edge_us: NDArray[np.int64]
    """Edges of the bins, shape (bins + 1,), or (0,) without bins."""
    predicates: tuple[TrafficPredicate, ...]
    keys: tuple[Key, ...]
    measures: tuple[TrafficMeasure, ...]
    """Distinct ones."""
    code_deck: int | None = None
    occupancy_predicates: tuple[TrafficPredicate, ...] = ()
    """What records with an interval satisfy. None of them, and no key of a scan with intervals, is of local
    time: the edges of bins tell these apart (`Fold`)."""
    now_us: int = 0
    """Where the intervals of active sessions end."""
    only_peaks: bool = False
    """Whether the peak of each cell is all that is needed of an occupancy without keys: a store may then
    return any function that has the same greatest value, and the same first instant of it."""


@dataclass(frozen=True, slots=True)
class Fold:
    """How the bins of a scan become the bins of an answer, and local times its keys.

    Bins of a scan are cut wherever open hours begin or end, or the value of a key of local time changes, so
    that each is open or closed as a whole and has one value of each such key.
    """

    bin: NDArray[np.int64]
    """By bin of the scan: the bin of the answer, -1 if it is left out."""
    bin_count: int
    """Bins of the answer."""
    keys: tuple[tuple[int, NDArray[np.int64]], ...] = ()
    """Keys of local time, by their numbers in the answer, which ascend: the value by bin of the scan."""


@dataclass(frozen=True, slots=True)
class ScanBins:
    """The bins of a scan for the bins of an answer, and what these cover."""

    edge_us: NDArray[np.int64]
    """Edges of the bins of the scan, in microseconds UTC: shape (bins + 1,), or (0,) without bins."""
    fold: Fold | None
    """How they become the bins of the answer; None: they are these."""
    covered_us: NDArray[np.int64]
    """Microseconds that each bin of the answer covers."""

    @property
    def bin_count(self) -> int:
        """Bins of the scan."""
        return max(0, len(self.edge_us) - 1)


@dataclass(frozen=True, slots=True)
class Figure:
    """How a metric follows from measures, given by their numbers in the scan.

    | form | value of a cell |
    |---|---|
    | `integer` | measure `first` |
    | `difference` | `first` - `second` |
    | `ratio` | `multiplier` * `first` / (`divisor` * `second`), the nearest double; none if `second` is 0 |
    | `rate` | `multiplier` * `first` / covered microseconds, the nearest double; none if these are 0 |
    | `money` | `first` / 10^9 as decimal text |
    | `percentile` | the nearest rank `percent` of the values of `first`; none without values |
    | `busiest` | the greatest count among the values of `first`; 0 without values |
    | `peak` | the greatest value of the occupancy `first`; 0 without changes |
    | `peak_at` | the first instant at which it has this value; none if that is 0 |

    `ratio` also has none where the measure `only_with`, if given, is 0. Over several bins, `busiest` and
    `peak` are the greatest of theirs, and `peak_at` is that of the first bin with the greatest peak.
    """

    form: Literal[
        "integer", "difference", "ratio", "rate", "money", "percentile", "busiest", "peak", "peak_at"
    ]
    first: int
    second: int = 0
    multiplier: int = 1
    divisor: int = 1
    percent: int = 0
    only_with: int | None = None


Currencies = tuple[Literal["currency", "vendor_currency"], ...]
"""Columns of currencies that must all have one value, so that amounts can be added up."""


@dataclass(frozen=True, slots=True)
class TrafficColumn:
    """One column of an answer."""

    header: bytes
    """A serialized `TrafficColumn` with the metric and its additivities, to which the values are appended."""
    figure: Figure
    has_totals: bool = True
    """Whether all groups together have a value: amounts in several currencies have none."""
    currencies: Currencies = ()
    """What must not mix within a group, as the figure adds up amounts in these currencies.

    `currency` is that of the calls with a `customer_price`, `vendor_currency` that of those with a
    `vendor_price`.
    """


@dataclass(frozen=True, slots=True)
class Top:
    """Which groups an answer has: those of the first values of a column, ties by key, no value last."""

    column: int
    limit: int
    ascending: bool
    other: bool


@dataclass(frozen=True, slots=True)
class ListedValues:
    """Values of a column that calls must have one of."""

    field: str
    """The field of the request that lists them."""
    column: str
    values: tuple[int, ...] | tuple[str, ...]
    """Distinct ones."""


class Comparison(IntEnum):
    """Which earlier range an answer is compared with, with the numbers of `pegcount.v1.Comparison`."""

    PREVIOUS_RANGE = 1
    DAY = 2
    WEEK = 3
    MONTH = 4
    YEAR = 5


@dataclass(frozen=True, slots=True)
class OpenHours:
    """The hours that count: on each date of the weekdays, while the local clock is within two times."""

    weekdays: frozenset[int]
    """1 (Monday) to 7 (Sunday)."""
    from_us: int
    """Microseconds after local midnight, inclusive."""
    to_us: int
    """The same, exclusive: later than `from_us`, by a day at most, so that hours may reach the next date."""
    excluded_dates: frozenset[int] = frozenset()
    """Dates on which hours do not begin, in days since 1970-01-01."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier range that an answer is compared with."""

    bins: Bins
    pair: NDArray[np.int64]
    """By bin of the answer: the earlier bin that belongs to it, -1 without one."""


@dataclass(frozen=True, slots=True)
class TrafficQuery:
    """A valid traffic question. A range without an end, to now, has None as `to_us`.

    Without a granularity, the whole range is one bin.
    """

    from_us: int
    to_us: int | None
    granularity: Granularity | None
    zone: Zone
    predicates: tuple[TrafficPredicate, ...]
    """Those of kind, attempts, end time and filters; local times are of the range and the earlier one."""
    keys: tuple[Key, ...]
    measures: tuple[TrafficMeasure, ...]
    """The first one counts the calls; with amounts there is `ANSWERED`, with release causes `CAUSE_KNOWN`."""
    columns: tuple[TrafficColumn, ...]
    top: Top | None
    code_deck: int | None
    has_currency_keys: bool = False
    """Whether groups are kept apart by currency, so that amounts of all of them together are not added up."""
    tells_of_causes: bool = False
    """Whether a metric reads release causes, which some calls may lack."""
    listed_values: tuple[ListedValues, ...] = ()
    """Those of the kind, and of the filters that ask for values alone."""
    local_filters: tuple[TrafficPredicate, ...] = ()
    """Those of the predicates that are filters by local time."""
    open_hours: OpenHours | None = None
    """The hours that count; None: all."""
    compare: Comparison | None = None
    """The earlier range to compare with; None: none."""
    ttl_us: int = 0
    """Microseconds after its last event from which an active session is abandoned."""

    @property
    def has_intervals(self) -> bool:
        """Whether a metric is of the time that calls occupy, not of their setup alone."""
        return any(measure.how in INTERVALS for measure in self.measures)

    def occupancy_predicates_at(self, session_now_us: int) -> tuple[TrafficPredicate, ...]:
        """Returns what calls with an interval satisfy, those of local time left out.

        These calls have ended, or are active and not abandoned at `session_now_us`.
        """
        left_out = (_ENDED, *self.local_filters)
        others = (each for each in self.predicates if each not in left_out)
        is_live = Between("received_time", session_now_us - self.ttl_us + 1, _INT64_MAX)
        return (*others, AnyOf((_ENDED, is_live)))
