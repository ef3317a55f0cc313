"""freeswitch-csv: rows of mod_cdr_csv, including rows that a spreadsheet saved."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.errors import ImportFileError
from pegcount.importers.freeswitch_csv import parse_freeswitch_csv
from pegcount.importers.parsed_line import SkippedLine, SkipReason
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import csv_line, only_record, options, outline, parse, times

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


def test_a_leg_that_lost_the_race_is_not_an_attempt() -> None:
    """Logged with legs=ab: two phones rang, one answered."""
    data = (
        row(bleg_uuid="b2")
        + row(uuid="b1", answer_stamp="", billsec="0", hangup_cause="LOSE_RACE")
        + row(uuid="b2")
    )
    assert parse("freeswitch-csv", data)[1:] == [
        SkippedLine(2, SkipReason.LOST_LEG),
        SkippedLine(3, SkipReason.B_LEG),
    ]
    check(data, f"1 a1 {TIMES}", "2 skipped", "3 skipped")


A, B = "0a51b3c8-0000-4000-8000-00000000000a", "0a51b3c8-0000-4000-8000-00000000000b"
CELLS = (
    '"+12025550101","442079460001","default","2026-03-28 09:00:00","2026-03-28 09:00:05",'
    f'"2026-03-28 09:02:05","125","120","NORMAL_CLEARING","{A}","{B}"'
)
AGENT = '"PhoneMaker/8.7 (v1, "gold")"'
AFTER = {
    "default": ', "1001"',
    "example": ',"1001","PCMA","PCMA"',
    "linksys": f',"1001","PCMA","PCMA",{AGENT},"PS=100,OS=16000"',
    "older snom": f', "1001","PCMA","PCMA",{AGENT},"","RxStat","TxStat"',
    "snom": f', "1001","PCMA","PCMA",{AGENT},"","RxStat","TxStat","x.wav"',
}
NAMES = [
    "Ann Example",
    "Example, Ann",
    'Ann "the boss" <100>',
    '"',
    '","',
    'Ann","B',
    'a","b","c","d","e","f',
    '"Ann',
    "Ann O'Neill",
    "",
]


def bare(line: str) -> str:
    return line.replace(f", {AGENT}", ', "PhoneMaker/8.7"').replace(AGENT, '"PhoneMaker/8.7"')


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_a_name_never_costs_the_line(after: str, name: str) -> None:
    """mod_cdr_csv writes texts as they are; the caller chooses the name, the phone its user agent."""
    line = f'"{name}",{CELLS}{after}'
    for text in (line, bare(line), f"INSERT INTO cdr VALUES ({bare(line)});"):
        record = only_record(parse("freeswitch-csv", f"{text}\n"))
        assert times(record) == TIMES.split()
        assert (record.session_id, record.term_leg_id, record.account_id) == (A, B, "1001")
        assert (record.orig_src_party_id, record.orig_dst_party_id) == ("+12025550101", "442079460001")
        assert record.disconnect_cause == 16


def test_statements_with_single_quotes() -> None:
    cells = f'"Ann O\'Neill",{CELLS}, "1001"'.replace('"', "'")
    record = only_record(parse("freeswitch-csv", f"INSERT INTO cdr VALUES ({cells});\n"))
    assert (record.session_id, record.account_id, times(record)) == (A, "1001", TIMES.split())


CHANNELS = '"sofia/internal/101@192.0.2.1","sofia/internal/102@192.0.2.2","bridge"'
TEMPLATE_ASTERISK = (
    f'"1001","+12025550101","442079460001","default",{{caller_id}},{CHANNELS},{{last_arg}},'
    '"2026-03-28 09:00:00","2026-03-28 09:00:05","2026-03-28 09:02:05","125","120","NORMAL_CLEARING",'
    f'"","{A}",""'
)


@pytest.mark.parametrize(
    "caller_id",
    ['"""Ann"" <101>"', '""Ann" <101>"', '"Ann, A" <101>"', '""a","b" <101>"', '"101"', '101"'],
)
@pytest.mark.parametrize("last_arg", ['"user/102"', '"{a="b","c"}user/102"', '""'])
@pytest.mark.parametrize("end", ["", ";"])
def test_the_template_asterisk(caller_id: str, last_arg: str, end: str) -> None:
    line = TEMPLATE_ASTERISK.format(caller_id=caller_id, last_arg=last_arg) + end
    record = only_record(parse("freeswitch-csv", f"{line}\n"))
    assert times(record) == TIMES.split()
    assert (record.session_id, record.account_id) == (A, "1001")
    assert (record.orig_src_party_id, record.orig_dst_party_id) == ("+12025550101", "442079460001")
    assert record.term_leg_id in ("sofia/internal/102@192.0.2.2", "")


def test_the_bridged_channel_of_the_template_asterisk() -> None:
    line = TEMPLATE_ASTERISK.format(caller_id='""Ann" <101>"', last_arg='"user/102"')
    record = only_record(parse("freeswitch-csv", f"{line}\n"))
    assert record.term_leg_id == "sofia/internal/102@192.0.2.2"


PARTS = [
    CELLS,
    CELLS[:60],
    CELLS[60:],
    A,
    '"',
    ",",
    '","',
    ";",
    "INSERT INTO cdr VALUES (",
    ")",
    *AFTER.values(),
]


@given(st.lists(st.sampled_from(PARTS), max_size=6))
def test_any_line_is_read_or_rejected(parts: list[str]) -> None:
    (parsed,) = parse("freeswitch-csv", f"x{''.join(parts)}\n")
    assert parsed.line == 1


OPENCDRRATE = (
    f'"{A}","{B}","inbound","+12025550101","442079460001","2026-03-28 09:00:05","2026-03-28 09:02:05",'
    '"120","1001","","192.0.2.9","A","gateway"\n'
)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (row(caller_id_name='"', billsec="").replace('""""', '"""'), "no row of CSV: "),
        ('"Alice "A" B","1","2","default"\n', "no row of CSV: "),
        (
            "caller,called\n",
            "the row has 2 cells, which no template has: 13 (default or sql), 15 (example), ",
        ),
        (csv_line(ROW), "start_stamp: 'start_stamp' is not a date and time"),
        (row(uuid=""), "the row has no uuid"),
        (row(start_stamp=""), "start_stamp: '' is not a date and time"),
        (row(end_stamp="28/03/2026 09:02"), "end_stamp: '28/03/2026 09:02' is not a date and time"),
        (row(billsec=""), "billsec: '' is not a number of seconds"),
        (row(destination_number="4.42079E+11"), "'4.42***E+**' is a number that a spreadsheet has rounded"),
        (OPENCDRRATE, "this is the template opencdrrate, which lacks start_stamp, duration and hangup_cause"),
        (
            TEMPLATE_ASTERISK.format(caller_id='""', last_arg='""').replace("NORMAL_CLEARING", "NO ANSWER")
            + "\n",
            "hangup_cause: 'NO ANSWER' is a disposition of Asterisk; import as asterisk-csv",
        ),
        # Somebody called who had the cells of a row for a name.
        (f'"x",{CELLS},"1001","{CELLS},"1001","PCMA","PCMA"\n', "the line has the times of a call twice"),
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
