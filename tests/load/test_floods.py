"""Floods of frames over one connection: other callers do not notice, and the memory does not grow."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from waiting import wait_until

from load.attacks import FLOODS, FloodResult, attacker, flood
from load.caller import Caller
from load.comparison import P99_TIMES_MAX, ROUND_COUNT, Comparison
from load.pinned_server import MIB, PinnedServer

_FLOOD_SECONDS = 5.0
_RESULT_SECONDS_MAX = 60.0
_GROWTH_BYTES_MAX = 64 * MIB
_PEAK_GROWTH_BYTES_MAX = 768 * MIB
_RETURN_SECONDS_MAX = 90.0
"""Time for the server to refuse the calls that it has not seen yet, and to give their memory back."""


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_harms_nobody(any_server: PinnedServer, kind: str) -> None:
    _flood_and_check(any_server, kind, reconnect=False)


def test_a_flood_that_reconnects_makes_no_call_fail(any_server: PinnedServer) -> None:
    # Each new connection costs the server its share of time before it can tell that this is a flood.
    _flood_and_check(any_server, "RST_STREAM", reconnect=True)


def test_resets_at_full_speed_take_bounded_memory_and_all_of_it_returns(any_server: PinnedServer) -> None:
    with attacker(gives_way=False) as pool:
        before = any_server.memory().now
        for _ in range(ROUND_COUNT):
            attack = pool.submit(flood, any_server.entrance, "RST_STREAM", _FLOOD_SECONDS, reconnect=True)
            print(f"\n{_described([attack.result(_RESULT_SECONDS_MAX)])}", end=": ")
            grown = {name: (size - before) / MIB for name, size in asdict(any_server.memory()).items()}
            print(", ".join(f"{name} {mib:+,.0f} MiB" for name, mib in grown.items()), end="")
    assert any_server.memory().peak - before < _PEAK_GROWTH_BYTES_MAX
    print(f"; {_growth_left(any_server, before)}")


def _flood_and_check(server: PinnedServer, kind: str, reconnect: bool) -> None:
    comparison = Comparison(server)
    with attacker() as pool, Caller(server.entrance) as caller:
        caller.measure(1.0)
        before = server.memory().now
        rounds = comparison.run(
            caller,
            lambda: pool.submit(flood, server.entrance, kind, _FLOOD_SECONDS, reconnect).result(
                _RESULT_SECONDS_MAX
            ),
        )
        left = _growth_left(server, before)
    print(f"\nflood of {kind}{', reconnecting' if reconnect else ''}: {_described(rounds)};", end=" ")
    print(f"{left}, {len(server.log_lines())} lines in the log")
    print(comparison.table())
    comparison.check(math.inf if reconnect else P99_TIMES_MAX)


def _growth_left(server: PinnedServer, before: int) -> str:
    """Waits until the memory that a flood took has returned; says how much is left, and after how long."""
    begin = time.monotonic()
    wait_until(
        lambda: server.memory().now - before < _GROWTH_BYTES_MAX,
        "the return of the memory",
        _RETURN_SECONDS_MAX,
        look_seconds=0.1,
    )
    left = (server.memory().now - before) / MIB
    return f"memory grew by {left:.1f} MiB, {time.monotonic() - begin:.1f} s later"


def _described(rounds: Sequence[FloodResult]) -> str:
    sent = ", ".join(f"{one.frames_sent:,}" for one in rounds)
    first = rounds[0]
    end = (
        "left open"
        if first.closed_seconds is None
        else f"closed after {first.closed_seconds:.2f} s {first.reason}".strip()
    )
    return f"{sent} frames over {sum(one.connections for one in rounds)} connections, the first {end}"
