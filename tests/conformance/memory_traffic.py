"""Evaluates a `TrafficScan` over rows, one by one, as the text of `pegcount.traffic` says it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pegcount import core, errors, traffic
from pegcount.traffic import INTERVALS, KeyValue, TrafficMeasure, TrafficScan

from conformance.memory_conditions import DEFAULTS, columns_read, condition_of
from conformance.memory_intervals import measured_pieces, pieces_of
from conformance.memory_rows import TEXTS, Row

Cells = dict[tuple[KeyValue, ...], list[Row]]
"""The rows of each cell, by the number of its bin and its keys."""
Deck = Mapping[str, Sequence[str]]
Condition = Callable[[Row], bool]

_ABSENT = -(2**63)


def read_columns(scan: TrafficScan) -> Iterator[str]:
    """Yields the names of the columns that keys and predicates read."""
    for key in scan.keys:
        yield _column_of(key)
    for predicate in (*scan.predicates, *scan.occupancy_predicates):
        yield from _read(predicate)


def _read(predicate: traffic.TrafficPredicate) -> Iterator[str]:
    match predicate:
        case traffic.InGroups(keys, _):
            yield from map(_column_of, keys)
        case traffic.AnyOf(conditions):
            for condition in conditions:
                yield from _read(condition)
        case traffic.Not(condition):
            yield from _read(condition)
        case _:
            yield from columns_read(predicate)


def _column_of(key: traffic.Key) -> str:
    return "setup_time" if isinstance(key, traffic.LocalTimeKey) else key.column


def traffic_condition(predicate: traffic.TrafficPredicate, deck: Deck) -> Condition:
    """Returns the test of a predicate."""
    match predicate:
        case traffic.InGroups(keys, groups):
            wanted = frozenset(groups)
            return lambda row: tuple(key_value(key, row, deck) for key in keys) in wanted
        case traffic.AnyOf(conditions):
            tests = [traffic_condition(condition, deck) for condition in conditions]
            return lambda row: any(holds(row) for holds in tests)
        case traffic.Not(condition):
            holds = traffic_condition(condition, deck)
            return lambda row: not holds(row)
        case _:
            return condition_of(predicate)


def key_value(key: traffic.Key, row: Row, deck: Deck) -> KeyValue:
    """Returns the value of a key."""
    if isinstance(key, traffic.LocalTimeKey):
        return _local_time(key, row["setup_time"])
    value: Any = row.get(key.column, DEFAULTS.get(key.column))
    if value is None:
        return None
    match key:
        case traffic.ColumnKey():
            return value if isinstance(value, str) else int(value)
        case traffic.PrefixKey(_, length):
            return str(value).removeprefix("+")[:length] or None
        case traffic.DeckCodeKey():
            number = str(value).removeprefix("+")
            return max((code for code in deck if number.startswith(code)), key=len, default=None)
        case traffic.QuotientKey(_, divisor):
            return int(value) // divisor


def _local_time(key: traffic.LocalTimeKey, setup_us: int) -> int:
    offset_us = key.offset_us[max(0, bisect_right(key.from_us, setup_us) - 1)]
    days, of_day_us = divmod(setup_us + offset_us, 86_400_000_000)
    # 1970-01-01, day 0, was a Thursday.
    return of_day_us // 3_600_000_000 if key.part == "hour" else (days + 3) % 7 + 1


def values_of(scan: TrafficScan, rows: Sequence[Row], deck: Deck) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Returns the measures of each cell, by its bin and keys; `rows` have the rates of the code deck."""
    tests = [traffic_condition(predicate, deck) for predicate in scan.occupancy_predicates]
    matching = (row for row in rows if all(holds(row) for holds in tests))
    grouped = ((row, tuple(key_value(key, row, deck) for key in scan.keys)) for row in matching)
    pieces = {(number, *group): found for (number, group), found in pieces_of(scan, grouped).items()}
    has_records = any(measure.how not in INTERVALS for measure in scan.measures)
    cells = cells_of(scan, rows if has_records else (), deck)
    return {
        cell: tuple(
            measured_pieces(measure, pieces.get(cell, {}))
            if measure.how in INTERVALS
            else measured(measure, cells.get(cell, []))
            for measure in scan.measures
        )
        for cell in {**cells, **pieces}
    }


def cells_of(scan: TrafficScan, rows: Iterable[Row], deck: Deck) -> Cells:
    """Returns the rows of each cell; `rows` have the rates of the code deck."""
    edge_us = scan.edge_us.tolist()
    bin_count = max(0, len(edge_us) - 1)
    cells: Cells = {} if scan.keys else {(number,): [] for number in range(bin_count)}
    tests = [traffic_condition(predicate, deck) for predicate in scan.predicates]
    for row in rows:
        number = bisect_right(edge_us, row["setup_time"]) - 1
        if 0 <= number < bin_count and all(holds(row) for holds in tests):
            keys = (key_value(key, row, deck) for key in scan.keys)
            cells.setdefault((number, *keys), []).append(row)
    return cells


