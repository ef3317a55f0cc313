"""Which encodings are accepted, and what becomes of bytes that an encoding lacks."""

import io

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import checked_encoding
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.text_lines import read_lines
from pegcount.importers.undecoded import decode_fields, shown
from pegcount.v1.records_pb2 import SessionRecord

from .reading import only_record, options, parse
from .test_asterisk_calls import call_row
from .test_asterisk_csv import BASE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("ascii", "utf-8"),
        ("latin-1", "iso8859-1"),
        ("Windows-1252", "cp1252"),
        ("cp437", "cp437"),
        ("koi8-r", "koi8-r"),
        ("gb18030", "gb18030"),
        ("euc-jp", "euc_jp"),
        ("UTF-16LE", "utf-16-le"),
    ],
)
def test_accepted_encodings(name: str, expected: str) -> None:
    assert checked_encoding(name) == expected


@pytest.mark.parametrize("name", ["", "klingon", "rot13", "zlib", "base64", "a\0b", "undefined", "punycode"])
def test_what_is_not_an_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(ImportFileError, match=r"--encoding: .* is not an encoding of text, such as UTF-8"):
        checked_encoding(name)


@pytest.mark.parametrize("name", ["utf-7", "cp037", "cp500", "iso2022_jp", "iso2022_kr", "hz", "idna"])
def test_encodings_that_hide_commas_are_refused(name: str) -> None:
    with pytest.raises(ImportFileError, match=f"convert the file, such as by iconv -f {name} -t UTF-8"):
        checked_encoding(name)


def read(cells: bytes) -> SessionRecord:
    """A record whose texts are cells of a file: id, folder, company."""
    (line,) = read_lines(io.BytesIO(cells), 100)
    session_id, folder, company = line.text.split(",")
    return SessionRecord(source="Zürich", session_id=session_id, folder=folder, company=company)


@pytest.mark.parametrize(
    ("cells", "encoding", "folder", "has_replaced"),
    [
        (b"1,M\xfcller,", "utf-8", "M\ufffdller", True),
        (b"1,M\xfc\xfcller,", "utf-8", "M\ufffd\ufffdller", True),
        (b"1,M\xfcller,", "iso8859-1", "Müller", False),
        (b"1,M\x81ller,", "cp437", "Müller", False),
        (b"1,M\x81ller,", "cp1252", "M\ufffdller", True),
        # These bytes are UTF-8, too.
        (b"1,M\xc3\xbcller,", "iso8859-1", "MÃ¼ller", False),
        (b"1,M\xc3\xbcller,", "utf-8", "Müller", False),
        (b"1,\xcf\xf0\xe8\xe2\xe5\xf2,", "cp1251", "Привет", False),
        (b"1,\xd6\xd0\xce\xc4,", "gb18030", "中文", False),
        (b"1,\xef\xbf\xbd,", "utf-8", "\ufffd", False),
    ],
)
def test_texts_of_a_record(cells: bytes, encoding: str, folder: str, has_replaced: bool) -> None:
    record = read(cells)
    assert decode_fields(record, encoding, "Zürich") == has_replaced
    # The source came from the command line, not from the file.
    assert (record.folder, record.source, record.HasField("company")) == (folder, "Zürich", True)


def test_an_id_is_never_replaced() -> None:
    with pytest.raises(UnreadableRowError, match=r"session_id has bytes that are not utf-8: 'a\\xfc'"):
        decode_fields(read(b"a\xfc,,"), "utf-8", "")


def test_escaped_bytes_are_shown() -> None:
    assert shown(read(b"1,M\xfc\xe9,").folder) == "M\\xfc\\xe9"
    assert shown("Ü") == "Ü"


def test_bytes_in_a_column_that_no_field_uses_cost_nothing() -> None:
    damaged = call_row(clid='"Ann \ufffe" <100>').encode().replace("\ufffe".encode(), b"\xfc")
    whole = call_row(clid='"Ann" <100>').encode()
    assert only_record(parse("asterisk-csv", damaged)) == only_record(parse("asterisk-csv", whole))


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-1", "cp1251"])
def test_no_encoding_changes_the_hash_of_a_row(encoding: str) -> None:
    """To import a file again with the right encoding must not count its calls twice."""
    row = BASE.replace("Alice", "Al\xefce").encode("latin-1")
    record = only_record(parse("asterisk-csv", row, options(encoding=encoding)))
    assert record.session_id == "545e91ca746d1b78/1"
