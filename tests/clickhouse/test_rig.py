"""The servers of the other tests start, die and come back as these say, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from clickhouse.rig import Rig, Server

TESTS = Path(__file__).parent.parent


def test_each_server_answers_and_has_an_address_of_its_own(cluster: Rig) -> None:
    assert cluster.ask("SELECT 1") == ["1\n", "1\n"]
    first, second = cluster.servers
    assert cluster.url("calls") == f"clickhouse://127.0.0.1:{first.port},127.0.0.1:{second.port}/calls"


def test_the_answer_to_a_statement_with_a_fault_fails(cluster: Rig) -> None:
    with pytest.raises(AssertionError, match="UNKNOWN_TABLE"):
        cluster.ask("SELECT * FROM nothing")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Rig(tmp_path, shard_count=1) as rig:
        yield rig.servers[0]


def test_a_killed_server_comes_back_with_what_was_synced(server: Server) -> None:
    server.ask("CREATE TABLE kept (n Int64) ENGINE=MergeTree ORDER BY n SETTINGS fsync_part_directory=1")
    server.ask("INSERT INTO kept VALUES (7)")
    port, pid = server.port, server.pid
    server.kill()
    assert not server.is_running()
    with pytest.raises(ConnectionRefusedError):
        server.ask("SELECT 1")
    server.start()
    assert (server.port, server.ask("SELECT n FROM kept")) == (port, "7\n")
    assert server.pid != pid


def test_a_server_that_ends_by_itself_is_seen(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_running(), "the end of the server")
    server.restart()
    assert server.ask("SELECT 1") == "1\n"


def test_a_frozen_server_answers_once_it_thaws(server: Server) -> None:
    server.freeze()
    with pytest.raises(TimeoutError):
        server.ask("SELECT 1", seconds_max=0.3)
    server.thaw()
    assert server.ask("SELECT 1") == "1\n"


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_killed_test_leaves_nothing_behind(tmp_path: Path, is_frozen: bool) -> None:
    program = f"""
import sys
from pathlib import Path
from clickhouse.rig import Rig
with Rig(Path({str(tmp_path / "rig")!r}), shard_count=1) as rig:
    if {is_frozen}:
        rig.servers[0].freeze()
    print(rig.servers[0].pid, rig.servers[0].data, flush=True)
    sys.stdin.read()
"""
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as test:
        assert test.stdout is not None
        pid, data = test.stdout.readline().split()
        os.kill(int(pid), 0)
        assert Path(data).is_dir()
        test.send_signal(signal.SIGKILL)
        test.wait()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the server")
    wait_until(lambda: not Path(data).exists(), "the removal of its data")
