"""pegcount-csv, which has one column per field."""

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.record_fields import FIELD_NAMES
from pegcount.v1.records_pb2 import SESSION_EVENT_START, SESSION_KIND_TTS, SessionRecord

from .reading import only_record, options, outline, parse

HEADER = "session_id,setup_time,answer_time,end_time"


def check(data: str, *expected: str) -> None:
    assert outline(parse("pegcount-csv", data, options("Europe/Berlin"))) == [*expected]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "s1,2026-03-28T09:00:00Z,2026-03-28T09:00:05Z,2026-03-28T09:02:05Z",
            "s1 2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05Z",
        ),
        ("s1,2026-03-28T09:00:00+05:45,,", "s1 2026-03-28T03:15:00Z - -"),
        ("s1,2026-03-28T09:00:00,,", "s1 2026-03-28T08:00:00Z - -"),
        ("s1,2026-10-25T02:30:00,,", "s1 2026-10-25T00:30:00Z - -"),
        # The importer passes on records that the store will reject.
        (",,,2026-03-28T09:00:00Z", " - - 2026-03-28T09:00:00Z"),
    ],
)
def test_times(row: str, expected: str) -> None:
    check(f"{HEADER}\n{row}\n", f"2 {expected}")


def test_fields() -> None:
    data = (
        "kind,event,source,session_id,is_last_attempt,tenant_id,folder,customer_price,auth_orig_ip\r\n"
        "TTS,START,feed,s1,f,7,billing,0.5,2001:db8::1\r\n"
    )
    assert only_record(parse("pegcount-csv", "\ufeff" + data)) == SessionRecord(
        kind=SESSION_KIND_TTS,
        event=SESSION_EVENT_START,
        source="feed",
        session_id="s1",
        is_last_attempt=False,
        tenant_id=7,
        folder="billing",
        customer_price="0.5",
        auth_orig_ip="2001:db8::1",
    )


def test_texts_that_were_stored_before_they_were_refused_can_be_taken() -> None:
    data = "session_id,auth_orig_ip,account_id\ns1,pbx.example.com,4.4E+11\n"
    assert outline(parse("pegcount-csv", data))[0].startswith("2 ! ")
    record = only_record(parse("pegcount-csv", data, options(accepts_stored=True)))
    assert (record.auth_orig_ip, record.account_id) == ("pbx.example.com", "4.4E+11")


def test_empty_cells_are_absent_and_the_source_is_the_option() -> None:
    empty = ",".join(FIELD_NAMES) + "\n" + "," * (len(FIELD_NAMES) - 1) + "\n"
    assert only_record(parse("pegcount-csv", empty)) == SessionRecord(source="pbx")
    assert only_record(parse("pegcount-csv", empty, options(source=""))) == SessionRecord()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "a header was expected"),
        (
            "session_id,setup,duration\n",
            "no column may be called 'setup', 'duration', only source, session_id",
        ),
        ("session_id,\n", "no column may be called ''"),
        ("session_id,session_id\n", "the header repeats session_id"),
    ],
)
def test_files_with_a_bad_header_are_refused(data: str, message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        check(data)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ('"s2,2026-03-28T09:00:00Z,,', "no row of CSV: "),
        ("s2,2026-03-28T09:00:00Z", "the row has 2 cells, the header 4"),
        ("s2,2026-03-28,,", "setup_time: '2026-03-28' is not a date and time"),
        ("s2,2026-03-28T09:00:00Z,never,", "answer_time: 'never' is not a date and time"),
    ],
)
def test_a_damaged_row_does_not_affect_its_neighbours(damaged: str, reason: str) -> None:
    good = "s1,2026-03-28T09:00:00Z,,"
    first, middle, last = outline(parse("pegcount-csv", f"{HEADER}\n{good}\n{damaged}\n{good}\n"))
    assert (first, last) == ("2 s1 2026-03-28T09:00:00Z - -", "4 s1 2026-03-28T09:00:00Z - -")
    assert middle.startswith(f"3 ! {reason}")
