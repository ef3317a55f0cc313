"""Traffic scans in SQL: one SELECT for each shard, whose rows are the cells of the shard.

One SELECT reads one state of the table: all measures, values included, are of the same commits.
"""

from dataclasses import dataclass
from typing import Final

from pegcount.store.clickhouse.reading.predicates import Conditions
from pegcount.store.clickhouse.reading.scan_columns import scan_columns
from pegcount.store.clickhouse.reading.traffic_conditions import TrafficConditions
from pegcount.store.clickhouse.reading.traffic_keys import KeyType, RowKey, RowKeys
from pegcount.store.clickhouse.reading.traffic_measures import measure_columns
from pegcount.store.clickhouse.reading.traffic_rows import traffic_rows
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.store.clickhouse.wire.form import Query
from pegcount.traffic import TrafficScan

_INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TrafficSelect:
    """The question to each shard."""

    query: Query
    """Its columns are those of an answer to `core.TrafficCells`."""
    key_types: list[KeyType]


def traffic_select(
    scan: TrafficScan, deck: DeckInUse | None, cell_count_max: int, byte_count_max: int
) -> TrafficSelect:
    """Returns the SELECT of the cells of a scan; those without records are left out.

    With intervals, these are the cells in which a record was set up, or an interval begins or ends.
    It has at most one cell more than are allowed, and ends with an error if they take more bytes. Raises
    ValueError for a column that does not exist or has values of another type, and for an unknown measure.
    """
    bound = BoundValues()
    conditions = Conditions(scan_columns(deck, bound), bound)
    row_keys = RowKeys(conditions, deck, bound)
    keys = [row_keys.of(key) for key in scan.keys]
    rows = traffic_rows(scan, TrafficConditions(conditions, row_keys, deck, bound).of, bound)
    measures = [
        measure_columns(number, measure, rows.of_record, bound)
        for number, measure in enumerate(scan.measures)
    ]
    # No name is that of a column, for which ClickHouse would take it.
    groups = ["bin_group", *(f"group_{number}" for number in range(len(keys)))]
    named = [
        f"{of} AS {name}"
        for of, name in zip([rows.bins.group, *(key.value for key in keys)], groups, strict=True)
    ]
    of_rows = ", ".join([*named, "sum(sign) AS record_count", *(each.of_rows for each in measures)])
    of_cells = [f"toUInt32({rows.bins.number}) AS bin", *map(_answered_key, range(len(keys)), keys)]
    of_cells += ["toInt64(record_count) AS records", *(each.of_cell for each in measures)]
    text = (
        f"SELECT {', '.join(of_cells)} FROM (SELECT {of_rows} FROM {rows.source}"
        f" GROUP BY {', '.join(groups)} HAVING record_count != 0{_limit(keys, deck, cell_count_max)})"
    )
    settings = {"max_result_rows": 0, "max_result_bytes": byte_count_max}
    return TrafficSelect(Query(text, bound.parameters, settings), [key.type_name for key in keys])


def _answered_key(number: int, key: RowKey) -> str:
    # Native blocks would have a dictionary for a LowCardinality column.
    return f"CAST(group_{number}, '{'Int64' if key.is_integer else 'String'}') AS key_{number}"


def _limit(keys: list[RowKey], deck: DeckInUse | None, cell_count_max: int) -> str:
    """One cell more than allowed, by which the limit is seen to be exceeded.

    Codes of a deck that share a name become one cell only later, so that there may be more of them.
    """
    if not keys:
        return ""
    rows = cell_count_max
    if deck is not None and any(key.is_of_deck for key in keys):
        rows *= (deck.deck.entry_count + 1) ** 2
    return f" LIMIT {min(rows + 1, _INT64_MAX)}"
