"""Validation of code decks."""

import pytest
from decks import decode, entries_of
from pegcount import core
from pegcount.config import Config
from pegcount.errors import InvalidRequestError, MalformedMessageError
from pegcount.request import check_deck_count, code_deck_id
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


def check(request: PutCodeDeckRequest, expected: list[Expected], config: Config | None = None) -> list[str]:
    """Asserts that a request is refused with exactly these violations, and returns their descriptions."""
    config = config or Config()
    return check_refused(lambda: code_deck_id(decode(request, config), config), expected)


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(request_: PutCodeDeckRequest, expected: list[Expected]) -> None:
    check(request_, expected)


def test_descriptions_explain_each_bad_entry() -> None:
    _, _, plus, duplicate, _, name, *_ = check(*REFUSED["everything wrong"])
    assert (plus, duplicate) == (
        "code '+49' is not 1 to 32 digits",
        "code 49 is that of another entry; a code may have one entry",
    )
    assert name == "name and country may have 256 bytes each"


def test_a_long_code_is_shortened() -> None:
    (description,) = check(deck(entry("é" * 200)), [invalid(0, "é" * 97 + "...")])
    assert description == f"code '{'é' * 97}...' is not 1 to 32 digits"


def test_a_deck_has_a_limited_number_of_entries() -> None:
    config = Config(code_deck_entry_count_max=3)
    most = deck(*(entry(str(i)) for i in range(3)))
    assert code_deck_id(decode(most, config), config) == 1
    more = deck(*(entry(str(i)) for i in range(4)))
    check(more, [("entries", "LIST_LIMIT_EXCEEDED", {"asked": 4, "allowed": 3})], config)


def test_no_entry_beyond_the_limit_is_looked_at() -> None:
    request = deck(*(entry("bad"),) * 1_000)
    decoded = decode(request, Config(code_deck_entry_count_max=999))
    assert (decoded.bad_entry_count, decoded.bad_entries, decoded.deck.entry_count) == (0, [], 0)


def test_further_violations_are_counted() -> None:
    config = Config(violation_count_max=3)
    with pytest.raises(InvalidRequestError, match=r"entries\[1\].*; and 999 more violations$") as raised:
        code_deck_id(decode(deck(*(entry("bad"),) * 1_001, deck_id=0), config), config)
    fields = [violation.field for violation in raised.value.violations]
    assert (fields, raised.value.omitted_count) == (["id", "entries[0]", "entries[1]"], 999)


def test_entries_retain_their_order_and_absent_texts_are_empty() -> None:
    request = deck(
        entry("49", "Germany", "DE"), entry("0" * 32), entry("4", country="é" * 128), deck_id=2**63 - 1
    )
    decoded = decode(request)
    assert (code_deck_id(decoded, Config()), decoded.entry_count) == (2**63 - 1, 3)
    assert entries_of(decoded.deck) == [
        ("49", "Germany", "DE"),
        ("0" * 32, "", ""),
        ("4", "", "é" * 128),
    ]


@pytest.mark.parametrize("data", [b"\xff", b"\x12\x05\x00", b"\x12\x03\x0a\x01\xff"])
def test_a_malformed_deck_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError, match="the request is no valid message"):
        core.decode_code_deck(data, entry_count_max=1, text_bytes_max=1, bad_entry_count_max=1)


def test_decoding_agrees_with_the_contract() -> None:
    """The core knows the field numbers of the request by heart."""
    numbers = {field.name: field.number for field in PutCodeDeckRequest.DESCRIPTOR.fields}
    assert numbers == {"id": 1, "entries": 2}
    assert {field.name: field.number for field in admin_pb2.CodeDeckEntry.DESCRIPTOR.fields} == {
        "code": 1,
        "name": 2,
        "country": 3,
    }


def test_a_store_has_a_limited_number_of_decks() -> None:
    config = Config(code_deck_count_max=2)
    check_deck_count(7, {1}, config)
    check_deck_count(7, {1, 7}, config)
    with pytest.raises(InvalidRequestError, match="2 are stored, which is the limit") as refused:
        check_deck_count(7, {1, 2}, config)
    assert refused.value.metadata == {"field": "id", "asked": "3", "allowed": "2"}
