"""yeti-csv: rows of the table cdr.cdr."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.errors import ImportFileError
from pegcount.v1.records_pb2 import (
    RELEASE_PARTY_TERMINATION,
    SESSION_KIND_CALL,
    ReleaseParty,
    SessionRecord,
)

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
    "vendor_price": "0.0100",
    "pdd": "1.75",
    "lega_disconnect_code": "503",
    "legb_disconnect_code": "486",
    "disconnect_initiator_id": "2",
}
TIMES = "2026-03-28T09:00:00.500000Z 2026-03-28T09:00:05.250000Z 2026-03-28T09:02:05Z"


def table(*rows: dict[str, str]) -> str:
    return csv_line(ROW) + "".join(csv_line((ROW | row).values()) for row in rows)


def check(data: str, *expected: str, zone_name: str = "Asia/Tokyo") -> None:
    # Times with an offset do not depend on the time zone of the import.
    assert outline(parse("yeti-csv", data, options(zone_name))) == [*expected]


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
        alert_time=Timestamp(seconds=1_774_688_402, nanos=250_000_000),
        vendor_price="0.0100",
        sip_status=486,
        release_party=RELEASE_PARTY_TERMINATION,
    )


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        ({"pdd": ""}, None),
        ({"pdd": "NULL"}, None),
        ({"pdd": "0"}, 0.0),
        ({"pdd": "1.2345678"}, 1.234568),
        ({"pdd": "5e-05"}, 0.00005),
        # Without ringing, Yeti has the time up to the answer, with the digits of a `real`; times are rounded.
        ({"pdd": "4.75"}, None),
        ({"pdd": "4.7493"}, None),
        ({"pdd": "5.6"}, None),
        ({"pdd": "4.7"}, 4.7),
        # What cannot be is left to the store, which drops and counts it.
        ({"pdd": "6"}, 6.0),
        ({"pdd": "-1"}, -1.0),
        ({"pdd": "4.75", "time_connect": ""}, 4.75),
    ],
)
def test_the_alert_follows_the_setup_by_the_post_dial_delay(
    cells: dict[str, str], seconds: float | None
) -> None:
    record = only_record(parse("yeti-csv", table(cells)))
    assert record.HasField("alert_time") is (seconds is not None)
    if seconds is not None:
        delay_us = record.alert_time.ToMicroseconds() - record.setup_time.ToMicroseconds()
        assert delay_us == round(seconds * 1_000_000)


@pytest.mark.parametrize(
    ("code_of_leg_a", "code_of_leg_b", "expected"),
    [
        ("487", "486", 486),
        # No vendor was asked, or the code is one of the switch.
        ("403", "", 403),
        ("403", "0", 403),
        ("503", "8004", 503),
        ("", "", 0),
        ("1600", "NULL", 0),
    ],
)
def test_the_status_is_what_the_vendor_responded(
    code_of_leg_a: str, code_of_leg_b: str, expected: int
) -> None:
    cells = {"lega_disconnect_code": code_of_leg_a, "legb_disconnect_code": code_of_leg_b}
    record = only_record(parse("yeti-csv", table(cells)))
    assert (record.sip_status, record.HasField("sip_status")) == (expected, expected != 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0", "SWITCH"), ("1", "SWITCH"), ("2", "TERMINATION"), ("3", "ORIGINATION")),
        *(("Routing", "SWITCH"), ("Switch", "SWITCH"), ("Destination", "TERMINATION")),
        *(("Origination", "ORIGINATION"), ("", "UNSPECIFIED")),
    ],
)
def test_who_ended_the_call(text: str, expected: str) -> None:
    record = only_record(parse("yeti-csv", table({"disconnect_initiator_id": text})))
    assert ReleaseParty.Name(record.release_party) == f"RELEASE_PARTY_{expected}"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"pdd": "soon"}, "pdd: 'soon' is not a number of seconds"),
        ({"legb_disconnect_code": "busy"}, "legb_disconnect_code: 'busy' is not a whole number"),
        (
            {"disconnect_initiator_id": "4"},
            "disconnect_initiator_id: '4' is not one of"
            " 0, 1, Routing, Switch, 2, Destination, 3, Origination",
        ),
    ],
)
def test_a_cell_of_another_kind_is_named(cells: dict[str, str], reason: str) -> None:
    check(table(cells), f"2 ! {reason}")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, TIMES),
        ({"time_connect": ""}, "2026-03-28T09:00:00.500000Z - 2026-03-28T09:02:05Z"),
        # A duration rounded to 0 does not make the call unanswered.
        (
            {"time_connect": "2026-03-28 09:02:04.9+00", "duration": "0"},
            "2026-03-28T09:00:00.500000Z 2026-03-28T09:02:04.900000Z 2026-03-28T09:02:05Z",
        ),
        (
            {
                "time_start": "2026-03-28 18:00:00",
                "time_connect": "",
                "time_end": "2026-03-28 09:00:09 UTC",
            },
            "2026-03-28T09:00:00Z - 2026-03-28T09:00:09Z",
        ),
    ],
)
def test_times(cells: dict[str, str], expected: str) -> None:
    check(table(cells), f"2 900001 {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("t", True), ("true", True), ("1", True), ("TRUE", True), ("Yes", True)),
        *(("f", False), ("false", False), ("0", False), ("FALSE", False), ("no", False)),
    ],
)
def test_last_attempts(text: str, expected: bool) -> None:
    assert only_record(parse("yeti-csv", table({"is_last_cdr": text}))).is_last_attempt is expected


def test_null_is_an_empty_cell() -> None:
    for null in ("NULL", "\\N"):
        cells = {"time_connect": null, "customer_price": null, "vendor_id": null, "duration": null}
        record = only_record(parse("yeti-csv", table(cells)))
        assert not record.HasField("answer_time")
        assert not record.HasField("customer_price")
        assert not record.HasField("term_clients_id")


def test_the_text_of_inet_is_the_address() -> None:
    for text, expected in [("192.0.2.10/32", "192.0.2.10"), ("2001:db8::7/128", "2001:db8::7")]:
        assert only_record(parse("yeti-csv", table({"auth_orig_ip": text}))).auth_orig_ip == expected


def test_titles_stand_for_the_columns() -> None:
    named = only_record(parse("yeti-csv", table({})))
    titles = ["ID", "UUID", "Time Start", "Time Connect", "Time End", "Duration", "Success", "Is Last Cdr"]
    titles += ["Customer", "Customer Acc", "Vendor", "Vendor Acc", "Src Country", "Dst Country"]
    titles += ["Src Prefix Routing", "Dst Prefix Routing", "Src Prefix In", "Dst Prefix In"]
    titles += ["Src Prefix Out", "Dst Prefix Out", "Destination Prefix", "Dialpeer Prefix", "Auth Orig Ip"]
    titles += ["Customer Price", "Lega Q850 Cause", "Orig Call", "Term Call", "Orig Gw", "Term Gw"]
    titles += ["Vendor Price", "Pdd", "Lega Disconnect Code", "Legb Disconnect Code", "Disconnect Initiator"]
    assert len(titles) == len(ROW)
    assert only_record(parse("yeti-csv", csv_line(titles) + csv_line(ROW.values()))) == named


def test_local_times_are_in_the_zone_of_the_import() -> None:
    local = {
        "time_start": "2026-07-01 10:00:00.25",
        "time_connect": "2026-07-01 10:00:05.25",
        "time_end": "2026-07-01 10:02:05.25",
    }
    summer = "2026-07-01T08:00:00.250000Z 2026-07-01T08:00:05.250000Z 2026-07-01T08:02:05.250000Z"
    check(table(local), f"2 900001 {summer}", zone_name="Europe/Berlin")
    check(table(local), f"2 900001 {summer.replace('T08', 'T10')}", zone_name="UTC")


def test_columns_may_be_in_any_order_with_unknown_ones() -> None:
    names = ["local_tag", *reversed(ROW)]
    row = csv_line(["x", *reversed(ROW.values())])
    check("\ufeff" + csv_line(names).replace("\n", "\r\n") + row.replace("\n", "\r\n"), f"2 900001 {TIMES}")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,time_start,duration", "lacks time_connect, time_end, is_last_cdr"),
        ("ID,Time Start,Duration", "lacks Time Connect, Time End, Is Last Cdr"),
        (
            "Time Start,Time Connect,Time End,Success,Duration,Src Name In,Orig Call,Local Tag",
            "lacks ID, Is Last Cdr: without an id, a call that is imported twice would count twice",
        ),
        ("time_start,time_connect,time_end,is_last_cdr", "lacks id: without an id"),
        ("UUID,Time Start,Time Connect,Time End,Is Last Cdr", "lacks ID: without an id"),
        ("ID,Time Start,Time Connect,Time End", "lacks Is Last Cdr: .* --set is_last_attempt=true"),
        ("id,time_start,time_connect,time_end", "lacks is_last_cdr: .* --set is_last_attempt=true"),
        (
            "Id,Time start,Time connect,Time end,Duration,LegA DC,LegB DC,Routing attempt,Customer acc",
            "the download of the page CDR History, which lacks Is Last Cdr",
        ),
        ("ID,id,Time Start,Time Connect,Time End,Is Last Cdr", "has id twice"),
        ("id,time_start,time_connect,time_end,is_last_cdr,Customer,customer_id", "has customer_id twice"),
    ],
)
def test_files_that_lack_columns_are_refused(header: str, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        check(f"{header}\n")


def test_an_export_of_last_attempts_may_say_so_by_an_option() -> None:
    header = "ID,Time Start,Time Connect,Time End\n"
    row = csv_line(["1", "2026-03-10 09:00:00+00", "", "2026-03-10 09:00:09+00"])
    given = options(overrides={"is_last_attempt": "true"})
    assert only_record(parse("yeti-csv", header + row, given)).session_id == "1"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"id": ""}, "id is empty"),
        ({"time_end": ""}, "time_end is empty"),
        ({"is_last_cdr": ""}, "is_last_cdr is empty"),
        ({"time_end": "NULL"}, "time_end is empty"),
        ({"auth_orig_ip": "192.0.2.0/24"}, "auth_orig_ip: '192.0.*.*/24' is no IPv4 or IPv6 address"),
        ({"is_last_cdr": "maybe"}, "is_last_attempt: 'maybe' is not one of"),
        ({"time_start": "28.03.2026"}, "time_start: '28.03.2026' is not a date and time"),
        ({"customer_id": "acme"}, "orig_clients_id: 'acme' is not a whole number"),
    ],
)
def test_a_damaged_row_does_not_affect_its_neighbours(cells: dict[str, str], reason: str) -> None:
    first, middle, last = outline(parse("yeti-csv", table({}, cells, {})))
    assert (first, last) == (f"2 900001 {TIMES}", f"4 900001 {TIMES}")
    assert middle.startswith(f"3 ! {reason}")


def test_a_row_of_the_wrong_length_is_rejected() -> None:
    check(table() + "1,2\n", f"2 ! the row has 2 cells, the header {len(ROW)}")