def traffic_partials(
    scan: TrafficScan, rows: Iterable[Row], deck: Deck, cell_count_max: int
) -> "core.TrafficPartials":
    """Returns the measures of a scan by cell; raises CellLimitError."""
    values = values_of(scan, list(rows), deck)
    if scan.keys and len(values) > cell_count_max:
        raise errors.CellLimitError("too many cells", asked=len(values), allowed=cell_count_max)
    bins, *keys = list(zip(*values, strict=True)) or [()] * (1 + len(scan.keys))
    measures: list[Any] = [list(column) for column in zip(*values.values(), strict=True)]
    return core.TrafficPartials.from_columns(
        max(0, len(scan.edge_us) - 1),
        np.array(bins, np.int64),
        [_key_column(key, column) for key, column in zip(scan.keys, keys, strict=True)],
        measures or [[] for _ in scan.measures],
        [number for number, measure in enumerate(scan.measures) if measure.how == "occupancy"],
    )


def _key_column(key: traffic.Key, values: Sequence[Any]) -> Any:
    if not is_text(key):
        return np.array([_ABSENT if value is None else value for value in values], np.int64)
    codes: dict[str, int] = {"": 0}
    return np.array([codes.setdefault(value or "", len(codes)) for value in values], np.int64), list(codes)


def is_text(key: traffic.Key) -> bool:
    """Returns whether the values of a key are texts."""
    if isinstance(key, traffic.ColumnKey):
        return key.column in TEXTS
    return isinstance(key, traffic.PrefixKey | traffic.DeckCodeKey)


def measured(measure: TrafficMeasure, rows: Sequence[Row]) -> int | list[tuple[int, int]]:
    """Returns the value of a measure over the rows of a cell."""
    if measure.how == "count":
        return sum(_CONDITIONS[measure.what](row, measure) for row in rows)
    values = [value for row in rows if (value := _VALUES[measure.what](row)) is not None]
    return sum(values) if measure.how == "sum" else sorted(Counter(values).items())


def _is_answered_within(row: Row, measure: TrafficMeasure) -> bool:
    return "answer_time" in row and row["answer_time"] - row["setup_time"] <= measure.limit_us


def _is_shorter(row: Row, measure: TrafficMeasure) -> bool:
    return _is_timed(row) and row["end_time"] - row["answer_time"] < measure.limit_us


def _is_timed(row: Row) -> bool:
    return "answer_time" in row and "end_time" in row


def _has_cause(row: Row, measure: TrafficMeasure) -> bool:
    return row.get("disconnect_cause") in measure.causes


def _is_unrated(row: Row, _: TrafficMeasure) -> bool:
    return "answer_time" in row and not ("customer_price" in row and "vendor_price" in row)


_CONDITIONS: dict[str, Callable[[Row, TrafficMeasure], bool]] = {
    "all": lambda row, measure: True,
    "answered": lambda row, measure: "answer_time" in row,
    "answered_within": _is_answered_within,
    "shorter": _is_shorter,
    "cause_known": lambda row, measure: "disconnect_cause" in row,
    "cause_in": _has_cause,
    "delivered": lambda row, measure: "answer_time" in row or _has_cause(row, measure),
    "pdd_known": lambda row, measure: "alert_time" in row or "answer_time" in row,
    "alerted": lambda row, measure: "alert_time" in row,
    "priced": lambda row, measure: "answer_time" in row and "customer_price" in row,
    "unrated": _is_unrated,
}


def _ring_ms(row: Row) -> int | None:
    if "answer_time" not in row:
        return None
    return int(row["answer_time"] - row.get("alert_time", row["setup_time"])) // 1000


def _pdd_ms(row: Row) -> int | None:
    first_us = row.get("alert_time", row.get("answer_time"))
    return None if first_us is None else (first_us - row["setup_time"]) // 1000


def _delay_ms(row: Row) -> int | None:
    if "end_time" not in row:
        return None
    return int(row["received_time"] - row["end_time"]) // 100_000 * 100


def _margin(row: Row) -> int | None:
    if "customer_price" not in row or "vendor_price" not in row:
        return None
    if row.get("currency") != row.get("vendor_currency"):
        return None
    return int(row["customer_price"] - row["vendor_price"])


_VALUES: dict[str, Callable[[Row], int | None]] = {
    "duration_ms": lambda row: row["duration_ms"] if _is_timed(row) else None,
    "ring_ms": _ring_ms,
    "pdd_ms": _pdd_ms,
    "customer_price": lambda row: row.get("customer_price"),
    "vendor_price": lambda row: row.get("vendor_price"),
    "margin": _margin,
    "setup_second": lambda row: row["setup_time"] // 1_000_000,
    "delay_ms": _delay_ms,
}
