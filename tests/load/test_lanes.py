"""A small report beside many callers of the dearest legal requests: it has a lane of its own."""

import time
from pathlib import Path
from statistics import median

import pytest

from load.dear_requests import Request, dearest_reports, small_report
from load.overload import CALL_SECONDS_MAX, Load, Overload
from load.pinned_server import MIB, PinnedServer

_DEAR_CALLER_COUNT = 64
_ROUND_COUNT = 3
_SECONDS = 3.0
_WARM_SECONDS = 1.0
_P99_TIMES_MAX = 5.0


@pytest.mark.parametrize("dear", dearest_reports(), ids=lambda request: str(request.name))
def test_a_small_report_does_not_wait_behind_dear_ones(
    dear_server: PinnedServer, tmp_path: Path, dear: Request
) -> None:
    small = Overload(dear_server.address, [small_report()], tmp_path, niceness=0)
    many = Overload(dear_server.address, [dear], tmp_path)
    idle, beside, dear_loads = [], [], []
    for _ in range(_ROUND_COUNT):
        idle.append(_one_caller(small))
        length = _SECONDS + 2 * _WARM_SECONDS
        running = many.started(length, f"--callers={_DEAR_CALLER_COUNT}", f"--timeout={CALL_SECONDS_MAX}s")
        time.sleep(_WARM_SECONDS)
        beside.append(_one_caller(small))
        dear_loads.append(many.ended(running, length))
        dear_server.wait_until_quiet(CALL_SECONDS_MAX)
    times = median(load.p99_ms for load in beside) / median(load.p99_ms for load in idle)
    print(f"\na small report, and {_DEAR_CALLER_COUNT} callers of {dear.name}: ", end="")
    print(f"{times:.1f} times the p99, {dear_server.memory().now / MIB:.0f} MiB")
    for name, loads in (("alone", idle), ("beside", beside), ("dear ones", dear_loads)):
        print(f"{name}, median p99 {median(load.p99_ms for load in loads):.1f} ms\n{loads[-1].table()}")
    assert all(set(load.statuses) == {"OK"} for load in beside)
    assert times < _P99_TIMES_MAX


def _one_caller(overload: Overload) -> Load:
    return overload.run(_SECONDS, "--callers=1", "--connections=1", f"--timeout={CALL_SECONDS_MAX}s")
