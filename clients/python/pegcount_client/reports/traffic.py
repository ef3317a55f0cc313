"""The traffic question: any figures of calls, by any dimensions, over time."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias, TypeVar

from pegcount.v1 import traffic_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.enums import Additivity, TrafficMetric, member_of_number
from pegcount_client.reports.answer import (
    Notice,
    ReportRange,
    logged_notices,
    range_of,
    summary,
    value_or_none,
)
from pegcount_client.rows import Convertible, Rows
from pegcount_client.traffic_query import TEXT_DIMENSIONS

Key: TypeAlias = int | str | None
"""A value of a dimension; None: calls without one."""
Figure: TypeAlias = int | float | Decimal | None
"""A value of a figure; None where there is none. Amounts of money are exact."""


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """The figures of one group in one bin."""

    start_time: datetime | None
    """First instant of the bin, in the zone of the report; a clipped bin keeps its calendar start."""
    complete: bool
    """Whether the bin ended at or before now."""
    covered_us: int
    """Microseconds that the bin covers."""
    other: bool
    """Whether this is all groups together that `top` left out."""
    keys: Mapping[str, Key]
    """The values of the dimensions by their names, as `dst_prefix`."""
    figures: Mapping[str, Figure]
    """The figures by the names of their columns, as `asr` and `pdd_percentile_95`."""
    then_start_time: datetime | None = None
    """First instant of the bin of the earlier range that belongs to this one; None without one."""
    then: Mapping[str, Figure] = field(default_factory=dict)
    """The same figures in that bin; empty without `compare`."""
    changes: Mapping[str, float | None] = field(default_factory=dict)
    """Their changes in percent, 100 * (now - then) / then; None without both, or where `then` is 0."""


@dataclass(frozen=True, slots=True)
class TrafficFigures:
    """The figures of one group over the whole range."""

    other: bool
    keys: Mapping[str, Key]
    figures: Mapping[str, Figure]
    then: Mapping[str, Figure] = field(default_factory=dict)
    """The figures over the earlier range; empty without `compare`."""
    changes: Mapping[str, float | None] = field(default_factory=dict)
    """Their changes in percent, as those of rows."""


@dataclass(frozen=True, slots=True)
class TrafficComparison:
    """The earlier range of a report with `compare`; groups and rows have its figures."""

    range: ReportRange
    totals: Mapping[str, Figure]
    """The whole earlier range and all groups."""
    total_changes: Mapping[str, float | None]
    """The changes of the totals in percent, as those of rows."""


@dataclass(frozen=True, slots=True)
class TrafficMetricColumn:
    """How the values of a figure add up."""

    over_bins: Additivity | str
    over_groups: Additivity | str
    causes: tuple[int, ...]
    """The release causes that were used."""


@dataclass(frozen=True, repr=False)
class Traffic(Convertible):
    """Figures of calls; frames have a row for each bin of each group."""

    range: ReportRange
    notices: tuple[Notice, ...]
    rows: Rows[TrafficRow]
    """Group by group, each bin ascending; the group of all others last."""
    groups: tuple[TrafficFigures, ...]
    """The groups in the order of the rows, each over the whole range."""
    totals: Mapping[str, Figure]
    """The whole range and all groups, those that `top` left out included."""
    group_count: int
    """Groups that there were before `top`."""
    metrics: Mapping[str, TrafficMetricColumn]
    """How each figure adds up, by the names of their columns."""
    latest_setup_time_text: str | None
    """Latest setup time of all records held, RFC 3339; None: none are held, or there is a data scope."""
    compared: TrafficComparison | None = None
    """The earlier range, if the request has `compare`."""

    @classmethod
    def from_response(
        cls, response: traffic_pb2.QueryTrafficResponse, request: traffic_pb2.QueryTrafficRequest
    ) -> "Traffic":
        """Returns an answer of the service to a request as typed values, and logs its notices."""
        dimensions = [dimension_name(spec) for spec in request.group_by]
        names = [metric_column_name(column.metric) for column in response.columns]
        columns = _columns(response, dimensions, names)
        return cls(
            range=range_of(response.range),
            notices=logged_notices("traffic", response.notices),
            rows=Rows(partial(_row, tuple(dimensions), tuple(names), response.HasField("compared")), columns),
            groups=tuple(_groups(response, dimensions, names)),
            totals=_at(0, names, list(_values(response.totals))),
            group_count=response.group_count,
            metrics={name: _metric(column) for name, column in zip(names, response.columns, strict=True)},
            latest_setup_time_text=value_or_none(response, "latest_setup_time"),
            compared=_comparison(response, names),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows: the bin, the dimensions and the figures. Amounts of money are texts.

        With `compare`, each figure has its `_then` and its `_change` in percent behind all figures.
        """
        return self.rows.columns

    def __repr__(self) -> str:
        figures = f"{len(self.metrics)} figures of {self.group_count:,} groups"
        return summary("Traffic", self.range, figures, self.notices)


