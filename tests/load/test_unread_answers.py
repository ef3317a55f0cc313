"""Clients that ask for long answers and read nothing: memory is bounded, and others are served."""

import time

from pegcount.config import Config

from load.attacks import attacker, unread_answers
from load.caller import Caller
from load.dear_requests import dearest_reports
from load.pinned_server import MIB, PinnedServer

_CONNECTION_COUNT = 16
_CALLS_EACH = 24
_SECONDS = 45.0
_CONFIG = Config()
_GROWTH_BYTES_MAX = 2 * _CONFIG.unread_answer_bytes_max + 192 * MIB
"""What may wait unread, of which gRPC has a copy, and what the reports in progress take."""
_REST_SECONDS = 60.0
_MEMORY_TIMES_MAX = 1.5
_P99_MS_MAX = 100.0


def test_unread_answers_are_bounded(any_dear_server: PinnedServer) -> None:
    dear_server = any_dear_server
    usage = dearest_reports()[0]
    with attacker() as pool, Caller(dear_server.entrance, "--kinds=health,hours") as caller:
        caller.measure(2.0)
        dear_server.reset_peak()
        before = dear_server.memory().now
        request = usage.message.SerializeToString()
        ask = (usage.method, request, _CONNECTION_COUNT, _CALLS_EACH, _SECONDS)
        asking = pool.submit(unread_answers, dear_server.entrance, *ask)
        time.sleep(1.0)
        figures = caller.measure(_SECONDS - 2.0)
        ends = asking.result(60)
        peak = dear_server.memory().peak
        time.sleep(_REST_SECONDS)
        after = dear_server.memory().now
    print(f"\n{_CONNECTION_COUNT} clients that read nothing: {dict(ends)}; memory before", end=" ")
    print(
        f"{before / MIB:.0f}, at its peak {peak / MIB:.0f}, {_REST_SECONDS:g} s after {after / MIB:.0f} MiB"
    )
    for kind, one in figures.items():
        print(f"{kind}: p50 {one.p50_ms:.1f}, p99 {one.p99_ms:.1f} ms, {one.statuses}")
    assert all(one.failed_count == 0 for one in figures.values())
    assert all(one.p99_ms < _P99_MS_MAX for one in figures.values())
    assert peak - before < _GROWTH_BYTES_MAX
    assert any("answers unread" in line for line in dear_server.log_lines()), "no connection was closed"
    assert after < _MEMORY_TIMES_MAX * before
