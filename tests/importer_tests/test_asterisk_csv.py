"""asterisk-csv: rows as Asterisk writes them, and damaged rows; here each row is a call of its own."""

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import ASTERISK_COLUMN_ORDERS
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import csv_line, only_record, options, outline, parse, times

ROWS = options(asterisk_calls="rows")

BASE = (
    '"1001","12025550101","442079460001","from-internal","""Alice A."" <12025550101>","PJSIP/1001-0000002a",'
    '"PJSIP/trunk-0000002b","Dial","PJSIP/442079460001@trunk,60","2026-03-28 09:00:00","2026-03-28 09:00:05",'
    '"2026-03-28 09:02:05",125,120,"ANSWERED","DOCUMENTATION"'
)
UNIQUEID = ',"1774688400.42"'
USERFIELD = ',"note"'
NEW_COLUMNS = ',"peer","1774688400.41","7"'
TIMES = "2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05Z"

CUSTOM = {
    "clid": '"Alice" <12025550101>',
    "src": "12025550101",
    "dst": "442079460001",
    "dcontext": "from-internal",
    "channel": "PJSIP/1001-0000002a",
    "dstchannel": "PJSIP/trunk-0000002b",
    "lastapp": "Dial",
    "lastdata": "PJSIP/442079460001@trunk",
    "start": "2026-03-28 09:00:00",
    "answer": "2026-03-28 09:00:05",
    "end": "2026-03-28 09:02:05",
    "duration": "125",
    "billsec": "120",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "accountcode": "1001",
    "uniqueid": "1774688400.42",
    "userfield": "",
    "sequence": "7",
}


def check(data: str | bytes, *expected: str, zone_name: str = "UTC", columns: str = "auto") -> None:
    assert outline(
        parse("asterisk-csv", data, options(zone_name, asterisk_columns=columns, asterisk_calls="rows"))
    ) == [*expected]


def custom_row(**cells: str) -> str:
    return csv_line((CUSTOM | cells).values())


def october_row(start: str, answer: str, end: str, uniqueid: str, **cells: str) -> str:
    """A row of 25 October 2026, when Berlin sets its clocks back."""
    dates = {"start": start, "answer": answer, "end": end}
    day = {name: f"2026-10-25 {clock}" for name, clock in dates.items()}
    return custom_row(**day, uniqueid=uniqueid, **cells)


@pytest.mark.parametrize(
    ("rest", "session_id"),
    [
        ("", "/1"),
        (UNIQUEID, "1774688400.42/"),
        (USERFIELD, "/1"),
        (UNIQUEID + USERFIELD, "1774688400.42/"),
        (NEW_COLUMNS, "/1"),
        (UNIQUEID + NEW_COLUMNS, "1774688400.42/7"),
        (USERFIELD + NEW_COLUMNS, "/1"),
        (UNIQUEID + USERFIELD + NEW_COLUMNS, "1774688400.42/7"),
    ],
)
def test_16_to_21_columns(rest: str, session_id: str) -> None:
    record = only_record(parse("asterisk-csv", BASE + rest + "\n", ROWS))
    assert session_id in record.session_id
    assert " ".join(times(record)) == TIMES


def test_session_ids_are_the_same_in_every_run() -> None:
    # The hash is `b2sum -l 64` of the cells, joined by NUL bytes.
    check(BASE, f"1 2cfdb1fd55667f47/1 {TIMES}")
    check(BASE + UNIQUEID, f"1 1774688400.42/2ad9fa211c888cc8 {TIMES}")


def test_fields() -> None:
    record = only_record(parse("asterisk-csv", BASE + UNIQUEID + USERFIELD + NEW_COLUMNS, ROWS))
    for name in ("setup_time", "answer_time", "end_time"):
        record.ClearField(name)
    assert record == SessionRecord(
        source="pbx",
        session_id="1774688400.42/7",
        kind=SESSION_KIND_CALL,
        disconnect_cause=16,
        account_id="1001",
        orig_accounts_ident="1001",
        src_prefix_routing="12025550101",
        dst_prefix_routing="442079460001",
        orig_leg_id="PJSIP/1001-0000002a",
        term_leg_id="PJSIP/trunk-0000002b",
        orig_src_party_id="12025550101",
        orig_dst_party_id="442079460001",
        term_dst_party_id="442079460001",
    )


