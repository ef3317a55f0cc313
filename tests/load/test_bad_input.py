"""Input that no client library sends: documented codes, flat memory and few lines in the log."""

import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest
from hyperframe.frame import DataFrame
from pegcount.config import Config

from load.attacks import HEALTH, REPORT, UNKNOWN
from load.caller import KINDS, Caller
from load.entrance import Entrance
from load.http2_peer import CLOSED, OPEN, Peer, message
from load.pinned_server import MIB, PinnedServer

_WAIT_SECONDS = 15.0
"""More than a server waits for the rest of a request."""
_GROWTH_BYTES_MAX = 64 * MIB
_METADATA_BYTES = 20 * 1024
_BOMB_MIB = 1_500
_HONEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BadInput:
    """What to send over each of some connections, and how its call or connection may end."""

    name: str
    send: Callable[[Peer], None]
    allowed: frozenset[str]
    connections: int = 20
    opening: bytes | None = None
    """What is sent first instead of the preface and SETTINGS."""


def _nothing(_: Peer) -> None:
    pass


def _half_headers(peer: Peer) -> None:
    _, frame = peer.headers(peer.block(REPORT))
    peer.send(frame[: len(frame) // 2])


def _half_data(peer: Peer) -> None:
    stream = peer.open_call(peer.block(REPORT))
    frame = DataFrame(stream, message(bytes(1_000)), flags=["END_STREAM"]).serialize()
    peer.send(frame[: len(frame) // 2])


def _half_message(peer: Peer) -> None:
    _send_once(peer, peer.block(REPORT), message(bytes(1_000))[:500])


def _no_message(peer: Peer) -> None:
    peer.open_call(peer.block(REPORT), end_stream=True)


def _two_messages(peer: Peer) -> None:
    _send_once(peer, peer.block(HEALTH), message(b"") * 2)


def _unknown_method(peer: Peer) -> None:
    _send_once(peer, peer.block(UNKNOWN), message(b""))


def _unknown_service(peer: Peer) -> None:
    _send_once(peer, peer.block("/no.such.Service/Method"), message(b""))


def _large_metadata(peer: Peer) -> None:
    _send_once(peer, peer.block(HEALTH, [("x-large", "a" * _METADATA_BYTES)]), message(b""))


def _wrong_content_type(peer: Peer) -> None:
    _send_once(peer, peer.block(HEALTH, content_type="text/html"), message(b""))


def _no_protobuf(peer: Peer) -> None:
    _send_once(peer, peer.block(REPORT), message(b"\xff" * 100))


def _unknown_encoding(peer: Peer) -> None:
    _send_once(peer, peer.block(HEALTH, [("grpc-encoding", "none-such")]), message(b"\0", compressed=True))


def _long_message(peer: Peer) -> None:
    length = (Config().request_bytes_max + 1).to_bytes(4, "big")
    _send_once(peer, peer.block(REPORT), b"\0" + length + bytes(1_000), end_stream=False)


def _bomb(peer: Peer) -> None:
    _send_once(peer, peer.block(REPORT, [("grpc-encoding", "gzip")]), message(_zeros(), compressed=True))


def _send_once(peer: Peer, block: bytes, data: bytes, end_stream: bool = True) -> None:
    stream = peer.open_call(block)
    peer.send_data(stream, data, time.monotonic() + _WAIT_SECONDS, end_stream)


@cache
def _zeros() -> bytes:
    """Returns a gzip stream of zeros, a thousandth of their size, without ever holding the zeros."""
    gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MIB)
    return b"".join(gzip.compress(zeros) for _ in range(_BOMB_MIB)) + gzip.flush()


TOO_LARGE = frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE", CLOSED})
INVALID = frozenset({"INVALID_ARGUMENT", "UNIMPLEMENTED", "UNAVAILABLE", CLOSED})
LATE = frozenset({"DEADLINE_EXCEEDED", "UNAVAILABLE", CLOSED})
BAD_INPUTS = [
    # Without a call, a half frame is nothing but an idle connection.
    BadInput("half a HEADERS frame", _half_headers, frozenset({CLOSED, OPEN})),
    BadInput("half a DATA frame", _half_data, LATE),
    BadInput("half a message", _half_message, LATE | INVALID),
    BadInput("no message", _no_message, LATE | INVALID),
    BadInput("two messages", _two_messages, INVALID | {"OK"}),
    BadInput("unknown method", _unknown_method, frozenset({"UNIMPLEMENTED"})),
    BadInput("unknown service", _unknown_service, frozenset({"UNIMPLEMENTED"})),
    BadInput("metadata of 20 KiB", _large_metadata, TOO_LARGE),
    # gRPC reads the request whatever the content type, which the service does not learn.
    BadInput("wrong content type", _wrong_content_type, INVALID | {"OK"}),
    BadInput("no protobuf", _no_protobuf, frozenset({"INVALID_ARGUMENT"})),
    # The codes of gRPC itself.
    BadInput("unknown encoding", _unknown_encoding, INVALID | {"INTERNAL"}),
    BadInput("message longer than allowed", _long_message, TOO_LARGE),
    BadInput("gzip bomb", _bomb, TOO_LARGE | {"INVALID_ARGUMENT"}, connections=3),
    BadInput("HTTP/1.1", _nothing, frozenset({CLOSED}), opening=b"GET / HTTP/1.1\r\nHost: pegcount\r\n\r\n"),
    BadInput("garbage", _nothing, frozenset({CLOSED}), opening=bytes(range(256)) * 64),
]


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.name.replace(" ", "-"))
def test_bad_input_gets_a_documented_code(any_server: PinnedServer, bad: BadInput) -> None:
    server = any_server
    with Caller(server.entrance) as caller:
        caller.measure(_HONEST_SECONDS)
        server.reset_peak()
        before, begin = server.memory().now, time.monotonic()
        ends = _send_all(server.entrance, bad)
        growth = server.memory().peak - before
        figures = caller.measure(_HONEST_SECONDS)
    lines = server.log_lines()
    print(
        f"\n{bad.name:<28} {', '.join(f'{count} {how}' for how, count in ends.items()):<34}"
        f" {growth / MIB:>8.1f} MiB {len(lines):>4} lines in the log"
    )
    assert set(ends) <= bad.allowed
    assert growth < _GROWTH_BYTES_MAX
    assert len(lines) <= 1 + (time.monotonic() - begin) // 60, lines[:20]
    assert [figures[kind].failed_count for kind in KINDS] == [0] * len(KINDS)


def _send_all(entrance: Entrance, bad: BadInput) -> Counter[str]:
    """Sends the input over all connections, and returns how often their calls or connections ended how."""
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(entrance, opening=bad.opening)) for _ in range(bad.connections)]
        for peer in peers:
            bad.send(peer)
        deadline = time.monotonic() + _WAIT_SECONDS
        for peer in peers:
            _wait(peer, deadline - time.monotonic())
        return Counter(_end(peer) for peer in peers)


def _wait(peer: Peer, seconds: float) -> None:
    if peer.ends():
        peer.wait_for_ends(seconds)
    else:
        peer.wait_for_close(seconds)


def _end(peer: Peer) -> str:
    ends = peer.ends()
    if ends:
        return ends[0].how
    return CLOSED if peer.is_closed else OPEN
