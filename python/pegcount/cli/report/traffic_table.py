"""The table of `pegcount report traffic`."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from pegcount_client.reports.traffic import dimension_name, metric_column_name
from pegcount_client.traffic_query import TEXT_DIMENSIONS

from pegcount import calendar, core
from pegcount.cli.report.answer_parts import notices_of, range_of
from pegcount.cli.report.report_table import Column, Kind, Measured, Remark, ReportTable, Row, Value
from pegcount.v1.traffic_pb2 import (
    MetricSpec,
    QueryTrafficRequest,
    QueryTrafficResponse,
    TrafficColumn,
    TrafficGroup,
)
from pegcount.zone import US_PER_SECOND

_START: Final = Column("start_time", "start", Kind.TIME)
_OTHER: Final = Column("other", "other", Kind.FLAG)
"""Whether a row is all groups together that were left out; there only if that was asked for."""
_KINDS: Final = {
    **dict.fromkeys(("duration_ms",), Kind.DURATION_MS),
    **dict.fromkeys(("asr", "short_share", "answered_within", "cause_known", "ner"), Kind.PERCENT),
    **dict.fromkeys(("margin_share",), Kind.PERCENT),
    **dict.fromkeys(("acd", "ring_time_mean", "pdd_mean"), Kind.SECONDS),
    **dict.fromkeys(("cps",), Kind.RATE),
    **dict.fromkeys(("revenue", "cost", "margin"), Kind.AMOUNT),
    **dict.fromkeys(("ring_time_percentile", "duration_percentile", "pdd_percentile"), Kind.MILLISECONDS),
}
"""What the values of a metric are; those of the others are counts."""
_UNITS: Final = {
    Kind.DURATION_MS: " h:mm:ss",
    Kind.SECONDS: " seconds",
    Kind.MILLISECONDS: " ms",
}
_ABBREVIATIONS: Final = {"asr", "acd", "cps", "ner", "pdd"}


def traffic_table(answer: QueryTrafficResponse, request: QueryTrafficRequest) -> ReportTable:
    """Returns the answer as a table: the bin if there are several, the dimensions, the figures."""
    span = range_of(answer.range)
    has_bins = answer.range.HasField("granularity")
    keys = [_key_column(dimension_name(spec)) for spec in request.group_by]
    figures = [_figure_column(column) for column in answer.columns]
    totals = [_values(column)[0] for column in answer.totals]
    has_other = request.top.other
    key_columns = [*([_START] if has_bins else []), *keys, *([_OTHER] if has_other else [])]
    return ReportTable(
        report="traffic",
        subject=f"{_subject(request)} per {span.granularity}" if has_bins else _subject(request),
        range=span,
        columns=(*key_columns, *figures),
        key_count=len(key_columns),
        rows=tuple(_rows(answer, len(keys), has_bins, has_other)),
        subtotals=(),
        total_row=Row((*[None] * len(key_columns), *totals), level=0) if key_columns else None,
        totals={column.name: value for column, value in zip(figures, totals, strict=True)},
        remarks=tuple(_remarks(answer, request)),
        notices=notices_of(answer.notices),
    )


def _subject(request: QueryTrafficRequest) -> str:
    names = [dimension_name(spec).replace("_", " ") for spec in request.group_by]
    return f"Traffic by {', '.join(names)}" if names else "Traffic"


def _key_column(name: str) -> Column:
    kind = Kind.TEXT if name.upper() in TEXT_DIMENSIONS else Kind.ID
    return Column(name, name.replace("_", " "), kind)


def _figure_column(column: TrafficColumn) -> Column:
    name = metric_column_name(column.metric)
    kind = _KINDS.get(metric_column_name(MetricSpec(metric=column.metric.metric)), Kind.COUNT)
    words = [word.upper() if word in _ABBREVIATIONS else word for word in name.split("_") if word != "ms"]
    unit = " ms" if column.metric.HasField("threshold_ms") else _UNITS.get(kind, "")
    return Column(name, f"{' '.join(words)}{unit}", kind)


def _rows(answer: QueryTrafficResponse, key_count: int, has_bins: bool, has_other: bool) -> Iterator[Row]:
    columns = [_values(column) for column in answer.columns]
    starts = [_start(unix_s, answer.range.time_zone) for unix_s in answer.t] if has_bins else []
    bin_count = len(answer.t)
    for place, group in enumerate(answer.groups):
        keys = [*_keys(group, key_count), *([group.other] if has_other else [])]
        for number in range(bin_count):
            figures = [values[place * bin_count + number] for values in columns]
            yield Row((*starts[number : number + 1], *keys, *figures))


def _start(unix_s: int, time_zone: str) -> str:
    """Returns an instant, in UTC if this program does not know the zone."""
    known = calendar.zone(time_zone) or calendar.zone("UTC")
    assert known is not None
    return core.format_time(unix_s * US_PER_SECOND, known)


def _keys(group: TrafficGroup, count: int) -> list[Value]:
    if group.other:
        return [None] * count
    return [
        key.integer if key.HasField("integer") else key.text if key.HasField("text") else None
        for key in group.keys
    ]


def _values(column: TrafficColumn) -> Sequence[Value]:
    """Returns the values of a column, None where there is none."""
    integers: list[Value] = [None if value == -1 else value for value in column.integers]
    doubles: list[Value] = [None if math.isnan(value) else value for value in column.doubles]
    return integers + doubles + [value or None for value in column.decimals]


def _remarks(answer: QueryTrafficResponse, request: QueryTrafficRequest) -> Iterator[Remark]:
    shown = sum(not group.other for group in answer.groups)
    if shown < answer.group_count:
        count = Measured(answer.group_count, Kind.COUNT)
        yield ("the first", Measured(shown, Kind.COUNT), "of", count, "groups; totals are of all")
