"""The table of `pegcount report traffic`."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from pegcount_client.reports.traffic import dimension_name, metric_column_name
from pegcount_client.traffic_query import TEXT_DIMENSIONS

from pegcount import calendar, core
from pegcount.cli.report.answer_parts import notices_of, range_of
from pegcount.cli.report.report_table import (
    OTHER_COLUMN,
    Column,
    Kind,
    Measured,
    Remark,
    ReportTable,
    Row,
    Value,
)
from pegcount.v1.traffic_pb2 import (
    MetricSpec,
    QueryTrafficRequest,
    QueryTrafficResponse,
    TrafficChange,
    TrafficColumn,
    TrafficGroup,
    TrafficMetric,
)
from pegcount.zone import US_PER_SECOND

_START: Final = Column("start_time", "start", Kind.TIME)
_THEN_START: Final = Column("then_start_time", "then", Kind.TIME)
_OTHER: Final = Column(OTHER_COLUMN, "other", Kind.FLAG)
"""Whether a row is all groups together that were left out; there only if that was asked for."""
_KINDS: Final = {
    **dict.fromkeys(("duration_ms",), Kind.DURATION_MS),
    **dict.fromkeys(("asr", "short_share", "answered_within", "cause_known", "ner"), Kind.PERCENT),
    **dict.fromkeys(("margin_share",), Kind.PERCENT),
    **dict.fromkeys(("acd", "ring_time_mean", "pdd_mean"), Kind.SECONDS),
    **dict.fromkeys(("cps",), Kind.RATE),
    **dict.fromkeys(("erlang",), Kind.ERLANGS),
    **dict.fromkeys(("occupied_us",), Kind.DURATION_US),
    **dict.fromkeys(("peak_at",), Kind.TIME),
    **dict.fromkeys(("revenue", "cost", "margin"), Kind.AMOUNT),
    **dict.fromkeys(("ring_time_percentile", "duration_percentile", "pdd_percentile"), Kind.MILLISECONDS),
}
"""What the values of a metric are; those of the others are counts."""
_UNITS: Final = {
    Kind.DURATION_MS: " h:mm:ss",
    Kind.DURATION_US: " h:mm:ss",
    Kind.SECONDS: " seconds",
    Kind.MILLISECONDS: " ms",
}
_UNIT_WORDS: Final = ("ms", "us")
_ABBREVIATIONS: Final = {"asr", "acd", "cps", "ner", "pdd"}


def traffic_table(answer: QueryTrafficResponse, request: QueryTrafficRequest) -> ReportTable:
    """Returns the answer as a table: the bin if there are several, the dimensions, the figures."""
    span = range_of(answer.range)
    has_bins = answer.range.HasField("granularity")
    keys = [key_column(dimension_name(spec)) for spec in request.group_by]
    figures = [column for each in answer.columns for column in _figure_columns(answer, each)]
    now, then = answer.totals, answer.compared
    totals = [values[0] for values in _values_of(answer, now, then.totals, then.total_changes)]
    has_other = request.top.other
    has_then = has_bins and answer.HasField("compared")
    key_columns = [
        *([_START] if has_bins else []),
        *([_THEN_START] if has_then else []),
        *keys,
        *([_OTHER] if has_other else []),
    ]
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


def key_column(name: str) -> Column:
    """Returns the column of a dimension."""
    kind = Kind.TEXT if name.upper() in TEXT_DIMENSIONS else Kind.ID
    return Column(name, name.replace("_", " "), kind)


def _figure_columns(answer: QueryTrafficResponse, column: TrafficColumn) -> Iterator[Column]:
    """Yields the column of a figure; with an earlier range, those of its value then and of the change."""
    now = _figure_column(column)
    yield now
    if answer.HasField("compared"):
        yield Column(f"{now.name}_then", f"{now.heading} then", now.kind)
        if now.kind is not Kind.TIME:
            yield Column(f"{now.name}_change", "change", Kind.CHANGE)


def _figure_column(column: TrafficColumn) -> Column:
    name = metric_column_name(column.metric)
    kind = _KINDS.get(metric_column_name(MetricSpec(metric=column.metric.metric)), Kind.COUNT)
    words = [
        word.upper() if word in _ABBREVIATIONS else word
        for word in name.split("_")
        if word not in _UNIT_WORDS
    ]
    unit = " ms" if column.metric.HasField("threshold_ms") else _UNITS.get(kind, "")
    return Column(name, f"{' '.join(words)}{unit}", kind)


def _rows(answer: QueryTrafficResponse, key_count: int, has_bins: bool, has_other: bool) -> Iterator[Row]:
    then = answer.compared
    columns = list(_values_of(answer, answer.columns, then.columns, then.changes))
    starts = _starts(answer) if has_bins else []
    bin_count = len(answer.t)
    for place, group in enumerate(answer.groups):
        keys = [*group_keys(group, key_count), *([group.other] if has_other else [])]
        for number in range(bin_count):
            figures = [values[place * bin_count + number] for values in columns]
            of_bin = starts[number] if has_bins else []
            yield Row((*of_bin, *keys, *figures), is_other=group.other)


def _starts(answer: QueryTrafficResponse) -> list[list[Value]]:
    """Returns the key columns of each bin: its start, and with an earlier range that of its bin there."""
    zone = answer.range.time_zone
    starts: list[list[Value]] = [[time_text(unix_s * US_PER_SECOND, zone)] for unix_s in answer.t]
    for start, unix_s in zip(starts, answer.compared.t, strict=False):
        start.append(None if unix_s == -1 else time_text(unix_s * US_PER_SECOND, zone))
    return starts


def time_text(us: int, time_zone: str) -> str:
    """Returns an instant, in UTC if this program does not know the zone."""
    known = calendar.zone(time_zone) or calendar.zone("UTC")
    assert known is not None
    return core.format_time(us, known)


def group_keys(group: TrafficGroup, count: int) -> list[Value]:
    """Returns the values of the dimensions, None where there is none; the group of all others has none."""
    if group.other:
        return [None] * count
    return [
        key.integer if key.HasField("integer") else key.text if key.HasField("text") else None
        for key in group.keys
    ]


def _values_of(
    answer: QueryTrafficResponse,
    now: Sequence[TrafficColumn],
    then: Sequence[TrafficColumn],
    changes: Sequence[TrafficChange],
) -> Iterator[list[Value]]:
    """Yields the values of each column of figures, as `_figure_columns` has these columns."""
    zone = answer.range.time_zone
    for place, column in enumerate(now):
        yield _values(column, zone)
        if answer.HasField("compared"):
            yield _values(then[place], zone)
            if not _is_instant(column):
                yield [None if math.isnan(value) else value for value in changes[place].percent]


def _is_instant(column: TrafficColumn) -> bool:
    return column.metric.metric == TrafficMetric.TRAFFIC_METRIC_PEAK_AT


def _values(column: TrafficColumn, time_zone: str) -> list[Value]:
    """Returns the values of a column, None where there is none."""
    integers: list[Value] = [None if value == -1 else value for value in column.integers]
    if _is_instant(column):
        return [None if value is None else time_text(int(value), time_zone) for value in integers]
    doubles: list[Value] = [None if math.isnan(value) else value for value in column.doubles]
    return integers + doubles + [value or None for value in column.decimals]


def _remarks(answer: QueryTrafficResponse, request: QueryTrafficRequest) -> Iterator[Remark]:
    shown = sum(not group.other for group in answer.groups)
    if shown < answer.group_count:
        count = Measured(answer.group_count, Kind.COUNT)
        yield ("the first", Measured(shown, Kind.COUNT), "of", count, "groups; totals are of all")
    if answer.HasField("compared"):
        then = answer.compared.range
        start, end = (Measured(time, Kind.TIME) for time in (then.from_time, then.to_time))
        yield ("then: from", start, "to", end)
