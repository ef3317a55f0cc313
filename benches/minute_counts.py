"""ClickBench's query 43 in its own shape: page views of one counter over two days, by minute.

    SELECT date_trunc('minute', EventTime) AS m, count(*) FROM hits WHERE CounterID = 62 AND IsRefresh = 0
    AND EventDate BETWEEN '2013-07-14' AND '2013-07-15' AND DontCountHits = 0 GROUP BY m ORDER BY m

The table is made up with the proportions of ClickBench's: 31 days with a daily curve, 6,500 counters of
which number 62 has 0.74 % of the rows, and two flags. A page view is a call here: the counter is its account,
a refresh is an attempt that is not the last one, and a hit that does not count is of another kind. DuckDB
and ClickHouse have it sorted by counter and time. Rounds alternate, and all answers are compared.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray
from peers import wire
from peers.page_views import COUNTER, COUNTERS, NOW_US, Counts, Subject, chunks
from peers.pegcount_engine import write
from pegcount import core
from pegcount.config import Config
from pegcount.server.call_clock import CallClock
from pegcount.server.traffic import TrafficService
from pegcount.server.visible_records import VisibleRecords
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_ASR, SESSION_KIND_CALL, SessionRecord

ROOT = Path(__file__).parents[1]
_REQUEST = traffic_pb2.QueryTrafficRequest(
    from_time="2013-07-14",
    to_time="2013-07-16",
    granularity=reports_pb2.GRANULARITY_MINUTE,
    metrics=[traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS)],
    filters=[
        traffic_pb2.TrafficFilter(
            dimension=traffic_pb2.TRAFFIC_DIMENSION_ACCOUNT_ID, texts=[f"c{COUNTER:04d}"]
        )
    ],
)


def main() -> None:
    """Loads what is not loaded yet, runs the rounds and prints the medians."""
    options = _options()
    folder = options.scratch.resolve() / f"minute-counts-{options.records}"
    folder.mkdir(parents=True, exist_ok=True)
    loaded = _load(folder, options.records, with_peers=not options.no_peers)
    subjects: dict[str, Subject] = {"Pegcount": _Pegcount(folder)}
    if not options.no_peers:
        # Imported here, so that the bench also runs without the peers installed.
        from peers import page_view_tables  # noqa: PLC0415

        subjects["DuckDB"] = page_view_tables.DuckDb(folder)
        subjects["ClickHouse"] = page_view_tables.ClickHouse(folder)
    times = _rounds(subjects, options.rounds)
    lines = [
        f"## {machine.today()}: query 43 of ClickBench, {options.records:,} rows, {options.rounds} rounds",
        "",
    ]
    lines += [machine.facts(folder), "", *loaded, *_lines(times)]
    print("\n".join(lines))
    if options.record is not None:
        with (options.record / f"{machine.today()}-minute-counts.md").open("a", encoding="utf-8") as file:
            file.write("\n".join([*lines, "", ""]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000_000, help="page views")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-peers", action="store_true", help="measures Pegcount alone")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--record", type=Path, default=None, help="folder of the record files")
    return parser.parse_args()


def _load(folder: Path, count: int, *, with_peers: bool) -> list[str]:
    """Loads each store that is not loaded yet, and returns how fast."""
    lines = []
    loads: dict[str, Callable[[Path, int], None]] = {"ours": _load_ours}
    if with_peers:
        from peers import page_view_tables  # noqa: PLC0415

        loads["duckdb.db"] = page_view_tables.load_duckdb
        loads["clickhouse"] = page_view_tables.load_clickhouse
    for name, load in loads.items():
        marker = folder / f"{name}.complete"
        if not marker.exists():
            start_s = time.perf_counter()
            load(folder / name, count)
            seconds = time.perf_counter() - start_s
            lines.append(f"{name}: loaded in {seconds:.0f} s, {count / seconds:,.0f} rows a second")
            marker.touch()
    return lines


def _load_ours(directory: Path, count: int) -> None:
    store = _store(directory, create=True)
    entries = _encoded_entries()
    for rows in chunks(count):
        write(store, _requests(rows, entries), 0)
    store.flush()
    store.maintain()
    store.close()


def _encoded_entries() -> NDArray[np.void]:
    """Returns the encoded fields of each counter and pair of flags, all of one width."""
    texts = [
        SessionRecord(
            account_id=f"c{counter:04d}",
            is_last_attempt=not refresh,
            kind=SESSION_KIND_ASR if skipped else SESSION_KIND_CALL,
        ).SerializeToString()
        for counter in range(COUNTERS)
        for refresh in (False, True)
        for skipped in (False, True)
    ]
    return np.frombuffer(b"".join(texts), f"V{len(texts[0])}")


def _requests(rows: NDArray[np.void], entries: NDArray[np.void]) -> Iterator[bytes]:
    codes = (rows["counter"].astype(np.int64) * 2 + rows["refresh"]) * 2 + rows["skipped"]
    columns = [
        wire.ids(rows),
        wire.times("setup_us", rows["us"]),
        wire.times("end_us", rows["us"]),
        entries[codes],
    ]
    records = wire.joined(columns, len(rows))
    for first in range(0, len(rows), wire.BATCH_ROWS):
        yield records[first : first + wire.BATCH_ROWS].tobytes()


def _store(directory: Path, *, create: bool) -> EmbeddedStore:
    return EmbeddedStore(directory, Config(), create=create, clock=lambda: NOW_US)


class _Pegcount:
    """The store and the service over it, without the transport of gRPC."""

    def __init__(self, folder: Path) -> None:
        self._service = TrafficService(Config(), lambda: NOW_US)
        self._records = VisibleRecords(_store(folder / "ours", create=False))
        self._request = _REQUEST.SerializeToString()

    def ask(self) -> Any:
        token = core.CancelToken(None)
        return self._service.traffic(self._request, self._records, token).answer(token, CallClock()).data

    def counts(self, asked: Any) -> Counts:
        return np.array(traffic_pb2.QueryTrafficResponse.FromString(asked).columns[0].integers, np.int64)


def _rounds(subjects: Mapping[str, Subject], count: int) -> dict[str, list[float]]:
    """Returns the milliseconds of each subject by round, after one that warms up; compares all answers."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    expected: Counts | None = None
    for number in range(count + 1):
        names = list(subjects)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            subject = subjects[name]
            subject.ask()
            start_s = time.perf_counter()
            asked = subject.ask()
            elapsed_ms = (time.perf_counter() - start_s) * 1_000
            counts = subject.counts(asked)
            expected = counts if expected is None else expected
            assert np.array_equal(counts, expected), f"{name} counts otherwise"
            if number:
                times[name].append(elapsed_ms)
    assert expected is not None
    assert expected.sum() > 0
    return times


def _lines(times: Mapping[str, list[float]]) -> list[str]:
    ours = statistics.median(times["Pegcount"])
    return [
        f"{name}: {statistics.median(found):.3f} ms ({min(found):.3f} to {max(found):.3f}),"
        f" {statistics.median(found) / ours:.1f} times ours"
        for name, found in times.items()
    ]


if __name__ == "__main__":
    main()
