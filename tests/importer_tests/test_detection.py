"""Each file is found as what it is, however it is written."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard
from pegcount.importers import FORMATS
from pegcount.importers.detection import DETECTORS, TooLittleError, read_head

from .detecting import found, refusal
from .reading import csv_line, options
from .test_asterisk_calls import CELLS, SHAPES, TABLE
from .test_asterisk_csv import BASE, NEW_COLUMNS, UNIQUEID, USERFIELD, custom_row
from .test_freeswitch_csv import AFTER, CHANNELS, NAMES, OPENCDRRATE, TEMPLATE_ASTERISK, bare
from .test_freeswitch_csv import CELLS as FREESWITCH_CELLS
from .test_freeswitch_csv import row as freeswitch_row
from .test_freeswitch_json import document as json_document
from .test_freeswitch_json import encoded as encoded_json
from .test_freeswitch_xml import document as xml_document
from .test_freeswitch_xml import plain_document
from .test_yeti_csv import ROW as YETI_ROW
from .test_yeti_csv import table as yeti_table

SAMPLES = Path(__file__).parents[2] / "samples"
SAMPLE_BY_FORMAT = {
    "asterisk-csv": "asterisk-master.csv",
    "freeswitch-csv": "freeswitch.csv",
    "freeswitch-json": "freeswitch.jsonl",
    "freeswitch-xml": "freeswitch.xml",
    "pegcount-csv": "pegcount.csv",
    "yeti-csv": "yeti.csv",
}
REWRITINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda raw: raw,
    "gzip": gzip.compress,
    "several gzip members": lambda raw: gzip.compress(raw[:1000]) + gzip.compress(raw[1000:]),
    "zstd": zstandard.compress,
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "UTF-16-BE, compressed": lambda raw: gzip.compress(b"\xfe\xff" + raw.decode().encode("utf-16-be")),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "CR alone": lambda raw: raw.replace(b"\n", b"\r"),
    "blank lines first": lambda raw: b"\n \n" + raw,
}


def sample(format_name: str) -> bytes:
    return (SAMPLES / SAMPLE_BY_FORMAT[format_name]).read_bytes()


def test_each_format_has_a_detector_and_a_sample() -> None:
    built_in = FORMATS.keys() - {"mapped"}
    assert DETECTORS.keys() == built_in == SAMPLE_BY_FORMAT.keys()


@pytest.mark.parametrize("format_name", DETECTORS)
@pytest.mark.parametrize("rewriting", REWRITINGS)
def test_samples(format_name: str, rewriting: str) -> None:
    raw = REWRITINGS[rewriting](sample(format_name))
    assert found(raw).format_name == format_name


@pytest.mark.parametrize(
    ("format_name", "reason"),
    [
        (
            "asterisk-csv",
            "the 27 rows have 21 cells with dates in columns 10 to 12 and a disposition in column 15",
        ),
        (
            "freeswitch-csv",
            "the 24 rows have times and a hangup cause where the template example has them",
        ),
        ("freeswitch-json", "the 12 documents have variables and a uuid"),
        ("freeswitch-xml", "the 6 documents have variables and a uuid"),
        ("pegcount-csv", "its 53 columns are named like fields of a record, with session_id"),
        (
            "yeti-csv",
            "its header has 31 columns of Yeti's table cdr.cdr, with"
            " id, time_start, time_connect, time_end, is_last_cdr",
        ),
    ],
)
def test_the_reason_says_what_was_seen(format_name: str, reason: str) -> None:
    assert found(sample(format_name)).reason == reason


@pytest.mark.parametrize("path", sorted(SHAPES.glob("*.csv")), ids=lambda path: path.stem)
def test_shapes_of_asterisk(path: Path) -> None:
    assert found(path.read_bytes()).format_name == "asterisk-csv"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (BASE, "16 cells with dates in columns 10 to 12"),
        (BASE + UNIQUEID, "17 cells with dates in columns 10 to 12"),
        (BASE + UNIQUEID + USERFIELD + NEW_COLUMNS, "21 cells with dates in columns 10 to 12"),
        (BASE.replace("Alice A.", "Example, Alice, A., B., C."), "16 cells with dates in columns 10 to 12"),
        (custom_row().strip(), "19 cells with dates in columns 9 to 11"),
        (custom_row(clid='"A, ""b"", c" <1>').strip(), "19 cells with dates in columns 9 to 11"),
        (custom_row(answer="", disposition="NO ANSWER").strip(), "19 cells with dates in columns 9 to 11"),
        (BASE.replace("2026-03-28 09:00:00", "2026/3/28 9:00"), "16 cells with dates in columns 10 to 12"),
    ],
)
def test_rows_of_asterisk(row: str, reason: str) -> None:
    for text in (f"{row}\n", f"{row}\n" * 3):
        detected = found(text)
        assert detected.format_name == "asterisk-csv"
        assert f" {reason} and a disposition in column 1" in detected.reason


def test_tables_of_asterisk() -> None:
    names = csv_line(name.upper() for name in sorted(TABLE))
    detected = found(names)
    assert detected.format_name == "asterisk-csv"
    assert detected.reason.startswith("its header names columns of Asterisk: src, dst, channel,")
    cells = {**CELLS, "calldate": CELLS["start"]}
    assert found(names + csv_line(cells[name] for name in sorted(TABLE))).format_name == "asterisk-csv"


def test_a_table_of_asterisk_without_a_needed_column_may_have_a_mapping() -> None:
    text = refusal("src,dst,channel,dstchannel,duration,billsec,disposition,calldate\n")
    assert text.endswith("nearest: asterisk-csv, but the header lacks lastapp")
    text = refusal("src,dst,src,channel,dstchannel,lastapp,duration,billsec,disposition,calldate\n")
    assert text.endswith("nearest: asterisk-csv, but the header has a column twice")


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
@pytest.mark.parametrize("name", NAMES)
def test_rows_of_freeswitch_whatever_the_name_of_the_caller(after: str, name: str) -> None:
    line = f'"{name}",{FREESWITCH_CELLS}{after}'
    for text in (line, bare(line), f"INSERT INTO cdr VALUES ({bare(line)});"):
        detected = found(f"{text}\n")
        assert (detected.format_name, detected.reason[:33]) == (
            "freeswitch-csv",
            "the only row has times and a hang",
        )


def test_the_template_asterisk_is_of_freeswitch() -> None:
    """Its columns are those of Asterisk's Master.csv; the hangup cause tells it from that."""
    row = TEMPLATE_ASTERISK.format(caller_id='"Ann"', last_arg='"user/102"')
    assert CHANNELS in row
    detected = found(f"{row}\n" * 2)
    assert detected.format_name == "freeswitch-csv"
    assert detected.reason == "the 2 rows have times and a hangup cause where the template asterisk has them"
    answered = row.replace("NORMAL_CLEARING", "ANSWERED")
    assert found(f"{answered}\n").format_name == "asterisk-csv"


