"""The format mapped: rows of any CSV by a mapping."""

from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import ParsedRecord, SkippedLine
from pegcount.importers.mapping.mapped_csv import look_ahead_in_mapped
from pegcount.v1.records_pb2 import SESSION_KIND_ASR, SessionRecord

from .mappings import mapped, outlined
from .reading import only_record, parse

TIMES = '[columns]\nid = "session_id"\nstart = "setup_time"\ntalk = "talk_seconds"\n'


def record(folder: Path, text: str, data: str) -> SessionRecord:
    return only_record(parse("mapped", data, mapped(folder, text)))


def test_fields(tmp_path: Path) -> None:
    text = TIMES + (
        'from = ["caller", "account"]\nto = "called"\n'
        'cause = { field = "disconnect_cause", values = { BUSY = 17, OK = 16 }, otherwise = 31 }\n'
        'price = { field = "customer_price", pattern = "([0-9,]+)" }\nlast = "is_last_attempt"\n'
        'uri = { field = "orig_leg_id", pattern = "sip:([^@]+)@" }\n'
        'none = { field = "term_leg_id", optional = true }\n'
        '[constants]\nkind = "ASR"\ncompany = "Example"\ntenant_id = 7\n'
    )
    data = (
        "id;start;talk;from;to;cause;price;last;uri\n"
        "a;2026-03-28 09:00:00;0;+12025550100;\\N;BUSY;€ 1,25;no;<sip:x@example.com>\n"
    )
    found = record(tmp_path, f'separator = ";"\ndecimal_comma = true\n{text}', data)
    assert (found.kind, found.company, found.tenant_id) == (SESSION_KIND_ASR, "Example", 7)
    assert (found.orig_src_party_id, found.src_prefix_routing, found.account_id) == ("+12025550100",) * 3
    assert (found.customer_price, found.disconnect_cause, found.is_last_attempt) == ("1.25", 17, False)
    assert found.orig_leg_id == "x"
    assert not found.HasField("orig_dst_party_id")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,2026-03-28 09:00:00,60", "a 2026-03-28T08:00:00Z 2026-03-28T08:00:00Z 2026-03-28T08:01:00Z"),
        ("a,2026/3/28 9:00,60.5", "a 2026-03-28T08:00:00Z 2026-03-28T08:00:00Z 2026-03-28T08:01:00.500000Z"),
        (
            "a,2026-03-28T09:00:00.25Z,1:00:02",
            "a 2026-03-28T09:00:00.250000Z 2026-03-28T09:00:00.250000Z 2026-03-28T10:00:02.250000Z",
        ),
        ("a,2026-03-28 09:00:00+05:30,0", "a 2026-03-28T03:30:00Z - 2026-03-28T03:30:00Z"),
        # The clock shows 02:30 twice: without more, the earlier one counts.
        ("a,2026-10-25 02:30:00,60", "a 2026-10-25T00:30:00Z 2026-10-25T00:30:00Z 2026-10-25T00:31:00Z"),
        (",2026-03-28 09:00:00,60", "! id (session_id) is empty"),
        ("a,,60", "! nothing tells when the call began"),
        ("a,28.3.2026,60", "! start (setup_time): '28.3.2026' is not a date and time"),
        (
            "a,2026-03-28 09:00:00,x",
            "! talk (talk_seconds): 'x' is not a duration (s), nor of the form H:MM:SS",
        ),
        (
            "a,2026-03-28 09:00:00,-5",
            "! talk (talk_seconds): '-5' is not a duration (s), nor of the form H:MM:SS",
        ),
        ("a,2026-03-28 09:00:00", "! the row has 2 cells, the header 3"),
        ("a,2026-03-28 09:00:00,60,", "a 2026-03-28T08:00:00Z 2026-03-28T08:00:00Z 2026-03-28T08:01:00Z"),
        ("a,2026-03-28 09:00:00,60,x", "! the row has 4 cells, the header 3"),
        ("id,start,talk", "skipped"),
    ],
)
def test_rows(tmp_path: Path, row: str, expected: str) -> None:
    assert outlined(tmp_path, TIMES, f"id,start,talk\n{row}\n") == [f"2 {expected}"]


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        ("epoch_s", "1774688400", "2026-03-28T09:00:00Z"),
        ("epoch_s", "1774688400.123456789", "2026-03-28T09:00:00.123456Z"),
        ("epoch_ms", "1774688400001", "2026-03-28T09:00:00.001000Z"),
        ("epoch_us", "1774688400000001", "2026-03-28T09:00:00.000001Z"),
        ("%d.%m.%y %H:%M:%S", "28.03.26 10:00:00", "2026-03-28T09:00:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "03/28/2026 12:30:00 AM", "2026-03-27T23:30:00Z"),
        ("%a, %d %b %Y %H:%M:%S %z", "Sat, 28 Mar 2026 10:00:00 -0500", "2026-03-28T15:00:00Z"),
        ("%Y%j%H%M%S", "2026087100000", "2026-03-28T09:00:00Z"),
        ("%Y-%m-%d %H:%M:%S.%f", "2026-03-28 10:00:00.5", "2026-03-28T09:00:00.500000Z"),
    ],
)
def test_time_formats(tmp_path: Path, time_format: str, text: str, expected: str) -> None:
    found = outlined(tmp_path, f"time_format = '{time_format}'\n{TIMES}", f'id,start,talk\na,"{text}",0\n')
    assert found == [f"2 a {expected} - {expected}"]


