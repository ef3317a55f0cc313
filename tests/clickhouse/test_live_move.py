"""Moving between a directory and a cluster: each is as the other was, and nothing counts twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from conformance.stores import EmbeddedStores
from moved_stores import (
    ERASED,
    NO_LIMIT,
    answers,
    exported,
    fill,
    imported,
    random_request,
    records_of,
    replayed,
    settings,
    without_times,
)
from pegcount.config import Config
from pegcount.errors import ArchiveError
from pegcount.model import Deletion
from pegcount.store import Store
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.moving.sides import JoinCounts
from pegcount.v1 import records_pb2
from seeds import chance
from server_tests.example_requests import call_record
from service import NOW_US

from clickhouse.rig import LONG, Rig
from clickhouse.stores import ClickHouseStores

ROUND_COUNT = 12 if LONG else 1
BATCH_COUNT = 40 if LONG else 10
UNUSED = Path("unused")


@pytest.fixture
def clustered(cluster: Rig, tmp_path: Path) -> Iterator[Store]:
    stores, place = ClickHouseStores(cluster), tmp_path / "cluster"
    with closing(stores.open(place, Config(), lambda: NOW_US)) as store:
        yield store
    stores.remove(place)


def opened(place: Path) -> Store:
    return EmbeddedStores().open(place, Config(), lambda: NOW_US)


@pytest.mark.parametrize("number", range(ROUND_COUNT))
def test_there_and_back_a_store_is_as_it_was(number: int, clustered: Store, tmp_path: Path) -> None:
    dice = chance("there and back", number)
    there, back = tmp_path / "there", tmp_path / "back"
    with closing(opened(tmp_path / "one")) as one, closing(opened(tmp_path / "two")) as two:
        batches = fill(one, dice, forgets=number % 2 == 1, batch_count=BATCH_COUNT)
        count = exported(one, tmp_path / "one", there)
        assert imported(there, clustered).records == JoinCounts(added=count)
        assert imported(there, clustered).records == JoinCounts(unchanged=count)
        assert exported(clustered, UNUSED, back) == count
        assert imported(back, two).records == JoinCounts(added=count)
        for moved in (clustered, two):
            assert records_of(moved, tmp_path / "two") == records_of(one, tmp_path / "one")
            assert answers(moved) == answers(one)
            assert settings(moved) == settings(one)
        dice.shuffle(batches)
        done = replayed(one, batches)
        for moved in (clustered, two):
            assert replayed(moved, batches) == done
            assert without_times(moved, tmp_path / "two") == without_times(one, tmp_path / "one")
            assert answers(moved) == answers(one)


@pytest.mark.parametrize("number", range(ROUND_COUNT))
def test_live_batches_and_an_archive_join_in_any_order(number: int, clustered: Store, tmp_path: Path) -> None:
    """As in a move while the cluster takes what is written to the directory meanwhile."""
    dice = chance("window", number)
    old, live = ([random_request(dice) for _ in range(BATCH_COUNT)] for _ in range(2))
    with closing(opened(tmp_path / "one")) as one:
        for batch in old:
            one.write(batch)
        exported(one, tmp_path / "one", tmp_path / "archive")
        for batch in live[: BATCH_COUNT // 2]:
            clustered.write(batch)
        imported(tmp_path / "archive", clustered)
        for batch in live:
            one.write(batch)
            clustered.write(batch)
        assert without_times(clustered, UNUSED) == without_times(one, tmp_path / "one")
        assert answers(clustered) == answers(one)
        for accepted, replaced, _, rejected in replayed(clustered, [*old, *live]):
            assert (accepted, replaced, rejected) == (0, 0, [])


def test_a_cluster_keeps_erasures_of_several_stores(clustered: Store, tmp_path: Path) -> None:
    """Each store makes digests with a key of its own; both hold for the records of both."""
    other = "+15550101"
    calls = [call_record(f"call-{n}", orig_src_party_id=number) for n, number in enumerate((ERASED, other))]
    batch = records_pb2.WriteRecordsRequest(records=calls).SerializeToString()
    with closing(opened(tmp_path / "one")) as one, closing(opened(tmp_path / "two")) as two:
        one.write(batch)
        one.erase([ERASED], NO_LIMIT)
        exported(one, tmp_path / "one", tmp_path / "archive")
        clustered.write(batch)
        clustered.erase([other], NO_LIMIT)
        imported(tmp_path / "archive", clustered)
        assert clustered.count_parties([ERASED, other], NO_LIMIT) == 0
        for number in (ERASED, other):
            late = call_record("late " + number, orig_src_party_id=number)
            clustered.write(records_pb2.WriteRecordsRequest(records=[late]).SerializeToString())
        assert clustered.count_parties([ERASED, other], NO_LIMIT) == 0
        assert len(clustered.erasures()) == 2
        exported(clustered, UNUSED, tmp_path / "both")
        with pytest.raises(ArchiveError, match="a data directory has one"):
            imported(tmp_path / "both", two)
        clustered.lift_erasure(1, NO_LIMIT)
        exported(clustered, UNUSED, tmp_path / "both")
        imported(tmp_path / "both", two)
        assert two.count_parties([ERASED, other], NO_LIMIT) == 0


def test_rules_of_the_cluster_hold_for_an_archive(clustered: Store, tmp_path: Path) -> None:
    with closing(opened(tmp_path / "one")) as one:
        calls = [call_record(f"call-{n}", source="switch") for n in range(4)]
        one.write(records_pb2.WriteRecordsRequest(records=calls).SerializeToString())
        exported(one, tmp_path / "one", tmp_path / "archive")
        clustered.delete(Deletion(session_ids=("call-1",)), NO_LIMIT)
        assert imported(tmp_path / "archive", clustered).records == JoinCounts(added=3, deleted=1)


def test_two_imports_at_once_are_one(cluster: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one failed, as a document was there that it had not seen."""
    put, both_are_there = ClickHouseStore.put_document, Barrier(2, timeout=60)

    def put_once_both_are_there(*arguments: Any) -> int:
        both_are_there.wait()
        return put(*arguments)

    monkeypatch.setattr(ClickHouseStore, "put_document", put_once_both_are_there)
    stores, place = ClickHouseStores(cluster), tmp_path / "cluster"
    with closing(opened(tmp_path / "one")) as one:
        fill(one, chance("two imports"), forgets=False, batch_count=BATCH_COUNT)
        exported(one, tmp_path / "one", tmp_path / "archive")
        with ExitStack() as both, ThreadPoolExecutor(2) as importers:
            targets = [
                both.enter_context(closing(stores.open(place, Config(), lambda: NOW_US))) for _ in range(2)
            ]
            for moved in importers.map(partial(imported, tmp_path / "archive"), targets):
                assert moved.records.total > 0
            assert answers(targets[0]) == answers(one)
            assert without_times(targets[0], UNUSED) == without_times(one, tmp_path / "one")
    stores.remove(place)