_DEFAULT_CAUSES = (16, 17, 18, 19, 20, 21, 31)


def dimension_name(spec: traffic_pb2.GroupSpec) -> str:
    """Returns the name of the column of a dimension, as `term_accounts_id`."""
    name = traffic_pb2.TrafficDimension.Name(spec.dimension)
    return name.removeprefix("TRAFFIC_DIMENSION_").lower()


def metric_column_name(spec: traffic_pb2.MetricSpec) -> str:
    """Returns the name of the column of a figure: its own with its parameters, without default ones.

    >>> metric_column_name(traffic_pb2.MetricSpec(metric="TRAFFIC_METRIC_PDD_PERCENTILE", percentile=95))
    'pdd_percentile_95'
    """
    parts = [str(member_of_number(TrafficMetric, spec.metric)).lower()]
    parts += [str(getattr(spec, name)) for name in ("threshold_ms", "percentile") if spec.HasField(name)]
    if spec.occupancy == traffic_pb2.OCCUPANCY_SEIZED:
        parts.append("seized")
    if tuple(spec.causes) != _DEFAULT_CAUSES:
        parts += map(str, spec.causes)
    return "_".join(parts)


AMOUNTS = frozenset({"REVENUE", "COST", "MARGIN"})
DOUBLES = frozenset(
    {
        *("ASR", "ACD", "CPS", "SHORT_SHARE", "ANSWERED_WITHIN", "RING_TIME_MEAN", "CAUSE_KNOWN", "NER"),
        *("PDD_MEAN", "MARGIN_SHARE", "ERLANG"),
    }
)


