"""A server that writes to a data directory and to a cluster that follows it."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import numpy as np
import pytest
from conformance.stores import EMBEDDED
from decks import deck_of
from google.protobuf.timestamp_pb2 import Timestamp
from moved_stores import exported, imported
from pegcount.auth import Credentials, Scope
from pegcount.config import Config
from pegcount.core import CancelToken, RecordScope
from pegcount.data_scope import DataScope
from pegcount.errors import MoveInProgressError, StoreOpenError, StoreUnavailableError
from pegcount.model import Deletion, Retention
from pegcount.privacy import Masking
from pegcount.store import Store
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.traffic import TrafficMeasure, TrafficScan
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from server_tests.example_requests import SETUP_S, active_record, call_record
from server_tests.keys import create
from service import NOW_US
from waiting import wait_until

from clickhouse.rig import Rig
from clickhouse.stores import ClickHouseStores, DualStores

TOKEN = CancelToken(None)
LATER = Timestamp(seconds=SETUP_S + 3_600)


class Both:
    """The store of a dual write, and what it writes to."""

    def __init__(self, stores: DualStores, place: Path, commit_seconds_max: float = 10.0) -> None:
        config = Config(ledger_commit_seconds_max=commit_seconds_max)
        self.store = stores.open(place, config, lambda: NOW_US)
        self.primary, self.follower = stores.primaries[self.store], stores.followers[self.store]

    def write(self, *records: SessionRecord) -> Any:
        return self.store.write(batch(*records))

    def counts(self) -> tuple[int, int]:
        return self.primary.info().records, self.follower.info().records


def batch(*records: SessionRecord, **more: Any) -> bytes:
    return WriteRecordsRequest(records=records, **more).SerializeToString()


@pytest.fixture
def stores(cluster: Rig) -> DualStores:
    return DualStores(cluster)


@pytest.fixture
def place(stores: DualStores, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    stores.remove(tmp_path / "data")


@pytest.fixture
def both(stores: DualStores, place: Path) -> Iterator[Both]:
    both = Both(stores, place)
    yield both
    both.store.close()


def test_what_is_acknowledged_is_in_both(both: Both) -> None:
    outcome = both.write(call_record("a"), active_record("b"), call_record(""))
    assert (outcome.accepted, len(outcome.rejected)) == (2, 1)
    assert both.counts() == (2, 2)
    info = both.store.info()
    assert info.follower is not None
    assert (info.records, info.follower.records, info.follower.active_records) == (2, 2, 1)
    counters = both.store.counters()
    assert (counters.follower_failed_batches, counters.follower_waiting_bytes) == (0, 0)


def test_the_primary_alone_judges_records(both: Both) -> None:
    """The follower lacks the record that the writer must not see, as old records have not moved yet."""
    both.primary.write(batch(call_record("a", tenant_id=1)))
    writer = RecordScope(DataScope(tenant_id=(2,)))
    versions = [call_record(name, tenant_id=2, revision=1) for name in ("a", "b")]
    outcome = both.store.submit(batch(*versions), TOKEN, writer).wait()
    assert [each.index for each in outcome.rejected] == [0]
    assert both.counts() == (2, 1)


def test_corrections_are_refused(both: Both) -> None:
    with pytest.raises(MoveInProgressError, match="send the corrections again when the move has ended"):
        both.store.submit(batch(call_record("a"), correct=True), TOKEN)
    assert both.counts() == (0, 0)


def test_a_record_that_only_the_follower_rejects_fails_its_batch(both: Both) -> None:
    """Another program has changed the follower; the rule goes, and the batch that is sent again is taken."""
    both.follower.delete(Deletion(source="x"), TOKEN)
    with pytest.raises(StoreUnavailableError, match="rejects 1 records that the primary has taken"):
        both.write(call_record("a", source="x"))
    wait_until(lambda: not both.follower.deletions())
    wait_until(lambda: both.store.write_fault is None)
    assert both.write(call_record("a", source="x")).duplicates == 1
    assert both.counts() == (1, 1)


def test_settings_are_in_both(both: Both) -> None:
    store = both.store
    store.set_retention(Retention(days=900))
    store.set_masking(Masking(30, 4))
    version = store.put_document("one", b"1", None)
    store.put_document("one", b"2", version)
    store.put_code_deck(1, deck_of(("49", "Germany", "DE")))
    issued = create(store, Scope.ADMIN)
    Credentials(Config(), store, lambda: NOW_US).revoke(issued.row.id)
    follower = both.follower
    assert follower.retention() == Retention(days=900)
    assert follower.masking() == Masking(30, 4)
    found = follower.document("one")
    assert found is not None
    assert found.content == b"2"
    assert follower.code_decks() == {1: 1}
    assert [row.revoke_us for row in follower.credentials()] == [NOW_US]


def test_deletions_are_in_both(both: Both) -> None:
    both.write(call_record("a", source="x"), call_record("b"), call_record("c"))
    outcome = both.store.delete(Deletion(session_ids=("a", "b")), TOKEN)
    assert outcome.deleted == 2
    assert both.counts() == (1, 1)
    assert len(both.write(call_record("a", source="x")).rejected) == 1
    assert both.follower.deletion(both.follower.deletions()[0].rule_id).session_ids == ("a", "b")


def test_a_deletion_that_takes_long_at_the_follower_ends_with_the_server(
    stores: DualStores, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no limit: after a minute it was given up and begun anew, and no batch was ever taken again."""
    is_at_work, both = Event(), Both(stores, place)

    def delete_for_ever(_: ClickHouseStore, __: Deletion, cancel_token: CancelToken) -> None:
        is_at_work.set()
        wait_until(cancel_token.check, "the end of the server", 120.0)

    both.write(call_record("a", source="x"))
    monkeypatch.setattr(ClickHouseStore, "delete", delete_for_ever)
    deleting = Thread(target=both.store.delete, args=(Deletion(source="x"), TOKEN))
    deleting.start()
    assert is_at_work.wait(30)
    closing = Thread(target=both.store.close)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    deleting.join()


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.delete(Deletion(source="x", once=True), TOKEN),
        lambda store: store.lift_deletion(1, TOKEN),
        lambda store: store.erase(["+15550100"], TOKEN),
        lambda store: store.lift_erasure(1, TOKEN),
        lambda store: store.set_retention(Retention(bytes=10**9)),
    ],
    ids=["delete once", "lift a deletion", "erase", "lift an erasure", "retain bytes"],
)
def test_what_could_end_differently_is_refused(both: Both, change: Any) -> None:
    with pytest.raises(MoveInProgressError):
        change(both.store)


