"""Finding XML documents in the text of a file."""

from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.xml_documents import read_documents


def outline(text: str, piece_chars: int, chars_max: int = 60) -> list[str]:
    pieces = [text[start : start + piece_chars] for start in range(0, len(text), piece_chars)]
    found = read_documents(pieces, chars_max)
    return [
        f"{document.line} ! {document.reason}"
        if isinstance(document, UnreadableLine)
        else f"{document.line} {_shown(document.value)}"
        for document in found
    ]


def _shown(value: object) -> str:
    assert isinstance(value, Element)
    return "".join(value.itertext())


NOT_CLOSED = "! the document is not closed"
NO_DOCUMENT = "! the text is not an XML document of FreeSWITCH"
TOO_LONG = "! the document has more than 60 characters"
XML = '<?xml version="1.0"?>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n", []),
        ("<cdr>1</cdr>\n<cdr a='b'>2</cdr>", ["1 1", "2 2"]),
        (f"{XML}<cdr>1</cdr>{XML}\n<cdr>2</cdr >", ["1 1", "1 2"]),
        (f"{XML}\n<cdrs n='2'>\n<cdr>1</cdr>\n<cdr>2</cdr></cdrs>", ["3 1", "4 2"]),
        (f"{XML}<cdr>1{XML}<cdr>2</cdr>", [f"1 {NOT_CLOSED}", "1 2"]),
        ("<cdr>1\n<cdr>2</cdr>", [f"1 {NOT_CLOSED}", "2 2"]),
        (f"{XML}\n{XML}\n<cdr>2</cdr>", [f"1 {NOT_CLOSED}", "2 2"]),
        ("<cdr>1<cdrs><cdr>2</cdr></cdrs>", [f"1 {NOT_CLOSED}", "1 2"]),
        ("1</cdr>\n<cdr>2</cdr>\n3", [f"1 {NO_DOCUMENT}", "2 2", f"3 {NO_DOCUMENT}"]),
        ("<cdr><b></b><a>1</cdr><cdr>2</cdr>", ["1 ! no XML: mismatched tag: line 1, column 18", "1 2"]),
        (f"<cdr>{60 * 'x'}</cdr>\n<cdr>2</cdr>", [f"1 {TOO_LONG}", "2 2"]),
        (f"<cdr>{99 * 'x'}<cdr>2</cdr>", [f"1 {TOO_LONG}", "1 2"]),
        ("<cdr>1 <<a>&amp; & b</cdr>", ["1 1 <<a>& & b"]),
        ("%3Ccdr%3E%C3%BC%0A%3C/cdr%3E", ["1 ü\n"]),
        ("cdr=%3Ccdr%3E%252C%3C%2Fcdr%3E%", ["1 %2C", f"1 {NO_DOCUMENT}"]),
    ],
)
def test_documents(text: str, expected: list[str]) -> None:
    assert outline(text, 1) == expected
    assert outline(text, 7) == expected


PARTS = [
    XML,
    "<cdr>",
    "</cdr>",
    "<cdrs>",
    "</cdrs>",
    "<a>",
    "</a>",
    "x",
    "\n",
    "&",
    "<",
    "<!--",
    "-->",
    "<!DOCTYPE a>",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=9))
def test_damage_never_reaches_the_next_document(parts: list[str]) -> None:
    text = f"{''.join(parts)}{XML}<cdr>next</cdr>"
    found = outline(text, 1, 1000)
    assert found[-1] == f"{1 + parts.count(chr(10))} next"
    assert found == outline(text, 5, 1000) == outline(text, 1000, 1000)
