"""A range without records names the days of all records held."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from pegcount.cli.report.held_range import with_held_range
from pegcount.cli.report.report_table import Range, ReportTable, Row
from sample_service import service_over_samples
from service import Service

from cli_tests.report_tests.running import run

QUALITY = ("quality", "--all-accounts", "--sampling", "day")
TOLD = "notice: all records held are from 2026-03-28 to 2026-03-30; --from 2026-03-28 reaches them"
US_PER_DAY = 86_400_000_000


@pytest.mark.parametrize("report", [("usage",), QUALITY])
@pytest.mark.parametrize(
    ("start", "end", "is_told"),
    [
        ("2026-02-01", "2026-02-03", True),
        ("2026-03-20", "2026-03-28", True),
        ("2026-03-20", "2026-03-29", False),
    ],
)
def test_a_range_beside_all_records(
    report: tuple[str, ...],
    start: str,
    end: str,
    is_told: bool,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("--from", start, "--to", end, "--time-zone", "Europe/Kyiv", "--server", address)
    assert run(monkeypatch, "report", *report, *arguments) == 0
    assert (TOLD in " ".join(capsys.readouterr().out.split())) is is_told


@pytest.mark.parametrize("report", [("usage",), QUALITY])
def test_the_last_days_of_an_old_file(
    report: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Regression: charts of the last days of a file of another month were empty, and nothing said why."""
    with service_over_samples(tmp_path) as service:
        service.now_us += 40 * US_PER_DAY
        arguments = ("--from", "2026-05-01", "--plot", "--server", service.address)
        assert run(monkeypatch, "report", *report, *arguments) == 0
    assert TOLD in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("report", [("usage",), QUALITY])
def test_a_server_without_records(
    report: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Service(tmp_path) as service:
        arguments = ("--from", "2026-03-28", "--server", service.address)
        assert run(monkeypatch, "report", *report, *arguments) == 0
    assert "notice: the server holds no records yet\n" in capsys.readouterr().out


RANGE = Range("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "UTC", None, "2026-03-30T12:00:00Z")
TABLE = ReportTable("usage", "sessions", RANGE, (), 0, (Row(()),), (), None, {}, (), ())


@pytest.mark.parametrize("has_credential", [False, True])
def test_a_report_does_not_need_the_days_of_the_records(has_credential: bool) -> None:
    """A credential that reads reports only would have each of these calls noted in the audit log."""
    asked: list[object] = []

    def fail(request: object) -> None:
        asked.append(request)
        raise grpc.RpcError

    admin = SimpleNamespace(GetStoreInfo=fail)
    client: Any = SimpleNamespace(admin=admin, has_credential=has_credential)
    assert with_held_range(TABLE, 0, client) == TABLE
    assert bool(asked) is not has_credential
