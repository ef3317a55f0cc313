"""Splitting of CSV lines, and header rows."""

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.csv_rows import read_header, split_row
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b,", ["a", "b", ""]),
        ('"a","b, c",""', ["a", "b, c", ""]),
        ('"a ""quoted"" b"', ['a "quoted" b']),
        ('"a", "b"', ["a", "b"]),
        ('"a\rb",c', ["a\rb", "c"]),
    ],
)
def test_split_row(text: str, expected: list[str]) -> None:
    assert split_row(text) == expected


@pytest.mark.parametrize("text", ['"Bob" <1>,2', '"a,b', "a\rb,c", "x" * 200_000])
def test_text_that_is_not_a_row(text: str) -> None:
    with pytest.raises(UnreadableRowError, match="no row of CSV"):
        split_row(text)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the file is empty"),
        ([UnreadableLine(1, "broken", "")], "cannot be read: broken"),
        ([TextLine(1, 'a,"b')], "cannot be read: no row of CSV"),
        ([TextLine(1, "a,b,a,c,c")], "repeats a, c"),
    ],
)
def test_files_with_a_bad_header_are_refused(lines: list[TextLine | UnreadableLine], message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        read_header(iter(lines))


def test_header() -> None:
    assert read_header(iter([TextLine(1, '"a", b ,c')])) == ["a", "b", "c"]
