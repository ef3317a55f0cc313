"""The service of twenty lines that the README shows writes what it finds, and reports it."""

import ast
import csv
import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from documented_calls import ROOT, sections
from service import Service
from waiting import wait_until

PROGRAM = ROOT / "examples" / "python" / "quality_service.py"
LINES_MAX = 20


def test_the_readme_shows_the_program() -> None:
    (section,) = [found for found in sections(ROOT / "README.md") if "twenty lines" in found.heading]
    assert PROGRAM.read_text(encoding="utf-8").strip() in section.blocks()


def test_the_program_has_twenty_lines() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    first, *_ = ast.parse(text).body
    assert isinstance(first, ast.Expr)
    code = text.splitlines()[first.end_lineno or 0 :]
    assert len([line for line in code if line.strip()]) == LINES_MAX


@dataclass
class Reporter:
    """The running program, its inbox, and what it has printed so far."""

    inbox: Path
    printed: list[str] = field(default_factory=list)

    def put(self, name: str, rows: list[tuple[str, ...]]) -> Path:
        """Moves a whole file of calls into the inbox."""
        whole = self.inbox.parent / name
        with whole.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return whole.rename(self.inbox / name)

    def tables(self) -> list[list[dict[str, str]]]:
        """Returns the tables that were printed completely, each as its rows."""
        blocks = "".join(self.printed).split("\n\n")[:-1]
        return [list(csv.DictReader(io.StringIO(block))) for block in blocks]


@contextmanager
def running(reporter: Reporter, address: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(PROGRAM), address, str(reporter.inbox)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = Thread(target=reporter.printed.extend, args=[process.stdout], daemon=True)
        reader.start()
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        finally:
            process.kill()
        reader.join(20)


COLUMNS = ("session_id", "account_id", "orig_clients_name", "setup_time", "answer_time", "end_time")


def calls_before(now: datetime) -> list[tuple[str, ...]]:
    """Returns an answered call, one that is not answered, one in progress, and one of the day before."""
    at = [(now - timedelta(seconds=seconds)).isoformat() for seconds in range(60)]
    old = (now - timedelta(days=2)).isoformat()
    return [
        COLUMNS,
        ("answered", "0042", "Northwind", at[50], at[45], at[15]),
        ("missed", "0042", "Northwind", at[50], "", at[40]),
        ("active", "0042", "Tailspin", at[40], at[39], ""),
        ("old", "0042", "Northwind", old, old, old),
    ]


def test_calls_of_files_appear_in_both_reports(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    reporter = Reporter(tmp_path / "inbox")
    reporter.inbox.mkdir()
    with Service(tmp_path / "data", now_us=time.time_ns() // 1_000) as service:
        file = reporter.put("1.csv", calls_before(now - timedelta(seconds=1)))
        with running(reporter, service.address):
            wait_until(lambda: len(reporter.tables()) == 2, "both reports")
        assert not file.exists()
    hours, active = reporter.tables()
    assert sum(int(row["total_calls"]) for row in hours) == 2, "a call counts once it has ended"
    assert sum(int(row["answered_calls"]) for row in hours) == 1
    assert active == [{"orig_clients_name": "Tailspin", "quantity": "1"}]


def test_a_file_that_comes_again_counts_once(tmp_path: Path) -> None:
    rows = calls_before(datetime.now(UTC) - timedelta(seconds=1))
    reporter = Reporter(tmp_path / "inbox")
    reporter.inbox.mkdir()
    with Service(tmp_path / "data", now_us=time.time_ns() // 1_000) as service:
        for run in (1, 2):
            file = reporter.put("1.csv", rows)
            with running(reporter, service.address):
                wait_until(lambda run=run: len(reporter.tables()) == 2 * run, "both reports")  # type: ignore[misc]
            assert not file.exists()
    first, second = reporter.tables()[:2], reporter.tables()[2:]
    assert first == second


def test_texts_of_digits_stay_as_they_are(tmp_path: Path) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
    reporter = Reporter(tmp_path / "inbox")
    reporter.inbox.mkdir()
    with Service(tmp_path / "data", now_us=time.time_ns() // 1_000) as service:
        columns = ("session_id", "setup_time", "orig_clients_name", "src_prefix_routing", "customer_price")
        reporter.put("1.csv", [columns, ("007", at, "0042", "0049", "0.10")])
        with running(reporter, service.address):
            wait_until(lambda: len(reporter.tables()) == 2, "both reports")
    assert reporter.tables()[1] == [{"orig_clients_name": "0042", "quantity": "1"}]


@pytest.mark.parametrize("wrong", ["2026-03-29T10:00:00", "yesterday"])
def test_a_file_with_a_wrong_time_stays(tmp_path: Path, wrong: str) -> None:
    reporter = Reporter(tmp_path / "inbox")
    reporter.inbox.mkdir()
    with Service(tmp_path / "data", now_us=time.time_ns() // 1_000) as service:
        file = reporter.put("1.csv", [COLUMNS, ("a", "1", "Northwind", wrong, "", wrong)])
        with running(reporter, service.address) as process:
            assert process.wait(30) != 0
            assert process.stderr is not None
            assert "setup_time" in process.stderr.read()
        assert file.exists()
    assert reporter.printed == []
