"""The log of `pegcount serve`: its lines at the start and the stop, and targets that do not take them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import grpc
import pytest
from pegcount.v1 import reports_pb2_grpc
from server_tests.example_requests import ASK_USAGE
from waiting import wait_until

CALL_COUNT = 3_000
IN_FLIGHT = 20
USAGE = "pegcount.v1.ReportService/QueryAsrUsage"


@contextmanager
def served(
    data: Path, stderr: "int | IO[bytes]", before: str = ""
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Runs `pegcount serve`; `before` is what a shell does to its files first."""
    command = f'exec "$0" -m pegcount serve --create --data "$1" --listen 127.0.0.1:0 {before}'
    with subprocess.Popen(
        ["sh", "-c", command, sys.executable, str(data)], stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("listening on ").strip(), process
        finally:
            if process.poll() is None:
                process.kill()


def call(address: str, count: int) -> None:
    """Makes calls that each have a line in the log, some at once."""
    with closing(grpc.insecure_channel(address)) as channel:
        stub = reports_pb2_grpc.ReportServiceStub(channel)
        for _ in range(0, count, IN_FLIGHT):
            pending = [stub.QueryAsrUsage.future(ASK_USAGE, timeout=20) for _ in range(IN_FLIGHT)]
            for each in pending:
                each.result()


def stop(process: "subprocess.Popen[str]") -> float:
    """Stops a server; returns the seconds that it took."""
    begin_s = monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    return monotonic() - begin_s


def test_the_lines_of_start_and_stop(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, served(tmp_path / "data", log) as (address, process):
        call(address, IN_FLIGHT)
        stop(process)
    lines = [line.partition("Z ")[2] for line in (tmp_path / "log").read_text().splitlines()]
    start = f"INFO pegcount 0.1.0 serves {tmp_path / 'data'} at {address} in plain text; the store took "
    assert lines[0].startswith(start)
    assert lines[1].startswith("INFO authentication is off")
    assert (
        len([line for line in lines if " pegcount.v1.ReportService/QueryAsrUsage OK " in line]) == IN_FLIGHT
    )
    assert lines[-2] == "INFO stopping: SIGTERM"
    assert lines[-1].startswith("INFO stopped after ")


def test_a_pipe_that_nobody_reads_holds_up_neither_calls_nor_the_stop(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        with served(tmp_path / "data", writer) as (address, process):
            os.close(writer)
            call(address, CALL_COUNT)
            assert stop(process) < 15
        # What a pipe holds, in 16 pages that need not be whole.
        assert 100 < os.read(reader, 1 << 20).count(b"\n") < CALL_COUNT // 2
    finally:
        os.close(reader)


def test_a_server_without_standard_files(tmp_path: Path) -> None:
    """Else a file of the store would get the number of standard error, and what is printed there."""
    with served(tmp_path / "data", subprocess.DEVNULL, "2>&- <&-") as (address, process):
        for number in (0, 2):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
        call(address, IN_FLIGHT)
        stop(process)


def test_a_full_disk(tmp_path: Path) -> None:
    with served(tmp_path / "data", subprocess.DEVNULL, "2>/dev/full") as (address, process):
        call(address, 500)
        stop(process)


def test_a_reader_that_ends_holds_up_nobody(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with served(tmp_path / "data", writer) as (address, process):
        os.close(writer)
        os.close(reader)
        call(address, 500)
        stop(process)


def test_warnings_of_settings_are_lines_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    monkeypatch.setenv("PEGCOUNT_LISTN", "127.0.0.1:1")
    options = f'--log-format json --log-file "{path}" --set retry_count_max=3'
    with served(tmp_path / "data", subprocess.DEVNULL, options) as (address, process):
        assert address
        stop(process)
    first, second = [json.loads(line) for line in path.read_text().splitlines()][:2]
    assert first["message"].startswith("--set retry_count_max: config.retry_count_max has no effect")
    assert second["message"].startswith("PEGCOUNT_LISTN: has no effect")
    assert first["level"] == second["level"] == "warning"


def test_after_sighup_lines_go_to_a_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    options = f'--log-format json --log-file "{path}"'
    with served(tmp_path / "data", subprocess.DEVNULL, options) as (address, process):
        call(address, IN_FLIGHT)
        wait_until(lambda: path.read_text().count("pegcount.calls") == IN_FLIGHT)
        path.rename(old)
        process.send_signal(signal.SIGHUP)
        wait_until(path.exists)
        wait_until(lambda: "reloaded" in old.read_text() + path.read_text())
        stop(process)
    assert path.stat().st_mode & 0o777 == 0o600
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert messages[-2] == "stopping: SIGTERM"
    assert "pegcount.calls" not in path.read_text()
