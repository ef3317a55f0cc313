"""The store and the importers judge texts of new records by the same tables of cases."""

from pathlib import Path

import pytest
from pegcount.importers.prices import PRICE_FIELDS
from pegcount.importers.rounded_numbers import NUMBER_FIELDS
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import RejectReason, SessionRecord

from store_tests.store_fixtures import MANUAL_MAINTENANCE, batch, finished

TESTS = Path(__file__).parents[1]


def cases(name: str) -> list[tuple[str, str]]:
    lines = (TESTS / name).read_text().splitlines()
    pairs = [line.split("\t") for line in lines if line]
    return [(text, verdict) for text, verdict in pairs]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStore:
    return EmbeddedStore(tmp_path_factory.mktemp("store") / "data", MANUAL_MAINTENANCE, create=True)


def reasons(store: EmbeddedStore, *records: SessionRecord) -> list[str]:
    return [RejectReason.Name(one.reason) for one in store.write(batch(*records)).rejected]


def test_the_store_takes_the_addresses_that_importers_send_and_no_others(store: EmbeddedStore) -> None:
    for text, verdict in cases("address_cases.txt"):
        sent, expected = (text, ["REJECT_REASON_BAD_ADDRESS"]) if verdict == "rejected" else (verdict, [])
        assert reasons(store, finished("x", auth_orig_ip=sent)) == expected, text


def test_the_store_rejects_the_rounded_numbers_that_importers_reject(store: EmbeddedStore) -> None:
    for text, verdict in cases("rounded_number_cases.txt"):
        expected = ["REJECT_REASON_ROUNDED_NUMBER"] if verdict == "rounded" else []
        assert reasons(store, finished("x", account_id=text)) == expected, text


def test_identifiers_are_the_same_fields(store: EmbeddedStore) -> None:
    for field in SessionRecord.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and field.name not in ("auth_orig_ip", *PRICE_FIELDS):
            record = finished("x")
            setattr(record, field.name, "4.42079E+11")
            expected = ["REJECT_REASON_ROUNDED_NUMBER"] if field.name in NUMBER_FIELDS else []
            assert reasons(store, record) == expected, field.name
