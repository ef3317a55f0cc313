"""Answers to the traffic question as tables of a golden case."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pegcount.v1 import traffic_pb2

Row = Mapping[str, object]


def traffic_tables(response: traffic_pb2.QueryTrafficResponse) -> dict[str, list[Row]]:
    """Returns a row for each bin of each group, a row for each group, and one for all of them."""
    groups = [_group_name(group) for group in response.groups]
    starts = [datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for t in response.t]
    return {
        "bins": _rows(
            [{"group": group, "start_time": start} for group in groups for start in starts], response.columns
        ),
        "groups": _rows([{"group": group} for group in groups], response.group_totals),
        "totals": _rows([{}], response.totals),
    }


def _group_name(group: traffic_pb2.TrafficGroup) -> str:
    if group.other:
        return "(other)"
    return ", ".join(_key_text(key) for key in group.keys) or "(all)"


def _key_text(key: traffic_pb2.TrafficKey) -> str:
    if key.HasField("integer"):
        return str(key.integer)
    return key.text if key.HasField("text") else "(absent)"


def _rows(heads: Sequence[Row], columns: Sequence[traffic_pb2.TrafficColumn]) -> list[Row]:
    values = [_values(column) for column in columns]
    assert all(len(column) == len(heads) for column in values)
    names = [_name(column.metric) for column in columns]
    return [{**head, **dict(zip(names, row, strict=True))} for head, *row in zip(heads, *values, strict=True)]


def _values(column: traffic_pb2.TrafficColumn) -> list[object]:
    """Returns the values of a column; None: no value."""
    numbers: list[object] = [None if value == -1 else value for value in column.integers]
    doubles: list[object] = [None if math.isnan(value) else value for value in column.doubles]
    return [*numbers, *doubles, *(text or None for text in column.decimals)]


def _name(spec: traffic_pb2.MetricSpec) -> str:
    """Returns a metric with its parameters, such as `pdd_percentile_95`; the default causes are left out."""
    name = traffic_pb2.TrafficMetric.Name(spec.metric).removeprefix("TRAFFIC_METRIC_").lower()
    parameters = [value for field, value in spec.ListFields() if field.name in ("threshold_ms", "percentile")]
    causes = [] if list(spec.causes) == [16, 17, 18, 19, 20, 21, 31] else spec.causes
    return "_".join(map(str, (name, *parameters, *causes)))
