"""What the text of `pegcount.store.interface` says of credentials, asked of each store."""

from dataclasses import replace

from pegcount.data_scope import CredentialLimits, DataScope, Metric, OrganizationScope
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
    data_scope=DataScope(
        tenant_id=(2, -(2**63)),
        organization=(OrganizationScope("acme"), OrganizationScope("報告", "sales/north")),
        account_id=("1001", '"'),
        orig_clients_id=(7,),
        term_clients_id=(8,),
        source=("sbc1",),
        hidden_metrics=(Metric.PRICE, Metric.ASR),
        hidden_fields=("duration",),
        shown_fields=("term_rates_code",),
    ),
    limits=CredentialLimits(1, 2, 3, 4),
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


def test_what_a_data_scope_and_limits_leave_out_stays_absent(place: Place) -> None:
    narrow = replace(PLAIN, data_scope=DataScope(source=("a",)), limits=CredentialLimits(write_streams=1))
    place.store.put_credentials([narrow])
    place.reopen()
    assert held(place) == [narrow]
    assert hash(held(place)[0].data_scope) == hash(narrow.data_scope)


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