def test_a_row_with_the_name_of_a_row_does_not_change_the_format() -> None:
    """mod_cdr_csv writes names as they are, so that a caller can choose one that looks like a row."""
    forged = f"{BASE}\n"
    detected = found(freeswitch_row() * 20 + forged)
    assert detected.format_name == "freeswitch-csv"
    assert detected.reason.startswith("20 of the 21 rows have times")


def test_a_spreadsheet_keeps_rows_of_freeswitch_if_it_keeps_their_dates() -> None:
    row = freeswitch_row().replace('"', "")
    for date in ("2026-03-28 09:00", "2026/3/28 9:00"):
        saved = row.replace("2026-03-28 09:00:00", date).replace("2026-03-28 09:02:05", date)
        assert found(saved.replace("\n", "\r\n")).format_name == "freeswitch-csv"
    other = row.replace("2026-03-28", "28.03.2026")
    assert "nearest: freeswitch-csv, but the row has no times such as 2026-03-28 09:00:00" in refusal(other)
    text = refusal(row.replace(",", ";"))
    assert "nearest: freeswitch-csv, whose cells are separated by commas and not by semicolons" in text


def test_the_template_that_lacks_times_is_named() -> None:
    assert "nearest: freeswitch-csv, but this is the template opencdrrate" in refusal(OPENCDRRATE)