@pytest.mark.parametrize(
    ("time_format", "text", "expected"),
    [
        ("epoch_s", "1774688400,5", "2026-03-28T09:00:00.500000Z"),
        ("iso", "2026-03-28T09:00:00,25Z", "2026-03-28T09:00:00.250000Z"),
        ("%a, %d %b %Y %H:%M:%S %z", "Sat, 28 Mar 2026 09:00:00 +0000", "2026-03-28T09:00:00Z"),
    ],
)
def test_times_with_a_decimal_comma(tmp_path: Path, time_format: str, text: str, expected: str) -> None:
    mapping = f'separator = ";"\ndecimal_comma = true\ntime_format = "{time_format}"\n{TIMES}'
    assert outlined(tmp_path, mapping, f"id;start;talk\na;{text};0\n") == [f"2 a {expected} - {expected}"]


def test_unix_time_of_a_wrong_unit_is_refused(tmp_path: Path) -> None:
    (found,) = outlined(tmp_path, f'time_format = "epoch_s"\n{TIMES}', "id,start,talk\na,1774688400001,0\n")
    assert found.endswith("is epoch_s beyond the year 2200: is it epoch_ms, epoch_us?")


def test_unix_time_0_is_no_time(tmp_path: Path) -> None:
    text = (
        'time_format = "epoch_s"\n[columns]\nid = "session_id"\na = "setup_time"\n'
        'b = "answer_time"\nc = "end_time"\n'
    )
    data = "id,a,b,c\nx,1774688400,0,1774688410\ny,1774688400,1774688405,1774688410\nz,0,0,0\n"
    assert outlined(tmp_path, text, data) == [
        "2 x 2026-03-28T09:00:00Z - 2026-03-28T09:00:10Z",
        "3 y 2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:00:10Z",
        "4 ! nothing tells when the call began",
    ]


@pytest.mark.parametrize(
    ("unit", "text", "seconds"),
    [
        ("s", "90", "01:30"),
        ("ms", "90000", "01:30"),
        ("us", "90000000", "01:30"),
        ("ns", "90000000000", "01:30"),
        ("min", "1.5", "01:30"),
        ("mm:ss", "1:30", "01:30"),
        ("go", "1m30s", "01:30"),
        ("go", "0h1m30.0s", "01:30"),
        ("go", "90000ms", "01:30"),
        ("go", "90000000000", "01:30"),
        ("ms", "0:01:30", "01:30"),
    ],
)
def test_units(tmp_path: Path, unit: str, text: str, seconds: str) -> None:
    mapping = TIMES.replace('"talk_seconds"', f'{{ field = "talk_seconds", unit = "{unit}" }}')
    (found,) = outlined(tmp_path, mapping, f"id,start,talk\na,2026-03-28T09:00:00Z,{text}\n")
    assert found.endswith(f" 2026-03-28T09:{seconds}Z")


