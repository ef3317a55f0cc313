"""Finding JSON documents in the text of a file."""

import io
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pegcount.importers.json_documents import read_documents
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.text_pieces import read_pieces
from pegcount.importers.undecoded import shown


def outline(text: str, piece_chars: int, chars_max: int = 40) -> list[str]:
    pieces = [text[start : start + piece_chars] for start in range(0, len(text), piece_chars)]
    return [
        f"{found.line} ! {found.reason}"
        if isinstance(found, UnreadableLine)
        else f"{found.line} {json.dumps(found.value)}"
        for found in read_documents(pieces, chars_max)
    ]


def check(text: str, *expected: str) -> None:
    for piece_chars in (1, 7, 1000):
        assert outline(text, piece_chars) == [*expected]


NOT_CLOSED = "! the document is not closed"
NOT_JSON = "! the text is not a JSON document"
TOO_LONG = "! the document has more than 40 characters"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ('{"a":1}\n{"a":2}\r\n', ['1 {"a": 1}', '2 {"a": 2}']),
        ('{"a":1}{"a":2}', ['1 {"a": 1}', '1 {"a": 2}']),
        ('[{"a":1},\n{"a":2}]\n', ['1 {"a": 1}', '2 {"a": 2}']),
        ('[]\n{"a":1}', ['2 {"a": 1}']),
        ('{\n "a": {\n }\n}{\n}\n{"b":1}', ['1 {"a": {}}', "4 {}", '6 {"b": 1}']),
        ('{"a":"}{"}{"a":"\\"{"}', ['1 {"a": "}{"}', '1 {"a": "\\"{"}']),
    ],
)
def test_documents(text: str, expected: list[str]) -> None:
    check(text, *expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1\n{"a":2}', [f"1 {NOT_CLOSED}", '2 {"a": 2}']),
        ("{\n1\n{\n}", [f"1 {NOT_CLOSED}", "3 {}"]),
        ('{\n  1\n{"b":2}', [f"1 {NOT_CLOSED}", '3 {"b": 2}']),
        ("{\n  1", [f"1 {NOT_CLOSED}"]),
        ("1\n}\n{\n}", [f"1 {NOT_JSON}", f"2 {NOT_JSON}", "3 {}"]),
        ('x{"a":1}y', [f"1 {NOT_JSON}", '1 {"a": 1}', f"1 {NOT_JSON}"]),
        ('{"a":1}}\n{"b":1}', ['1 {"a": 1}', f"1 {NOT_JSON}", '2 {"b": 1}']),
        # Written in part, and the next one behind it: between cells, in a text, in an object.
        ('{"core-uuid":{"core-uuid":1}', [f"1 {NOT_CLOSED}", '1 {"core-uuid": 1}']),
        ('{"core-uuid":"a{"core-uuid":1}', [f"1 {NOT_CLOSED}", '1 {"core-uuid": 1}']),
        ('{"core-uuid":{"b":{"c":1,{"core-uuid":1}', [f"1 {NOT_CLOSED}", '1 {"core-uuid": 1}']),
        ('[{\n "core-uuid":1,\n{\n "core-uuid":1}]', [f"1 {NOT_CLOSED}", '3 {"core-uuid": 1}']),
        ('[\n {\n "core-uuid":1,\n {\n "core-uuid":1}]', [f"2 {NOT_CLOSED}", '4 {"core-uuid": 1}']),
        # An object around the document begins it.
        ('{"cdr":{"core-uuid":1}}', ['1 {"cdr": {"core-uuid": 1}}']),
        ('{"cdr":\n{"core-uuid":1}}', ['1 {"cdr": {"core-uuid": 1}}']),
        ('{"cdr":{"core-uuid":{"cdr":{"core-uuid":1}}', [f"1 {NOT_CLOSED}", '1 {"cdr": {"core-uuid": 1}}']),
        # Closed, but no JSON: another document may follow at once.
        ('{"a":b}{"a":1}', ["1 ! no JSON: Expecting value at character 6", '1 {"a": 1}']),
        ('{"a":"\t"}\n{"a":1}', ["1 ! no JSON: Invalid control character at at character 7", '2 {"a": 1}']),
    ],
)
def test_a_damaged_document_costs_itself(text: str, expected: list[str]) -> None:
    check(text, *expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":"' + 40 * "x" + '"}\n{"a":1}', [f"1 {TOO_LONG}", '2 {"a": 1}']),
        ('{"a":1,' + 80 * " " + '\n{"core-uuid":1}', [f"1 {TOO_LONG}", '2 {"core-uuid": 1}']),
        ('{"core-uuid":"' + 99 * "x" + '{"core-uuid":1}', [f"1 {TOO_LONG}", '1 {"core-uuid": 1}']),
        (99 * "x", [f"1 {TOO_LONG}"]),
    ],
)
def test_a_document_that_is_too_long_costs_itself(text: str, expected: list[str]) -> None:
    assert outline(text, 1) == expected


def test_a_form_that_was_posted_is_named() -> None:
    (found,) = outline("%7B%22core-uuid%22%3A1%7D", 1000)
    assert "URL-encoded as a whole" in found


PARTS = ['{"core-uuid":1}', '{"a":"{"}', "{", "}", '"', "[", ",", "\n", "x", '{"a":']
BEGINNINGS = ['{"core-uuid":1,"x":', "{", '"', ":", ",", '"a', "1", "[", "]"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=9))
def test_the_pieces_make_no_difference(parts: list[str]) -> None:
    text = "".join(parts)
    assert outline(text, 1, 1000) == outline(text, 3, 1000) == outline(text, 1000, 1000)


@settings(deadline=None)
@given(st.lists(st.sampled_from(BEGINNINGS), max_size=9))
def test_damage_never_reaches_the_next_document(parts: list[str]) -> None:
    text = '{"core-uuid":' + "".join(parts)
    assert outline(text + '{"core-uuid":"next"}', 5, 1000)[-1] == '1 {"core-uuid": "next"}'


def test_text_of_documents_can_be_encoded() -> None:
    pieces = read_pieces(io.BytesIO(b'{"a":"\xfc\\ud800"}{"a":"\xfc'))
    texts = [shown(found.text) for found in read_documents(pieces, 100)]
    assert [text.encode() for text in texts] == [b'{"a":"\\xfc\\ud800"}', b'{"a":"\\xfc']


def test_a_damaged_document_takes_time_in_proportion_to_its_size() -> None:
    """Regression: 40 KB of escaped quotes took 8.6 s."""
    text = '{"' + '\\"' * 500_000
    began = time.process_time()
    (found,) = read_documents([text], 2_000_000)
    assert isinstance(found, UnreadableLine)
    assert time.process_time() - began < 5
