"""Credentials in memory: whose a key or a certificate is, and what is left of a change that failed."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pegcount.auth import Caller, Credentials, Issued, Scope
from pegcount.auth.credentials import time_text
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits, DataScope
from pegcount.errors import (
    CredentialLimitError,
    CredentialNotFoundError,
    CredentialRefusedError,
    LastRootCredentialError,
    StoreReadOnlyError,
)
from pegcount.model import NewCredential
from pegcount.server.authentication import Authentication
from pegcount.server.client_certificates import ClientCertificate
from pegcount.v1 import admin_pb2

from auth_tests.memory import Memory

NOW_US = 1_774_872_000_000_000
SECOND_US = 1_000_000
PLAIN = NewCredential("plain", (1,), None, ())


class Clock:
    def __init__(self) -> None:
        self.us = NOW_US

    def __call__(self) -> int:
        return self.us


class Place:
    """Credentials over a memory, with a clock that stands still."""

    def __init__(self, **limits: Any) -> None:
        self.store, self.clock = Memory(), Clock()
        self.config = Config(**limits)
        self.credentials = Credentials(self.config, self.store, self.clock)

    def create(self, **fields: Any) -> Issued:
        self.clock.us += 1
        return self.credentials.create(lambda _: replace(PLAIN, **fields))

    def caller(self, issued: Issued) -> Caller | None:
        return self.credentials.caller_of_key(issued.key.text, self.clock.us)

    def reopened(self) -> Credentials:
        return Credentials(self.config, self.store, self.clock)


def test_scopes_are_those_of_the_contract() -> None:
    contract = {name.removeprefix("SCOPE_"): number for name, number in admin_pb2.Scope.items() if number}
    assert {scope.name: scope.value for scope in Scope} == contract


def test_root_may_everything_and_others_what_they_have() -> None:
    for scope in Scope:
        caller = Caller("cr_a", "a", frozenset([scope]), None)
        assert {other for other in Scope if caller.may(other)} == (
            set(Scope) if scope is Scope.ROOT else {scope}
        )


def test_a_key_is_known_by_its_digest_alone() -> None:
    place = Place()
    issued = place.create(lifetime_seconds=60)
    caller = place.caller(issued)
    expected = Caller(
        issued.row.id, "plain", frozenset([Scope.READ_REPORTS]), place.clock.us + 60 * SECOND_US
    )
    assert caller == expected
    kept = repr(place.store.credentials())
    assert issued.key.text not in kept + repr(issued) + repr(place.credentials)
    assert issued.key.digest.hex() not in kept
    assert place.reopened().caller_of_key(issued.key.text, place.clock.us) == expected


def test_what_a_credential_is_held_to_goes_with_each_of_its_callers() -> None:
    place = Place()
    held_to = {"data_scope": DataScope(tenant_id=(2,)), "limits": CredentialLimits(calls_per_second=5)}
    issued = place.create(certificate_names=("a.example.com",), **held_to)
    second = place.credentials.rotate(issued.row.id, 60)
    for credentials in (place.credentials, place.reopened()):
        callers = [
            credentials.caller_of_key(issued.key.text, place.clock.us),
            credentials.caller_of_key(second.key.text, place.clock.us),
            credentials.caller_of_certificate(["a.example.com"], place.clock.us),
        ]
        for held in (*callers, *credentials.rows()):
            assert held is not None
            assert {name: getattr(held, name) for name in held_to} == held_to


def test_a_credential_that_is_held_to_nothing_stays_so() -> None:
    place = Place()
    caller = place.caller(place.create())
    assert caller is not None
    assert (caller.data_scope, caller.limits) == (None, None)


def test_keys_and_ids_are_never_the_same() -> None:
    place = Place()
    made = [place.create(name=str(number)) for number in range(200)]
    for values in (
        {issued.key.text for issued in made},
        {issued.key.prefix for issued in made},
        {issued.row.id for issued in made},
    ):
        assert len(values) == 200


METADATA_TEXT = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60),
    st.from_regex(r"pk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", fullmatch=True),
)
OFFERS = st.lists(st.tuples(st.sampled_from(["x-api-key", "authorization", "x-other"]), METADATA_TEXT))
KNOWN = Place()
ISSUED = KNOWN.create()
GOOD = ISSUED.key.text


@given(OFFERS)
@example([("x-api-key", GOOD), ("x-api-key", GOOD)])
@example([("x-api-key", GOOD), ("authorization", "Bearer " + GOOD)])
@example([("authorization", "Bearer " + GOOD)])
@example([("x-api-key", GOOD + " ")])
@example([("x-api-key", GOOD.upper())])
@example([("x-api-key", "\ud800")])
@example([("x-api-key", b"\xff")])
@example([("authorization", "Bearer")])
def test_whatever_is_sent_the_refusal_is_the_same(offer: list[tuple[str, Any]]) -> None:
    authentication = Authentication(KNOWN.credentials, KNOWN.clock)
    with pytest.raises(CredentialRefusedError) as raised:
        authentication.caller(offer)
    assert (str(raised.value), raised.value.metadata) == (str(CredentialRefusedError()), {})
    known = [*((name, text) for name, text in offer if name == "x-other"), ("x-api-key", GOOD.encode())]
    assert authentication.caller(known) == KNOWN.caller(ISSUED)


def test_a_certificate_stands_for_its_credential_and_a_key_goes_before_it() -> None:
    place = Place()
    first = place.create(name="first", certificate_names=("a.example.com", "spiffe://example.com/a"))
    second = place.create(name="second", certificate_names=("b.example.com",))
    authentication = Authentication(place.credentials, place.clock)

    def name_of(*names: str, key: str | None = None) -> str:
        offer = [] if key is None else [("x-api-key", key)]
        try:
            caller = authentication.caller(offer, ClientCertificate(names, end_us=2 * NOW_US))
        except CredentialRefusedError:
            return "refused"
        assert caller is not None
        return caller.name

    assert name_of("a.example.com") == name_of("x", "spiffe://example.com/a") == "first"
    assert name_of("a.example.com", key=second.key.text) == "second"
    assert name_of("a.example.com", key="sesame") == "refused"
    assert name_of("a.example.com", "b.example.com") == name_of("A.example.com") == name_of() == "refused"
    place.create(name="root", scopes=(4,))
    place.credentials.revoke(first.row.id)
    assert name_of("a.example.com") == "refused"


def test_a_key_without_overlap_is_gone_whatever_the_clock_does() -> None:
    place = Place()
    first = place.create()
    second = place.credentials.rotate(first.row.id, 0)
    assert [key.prefix for key in second.row.keys] == [second.key.prefix]
    place.clock.us -= 3_600 * SECOND_US
    for credentials in (place.credentials, place.reopened()):
        assert credentials.caller_of_key(first.key.text, place.clock.us) is None
        assert credentials.caller_of_key(second.key.text, place.clock.us) is not None


def test_what_has_expired_stays_so_if_the_clock_is_set_back() -> None:
    place = Place()
    expired = place.create(lifetime_seconds=60, certificate_names=("a.example.com",))
    rotated = place.create(name="rotated")
    second = place.credentials.rotate(rotated.row.id, 60)
    place.clock.us += 60 * SECOND_US
    assert place.caller(expired) is place.caller(rotated) is None
    place.clock.us -= 30 * SECOND_US
    assert place.caller(expired) is place.caller(rotated) is None
    assert place.credentials.caller_of_certificate(["a.example.com"], place.clock.us) is None
    assert place.caller(second) is not None
    assert place.credentials.accepted_count() == 1
    with pytest.raises(CredentialNotFoundError, match="has expired"):
        place.credentials.rotate(expired.row.id, 60)


def test_the_log_says_whose_a_refused_key_was(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    expired = place.create(name="wallboard", lifetime_seconds=60)
    rotated, revoked = place.create(name="pbx"), place.create(name="gone")
    place.credentials.rotate(rotated.row.id, 30)
    place.create(name="root", scopes=(4,))
    place.credentials.revoke(revoked.row.id)
    at = place.clock.us
    place.clock.us += 60 * SECOND_US
    authentication = Authentication(place.credentials, place.clock)
    texts = set()
    for key in [*(each.key.text for each in (expired, rotated, revoked)), "sesame", "sesame 2"]:
        with pytest.raises(CredentialRefusedError) as refused:
            authentication.caller([("x-api-key", key)])
        texts.add(str(refused.value))
        assert key not in caplog.text
    assert len(texts) == 1
    begin = "a key was refused: it is the"
    end, overlap = time_text(expired.row.expire_us or 0), time_text(at - 1 + 30 * SECOND_US)
    assert caplog.messages == [
        f"{begin} key of 'wallboard' ({expired.row.id}), which expired at {end}",
        f"{begin} old key {rotated.key.prefix} of 'pbx' ({rotated.row.id}), whose overlap ended at {overlap}",
        f"{begin} key of 'gone' ({revoked.row.id}), which was revoked at {time_text(at)}",
        "a key was refused: no credential has it",
    ]


@pytest.mark.parametrize("has_credentials", [True, False])
def test_an_expired_certificate_is_refused_whatever_the_call_offers(has_credentials: bool) -> None:
    """A client that resumes its TLS session gets no new check of the dates from gRPC."""
    place = Place()
    offers: list[list[tuple[str, str]]] = [[]]
    if has_credentials:
        issued = place.create(certificate_names=("a.example.com",))
        offers.append([("x-api-key", issued.key.text)])
    authentication = Authentication(place.credentials, place.clock)
    certificate = ClientCertificate(("a.example.com",), end_us=NOW_US + SECOND_US)
    place.clock.us = certificate.end_us - 1
    for offer in offers:
        authentication.caller(offer, certificate)
    place.clock.us += 1
    for offer in offers:
        with pytest.raises(CredentialRefusedError):
            authentication.caller(offer, certificate)


def test_a_certificate_name_may_go_to_another_credential_once_its_own_has_ended() -> None:
    place = Place()
    place.create(name="old", certificate_names=("a.example.com",), lifetime_seconds=1)
    place.clock.us += SECOND_US
    place.create(name="new", certificate_names=("a.example.com",))
    for credentials in (place.credentials, place.reopened()):
        caller = credentials.caller_of_certificate(["a.example.com"], place.clock.us)
        assert caller is not None
        assert caller.name == "new"


def test_a_change_that_the_store_cannot_keep_has_not_happened() -> None:
    place = Place()
    issued, _ = place.create(), place.create(name="root", scopes=(4,))
    assert place.caller(issued) is not None
    before = place.credentials.rows()
    place.store.fails = True
    changes: list[Callable[[], object]] = [
        lambda: place.create(name="other"),
        lambda: place.credentials.revoke(issued.row.id),
        lambda: place.credentials.rotate(issued.row.id, 0),
    ]
    for change in changes:
        with pytest.raises(StoreReadOnlyError):
            change()
        assert place.credentials.rows() == before
        assert place.caller(issued) is not None


def test_the_last_use_is_saved_only_if_it_is_another_minute() -> None:
    place = Place()
    issued = place.create()
    place.credentials.save_uses()
    assert place.store.put_count == 1
    for offset_us, puts in ((0, 2), (59 * SECOND_US, 2), (SECOND_US, 3), (-120 * SECOND_US, 3)):
        place.clock.us += offset_us
        place.caller(issued)
        place.credentials.save_uses()
        assert place.store.put_count == puts
    assert place.reopened().rows()[0].last_use_us == NOW_US + 60 * SECOND_US


def test_a_use_that_could_not_be_saved_is_saved_later() -> None:
    place = Place()
    issued = place.create()
    place.caller(issued)
    place.store.fails = True
    with pytest.raises(StoreReadOnlyError):
        place.credentials.save_uses()
    place.store.fails = False
    place.credentials.save_uses()
    assert place.reopened().rows()[0].last_use_us == NOW_US


def test_the_credential_that_ended_first_gives_way_to_a_new_one() -> None:
    place = Place(credential_count_max=3)
    place.create(name="root", scopes=(4,))
    later, first = place.create(name="later", lifetime_seconds=60), place.create(name="first")
    with pytest.raises(CredentialLimitError, match=r"4 credentials; 3 are allowed \(credential_count_max\)"):
        place.create(name="fourth")
    place.credentials.revoke(first.row.id)
    place.clock.us += 60 * SECOND_US
    for dropped, name in ((first, "fourth"), (later, "fifth")):
        place.create(name=name)
        assert dropped.row.id not in place.credentials
        assert len(place.credentials) == len(place.store.held) == 3
        assert place.caller(dropped) is None
    with pytest.raises(CredentialLimitError):
        place.create(name="sixth")


def test_threads_that_create_and_revoke_lose_nothing() -> None:
    place = Place()
    place.create(name="root", scopes=(4,))
    kept: list[Issued] = []

    def work(number: int) -> None:
        for turn in range(20):
            issued = place.create(name=f"{number}/{turn}")
            if turn % 2:
                place.credentials.revoke(issued.row.id)
            else:
                kept.append(issued)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 40
    assert len(place.store.held) == 81
    assert all(place.caller(issued) is not None for issued in kept)
    assert place.credentials.accepted_count() == 41


def test_what_another_server_changes_counts_once_it_is_taken_up() -> None:
    place = Place()
    issued, ended = place.create(name="a"), [False]
    place.credentials.on_change(lambda: ended.__setitem__(0, True))
    assert not place.credentials.is_behind
    place.store.put_credentials([replace(issued.row, revoke_us=NOW_US)])
    assert place.caller(issued) is not None
    place.store.credentials_version += 1
    assert place.credentials.is_behind
    place.credentials.take_up_changes()
    assert (place.caller(issued), place.credentials.is_behind, ended) == (None, False, [True])


def test_a_change_begins_with_what_other_servers_have_changed() -> None:
    """Two servers each revoke one of two roots, of which one must stay."""
    place = Place()
    roots = [place.create(name=name, scopes=(4,)) for name in ("a", "b")]
    place.store.credentials_version += 1
    Credentials(place.config, place.store, place.clock).revoke(roots[0].row.id)
    with pytest.raises(LastRootCredentialError):
        place.credentials.revoke(roots[1].row.id)
