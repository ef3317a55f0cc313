"""Scans in SQL: one SELECT for each shard, whose rows are the cells of the shard.

A row of the ledger adds a record or takes it away, by its `sign`; every sum is one of `sign * x`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pegcount.model import Measure, OneOfPairs, Predicate, Present, Scan
from pegcount.store.clickhouse.reading.bins import BinColumns, are_multiples, bin_columns
from pegcount.store.clickhouse.reading.predicates import Conditions
from pegcount.store.clickhouse.reading.scan_columns import ScanColumn, is_rate, scan_columns
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.tables.ledger_table import ABSENT, LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.store.clickhouse.wire.form import Query

_ANSWERED: Final = f"answer_time != {ABSENT}"
_DURATION_SUM: Final = "sum(toInt128(sign * duration_ms))"
_INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Projection:
    """Sums that ClickHouse keeps beside the rows of the ledger, by a few columns and a unit of time."""

    name: str
    unit_us: int
    columns: frozenset[str]
    """Columns of records that it has with their defaults; it has no other."""
    measures: frozenset[str]


_PROJECTIONS: Final = (
    Projection("apps", 300_000_000, frozenset(("kind", "app_id")), frozenset(("sessions",))),
    Projection(
        "folders",
        3_600_000_000,
        frozenset(("kind", "is_last_attempt", "company", "organization", "folder", "agent_id")),
        frozenset(("sessions", "calls")),
    ),
)
"""Those of `ledger_table`, the smaller one first."""


def scan_query(scan: Scan, deck: DeckInUse | None, cell_count_max: int) -> Query:
    """Returns the SELECT of the cells of a scan.

    Its columns are `bin` (UInt32), one for each key by its name (Int64 or String), and `first`, `second` and
    `third` (Int64). With a deck, each rate is the code of its entry. A sum beyond 64 bits is -2^63. It has at
    most one cell more than are allowed; those without records are left out.

    Raises ValueError for a column that does not exist or has values of another type.
    """
    bound = BoundValues()
    conditions = Conditions(scan_columns(deck, bound), bound)
    keys = [conditions.column(name) for name in scan.keys]
    projection = projection_of(scan)
    bins = bin_columns(scan.edge_us, projection.unit_us if projection else 1, bound)
    wanted = " AND ".join([OF_RECORDS, bins.condition, *map(conditions.of, scan.predicates)])
    rows_max = _limit(scan, deck, cell_count_max)
    groups = _grouped(bins, keys, _sums(scan.measure, bound))
    text = (
        f"SELECT {_cells(bins, keys)} FROM (SELECT {groups} FROM {LEDGER} WHERE {wanted}"
        f" GROUP BY {', '.join(['bin_group', *map(_key, range(len(keys)))])} HAVING sum(sign) != 0{rows_max})"
    )
    return Query(text, bound.parameters)


def _grouped(bins: BinColumns, keys: Sequence[ScanColumn], sums: Sequence[str]) -> str:
    """What is computed of rows; no name is that of a column, for which ClickHouse would take it."""
    named = [f"{bins.group} AS bin_group"]
    named += [f"{column.key} AS {_key(n)}" for n, column in enumerate(keys)]
    named += [f"{text} AS sum_{n}" for n, text in enumerate(sums)]
    return ", ".join(named)


def _cells(bins: BinColumns, keys: Sequence[ScanColumn]) -> str:
    """What is computed of groups, in the types of an answer."""
    named = [f"toUInt32({bins.number}) AS bin"]
    for n, column in enumerate(keys):
        # Native blocks would have a dictionary for a LowCardinality column.
        named.append(f"CAST({_key(n)}, '{'String' if column.is_text else 'Int64'}') AS {column.name}")
    # Records have no negative sum: such a one says that a sum is too large.
    of_64_bits = "if({0} > {1}, toInt64({2}), toInt64({0})) AS {3}"
    for n, name in enumerate(("first", "second", "third")):
        named.append(of_64_bits.format(f"sum_{n}", _INT64_MAX, ABSENT, name))
    return ", ".join(named)


def _key(number: int) -> str:
    return f"key_{number}"


def projection_of(scan: Scan) -> Projection | None:
    """Returns the projection that answers a scan, None if only the rows do.

    ClickHouse uses it if the time is written in its unit, and no other column is read.
    """
    if scan.code_deck is not None:
        return None
    for projection in _PROJECTIONS:
        if (
            scan.measure.name in projection.measures
            and projection.columns.issuperset(scan.keys)
            and all(_reads_only(predicate, projection.columns) for predicate in scan.predicates)
            and are_multiples(scan.edge_us, projection.unit_us)
        ):
            return projection
    return None


def _reads_only(predicate: Predicate, columns: frozenset[str]) -> bool:
    names = {predicate.column}
    if isinstance(predicate, OneOfPairs):
        names.add(predicate.second_column)
    if isinstance(predicate, Present) and predicate.column == "end_time":
        return True
    has_default = not names.isdisjoint(("kind", "is_last_attempt"))
    asks_for_absence = isinstance(predicate, Present) or getattr(predicate, "or_absent", False)
    return columns.issuperset(names) and not (has_default and asks_for_absence)


def _sums(measure: Measure, bound: BoundValues) -> Sequence[str]:
    """The three sums; those of times are of 128 bits, as a sum of 64 bits would wrap around in silence."""
    match measure.name:
        case "sessions":
            return "sum(sign)", "0", "0"
        case "calls":
            return "sum(sign)", f"sumIf(sign, {_ANSWERED})", _DURATION_SUM
        case "elapsed":
            elapsed_ms = f"intDiv(greatest({bound.integer(measure.as_of_us)} - answer_time, 0), 1000)"
            return "sum(sign)", f"sumIf(toInt128(sign * {elapsed_ms}), {_ANSWERED})", "0"
    raise ValueError(f"unknown measure {measure.name!r}")


def _limit(scan: Scan, deck: DeckInUse | None, cell_count_max: int) -> str:
    """One cell more than allowed, by which the limit is seen to be exceeded.

    Codes of a deck that share a name become one cell only later, so that there may be more of them.
    """
    if not scan.keys:
        return ""
    rows = cell_count_max
    if deck is not None and any(is_rate(name) for name in scan.keys):
        rows *= (deck.deck.entry_count + 1) ** 2
    return f" LIMIT {min(rows + 1, _INT64_MAX)}"
