"""Validation of session-usage requests, and the queries that they become."""

import pytest
from pegcount.config import Config
from pegcount.model import Granularity, OneOf, Predicate, Present, UsageQuery
from pegcount.request import usage_query
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.reports_pb2 import QueryAsrUsageRequest

from request_tests.refusals import Expected, check_refused, unknown_zone

DAY, HOUR = reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_HOUR
GRANULARITIES = ", ".join(reports_pb2.Granularity.keys()[1:])
KINDS = "SESSION_KIND_CALL, SESSION_KIND_ASR, SESSION_KIND_TTS"
SMALL = Config(filter_value_count_max=2)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def query_of(request: QueryAsrUsageRequest, config: Config = SMALL) -> UsageQuery:
    return usage_query(request, config)


def day_request(**more: object) -> QueryAsrUsageRequest:
    return QueryAsrUsageRequest(**{"from_time": "2026-03-29", "granularity": DAY, **more})  # type: ignore[arg-type]


def with_enum_numbers(**more: int) -> QueryAsrUsageRequest:
    """Sets enum fields to undefined numbers, which the constructor does not accept."""
    request = day_request()
    for name, number in more.items():
        setattr(request, name, number)
    return request


def too_many(field: str) -> Expected:
    return (field, "FILTER_VALUE_LIMIT_EXCEEDED", {"asked": 3, "allowed": 2})


