"""Credentials that several servers change at once: what one of them ended stays ended."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from pegcount.config import Config
from pegcount.model import CredentialRow, KeyRow
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.shared.credentials import ClusterCredentials
from waiting import at_best, wait_until

from clickhouse.rig import Rig
from clickhouse.settings_place import SettingsPlace, following, token

OLD, NEW, OTHER = (KeyRow(bytes([n]) * 32, f"pk_{n}", create_us=n) for n in (1, 2, 3))
ROW = CredentialRow("cr_a", "a", (1,), ("a.example.com",), (OLD,), 1, expire_us=900)


@pytest.fixture
def place(cluster: Rig) -> Iterator[SettingsPlace]:
    place = SettingsPlace(cluster)
    yield place
    place.close()


class Servers:
    """Two servers, which both have seen one credential."""

    def __init__(self, place: SettingsPlace) -> None:
        self.first, self.second = (ClusterCredentials(place.log(), Config()) for _ in range(2))
        self.first.put([ROW])
        assert list(self.first.all()) == list(self.second.all()) == [ROW]

    def put(self, **changed: Any) -> CredentialRow:
        """The first server puts the credential with these changes, as if it saw no other ones."""
        self.first.put([replace(ROW, **changed)])
        return self.present()

    def present(self) -> CredentialRow:
        (row,) = self.first.all()
        return row


@pytest.fixture
def servers(place: SettingsPlace) -> Servers:
    return Servers(place)


def test_a_save_of_last_uses_undoes_no_revocation(servers: Servers) -> None:
    servers.second.put([replace(ROW, revoke_us=7)])
    assert servers.put(last_use_us=9) == replace(ROW, revoke_us=7, last_use_us=9)


def test_the_latest_of_two_uses_and_the_first_of_two_revocations_count(servers: Servers) -> None:
    servers.second.put([replace(ROW, revoke_us=7, last_use_us=12)])
    assert servers.put(revoke_us=8, last_use_us=9) == replace(ROW, revoke_us=7, last_use_us=12)


def test_a_server_that_saw_a_revocation_puts_the_row_as_a_whole(servers: Servers) -> None:
    servers.second.put([replace(ROW, revoke_us=7)])
    servers.first.all()
    assert servers.put(name="b") == replace(ROW, name="b")


def test_changes_of_different_fields_are_joined(servers: Servers) -> None:
    servers.second.put([replace(ROW, name="b", expire_us=500)])
    assert servers.put(scopes=(1, 2), expire_us=600) == replace(ROW, name="b", scopes=(1, 2), expire_us=500)


def test_a_key_that_one_server_dropped_does_not_come_back(servers: Servers) -> None:
    """The second one rotates without an overlap, the first one with: both new keys are accepted."""
    servers.second.put([replace(ROW, keys=(NEW,))])
    assert servers.put(keys=(OTHER, replace(OLD, expire_us=50))).keys == (OTHER, NEW)


def test_a_key_ends_when_the_first_server_ends_it(servers: Servers) -> None:
    servers.second.put([replace(ROW, keys=(NEW, replace(OLD, expire_us=40)))])
    assert servers.put(keys=(OTHER, replace(OLD, expire_us=50))).keys == (
        OTHER,
        NEW,
        replace(OLD, expire_us=40),
    )
    servers.first.put([replace(servers.present(), keys=(OTHER, NEW))])
    assert servers.present().keys == (OTHER, NEW)


def test_the_keys_of_a_save_of_last_uses_are_those_of_the_other_server(servers: Servers) -> None:
    servers.second.put([replace(ROW, keys=(NEW,))])
    assert servers.put(last_use_us=9) == replace(ROW, keys=(NEW,), last_use_us=9)


def test_a_credential_that_another_server_dropped_does_not_come_back(servers: Servers) -> None:
    servers.second.put([], ["cr_a"])
    servers.first.put([replace(ROW, last_use_us=9)])
    assert list(servers.first.all()) == []
    servers.first.put([ROW])
    assert list(servers.second.all()) == [ROW]


def test_a_drop_takes_what_another_server_has_changed(servers: Servers) -> None:
    servers.second.put([replace(ROW, last_use_us=9)])
    servers.first.put([replace(ROW, id="cr_b")], ["cr_a", "cr_unknown"])
    assert [row.id for row in servers.second.all()] == ["cr_b"]


def test_a_repeated_save_makes_no_commit(servers: Servers, place: SettingsPlace) -> None:
    servers.put(last_use_us=9)
    head = place.log().refresh(token())
    servers.put(last_use_us=9)
    assert place.log().refresh(token()) == head


def test_a_revocation_is_seen_by_every_server_within_a_second(place: SettingsPlace) -> None:
    log: ChangeLog
    with following(place.log()) as log:
        follower, revoker = ClusterCredentials(log, Config()), ClusterCredentials(place.log(), Config())
        ids = (f"cr_{number}" for number in count())

        def seconds_until_seen() -> float:
            row = replace(ROW, id=next(ids))
            revoker.put([row])
            wait_until(lambda: row in follower.all())
            version, begin = follower.version, time.monotonic()
            revoker.put([replace(row, revoke_us=7)])
            wait_until(lambda: follower.version > version)
            seconds = time.monotonic() - begin
            assert replace(row, revoke_us=7) in follower.all()
            return seconds

        at_best(seconds_until_seen, 1.0)
