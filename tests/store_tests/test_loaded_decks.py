"""Code decks in memory: few of them, each loaded once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from decks import deck_of
from pegcount import core
from pegcount.errors import CodeDeckNotFoundError, DeadlineError, NotFoundError
from pegcount.store.loaded_decks import LoadedDecks
from waiting import stays, wait_until

DECK = deck_of(("49", "Germany", "DE"))
FOREVER = core.CancelToken(None)


class SlowCatalog:
    """A catalogue that gives a deck when it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.may_answer = threading.Event()

    def code_deck(self, deck_id: int, cancel_token: core.CancelToken) -> core.CodeDeck:
        self.asked.append(deck_id)
        assert self.may_answer.wait(10)
        if deck_id >= 100:
            raise CodeDeckNotFoundError(deck_id, [1])
        return DECK


def decks(catalog: SlowCatalog, count_max: int = 2) -> LoadedDecks[int, core.CodeDeck]:
    return LoadedDecks(catalog.code_deck, count_max)


def test_reports_that_ask_at_once_load_a_deck_once() -> None:
    catalog = SlowCatalog()
    loaded = decks(catalog)
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(loaded.get, 1, FOREVER) for _ in range(4)]
        wait_until(lambda: catalog.asked)
        # Time for all of them to ask.
        stays(lambda: catalog.asked == [1], 0.1)
        catalog.may_answer.set()
        assert {id(future.result(10)) for future in found} == {id(DECK)}
    assert catalog.asked == [1]


def test_a_report_that_waits_for_a_deck_notices_its_deadline() -> None:
    catalog = SlowCatalog()
    loaded = decks(catalog)
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(loaded.get, 1, FOREVER)
        wait_until(lambda: catalog.asked)
        begin = time.monotonic()
        with pytest.raises(DeadlineError):
            loaded.get(1, core.CancelToken(0.05))
        assert time.monotonic() - begin < 1
        catalog.may_answer.set()
        assert loading.result(10) is DECK


def test_the_deck_that_was_asked_for_longest_ago_is_dropped() -> None:
    catalog = SlowCatalog()
    catalog.may_answer.set()
    loaded = decks(catalog)
    for deck_id in (1, 2, 1, 3):
        loaded.get(deck_id, FOREVER)
    assert [deck_id in loaded for deck_id in (1, 2, 3)] == [True, False, True]
    loaded.put(4, DECK)
    assert [deck_id in loaded for deck_id in (1, 3, 4)] == [False, True, True]
    loaded.get(1, FOREVER)
    assert catalog.asked == [1, 2, 3, 1]


def test_an_unknown_deck_is_not_found() -> None:
    catalog = SlowCatalog()
    catalog.may_answer.set()
    with pytest.raises(NotFoundError, match="there is no code deck 100; the ids are 1"):
        decks(catalog).get(100, FOREVER)
