"""`pegcount import --server` imports as into a directory, and survives restarts of the server."""

import os
import signal
from pathlib import Path

import pytest
from pegcount.client import Client
from pegcount.v1 import admin_pb2
from program import Program
from waiting import wait_until

from cli_tests.test_command_line import (
    IMPORTS,
    SAMPLES,
    import_into,
    import_over,
    options_of,
    pegcount,
    printed_counts,
    serving,
)


@pytest.mark.parametrize(("format_name", "sample"), IMPORTS)
def test_an_import_over_a_server_equals_one_into_a_directory(
    format_name: str, sample: str, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    directory_import = import_into(tmp_path / "data", format_name, SAMPLES / sample)
    with serving(tmp_path / "served") as (address, _):
        server_import = import_over(address, format_name, SAMPLES / sample, cwd=tmp_path)
        assert (server_import.returncode, server_import.stderr) == (0, "")
        assert printed_counts(server_import.stdout) == printed_counts(directory_import.stdout)
        second_counts = printed_counts(
            import_over(address, format_name, SAMPLES / sample, cwd=tmp_path).stdout
        )
    assert (second_counts["accepted"], second_counts["replaced"]) == (0, 0)
    counts = printed_counts(directory_import.stdout)
    assert second_counts["identical"] == counts["accepted"] + counts["replaced"] + counts["identical"]


def test_both_ways_reject_the_same_rows(tmp_path: Path) -> None:
    header = "session_id,setup_time,answer_time\n"
    time_ok, time_before = "2026-03-28T09:00:00Z", "2026-03-28T08:00:00Z"
    rows = [f"s1,{time_ok},", f",{time_ok},", "s2,soon,", f"s3,{time_ok},{time_before}", f"s4,{time_ok},"]
    file = tmp_path / "calls.csv"
    file.write_text(header + "\n".join(rows) + "\n")
    rejects = tmp_path / "calls.rejects.csv"
    (tmp_path / "served").mkdir()
    directory_import = import_into(tmp_path / "data", "pegcount-csv", file)
    rejects_text = rejects.read_text()
    rejects.unlink()
    with serving(tmp_path / "served") as (address, _):
        server_import = import_over(address, "pegcount-csv", file, cwd=tmp_path)
    assert (server_import.returncode, printed_counts(server_import.stdout)) == (
        1,
        printed_counts(directory_import.stdout),
    )
    assert printed_counts(server_import.stdout)["rejected"] == 3
    assert rejects.read_text() == rejects_text
    assert server_import.stderr == directory_import.stderr
    assert server_import.stderr.startswith("rejected rows: 3 of 5, in calls.rejects.csv\n")


def write_many_calls(path: Path, count: int) -> Path:
    header = "session_id,setup_time,end_time,account_id"
    rows = (f"s{i},2026-03-01T00:00:{i % 60:02}Z,2026-03-01T00:01:00Z,1001" for i in range(count))
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_import_survives_a_restart_of_the_server(end: signal.Signals, tmp_path: Path) -> None:
    file, data = write_many_calls(tmp_path / "many.csv", 60_000), tmp_path / "data"
    data.mkdir()
    with serving(data) as (address, server):
        arguments: tuple[str | Path, ...] = ("--server", address, *options_of("pegcount-csv"), file)
        with Program("import", *arguments, cwd=tmp_path) as importing:
            try:
                wait_for_records(address)
                os.kill(server.pid, end)
                server.wait(30)
                assert importing.poll() is None, "the import was over before its server"
                with serving(data, address) as (second_counts, _):
                    output, errors = importing.communicate(timeout=60)
                    info = pegcount("info", "--server", second_counts).stdout
            finally:
                importing.kill()
    assert (importing.returncode, errors) == (0, "")
    counts = printed_counts(output)
    assert counts["accepted"] + counts["identical"] == counts["rows"] == 60_000
    assert "records: 60,000" in info


def wait_for_records(address: str) -> None:
    with Client(address) as client:
        request = admin_pb2.GetStoreInfoRequest()
        wait_until(lambda: client.admin.GetStoreInfo(request).records > 0, "a write of the import")
