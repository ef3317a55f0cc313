"""An honest caller in a process of its own: a closed loop of health checks and small reports.

python -m load.caller ADDRESS [--callers N] [--kinds health,hours,minutes] [--pause SECONDS] [...]

The line `begin` on standard input starts a measurement; `end` ends it and prints its figures as one line of
JSON, by kind of call.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.v1 import reports_pb2, reports_pb2_grpc

from load.entrance import Entrance
from load.traffic import ACCOUNT, day_report

TESTS = Path(__file__).parents[1]
KINDS = ("health", "hours", "minutes")
"""Health checks, and reports of one day by hour and by minute."""
_PAUSE_SECONDS = 0.002
"""Default pause after each call."""
_CALL_SECONDS_MAX = 5.0
_MEASURE_SECONDS_MAX = 600.0

_GRANULARITIES = {"hours": reports_pb2.GRANULARITY_HOUR, "minutes": reports_pb2.GRANULARITY_MINUTE}

Call = Callable[[], object]


@dataclass(slots=True)
class Figures:
    """Latencies in milliseconds, of failed calls too, and the statuses of the calls of one kind."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    statuses: dict[str, int]

    @property
    def failed_count(self) -> int:
        return self.count - self.statuses.get("OK", 0)


@dataclass(slots=True)
class _Samples:
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def figures(self) -> Figures:
        latencies = self.latencies_ms or [0.0]
        percentiles = (
            statistics.quantiles(latencies, n=100, method="inclusive")
            if len(latencies) > 1
            else latencies * 99
        )
        count = len(self.latencies_ms)
        return Figures(count, percentiles[49], percentiles[98], max(latencies), dict(self.statuses))


class Caller:
    """The parent's side of a caller process. The end of the `with` block ends the process."""

    def __init__(self, entrance: Entrance | str, *options: str) -> None:
        """`entrance` may be the address of a server in plain text."""
        arguments = [entrance] if isinstance(entrance, str) else entrance.arguments()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "load.caller", *arguments, *options],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        self._say("begin")

    def end(self) -> dict[str, Figures]:
        """Ends the measurement and returns its figures by kind of call."""
        self._say("end")
        return {kind: Figures(**figures) for kind, figures in json.loads(self._line()).items()}

    def measure(self, seconds: float) -> dict[str, Figures]:
        self.begin()
        time.sleep(seconds)
        return self.end()

    def __enter__(self) -> "Caller":
        assert self._line() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class _Loop:
    """Threads that repeat calls until they are told to end."""

    def __init__(
        self, channel: grpc.Channel, entrance: Entrance, kinds: Sequence[str], options: argparse.Namespace
    ) -> None:
        callers = options.callers
        self._pause_seconds = options.pause
        self._calls = {kind: _call(channel, entrance, kind, options.timeout) for kind in kinds}
        self._samples = [{kind: _Samples() for kind in kinds} for _ in range(callers)]
        self._ended = threading.Event()
        self._deadline = time.monotonic() + _MEASURE_SECONDS_MAX
        self._threads = [
            threading.Thread(target=self._run, args=(samples,), daemon=True) for samples in self._samples
        ]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> dict[str, Figures]:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return {kind: _together([samples[kind] for samples in self._samples]) for kind in self._calls}

    def _run(self, samples: dict[str, _Samples]) -> None:
        while not self._ended.is_set() and time.monotonic() < self._deadline:
            for kind, call in self._calls.items():
                _measure(call, samples[kind])
                time.sleep(self._pause_seconds)


def _together(parts: Sequence[_Samples]) -> Figures:
    whole = _Samples()
    for part in parts:
        whole.latencies_ms += part.latencies_ms
        whole.statuses += part.statuses
    return whole.figures()


def _measure(call: Call, samples: _Samples) -> None:
    begin = time.perf_counter()
    try:
        call()
        status = "OK"
    except grpc.RpcError as error:
        status = status_of(error)
    samples.latencies_ms.append((time.perf_counter() - begin) * 1e3)
    samples.statuses[status] += 1


def status_of(error: grpc.RpcError) -> str:
    """Returns the name of the status of a failed call."""
    assert isinstance(error, grpc.Call)
    return str(error.code().name)


def _call(channel: grpc.Channel, entrance: Entrance, kind: str, timeout: float) -> Call:
    metadata = tuple(entrance.headers())
    if kind == "health":
        check = health_pb2_grpc.HealthStub(channel).Check
        return lambda: check(health_pb2.HealthCheckRequest(), timeout=timeout, metadata=metadata)
    query = reports_pb2_grpc.ReportServiceStub(channel).QueryOriginationQuality
    question = day_report(ACCOUNT, _GRANULARITIES[kind])
    return lambda: query(question, timeout=timeout, metadata=metadata)


def main(arguments: Sequence[str]) -> None:
    """Obeys the lines on standard input."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address")
    parser.add_argument("--authority", type=Path, help="file of the authority of TLS")
    parser.add_argument("--key", default="", help="what each call sends")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--service-config", type=Path)
    parser.add_argument("--pause", type=float, default=_PAUSE_SECONDS, help="seconds after each call")
    parser.add_argument("--timeout", type=float, default=_CALL_SECONDS_MAX, help="seconds of each call")
    options = parser.parse_args(arguments)
    channel_options = (
        [("grpc.service_config", options.service_config.read_text(encoding="utf-8"))]
        if options.service_config
        else []
    )
    kinds = options.kinds.split(",")
    entrance = Entrance(options.address, options.authority, options.key)
    with entrance.channel(channel_options) as channel:
        for kind in kinds:
            _measure(_call(channel, entrance, kind, options.timeout), _Samples())  # Opens the connection.
        print("ready", flush=True)
        for line in sys.stdin:
            if line == "begin\n":
                loop = _Loop(channel, entrance, kinds, options)
                loop.begin()
            else:
                figures = {kind: asdict(figures) for kind, figures in loop.end().items()}
                print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
