"""`pegcount watch`: its options become a request, and its screen shows the present answer."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from pegcount.cli.report.alert_option import alert_rule
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.client import Client
from pegcount.config import Config
from pegcount.v1.traffic_pb2 import MetricSpec
from server_tests.watching import NOW_S, call, question
from service import Service

from cli_tests.report_tests.running import run

METRICS = [
    MetricSpec(metric="TRAFFIC_METRIC_CALLS"),
    MetricSpec(metric="TRAFFIC_METRIC_NER", causes=[16, 17]),
]
BELOW, ABOVE = "ALERT_COMPARISON_BELOW", "ALERT_COMPARISON_ABOVE"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("calls > 3", {"comparison": ABOVE, "threshold": 3.0}),
        ("calls<3", {"comparison": BELOW, "threshold": 3.0}),
        ("CALLS < -0.5 for 2", {"comparison": BELOW, "threshold": -0.5, "bins": 2}),
        (
            "ner=16,17 < 40 clear 55.5 for 3 if calls >= 50",
            {"metric": 1, "comparison": BELOW, "threshold": 40.0, "clear_threshold": 55.5}
            | {"bins": 3, "least_denominator": "50"},
        ),
        (
            "ner=16,17 < 40 if calls>=1",
            {"metric": 1, "comparison": BELOW, "threshold": 40.0} | {"least_denominator": "1"},
        ),
    ],
)
def test_a_rule(text: str, expected: dict[str, Any]) -> None:
    found = json_format.MessageToDict(alert_rule(text, METRICS), preserving_proto_field_name=True)
    assert {"metric": 0, **found} == {"metric": 0, **expected}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not METRIC < NUMBER"),
        ("calls = 3", "such as asr < 40 for 3 if calls >= 50"),
        ("calls < 3 if 50", "is not METRIC"),
        ("asr < 3", "asr is not one of the metrics; add --metric asr"),
        ("calls >= 3", "[if calls >= NUMBER], with < or >, such as"),
        ("clals < 3", 'did you mean "CALLS"?'),
        ("ner < 3", "ner is not one of the metrics"),
    ],
)
def test_what_is_no_rule(text: str, problem: str) -> None:
    with pytest.raises(ReportOptionError, match=re.escape(problem)) as error:
        alert_rule(text, METRICS)
    assert str(error.value).startswith("--alert: ")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "watch needs --granularity, such as --granularity minute"),
        (("--granularity", "minute"), "watch needs --metric"),
        (
            ("--granularity", "minute", "--metric", "calls", "--interval", "0.5s"),
            "--interval: '0.5s' is less",
        ),
        (("--granularity", "minute", "--metric", "calls", "--last", "0"), "last_bins: 0 is not within 1 to"),
    ],
)
def test_options_that_cannot_be(
    options: tuple[str, ...],
    problem: str,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "watch", "--server", address, *options) == 2
    assert problem in capsys.readouterr().err


def test_its_help_says_what_is_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, "watch", "--help") == 0
    assert "MINUTE to MONTH. Required." in capsys.readouterr().out


def test_a_server_that_is_not_there_ends_it_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--granularity", "minute", "--metric", "calls")
    assert run(monkeypatch, "watch", "--server", "127.0.0.1:1", *options) == 2
    assert "no server answers at 127.0.0.1:1" in capsys.readouterr().err


class Shown:
    """A running `pegcount watch`, whose lines are read as they come."""

    def __init__(self, service: Service, *options: str) -> None:
        command = [sys.executable, "-m", "pegcount", "watch", "--server", service.address]
        given = ["--metric", "calls", "--metric", "asr", "--granularity", "minute", "--last", "3"]
        self.process = subprocess.Popen(
            [*command, *given, "--interval", "1s", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )

    def line_with(self, text: str) -> str:
        """Returns the next line that has a text."""
        assert self.process.stdout is not None
        return next(line for line in self.process.stdout if text in line)

    def end(self) -> tuple[int, str]:
        """Presses Ctrl-C; returns the exit status and the errors."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def test_a_table_follows_what_the_server_tells(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.write(*(call(f"a{i}", NOW_S - 20 - i, answered=False) for i in range(5)))
        by_vendor = ("--by", "term_accounts_id", "--attempts", "all", "--alert", "asr < 40 if calls >= 5")
        shown = Shown(service, *by_vendor, "--time-zone", "Europe/Kyiv")
        assert shown.line_with("Traffic by term accounts id").startswith("Traffic by term accounts id, from")
        assert shown.line_with("total").split() == ["total", "5", "0.0%"]
        alert = shown.line_with("ALERT")
        assert alert == (
            "ALERT asr < 40 if calls >= 5: term_accounts_id 1: 0 of 5 calls, bin 2026-03-30 14:59\n"
        )
        service.write(call("b", NOW_S, vendor=2))
        service.now_us += 1_000_000
        assert shown.line_with("2      1").split() == ["2", "1", "100.0%"]
        assert shown.end() == (0, "")


def test_json_is_one_document_per_line(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.write(call("a", NOW_S - 20))
        shown = Shown(service, "--json", "--alert", "calls < 2")
        first = json.loads(shown.line_with("{"))
        assert [row["calls"] for row in first["rows"]] == [0, 0, 1]
        assert first["alerts"] == [
            {"rule": "calls < 2", "keys": {}, "other": False, "start_time": "2026-03-30T11:59:00Z"}
            | {"value": 1, "denominator": None}
        ]
        service.write(call("b", NOW_S))
        service.now_us += 1_000_000
        assert [row["calls"] for row in json.loads(shown.line_with("{"))["rows"]] == [0, 1, 1]
        assert shown.end() == (0, "")


def test_a_watch_that_has_begun_waits_for_its_server_however_long(tmp_path: Path) -> None:
    with Service(tmp_path) as service, Client(service.address) as client:
        impatient = Config(retry_count_max=0, retry_seconds_min=0.05, retry_seconds_max=0.1)
        with client.traffic_watch(question(), impatient) as watch:
            next(watch)
            service.stop()
            service.store.close()
            with Service(tmp_path, Config(), listen=service.address):
                next(watch)
            assert watch.stream_count > 1
