"""Prices with the decimals that databases print."""

import dataclasses
from pathlib import Path

import pytest
from pegcount.importers.prices import round_prices
from pegcount.v1.records_pb2 import SessionRecord

from .reading import options
from .test_importer import run_import


@pytest.mark.parametrize(
    ("text", "expected", "is_rounded"),
    [
        ("0", "0", False),
        ("0.0125", "0.0125", False),
        ("0.123456789", "0.123456789", False),
        ("0.05000000000000000000", "0.050000000", False),
        ("-3.0500000000000000000000000000000000000000", "-3.050000000", False),
        # An export of DBeaver.
        (f"29385763.{53 * '0'}", "29385763.000000000", False),
        ("0.00166666666666666667", "0.001666667", True),
        ("0.0000000005", "0.000000000", True),
        ("0.0000000015", "0.000000002", True),
        ("0.0000000025", "0.000000002", True),
        ("0.00000000250000000001", "0.000000003", True),
        ("-0.0000000015", "-0.000000002", True),
        ("+1.9999999999", "2.000000000", True),
        ("99999999999999999999.9999999999", "100000000000000000000.000000000", True),
        # Other texts than prices stay as they are, so that the store rejects them.
        ("123456789012345678901.0000000000", "123456789012345678901.0000000000", False),
        (".0500000000000", ".0500000000000", False),
        ("0,05000000000000", "0,05000000000000", False),
        ("0.0500000000E-5", "0.0500000000E-5", False),
        ("1.0000000000.5", "1.0000000000.5", False),
        ("0.\u0661000000000000", "0.\u0661000000000000", False),
    ],
)
def test_prices_keep_nine_decimals(text: str, expected: str, is_rounded: bool) -> None:
    record = SessionRecord(customer_price=text)
    assert round_prices(record) is is_rounded
    assert record.customer_price == expected


def test_a_record_without_a_price_stays_without_one() -> None:
    record = SessionRecord()
    assert round_prices(record) is False
    assert record == SessionRecord()


def test_rounded_prices_are_counted_in_every_format(tmp_path: Path) -> None:
    prices = ["0.05000000000000000000", "0.00166666666666666667", "0.0033333333333333", "1", ""]
    rows = [f"s{i},2026-03-10T09:00:00Z,{price}" for i, price in enumerate(prices)]
    result = run_import(tmp_path, "session_id,setup_time,customer_price\n" + "\n".join(rows) + "\n", batch=9)
    assert (result.counts.accepted, result.counts.rejected, result.counts.rounded_prices) == (5, 0, 2)
    sent = [record.customer_price for record in result.batches[0]]
    assert sent == ["0.050000000", "0.001666667", "0.003333333", "1", ""]


def test_a_price_that_is_set_for_a_whole_file_is_rounded(tmp_path: Path) -> None:
    given = dataclasses.replace(options(), overrides={"customer_price": "0.00166666666666666667"})
    result = run_import(tmp_path, "session_id,setup_time\ns1,2026-03-10T09:00:00Z\n", given)
    assert result.batches[0][0].customer_price == "0.001666667"
    assert result.counts.rounded_prices == 1