DOCUMENT = json.dumps(json_document())


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENT,
        f"{DOCUMENT}\n" * 3,
        DOCUMENT * 3,
        json.dumps([json_document()] * 2, indent=4),
        json.dumps({"cdr": json_document()}),
        json.dumps({"@attributes": {}, **json_document()}),
        json.dumps(encoded_json(json_document())),
        json.dumps(json_document(), indent=2),
        f"garbage first\n{DOCUMENT}\n",
        f'{{"core-uuid": "broken\n{DOCUMENT}\n{DOCUMENT}\n',
        f"\ufeff  {DOCUMENT}",
    ],
)
def test_documents_in_json(text: str) -> None:
    assert found(text).format_name == "freeswitch-json"


@pytest.mark.parametrize(
    "text",
    [
        xml_document(),
        plain_document(uuid="a1"),
        xml_document(declaration="") * 3,
        xml_document() + "\n" + xml_document(),
        f"<cdrs>{xml_document(declaration='')}</cdrs>",
        "\ufeff" + xml_document(declaration='<?xml version="1.0" encoding="UTF-8"?>'),
        f"<!-- log -->\n{xml_document()}",
        quote(xml_document()),
        f"cdr={quote(xml_document())}",
        f"<cdr><variables></cdr>\n{xml_document()}{xml_document()}",
    ],
)
def test_documents_in_xml(text: str) -> None:
    assert found(text).format_name == "freeswitch-xml"


def test_documents_in_utf_16_say_so() -> None:
    text = xml_document(declaration='<?xml version="1.0" encoding="UTF-16"?>')
    assert found(text.encode("utf-16")).format_name == "freeswitch-xml"


def test_a_long_document_ends_beyond_the_first_lines() -> None:
    long = json_document(note="x" * 900_000)
    assert found(json.dumps(long) * 3).reason == "the first 2 documents have variables and a uuid"
    assert found(xml_document(note="x" * 900_000) * 3).format_name == "freeswitch-xml"


def test_other_documents_are_not_of_freeswitch() -> None:
    text = refusal('{"query": "calls", "variables": {"id": "1"}}\n')
    assert "seen: text that begins like JSON" in text
    assert "nearest: freeswitch-json, but the document has no uuid" in text
    assert "nearest: freeswitch-xml, but its text has no element cdr" in refusal("<html>\n<body/></html>\n")
    assert "URL-encoded as a whole: decode it first" in refusal(quote(DOCUMENT) + "\n")


def test_yeti_by_names_and_by_titles() -> None:
    assert found(yeti_table({})).format_name == "yeti-csv"
    titles = "ID,Time Start,Time Connect,Time End,Is Last Cdr,Customer Acc\n"
    assert found(titles).format_name == "yeti-csv"


def test_an_export_of_yeti_without_a_needed_column_is_left_to_its_own_error() -> None:
    rest = {name: text for name, text in YETI_ROW.items() if name != "is_last_cdr"}
    lines = csv_line(rest) + csv_line(rest.values())
    detected = found(lines)
    assert (detected.format_name, detected.reason) == (
        "yeti-csv",
        "its header has 30 columns of Yeti's table cdr.cdr, but lacks is_last_cdr",
    )
    detected = found(lines, overrides={"is_last_attempt": "true"})
    assert detected.reason.endswith("cdr.cdr, with id, time_start, time_connect, time_end")
    text = refusal("id,time_start,time_connect,time_end\n1,2,3,4\n")
    assert "nearest: yeti-csv, but the header lacks is_last_cdr" in text


