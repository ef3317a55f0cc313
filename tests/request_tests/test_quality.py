"""Validation of origination-quality requests, and the predicates that their filters become."""

import time
from pathlib import Path

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.masked import masked_address
from pegcount.model import Between, InNetwork, OneOf, Predicate, Present, QualityQuery, TextMatch
from pegcount.request import quality_query
from pegcount.v1 import reports_pb2
from pegcount.v1.reports_pb2 import DecimalFilter, IntegerFilter, QueryOriginationQualityRequest, TextFilter

from request_tests.refusals import Expected, check_refused, unknown_zone

GRANULARITIES = ", ".join(reports_pb2.Granularity.keys()[1:])
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
ACCOUNT_FIELDS = "account_id, account_ids, all_accounts"
ABSENT_NAMES = "account_id, src_country_id, dst_country_id"
ALL, NOTHING = (INT64_MIN + 1, INT64_MAX), (1, 0)
"""No range includes the least 64-bit integer, which encodes an absent value."""


def make_request(**more: object) -> QueryOriginationQualityRequest:
    given = {"account_id": "a", "from_time": "2026-03-29", "sampling": reports_pb2.GRANULARITY_HOUR, **more}
    return QueryOriginationQualityRequest(**given)  # type: ignore[arg-type]


def query_of(request: QueryOriginationQualityRequest) -> QualityQuery:
    return quality_query(request, Config())


def filter_predicates(**given: object) -> list[Predicate]:
    """Returns the predicates of the filters, without the four that every request has."""
    return list(query_of(make_request(**given)).predicates[4:])


def with_sampling(number: int) -> QueryOriginationQualityRequest:
    request = make_request()
    request.sampling = number  # type: ignore[assignment]
    return request


def empty(field: str) -> Expected:
    return (field, "EMPTY_FILTER", {})


def too_long(field: str, asked: int) -> Expected:
    return (field, "TEXT_TOO_LONG", {"asked": asked, "allowed": 256})


def conflict(field: str, allowed: str) -> Expected:
    return (field, "CONFLICTING_FIELDS", {"allowed": allowed})


