"""Validation of folder-statistics requests, and the queries that they become."""

import pytest
from pegcount.config import Config
from pegcount.model import FolderQuery, OneOf, Present
from pegcount.request import folder_query
from pegcount.v1.reports_pb2 import QueryFolderStatsRequest

from request_tests.refusals import Expected, check_refused, unknown_zone

NOW_US = 1_774_828_800_000_000
"""2026-03-30T00:00:00Z: the 29th in New York, the 30th in Berlin."""
MARCH_30 = 20_542


def query_of(**given: str) -> FolderQuery:
    return folder_query(QueryFolderStatsRequest(**given), Config())


def for_acme(**more: str) -> dict[str, str]:
    return {"company": "acme", "organization": "north", **more}


def malformed(field: str, value: str, suggestion: str = "") -> Expected:
    suggested = {"suggestion": suggestion} if suggestion else {}
    return (field, "MALFORMED_DATE", {"value": value, **suggested})


REFUSED: dict[str, tuple[dict[str, str], list[Expected]]] = {
    "nothing given": (
        {},
        [("company", "REQUIRED_FIELD_MISSING", {}), ("organization", "REQUIRED_FIELD_MISSING", {})],
    ),
    "everything wrong": (
        {
            "time_zone": "CEST",
            "company": "é" * 129,
            "folder": "f" * 257,
            "from_date": "29.03.2026",
            "to_date": "1969-12-30",
        },
        [
            unknown_zone("CEST"),
            ("company", "TEXT_TOO_LONG", {"asked": 258, "allowed": 256}),
            ("organization", "REQUIRED_FIELD_MISSING", {}),
            ("folder", "TEXT_TOO_LONG", {"asked": 257, "allowed": 256}),
            malformed("from_date", "29.03.2026", "2026-03-29"),
            ("to_date", "TIME_OUT_OF_RANGE", {"value": "1969-12-30"}),
        ],
    ),
    "dates there but empty": (
        for_acme(from_date="", to_date=""),
        [malformed("from_date", ""), malformed("to_date", "")],
    ),
    "a time in place of a date": (
        for_acme(from_date="2026-03-29T00:00:00", to_date="2026-3-29"),
        [
            malformed("from_date", "2026-03-29T00:00:00", "2026-03-29"),
            malformed("to_date", "2026-3-29", "2026-03-29"),
        ],
    ),
    "days that no calendar has": (
        for_acme(from_date="20260229", to_date="2026-13-01"),
        [malformed("from_date", "20260229"), malformed("to_date", "2026-13-01")],
    ),
    "digits of another script": (
        for_acme(from_date="2026032\uff19"),
        [malformed("from_date", "2026032\uff19")],
    ),
    "a day after the years of records": (
        for_acme(from_date="2200-01-03"),
        [("from_date", "TIME_OUT_OF_RANGE", {"value": "2200-01-03"})],
    ),
}


@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(given: dict[str, str], expected: list[Expected]) -> None:
    check_refused(lambda: query_of(**given), expected)


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ({}, MARCH_30, MARCH_30),
        ({"time_zone": "Europe/Berlin"}, MARCH_30, MARCH_30),
        ({"time_zone": "America/New_York"}, MARCH_30 - 1, MARCH_30 - 1),
        ({"from_date": "20260301"}, MARCH_30 - 29, MARCH_30 - 29),
        ({"from_date": "2026-03-01"}, MARCH_30 - 29, MARCH_30 - 29),
        ({"to_date": "2026-04-01"}, MARCH_30, MARCH_30 + 2),
        ({"to_date": "2026-04-01", "time_zone": "America/New_York"}, MARCH_30 - 1, MARCH_30 + 2),
        ({"from_date": "20260331", "to_date": "2026-03-30"}, MARCH_30 + 1, MARCH_30),
        ({"from_date": "1970-01-01", "to_date": "2200-01-01"}, 0, 84_006),
    ],
)
def test_default_dates(given: dict[str, str], first: int, last: int) -> None:
    query = query_of(**for_acme(**given))
    assert query.dates_at(NOW_US) == (first, last)


@pytest.mark.parametrize("folder", ["", "sales", "f" * 256])
def test_predicates_select_finished_last_attempts(folder: str) -> None:
    wanted = [OneOf("folder", (folder,))] if folder else []
    assert list(query_of(**for_acme(folder=folder)).predicates) == [
        OneOf("company", ("acme",)),
        OneOf("organization", ("north",)),
        *wanted,
        OneOf("kind", (1,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", wanted=True),
    ]