def test_the_follower_gets_the_settings_of_the_directory_at_the_start(
    stores: DualStores, place: Path
) -> None:
    first = Both(stores, place)
    first.write(call_record("a"), call_record("b"))
    first.store.close()
    alone = EMBEDDED.open(place, Config(), lambda: NOW_US)
    alone.set_retention(Retention(days=800))
    alone.put_document("one", b"1", None)
    create(alone, Scope.ADMIN)
    alone.delete(Deletion(session_ids=("a",)), TOKEN)
    alone.close()
    second = Both(stores, place)
    assert second.follower.retention() == Retention(days=800)
    assert list(second.follower.documents()) == ["one"]
    assert len(second.follower.credentials()) == 1
    assert second.counts() == (1, 1)
    second.store.close()


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda store: store.set_retention(Retention(bytes=10**9)), "retain by days"),
        (lambda store: store.erase(["+15550100"], TOKEN), "import an archive of the directory first"),
    ],
    ids=["retention by bytes", "an erasure"],
)
def test_a_directory_that_cannot_be_followed_is_refused(
    stores: DualStores, place: Path, prepare: Any, text: str
) -> None:
    alone = EMBEDDED.open(place, Config(), lambda: NOW_US)
    prepare(alone)
    alone.close()
    with pytest.raises(StoreOpenError, match=text):
        Both(stores, place)


