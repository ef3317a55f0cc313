"""Answers to the traffic question as tables of a golden case."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pegcount.v1 import traffic_pb2

Row = Mapping[str, object]


def traffic_tables(response: traffic_pb2.QueryTrafficResponse) -> dict[str, list[Row]]:
    """Returns a row for each bin of each group, a row for each group, and one for all of them."""
    groups, then = [_group_name(group) for group in response.groups], response.compared
    bins: list[dict[str, object]] = [
        {"start_time": _time(1_000_000 * t), "covered_us": covered_us}
        for t, covered_us in zip(response.t, response.covered_us, strict=True)
    ]
    for row, t in zip(bins, then.t, strict=False):
        row["then_start_time"] = None if t == -1 else _time(1_000_000 * t)
    heads = [{"group": group, **row} for group in groups for row in bins]
    return {
        "bins": _rows(heads, response.columns, then.columns, then.changes),
        "groups": _rows(
            [{"group": group} for group in groups],
            *(response.group_totals, then.group_totals, then.group_total_changes),
        ),
        "totals": _rows([{}], response.totals, then.totals, then.total_changes),
    }


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def _group_name(group: traffic_pb2.TrafficGroup) -> str:
    if group.other:
        return "(other)"
    return ", ".join(_key_text(key) for key in group.keys) or "(all)"


def _key_text(key: traffic_pb2.TrafficKey) -> str:
    if key.HasField("integer"):
        return str(key.integer)
    return key.text if key.HasField("text") else "(absent)"


def _rows(
    heads: Sequence[Row],
    columns: Sequence[traffic_pb2.TrafficColumn],
    then: Sequence[traffic_pb2.TrafficColumn],
    changes: Sequence[traffic_pb2.TrafficChange],
) -> list[Row]:
    """Returns the values of all columns by name, those of an earlier range behind `_then` and `_change`."""
    values = {_name(column.metric): _values(column) for column in columns}
    values |= {f"{_name(column.metric)}_then": _values(column) for column in then}
    names = list(map(_name, (column.metric for column in columns)))
    for name, change in zip(names, changes, strict=False):
        values[f"{name}_change"] = [None if math.isnan(value) else value for value in change.percent]
    assert all(len(column) == len(heads) for column in values.values())
    return [
        {**head, **{name: column[place] for name, column in values.items()}}
        for place, head in enumerate(heads)
    ]


def _values(column: traffic_pb2.TrafficColumn) -> list[object]:
    """Returns the values of a column; None: no value."""
    numbers: list[object] = [None if value == -1 else value for value in column.integers]
    if column.metric.metric == traffic_pb2.TRAFFIC_METRIC_PEAK_AT:
        return [None if value == -1 else _time(value) for value in column.integers]
    doubles: list[object] = [None if math.isnan(value) else value for value in column.doubles]
    return [*numbers, *doubles, *(text or None for text in column.decimals)]


def _name(spec: traffic_pb2.MetricSpec) -> str:
    """Returns a metric with its parameters, such as `pdd_percentile_95`, without default ones."""
    name = traffic_pb2.TrafficMetric.Name(spec.metric).removeprefix("TRAFFIC_METRIC_").lower()
    parameters = [value for field, value in spec.ListFields() if field.name in ("threshold_ms", "percentile")]
    causes = [] if list(spec.causes) == [16, 17, 18, 19, 20, 21, 31] else spec.causes
    seized = ["seized"] if spec.occupancy == traffic_pb2.OCCUPANCY_SEIZED else []
    return "_".join(map(str, (name, *parameters, *seized, *causes)))
