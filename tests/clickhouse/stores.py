"""The stores of a cluster of real servers, for the tests that run over every store."""

from collections.abc import Collection
from pathlib import Path
from weakref import WeakKeyDictionary

from conformance.stores import EMBEDDED, Clock, StoreFactory
from pegcount.config import Config
from pegcount.store import Store
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.dual import DualWriteStore

from clickhouse import databases
from clickhouse.rig import LONG, Rig


class ClickHouseStores(StoreFactory):
    """A place is a database on both servers; it goes with its last record."""

    example_share = 1.0 if LONG else 0.05

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._databases: dict[Path, str] = {}
        self._opened: WeakKeyDictionary[Store, str] = WeakKeyDictionary()

    def open(self, place: Path, config: Config, clock: Clock) -> Store:
        if place not in self._databases:
            self._databases[place] = databases.take(self._rig)
        store = ClickHouseStore(self._address(place), config, clock=clock)
        self._opened[store] = self._databases[place]
        return store

    def flush(self, store: Store) -> None:
        """Merges all parts, as the servers do sooner or later."""
        self._rig.ask(f"OPTIMIZE TABLE {self._opened[store]}.ledger FINAL")

    def maintain(self, store: Store) -> None:
        assert isinstance(store, ClickHouseStore)
        store.maintain()

    def remove(self, place: Path) -> None:
        databases.give_back(self._rig, self._databases.pop(place))

    @property
    def places(self) -> Collection[Path]:
        return self._databases

    def url(self, place: Path) -> str:
        """Returns the database of a place, as `--store` takes it."""
        return self._rig.url(self._databases[place])

    def _address(self, place: Path) -> ClusterAddress:
        return ClusterAddress.parse(self.url(place))


class DualStores(ClickHouseStores):
    """A place is a data directory and a database that follows it."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        self.followers: WeakKeyDictionary[Store, Store] = WeakKeyDictionary()
        """The cluster of each open store."""
        self.primaries: WeakKeyDictionary[Store, Store] = WeakKeyDictionary()
        """The data directory of each open store."""

    def open(self, place: Path, config: Config, clock: Clock) -> Store:
        primary = EMBEDDED.open(place, config, clock)
        follower = super().open(place, config, clock)
        store = DualWriteStore(primary, follower, config, str(place))
        self.followers[store], self.primaries[store] = follower, primary
        return store

    def flush(self, store: Store) -> None:
        EMBEDDED.flush(self.primaries[store])
        super().flush(self.followers[store])

    def maintain(self, store: Store) -> None:
        EMBEDDED.maintain(self.primaries[store])
        super().maintain(self.followers[store])

    def remove(self, place: Path) -> None:
        EMBEDDED.remove(place)
        super().remove(place)
