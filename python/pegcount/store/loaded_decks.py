"""The code decks in memory: those that reports have asked for last."""

from collections import OrderedDict
from threading import Lock

from pegcount import core
from pegcount.errors import CodeDeckNotFoundError
from pegcount.store.deck_files import DeckFiles

_LOOK_SECONDS = 0.01
"""Seconds between two looks at the cancellation token while another report loads a deck."""


class LoadedDecks:
    """Loads code decks, and keeps up to `count_max` of them. Thread-safe."""

    def __init__(self, files: DeckFiles, count_max: int) -> None:
        self._files = files
        self._count_max = count_max
        self._lock = Lock()
        # One report loads at a time: several copies of one large deck would take much memory.
        self._loading = Lock()
        self._decks: OrderedDict[int, core.CodeDeck] = OrderedDict()

    def __contains__(self, deck_id: int) -> bool:
        return deck_id in self._decks

    def get(self, deck_id: int, cancel_token: core.CancelToken) -> core.CodeDeck:
        """Returns a deck; raises NotFoundError, or CancelledError or DeadlineError on behalf of the token."""
        found = self._loaded(deck_id)
        if found is not None:
            return found
        while not self._loading.acquire(timeout=_LOOK_SECONDS):
            cancel_token.check()
        try:
            cancel_token.check()
            return self._loaded(deck_id) or self._load(deck_id)
        finally:
            self._loading.release()

    def put(self, deck_id: int, deck: core.CodeDeck) -> None:
        """Keeps a deck, in place of the one with this id or of the one that was asked for longest ago."""
        with self._lock:
            self._decks[deck_id] = deck
            self._decks.move_to_end(deck_id)
            if len(self._decks) > self._count_max:
                self._decks.popitem(last=False)

    def _loaded(self, deck_id: int) -> core.CodeDeck | None:
        with self._lock:
            deck = self._decks.get(deck_id)
            if deck is not None:
                self._decks.move_to_end(deck_id)
            return deck

    def _load(self, deck_id: int) -> core.CodeDeck:
        deck = self._files.code_deck(deck_id)
        if deck is None:
            raise CodeDeckNotFoundError(deck_id, self._files.ids())
        self.put(deck_id, deck)
        return deck