REFUSED: dict[str, tuple[QueryOriginationQualityRequest, list[Expected]]] = {
    "nothing given": (
        QueryOriginationQualityRequest(),
        [
            ("sampling", "REQUIRED_FIELD_MISSING", {"allowed": GRANULARITIES}),
            ("from_time", "REQUIRED_FIELD_MISSING", {}),
            ("account_id", "REQUIRED_FIELD_MISSING", {}),
        ],
    ),
    "everything wrong": (
        make_request(
            account_id="a" * 257,
            from_time="2026-03-29T24:00:00",
            to_time="2026-03-29T00:00:00.0000001",
            time_zone="utc ",
            src_prefix_routing=TextFilter(),
            dst_prefix_routing=TextFilter(eq="", starts_with="4", ends_with="d" * 257),
            duration=IntegerFilter(),
            auth_orig_ip="198.51.100.256",
            customer_price=DecimalFilter(eq="1.0.0", gt="", lt="9" * 257),
        ),
        [
            unknown_zone("utc ", "UTC"),
            (
                "from_time",
                "MALFORMED_TIME",
                {"value": "2026-03-29T24:00:00", "suggestion": "2026-03-30T00:00:00"},
            ),
            (
                "to_time",
                "MALFORMED_TIME",
                {"value": "2026-03-29T00:00:00.0000001", "suggestion": "2026-03-29T00:00:00.000000"},
            ),
            too_long("account_id", 257),
            empty("src_prefix_routing"),
            empty("dst_prefix_routing.eq"),
            too_long("dst_prefix_routing.ends_with", 257),
            empty("duration"),
            ("auth_orig_ip", "MALFORMED_ADDRESS", {"value": "198.**.***.***"}),
            ("customer_price.eq", "MALFORMED_DECIMAL", {"value": "1.0.0"}),
            empty("customer_price.gt"),
            too_long("customer_price.lt", 257),
        ],
    ),
    "a number that no granularity has": (
        with_sampling(2**31 - 1),
        [("sampling", "UNKNOWN_ENUM_VALUE", {"value": 2**31 - 1, "allowed": GRANULARITIES})],
    ),
    "texts there but empty": (
        make_request(
            src_prefix_routing=TextFilter(eq="", starts_with="", ends_with="", contains=""),
            auth_orig_ip="",
            customer_price=DecimalFilter(lt=""),
        ),
        [
            empty("src_prefix_routing.eq"),
            empty("src_prefix_routing.starts_with"),
            empty("src_prefix_routing.ends_with"),
            empty("src_prefix_routing.contains"),
            empty("auth_orig_ip"),
            empty("customer_price.lt"),
        ],
    ),
    "a price filter without a price": (
        make_request(customer_price=DecimalFilter()),
        [empty("customer_price")],
    ),
    "several ways to name accounts": (
        make_request(account_ids=["b"], all_accounts=True),
        [conflict("account_id", ACCOUNT_FIELDS)],
    ),
    "lists of accounts": (
        make_request(
            account_id="", account_ids=["b", "", "b" * 257], all_accounts=True, absent=["account_id"]
        ),
        [
            conflict("account_ids", ACCOUNT_FIELDS),
            empty("account_ids[1]"),
            too_long("account_ids[2]", 257),
        ],
    ),
    "names that absent does not take": (
        make_request(absent=["account_ids", "src_country_id", "src_country_id", "app_id"], account_id=""),
        [
            (
                "absent[0]",
                "UNKNOWN_NAME",
                {"value": "account_ids", "allowed": ABSENT_NAMES, "suggestion": "account_id"},
            ),
            ("absent[2]", "REPEATED_NAME", {"value": "src_country_id"}),
            ("absent[3]", "UNKNOWN_NAME", {"value": "app_id", "allowed": ABSENT_NAMES}),
            ("account_id", "REQUIRED_FIELD_MISSING", {}),
        ],
    ),
    "absent texts that are compared, and filters of absent false": (
        make_request(
            src_prefix_routing=TextFilter(absent=True, eq="", contains="4"),
            dst_prefix_routing=TextFilter(absent=False),
            all_accounts=False,
        ),
        [
            conflict("src_prefix_routing.absent", "absent, eq, contains"),
            empty("src_prefix_routing.eq"),
            empty("dst_prefix_routing"),
        ],
    ),
    "an empty range": (
        make_request(to_time="2026-03-29T00:00:00Z"),
        [("from_time", "EMPTY_RANGE", {"from_time": "2026-03-29", "to_time": "2026-03-29T00:00:00Z"})],
    ),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(
    request_: QueryOriginationQualityRequest, expected: list[Expected]
) -> None:
    check_refused(lambda: query_of(request_), expected)


def test_predicates_select_finished_last_attempts_of_the_account() -> None:
    assert query_of(make_request(account_id="a" * 256)).predicates == (
        OneOf("account_id", ("a" * 256,)),
        OneOf("kind", (1,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", wanted=True),
    )


A_OR_B, WITHOUT_ACCOUNT = ("a", "b", "a"), Present("account_id", wanted=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"account_ids": A_OR_B}, [OneOf("account_id", A_OR_B)]),
        ({"account_ids": ["a" * 256], "all_accounts": False}, [OneOf("account_id", ("a" * 256,))]),
        ({"all_accounts": True}, []),
        ({"all_accounts": True, "absent": ["account_id"]}, [WITHOUT_ACCOUNT]),
        ({"absent": ["account_id"]}, [WITHOUT_ACCOUNT]),
        ({"account_id": "a", "absent": ["account_id"]}, [OneOf("account_id", ("a",), or_absent=True)]),
        ({"account_ids": A_OR_B, "absent": ["account_id"]}, [OneOf("account_id", A_OR_B, or_absent=True)]),
    ],
    ids=str,
)
def test_accounts_become_predicates(given: dict[str, object], expected: list[Predicate]) -> None:
    predicates = query_of(make_request(**{"account_id": "", **given})).predicates
    assert list(predicates[: len(expected)]) == expected
    assert predicates[len(expected)] == OneOf("kind", (1,))


