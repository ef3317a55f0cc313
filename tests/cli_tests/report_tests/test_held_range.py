"""A range without records names the days of all records held."""

from pathlib import Path

import pytest
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