def test_answered_rules(tmp_path: Path) -> None:
    text = (
        'answered.when = { state = ["done", "moved"] }\n'
        'answered.unless = { app = { pattern = "(?i)^dial" }, to = "" }\n' + TIMES
    )
    rows = [
        "a,2026-03-28T09:00:00Z,0,done,Dial,x",
        "b,2026-03-28T09:00:00Z,5,done,dial,",
        "c,2026-03-28T09:00:00Z,5,busy,,x",
    ]
    data = "id,start,talk,state,app,to\n" + "\n".join(rows) + "\n"
    assert [line.split()[3] for line in outlined(tmp_path, text, data)] == ["2026-03-28T09:00:00Z", "-", "-"]


def test_talk_without_an_answer_needs_a_rule(tmp_path: Path) -> None:
    text = TIMES + 'answer = "answer_time"\n'
    data = "id,start,talk,answer\na,2026-03-28T09:00:00Z,5,\nb,2026-03-28T09:00:00Z,0,\n"
    assert outlined(tmp_path, text, data) == [
        "2 ! answer_time is empty, and talk_seconds is not 0; `answered.when` in the mapping says which calls"
        " were answered",
        "3 b 2026-03-28T09:00:00Z - 2026-03-28T09:00:00Z",
    ]


def test_optional_columns_that_are_all_missing_tell_nothing(tmp_path: Path) -> None:
    text = (
        '[columns]\nid = "session_id"\nstart = "setup_time"\nend = "end_time"\n'
        'answer = { field = "answer_time", optional = true }\n'
    )
    data = "id,start,end\na,2026-03-28T09:00:00Z,2026-03-28T09:00:05Z\n"
    assert outlined(tmp_path, text, data) == [
        "2 ! nothing tells whether the call was answered; `answered.when` in the mapping can say it"
    ]
    ruled = 'answered.when = { id = "a" }\n' + text.replace("answer_time", "talk_seconds")
    assert "answered, and nothing tells when" in outlined(tmp_path, ruled, data)[0]


def test_one_of_the_optional_columns_of_an_id_is_needed(tmp_path: Path) -> None:
    text = (
        '[columns]\nstart = "setup_time"\ntalk = "talk_seconds"\n[first.session_id]\n'
        'columns = ["linked", "id"]\noptional = true\n'
    )
    row = "2026-03-28T09:00:00Z,0"
    assert outlined(tmp_path, text, f"id,start,talk\na,{row}\n") == [
        "2 a 2026-03-28T09:00:00Z - 2026-03-28T09:00:00Z"
    ]
    with pytest.raises(ImportFileError, match="the header lacks columns of the mapping calls: id, linked;"):
        outlined(tmp_path, text, f"start,talk\n{row}\n")


def test_values_of_a_price_may_have_a_decimal_comma(tmp_path: Path) -> None:
    text = 'separator = ";"\ndecimal_comma = true\n' + TIMES
    text += 'rate = { field = "customer_price", values = { low = "0,25", high = 2.5, none = "" } }\n'
    rows = [f"{rate};2026-03-28T09:00:00Z;0;{rate}" for rate in ("low", "high", "none")]
    parsed = parse("mapped", "\n".join(["id;start;talk;rate", *rows, ""]), mapped(tmp_path, text))
    prices = [each.record.customer_price for each in parsed if isinstance(each, ParsedRecord)]
    assert prices == ["0.25", "2.5", ""]


def test_joined_and_first(tmp_path: Path) -> None:
    text = (
        '[columns]\ntalk = "talk_seconds"\n[joined]\nsession_id = ["call", "tag"]\n'
        'setup_time = { columns = ["day", "hour"], separator = " " }\n[first]\ncalled = ["did", "dst"]\n'
    )
    data = "call,tag,day,hour,talk,did,dst\nx,1,2026-03-28,09:00:00,0,NULL,12025550101\nx,,2026-03-28,,0,,\n"
    first, second = parse("mapped", data, mapped(tmp_path, text, "UTC"))
    assert isinstance(first, ParsedRecord)
    assert (first.record.session_id, first.record.orig_dst_party_id) == ("x/1", "12025550101")
    assert "'2026-03-28' is not a date and time" in str(second)