def test_descriptions_name_the_ways_to_name_accounts() -> None:
    names = "account_id, account_ids and all_accounts"
    missing, _ = check_refused(
        lambda: query_of(make_request(account_id="", from_time="")),
        [("from_time", "REQUIRED_FIELD_MISSING", {}), ("account_id", "REQUIRED_FIELD_MISSING", {})],
    )[::-1]
    assert missing == f"one of {names} is required, or account_id in absent"
    (several,) = check_refused(
        lambda: query_of(make_request(all_accounts=True)), [conflict("account_id", ACCOUNT_FIELDS)]
    )
    assert several == f"only one of {names} may be set, not account_id and all_accounts"
    (unknown,) = check_refused(
        lambda: query_of(make_request(absent=["srcCountryId"])),
        [
            (
                "absent[0]",
                "UNKNOWN_NAME",
                {"value": "srcCountryId", "allowed": ABSENT_NAMES, "suggestion": "src_country_id"},
            )
        ],
    )
    assert unknown.endswith('; did you mean "src_country_id"?')


def test_absent_values_become_predicates() -> None:
    assert filter_predicates(
        dst_country_id=7,
        absent=["dst_country_id", "src_country_id"],
        src_prefix_routing=TextFilter(absent=True),
        dst_prefix_routing=TextFilter(absent=False, ends_with="0"),
    ) == [
        Present("src_country_id", wanted=False),
        OneOf("dst_country_id", (7,), or_absent=True),
        Present("src_prefix_routing", wanted=False),
        TextMatch("dst_prefix_routing", "ends_with", "0"),
    ]


