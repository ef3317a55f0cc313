"""The benches run, small, so that they cannot rot; they assert their answers themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GHZ = Path(sys.executable).with_name("ghz")


def printed_by(bench: str, *arguments: str) -> str:
    command = [sys.executable, f"benches/{bench}.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_bench_of_the_reports_runs() -> None:
    assert printed_by("reports", "2000").count("median") == 4


def test_the_bench_of_ingest_runs(tmp_path: Path) -> None:
    small = ["--records", "2000", "--batch", "250", "--rounds", "2"]
    # Without the other engines, which are not installed for the tests.
    places = ["--ours-only", "--scratch", str(tmp_path / "scratch"), "--record", str(tmp_path / "record")]
    printed = printed_by("ingest_rates", *small, *places)
    assert printed.count("in flight") == 3
    (record,) = (tmp_path / "record").iterdir()
    assert record.read_text(encoding="utf-8").split() == printed.split()


def test_the_bench_of_answers_over_grpc_runs(tmp_path: Path) -> None:
    if not os.access(GHZ, os.X_OK):
        pytest.skip("NOT TESTED: there is no ghz, which make bench-rpc installs")
    small = ["--records", "2000", "--rounds", "1", "--requests", "20", "--year-requests", "1"]
    printed = printed_by("rpc_load", *small, "--record", str(tmp_path / "record"))
    assert printed.count("canned") == 7


def test_the_bench_of_active_sessions_runs(tmp_path: Path) -> None:
    small = ["--sessions", "2000", "--seconds", "1", "--rate", "1000", "--scratch", str(tmp_path)]
    assert "reports while" in printed_by("active_load", *small)


def test_the_bench_of_upkeep_runs(tmp_path: Path) -> None:
    small = ["--records", "5000", "--active", "1000", "--rate", "5000", "--scratch", str(tmp_path)]
    assert printed_by("upkeep", *small).count("segment files written") == 2


def test_the_bench_of_recovery_runs(tmp_path: Path) -> None:
    small = ["--records", "5000", "--starts", "1", "--scratch", str(tmp_path)]
    assert "SERVING after" in printed_by("recovery", *small)


def test_the_bench_of_the_peers_runs_without_them(tmp_path: Path) -> None:
    small = ["--records", "100000", "--active", "2000", "--rounds", "1", "--no-peers"]
    places = ["--scratch", str(tmp_path / "scratch"), "--record", str(tmp_path / "record")]
    printed = printed_by("report_peers", *small, *places)
    assert "ratio" in printed
    assert printed_by("report_peers", *small, *places, "--only", "Q1,S1").count("loaded ours") == 0
