"""The rows that a traffic scan reads, and where each of them adds something.

Without intervals, a row adds to the bin of its setup time. With them, it has several entries: one as a
record, in the bin of its setup time, and for each of its intervals one at the begin and one at the end. So an
interval has two entries, however many bins it spans: the core finds out what reaches into each bin. All
entries are made by one SELECT over the table, and are of one state of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pegcount.store.clickhouse.reading.bins import BinColumns, bin_columns
from pegcount.store.clickhouse.tables.ledger_table import (
    ABSENT,
    ACTIVE,
    FIRST_US,
    LEDGER,
    NEGATIVE_LAST_US,
    OF_RECORDS,
)
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.traffic import INTERVALS, TrafficMeasure, TrafficPredicate, TrafficScan

_RECORD: Final = 0
_ROLES: Final[dict[str, tuple[int, int]]] = {"talk": (1, 2), "seized": (3, 4)}
"""Roles of the entries at the begin and at the end, by the name of the interval."""
_START_COLUMNS: Final = {"talk": "answer_time", "seized": "setup_time"}


@dataclass(frozen=True, slots=True)
class TrafficRows:
    """What the cells of a scan are computed from."""

    source: str
    """What follows FROM."""
    bins: BinColumns
    of_record: str
    """Whether what is read of a row is the record itself."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How an interval changes a bin, in expressions of an entry."""

    holds: str
    """Whether the entry is at the begin or at the end of the interval."""
    instant_us: str
    change: str
    """1 at a begin, -1 at an end; the opposite in a row that takes a record away."""


def traffic_rows(
    scan: TrafficScan, condition_of: Callable[[TrafficPredicate], str], bound: BoundValues
) -> TrafficRows:
    """Returns the rows that the cells of a scan are computed from.

    Raises ValueError as `condition_of` does, and for an unknown interval.
    """
    if intervals := _intervals(scan.measures):
        return _with_entries(scan, intervals, condition_of, bound)
    bins = bin_columns(scan.edge_us, 1, bound)
    wanted = " AND ".join([OF_RECORDS, bins.condition, *map(condition_of, scan.predicates)])
    return TrafficRows(f"{LEDGER} WHERE {wanted}", bins, "1")


def changes_of(interval: str) -> Changes:
    """Returns how an interval changes a bin; raises ValueError for an unknown one."""
    begin, end = _roles(interval)
    return Changes(
        holds=f"entry_role IN ({begin}, {end})",
        instant_us=f"(entry_us + (entry_role = {end}))",
        change=f"toInt64(if(entry_role = {end}, -sign, sign))",
    )


def _intervals(measures: Sequence[TrafficMeasure]) -> list[str]:
    return list(dict.fromkeys(one.what for one in measures if one.how in INTERVALS))


def _with_entries(
    scan: TrafficScan,
    intervals: Sequence[str],
    condition_of: Callable[[TrafficPredicate], str],
    bound: BoundValues,
) -> TrafficRows:
    edges = scan.edge_us if len(scan.edge_us) > 1 else (0, 0)
    first_us, last_us = bound.integer(int(edges[0])), bound.integer(int(edges[-1]))
    now_us = bound.integer(scan.now_us)
    has_records = any(one.how not in INTERVALS for one in scan.measures)
    conditions = {one: condition_of(one) for one in (*scan.predicates, *scan.occupancy_predicates)}
    of_all = [one for one in scan.occupancy_predicates if one in scan.predicates or not has_records]
    of_records, of_intervals = (
        [conditions[one] for one in dict.fromkeys(predicates) if one not in of_all]
        for predicates in (scan.predicates, scan.occupancy_predicates)
    )
    entries, holds = [], []
    if has_records:
        in_range = f"setup_time >= {first_us} AND setup_time < {last_us}"
        holds.append(" AND ".join([in_range, *of_records]))
        entries.append((holds[-1], _RECORD, "setup_time"))
    for interval in intervals:
        begin, end = _roles(interval)
        begin_us, end_us, is_in_range = _clipped(interval, first_us, last_us, now_us)
        holds.append(" AND ".join([is_in_range, *of_intervals]))
        entries += [(holds[-1], begin, begin_us), (holds[-1], end, f"{end_us} - 1")]
    listed = ", ".join(f"({condition}, {role}, {us})" for condition, role, us in entries)
    wanted = " AND ".join(
        [
            OF_RECORDS,
            # What the index of the table has: the rows of most other days are not read.
            f"{FIRST_US} < {last_us}",
            f"{NEGATIVE_LAST_US} <= {bound.integer(-int(edges[0]))}",
            *(conditions[one] for one in of_all),
            f"({' OR '.join(f'({condition})' for condition in holds)})",
        ]
    )
    source = (
        "(SELECT *, arrayJoin(arrayFilter(one -> tupleElement(one, 1),"
        f" [{listed}])) AS entry, tupleElement(entry, 2) AS entry_role, tupleElement(entry, 3) AS entry_us"
        f" FROM {LEDGER} WHERE {wanted})"
    )
    return TrafficRows(source, bin_columns(scan.edge_us, 1, bound, "entry_us"), f"entry_role = {_RECORD}")


def _roles(interval: str) -> tuple[int, int]:
    if interval not in _ROLES:
        raise ValueError(f"unknown interval {interval!r}")
    return _ROLES[interval]


def _clipped(interval: str, first_us: str, last_us: str, now_us: str) -> tuple[str, str, str]:
    """Returns where an interval begins and ends within the range, and whether it has a part of it."""
    start = _START_COLUMNS[interval]
    begin_us = f"greatest({start}, {first_us})"
    end_us = f"least(if(state = {ACTIVE}, {now_us}, end_time), {last_us})"
    has_start = "" if interval == "seized" else f"{start} != {ABSENT} AND "
    return begin_us, end_us, f"{has_start}{begin_us} < {end_us}"
