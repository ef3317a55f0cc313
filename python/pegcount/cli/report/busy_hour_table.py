"""The table of `pegcount report busy-hour`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from pegcount_client.busy_hour import BusyHour, QuarterHour, busy_hour
from pegcount_client.reports.traffic import dimension_name

from pegcount.cli.report.answer_parts import notices_of, range_of
from pegcount.cli.report.report_table import Column, Kind, Remark, ReportTable, Row, Value
from pegcount.cli.report.traffic_table import group_keys, key_column, time_text
from pegcount.v1.traffic_pb2 import OCCUPANCY_SEIZED, QueryTrafficRequest, QueryTrafficResponse
from pegcount.zone import US_PER_SECOND

_FIGURES: Final = (
    Column("busy_hour_start", "busy hour from", Kind.TEXT),
    Column("tcbh_erlangs", "busy hour erlangs", Kind.ERLANGS),
    Column("adph_erlangs", "daily peak erlangs", Kind.ERLANGS),
    Column("day_count", "days", Kind.COUNT),
)
_DAYS_NAMED_MAX: Final = 5


def busy_hour_table(answer: QueryTrafficResponse, request: QueryTrafficRequest) -> ReportTable:
    """Returns the busy hour of each group, and that of all of them, from erlangs per quarter of an hour."""
    keys = [key_column(dimension_name(spec)) for spec in request.group_by]
    erlangs, bin_count = answer.columns[0].doubles, len(answer.t)
    by_group = [erlangs[start : start + bin_count] for start in range(0, len(erlangs), bin_count or 1)]
    # The intensities of groups add up.
    total = _busy_hour(answer, [sum(of_bin) for of_bin in zip(*by_group, strict=True)])
    rows = [
        Row((*group_keys(group, len(keys)), *_figures(_busy_hour(answer, values))))
        for group, values in zip(answer.groups, by_group, strict=True)
    ]
    names = ", ".join(column.heading for column in keys)
    occupancy = "seizure to end" if request.metrics[0].occupancy == OCCUPANCY_SEIZED else "answer to end"
    return ReportTable(
        report="busy-hour",
        subject=f"Busy hour{f' by {names}' if names else ''}, from {occupancy}",
        range=range_of(answer.range),
        columns=(*keys, *_FIGURES),
        key_count=len(keys),
        rows=tuple(rows),
        subtotals=(),
        total_row=Row((*[None] * len(keys), *_figures(total)), level=0) if keys else None,
        totals={column.name: value for column, value in zip(_FIGURES, _figures(total), strict=True)},
        remarks=tuple(_remarks(total)),
        notices=notices_of(answer.notices),
    )


def _busy_hour(answer: QueryTrafficResponse, erlangs: Sequence[float]) -> BusyHour:
    zone = answer.range.time_zone
    starts = (datetime.fromisoformat(time_text(unix_s * US_PER_SECOND, zone)) for unix_s in answer.t)
    return busy_hour(
        QuarterHour(*quarter)
        for quarter in zip(starts, erlangs, answer.complete, answer.covered_us, strict=True)
    )


def _figures(found: BusyHour) -> tuple[Value, ...]:
    start = None if found.start is None else found.start.isoformat("minutes")
    return start, found.tcbh_erlangs, found.adph_erlangs, len(found.peaks)


def _remarks(found: BusyHour) -> Iterator[Remark]:
    if found.left_out:
        named = [day.isoformat() for day in found.left_out[:_DAYS_NAMED_MAX]]
        more = len(found.left_out) - len(named)
        days = ", ".join(named) + (f" and {more:,} more" if more else "")
        yield (f"left out, as not each quarter of an hour is there once and over: {days}",)