def _columns(
    response: traffic_pb2.QueryTrafficResponse, dimensions: Sequence[str], names: Sequence[str]
) -> list[Column]:
    group_count, bin_count = len(response.groups), len(response.t)

    def of_bins(values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(values) * group_count

    def of_groups(values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(value for value in values for _ in range(bin_count))

    keys = [_keys(group, len(dimensions)) for group in response.groups]
    return [
        Column(
            *("start_time", Kind.TIME, of_bins(unix_s * 1_000_000 for unix_s in response.t)),
            response.range.time_zone,
        ),
        Column("complete", Kind.FLAG, of_bins(response.complete)),
        Column("covered_us", Kind.COUNT, of_bins(response.covered_us)),
        Column("other", Kind.FLAG, of_groups(group.other for group in response.groups)),
        *(
            _key_column(name, of_groups(each[place] for each in keys))
            for place, name in enumerate(dimensions)
        ),
        *(
            Column(name, _kind(column), tuple(_plain(column)))
            for name, column in zip(names, response.columns, strict=True)
        ),
        *_compared_columns(response, names),
    ]


def _compared_columns(response: traffic_pb2.QueryTrafficResponse, names: Sequence[str]) -> Iterator[Column]:
    """Yields the columns of the earlier range, if there is one."""
    if not response.HasField("compared"):
        return
    then = response.compared
    starts = [None if unix_s == -1 else unix_s * 1_000_000 for unix_s in then.t]
    yield Column("then_start_time", Kind.TIME, tuple(starts) * len(response.groups), response.range.time_zone)
    for name, column in zip(names, then.columns, strict=True):
        yield Column(f"{name}_then", _kind(column), tuple(_plain(column)))
    for name, change in zip(names, then.changes, strict=True):
        yield Column(f"{name}_change", Kind.RATIO, tuple(change.percent))


def _key_column(name: str, values: tuple[Key, ...]) -> Column:
    return Column(name, Kind.TEXT if name.upper() in TEXT_DIMENSIONS else Kind.ID, values)


def _kind(column: traffic_pb2.TrafficColumn) -> Kind:
    name = member_of_number(TrafficMetric, column.metric.metric)
    if name in DOUBLES:
        return Kind.RATIO
    return Kind.TEXT if name in AMOUNTS else Kind.ID


def _plain(column: traffic_pb2.TrafficColumn) -> Iterator[int | float | str | None]:
    """Yields values as frames have them: NaN and None where there is none."""
    yield from (None if value == -1 else value for value in column.integers)
    yield from column.doubles
    yield from (value or None for value in column.decimals)


def _values(columns: Iterable[traffic_pb2.TrafficColumn]) -> Iterator[list[Figure]]:
    """Yields the values of each column as rows have them."""
    for column in columns:
        yield [_figure(value) for value in _plain(column)]


def _figure(value: int | float | str | None) -> Figure:
    if isinstance(value, str):
        return Decimal(value)
    return None if value is None or math.isnan(value) else value


def _row(
    dimensions: tuple[str, ...],
    names: tuple[str, ...],
    is_compared: bool,
    start_time: datetime,
    complete: bool,
    covered_us: int,
    other: bool,
    *values: Any,
) -> TrafficRow:
    width, first = len(names), len(dimensions)
    keys = dict(zip(dimensions, values[:first], strict=True))
    now = _named(names, values[first : first + width])
    row = TrafficRow(start_time, complete, covered_us, other, keys, now)
    if not is_compared:
        return row
    then_start, *rest = values[first + width :]
    then, changes = _named(names, rest[:width]), dict(zip(names, rest[width:], strict=True))
    return replace(row, then_start_time=then_start, then=then, changes=changes)


def _named(names: Sequence[str], values: Sequence[Any]) -> dict[str, Figure]:
    return {name: _figure(value) for name, value in zip(names, values, strict=True)}


def _groups(
    response: traffic_pb2.QueryTrafficResponse, dimensions: Sequence[str], names: Sequence[str]
) -> Iterator[TrafficFigures]:
    columns, then = list(_values(response.group_totals)), list(_values(response.compared.group_totals))
    changes = _percents(response.compared.group_total_changes)
    for place, group in enumerate(response.groups):
        keys = dict(zip(dimensions, _keys(group, len(dimensions)), strict=True))
        yield TrafficFigures(
            group.other,
            keys,
            _at(place, names, columns),
            _at(place, names, then),
            _at(place, names, changes),
        )


def _comparison(response: traffic_pb2.QueryTrafficResponse, names: Sequence[str]) -> TrafficComparison | None:
    if not response.HasField("compared"):
        return None
    then = response.compared
    return TrafficComparison(
        range=range_of(then.range),
        totals=_at(0, names, list(_values(then.totals))),
        total_changes=_at(0, names, _percents(then.total_changes)),
    )


def _percents(changes: Iterable[traffic_pb2.TrafficChange]) -> list[list[float | None]]:
    return [[None if math.isnan(value) else value for value in change.percent] for change in changes]


_Number = TypeVar("_Number")


def _at(place: int, names: Sequence[str], columns: Sequence[Sequence[_Number]]) -> dict[str, _Number]:
    """Returns the values of one group by name; nothing without columns, as those of no earlier range."""
    return {name: values[place] for name, values in zip(names, columns, strict=bool(columns))}


def _keys(group: traffic_pb2.TrafficGroup, count: int) -> tuple[Key, ...]:
    """Returns the values of the dimensions; the group of all others has none."""
    if group.other:
        return (None,) * count
    return tuple(_key(key) for key in group.keys)


def _key(key: traffic_pb2.TrafficKey) -> Key:
    if key.HasField("integer"):
        return key.integer
    return key.text if key.HasField("text") else None


def _metric(column: traffic_pb2.TrafficColumn) -> TrafficMetricColumn:
    return TrafficMetricColumn(
        member_of_number(Additivity, column.over_bins),
        member_of_number(Additivity, column.over_groups),
        tuple(column.metric.causes),
    )
