"""The texts of predicates in SQL, and of their bound values; `test_scans` runs them."""

import re

import pytest
from decks import deck_of
from pegcount.model import Between, InNetwork, Measure, OneOf, OneOfPairs, Predicate, Present, Scan, TextMatch
from pegcount.store.clickhouse.reading.predicates import Conditions
from pegcount.store.clickhouse.reading.scan_columns import scan_columns
from pegcount.store.clickhouse.reading.sql import projection_of, scan_query
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.wire.bound_values import BoundValues

INT64_MAX = 2**63 - 1
ABSENT = -(2**63)
DECK = DeckInUse(3, 7, (2, 4), deck_of(("49", "Germany", "DE"), ("4930", "Berlin", "DE")))
CODES = "SELECT code FROM deck_entries WHERE deck_id = 3 AND version = 7"


def text_of(predicate: Predicate, deck: DeckInUse | None = None) -> str:
    """Returns the condition with its values in place, without the outer parentheses."""
    bound = BoundValues()
    text = Conditions(scan_columns(deck, bound), bound).of(predicate)
    return re.sub(r"\{(\w+):[^}]*\}", lambda match: bound.parameters[match[1]], text)[1:-1]


CASES: list[tuple[Predicate, str]] = [
    (Between("app_id", 1, 5), "app_id >= 1 AND app_id <= 5"),
    (Between("app_id", ABSENT, INT64_MAX), f"app_id >= {ABSENT + 1} AND app_id <= {INT64_MAX}"),
    (Between("app_id", 5, 1), "0"),
    (Between("kind", 2, 3), "session_kind >= 2 AND session_kind <= 3"),
    (Between("duration_ms", 0, 0), "duration_ms >= 0 AND duration_ms <= 0"),
    (OneOf("app_id", (1, 1, ABSENT)), "app_id IN [1,1]"),
    (OneOf("app_id", (ABSENT,)), "0"),
    (OneOf("app_id", (1,), or_absent=True), f"app_id IN [1] OR app_id = {ABSENT}"),
    (OneOf("kind", (1, 256, -1)), "session_kind IN [1]"),
    (OneOf("kind", (1,), or_absent=True), f"kind IN [1] OR kind = {ABSENT}"),
    (OneOf("is_last_attempt", (0,)), "last_attempt IN [0]"),
    (OneOf("received_time", (5,), or_absent=True), "received_time IN [5]"),
    (OneOf("folder", ("a", "", "b'\\")), "folder IN ['a','b\\'\\\\']"),
    (OneOf("folder", ("",)), "0"),
    (OneOf("folder", ("a",), or_absent=True), "folder IN ['a'] OR folder = ''"),
    (TextMatch("folder", "eq", "a"), "folder = a"),
    (TextMatch("folder", "starts_with", "%_"), "startsWith(folder, %_)"),
    (TextMatch("folder", "ends_with", "a\n"), "endsWith(folder, a\\n)"),
    (TextMatch("folder", "contains", "a"), "position(folder, a) > 0"),
    (TextMatch("folder", "contains", ""), "folder != ''"),
    (TextMatch("folder", "eq", ""), "0"),
    (Present("folder", wanted=True), "folder != ''"),
    (Present("kind", wanted=False), f"kind = {ABSENT}"),
    (Present("end_time", wanted=True), "state = 0"),
    (Present("end_time", wanted=False), "state = 1"),
    (Present("duration_ms", wanted=False), "0"),
    (OneOfPairs("company", "folder", (("a", "x"), ("", "y"), ("b", ""))), "(company, folder) IN [('a','x')]"),
    (
        OneOfPairs("company", "folder", (("a", None), ("b", "x"))),
        "company IN ['a'] OR (company, folder) IN [('b','x')]",
    ),
    (OneOfPairs("company", "folder", ()), "0"),
]


@pytest.mark.parametrize(("predicate", "text"), CASES, ids=str)
def test_a_predicate(predicate: Predicate, text: str) -> None:
    assert text_of(predicate) == text


def bounds(low: str, high: str) -> str:
    low, high = (f"toFixedString(unhex({text.replace(' ', '')}), 16)" for text in (low, high))
    return f"auth_address >= {low} AND auth_address <= {high}"