REFUSED: dict[str, tuple[QueryAsrUsageRequest, list[Expected]]] = {
    "an unknown zone, so that the range cannot be checked": (
        day_request(time_zone="Mars", to_time="2026-03-29T00:00:00"),
        [unknown_zone("Mars")],
    ),
    "nothing given": (
        QueryAsrUsageRequest(),
        [
            ("granularity", "REQUIRED_FIELD_MISSING", {"allowed": GRANULARITIES}),
            ("from_time", "REQUIRED_FIELD_MISSING", {}),
        ],
    ),
    "everything wrong": (
        QueryAsrUsageRequest(
            from_time="yesterday",
            to_time="2200-01-03",
            granularity=HOUR,
            time_zone="Mars/Olympus_Mons",
            app_ids=[1, 2, 3],
            comp_ids=[1, 2, 3],
            tenant_ids=[1, 1, 1],
            sma_period=367,
        ),
        [
            unknown_zone("Mars/Olympus_Mons"),
            ("from_time", "MALFORMED_TIME", {"value": "yesterday"}),
            ("to_time", "TIME_OUT_OF_RANGE", {"value": "2200-01-03"}),
            too_many("app_ids"),
            too_many("comp_ids"),
            too_many("tenant_ids"),
            ("sma_period", "SMA_NEEDS_DAY", {"granularity": "GRANULARITY_HOUR"}),
            ("sma_period", "VALUE_OUT_OF_RANGE", {"value": 367, "minimum": 1, "maximum": 366}),
        ],
    ),
    "numbers that no enum has": (
        with_enum_numbers(granularity=9, kind=-1),
        [
            ("granularity", "UNKNOWN_ENUM_VALUE", {"value": 9, "allowed": GRANULARITIES}),
            ("kind", "UNKNOWN_ENUM_VALUE", {"value": -1, "allowed": KINDS}),
        ],
    ),
    # With an unknown granularity, the check that an average needs DAY is skipped.
    "average over an unknown granularity": (
        with_enum_numbers(granularity=9, sma_period=3),
        [("granularity", "UNKNOWN_ENUM_VALUE", {"value": 9, "allowed": GRANULARITIES})],
    ),
    "average over no days": (
        day_request(sma_period=0),
        [("sma_period", "VALUE_OUT_OF_RANGE", {"value": 0, "minimum": 1, "maximum": 366})],
    ),
    "average over fewer than no days": (
        day_request(sma_period=-(2**31)),
        [("sma_period", "VALUE_OUT_OF_RANGE", {"value": -(2**31), "minimum": 1, "maximum": 366})],
    ),
    "average over weeks": (
        day_request(granularity=reports_pb2.GRANULARITY_WEEK, sma_period=1),
        [("sma_period", "SMA_NEEDS_DAY", {"granularity": "GRANULARITY_WEEK"})],
    ),
    "to_time there but empty": (day_request(to_time=""), [("to_time", "MALFORMED_TIME", {"value": ""})]),
    "time_zone there but empty": (
        day_request(time_zone=""),
        [unknown_zone("")],
    ),
    "a day that no calendar has": (
        day_request(from_time="2026-02-29"),
        [("from_time", "MALFORMED_TIME", {"value": "2026-02-29"})],
    ),
    "before the years of records": (
        day_request(from_time="1969-12-30T23:59:59.999999Z"),
        [("from_time", "TIME_OUT_OF_RANGE", {"value": "1969-12-30T23:59:59.999999Z"})],
    ),
    "from at to": (
        day_request(from_time="2026-03-29T01:00:00+01:00", to_time="2026-03-29"),
        [("from_time", "EMPTY_RANGE", {"from_time": "2026-03-29T01:00:00+01:00", "to_time": "2026-03-29"})],
    ),
    # Both lie within one DAY bin, but the range is checked as given, before it is widened.
    "from after to within a day": (
        day_request(from_time="2026-03-29T12:00:00", to_time="2026-03-29T11:59:59.999999"),
        [
            (
                "from_time",
                "EMPTY_RANGE",
                {"from_time": "2026-03-29T12:00:00", "to_time": "2026-03-29T11:59:59.999999"},
            )
        ],
    ),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(request_: QueryAsrUsageRequest, expected: list[Expected]) -> None:
    check_refused(lambda: query_of(request_), expected)


def test_descriptions_name_an_allowed_value() -> None:
    missing, _ = check_refused(lambda: query_of(QueryAsrUsageRequest()), REFUSED["nothing given"][1])
    assert missing == "is required, such as GRANULARITY_HOUR"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (day_request(), [OneOf("kind", (2,))]),
        (day_request(kind=records_pb2.SESSION_KIND_CALL), [OneOf("kind", (1,))]),
        (day_request(kind=records_pb2.SESSION_KIND_TTS), [OneOf("kind", (3,))]),
        (
            day_request(app_ids=[7, 7], comp_ids=[0], tenant_ids=[INT64_MIN, INT64_MAX]),
            [
                OneOf("kind", (2,)),
                OneOf("app_id", (7, 7)),
                OneOf("comp_id", (0,)),
                OneOf("tenant_id", (INT64_MIN, INT64_MAX)),
            ],
        ),
        (
            day_request(app_ids=[7], absent=["tenant_id", "app_id"]),
            [
                OneOf("kind", (2,)),
                OneOf("app_id", (7,), or_absent=True),
                Present("tenant_id", wanted=False),
            ],
        ),
    ],
)
def test_kind_and_ids_become_predicates(request_: QueryAsrUsageRequest, expected: list[Predicate]) -> None:
    assert list(query_of(request_).predicates) == expected


def test_names_that_absent_does_not_take_are_refused() -> None:
    allowed = "app_id, comp_id, tenant_id"
    (unknown,) = check_refused(
        lambda: query_of(day_request(absent=["app_ids", "comp_id"])),
        [("absent[0]", "UNKNOWN_NAME", {"value": "app_ids", "allowed": allowed, "suggestion": "app_id"})],
    )
    (repeated,) = check_refused(
        lambda: query_of(day_request(absent=["comp_id", "comp_id"])),
        [("absent[1]", "REPEATED_NAME", {"value": "comp_id"})],
    )
    assert unknown == "'app_ids' is not an id that may be absent; did you mean \"app_id\"?"
    assert repeated == "comp_id is listed already, at position 0"


def test_defaults() -> None:
    query = query_of(day_request())
    assert (query.to_us, query.sma_period, query.zone.name) == (None, None, "UTC")
    assert query.granularity is Granularity.DAY


def test_values_at_the_limits_are_allowed() -> None:
    query = query_of(
        day_request(
            from_time="1969-12-31", to_time="2200-01-02", app_ids=[1, 2], sma_period=366, time_zone="UTC"
        )
    )
    assert (query.from_us, query.to_us) == (-86_400_000_000, 84_007 * 86_400_000_000)
    assert query.sma_period == 366
