"""Predicates that the filters of a traffic question become."""

from typing import Any

import pytest
from pegcount.model import Between, OneOf, Present, TextMatch
from pegcount.traffic import AnyOf, InGroups, ListedValues, LocalTimeKey, Not, PrefixKey, TrafficPredicate

from request_tests.test_traffic import by, query_of

INT64_MIN, INT64_MAX = -(2**63) + 1, 2**63 - 1
NEVER = Between("tenant_id", 1, 0)
DST = "dst_prefix_routing"
FROM_US = 1_774_742_400_000_000


def begins(*texts: str) -> InGroups:
    """The number begins with one of some texts of one length."""
    return InGroups((PrefixKey(DST, len(texts[0])),), tuple((text,) for text in texts))


def at(part: Any, *values: int) -> InGroups:
    return InGroups((LocalTimeKey(part, (FROM_US,), (0,)),), tuple((value,) for value in values))


def part_of(name: str, **given: Any) -> list[TrafficPredicate]:
    """Returns the predicates of one filter, without the three that every request has."""
    return list(query_of(filters=[by(name, **given)], attempts="ATTEMPTS_LAST").predicates[3:])


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("TENANT_ID", {"integers": [2, 1, 2]}, [OneOf("tenant_id", (2, 1, 2))]),
        ("TENANT_ID", {"integers": [1], "absent": True}, [OneOf("tenant_id", (1,), or_absent=True)]),
        ("TENANT_ID", {"absent": True}, [Present("tenant_id", wanted=False)]),
        ("TENANT_ID", {"absent": True, "negate": True}, [Not(Present("tenant_id", wanted=False))]),
        ("TENANT_ID", {"range": {"low": 3}}, [Between("tenant_id", 3, INT64_MAX)]),
        ("TENANT_ID", {"range": {"low": -(2**63), "high": 3}}, [Between("tenant_id", INT64_MIN, 3)]),
        (
            "TENANT_ID",
            {"integers": [9], "range": {"low": 1, "high": 3}, "negate": True},
            [Not(AnyOf((OneOf("tenant_id", (9,)), Between("tenant_id", 1, 3))))],
        ),
        (
            "TERM_ACCOUNTS_NAME",
            {"texts": ["a"], "text": {"starts_with": "b", "ends_with": "c"}},
            [
                AnyOf((OneOf("term_accounts_name", ("a",)), TextMatch("term_accounts_name", how, text)))
                for how, text in (("starts_with", "b"), ("ends_with", "c"))
            ],
        ),
        ("COMPANY", {"text": {"absent": True}}, [Present("company", wanted=False)]),
        ("COMPANY", {"text": {"eq": "+"}}, [TextMatch("company", "eq", "+")]),
        # What has a default is never absent.
        ("KIND", {"absent": True}, [NEVER]),
        ("LAST_ATTEMPT", {"absent": True, "negate": True}, [Not(NEVER)]),
        ("CAUSE_CLASS", {"integers": [1]}, [Between("disconnect_cause", 16, 31)]),
        ("CAUSE_CLASS", {"range": {"low": 2, "high": 3}}, [Between("disconnect_cause", 32, 63)]),
        ("CAUSE_CLASS", {"range": {"low": 2}}, [Between("disconnect_cause", 32, INT64_MAX)]),
        ("CAUSE_CLASS", {"integers": [2**60]}, [NEVER]),
        ("HOUR_OF_DAY", {"integers": [9, 8]}, [at("hour", 9, 8)]),
        ("HOUR_OF_DAY", {"range": {"low": 22, "high": 30}}, [at("hour", 22, 23)]),
        ("WEEKDAY", {"range": {"high": 1}, "negate": True}, [Not(at("weekday", 1))]),
        ("WEEKDAY", {"range": {"low": 8}}, [NEVER]),
        ("DST_PREFIX", {"texts": ["+49", "44", "1"]}, [AnyOf((begins("49", "44"), begins("1")))]),
        ("DST_PREFIX", {"texts": ["441", "+4", "49", "45", "5", "+5"]}, [begins("4", "5")]),
        ("DST_PREFIX", {"texts": ["44", "4", "331", "33", "3312"]}, [AnyOf((begins("4"), begins("33")))]),
        ("DST_PREFIX", {"absent": True}, [OneOf(DST, ("+",), or_absent=True)]),
        ("DST_PREFIX", {"text": {"absent": True}}, [OneOf(DST, ("+",), or_absent=True)]),
        ("DST_PREFIX", {"text": {"eq": "+49"}}, [OneOf(DST, ("49", "+49"))]),
        ("DST_PREFIX", {"text": {"eq": "++49"}}, [OneOf(DST, ("++49",))]),
        (
            "DST_PREFIX",
            {"text": {"starts_with": "49"}},
            [AnyOf((TextMatch(DST, "starts_with", "49"), TextMatch(DST, "starts_with", "+49")))],
        ),
        ("DST_PREFIX", {"text": {"contains": "4+"}}, [TextMatch(DST, "contains", "4+")]),
    ],
    ids=str,
)
def test_filters_become_predicates(
    name: str, given: dict[str, Any], expected: list[TrafficPredicate]
) -> None:
    assert part_of(name, **given) == expected


def test_listed_values_are_noted() -> None:
    """An answer that counts nothing names those that no record carries."""
    filters = [
        by("ACCOUNT_ID", texts=["a"], absent=True),
        by("TENANT_ID", integers=[1], negate=True),
        by("LAST_ATTEMPT", integers=[1]),
        by("CAUSE_CLASS", integers=[1]),
        by("DST_PREFIX", texts=["49"]),
        by("ORIG_RATES_CODE", texts=["49"], code_deck=1),
        by("CAUSE", integers=[16, 17]),
    ]
    assert query_of(filters=filters).listed_values == (
        ListedValues("kind", "kind", (1,)),
        ListedValues("filters[0].texts", "account_id", ("a",)),
        ListedValues("filters[6].integers", "disconnect_cause", (16, 17)),
    )
