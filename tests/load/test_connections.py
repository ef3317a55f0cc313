"""Many connections without calls: little memory, and honest callers get in, also when descriptors run out."""

import re
import time
from collections import Counter
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from load.attacks import attacker, idle_connections
from load.caller import Caller, status_of
from load.comparison import Comparison
from load.pinned_server import MIB, PinnedServer, serving

_CONNECTION_COUNT = 2_000
_HOLD_SECONDS = 10.0
_RESULT_SECONDS_MAX = 120.0
_GROWTH_BYTES_MAX = 128 * MIB
_OPEN_FILE_MAX = 64
_CONNECTION_COUNT_BEYOND = 100
_GET_IN_SECONDS_MAX = 5.0


def test_idle_connections_take_little_memory(any_server: PinnedServer) -> None:
    server = any_server
    comparison = Comparison(server)
    with attacker() as pool, Caller(server.entrance) as caller:
        caller.measure(1.0)
        server.reset_peak()
        before = server.memory().now
        (still_open,) = comparison.run(
            caller,
            lambda: pool.submit(idle_connections, server.entrance, _CONNECTION_COUNT, _HOLD_SECONDS).result(
                _RESULT_SECONDS_MAX
            ),
            rounds=1,
        )
        growth = server.memory().peak - before
    print(f"\n{_CONNECTION_COUNT:,} idle connections, {still_open:,} left open:", end=" ")
    print(f"memory grew by {growth / MIB:.1f} MiB, {growth / _CONNECTION_COUNT / 1024:.1f} KiB each")
    print(comparison.table())
    assert growth < _GROWTH_BYTES_MAX
    comparison.check_statuses()


def test_without_descriptors_the_oldest_idle_connections_give_way(directory: Path) -> None:
    with serving(directory, open_file_max=_OPEN_FILE_MAX) as server, attacker() as pool:
        attack = pool.submit(
            idle_connections, server.entrance, _CONNECTION_COUNT_BEYOND, 2 * _GET_IN_SECONDS_MAX
        )
        time.sleep(_GET_IN_SECONDS_MAX / 2)
        begin = time.monotonic()
        status = _first_status(server.address)
        seconds = time.monotonic() - begin
        still_open = attack.result(_RESULT_SECONDS_MAX)
        lines, elapsed = server.log_lines(), time.monotonic() - begin
    repeats = Counter(re.sub(r"\d+", "", line) for line in lines)
    print(f"\n{_OPEN_FILE_MAX} descriptors, {_CONNECTION_COUNT_BEYOND} idle connections,", end=" ")
    print(f"{still_open} left open: an honest caller got {status} after {seconds:.2f} s; log: {repeats}")
    assert status == "OK"
    assert any("connection" in line for line in lines), "the log does not say what happened"
    assert max(repeats.values()) <= 1 + elapsed // 60


def _first_status(address: str) -> str:
    """Makes a health check over a new connection, and returns its status."""
    with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 500)]) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_GET_IN_SECONDS_MAX, wait_for_ready=True
            )
        except grpc.RpcError as error:
            return status_of(error)
    return "OK"
