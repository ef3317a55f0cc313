"""Floods of frames over one connection: other callers do not notice, and the memory does not grow."""

import math
import time
from collections.abc import Sequence

import pytest

from load.attacks import FLOODS, FloodResult, attacker, flood
from load.caller import Caller
from load.comparison import P99_TIMES_MAX, Comparison
from load.pinned_server import MIB, PinnedServer

_FLOOD_SECONDS = 5.0
_RESULT_SECONDS_MAX = 60.0
_GROWTH_BYTES_MAX = 64 * MIB
_RELEASE_SECONDS = 2.0
"""Time for the server to release what the last connection took."""


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_harms_nobody(any_server: PinnedServer, kind: str) -> None:
    _flood_and_check(any_server, kind, reconnect=False)


def test_a_flood_that_reconnects_makes_no_call_fail(any_server: PinnedServer) -> None:
    # Each new connection costs the server its share of time before it can tell that this is a flood.
    _flood_and_check(any_server, "RST_STREAM", reconnect=True)


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
        time.sleep(_RELEASE_SECONDS)
        growth = server.memory().now - before
    print(f"\nflood of {kind}{', reconnecting' if reconnect else ''}: {_described(rounds)};", end=" ")
    print(f"memory grew by {growth / MIB:.1f} MiB, {len(server.log_lines())} lines in the log")
    print(comparison.table())
    comparison.check(math.inf if reconnect else P99_TIMES_MAX)
    assert growth < _GROWTH_BYTES_MAX


def _described(rounds: Sequence[FloodResult]) -> str:
    sent = ", ".join(f"{one.frames_sent:,}" for one in rounds)
    first = rounds[0]
    end = (
        "left open"
        if first.closed_seconds is None
        else f"closed after {first.closed_seconds:.2f} s {first.reason}".strip()
    )
    return f"{sent} frames over {sum(one.connections for one in rounds)} connections, the first {end}"
