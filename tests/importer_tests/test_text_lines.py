"""Splitting of bytes into lines; damage affects only its own line."""

import io

import pytest
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.text_lines import read_lines
from pegcount.importers.undecoded import shown


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\nb", ["1 a", "2 b"]),
        (b"a\r\nb\r\n", ["1 a", "2 b"]),
        (b"\xef\xbb\xbfa\nb\n", ["1 a", "2 b"]),
        (b"\xef\xbb\xbf\r\nb\n", ["2 b"]),
        (b"a\n\n \t\r\nb\n", ["1 a", "4 b"]),
        (b" a \n", ["1  a "]),
        (b"a\nb\0c\nd\n", ["1 a", "2 ! the line has a NUL byte", "3 d"]),
        (b"a\nb\xffc\nd\n", ["1 a", "2 b\\xffc", "3 d"]),
        ("é\n".encode("latin-1"), ["1 \\xe9"]),
        (b"\xed\xa0\x80\n", ["1 \\xed\\xa0\\x80"]),
        (b"12345678\nb\n", ["1 12345678", "2 b"]),
        (b"12345678\r\nb\n", ["1 12345678", "2 b"]),
        (b"12345678", ["1 12345678"]),
        (b"123456789\nb\n", ["1 ! the line has more than 8 bytes", "2 b"]),
        (b"1" * 40 + b"\nb\n", ["1 ! the line has more than 8 bytes", "2 b"]),
        (b"1" * 40, ["1 ! the line has more than 8 bytes"]),
    ],
)
def test_lines(data: bytes, expected: list[str]) -> None:
    found = [
        f"{line.line} ! {line.reason}"
        if isinstance(line, UnreadableLine)
        else f"{line.line} {shown(line.text)}"
        for line in read_lines(io.BytesIO(data), 8)
    ]
    assert found == expected


def test_text_of_an_unreadable_line_can_be_printed() -> None:
    (line,) = read_lines(io.BytesIO(b"J\xf6rg,\0\r\n"), 99)
    assert line.text == "J\\xf6rg,\0"