MAPPED = bounds("00000000000000000000FFFF 00000000", "00000000000000000000FFFF FFFFFFFF")


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (
            "192.0.2.9/24",
            bounds("00000000000000000000FFFF C0000200", "00000000000000000000FFFF C00002FF"),
        ),
        (
            "::ffff:192.0.2.0/120",
            bounds("00000000000000000000FFFF C0000200", "00000000000000000000FFFF C00002FF"),
        ),
        (
            "2001:db8::/+32",
            bounds("20010DB8000000000000000000000000", "20010DB8FFFFFFFFFFFFFFFFFFFFFFFF"),
        ),
        (
            "::ffff:0:0/95",
            bounds("00000000000000000000FFFE 00000000", "00000000000000000000FFFF FFFFFFFF")
            + f" AND NOT ({MAPPED})",
        ),
    ],
)
def test_a_block(network: str, text: str) -> None:
    assert text_of(InNetwork("auth_orig_ip", network)) == text


@pytest.mark.parametrize(
    "network",
    [
        "",
        "192.0.2.0/33",
        "192.0.2.0/",
        "192.0.2.0/255.255.255.0",
        "192.0.2.01",
        "fe80::1%eth0",
        "::/129",
        "x",
    ],
)
def test_what_is_not_a_block_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match="is not an address or a block"):
        text_of(InNetwork("auth_orig_ip", network))


def test_rates_of_a_deck() -> None:
    digits = "if(startsWith(orig_dst_party_id, '+'), substring(orig_dst_party_id, 2), orig_dst_party_id)"
    code = (
        f"arrayFirst(prefix -> prefix IN ({CODES}), [substring({digits}, 1, 4), substring({digits}, 1, 2)])"
    )
    assert text_of(OneOf("orig_rates_code", ("49",)), DECK) == f"{code} IN ['49']"
    named = f"{code} IN ({CODES} AND (name IN ['Berlin']))"
    assert text_of(OneOf("orig_rates_code_name", ("Berlin",)), DECK) == named
    without = f"{code} IN ({CODES} AND (country = '')) OR {code} = ''"
    assert text_of(Present("orig_rates_country", wanted=False), DECK) == without


REFUSED: list[Predicate] = [
    Between("nothing", 1, 2),
    Between("folder", 1, 2),
    OneOf("folder", (1,)),
    OneOf("app_id", ("1",)),
    OneOf("key_hash", (1,)),
    TextMatch("app_id", "eq", "1"),
    InNetwork("app_id", "192.0.2.1"),
    OneOfPairs("company", "app_id", (("a", "b"),)),
    Present("versions", wanted=True),
]


@pytest.mark.parametrize("predicate", REFUSED, ids=str)
def test_columns_that_do_not_exist_or_have_other_values_are_refused(predicate: Predicate) -> None:
    with pytest.raises(ValueError, match=r"column|values such as"):
        text_of(predicate)


def test_no_value_is_in_the_text_of_a_query() -> None:
    predicates = (
        OneOf("folder", ("secret",)),
        TextMatch("agent_id", "eq", "secret"),
        Between("app_id", 777, 777),
    )
    query = scan_query(Scan(None, predicates, ("folder",), Measure("elapsed", 777)), None, 10)
    assert "secret" not in query.text
    assert "777" not in query.text
    assert [*query.parameters.values()].count("777") == 3


def test_long_lists_of_pairs_are_split() -> None:
    bound = BoundValues()
    pairs = [(f"{number}", "x" * 1_000) for number in range(1_000)]
    assert len(bound.tuples(("String", "String"), pairs)) > 8
    assert max(len(value) for value in bound.parameters.values()) < 120_000
    assert "".join(bound.parameters.values()).count("('") == 1_000


@pytest.mark.parametrize(
    ("scan", "name"),
    [
        (Scan(None, (OneOf("kind", (1,)),), ("app_id",), Measure("sessions")), "apps"),
        (Scan(None, (OneOf("kind", (1,)),), (), Measure("calls")), "folders"),
        (Scan(None, (Present("end_time", wanted=True),), ("agent_id",), Measure("sessions")), "folders"),
        (Scan(None, (Present("kind", wanted=True),), (), Measure("sessions")), None),
        (Scan(None, (OneOf("kind", (1,), or_absent=True),), (), Measure("sessions")), None),
        (Scan(None, (OneOf("app_id", (1,)),), (), Measure("calls")), None),
        (Scan(None, (), (), Measure("elapsed", 5)), None),
        (Scan(None, (), ("end_time",), Measure("sessions")), None),
        (Scan(None, (), (), Measure("sessions"), code_deck=3), None),
        (Scan(None, (Between("end_time", 1, 2),), (), Measure("sessions")), None),
    ],
    ids=str,
)
def test_which_projection_answers(scan: Scan, name: str | None) -> None:
    found = projection_of(scan)
    assert (found.name if found else None) == name
