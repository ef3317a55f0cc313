"""yeti-csv: rows of the table cdr.cdr."""

import pytest
from pegcount.errors import ImportFileError
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import csv_line, only_record, options, outline, parse

ROW = {
    "id": "900001",
    "uuid": "5f0c",
    "time_start": "2026-03-28 09:00:00.5+00",
    "time_connect": "2026-03-28 09:00:05.25+00",
    "time_end": "2026-03-28 10:02:05+01",
    "duration": "120",
    "success": "t",
    "is_last_cdr": "t",
    "customer_id": "11",
    "customer_acc_id": "1001",
    "vendor_id": "21",
    "vendor_acc_id": "2001",
    "src_country_id": "222",
    "dst_country_id": "215",
    "src_prefix_routing": "12025550101",
    "dst_prefix_routing": "442079460001",
    "src_prefix_in": "+12025550101",
    "dst_prefix_in": "00442079460001",
    "src_prefix_out": "12025550101",
    "dst_prefix_out": "442079460001",
    "destination_prefix": "4420",
    "dialpeer_prefix": "44",
    "auth_orig_ip": "2001:db8::7",
    "customer_price": "0.0125",
    "lega_q850_cause": "16",
    "orig_call_id": "abc@192.0.2.10",
    "term_call_id": "def@198.51.100.1",
    "orig_gw_id": "31",
    "term_gw_id": "41",
}
TIMES = "2026-03-28T09:00:00.500000Z 2026-03-28T09:00:05.250000Z 2026-03-28T09:02:05Z"


def table(*rows: dict[str, str]) -> str:
    return csv_line(ROW) + "".join(csv_line((ROW | row).values()) for row in rows)


def check(data: str, *expected: str) -> None:
    # The table is in UTC, so the time zone of the import must not matter.
    assert outline(parse("yeti-csv", data, options("Asia/Tokyo"))) == [*expected]


def test_fields() -> None:
    record = only_record(parse("yeti-csv", table({})))
    for name in ("setup_time", "answer_time", "end_time"):
        record.ClearField(name)
    assert record == SessionRecord(
        source="pbx",
        session_id="900001",
        kind=SESSION_KIND_CALL,
        is_last_attempt=True,
        disconnect_cause=16,
        account_id="1001",
        equipment_id=31,
        src_country_id=222,
        dst_country_id=215,
        src_prefix_routing="12025550101",
        dst_prefix_routing="442079460001",
        auth_orig_ip="2001:db8::7",
        customer_price="0.0125",
        orig_leg_id="abc@192.0.2.10",
        term_leg_id="def@198.51.100.1",
        orig_src_party_id="+12025550101",
        orig_dst_party_id="00442079460001",
        term_src_party_id="12025550101",
        term_dst_party_id="442079460001",
        orig_clients_id=11,
        orig_accounts_id=1001,
        orig_rates_code="4420",
        term_clients_id=21,
        term_accounts_id=2001,
        term_rates_code="44",
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, TIMES),
        ({"time_connect": ""}, "2026-03-28T09:00:00.500000Z - 2026-03-28T09:02:05Z"),
        # A duration rounded to 0 does not make the call unanswered.
        (
            {"time_connect": "2026-03-28 09:02:04.9", "duration": "0"},
            "2026-03-28T09:00:00.500000Z 2026-03-28T09:02:04.900000Z 2026-03-28T09:02:05Z",
        ),
        (
            {"time_start": "2026-03-28 09:00:00", "time_connect": "", "time_end": "2026-03-28 09:00:09 UTC"},
            "2026-03-28T09:00:00Z - 2026-03-28T09:00:09Z",
        ),
    ],
)
def test_times(cells: dict[str, str], expected: str) -> None:
    check(table(cells), f"2 900001 {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("t", True), ("f", False), ("true", True), ("false", False), ("1", True), ("0", False)],
)
def test_last_attempts(text: str, expected: bool) -> None:
    assert only_record(parse("yeti-csv", table({"is_last_cdr": text}))).is_last_attempt is expected


def test_columns_may_be_in_any_order_with_unknown_ones() -> None:
    names = ["local_tag", *reversed(ROW)]
    row = csv_line(["x", *reversed(ROW.values())])
    check("\ufeff" + csv_line(names).replace("\n", "\r\n") + row.replace("\n", "\r\n"), f"2 900001 {TIMES}")


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(ImportFileError, match="lacks time_connect, time_end, is_last_cdr"):
        check("id,time_start,duration\n")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"id": ""}, "id is empty"),
        ({"time_end": ""}, "time_end is empty"),
        ({"is_last_cdr": ""}, "is_last_cdr is empty"),
        ({"is_last_cdr": "maybe"}, "is_last_attempt: 'maybe' is none of"),
        ({"time_start": "28.03.2026"}, "time_start: '28.03.2026' is no date and time"),
        ({"customer_id": "acme"}, "orig_clients_id: 'acme' is not a whole number"),
    ],
)
def test_a_damaged_row_does_not_affect_its_neighbours(cells: dict[str, str], reason: str) -> None:
    first, middle, last = outline(parse("yeti-csv", table({}, cells, {})))
    assert (first, last) == (f"2 900001 {TIMES}", f"4 900001 {TIMES}")
    assert middle.startswith(f"3 ! {reason}")


def test_a_row_of_the_wrong_length_is_rejected() -> None:
    check(table() + "1,2\n", f"2 ! the row has 2 cells, the header {len(ROW)}")
