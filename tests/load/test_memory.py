"""Many of the dearest reports at once in a group of processes that has 4 GiB of memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load.caller import Caller
from load.dear_calls import DEAREST, DearCalls
from load.memory_group import MemoryGroup
from load.pinned_server import MIB, PinnedServer, serving

_GROUP_BYTES = 4 * 2**30
_CALLERS = 64
_SECONDS = 20.0
_HEALTH_P99_MS_MAX = 100.0


@pytest.fixture
def group() -> Iterator[MemoryGroup]:
    try:
        group = MemoryGroup("pegcount-load-test", _GROUP_BYTES)
    except OSError as error:
        pytest.skip(f"NOT TESTED: this process may not limit the memory of another one: {error}")
    yield group
    group.close()


@pytest.fixture
def limited_server(distinct_directory: Path, group: MemoryGroup) -> Iterator[PinnedServer]:
    with serving(distinct_directory) as server:
        group.add(server.pid)
        yield server


def test_dearest_reports_at_once_stay_within_the_memory(
    limited_server: PinnedServer, group: MemoryGroup
) -> None:
    server, calls = limited_server, DearCalls(limited_server.address, list(DEAREST), _CALLERS)
    before = server.memory().now
    with Caller(server.address, "--kinds=health") as caller:
        caller.begin()
        calls.run(_SECONDS)
        health = caller.end()["health"]
    print(f"\n{_CALLERS} callers of the dearest reports: {dict(calls.statuses)}", end=", ")
    print(f"{calls.answer_bytes / MIB:,.0f} MiB of answers in about {_SECONDS:g} s")
    print(
        f"peak {server.memory().peak / MIB:,.0f} MiB of the process (before: {before / MIB:,.0f})", end=", "
    )
    print(f"{group.peak_bytes() / MIB:,.0f} of {_GROUP_BYTES / MIB:,.0f} MiB of its group")
    print(f"health meanwhile: p50 {health.p50_ms:.1f} ms, p99 {health.p99_ms:.1f} ms, {health.statuses}")
    assert server.is_running(), "the system killed the server"
    assert calls.statuses["OK"] > 0
    assert set(calls.statuses) <= {"OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
    assert health.failed_count == 0
    assert health.p99_ms < _HEALTH_P99_MS_MAX
