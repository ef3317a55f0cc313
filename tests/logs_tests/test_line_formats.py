"""Each record is one line, whatever its texts are."""

import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.logs.line_formats import JsonFormat, TextFormat

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
NASTY = "a\r\nb\x1b[2Jc\u2028d\x85e\x7ff\u202eg\udc80h\x00"


def record(message: str, error: BaseException | None = None, **fields: object) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("pegcount.store", logging.WARNING, "", 0, "%s", (message,), info)
    made.created = 1_774_872_000.25
    made.fields = fields
    return made


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def parsed(line: str) -> dict[str, object]:
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_a_line_of_text() -> None:
    line = TextFormat().format(record("three files are new"))
    assert line == "2026-03-30T12:00:00.250Z WARNING three files are new"


def test_a_line_of_json() -> None:
    line = JsonFormat().format(record("flushed", record_count=3, source="a b"))
    assert list(parsed(line).items()) == [
        ("time", "2026-03-30T12:00:00.250Z"),
        ("level", "warning"),
        ("logger", "pegcount.store"),
        ("message", "flushed"),
        ("record_count", 3),
        ("source", "a b"),
    ]


def test_what_steers_a_terminal_or_ends_a_line_is_escaped() -> None:
    text = TextFormat().format(record(NASTY))
    assert text.endswith(r"a\r\nb\x1b[2Jc\u2028d\x85e\x7ff\u202eg\udc80h\x00")
    line = JsonFormat().format(record(NASTY))
    assert line.isascii()
    assert line.isprintable()
    assert parsed(line)["message"] == NASTY.replace("\udc80", r"\udc80")


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_one_line(message: str) -> None:
    for form in (TextFormat(), JsonFormat()):
        line = form.format(record(message))
        assert line.isprintable()
        line.encode()


def test_no_line_of_a_traceback_looks_like_one_of_the_log() -> None:
    forged = "x\n2026-03-30T12:00:00.000Z INFO everything is fine\r2026-03-30T12:00:00.000Z INFO it is"
    error = raised(ValueError(forged))
    first, *others = TextFormat().format(record("a fault", error)).split("\n")
    assert re.fullmatch(f"{TIME} WARNING a fault", first)
    assert others[0] == "    Traceback (most recent call last):"
    assert len(others) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in others)
    assert any("everything is fine" in line for line in others)


def test_a_traceback_is_one_field_of_json() -> None:
    line = JsonFormat().format(record("a fault", raised(ValueError("x\ny"))))
    assert "\n" not in line
    told = parsed(line)["exception"]
    assert isinstance(told, str)
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.endswith("ValueError: x\ny\n")


@pytest.mark.parametrize("form", [TextFormat(), JsonFormat()])
def test_a_number_in_an_unexpected_error_is_masked(form: logging.Formatter) -> None:
    line = form.format(record("a fault", raised(ValueError("no call of +1 555 0100 or 493023125001"))))
    assert "no call of +1 55* **** or 493*********" in line


def test_a_number_in_a_message_of_a_library_is_masked() -> None:
    made = record("exception=ValueError('+1 555 0100')")
    made.name = "asyncio"
    assert "'+1 55* ****'" in TextFormat().format(made)


def test_a_very_long_message_is_cut() -> None:
    assert len(TextFormat().format(record("x" * 100_000))) < 33_000
    assert len(JsonFormat().format(record("x", raised(ValueError("y" * 100_000))))) < 34_000
