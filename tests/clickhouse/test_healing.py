"""What a writer that dies has left apart becomes one record, without anybody who writes it again."""

from collections.abc import Iterator, Sequence

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreReadOnlyError
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.writing.commit import Commit, DayChains
from waiting import wait_until

from clickhouse.rig import Rig
from clickhouse.test_writer import NOW_US, Place, batch_of, commit_in_step

DAY_US = 86_400_000_000
CONFIG = Config(maintenance_seconds=0.2)


@pytest.fixture
def place(cluster: Rig) -> Iterator[Place]:
    place = Place(cluster)
    for chains in place.commits().chains:
        for day in range(6):
            chains.open(NOW_US // DAY_US + day, core.CancelToken(None))
    yield place
    place.close()


def _die_after_each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    make = DayChains.make

    def make_and_die(chains: DayChains, commit: Commit, cancel_token: core.CancelToken) -> bool:
        assert make(chains, commit, cancel_token)
        raise StoreReadOnlyError("the writer is dead")

    monkeypatch.setattr(DayChains, "make", make_and_die)


@pytest.mark.parametrize(
    ("stored_days", "days"),
    [
        pytest.param((0, 2), (1,), id="between two commits"),
        pytest.param((), (0, 1), id="before it looks at the days beside"),
        pytest.param((0, 1, 5, 4), (2, 3), id="two records of several days"),
    ],
)
def test_records_left_apart_are_joined(
    place: Place, monkeypatch: pytest.MonkeyPatch, stored_days: Sequence[int], days: Sequence[int]
) -> None:
    for day in stored_days:
        place.writer().submit(batch_of(day=day), core.CancelToken(None)).wait()
    with monkeypatch.context() as dying:
        commit_in_step(dying, len(days))
        _die_after_each_commit(dying)
        pending = [place.writer().submit(batch_of(day=day), core.CancelToken(None)) for day in days]
        for each in pending:
            with pytest.raises(StoreReadOnlyError):
                each.wait()
    assert place.record_count() == 2
    address = ClusterAddress.parse(place.rig.url(place.database))
    store = ClickHouseStore(address, CONFIG, clock=lambda: NOW_US)
    try:
        wait_until(lambda: place.record_count() == 1, "one record", 60.0, 0.1)
        outcome = store.submit(batch_of(day=days[0]), core.CancelToken(None)).wait()
        assert outcome.duplicates == 1
    finally:
        store.close()
    assert place.record_count() == 1


def test_a_marker_tells_other_servers_what_its_writer_has_settled(place: Place) -> None:
    first, second = place.commits(), place.commits()
    for day in range(3):
        place.writer(first).submit(batch_of(day=day), core.CancelToken(None)).wait()
    day = NOW_US // DAY_US
    (shard,) = (n for n, chains in enumerate(first.chains) if chains.head(day, core.CancelToken(None)) > 1)
    head = second.chains[shard].head(day, core.CancelToken(None))
    assert first.chains[shard].settled.up_to(day, head) == head == 4
    assert second.chains[shard].settled.up_to(day, head) == head - 1
