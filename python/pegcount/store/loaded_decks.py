"""The code decks in memory: those that reports have asked for last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from pegcount import core

Key = TypeVar("Key", bound=Hashable)
Deck = TypeVar("Deck")

_LOOK_SECONDS = 0.01
"""Seconds between two looks at the cancellation token while another report loads a deck."""


class LoadedDecks(Generic[Key, Deck]):
    """Loads code decks, and keeps up to `count_max` of them. Thread-safe."""

    def __init__(self, load: Callable[[Key, core.CancelToken], Deck], count_max: int) -> None:
        """`load` reads a deck, or raises an error if it does not exist."""
        self._load_deck = load
        self._count_max = count_max
        self._lock = Lock()
        # One report loads at a time: several copies of one large deck would take much memory.
        self._loading = Lock()
        self._decks: OrderedDict[Key, Deck] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._decks

    def get(self, key: Key, cancel_token: core.CancelToken) -> Deck:
        """Returns a deck; raises as `load` does, and CancelledError or DeadlineError for the token."""
        found = self._loaded(key)
        if found is not None:
            return found
        while not self._loading.acquire(timeout=_LOOK_SECONDS):
            cancel_token.check()
        try:
            cancel_token.check()
            return self._loaded(key) or self._load(key, cancel_token)
        finally:
            self._loading.release()

    def put(self, key: Key, deck: Deck) -> None:
        """Keeps a deck, in place of the one with this key or of the one that was asked for longest ago."""
        with self._lock:
            self._decks[key] = deck
            self._decks.move_to_end(key)
            if len(self._decks) > self._count_max:
                self._decks.popitem(last=False)

    def _loaded(self, key: Key) -> Deck | None:
        with self._lock:
            deck = self._decks.get(key)
            if deck is not None:
                self._decks.move_to_end(key)
            return deck

    def _load(self, key: Key, cancel_token: core.CancelToken) -> Deck:
        deck = self._load_deck(key, cancel_token)
        self.put(key, deck)
        return deck
