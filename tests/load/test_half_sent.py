"""Calls whose request never comes: they end in time, and other callers do not notice."""

from collections import Counter
from collections.abc import Sequence

import pytest

from load.attacks import attacker, half_sent_calls
from load.caller import Caller
from load.comparison import Comparison
from load.http2_peer import CLOSED, StreamEnd
from load.pinned_server import PinnedServer

REQUEST_READ_SECONDS = 10.0
"""`Config.request_read_seconds`."""
_ANSWER_SECONDS_MAX = 1.0
"""Time for the answers to arrive, and for the attacker to read them."""
# The server refuses calls beyond those that it allows on one connection at once.
_ENDS = {"DEADLINE_EXCEEDED", "RST_STREAM REFUSED_STREAM", "RST_STREAM ENHANCE_YOUR_CALM", CLOSED}
_WAIT_SECONDS = REQUEST_READ_SECONDS + 5


@pytest.mark.parametrize(
    ("connections", "calls_each"), [(50, 100), (1, 128)], ids=["50x100", "one-connection"]
)
def test_half_sent_calls_end_and_harm_nobody(
    any_server: PinnedServer, connections: int, calls_each: int
) -> None:
    server = any_server
    comparison = Comparison(server)
    with attacker() as pool, Caller(server.entrance) as caller:
        rounds = comparison.run(
            caller,
            lambda: pool.submit(
                half_sent_calls, server.entrance, connections, calls_each, _WAIT_SECONDS
            ).result(),
        )
    ends = [end for one in rounds for end in one]
    print(f"\nhalf-sent calls, {connections} x {calls_each}, {len(rounds)} rounds: {_described(ends)}")
    print(comparison.table())
    assert {end.how for end in ends} <= _ENDS
    assert max(end.seconds for end in ends) < REQUEST_READ_SECONDS + _ANSWER_SECONDS_MAX
    comparison.check()


def _described(ends: Sequence[StreamEnd]) -> str:
    counts = Counter(end.how for end in ends)
    return ", ".join(
        f"{count:,} {how} after {min(_seconds(ends, how)):.2f} to {max(_seconds(ends, how)):.2f} s"
        for how, count in counts.items()
    )


def _seconds(ends: Sequence[StreamEnd], how: str) -> list[float]:
    return [end.seconds for end in ends if end.how == how]
