"""Retention, masking, documents and code decks of a cluster, as two servers change and read them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from decks import deck_of
from pegcount.config import Config
from pegcount.core import CodeDeck
from pegcount.errors import (
    CodeDeckNotFoundError,
    DataDamagedError,
    DeadlineError,
    DocumentChangedError,
    DocumentTooLargeError,
)
from pegcount.model import Document, Retention
from pegcount.privacy import Masking
from pegcount.store.clickhouse.shared.change_log import Change
from pegcount.store.clickhouse.shared.decks import Decks
from pegcount.store.clickhouse.shared.settings import Settings
from waiting import wait_until

from clickhouse.rig import Rig
from clickhouse.settings_place import SettingsPlace, token

DAY_US = 86_400_000_000
CONFIG = Config(document_bytes_max=8)


@pytest.fixture
def place(cluster: Rig) -> Iterator[SettingsPlace]:
    place = SettingsPlace(cluster)
    yield place
    place.close()


def settings(place: SettingsPlace, clock: Callable[[], int] = lambda: 100 * DAY_US) -> Settings:
    return Settings(place.log(), CONFIG, clock)


def decks(place: SettingsPlace, **limits: Any) -> Decks:
    cluster = place.cluster()
    return Decks(cluster, place.log(), Config(**limits))


def test_a_document_is_seen_through_every_server_at_once(place: SettingsPlace) -> None:
    first, second = settings(place), settings(place)
    content = bytes(range(248, 256))
    version = first.put_document("a", content, None)
    assert second.document("a") == Document(version, content)
    assert second.documents() == {"a": version}
    with pytest.raises(DocumentChangedError):
        second.put_document("a", b"x", None)
    with pytest.raises(DocumentTooLargeError, match="document_bytes_max"):
        second.put_document("a", b"123456789", version)
    assert second.put_document("a", None, version) > version
    assert (first.document("a"), first.documents()) == (None, {})
    with pytest.raises(DocumentChangedError):
        first.put_document("a", b"x", version)


def test_retention_and_masking_are_those_of_the_cluster(place: SettingsPlace) -> None:
    first, second = settings(place), settings(place)
    assert (first.retention(), first.masking()) == (Retention(), None)
    first.set_retention(Retention(days=3, bytes=2**40))
    first.set_masking(Masking(7, 4))
    assert (second.retention(), second.masking()) == (Retention(3, 2**40), Masking(7, 4))
    second.set_masking(None)
    assert first.masking() is None


def test_the_first_whole_day_moves_with_the_trusted_time_alone(place: SettingsPlace) -> None:
    now = [100 * DAY_US]
    first, second = settings(place, lambda: now[0]), settings(place, lambda: now[0])
    first.set_masking(Masking(7, 4))
    assert first.known_masking() == (Masking(7, 4), 94)
    first.advance_masking(token())
    now[0] += DAY_US
    second.masking()
    second.advance_masking(token())
    assert second.known_masking() == (Masking(7, 4), 95)
    now[0] -= DAY_US
    # A clock that is set back by a day moves nothing, and to set the same days again neither.
    second.advance_masking(token())
    second.set_masking(Masking(7, 5))
    assert second.known_masking() == (Masking(7, 5), 95)
    second.set_masking(Masking(30, 5))
    assert second.known_masking() == (Masking(30, 5), 71)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"days":1,"bytes":2}',
        '{"version":2,"days":1,"bytes":2}',
        '{"version":1,"days":1}',
        '{"version":1,"days":1,"bytes":2,"hours":3}',
    ],
)
def test_a_setting_that_this_version_does_not_know_is_refused(place: SettingsPlace, content: str) -> None:
    place.log().change(lambda _: [Change("retention", "", content)], token())
    with pytest.raises(DataDamagedError, match="a setting of the cluster"):
        settings(place).retention()


def entries(deck: CodeDeck) -> Any:
    return json.loads(deck.json_piece(0, deck.entry_count))


def test_a_deck_is_seen_through_every_server_at_once(place: SettingsPlace) -> None:
    first, second = decks(place), decks(place)
    small = deck_of(("49", "Germany", "DE"), ("4930", 'Berlin "\\\t"', "DE"))
    first.put(7, small)
    found = second.deck(7, token())
    assert (entries(found.deck), found.code_lengths) == (entries(small), (4, 2))
    assert second.counts() == {7: 2}
    assert second.deck(7, token()) is found
    first.put(7, deck_of(("1", "North America", "US")))
    again = second.deck(7, token())
    assert (again.deck.entry_count, again.code_lengths) == (1, (1,))
    assert again.version != found.version
    assert first.deck(7, token()).version == again.version
    with pytest.raises(CodeDeckNotFoundError, match="there is no code deck 8; the ids are 7"):
        second.deck(8, token())
    counts = place.rig.ask("SELECT count() FROM deck_entries", database=place.database)
    assert counts == ["3\n", "3\n"]


def test_a_large_deck_is_stored_in_pieces(place: SettingsPlace) -> None:
    large = deck_of(*((f"{number}", f"place {number % 7}", "DE") for number in range(10_000, 90_000)))
    decks(place).put(1, large)
    found = decks(place).deck(1, token())
    assert entries(found.deck) == entries(large)


@pytest.mark.parametrize("shard", [0, 1])
def test_a_deck_of_which_a_shard_lacks_entries_is_damaged(place: SettingsPlace, shard: int) -> None:
    """As after one shard was restored from an older backup: its records would have no code."""
    decks(place).put(1, deck_of(("49", "Germany", "DE"), ("1", "North America", "US")))
    place.rig.servers[shard].ask("DELETE FROM deck_entries WHERE code = '49'", database=place.database)
    with pytest.raises(DataDamagedError, match=f"shard {shard + 1} has 1 of the 2 entries of code deck 1"):
        decks(place).deck(1, token())


def test_a_deck_is_loaded_even_if_the_report_that_asked_for_it_has_ended(place: SettingsPlace) -> None:
    """Each report would begin anew otherwise, and none would have it before its deadline."""
    decks(place).put(1, deck_of(*((f"{number}", "name", "DE") for number in range(10_000, 90_000))))
    one = decks(place)
    with pytest.raises(DeadlineError):
        one.deck(1, token(0.03))
    wait_until(lambda: ends_in_time(lambda: one.deck(1, token(0.03))))


def ends_in_time(call: Callable[[], object]) -> bool:
    try:
        call()
    except DeadlineError:
        return False
    return True


def test_only_versions_that_were_replaced_long_ago_are_dropped(place: SettingsPlace) -> None:
    one = decks(place)
    for code in ("1", "2", "3"):
        one.put(1, deck_of((code, "name", "DE")))
    one.tidy(token())
    assert codes(place) == "['1','2','3']\n"
    decks(place).tidy(token(), replaced_seconds=-1)
    assert codes(place) == "['3']\n"
    assert decks(place).deck(1, token()).deck.entry_count == 1


def codes(place: SettingsPlace) -> str:
    return place.ask("SELECT arraySort(groupArray(code)) FROM deck_entries")
