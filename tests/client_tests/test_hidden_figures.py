"""Figures that the credential does not show are None in the client, and no columns on the command line."""

from datetime import date
from typing import Any

import pytest
from pegcount.cli.report.folders_table import folders_table
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.quality_table import quality_table
from pegcount.cli.report.report_table import ReportTable
from pegcount.v1 import reports_pb2
from pegcount_client.columns import Kind
from pegcount_client.reports import FolderStats, OriginationQuality

_RANGE = reports_pb2.ResolvedRange(
    from_time="2026-03-29T00:00:00Z",
    to_time="2026-03-29T02:00:00Z",
    time_zone="UTC",
    granularity=reports_pb2.GRANULARITY_HOUR,
)


def notice(names: str) -> reports_pb2.Notice:
    return reports_pb2.Notice(
        code=reports_pb2.NOTICE_CODE_METRICS_HIDDEN,
        text=f"the credential of this call does not show {names}",
        metadata={"field": names},
    )


QUALITY = reports_pb2.QueryOriginationQualityResponse(
    range=_RANGE,
    notices=[notice("answered_calls, asr, duration_ms, acd")],
    data=reports_pb2.OriginationQualityData(
        t=[1_774_742_400, 1_774_746_000], total_calls=[2, 0], cps=[0.1, 0]
    ),
    rows=2,
    totals=reports_pb2.OriginationQualityTotals(total_calls=2, cps_mean=0.1, cps_peak=0.1, cps_sum=0.1),
)
FOLDERS = reports_pb2.QueryFolderStatsResponse(
    range=_RANGE,
    notices=[notice("answered_count, duration_ms, average_duration_seconds")],
    rows=[
        reports_pb2.FolderStatsRow(
            date="2026-03-29",
            folder="f1",
            call_count=2,
            agents=[reports_pb2.FolderAgentStats(agent_id="x", call_count=1)],
        )
    ],
    totals=reports_pb2.FolderStatsTotals(call_count=2),
)
ASK_QUALITY = reports_pb2.QueryOriginationQualityRequest(all_accounts=True)
ASK_FOLDERS = reports_pb2.QueryFolderStatsRequest(company="acme", organization="sales")


def test_hidden_figures_of_quality_are_none() -> None:
    report = OriginationQuality.from_response(QUALITY)
    first = report.bins[0]
    assert (first.total_calls, first.answered_calls, first.duration_ms, first.acd, first.asr) == (
        *(2, None, None),
        *(None, None),
    )
    assert (report.totals.total_calls, report.totals.answered_calls, report.totals.duration_ms) == (
        2,
        None,
        None,
    )


def test_hidden_figures_of_folders_are_none() -> None:
    report = FolderStats.from_response(FOLDERS)
    [row], [agent] = report.rows, report.agents
    for counted in (row, agent, report.totals):
        assert (counted.answered_count, counted.duration_ms, counted.average_duration_seconds) == (
            None,
            None,
            None,
        )
    assert (row.date, row.call_count, agent.call_count) == (date(2026, 3, 29), 2, 1)


@pytest.mark.parametrize(
    "report", [OriginationQuality.from_response(QUALITY), FolderStats.from_response(FOLDERS)]
)
def test_frames_have_no_values_of_hidden_figures(report: Any) -> None:
    hidden = [column.name for column in report.columns if column.kind is Kind.ID]
    assert hidden
    arrow, polars, pandas, numpy = (
        report.to_arrow(),
        report.to_polars(),
        report.to_pandas(),
        report.to_numpy(),
    )
    for name in hidden:
        assert arrow.column(name).null_count == len(arrow)
        assert polars[name].null_count() == len(polars)
        assert pandas[name].isna().all()
        assert numpy[name].mask.all()


def names_of(table: ReportTable) -> list[str]:
    assert {len(row.values) for row in [*table.rows, *table.sums]} == {len(table.columns)}
    return [column.name for column in table.columns]


def test_tables_leave_out_hidden_figures() -> None:
    quality, folders = quality_table(QUALITY, ASK_QUALITY), folders_table(FOLDERS, ASK_FOLDERS)
    assert names_of(quality) == ["start_time", "total_calls", "cps"]
    assert names_of(folders) == ["date", "folder", "agent_id", "call_count"]


def test_charts_leave_out_hidden_figures() -> None:
    lines = "\n".join(plot_lines(quality_table(QUALITY, ASK_QUALITY), 80))
    assert ("CPS" in lines, "ASR" in lines, "ACD" in lines) == (True, False, False)
    assert "notice: the credential of this call does not show" in lines
    assert "notice:" in "\n".join(plot_lines(folders_table(FOLDERS, ASK_FOLDERS), 80))
