"""Watches of traffic under load: what 64 watchers of 8 queries cost the server each second.

Calls of the last thirty days are in the store, and further ones arrive at a steady rate. The processor time
of the server is measured without watchers, and then with them. Asserts that each watcher gets a snapshot and
then updates, and that watchers of one query get the same figures. `--help` lists the options.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
from google.protobuf import json_format
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from pegcount.v1.records_pb2_grpc import RecordServiceStub
from pegcount.v1.traffic_pb2 import WatchTrafficRequest
from pegcount.v1.traffic_pb2_grpc import TrafficServiceStub
from pegcount.zone import US_PER_DAY
from server_process import ServerProcess, running_pegcount
from traffic import DAYS, FROM_US, batches

SEED = 20_260_310
WATCHERS_PER_CONNECTION = 16
"""Fewer than a server lets one connection call at once."""
FEED_BATCHES_PER_SECOND = 4
FEED_AGE_US = 1_200_000_000
"""Age of a call that arrives: longer than nearly all calls last."""
SETTLE_SECONDS = 5.0
_METRICS = ("CALLS", "ASR", "ACD", "CPS")
_GROUPS = ("ACCOUNT_ID", "TENANT_ID", "FOLDER", "APP_ID", "AGENT_ID")


def main() -> None:
    """Prints the processor time of the server, without watchers and with them."""
    options = _options()
    with ExitStack() as opened:
        store = options.store or Path(opened.enter_context(tempfile.TemporaryDirectory(dir=options.scratch)))
        if options.store is None:
            _fill(store, options.records)
        limits = ("--set", f"watch_stream_count_per_peer_max={options.watchers}")
        server = opened.enter_context(running_pegcount(store, options=limits))
        opened.enter_context(_feed(server.address, options.rate))
        time.sleep(SETTLE_SECONDS)
        without = _cpu_share(server, options.seconds)
        print(f"without watchers: {without:.3f} s of processor time per second")
        watchers = [_Watcher(_request(number % options.queries)) for number in range(options.watchers)]
        for first in range(0, len(watchers), WATCHERS_PER_CONNECTION):
            channel = opened.enter_context(grpc.insecure_channel(server.address, _own_connection()))
            for watcher in watchers[first : first + WATCHERS_PER_CONNECTION]:
                watcher.start(TrafficServiceStub(channel))
        time.sleep(SETTLE_SECONDS)
        with_all = _cpu_share(server, options.seconds)
        for watcher in watchers:
            watcher.stop()
        _report(watchers, options, without, with_all)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=20_000_000)
    parser.add_argument("--store", type=Path, default=None, help="directory that has records already")
    parser.add_argument("--rate", type=int, default=200, help="records per second that arrive")
    parser.add_argument("--watchers", type=int, default=64)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--scratch", type=Path, default=None, help="directory for the data")
    return parser.parse_args()


def _fill(directory: Path, record_count: int) -> None:
    """Writes calls whose last day ends now."""
    store = EmbeddedStore(directory, Config(), create=True)
    later_us = time.time_ns() // 1_000 - FROM_US - (DAYS + 1) * US_PER_DAY
    for batch in batches(record_count, SEED):
        for record in batch.records:
            _move(record, later_us)
        store.write(batch.SerializeToString())
    store.close()


def _move(record: SessionRecord, later_us: int) -> None:
    for name in ("setup_time", "answer_time", "end_time"):
        if record.HasField(name):
            moment = getattr(record, name)
            moment.FromMicroseconds(moment.ToMicroseconds() + later_us)


@contextmanager
def _feed(address: str, rate: int) -> Iterator[None]:
    """Writes calls that were set up just now, until the end of the block."""
    is_over = threading.Event()

    def batches_of_now() -> Iterator[WriteRecordsRequest]:
        count = max(1, rate // FEED_BATCHES_PER_SECOND)
        for number, batch in enumerate(batches(2**40, SEED + 1)):
            if is_over.wait(1 / FEED_BATCHES_PER_SECOND):
                return
            del batch.records[count:]
            for record in batch.records:
                record.session_id = f"feed-{number}-{record.session_id}"
                _move(record, time.time_ns() // 1_000 - FEED_AGE_US - record.setup_time.ToMicroseconds())
            yield batch

    def write() -> None:
        with grpc.insecure_channel(address) as channel:
            for answer in RecordServiceStub(channel).WriteRecords(batches_of_now()):
                assert not answer.rejected, answer

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _request(number: int) -> WatchTrafficRequest:
    """Builds one of the queries: minutes of the last hour, by one of the dimensions or of all calls."""
    group = _GROUPS[number % len(_GROUPS)]
    query = {
        "metrics": [{"metric": f"TRAFFIC_METRIC_{name}"} for name in _METRICS],
        "granularity": "GRANULARITY_MINUTE",
        "group_by": [{"dimension": f"TRAFFIC_DIMENSION_{group}"}],
        "top": {"limit": 20 + number, "other": True},
    }
    low = {"metric": 1, "comparison": "ALERT_COMPARISON_BELOW", "threshold": 40, "least_denominator": 20}
    given = {"query": query, "last_bins": 60, "interval_ms": 1_000, "rules": [{**low, "bins": 3}]}
    return json_format.ParseDict(given, WatchTrafficRequest())


class _Watcher:
    """One stream, read by a thread of its own."""

    def __init__(self, request: WatchTrafficRequest) -> None:
        self.request = request
        self.message_count = 0
        self.byte_count = 0
        self.told: dict[str, bytes] = {}
        """What each instant was told as, without what is the stream's own."""

    def start(self, stub: TrafficServiceStub) -> None:
        self._call = stub.WatchTraffic(self.request)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def stop(self) -> None:
        self._call.cancel()
        self._thread.join()

    def _read(self) -> None:
        # Its end is that `stop` cancels it.
        with suppress(grpc.RpcError):
            for message in self._call:
                assert message.HasField("snapshot") or self.message_count, "a snapshot comes first"
                assert message.revision == self.message_count + 1
                self.message_count += 1
                self.byte_count += message.ByteSize()
                if message.HasField("update"):
                    self.told[message.as_of] = message.update.SerializeToString(deterministic=True)


def _cpu_share(server: ServerProcess, seconds: int) -> float:
    """Returns the processor time that the server takes in a second."""
    begin_s, used_s = time.perf_counter(), server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - used_s) / (time.perf_counter() - begin_s)


def _report(
    watchers: Sequence[_Watcher], options: argparse.Namespace, without: float, with_all: float
) -> None:
    for watcher in watchers:
        assert watcher.message_count > 1, "a watcher got no update"
    for number in range(min(options.queries, len(watchers))):
        same = watchers[number :: options.queries]
        for as_of, update in same[0].told.items():
            assert all(each.told.get(as_of, update) == update for each in same), as_of
    messages, sent = sum(each.message_count for each in watchers), sum(each.byte_count for each in watchers)
    seconds = options.seconds + SETTLE_SECONDS
    print(
        f"{len(watchers)} watchers of {options.queries} queries: {with_all:.3f} s of processor time per"
        f" second, {with_all - without:.3f} more; {messages / len(watchers) / seconds:.2f} messages per"
        f" second to each, {sent / messages:,.0f} bytes a message"
    )


def _own_connection() -> list[tuple[str, int]]:
    return [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]


if __name__ == "__main__":
    main()
