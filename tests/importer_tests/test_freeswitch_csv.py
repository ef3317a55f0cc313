"""freeswitch-csv: rows of mod_cdr_csv, including rows that a spreadsheet saved."""

import io

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.freeswitch_csv import parse_freeswitch_csv
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import csv_line, only_record, options, outline, parse

ROW = {
    "caller_id_name": "Alice",
    "caller_id_number": "+12025550101",
    "destination_number": "442079460001",
    "context": "default",
    "start_stamp": "2026-03-28 09:00:00",
    "answer_stamp": "2026-03-28 09:00:05",
    "end_stamp": "2026-03-28 09:02:05",
    "duration": "125",
    "billsec": "120",
    "hangup_cause": "NORMAL_CLEARING",
    "uuid": "a1",
    "bleg_uuid": "",
    "accountcode": "1001",
    "read_codec": "PCMA",
    "write_codec": "PCMA",
}
TIMES = "2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05Z"


def row(**cells: str) -> str:
    return csv_line((ROW | cells).values())


def check(data: str | bytes, *expected: str, zone_name: str = "UTC") -> None:
    assert outline(parse("freeswitch-csv", data, options(zone_name))) == [*expected]


def test_fields() -> None:
    record = only_record(parse("freeswitch-csv", row(bleg_uuid="b1")))
    for name in ("setup_time", "answer_time", "end_time"):
        record.ClearField(name)
    assert record == SessionRecord(
        source="pbx",
        session_id="a1",
        kind=SESSION_KIND_CALL,
        disconnect_cause=16,
        account_id="1001",
        orig_accounts_ident="1001",
        src_prefix_routing="+12025550101",
        dst_prefix_routing="442079460001",
        orig_leg_id="a1",
        term_leg_id="b1",
        orig_src_party_id="+12025550101",
        orig_dst_party_id="442079460001",
        term_dst_party_id="442079460001",
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (row(), f"1 a1 {TIMES}"),
        ("\ufeff" + row().replace("\n", "\r\n"), f"1 a1 {TIMES}"),
        (
            row(answer_stamp="", billsec="0", hangup_cause="USER_BUSY"),
            "1 a1 2026-03-28T09:00:00Z - 2026-03-28T09:02:05Z",
        ),
        # The call was answered for less than a second.
        (
            row(answer_stamp="2026-03-28 09:02:05", billsec="0"),
            "1 a1 2026-03-28T09:00:00Z 2026-03-28T09:02:05Z 2026-03-28T09:02:05Z",
        ),
        # A spreadsheet saved this row.
        (
            "Alice,12025550101,442079460001,default,2026/3/28 9:00,2026/3/28 9:00,2026/3/28 9:02,125,120,"
            "NORMAL_CLEARING,a1,,1001,PCMA,PCMA\r\n",
            f"1 a1 {TIMES}",
        ),
        # The module's built-in template lacks codecs and writes a space before the last cell.
        (
            '"Alice","1","2","default","2026-03-28 09:00:00","2026-03-28 09:00:05","2026-03-28 09:02:05",'
            '"125","120","NORMAL_CLEARING","a1","", "1001"\n',
            f"1 a1 {TIMES}",
        ),
    ],
)
def test_rows(data: str, expected: str) -> None:
    check(data, expected)


def test_the_repeated_hour() -> None:
    dates = {
        "start_stamp": "2026-10-25 02:50:00",
        "answer_stamp": "2026-10-25 02:50:05",
        "end_stamp": "2026-10-25 02:05:00",
    }
    check(
        row(**dates, duration="900", billsec="895"),
        "1 a1 2026-10-25T00:50:00Z 2026-10-25T00:50:05Z 2026-10-25T01:05:00Z",
        zone_name="Europe/Berlin",
    )


def test_an_unknown_cause_is_absent() -> None:
    assert not only_record(parse("freeswitch-csv", row(hangup_cause="NEW_CAUSE"))).HasField(
        "disconnect_cause"
    )


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ((("a1", "b1"), ("b1", "")), ["1 a1", "2 skipped"]),
        ((("b1", ""), ("a1", "b1")), ["1 skipped", "2 a1"]),
        ((("a1", ""), ("a2", "b9")), ["1 a1", "2 a2"]),
        # Two legs name each other, so neither counts as the called one.
        ((("a1", "a2"), ("a2", "a1")), ["1 a1", "2 a2"]),
        # The called leg b1 has called another leg itself.
        ((("a1", "b1"), ("b1", "c1"), ("c1", "")), ["1 a1", "2 b1", "3 skipped"]),
    ],
)
def test_called_legs_are_skipped(legs: tuple[tuple[str, str], ...], expected: list[str]) -> None:
    data = "".join(row(uuid=uuid, bleg_uuid=bleg_uuid) for uuid, bleg_uuid in legs)
    check(data, *(line if line.endswith("skipped") else f"{line} {TIMES}" for line in expected))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (row(caller_id_name='"').replace('""""', '"""'), "no row of CSV: "),
        (row().replace('"Alice"', '"Alice "A" B"'), "no row of CSV: "),
        ("caller,called\n", "the row has 2 cells, not 13 or 15"),
        (csv_line(ROW), "start_stamp: 'start_stamp' is no date and time"),
        (row(uuid=""), "the row has no uuid"),
        (row(start_stamp=""), "start_stamp: '' is no date and time"),
        (row(end_stamp="28/03/2026 09:02"), "end_stamp: '28/03/2026 09:02' is no date and time"),
        (row(billsec=""), "billsec: '' is no number of seconds"),
        (row(destination_number="4.42079E+11"), "'4.42079E+11' is a number that a spreadsheet has rounded"),
    ],
)
def test_a_damaged_line_does_not_affect_its_neighbours(damaged: str, reason: str) -> None:
    first, middle, last = outline(parse("freeswitch-csv", row() + damaged + row()))
    assert (first, last) == (f"1 a1 {TIMES}", f"3 a1 {TIMES}")
    assert middle.startswith(f"2 ! {reason}")


def test_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(ImportFileError, match="pipe"):
        parse_freeswitch_csv(Pipe(), options())
