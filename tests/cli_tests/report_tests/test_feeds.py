"""`pegcount feeds`: the table of sources, and sentences that say what to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.records_pb2 import SessionRecord
from service import NOW_US, Service

from cli_tests.report_tests.running import run

NOW_S = NOW_US // 1_000_000


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("COLUMNS", "400")
    with Service(tmp_path) as service:
        service.now_us = NOW_US - 60_000_000
        service.write_all(
            SessionRecord(
                session_id=f"{i}",
                source="pbx 'north'",
                setup_time=Timestamp(seconds=NOW_S - 120),
                answer_time=Timestamp(seconds=NOW_S - 110),
                end_time=Timestamp(seconds=NOW_S - 62),
                disconnect_cause=16,
                alert_time=Timestamp(seconds=NOW_S - 119),
                customer_price="0",
            )
            for i in range(100)
        )
        service.write(SessionRecord(session_id="x", source="other"))
        service.now_us = NOW_US
        yield service.address


def test_the_table_says_what_to_do(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "feeds", "--server", address) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].startswith("Sources of records")
    (row,) = [line for line in lines if line.startswith("pbx 'north'  ")]
    assert "no failed calls" in row
    assert any(line.startswith("pbx 'north': all 100 calls were answered: ") for line in lines)
    assert "other: rejected 2026-03-30 MISSING_SETUP_TIME 1." in lines


def test_json_has_exact_figures(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--json", "--source", "pbx 'north'", "--source", "pbx north", "--time-zone", "Europe/Berlin")
    assert run(monkeypatch, "feeds", "--server", address, *options) == 0
    document = json.loads(capsys.readouterr().out)
    known, unknown = document["rows"]
    assert (known["source"], known["calls"], known["unanswered_share"]) == ("pbx 'north'", 100, 0)
    assert known["last_received_time"] == "2026-03-30T13:59:00+02:00"
    assert known["median_delay_seconds"] == 2
    assert (unknown["findings"], unknown["unanswered_share"]) == ("no records", None)


def test_a_mistyped_source_is_told_with_the_one_that_is_meant(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "feeds", "--server", address, "--source", "pbx north") == 0
    assert "did you mean \"pbx 'north'\"?" in capsys.readouterr().out
