"""A report that is asked again and again."""

import json
import signal
import subprocess
import sys

import pytest
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.cli.report.watch import read_interval, repeated
from pegcount.client import CallError

from cli_tests.report_tests.conftest import KeptRequests


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("5s", 5), ("1.5s", 1.5), ("2m", 120), ("1h", 3_600)]
)
def test_an_interval(text: str, seconds: float) -> None:
    assert read_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 s", "1d", "0s", "0.9s", "1e3s", "nan"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(ReportOptionError, match="--watch: "):
        read_interval(text)


def test_json_is_one_document_per_line_until_ctrl_c(kept: KeptRequests) -> None:
    command = [sys.executable, "-m", "pegcount", "report", "active", "--json", "--watch", "1s"]
    with subprocess.Popen(
        [*command, "--server", kept.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert [json.loads(line)["report"] for line in lines] == ["active", "active"]
    assert (process.returncode, errors) == (0, "")
    assert len(kept.requests) >= 2


def test_a_watch_goes_on_when_its_server_was_away(kept: KeptRequests) -> None:
    kept.refused_active = 2
    command = [sys.executable, "-m", "pegcount", "report", "active", "--json", "--watch", "1s"]
    with subprocess.Popen(
        [*command, "--server", kept.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert [line != "" for line in lines] == [True, True]
    assert (process.returncode, errors) == (
        0,
        f"pegcount: no Pegcount server answers at {kept.address}: away\n",
    )


def test_a_server_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([None, CallError("no server answers"), None, KeyboardInterrupt()])
    asked = list[object]()

    def refresh() -> None:
        asked.append(answer := next(answers))
        if answer is not None:
            raise answer

    repeated(refresh, 0.0)
    assert len(asked) == 4
    assert capsys.readouterr().err == "pegcount: no server answers\n"


def test_the_first_error_ends_it() -> None:
    def refresh() -> None:
        raise CallError("no server answers")

    with pytest.raises(CallError):
        repeated(refresh, 0.0)
