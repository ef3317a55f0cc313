"""The measures of a traffic scan in SQL.

A row of the ledger adds a record or takes it away, by its `sign`: a count is `sum(sign)`, a sum that of
`sign * value`, and values are a map of each to its `sum(sign)`.
"""

from dataclasses import dataclass

from pegcount.store.clickhouse.reading.traffic_keys import floor_division
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.traffic import TrafficMeasure

_ANSWERED = f"answer_time != {ABSENT}"
_ALERTED = f"alert_time != {ABSENT}"
_ENDED = f"{_ANSWERED} AND state = 0"
_PDD_KNOWN = f"({_ALERTED} OR {_ANSWERED})"
_PRICED, _COSTED = f"customer_price != {ABSENT}", f"vendor_price != {ABSENT}"
_RING_US = f"(answer_time - if({_ALERTED}, alert_time, setup_time))"
_PDD_US = f"(if({_ALERTED}, alert_time, answer_time) - setup_time)"
_MARGIN = "(toInt128(customer_price) - toInt128(vendor_price))"

_CONDITIONS = {
    "all": "1",
    "answered": _ANSWERED,
    "cause_known": f"disconnect_cause != {ABSENT}",
    "pdd_known": _PDD_KNOWN,
    "unrated": f"{_ANSWERED} AND NOT ({_PRICED} AND {_COSTED})",
}
"""Conditions without parameters, by name."""
_VALUES = {
    "duration_ms": ("duration_ms", _ENDED),
    "ring_ms": (floor_division(_RING_US, "1000"), _ANSWERED),
    "pdd_ms": (floor_division(_PDD_US, "1000"), _PDD_KNOWN),
    "customer_price": ("customer_price", _PRICED),
    "vendor_price": ("vendor_price", _COSTED),
    "margin": (_MARGIN, f"{_PRICED} AND {_COSTED} AND currency = vendor_currency"),
    "setup_second": (floor_division("setup_time", "1000000"), "1"),
}
"""By name: the value, and the condition that a record has one."""


@dataclass(frozen=True, slots=True)
class MeasureColumns:
    """A measure in two steps: of the rows of a cell, and in the types of an answer."""

    of_rows: str
    of_cell: str


def measure_columns(number: int, measure: TrafficMeasure, bound: BoundValues) -> MeasureColumns:
    """Returns a measure by its number in the scan; raises ValueError for an unknown name.

    In an answer, it is `count_N` (Int64), `sum_N` (Int128), or `values_N` and `counts_N` (Array(Int64)).
    """
    if measure.how == "count":
        counted = f"sumIf(sign, {_condition(measure, bound)}) AS measure_{number}"
        return MeasureColumns(counted, f"toInt64(measure_{number}) AS count_{number}")
    if measure.what not in _VALUES:
        raise ValueError(f"unknown value {measure.what!r}")
    value, has_value = _VALUES[measure.what]
    if measure.how == "sum":
        summed = f"sumIf(toInt128(sign) * {value}, {has_value}) AS measure_{number}"
        return MeasureColumns(summed, f"toInt128(measure_{number}) AS sum_{number}")
    mapped = f"sumMapIf(map(toInt64({value}), toInt64(sign)), {has_value}) AS measure_{number}"
    lists = f"mapKeys(measure_{number}) AS values_{number}, mapValues(measure_{number}) AS counts_{number}"
    return MeasureColumns(mapped, lists)


def _condition(measure: TrafficMeasure, bound: BoundValues) -> str:
    match measure.what:
        case "answered_within":
            return f"{_ANSWERED} AND answer_time - setup_time <= {bound.integer(measure.limit_us)}"
        case "shorter":
            return f"{_ENDED} AND end_time - answer_time < {bound.integer(measure.limit_us)}"
        case "cause_in":
            return _is_cause(measure, bound)
        case "delivered":
            return f"({_ANSWERED} OR {_is_cause(measure, bound)})"
    if measure.what not in _CONDITIONS:
        raise ValueError(f"unknown condition {measure.what!r}")
    return _CONDITIONS[measure.what]


def _is_cause(measure: TrafficMeasure, bound: BoundValues) -> str:
    causes = [cause for cause in measure.causes if cause != ABSENT]
    return f"disconnect_cause IN {bound.integers(causes)}" if causes else "0"
