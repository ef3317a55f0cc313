"""What the text of `pegcount.store.interface` says of credentials, asked of each store."""

from dataclasses import replace

from pegcount.model import CredentialRow, KeyRow

from conformance.test_contract import NOW_US, Place, place

__all__ = ["place"]

KEYS = (KeyRow(b"\x00\xff" * 16, "pk_bbbbbbbb", NOW_US), KeyRow(b"\x01" * 32, "pk_aaaaaaaa", 1, NOW_US + 5))
FULL = CredentialRow(
    id="cr_full",
    name='Zoë "report" \n 報告',
    scopes=(1, 4),
    certificate_names=("reports.example.com", "spiffe://example.com/reports"),
    keys=KEYS,
    create_us=1,
    expire_us=NOW_US + 10,
    revoke_us=NOW_US + 7,
    last_use_us=NOW_US,
)
PLAIN = CredentialRow("cr_plain", "plain", (2,), (), KEYS[:1], 0)


def held(place: Place) -> list[CredentialRow]:
    return sorted(place.store.credentials(), key=lambda row: row.id)


def test_a_new_store_has_none(place: Place) -> None:
    assert held(place) == []


def test_credentials_are_held_with_all_that_they_have(place: Place) -> None:
    place.store.put_credentials([PLAIN, FULL])
    assert held(place) == [FULL, PLAIN]
    place.reopen()
    assert held(place) == [FULL, PLAIN]


def test_a_credential_takes_the_place_of_the_one_with_its_id(place: Place) -> None:
    place.store.put_credentials([PLAIN, FULL])
    place.store.put_credentials([replace(PLAIN, revoke_us=3)])
    place.reopen()
    assert held(place) == [FULL, replace(PLAIN, revoke_us=3)]


def test_credentials_are_dropped_and_put_in_one_step(place: Place) -> None:
    place.store.put_credentials([PLAIN])
    place.store.put_credentials([FULL], ["cr_plain", "cr_unknown"])
    place.reopen()
    assert held(place) == [FULL]
    place.store.put_credentials([], ["cr_full"])
    place.reopen()
    assert held(place) == []
