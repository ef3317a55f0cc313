"""Processor time that metrics and a log line per call cost a small report.

benches/observability_cost.py [--pairs N] [--calls N] [--records N] [--no-check]

Two servers over equal directories share one core: one with metrics and a line of JSON per call, the other
with neither. A caller on the other core asks one, then the other, for a day by the hour, and their order
alternates. The figure is the median of the ratios of the pairs. Scrapes are measured apart, as their number
does not depend on that of the calls.
"""

import argparse
import os
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import grpc
import machine
from pegcount import core
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2, reports_pb2_grpc
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from server_process import ServerProcess, running_pegcount

RATIO_MAX: Final = 1.05
_CORES: Final = sorted(os.sched_getaffinity(0))
_SOURCE_COUNT: Final = 20
_BATCH_RECORDS: Final = 5_000
_DAY_S: Final = 1_773_014_400
"""2026-03-09T00:00:00Z."""
_WARM_CALLS: Final = 500
_SCRAPE_COUNT: Final = 20
_SCRAPE_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Observed:
    """A running server, and where its metrics are; None: it has none."""

    server: ServerProcess
    metrics_url: str | None

    def us_per_call(self, count: int) -> float:
        """Asks for the report `count` times; returns the processor time of each in microseconds."""
        with grpc.insecure_channel(self.server.address) as channel:
            stub = reports_pb2_grpc.ReportServiceStub(channel)
            stub.QueryOriginationQuality(_REPORT)
            before_s = self.server.cpu_seconds()
            for _ in range(count):
                answer = stub.QueryOriginationQuality(_REPORT)
            used_s = self.server.cpu_seconds() - before_s
        assert answer.totals.total_calls > 0
        return used_s / count * 1e6

    def ms_per_scrape(self, count: int) -> float:
        """Reads the metrics `count` times; returns the processor time of each in milliseconds."""
        assert self.metrics_url is not None
        before_s = self.server.cpu_seconds()
        for _ in range(count):
            with urllib.request.urlopen(self.metrics_url, timeout=30) as answer:
                assert b"grpc_server_handled_total" in answer.read()
        return (self.server.cpu_seconds() - before_s) / count * 1e3


_REPORT: Final = reports_pb2.QueryOriginationQualityRequest(
    account_id="1001",
    from_time="2026-03-09",
    to_time="2026-03-10",
    sampling=reports_pb2.GRANULARITY_HOUR,
)


def main() -> None:
    """Measures the pairs, prints their medians, and asserts the limit."""
    options = _options()
    if options.check and "debug" in core.core_version():
        raise SystemExit("the core is a debug build, whose figures say nothing: run `make build`")
    with tempfile.TemporaryDirectory(prefix="observability-") as name, ExitStack() as stack:
        scratch = Path(name)
        print(machine.facts(scratch))
        on = stack.enter_context(_serving(scratch / "on", options.records, has_both=True))
        off = stack.enter_context(_serving(scratch / "off", options.records, has_both=False))
        os.sched_setaffinity(0, {_CORES[-1]})
        for observed in (on, off):
            observed.us_per_call(_WARM_CALLS)
        pairs = [
            _pair(on, off, options.calls, is_on_first=number % 2 == 0) for number in range(options.pairs)
        ]
        scrape_ms = on.ms_per_scrape(_SCRAPE_COUNT)
        lines = (scratch / "on.log").read_text(encoding="utf-8").count("QueryOriginationQuality")
    ratio = median(with_both / without for with_both, without in pairs)
    on_us, off_us = (median(times) for times in zip(*pairs, strict=True))
    spread = sorted(with_both / without for with_both, without in pairs)
    print(f"{options.pairs} pairs of {options.calls:,} calls, medians of processor time per call:")
    print(f"metrics and log {on_us:8.1f} us")
    print(f"neither         {off_us:8.1f} us")
    print(f"ratio           {ratio:8.3f}, from {spread[0]:.3f} to {spread[-1]:.3f}; {on_us - off_us:+.1f} us")
    share = scrape_ms / 1e3 / _SCRAPE_SECONDS
    print(f"a scrape        {scrape_ms:8.1f} ms, {share:.3%} of a core at one per {_SCRAPE_SECONDS} s")
    assert lines >= options.pairs * options.calls, f"the log has {lines:,} lines"
    assert not options.check or ratio <= RATIO_MAX, ratio


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--calls", type=int, default=2_000, help="of each turn")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--no-check", dest="check", action="store_false", help="accept any ratio")
    return parser.parse_args()


def _pair(on: Observed, off: Observed, calls: int, *, is_on_first: bool) -> tuple[float, float]:
    """Returns the microseconds of a call with both, and of one with neither."""
    if is_on_first:
        return on.us_per_call(calls), off.us_per_call(calls)
    without = off.us_per_call(calls)
    return on.us_per_call(calls), without


@contextmanager
def _serving(directory: Path, records: int, *, has_both: bool) -> Iterator[Observed]:
    """Runs a server on the first core over a new directory."""
    _fill(directory, records)
    log = ("--log-format", "json", "--log-file", f"{directory}.log")
    port = _free_port()
    options = (
        ("--metrics-listen", f"127.0.0.1:{port}")
        if has_both
        else ("--metrics-listen", "none", "--no-call-log")
    )
    os.sched_setaffinity(0, {_CORES[0]})
    try:
        with running_pegcount(directory, options=(*log, *options)) as server:
            os.sched_setaffinity(0, set(_CORES))
            yield Observed(server, f"http://127.0.0.1:{port}/metrics" if has_both else None)
    finally:
        os.sched_setaffinity(0, set(_CORES))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _fill(directory: Path, count: int) -> None:
    store = EmbeddedStore(directory, Config(), create=True)
    for first, end in pairwise([*range(0, count, _BATCH_RECORDS), count]):
        records = [_record(number) for number in range(first, end)]
        store.write(WriteRecordsRequest(records=records).SerializeToString())
    store.flush()
    store.close()


def _record(number: int) -> SessionRecord:
    # A prime step spreads the calls over the day.
    setup_s = _DAY_S + number * 7_919 % 86_000
    return SessionRecord(
        source=f"sbc{number % _SOURCE_COUNT}",
        session_id=str(number),
        account_id="1001",
        setup_time={"seconds": setup_s},
        answer_time={"seconds": setup_s + 5},
        end_time={"seconds": setup_s + 65},
    )


if __name__ == "__main__":
    main()
