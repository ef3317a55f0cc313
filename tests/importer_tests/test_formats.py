"""Properties of all formats on random files."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.errors import ImportFileError
from pegcount.importers import FORMATS, ParsedLine, shipped_mappings

from .reading import csv_line, options, outline, parse
from .test_asterisk_csv import BASE
from .test_freeswitch_csv import ROW as FREESWITCH_ROW
from .test_yeti_csv import ROW as YETI_ROW

HEADERS = {
    "yeti-csv": csv_line(YETI_ROW),
    "pegcount-csv": "session_id,setup_time,kind\n",
    "mapped": ",".join(sorted(shipped_mappings()["wazo"].needed_columns)) + "\n",
}
OPTIONS = options(mapping=shipped_mappings()["wazo"])
DOCUMENTS = {"freeswitch-json", "freeswitch-xml"}
"""Formats of which several documents may stand on one line."""
PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b'"', b",", b"{", b"}", b"\0", b"\xff", b'{"variables":{"uuid":"a"}}\n', b" "),
        *(b"<cdr>", b"</cdr>", b"<?xml version='1.0'?>", b"<variables/>", b"&"),
        *(BASE.encode(), csv_line(FREESWITCH_ROW.values()).encode(), csv_line(YETI_ROW.values()).encode()),
        b"s1,2026-03-28T09:00:00Z,CALL",
    ]
)


def parse_or_nothing(format_name: str, data: bytes) -> list[ParsedLine]:
    with suppress(ImportFileError):
        return parse(format_name, data, OPTIONS)
    return []


@pytest.mark.parametrize("format_name", FORMATS)
@given(pieces=st.lists(PIECES | st.binary(max_size=8), max_size=12))
def test_each_row_yields_one_parsed_line(format_name: str, pieces: list[bytes]) -> None:
    data = HEADERS.get(format_name, "").encode() + b"".join(pieces)
    parsed = parse_or_nothing(format_name, data)
    lines = [line.line for line in parsed]
    assert lines == sorted(lines if format_name in DOCUMENTS else set(lines))
    if format_name.endswith("-csv") and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        rows = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        filled = [number for number, row in enumerate(rows, 1) if row.strip()]
        assert lines == (filled[1:] if format_name in HEADERS else filled)


@pytest.mark.parametrize("format_name", FORMATS)
def test_parsing_is_deterministic(format_name: str) -> None:
    data = HEADERS.get(format_name, "").encode() + f"{BASE}\n{BASE}\n".encode()
    assert outline(parse(format_name, data, OPTIONS)) == outline(parse(format_name, data, OPTIONS))
