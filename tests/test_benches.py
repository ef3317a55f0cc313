"""Runs each bench with a small load. The benches assert their own results."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clickhouse.rig import Rig

ROOT = Path(__file__).parents[1]
GHZ = Path(sys.executable).with_name("ghz")


def output_of(bench: str, *arguments: str) -> str:
    command = [sys.executable, f"benches/{bench}.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_report_bench_runs() -> None:
    assert output_of("reports", "2000").count("median") == 4


def test_the_metrics_bench_runs() -> None:
    printed = output_of("metrics_cost", "--sources", "3")
    assert printed.count("observer") == 2
    assert "scrape, 3 sources" in printed


def test_the_bench_of_watches_runs(tmp_path: Path) -> None:
    load_options = ["--records", "5000", "--watchers", "4", "--queries", "2", "--seconds", "3"]
    printed = output_of("watch_load", *load_options, "--scratch", str(tmp_path))
    assert "4 watchers of 2 queries" in printed


def test_the_bench_of_minutes_runs(tmp_path: Path) -> None:
    load_options = ["--records", "300000", "--rounds", "2", "--scratch", str(tmp_path)]
    # The peer engines are not installed for the tests.
    assert "Pegcount: " in output_of("minute_counts", *load_options, "--no-peers")


def test_the_ingest_bench_runs(tmp_path: Path) -> None:
    load_options = ["--records", "2000", "--batch", "250", "--rounds", "2"]
    # The peer engines are not installed for the tests.
    path_options = [
        "--ours-only",
        "--scratch",
        str(tmp_path / "scratch"),
        "--record",
        str(tmp_path / "record"),
    ]
    printed = output_of("ingest_rates", *load_options, *path_options)
    assert printed.count("in flight") == 3
    (record,) = (tmp_path / "record").iterdir()
    assert record.read_text(encoding="utf-8").split() == printed.split()


def test_the_rpc_bench_runs(tmp_path: Path) -> None:
    if not os.access(GHZ, os.X_OK):
        pytest.skip("NOT TESTED: ghz is missing, which make bench-rpc installs")
    load_options = ["--records", "2000", "--rounds", "1", "--requests", "20", "--year-requests", "1"]
    printed = output_of("rpc_load", *load_options, "--record", str(tmp_path / "record"))
    assert printed.count("canned") == 7


def test_the_bench_of_a_noisy_credential_runs() -> None:
    if shutil.which("go") is None:
        pytest.skip("NOT TESTED: Go is missing")
    load_options = [
        "--records",
        "2000",
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--connections",
        "4",
        "--no-check",
    ]
    assert "closed loop" in output_of("noisy_credential", *load_options, "--kinds", "closed loop")


def test_the_bench_of_metrics_and_logs_runs() -> None:
    load_options = ["--records", "2000", "--pairs", "2", "--calls", "50", "--no-check"]
    assert "2 pairs of 50 calls" in output_of("observability_cost", *load_options)


def test_the_bench_of_a_cluster_runs(cluster: Rig, tmp_path: Path) -> None:
    url = cluster.url("bench_scans").replace(f",{cluster.servers[1].address}", "")
    cluster.servers[0].ask("CREATE DATABASE bench_scans")
    options = ["--records", "3000", "--directory", str(tmp_path / "data"), "--no-check"]
    printed = output_of("cluster_scans", "--store", url, *options)
    assert (printed.count("median"), printed.count("directory")) == (6, 6)
    assert printed.count("by hand") == 1


def test_active_sessions_of_a_cluster_are_each_there_once_in_every_snapshot(cluster: Rig) -> None:
    load_options = ["--sessions", "3000", "--seconds", "2", "--rate", "2000"]
    printed = output_of("cluster_active", "--store", cluster.url("bench_active"), *load_options)
    cluster.ask("DROP DATABASE bench_active SYNC")
    assert "each session once" in printed


def test_the_active_session_bench_runs(tmp_path: Path) -> None:
    load_options = ["--sessions", "2000", "--seconds", "1", "--rate", "1000", "--scratch", str(tmp_path)]
    assert "reports while" in output_of("active_load", *load_options)


def test_the_upkeep_bench_runs(tmp_path: Path) -> None:
    load_options = ["--records", "5000", "--active", "1000", "--rate", "5000", "--scratch", str(tmp_path)]
    assert output_of("upkeep", *load_options).count("segment files written") == 2


def test_the_recovery_bench_runs(tmp_path: Path) -> None:
    load_options = ["--records", "5000", "--starts", "1", "--scratch", str(tmp_path)]
    assert "SERVING after" in output_of("recovery", *load_options)


def test_the_peer_bench_runs_without_peers(tmp_path: Path) -> None:
    load_options = ["--records", "100000", "--active", "2000", "--rounds", "1", "--no-peers"]
    path_options = ["--scratch", str(tmp_path / "scratch"), "--record", str(tmp_path / "record")]
    printed = output_of("report_peers", *load_options, *path_options)
    assert "ratio" in printed
    assert (
        output_of("report_peers", *load_options, *path_options, "--only", "Q1,S1").count("loaded ours") == 0
    )
