"""A store as a whole: what it counts, and what it leaves behind when it is closed."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.counters import SourceCounters
from pegcount.model import Deletion, Retention
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import WriteRecordsRequest
from pegcount.zone import US_PER_DAY
from waiting import wait_until

from clickhouse.rig import Rig
from clickhouse.stores import ClickHouseStores

NOW_US = 1_774_872_000_000_000


def test_a_closed_store_leaves_no_thread(cluster: Rig, tmp_path: Path) -> None:
    """Threads that wait for a next request were left for 30 s."""
    before = set(threading.enumerate())
    stores = ClickHouseStores(cluster)
    store = stores.open(tmp_path, Config(), lambda: NOW_US)
    try:
        assert store.first_day(CancelToken(30.0)) is None
        assert store.retention().days is None
    finally:
        store.close()
    wait_until(lambda: set(threading.enumerate()) <= before, "the end of the threads", seconds_max=20.0)
    stores.remove(tmp_path)


def test_records_are_counted_by_source_as_on_a_directory(cluster: Rig, tmp_path: Path) -> None:
    stores, token = ClickHouseStores(cluster), CancelToken(30.0)
    (tmp_path / "cluster").mkdir()
    of_cluster = stores.open(tmp_path / "cluster", Config(), lambda: NOW_US)
    of_directory = EmbeddedStore(tmp_path / "directory", Config(), create=True, clock=lambda: NOW_US)
    try:
        for store in (of_cluster, of_directory):
            store.delete(Deletion(source="a", session_ids=("deleted",)), token)
            store.set_retention(Retention(days=10))
            store.write(_batch("a 1", "a 2", "b 1", "a", "a deleted", "a early"))
            store.write(_batch("a 1", "b 1 changed", "c early", "d deleted"))
        counted = of_cluster.counters().sources
        assert counted["a"].last_write_us == NOW_US
        assert _timeless(counted) == _timeless(of_directory.counters().sources)
        assert [counted["a"].accepted, counted["a"].duplicates, counted["b"].replaced] == [2, 1, 1]
        assert counted["a"].rejected == {"DELETED": 1, "BEFORE_RETENTION": 1, "MISSING_SETUP_TIME": 1}
        assert counted["c"].rejected == {"BEFORE_RETENTION": 1}
    finally:
        of_cluster.close()
        of_directory.close()
    stores.remove(tmp_path / "cluster")


def _timeless(counted: Mapping[str, SourceCounters]) -> dict[str, SourceCounters]:
    """What was counted, without the times of receipt, which go on during a test on a directory."""
    return {source: replace(each, last_write_us=None) for source, each in counted.items()}


def _batch(*described: str) -> bytes:
    """A batch of records, each described by its source, its id, and what is special about it."""
    request = WriteRecordsRequest()
    for words in map(str.split, described):
        record = request.records.add(source=words[0], session_id=" ".join(words[1:2]) or "no time")
        if len(words) > 1:
            days = 30 if words[1] == "early" else 1
            record.setup_time.FromMicroseconds(NOW_US - days * US_PER_DAY)
            record.end_time.FromMicroseconds(NOW_US - days * US_PER_DAY + 5)
        if words[2:]:
            record.revision, record.folder = 1, words[2]
    return request.SerializeToString()
