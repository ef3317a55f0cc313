"""Random answers of the server, whose figures every output must have."""

from hypothesis import strategies as st
from pegcount.cli.report.active_table import active_table
from pegcount.cli.report.folders_table import folders_table
from pegcount.cli.report.quality_table import quality_table
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.usage_table import usage_table
from pegcount.v1.reports_pb2 import (
    GRANULARITY_DAY,
    GRANULARITY_HOUR,
    GROUPING_ROLLUP,
    ActiveSessionRow,
    AsrUsageBin,
    AsrUsageTotals,
    FolderAgentStats,
    FolderStatsRow,
    FolderStatsTotals,
    Notice,
    OriginationQualityData,
    OriginationQualityTotals,
    QueryActiveSessionsRequest,
    QueryActiveSessionsResponse,
    QueryAsrUsageRequest,
    QueryAsrUsageResponse,
    QueryFolderStatsRequest,
    QueryFolderStatsResponse,
    QueryOriginationQualityRequest,
    QueryOriginationQualityResponse,
    ResolvedRange,
)

COUNTS = st.integers(0, 2**63 - 1)
RATIOS = st.none() | st.floats(0, 1e9)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
TIMES = st.sampled_from(
    [
        "2026-03-28T00:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-03-28T08:15:00.250000+01:00",
    ]
)
NOTICES = st.lists(st.builds(Notice, text=TEXTS), max_size=2)


def ranges(granularity: int | None) -> st.SearchStrategy[ResolvedRange]:
    return st.builds(
        ResolvedRange,
        from_time=TIMES,
        to_time=TIMES,
        time_zone=st.sampled_from(["Europe/Berlin", "Mars/Olympus"]),
        granularity=st.just(granularity),
        generated_at=TIMES,
    )


def usage_tables() -> st.SearchStrategy[ReportTable]:
    bins = st.builds(AsrUsageBin, start_time=TIMES, session_count=COUNTS, sma=RATIOS, complete=st.booleans())
    totals = st.builds(
        AsrUsageTotals, session_count=COUNTS, busiest_start_time=TIMES, busiest_count=st.none() | COUNTS
    )
    answers = st.builds(
        QueryAsrUsageResponse,
        range=ranges(GRANULARITY_DAY),
        notices=NOTICES,
        bins=st.lists(bins, max_size=4),
        totals=totals,
    )
    requests = st.builds(QueryAsrUsageRequest, kind=st.sampled_from([1, 2, 3]), sma_period=st.just(7))
    return st.builds(usage_table, answers, requests, st.just([]))


def active_tables() -> st.SearchStrategy[ReportTable]:
    fields = ["quantity", "orig_clients_name", "session_setup_time", "orig_clients_id", "duration"]
    rows = st.builds(
        ActiveSessionRow,
        orig_clients_name=st.none() | TEXTS,
        session_setup_time=st.none() | TIMES,
        orig_clients_id=st.none() | COUNTS,
        quantity=COUNTS,
        duration=COUNTS,
    )
    subtotals = st.builds(ActiveSessionRow, quantity=COUNTS, duration=COUNTS, level=st.sampled_from([1, 2]))
    answers = st.builds(
        QueryActiveSessionsResponse,
        range=ranges(None),
        notices=NOTICES,
        rows=st.lists(rows, max_size=4),
        subtotals=st.lists(subtotals, max_size=2),
        total=st.none() | st.builds(ActiveSessionRow, quantity=COUNTS, duration=COUNTS, level=st.just(0)),
        row_count=COUNTS,
    )
    request = QueryActiveSessionsRequest(return_fields=fields, grouping=GROUPING_ROLLUP)
    return st.builds(active_table, answers, st.just(request))


def folder_tables() -> st.SearchStrategy[ReportTable]:
    figures = {
        "call_count": COUNTS,
        "answered_count": COUNTS,
        "duration_ms": COUNTS,
        "average_duration_seconds": RATIOS,
    }
    agents = st.lists(st.builds(FolderAgentStats, agent_id=TEXTS, **figures), max_size=2)
    dates = st.sampled_from(["2026-03-28", "2026-03-29"])
    rows = st.builds(FolderStatsRow, date=dates, folder=TEXTS, agents=agents, **figures)
    answers = st.builds(
        QueryFolderStatsResponse,
        range=ranges(GRANULARITY_DAY),
        notices=NOTICES,
        rows=st.lists(rows, max_size=4),
        totals=st.builds(FolderStatsTotals, **figures),
    )
    requests = st.builds(QueryFolderStatsRequest, company=TEXTS, organization=TEXTS)
    return st.builds(folders_table, answers, requests)


@st.composite
def quality_tables(draw: st.DrawFn) -> ReportTable:
    count = draw(st.integers(0, 4))

    counts = st.lists(COUNTS, min_size=count, max_size=count)
    ratio = st.floats(0, 1e9) | st.just(float("nan"))
    ratios = st.lists(ratio, min_size=count, max_size=count)
    data = OriginationQualityData(
        t=[1_774_656_000 + 3_600 * number for number in range(count)],
        total_calls=draw(counts),
        answered_calls=draw(counts),
        duration_ms=draw(counts),
        acd=draw(ratios),
        asr=draw(ratios),
        cps=draw(st.lists(st.floats(0, 1e9), min_size=count, max_size=count)),
    )
    rates = dict.fromkeys(("cps_mean", "cps_peak", "cps_sum"), st.floats(0, 1e9)) if count else {}
    sums = dict.fromkeys(("total_calls", "answered_calls", "duration_ms"), COUNTS)
    totals = draw(st.builds(OriginationQualityTotals, acd=RATIOS, asr=RATIOS, **sums, **rates))
    answer = QueryOriginationQualityResponse(
        range=draw(ranges(GRANULARITY_HOUR)), notices=draw(NOTICES), data=data, rows=count, totals=totals
    )
    accounts = draw(st.lists(TEXTS, max_size=5))
    return quality_table(answer, QueryOriginationQualityRequest(account_ids=accounts))


def tables() -> st.SearchStrategy[ReportTable]:
    """Tables of all four reports."""
    return st.one_of(usage_tables(), active_tables(), folder_tables(), quality_tables())
