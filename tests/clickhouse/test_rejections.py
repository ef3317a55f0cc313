"""Counts of rejected records in a cluster: all servers add to the same ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conformance.stores import EMBEDDED
from pegcount.config import Config
from pegcount.store import Store
from pegcount.v1.records_pb2 import REJECT_REASON_MISSING_SETUP_TIME, SessionRecord, WriteRecordsRequest
from service import NOW_US

from clickhouse.rig import Rig
from clickhouse.stores import ClickHouseStores, DualStores

TODAY = NOW_US // 86_400_000_000
REASON = REJECT_REASON_MISSING_SETUP_TIME
CONFIG = Config(rejection_save_seconds=3_600.0)
"""Counts are saved when they are asked for, and when a store closes."""


def reject(store: Store, source: str, count: int) -> None:
    records = (SessionRecord(session_id=f"{i}", source=source) for i in range(count))
    outcome = store.write(WriteRecordsRequest(records=records).SerializeToString())
    assert len(outcome.rejected) == count


@pytest.fixture
def stores(cluster: Rig) -> ClickHouseStores:
    return ClickHouseStores(cluster)


@pytest.fixture
def place(stores: ClickHouseStores, tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "cluster"
    yield place
    stores.remove(place)


def test_two_servers_add_to_the_same_counts(stores: ClickHouseStores, place: Path) -> None:
    one, other = (stores.open(place, CONFIG, lambda: NOW_US) for _ in range(2))
    try:
        reject(one, "a", 3)
        reject(other, "a", 4)
        assert one.rejections() == {"a": {TODAY: {REASON: 3}}}
        assert other.rejections() == {"a": {TODAY: {REASON: 7}}} == one.rejections()
        reject(one, "Zürich's", 1)
    finally:
        one.close()
        reject(other, "a", 5)
        other.close()
    again = stores.open(place, CONFIG, lambda: NOW_US)
    try:
        assert again.rejections() == {"a": {TODAY: {REASON: 12}}, "Zürich's": {TODAY: {REASON: 1}}}
    finally:
        again.close()


def test_servers_that_save_at_the_same_time_lose_none(stores: ClickHouseStores, place: Path) -> None:
    servers = [stores.open(place, CONFIG, lambda: NOW_US) for _ in range(3)]

    def work(store: Store) -> None:
        for _ in range(5):
            reject(store, "a", 2)
            store.rejections()

    try:
        with ThreadPoolExecutor(len(servers)) as threads:
            list(threads.map(work, servers))
        assert [each.rejections() for each in servers] == [{"a": {TODAY: {REASON: 30}}}] * 3
    finally:
        for each in servers:
            each.close()


def test_a_dual_write_has_those_of_its_directory(cluster: Rig, tmp_path: Path) -> None:
    stores, place = DualStores(cluster), tmp_path / "dual"
    store = stores.open(place, CONFIG, lambda: NOW_US)
    try:
        reject(store, "a", 3)
        assert store.rejections() == {"a": {TODAY: {REASON: 3}}}
    finally:
        store.close()
    of_directory = EMBEDDED.open(place, CONFIG, lambda: NOW_US)
    try:
        assert of_directory.rejections() == {"a": {TODAY: {REASON: 3}}}
    finally:
        of_directory.close()
    stores.remove(place)