def test_skipped_rows_say_why(tmp_path: Path) -> None:
    text = (
        TIMES + '[[skip]]\nwhen = { id = "INTEGER" }\nreason = "lines of types"\n[[skip]]\n'
        'unless = { run = "*default" }\n'
    )
    data = (
        "id,start,talk,run\nINTEGER,INTEGER,INTEGER,x\na,2026-03-28T09:00:00Z,0,*raw\n"
        "b,2026-03-28T09:00:00Z,0,*default\n"
    )
    first, second, third = parse("mapped", data, mapped(tmp_path, text))
    assert (first, second) == (
        SkippedLine(2, "lines of types"),
        SkippedLine(3, "rows that the mapping leaves out"),
    )
    assert isinstance(third, ParsedRecord)


def test_parties_are_swapped(tmp_path: Path) -> None:
    text = 'swap.when = { way = "in" }\n' + TIMES + 'own = "caller"\nother = "called"\n'
    data = (
        "id,start,talk,own,other,way\na,2026-03-28T09:00:00Z,0,100,200,in\n"
        "b,2026-03-28T09:00:00Z,0,100,200,out\n"
    )
    found = [
        each.record
        for each in parse("mapped", data, mapped(tmp_path, text))
        if isinstance(each, ParsedRecord)
    ]
    assert [(each.orig_src_party_id, each.orig_dst_party_id) for each in found] == [
        ("200", "100"),
        ("100", "200"),
    ]


def test_files_without_a_header(tmp_path: Path) -> None:
    text = (
        'header = false\nskip_lines = 1\nseparator = "|"\n[columns]\n1 = "session_id"\n'
        '3 = "setup_time"\n4 = "talk_seconds"\n'
    )
    data = "made by a switch\na|x|2026-03-28T09:00:00Z|0\nb|2026\n"
    assert outlined(tmp_path, text, data) == [
        "2 a 2026-03-28T09:00:00Z - 2026-03-28T09:00:00Z",
        "3 ! the row has 2 cells, the mapping names column 4",
    ]


def test_rows_without_a_header_may_lack_optional_columns(tmp_path: Path) -> None:
    text = (
        'header = false\n[columns]\n1 = "session_id"\n2 = "setup_time"\n3 = "talk_seconds"\n'
        '5 = { field = "company", optional = true }\n'
    )
    data = "a,2026-03-28T09:00:00Z,0\nb,2026-03-28T09:00:00Z,0,,Example\nc,2026-03-28T09:00:00Z\n"
    first, second, third = parse("mapped", data, mapped(tmp_path, text))
    assert isinstance(first, ParsedRecord)
    assert isinstance(second, ParsedRecord)
    assert (first.record.company, second.record.company) == ("", "Example")
    assert "the row has 2 cells, the mapping names column 3" in str(third)


def test_rows_without_an_id_are_numbered_if_they_are_equal(tmp_path: Path) -> None:
    text = 'id_from_row = true\n[columns]\nstart = "setup_time"\ntalk = "talk_seconds"\n'
    row = "2026-03-28T09:00:00Z,5"
    parsed = list(parse("mapped", f"start,talk\n{row}\n{row}\n{row}0\n", mapped(tmp_path, text)))
    ids = [each.record.session_id for each in parsed if isinstance(each, ParsedRecord)]
    assert len(set(ids)) == 3
    assert (ids[0].split("/")[0], ids[0][-2:], ids[1][-2:], ids[2][-2:]) == (
        ids[1].split("/")[0],
        "/1",
        "/2",
        "/1",
    )


