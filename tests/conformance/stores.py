"""The stores that the conformance tests run over, each made by a factory."""

import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from fractions import Fraction
from pathlib import Path
from typing import Any

from pegcount.config import Config
from pegcount.store import EmbeddedStore, Store

from conformance.memory_store import Disk, MemoryStore

Clock = Callable[[], int]
"""Returns the present time in microseconds UTC."""


class StoreFactory(ABC):
    """Makes stores of one kind, and keeps what they leave behind when they are closed."""

    example_share: float = 1.0
    """Of the examples that a property draws, the share that runs over these stores, for slow ones."""

    @abstractmethod
    def open(self, place: Path, config: Config, clock: Clock) -> Store:
        """Opens the store of a place; its records are those that the last store of this place had."""

    @abstractmethod
    def flush(self, store: Store) -> None:
        """Makes the store move its records to where it keeps old ones, if it has such a place."""

    @abstractmethod
    def maintain(self, store: Store) -> None:
        """Makes the store do what it does in the background."""

    @abstractmethod
    def remove(self, place: Path) -> None:
        """Removes a place, whose store is closed."""

    def remove_below(self, directory: Path) -> None:
        """Removes the places in a directory that is about to go itself."""
        for place in [each for each in self.places if each.is_relative_to(directory)]:
            self.remove(place)

    @property
    def places(self) -> Collection[Path]:
        """Those that keep something elsewhere than in their directory."""
        return ()


class _Clocks:
    """A clock, and a monotonic clock that agrees with it.

    A store reads one after the other. If a test sets the time in between, its thread for maintenance must
    still read the same time of both, or it would believe one that is off.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read = threading.local()

    def now_us(self) -> int:
        us = self._read.us = self._clock()
        return us

    def monotonic(self) -> Any:
        """Returns seconds as a fraction: a float would round times far from 1970 by a microsecond."""
        return Fraction(getattr(self._read, "us", self._clock()), 1_000_000)


class EmbeddedStores(StoreFactory):
    """Data directories."""

    def open(self, place: Path, config: Config, clock: Clock) -> EmbeddedStore:
        clocks = _Clocks(clock)
        return EmbeddedStore(place, config, create=True, clock=clocks.now_us, monotonic=clocks.monotonic)

    def flush(self, store: Store) -> None:
        assert isinstance(store, EmbeddedStore)
        store.flush()

    def maintain(self, store: Store) -> None:
        assert isinstance(store, EmbeddedStore)
        store.maintain()

    def remove(self, place: Path) -> None:
        shutil.rmtree(place)


class MemoryStores(StoreFactory):
    """Stores in plain Python, of `memory_store`."""

    # It is the slowest, and only tests use it. `make test-long` runs more of all.
    example_share = 0.25

    def __init__(self) -> None:
        self._disks: dict[Path, Disk] = {}

    def open(self, place: Path, config: Config, clock: Clock) -> MemoryStore:
        return MemoryStore(self._disks.setdefault(place, Disk()), config, clock)

    def flush(self, store: Store) -> None:
        """All records are at one place."""

    def maintain(self, store: Store) -> None:
        """There is nothing to do in the background."""

    def remove(self, place: Path) -> None:
        del self._disks[place]

    @property
    def places(self) -> Collection[Path]:
        return self._disks


EMBEDDED = EmbeddedStores()
STORES: dict[str, StoreFactory] = {"embedded": EMBEDDED, "memory": MemoryStores()}
"""The factories by name: what is added here has to pass all conformance tests."""
