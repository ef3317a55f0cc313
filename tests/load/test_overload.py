"""Three times as many reports as the server can answer: refusals are documented, health checks go on."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from pegcount.v1 import reports_pb2

from load.attacks import REPORT
from load.caller import Caller
from load.go_programs import built
from load.pinned_server import PinnedServer
from load.traffic import ACCOUNT, day_report

_CALLER_COUNTS = (1, 2, 4, 8, 16, 32)
_CLOSED_SECONDS = 3
_CLOSED_P99_MS_MAX = 100.0
_RATE_TIMES = 3
_OVERLOAD_SECONDS = 15
_CONNECTION_COUNTS = (4, 100)
"""Over few connections, calls wait in the client for a place on their connection; over many, all of them
reach the server."""
_HEALTH_P99_MS_MAX = 50.0
_REFUSALS = {"ResourceExhausted", "Unavailable", "DeadlineExceeded"}
"""As Go names them. The deadline is that of the caller."""


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of a load by the Go program `overload`."""

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    messages: dict[str, str]
    """The first message of each status other than OK."""

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


@pytest.fixture
def overload(server: PinnedServer, tmp_path: Path) -> list[str]:
    """The command that loads the server with small reports; options follow."""
    request = tmp_path / "request"
    request.write_bytes(day_report(ACCOUNT, reports_pb2.GRANULARITY_HOUR).SerializeToString())
    program = built(tmp_path) / "overload"
    # The honest caller runs on the same core and comes first.
    command = ["chrt", "--idle", "0", str(program), f"--address={server.address}"]
    return [*command, f"--method={REPORT}", f"--request={request}"]


@pytest.mark.parametrize("connections", _CONNECTION_COUNTS)
def test_overload_refuses_reports_but_not_health_checks(
    server: PinnedServer, overload: list[str], connections: int
) -> None:
    callers, closed = _fastest_closed_loop(overload)
    rate = f"--rate={_RATE_TIMES * closed.rate}"
    with Caller(server.address, "--kinds=health") as caller:
        caller.begin()
        before_seconds = server.cpu_seconds()
        load = _run(overload, rate, f"--length={_OVERLOAD_SECONDS}s", f"--connections={connections}")
        core_share = (server.cpu_seconds() - before_seconds) / load.seconds
        health = caller.end()["health"]
    print(f"\nclosed loop, {callers} callers: {closed.rate:,.0f} reports/s, p99 {closed.p99_ms:.1f} ms")
    print(f"open loop, {connections} connections, {load.calls:,} reports, {load.rate:,.0f}/s:", end=" ")
    print(f"{load.statuses}, p50 {load.p50_ms:.1f} ms, {load.messages}")
    print(f"the server used {core_share:.0%} of its core; health meanwhile:", end=" ")
    print(f"p50 {health.p50_ms:.1f} ms, p99 {health.p99_ms:.1f} ms, {health.statuses}")
    assert load.rate > _RATE_TIMES * closed.rate * 0.8, "the load was too low for an overload"
    assert {"OK"} < set(load.statuses) <= {"OK", *_REFUSALS}, load.statuses
    assert health.failed_count == 0
    assert health.p99_ms < _HEALTH_P99_MS_MAX


def _fastest_closed_loop(overload: list[str]) -> tuple[int, Load]:
    """Returns the number of callers with the highest rate below the limit of the p99, and their figures."""
    loads = {
        count: _run(overload, f"--callers={count}", f"--length={_CLOSED_SECONDS}s")
        for count in _CALLER_COUNTS
    }
    fast = {count: load for count, load in loads.items() if load.p99_ms < _CLOSED_P99_MS_MAX}
    count = max(fast, key=lambda count: fast[count].rate)
    return count, fast[count]


def _run(overload: list[str], *options: str) -> Load:
    seconds_max = 4 * _OVERLOAD_SECONDS
    result = subprocess.run(
        [*overload, *options], capture_output=True, text=True, timeout=seconds_max, check=True
    )
    return Load(**json.loads(result.stdout))