def test_empty_cells_are_absent_fields() -> None:
    row = custom_row(accountcode="", dstchannel="", src="")
    record = only_record(parse("asterisk-csv", row, options(source="", asterisk_calls="rows")))
    for name in ("source", "account_id", "orig_accounts_ident", "term_leg_id", "orig_src_party_id"):
        assert not record.HasField(name)


def test_sequences_distinguish_rows_of_one_uniqueid() -> None:
    check(custom_row() + custom_row(sequence="8"), f"1 1774688400.42/7 {TIMES}", f"2 1774688400.42/8 {TIMES}")


def test_content_distinguishes_rows_without_sequence() -> None:
    first, second = BASE + UNIQUEID, BASE.replace("trunk", "other") + UNIQUEID
    ids = {line.split()[1] for line in outline(parse("asterisk-csv", f"{first}\n{second}\n{first}\n", ROWS))}
    assert len(ids) == 2


def test_equal_rows_without_a_uniqueid_are_numbered() -> None:
    other = BASE.replace("12025550101", "12025550102")
    found = outline(parse("asterisk-csv", f"{BASE}\n{other}\n{BASE}\n{BASE}\n", ROWS))
    ids = [line.split()[1].split("/") for line in found]
    assert [number for _, number in ids] == ["1", "1", "2", "3"]
    assert len({row_hash for row_hash, _ in ids}) == 2


def test_ids_are_independent_of_quotes_and_line_endings() -> None:
    unquoted = BASE.replace('"1001"', "1001", 1)
    same = outline(parse("asterisk-csv", f"{BASE}\n", ROWS))
    assert outline(parse("asterisk-csv", f"\ufeff{unquoted}\r\n", ROWS)) == same


@pytest.mark.parametrize(
    ("disposition", "answer", "cause", "is_answered"),
    [
        ("ANSWERED", "2026-03-28 09:00:05", 16, True),
        ("NO ANSWER", "", 19, False),
        ("BUSY", "", 17, False),
        ("FAILED", "", 38, False),
        ("CONGESTION", "", 34, False),
        # The dialplan answered the call; the called party did not.
        ("BUSY", "2026-03-28 09:00:05", 17, False),
    ],
)
def test_dispositions(disposition: str, answer: str, cause: int, is_answered: bool) -> None:
    row = custom_row(disposition=disposition, answer=answer)
    record = only_record(parse("asterisk-csv", row, ROWS))
    assert (record.disconnect_cause, record.HasField("answer_time")) == (cause, is_answered)
    assert record.HasField("end_time")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            october_row("02:50:00", "02:50:05", "02:05:00", "1792889400.1", duration="900", billsec="895"),
            "2026-10-25T00:50:00Z 2026-10-25T00:50:05Z 2026-10-25T01:05:00Z",
        ),
        (
            october_row("02:30:00", "02:30:05", "02:40:00", "1792888200.1", duration="600", billsec="595"),
            "2026-10-25T00:30:00Z 2026-10-25T00:30:05Z 2026-10-25T00:40:00Z",
        ),
        (
            october_row(
                "02:30:00", "02:30:05", "02:40:00", "pbx-1-1792891800.1", duration="600", billsec="595"
            ),
            "2026-10-25T01:30:00Z 2026-10-25T01:30:05Z 2026-10-25T01:40:00Z",
        ),
        (
            october_row("02:30:00", "02:30:05", "02:40:00", "chosen-by-hand", duration="600", billsec="595"),
            "2026-10-25T00:30:00Z 2026-10-25T00:30:05Z 2026-10-25T00:40:00Z",
        ),
    ],
)
def test_the_repeated_hour(row: str, expected: str) -> None:
    (line,) = outline(parse("asterisk-csv", row, options("Europe/Berlin", asterisk_calls="rows")))
    assert line.split(" ", 2)[2] == expected


