"""Splitting of lines into JSON documents."""

import pytest
from pegcount.importers.json_documents import read_documents
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.text_lines import TextLine


def check(lines: list[TextLine | UnreadableLine], expected: list[str]) -> None:
    found = [
        f"{line.line} ! {line.reason}" if isinstance(line, UnreadableLine) else f"{line.line} {line.text}"
        for line in read_documents(lines, 20)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ('{"a":1}|{"a":2}', ['1 {"a":1}', '2 {"a":2}']),
        ('{"a":1|{"a":2}', ['1 {"a":1', '2 {"a":2}']),
        ('{|  "a": {|  }|}|{"b":1}', ['1 {\n  "a": {\n  }\n}', '5 {"b":1}']),
        ("{|  1|{|  2|}", ["1 ! the document is not closed", "3 {\n  2\n}"]),
        ('{|  1|{"b":2}', ["1 ! the document is not closed", '3 {"b":2}']),
        ("{|  1", ["1 ! the document is not closed"]),
        ("1|}|{|}", ["1 1", "2 }", "3 {\n}"]),
        ("{|  123456789|  123456789|}|{|}", ["1 ! the document has more than 20 characters", "5 {\n}"]),
    ],
)
def test_documents(text: str, expected: list[str]) -> None:
    lines = [TextLine(number, line) for number, line in enumerate(text.split("|"), 1) if line]
    check([*lines], expected)


def test_an_unreadable_line_damages_its_document_alone() -> None:
    broken = UnreadableLine(2, "broken", "x")
    lines: list[TextLine | UnreadableLine] = [
        TextLine(1, "{"),
        broken,
        TextLine(3, "}"),
        TextLine(4, "{"),
        TextLine(5, "}"),
    ]
    check(lines, ["1 ! line 2: broken", "4 {\n}"])
    check([broken], ["2 ! broken"])