def test_parts(tmp_path: Path) -> None:
    text = TIMES + (
        '[parts]\nrow = ["seq"]\n[[parts.classes]]\nclass = 2\nwhen = { to = { pattern = "^(?!Local/)." } }\n'
    )
    data = "id,start,talk,seq,to\na,2026-03-28T09:00:00Z,0,1,\na,2026-03-28T09:00:00Z,5,2,SIP/x\n"
    parsed = [
        each.record
        for each in parse("mapped", data, mapped(tmp_path, text))
        if isinstance(each, ParsedRecord)
    ]
    assert [each.part_class for each in parsed] == [1, 2]
    assert parsed[0].part != parsed[1].part
    corrected = data.replace(",5,2,", ",6,2,")
    again = [
        each.record
        for each in parse("mapped", corrected, mapped(tmp_path, text))
        if isinstance(each, ParsedRecord)
    ]
    assert [each.part for each in again] == [each.part for each in parsed]


def test_the_rule_tells_which_column_makes_the_ids(tmp_path: Path) -> None:
    given = mapped(tmp_path, TIMES)
    with (tmp_path / "calls.csv").open("w+b") as file:
        assert look_ahead_in_mapped(file, given).rule == "mapped by id"
        in_parts = mapped(tmp_path, TIMES + "[parts]\n")
        rule = look_ahead_in_mapped(file, in_parts).rule
        answered = "\nanswered.unless = { id = ['a', 'b'], talk = '0' }\n"
        same = "\n\nanswered.unless = { talk = '0', id = ['b', 'a'] }\n"
        others = [
            look_ahead_in_mapped(file, mapped(tmp_path, each + TIMES + "[parts]\n")).rule
            for each in (answered, same)
        ]
    assert rule is not None
    assert rule.startswith("mapped by id in parts ")
    assert others[0] == others[1] != rule


def test_column_names_match_by_their_letters(tmp_path: Path) -> None:
    data = "ID, Start ,TALK\na,2026-03-28T09:00:00Z,0\n"
    assert outlined(tmp_path, TIMES, data) == ["2 a 2026-03-28T09:00:00Z - 2026-03-28T09:00:00Z"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", "the file is empty; a header was expected"),
        (
            "id,strt,talk\n",
            'the header lacks columns of the mapping calls: start; did you mean "strt"?; it'
            " has id, strt, talk",
        ),
        ("id,start,talk,id\n", "the header repeats id, which the mapping names"),
    ],
)
def test_headers_that_do_not_fit_are_refused(tmp_path: Path, data: str, expected: str) -> None:
    with pytest.raises(ImportFileError) as caught:
        outlined(tmp_path, TIMES, data)
    assert str(caught.value) == expected


def test_the_zone_shows_by_a_column_of_unix_times(tmp_path: Path) -> None:
    given = mapped(tmp_path, 'zone_evidence = "id"\n' + TIMES, "UTC")
    path = tmp_path / "calls.csv"
    path.write_text(
        "id,start,talk\npbx-1774688400.5,2026-03-28 10:00:00,0\n1774774800.1,2026-03-29 11:00:01,3\n"
    )
    with path.open("rb") as file:
        evidence = look_ahead_in_mapped(file, given).zone_evidence
    assert evidence is not None
    assert [offset_s for _, offset_s in evidence.offsets_s] == [3_600, 7_200]
    assert evidence.contradicts(given.zone)


def test_a_file_without_the_column_of_unix_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match='uniqeid; did you mean "uniqueid"'):
        outlined(tmp_path, 'zone_evidence = "uniqeid"\n' + TIMES, "id,start,talk,uniqueid\n")


def test_the_alert_of_a_repeated_hour_is_that_near_the_setup(tmp_path: Path) -> None:
    data = "id,start,talk,ring\na,2026-10-25T01:30:00Z,0,2026-10-25 02:30:04\n"
    found = record(tmp_path, TIMES + 'ring = "alert_time"\n', data)
    assert found.alert_time.seconds - found.setup_time.seconds == 4


def test_rows_are_not_taken_before_their_unix_time(tmp_path: Path) -> None:
    text = 'zone_evidence = "id"\n' + TIMES
    data = (
        "id,start,talk\n1792891800.1,2026-10-25 02:30:00,0\n"
        "1792888200.1,2026-10-25 02:30:00,0\n1792895400.1,2026-10-25 02:30:00,0\n"
    )
    found = outlined(tmp_path, text, data)
    assert [line.split()[2] for line in found[:2]] == ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"]
    assert found[2] == "4 ! the call starts before its Unix time; is the time zone right?"