def test_filters_become_predicates() -> None:
    assert filter_predicates(
        src_country_id=INT64_MIN,
        dst_country_id=INT64_MAX,
        src_prefix_routing=TextFilter(eq=" ", contains="é" * 128),
        dst_prefix_routing=TextFilter(starts_with="49", ends_with="0"),
        auth_orig_ip="2001:db8::/32",
    ) == [
        OneOf("src_country_id", (INT64_MIN,)),
        OneOf("dst_country_id", (INT64_MAX,)),
        TextMatch("src_prefix_routing", "eq", " "),
        TextMatch("src_prefix_routing", "contains", "é" * 128),
        TextMatch("dst_prefix_routing", "starts_with", "49"),
        TextMatch("dst_prefix_routing", "ends_with", "0"),
        InNetwork("auth_orig_ip", "2001:db8::/32"),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (IntegerFilter(eq=0), (0, 999)),
        (IntegerFilter(gt=0), (1_000, INT64_MAX)),
        (IntegerFilter(lt=0), (INT64_MIN + 1, -1)),
        (IntegerFilter(lt=1), (INT64_MIN + 1, 999)),
        (IntegerFilter(eq=-1), (-1_000, -1)),
        (IntegerFilter(gt=59, lt=61), (60_000, 60_999)),
        (IntegerFilter(eq=60, gt=59, lt=61), (60_000, 60_999)),
        (IntegerFilter(eq=60, gt=60), NOTHING),
        (IntegerFilter(gt=60, lt=61), NOTHING),
        (IntegerFilter(eq=INT64_MAX), NOTHING),
        (IntegerFilter(eq=INT64_MIN), NOTHING),
        (IntegerFilter(gt=INT64_MAX), NOTHING),
        (IntegerFilter(gt=INT64_MIN), ALL),
        (IntegerFilter(lt=INT64_MAX), ALL),
        (IntegerFilter(lt=INT64_MIN), NOTHING),
        (IntegerFilter(gt=INT64_MIN, lt=INT64_MAX), ALL),
        (IntegerFilter(gt=INT64_MAX, lt=INT64_MIN), NOTHING),
        # The last second representable in 64 bits of milliseconds is cut off by the upper bound.
        (IntegerFilter(eq=INT64_MAX // 1_000), (INT64_MAX // 1_000 * 1_000, INT64_MAX)),
        (IntegerFilter(gt=INT64_MAX // 1_000), NOTHING),
    ],
)
def test_duration_filters_compare_whole_seconds(given: IntegerFilter, expected: tuple[int, int]) -> None:
    assert filter_predicates(duration=given) == [Between("duration_ms", *expected)]


@pytest.mark.parametrize("n", [0, 1, -1, 290, INT64_MAX // 1_000, INT64_MAX, INT64_MIN])
def test_each_duration_matches_exactly_one_comparison(n: int) -> None:
    durations_ms = {
        0,
        1,
        999,
        1_000,
        1_999,
        2_000,
        289_999,
        290_000,
        290_999,
        291_000,
        INT64_MAX,
        INT64_MAX - 808,
    }
    for ms in durations_ms:
        matches = []
        for operator in ("lt", "eq", "gt"):
            (between,) = filter_predicates(duration=IntegerFilter(**{operator: n}))
            assert isinstance(between, Between)
            if between.low <= ms <= between.high:
                matches.append(operator)
        assert matches == ["lt" if ms // 1_000 < n else "gt" if ms // 1_000 > n else "eq"]


ONE = 10**9


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (DecimalFilter(eq="0.0125"), (12_500_000, 12_500_000)),
        (DecimalFilter(eq="-0.0125"), (-12_500_000, -12_500_000)),
        (DecimalFilter(eq="+1"), (ONE, ONE)),
        (DecimalFilter(eq="0.12345678"), (123_456_780, 123_456_780)),
        (DecimalFilter(eq="001.500"), (ONE * 3 // 2, ONE * 3 // 2)),
        (DecimalFilter(eq="-0"), (0, 0)),
        (DecimalFilter(gt="1"), (ONE + 1, INT64_MAX)),
        (DecimalFilter(lt="1"), (INT64_MIN + 1, ONE - 1)),
        (DecimalFilter(gt="-1", lt="1"), (-ONE + 1, ONE - 1)),
        (DecimalFilter(eq="1", gt="1"), NOTHING),
        # No price has more than 9 decimals. Filters with more are compared exactly, without rounding.
        (DecimalFilter(eq="0.0000000001"), NOTHING),
        (DecimalFilter(gt="0.0000000001"), (1, INT64_MAX)),
        (DecimalFilter(lt="0.0000000001"), (INT64_MIN + 1, 0)),
        (DecimalFilter(gt="-0.0000000001"), (0, INT64_MAX)),
        (DecimalFilter(lt="-0.0000000001"), (INT64_MIN + 1, -1)),
        (DecimalFilter(gt="1." + "0" * 253 + "1"), (ONE + 1, INT64_MAX)),
        (DecimalFilter(lt="1." + "0" * 253 + "1"), (INT64_MIN + 1, ONE)),
        (DecimalFilter(lt="0." + "9" * 254), (INT64_MIN + 1, ONE - 1)),
        (DecimalFilter(eq="9223372036.854775807"), (INT64_MAX, INT64_MAX)),
        (DecimalFilter(eq="-9223372036.854775807"), (INT64_MIN + 1, INT64_MIN + 1)),
        (DecimalFilter(eq="9223372036.854775808"), NOTHING),
        (DecimalFilter(eq="-9223372036.854775808"), NOTHING),
        (DecimalFilter(gt="9223372036.854775806"), (INT64_MAX, INT64_MAX)),
        (DecimalFilter(gt="9223372036.854775807"), NOTHING),
        (DecimalFilter(lt="-9223372036.854775807"), NOTHING),
        (DecimalFilter(gt="9" * 256), NOTHING),
        (DecimalFilter(lt="9" * 256), ALL),
        (DecimalFilter(gt="-" + "9" * 255), ALL),
        (DecimalFilter(lt="-" + "9" * 255), NOTHING),
    ],
)
def test_price_filters_compare_exactly(given: DecimalFilter, expected: tuple[int, int]) -> None:
    assert filter_predicates(customer_price=given) == [Between("customer_price", *expected)]


@pytest.mark.parametrize(
    "text",
    [
        "1.",
        ".5",
        "1e3",
        "NaN",
        "Infinity",
        "1,5",
        " 1",
        "1 ",
        "1\n",
        "\uff11",
        "0x1",
        "--1",
        "1_000",
        "-",
        "+",
        "$1",
    ],
)
def test_malformed_decimals_are_refused(text: str) -> None:
    (description,) = check_refused(
        lambda: filter_predicates(customer_price=DecimalFilter(gt=text)),
        [("customer_price.gt", "MALFORMED_DECIMAL", {"value": text})],
    )
    assert repr(text) in description


def test_a_million_digits_are_refused_quickly() -> None:
    start_time = time.monotonic()
    check_refused(
        lambda: filter_predicates(customer_price=DecimalFilter(eq="9" * 1_000_000)),
        [too_long("customer_price.eq", 1_000_000)],
    )
    assert time.monotonic() - start_time < 1


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.7",
        "198.51.100.7/32",
        "198.51.100.0/24",
        "198.51.100.0/024",
        "0.0.0.0",
        "0.0.0.0/0",
        "255.255.255.255",
        "::",
        "::/0",
        "::1",
        "::1/128",
        "2001:db8::/32",
        "2001:DB8:0:0:0:0:0:1",
        "::ffff:198.51.100.7",
        "::ffff:198.51.100.0/120",
        "::ffff:0:0/96",
        "::/80",
        "64:ff9b::198.51.100.7",
    ],
)
def test_accepted_addresses_are_accepted_by_the_core_too(text: str) -> None:
    predicates = filter_predicates(auth_orig_ip=text)
    assert predicates == [InNetwork("auth_orig_ip", text)]
    engine = core.Engine(Path("no directory is needed to read"), Config())
    assert engine.any_match(predicates, core.CancelToken(None)) is False


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("198.51.100.7/16", 'with all host bits 0; did you mean "198.51.0.0/16"?'),
        ("198.51.100.7/24", "with all host bits 0: its last 8 bits"),
        ("2001:db8::1/32", 'with all host bits 0; did you mean "2001:db8::/32"?'),
        ("::ffff:0:0/95", "with all host bits 0: its last 33 bits"),
        ("2001:db8::1/33", "with all host bits 0: its last 95 bits"),
        ("198.51.100.256", "such as 198.51.100.0/24"),
        ("198.51.100", "such as 198.51.100.0/24"),
        ("198.51.100.07", "such as 198.51.100.0/24"),
        ("198.51.100.0/33", "such as 198.51.100.0/24"),
        ("198.51.100.0/-1", "such as 198.51.100.0/24"),
        ("198.51.100.0/", "such as 198.51.100.0/24"),
        ("/24", "such as 198.51.100.0/24"),
        ("198.51.100.0/24/24", "such as 198.51.100.0/24"),
        ("2001:db8::/129", "such as 198.51.100.0/24"),
        ("2001:db8::g", "such as 198.51.100.0/24"),
        ("1::2::3", "such as 198.51.100.0/24"),
        ("[::1]", "such as 198.51.100.0/24"),
        ("198.51.100.7:5060", "such as 198.51.100.0/24"),
        (" 198.51.100.7", "such as 198.51.100.0/24"),
        ("\uff1198.51.100.7", "such as 198.51.100.0/24"),
        ("pbx.example.net", "such as 198.51.100.0/24"),
        ("3325256711", "such as 198.51.100.0/24"),
        # Python parses these forms, but records never contain them.
        ("198.51.100.0/255.255.255.0", "write ADDRESS or ADDRESS/BITS"),
        ("198.51.100.0/0.0.0.255", "write ADDRESS or ADDRESS/BITS"),
        ("fe80::1%eth0", "write ADDRESS or ADDRESS/BITS"),
        ("fe80::%eth0/64", "write ADDRESS or ADDRESS/BITS"),
    ],
)
def test_malformed_addresses_are_refused_with_a_hint(text: str, hint: str) -> None:
    _, is_near, suggestion = hint.partition('did you mean "')
    suggested = {"suggestion": suggestion.removesuffix('"?')} if is_near else {}
    (description,) = check_refused(
        lambda: filter_predicates(auth_orig_ip=text),
        [("auth_orig_ip", "MALFORMED_ADDRESS", {"value": masked_address(text), **suggested})],
    )
    assert description.startswith(repr(masked_address(text)))
    assert description.endswith(hint)