def test_few_columns_of_pegcount() -> None:
    detected = found("session_id,setup_time\n")
    assert detected.reason == "its 2 columns are named like fields of a record, with session_id"
    assert found("session_id\na\n").format_name == "pegcount-csv"
    text = refusal("session_id,setup_time,caller 4420794\n")
    assert "nearest: pegcount-csv, but no column may be called 'caller 442****'" in text
    assert "nearest: pegcount-csv, but the header lacks session_id" in refusal("setup_time,kind\n1,2\n")


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
@pytest.mark.parametrize("format_name", ["asterisk-csv", "freeswitch-csv", "pegcount-csv", "yeti-csv"])
def test_other_separators_are_named(format_name: str, separator: str, name: str) -> None:
    text = sample(format_name).decode().replace(",", separator)
    seen = refusal(text)
    assert f"cells separated by {name}" in seen
    assert f"nearest: {format_name}, whose cells are separated by commas and not by {name}" in seen


@pytest.mark.parametrize("format_name", ["asterisk-csv", "freeswitch-csv"])
def test_some_rows_may_be_unreadable(format_name: str) -> None:
    lines = sample(format_name).splitlines(keepends=True)
    damaged = [b'"broken\n', b"1,2,3\n", b"a NUL \0\n", b"x" * 1_100_000 + b"\n"]
    detected = found(b"".join(damaged + lines))
    assert detected.format_name == format_name
    assert detected.reason.startswith(f"{len(lines)} of the ")
    few = refusal(b"".join(damaged + lines[:2]))
    assert f"nearest: {format_name}, but only 2 of the 6 rows have" in few


@pytest.mark.parametrize("format_name", ["pegcount-csv", "yeti-csv"])
def test_lines_before_a_header_are_named(format_name: str) -> None:
    text = refusal(b"Calls of March\n\nof all switches\n" + sample(format_name))
    assert f"nearest: {format_name}, but the 2 lines before line 4 must go: its " in text


@pytest.mark.parametrize("format_name", ["pegcount-csv", "yeti-csv"])
def test_a_header_alone_shows_a_table(format_name: str) -> None:
    header = sample(format_name).splitlines(keepends=True)[0]
    assert found(header).format_name == format_name
    with pytest.raises(TooLittleError, match="no line end, so that it may be incomplete; --final-line takes"):
        found(header.strip())
    assert found(header.strip(), takes_final_line=True).format_name == format_name


def test_a_file_of_many_rows_is_looked_at_by_its_first_ones() -> None:
    many = f"{BASE}\n" * 20_000
    assert found(many).reason.startswith("the first 100 rows have 16 cells with dates in columns 10 to 12")
    source = io.BytesIO(many.encode())
    head = read_head(source, options())
    assert (len(head.data), head.is_whole) == (2 * 1_048_576, False)


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file_tells_nothing(data: bytes) -> None:
    with pytest.raises(TooLittleError, match=r"nothing tells its format: it is empty$"):
        found(data)


def test_a_cut_line_tells_too_little() -> None:
    with pytest.raises(TooLittleError, match="its only line has no line end"):
        found(BASE)
    assert found(BASE, takes_final_line=True).format_name == "asterisk-csv"
    for text, kind in ((DOCUMENT[:-9], "JSON"), (xml_document()[:21] + "<cdr>", "XML")):
        with pytest.raises(TooLittleError, match=f"it has no whole document of {kind}"):
            found(text)
    with pytest.raises(TooLittleError, match="the compressed data stops before its end"):
        found(gzip.compress(f"{BASE}\n".encode())[:30])


def test_a_truncated_file_shows_its_format() -> None:
    assert found(gzip.compress(sample("yeti-csv"))[:-300]).format_name == "yeti-csv"
