"""Validation of code decks."""

import pytest
from pegcount.config import Config
from pegcount.model import CodeDeckEntry
from pegcount.request import code_deck_entries
from pegcount.v1 import admin_pb2
from pegcount.v1.admin_pb2 import PutCodeDeckRequest

from request_tests.refusals import Expected, check_refused

ID = {"minimum": 1, "maximum": 2**63 - 1}


def entry(code: str, name: str | None = None, country: str | None = None) -> admin_pb2.CodeDeckEntry:
    return admin_pb2.CodeDeckEntry(code=code, name=name, country=country)


def deck(*entries: admin_pb2.CodeDeckEntry, deck_id: int | None = 1) -> PutCodeDeckRequest:
    return PutCodeDeckRequest(id=deck_id, entries=entries)


def invalid(i: int, code: str) -> Expected:
    return (f"entries[{i}]", "INVALID_CODE_DECK", {"value": code})


REFUSED: dict[str, tuple[PutCodeDeckRequest, list[Expected]]] = {
    "nothing given": (
        PutCodeDeckRequest(),
        [("id", "REQUIRED_FIELD_MISSING", {}), ("entries", "REQUIRED_FIELD_MISSING", {})],
    ),
    "everything wrong": (
        deck(
            entry("49"),
            entry(""),
            entry("+49"),
            entry("49"),
            entry("4" * 33),
            entry("1", name="n" * 257),
            entry("2", country="é" * 129),
            entry("\uff14\uff19"),
            entry("4 9"),
            deck_id=0,
        ),
        [
            ("id", "VALUE_OUT_OF_RANGE", {"value": 0, **ID}),
            invalid(1, ""),
            invalid(2, "+49"),
            invalid(3, "49"),
            invalid(4, "4" * 33),
            invalid(5, "1"),
            invalid(6, "2"),
            invalid(7, "\uff14\uff19"),
            invalid(8, "4 9"),
        ],
    ),
    "an id below none": (
        deck(entry("1"), deck_id=-(2**63)),
        [("id", "VALUE_OUT_OF_RANGE", {"value": -(2**63), **ID})],
    ),
    "a code with a line end": (deck(entry("49\n")), [invalid(0, "49\n")]),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(request_: PutCodeDeckRequest, expected: list[Expected]) -> None:
    check_refused(lambda: code_deck_entries(request_, Config()), expected)


def test_descriptions_explain_each_bad_entry() -> None:
    request, expected = REFUSED["everything wrong"]
    _, _, plus, duplicate, _, name, *_ = check_refused(lambda: code_deck_entries(request, Config()), expected)
    assert (plus, duplicate) == ("code '+49' is not 1 to 32 digits", "code 49 stands there already")
    assert name == "name and country may have 256 bytes each"


def test_entries_retain_their_order_and_absent_texts_are_empty() -> None:
    request = deck(
        entry("49", "Germany", "DE"), entry("0" * 32), entry("4", country="é" * 128), deck_id=2**63 - 1
    )
    assert code_deck_entries(request, Config()) == [
        CodeDeckEntry("49", "Germany", "DE"),
        CodeDeckEntry("0" * 32, "", ""),
        CodeDeckEntry("4", "", "é" * 128),
    ]
