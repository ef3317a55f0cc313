"""The measures of a traffic scan in SQL.

A row of the ledger adds a record or takes it away, by its `sign`: a count is `sum(sign)`, a sum that of
`sign * value`, and values are a map of each to its `sum(sign)`. Intervals are what begins less what ends: an
occupancy is a map from each instant to the changes there; for the time that is occupied, their sums do.
"""

from dataclasses import dataclass

from pegcount.store.clickhouse.reading.traffic_keys import floor_division
from pegcount.store.clickhouse.reading.traffic_rows import changes_of
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.traffic import INTERVALS, TrafficMeasure

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
    "alerted": _ALERTED,
    "priced": f"{_ANSWERED} AND {_PRICED}",
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
    "delay_ms": (f"({floor_division('(received_time - end_time)', '100000')} * 100)", "state = 0"),
}
"""By name: the value, and the condition that a record has one."""


@dataclass(frozen=True, slots=True)
class MeasureColumns:
    """A measure in two steps: of the rows of a cell, and in the types of an answer."""

    of_rows: str
    of_cell: str


def measure_columns(
    number: int, measure: TrafficMeasure, of_record: str, bound: BoundValues
) -> MeasureColumns:
    """Returns a measure by its number in the scan; raises ValueError for an unknown name.

    `of_record` is the condition for what is read of a record as a whole. In an answer, the measure is
    `count_N` (Int64), `sum_N` (Int128), or `values_N` and `counts_N` (Array(Int64)); of intervals,
    `changes_N` (Int64) and `moments_N` (Int128), or `instants_N` and `changes_N` (Array(Int64)).
    """
    if measure.how in INTERVALS:
        return _of_interval(number, measure)
    if measure.how == "count":
        counted = f"sumIf(sign, {of_record} AND ({_condition(measure, bound)})) AS measure_{number}"
        return MeasureColumns(counted, f"toInt64(measure_{number}) AS count_{number}")
    if measure.what not in _VALUES:
        raise ValueError(f"unknown value {measure.what!r}")
    value, has_value = _VALUES[measure.what]
    if measure.how == "sum":
        summed = f"sumIf(toInt128(sign) * {value}, {of_record} AND {has_value}) AS measure_{number}"
        return MeasureColumns(summed, f"toInt128(measure_{number}) AS sum_{number}")
    mapped = (
        f"sumMapIf(map(toInt64({value}), toInt64(sign)), {of_record} AND {has_value}) AS measure_{number}"
    )
    lists = f"mapKeys(measure_{number}) AS values_{number}, mapValues(measure_{number}) AS counts_{number}"
    return MeasureColumns(mapped, lists)


def _of_interval(number: int, measure: TrafficMeasure) -> MeasureColumns:
    changes = changes_of(measure.what)
    if measure.how == "occupancy":
        mapped = f"sumMapIf(map({changes.instant_us}, {changes.change}), {changes.holds}) AS measure_{number}"
        instants = f"mapKeys(measure_{number}) AS instants_{number}"
        return MeasureColumns(mapped, f"{instants}, mapValues(measure_{number}) AS changes_{number}")
    counted = f"sumIf({changes.change}, {changes.holds}) AS measure_{number}"
    moment = f"toInt128({changes.change}) * {changes.instant_us}"
    summed = f"sumIf({moment}, {changes.holds}) AS moment_{number}"
    of_cell = f"toInt64(measure_{number}) AS changes_{number}, toInt128(moment_{number}) AS moments_{number}"
    return MeasureColumns(f"{counted}, {summed}", of_cell)


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