def test_a_start_before_the_uniqueid_suggests_a_wrong_zone() -> None:
    message = "the call starts before its uniqueid was made; is the time zone right?"
    check(BASE + UNIQUEID, f"1 ! {message}", zone_name="Europe/Berlin")


def test_column_orders() -> None:
    check(custom_row(), f"1 1774688400.42/7 {TIMES}")
    check(custom_row(), f"1 1774688400.42/7 {TIMES}", columns="cdr_custom")
    check(custom_row(), "1 ! disposition: 'DOCUMENTATION' is not known", columns="cdr_csv")
    full = BASE + UNIQUEID + USERFIELD + NEW_COLUMNS
    check(full, f"1 1774688400.42/7 {TIMES}", columns="cdr_csv")
    check(full + ',"x"', "1 ! cdr_custom has no rows of 22 cells", columns="cdr_custom")


def test_cdr_custom_before_asterisk_1_8_has_no_sequence() -> None:
    (line,) = outline(parse("asterisk-csv", csv_line(list(CUSTOM.values())[:-1]), ROWS))
    assert line.startswith("1 1774688400.42/")
    assert line.endswith(TIMES)


def test_a_file_with_an_unknown_column_order_is_refused() -> None:
    assert ASTERISK_COLUMN_ORDERS == ("auto", "cdr_csv", "cdr_custom")
    with pytest.raises(ImportFileError, match="'cdr_odbc' is not one of auto, cdr_csv, cdr_custom"):
        check("", columns="cdr_odbc")


def test_durations_with_a_fraction() -> None:
    row = custom_row(duration="125.500000", billsec="120.250000")
    expected = "2026-03-28T09:00:00Z 2026-03-28T09:00:05.250000Z 2026-03-28T09:02:05.500000Z"
    check(row, f"1 1774688400.42/7 {expected}")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b'"1001,"1202', "no row of CSV: "),
        (b'"never closed,' + BASE.encode(), "no row of CSV: "),
        (BASE.replace('"ANSWERED"', '"ANSWERED').encode(), "no row of CSV: "),
        (BASE.replace("Alice", "Al\0ice").encode(), "the line has a NUL byte"),
        (b"1,2,3", "no dates in columns"),
        (BASE.removesuffix(',"DOCUMENTATION"').encode(), "cdr_csv has no rows of 15 cells"),
        ((BASE + ',"a"' * 6).encode(), "cdr_csv has no rows of 22 cells"),
        (BASE.replace("2026-03-28 09:00:00", "28/03/2026 09:00").encode(), "no dates in columns"),
        (
            BASE.replace("2026-03-28 09:00:05", "2026-03-28 25:00:05").encode(),
            "answer: '2026-03-28 25:00:05'",
        ),
        (BASE.replace('"2026-03-28 09:00:05"', '""').encode(), "ANSWERED without an answer date"),
        (BASE.replace(",125,", ",-125,").encode(), "duration: '-125' is not a number of seconds"),
        (BASE.replace(",125,", ",130,").encode(), "the dates do not agree with duration and billsec"),
        (BASE.replace('"ANSWERED"', '"UNKNOWN"').encode(), "disposition: 'UNKNOWN' is not known"),
        (BASE.replace('"442079460001"', '"4.42079E+11"').encode(), "'4.42***E+**' is a number that a spread"),
    ],
)
def test_a_damaged_line_does_not_affect_its_neighbours(damaged: bytes, reason: str) -> None:
    good = custom_row().encode()
    first, middle, last = outline(parse("asterisk-csv", good + damaged + b"\n" + good, ROWS))
    assert first == f"1 1774688400.42/7 {TIMES}"
    assert middle.startswith(f"2 ! {reason}")
    assert last == f"3 1774688400.42/7 {TIMES}"


def test_a_line_break_within_a_cell_damages_both_lines() -> None:
    broken = custom_row(userfield="first\nsecond")
    lines = outline(parse("asterisk-csv", broken + custom_row(), ROWS))
    assert [line[:4] for line in lines] == ["1 ! ", "2 ! ", "3 17"]
