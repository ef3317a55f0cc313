"""The notebook of the four reports, executed anew over the samples, gives the figures that it shows."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import nbformat
import pytest
from pegcount.v1 import records_pb2, reports_pb2
from sample_service import service_over_samples
from service import Service

from .execution import NOTEBOOK, Cell, cells_of, executed_notebook

SIZE_MAX = 300_000
"""Bytes that a web page still shows at once."""
LONDON = ZoneInfo("Europe/London")
RANGE: dict[str, Any] = {"from_time": "2026-03-28", "to_time": "2026-03-31", "time_zone": "Europe/London"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service_over_samples(tmp_path_factory.mktemp("samples")) as service:
        yield service


@pytest.fixture(scope="module")
def executed(service: Service) -> list[Cell]:
    return cells_of(executed_notebook(service.address))


def committed() -> list[Cell]:
    return cells_of(nbformat.read(NOTEBOOK, as_version=4))


def shown(cell: Cell) -> list[dict[str, str]]:
    """Returns the texts of a cell's outputs by their kind. Of a chart, only that there is one."""
    found = []
    for output in cell.outputs:
        data = {output.name: output.text} if output.output_type == "stream" else dict(output.data)
        if "image/png" in data:
            data = {"image/png": "a chart"}
        found.append({kind: "".join(text) for kind, text in data.items()})
    return found


def texts_of(cells: list[Cell]) -> str:
    outputs = [output for cell in cells for output in shown(cell)]
    return "\n".join(text for output in outputs for kind, text in output.items() if kind != "text/html")


def test_the_notebook_shows_what_an_execution_gives(executed: list[Cell]) -> None:
    assert [shown(cell) for cell in committed()] == [shown(cell) for cell in executed]
    assert [cell.execution_count for cell in committed()] == list(range(1, len(executed) + 1))


def test_each_report_has_a_chart_and_no_cell_complains(executed: list[Cell]) -> None:
    kinds = [kind for cell in executed for output in shown(cell) for kind in output]
    assert kinds.count("image/png") == 4
    assert "stderr" not in kinds


def numbers_after(label: str, text: str) -> list[float]:
    """Returns the numbers of the only line that begins with a label."""
    (rest,) = re.findall(rf"^{re.escape(label)}(.*)$", text, re.MULTILINE)
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", rest)]


def test_usage_is_that_of_the_raw_call(executed: list[Cell], service: Service) -> None:
    request = reports_pb2.QueryAsrUsageRequest(
        **RANGE, granularity=reports_pb2.GRANULARITY_DAY, kind=records_pb2.SESSION_KIND_CALL
    )
    counts = [row.session_count for row in service.reports.QueryAsrUsage(request).bins]
    assert numbers_after("calls per day:", texts_of(executed)) == counts
    assert sum(counts) > 0


def test_active_sessions_are_those_of_the_raw_call(executed: list[Cell], service: Service) -> None:
    request = reports_pb2.QueryActiveSessionsRequest(return_fields=["orig_clients_name", "quantity"])
    rows = service.reports.QueryActiveSessions(request).rows
    assert numbers_after("calls in progress:", texts_of(executed)) == [sum(row.quantity for row in rows)]
    assert {row.orig_clients_name for row in rows} <= set(texts_of(executed).split())


def test_folders_are_those_of_the_raw_call(executed: list[Cell], service: Service) -> None:
    request = reports_pb2.QueryFolderStatsRequest(
        company="acme",
        organization="support",
        from_date="2026-03-28",
        to_date="2026-03-30",
        time_zone="Europe/London",
    )
    answer = service.reports.QueryFolderStats(request)
    text = texts_of(executed)
    assert numbers_after("acme support:", text) == [answer.totals.call_count, answer.totals.answered_count]
    for row in answer.rows:
        line = rf"^\d+ +{row.date} +{row.folder} +{row.call_count} +{row.answered_count} "
        assert len(re.findall(line, text, re.MULTILINE)) == 1, row


def test_quality_is_that_of_the_raw_call(executed: list[Cell], service: Service) -> None:
    request = reports_pb2.QueryOriginationQualityRequest(
        **RANGE, sampling=reports_pb2.GRANULARITY_HOUR, all_accounts=True
    )
    answer = service.reports.QueryOriginationQuality(request)
    text, data, totals = texts_of(executed), answer.data, answer.totals
    expected = [totals.total_calls, round(totals.asr, 1), round(totals.acd, 1)]
    assert numbers_after("all accounts:", text) == expected
    for start, calls, answered in zip(data.t, data.total_calls, data.answered_calls, strict=True):
        shown_start = re.escape(datetime.fromtimestamp(start, LONDON).isoformat(" "))
        found = re.findall(rf"^\d+ +{shown_start} +(\d+) +(\d+) ", text, re.MULTILINE)
        assert found == ([(str(calls), str(answered))] if calls else []), shown_start


def test_the_notebook_is_small() -> None:
    assert NOTEBOOK.stat().st_size < SIZE_MAX
    assert "ipykernel" not in texts_of(committed()), "the place of a cell on one machine"
