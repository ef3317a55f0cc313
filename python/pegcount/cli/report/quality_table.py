"""The table of `pegcount report quality`."""

import math
from collections.abc import Sequence

from pegcount import calendar, core
from pegcount.cli.report.answer_parts import notices_of, range_of, shown_columns, values_of
from pegcount.cli.report.report_table import Column, Kind, Measured, Remark, ReportTable, Row, Value
from pegcount.v1.reports_pb2 import (
    OriginationQualityData,
    OriginationQualityTotals,
    QueryOriginationQualityRequest,
    QueryOriginationQualityResponse,
)
from pegcount.zone import US_PER_SECOND, Zone

_START = Column("start_time", "start", Kind.TIME)
_FIGURES = (
    Column("total_calls", "calls", Kind.COUNT),
    Column("answered_calls", "answered", Kind.COUNT),
    Column("duration_ms", "duration h:mm:ss", Kind.DURATION_MS),
    Column("asr", "ASR", Kind.PERCENT),
    Column("acd", "ACD seconds", Kind.SECONDS),
    Column("cps", "CPS", Kind.RATE),
)
_ACCOUNTS_NAMED = 3


def quality_table(
    answer: QueryOriginationQualityResponse, request: QueryOriginationQualityRequest
) -> ReportTable:
    """Returns the answer as a table, with the start of each bin as a time."""
    span = range_of(answer.range)
    data, totals, shown = answer.data, answer.totals, shown_columns(_FIGURES, answer.notices)
    return ReportTable(
        report="quality",
        subject=f"{_calls_of(request)} per {span.granularity}",
        range=span,
        columns=(_START, *shown),
        key_count=1,
        rows=_rows(data, shown, calendar.zone(span.time_zone)),
        subtotals=(),
        total_row=Row((None, *_total(totals, shown)), level=0),
        totals=values_of(totals),
        remarks=_remarks(answer, span.time_zone, span.granularity),
        notices=notices_of(answer.notices),
    )


def _calls_of(request: QueryOriginationQualityRequest) -> str:
    """Returns whose calls a request asks for."""
    if request.all_accounts:
        return "Calls of all accounts"
    accounts = [request.account_id] if request.account_id else list(request.account_ids)
    if not accounts:
        return "Calls without an account"
    more = len(accounts) - _ACCOUNTS_NAMED
    named = ", ".join(accounts[:_ACCOUNTS_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    or_none = " or without one" if "account_id" in request.absent else ""
    return f"Calls of account{'s' if len(accounts) > 1 else ''} {named}{or_none}"


def _rows(data: OriginationQualityData, shown: Sequence[Column], zone: Zone | None) -> tuple[Row, ...]:
    columns = [getattr(data, column.name) for column in shown]
    return tuple(
        Row((_start(unix_s, zone), *map(_value, figures)))
        for unix_s, *figures in zip(data.t, *columns, strict=True)
    )


def _start(unix_s: int, zone: Zone | None) -> str:
    """Returns an instant, in UTC if this program does not know the zone."""
    known = zone or calendar.zone("UTC")
    assert known is not None
    return core.format_time(unix_s * US_PER_SECOND, known)


def _value(figure: int | float) -> Value:
    return None if math.isnan(figure) else figure


def _total(totals: OriginationQualityTotals, shown: Sequence[Column]) -> list[Value]:
    values = values_of(totals)
    return [values["cps_mean" if column.name == "cps" else column.name] for column in shown]


def _remarks(
    answer: QueryOriginationQualityResponse, time_zone: str, granularity: str | None
) -> tuple[Remark, ...]:
    totals, calls = answer.totals, answer.data.total_calls
    if not totals.HasField("cps_mean"):
        return ()
    rates = (
        "CPS:",
        Measured(totals.cps_mean, Kind.RATE),
        "in the whole range, at most",
        Measured(totals.cps_peak, Kind.RATE),
        "in a whole bin; sum of the column",
        Measured(totals.cps_sum, Kind.RATE),
    )
    if not totals.total_calls:
        return (rates,)
    busiest = max(range(len(calls)), key=lambda place: calls[place])
    start = _start(answer.data.t[busiest], calendar.zone(time_zone))
    words = "busiest bin:" if granularity is None else f"busiest {granularity.lower().replace('_', ' ')}:"
    unit = "call" if calls[busiest] == 1 else "calls"
    return ((words, Measured(start, Kind.TIME), "with", Measured(calls[busiest], Kind.COUNT), unit), rates)
