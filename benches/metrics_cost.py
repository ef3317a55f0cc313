"""What metrics cost in processor time: the observer, for each call, and a scrape with many sources.

python benches/metrics_cost.py [--sources 200]
"""

import argparse
import gzip
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from pegcount.config import Config
from pegcount.counters import SecondsHistogram, SourceCounters, StoreCounters
from pegcount.errors import OverloadedError
from pegcount.metrics import ServerMetrics
from pegcount.server import CallKind, ObservedCall, RunningServer
from pegcount.store import EmbeddedStore
from prometheus_client import generate_latest

_ROUNDS, _CALLS, _SCRAPES = 7, 20_000, 20
_METHOD = "pegcount.v1.ReportService/QueryAsrUsage"
_SYNCS = SecondsHistogram(tuple(0.0001 * 2**n for n in range(16)), (10,) * 17, 1.0)


class _CountedStore(EmbeddedStore):
    """A store with given counters."""

    counted = StoreCounters()

    def counters(self) -> StoreCounters:
        return self.counted


def main(arguments: list[str]) -> None:
    """Prints the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=200)
    source_count = parser.parse_args(arguments).sources
    metrics = ServerMetrics()
    answered = ObservedCall(_METHOD, True, "ipv4:127.0.0.1:1", seconds=0.0007, kind=CallKind.UNARY)
    refused = ObservedCall(_METHOD, True, "ipv4:127.0.0.1:1", error=OverloadedError("busy", 1.0))
    for name, call in (("answered", answered), ("refused", refused)):
        print(f"observer, {name} call: {_observer_us(metrics, call):.2f} us")
    with tempfile.TemporaryDirectory() as directory:
        _print_scrape(metrics, Path(directory), source_count)


def _observer_us(metrics: ServerMetrics, call: ObservedCall) -> float:
    def observe_all() -> None:
        for _ in range(_CALLS):
            metrics.calls.call_ended(call)

    return _median_seconds(observe_all) / _CALLS * 1e6


def _print_scrape(metrics: ServerMetrics, directory: Path, source_count: int) -> None:
    store = _CountedStore(directory, Config(), create=True)
    store.counted = StoreCounters(
        commit_syncs=_SYNCS,
        flushes=_SYNCS,
        compactions=_SYNCS,
        sources={
            f"switch-{number}": SourceCounters(1, 2, 3, {"REJECT_REASON_TIME_ORDER": 1}, 10**6, 10**6)
            for number in range(source_count)
        },
    )
    server = RunningServer(Config(), store, "127.0.0.1:0")
    metrics.watch_store(store)
    metrics.watch_server(server.state)

    def scrape_all() -> None:
        for _ in range(_SCRAPES):
            generate_latest(metrics.registry)

    seconds = _median_seconds(scrape_all) / _SCRAPES
    text = generate_latest(metrics.registry)
    assert text.count(b'outcome="accepted"') == source_count
    lines, packed = text.count(b"\n"), len(gzip.compress(text))
    print(f"scrape, {source_count} sources: {seconds * 1e3:.1f} ms, {lines:,} lines")
    print(f"its text: {len(text):,} bytes, {packed:,} with gzip")
    server.stop()
    metrics.close()
    store.close()


def _median_seconds(work: Callable[[], None]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        begin = process_time()
        work()
        seconds.append(process_time() - begin)
    return statistics.median(seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