def test_an_erasure_that_an_archive_has_moved_is_followed(
    stores: DualStores, place: Path, tmp_path: Path
) -> None:
    """The numbers of erasures differ, as the directory has lifted its first one before the move."""
    alone, number = EMBEDDED.open(place, Config(), lambda: NOW_US), "+15550101"
    alone.erase(["+15550100"], TOKEN)
    alone.erase([number], TOKEN)
    alone.lift_erasure(1, TOKEN)
    exported(alone, place, tmp_path / "archive")
    alone.close()
    cluster = ClickHouseStores.open(stores, place, Config(), lambda: NOW_US)
    imported(tmp_path / "archive", cluster)
    cluster.close()
    both = Both(stores, place)
    both.write(call_record("a", orig_src_party_id=number))
    assert both.follower.count_parties([number], TOKEN) == 0
    both.store.close()


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (lambda store: store.erase(["+15550100"], TOKEN), "the follower lacks erasures"),
        (lambda store: store.delete(Deletion(source="x"), TOKEN), "the follower has deletion rules"),
    ],
    ids=["other numbers are erased", "other records are deleted"],
)
def test_a_cluster_with_rules_of_its_own_does_not_follow(
    stores: DualStores, place: Path, prepare: Any, text: str
) -> None:
    """Equal numbers of erasures do not say that the parties are; without a rule, records come back."""
    if "erasures" in text:
        alone = EMBEDDED.open(place, Config(), lambda: NOW_US)
        alone.erase(["+15550101"], TOKEN)
        alone.close()
    cluster = ClickHouseStores.open(stores, place, Config(), lambda: NOW_US)
    prepare(cluster)
    cluster.close()
    with pytest.raises(StoreOpenError, match=text):
        Both(stores, place)


def test_what_the_follower_loses_is_said(
    stores: DualStores, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = ClickHouseStores.open(stores, place, Config(), lambda: NOW_US)
    issued = create(cluster, Scope.ROOT, name="own")
    cluster.close()
    both = Both(stores, place)
    assert both.follower.credentials() == []
    both.store.close()
    assert f"the follower has lost what the directory lacks: credential {issued.row.id} 'own'" in caplog.text


def require_traffic(store: Store) -> None:
    """Asks for traffic: a follower that does not answer would hold it up for three seconds."""
    measures = (TrafficMeasure("count", "all"), TrafficMeasure("occupied", "seized"))
    edge_us = np.array([0, NOW_US], np.int64)
    start_s = monotonic()
    partials = store.traffic_partials(TrafficScan(edge_us, (), (), measures), 1, CancelToken(30.0))
    assert store.latest_setup_us(CancelToken(30.0)) == SETUP_S * 1_000_000
    assert monotonic() - start_s < 2.0
    assert [partials.measure(0), partials.measure(1)] == [[1], [70_000_000]]


def test_a_follower_that_is_away_holds_up_writes_only(tmp_path: Path) -> None:
    with Rig(tmp_path / "rig") as rig:
        stores = DualStores(rig)
        both = Both(stores, tmp_path / "data", commit_seconds_max=5.0)
        both.write(call_record("a"))
        issued = create(both.store, Scope.ADMIN)
        rig.servers[0].freeze()
        require_traffic(both.store)
        rig.servers[0].thaw()
        rig.servers[0].stop()
        with pytest.raises(StoreUnavailableError, match="the follower: "):
            both.write(call_record("b"), call_record("c"))
        assert both.store.write_fault is not None
        # The directory has them unless it was known already that the shard is away.
        assert both.store.info().records in (1, 3)
        Credentials(Config(), both.store, lambda: NOW_US).revoke(issued.row.id)
        assert [row.revoke_us for row in both.store.credentials()] == [NOW_US]
        rig.servers[0].start()
        wait_until(lambda: both.store.write_fault is None, seconds_max=30.0)
        outcome = both.write(call_record("b"), call_record("c"))
        assert outcome.accepted + outcome.duplicates == 2
        assert both.counts() == (3, 3)
        assert [row.revoke_us for row in both.follower.credentials()] == [NOW_US]
        both.store.close()
