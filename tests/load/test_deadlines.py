"""Processor time that the server spends on a report after its deadline, or after its caller has left."""

import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median

import grpc
import pytest

from load.dear_calls import DEAREST, dear_call, request_of
from load.pinned_server import PinnedServer

_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the time of the whole report after which it is stopped: each meets another phase."""
_TRIES = 3
_LOOK_SECONDS = 0.4
_CPU_SECONDS_MAX = 0.05

End = Callable[["grpc.UnaryUnaryMultiCallable[bytes, bytes]", bytes, float], None]


def _pass_deadline(
    call: "grpc.UnaryUnaryMultiCallable[bytes, bytes]", request: bytes, seconds: float
) -> None:
    # A report that is faster than usual ends before.
    with suppress(grpc.RpcError):
        call(request, timeout=seconds)


def _leave(call: "grpc.UnaryUnaryMultiCallable[bytes, bytes]", request: bytes, seconds: float) -> None:
    running = call.future(request)
    time.sleep(seconds)
    running.cancel()


@pytest.mark.parametrize("end", [_pass_deadline, _leave], ids=["deadline", "cancelled"])
def test_a_report_that_nobody_waits_for_costs_no_time(distinct_server: PinnedServer, end: End) -> None:
    worst = 0.0
    print(
        f"\nms of processor time after the end, by share of the report's time\n{'':<26}{'whole ms':>9}",
        end="",
    )
    print("".join(f"{share:>7.0%}" for share in _SHARES))
    with grpc.insecure_channel(distinct_server.address, [("grpc.max_receive_message_length", -1)]) as channel:
        for name in DEAREST:
            whole_seconds, after = _figures(distinct_server, channel, name, end)
            worst = max(worst, *after)
            print(f"{name:<26}{whole_seconds * 1e3:>9.0f}" + "".join(f"{cpu * 1e3:>7.0f}" for cpu in after))
    assert worst <= _CPU_SECONDS_MAX


def _figures(server: PinnedServer, channel: grpc.Channel, name: str, end: End) -> tuple[float, list[float]]:
    """Returns the seconds of the whole report, and the processor time after its end, by share."""
    call, request = dear_call(channel, name), request_of(name)
    times = []
    for _ in range(_TRIES):
        begin = time.monotonic()
        call(request)
        times.append(time.monotonic() - begin)
    whole_seconds = median(times)

    def cpu_after(share: float) -> float:
        return _cpu_after(server, lambda: end(call, request, whole_seconds * share))

    return whole_seconds, [median(cpu_after(share) for _ in range(_TRIES)) for share in _SHARES]


def _cpu_after(server: PinnedServer, end: Callable[[], None]) -> float:
    """Returns the processor time of the server after `end`, less that of an idle server."""
    before = server.cpu_seconds()
    time.sleep(_LOOK_SECONDS)
    idle = server.cpu_seconds() - before
    end()
    ended = server.cpu_seconds()
    time.sleep(_LOOK_SECONDS)
    return max(0.0, server.cpu_seconds() - ended - idle)
