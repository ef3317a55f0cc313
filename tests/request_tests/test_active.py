"""Validation of active-session requests, and the queries that they become."""

import pytest
from pegcount.config import Config
from pegcount.errors import CancelledError, InvalidRequestError
from pegcount.model import ActiveQuery, Between, OneOf, OrderTerm, Present
from pegcount.request import active_query
from pegcount.request.active import FILTER_FIELDS, RETURN_FIELDS
from pegcount.v1.reports_pb2 import (
    GROUPING_ROLLUP,
    ActiveSessionFilters,
    ActiveSessionRow,
    QueryActiveSessionsRequest,
)

from request_tests.refusals import Expected, check_refused, unknown_zone

NOW_US = 1_774_872_000_000_000
NAMES = [field.name for field in ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"]
ALLOWED = ", ".join(NAMES)
LIMIT = {"minimum": 1, "maximum": 2**31 - 1}
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def query_of(request: QueryActiveSessionsRequest, config: Config | None = None) -> ActiveQuery:
    return active_query(request, config or Config(filter_value_count_max=2))


def make_request(*fields: str, order: tuple[str, ...] = (), **more: object) -> QueryActiveSessionsRequest:
    return QueryActiveSessionsRequest(return_fields=fields, order=order, **more)  # type: ignore[arg-type]


def with_grouping(number: int) -> QueryActiveSessionsRequest:
    request = make_request("quantity")
    request.grouping = number  # type: ignore[assignment]
    return request


def unknown(field: str, value: str, suggestion: str = "") -> Expected:
    suggested = {"suggestion": suggestion} if suggestion else {}
    return (field, "UNKNOWN_NAME", {"value": value, "allowed": ALLOWED, **suggested})


def repeated(field: str, value: str) -> Expected:
    return (field, "REPEATED_NAME", {"value": value})


def not_returned(field: str, value: str, allowed: str) -> Expected:
    return (field, "ORDER_NOT_RETURNED", {"value": value, "allowed": allowed})


REFUSED: dict[str, tuple[QueryActiveSessionsRequest, list[Expected]]] = {
    "nothing given": (make_request(), [("return_fields", "REQUIRED_FIELD_MISSING", {"allowed": ALLOWED})]),
    "everything wrong": (
        make_request(
            "quantity",
            "client",
            "quantity",
            order=("-duration", "cost", "quantity", "-quantity"),
            limit=0,
            time_zone="Atlantis",
            filters=ActiveSessionFilters(orig_clients_id=[1, 2, 3], term_rates_code=["1", "2", "3"]),
        ),
        [
            unknown_zone("Atlantis"),
            unknown("return_fields[1]", "client", "term_clients_id"),
            repeated("return_fields[2]", "quantity"),
            unknown("order[1]", "cost"),
            repeated("order[3]", "quantity"),
            (
                "order[0]",
                "ORDER_NOT_RETURNED",
                {"value": "duration", "allowed": "quantity, client, quantity"},
            ),
            ("limit", "VALUE_OUT_OF_RANGE", {"value": 0, **LIMIT}),
            ("filters.orig_clients_id", "FILTER_VALUE_LIMIT_EXCEEDED", {"asked": 3, "allowed": 2}),
            ("filters.term_rates_code", "FILTER_VALUE_LIMIT_EXCEEDED", {"asked": 3, "allowed": 2}),
        ],
    ),
    "a limit below none": (
        make_request("quantity", limit=-(2**31)),
        [("limit", "VALUE_OUT_OF_RANGE", {"value": -(2**31), **LIMIT})],
    ),
    "an unknown grouping": (
        with_grouping(2),
        [("grouping", "UNKNOWN_ENUM_VALUE", {"value": 2, "allowed": "GROUPING_ROLLUP"})],
    ),
    # These three resemble fields of the report but are not.
    "level": (make_request("level"), [unknown("return_fields[0]", "level")]),
    "another case": (make_request("Quantity"), [unknown("return_fields[0]", "Quantity", "quantity")]),
    "a sign in return_fields": (
        make_request("-quantity"),
        [unknown("return_fields[0]", "-quantity", "quantity")],
    ),
    "names that are empty": (
        make_request("", "quantity", order=("", "-")),
        [unknown("return_fields[0]", ""), unknown("order[0]", ""), unknown("order[1]", "-")],
    ),
    "two signs": (
        make_request("quantity", order=("--quantity",)),
        [unknown("order[0]", "--quantity", "-quantity")],
    ),
    "order beside nothing returned": (
        make_request(order=("quantity",)),
        [
            ("return_fields", "REQUIRED_FIELD_MISSING", {"allowed": ALLOWED}),
            not_returned("order[0]", "quantity", ""),
        ],
    ),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(request_: QueryActiveSessionsRequest, expected: list[Expected]) -> None:
    check_refused(lambda: query_of(request_), expected)


def test_descriptions_name_an_allowed_value() -> None:
    (missing,) = check_refused(lambda: query_of(make_request()), REFUSED["nothing given"][1])
    assert missing == "needs one or more fields of ActiveSessionRow, such as quantity"
    request, expected = (
        make_request("x", "durations", order=("quantity desc", "duration ASC", "+cost")),
        [
            unknown("return_fields[0]", "x"),
            unknown("return_fields[1]", "durations", "duration"),
            unknown("order[0]", "quantity desc", "-quantity"),
            unknown("order[1]", "duration ASC", "duration"),
            unknown("order[2]", "+cost"),
        ],
    )
    assert check_refused(lambda: query_of(request), expected) == [
        "'x' is not a field of ActiveSessionRow, such as quantity",
        "'durations' is not a field of ActiveSessionRow; did you mean \"duration\"?",
        "'quantity desc' is not a field of ActiveSessionRow; descending is \"-quantity\"",
        "'duration ASC' is not a field of ActiveSessionRow; did you mean \"duration\"?",
        "'+cost' is not a field of ActiveSessionRow, such as quantity",
    ]


def test_the_first_three_unknown_names_get_suggestions() -> None:
    """The search for a near name takes half a millisecond."""
    with pytest.raises(InvalidRequestError) as refused:
        query_of(make_request(*["Quantity"] * 5))
    assert ["suggestion" in violation.metadata for violation in refused.value.violations] == [True] * 3 + [
        False
    ] * 2


def test_return_fields_are_those_of_the_contract() -> None:
    assert list(RETURN_FIELDS) == NAMES
    assert len(NAMES) == 33
    assert {"orig_rates_country", "term_rates_country", "quantity", "duration"} < set(NAMES)


def test_every_name_can_be_returned_and_ordered_by() -> None:
    request = make_request(
        *NAMES, order=tuple(f"-{name}" for name in NAMES), limit=1, grouping=GROUPING_ROLLUP
    )
    query = query_of(request)
    assert query.fields == tuple(NAMES)
    assert query.order == tuple(OrderTerm(name, descending=True) for name in NAMES)
    assert (query.limit, query.rollup) == (1, True)
    assert query.key_columns == (
        "session_id",
        "setup_time",
        "answer_time",
        *(name for name in NAMES[3:] if name not in ("quantity", "duration")),
    )


def test_active_calls_have_no_end_and_a_recent_record() -> None:
    query = query_of(make_request("quantity"), Config(active_ttl_seconds=60))
    assert query.predicates == (OneOf("kind", (1,)), Present("end_time", wanted=False))
    recent = Between("received_time", NOW_US - 60_000_000 + 1, INT64_MAX)
    assert query.predicates_at(NOW_US) == (*query.predicates, recent)
    assert (query.order, query.limit, query.rollup, query.code_deck) == ((), None, False, None)


@pytest.mark.parametrize("name", [field.name for field in ActiveSessionFilters.DESCRIPTOR.fields])
def test_each_filter_becomes_a_predicate_on_its_column(name: str) -> None:
    values = ("49", "é") if name.endswith(("_code", "_code_name")) else (INT64_MIN, INT64_MAX)
    filters = ActiveSessionFilters(**{name: values})  # type: ignore[arg-type]
    assert query_of(make_request("quantity", filters=filters)).predicates[2:] == (OneOf(name, values),)
    assert name in FILTER_FIELDS
    assert name in RETURN_FIELDS


def test_validation_ends_between_two_fields() -> None:
    """A field may have 10,000 values, and the caller may leave at any time."""
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > len(FILTER_FIELDS):
            raise CancelledError("the caller left")

    request = make_request("quantity", order=("unknown",))
    with pytest.raises(CancelledError):
        active_query(request, Config(), check)
    assert calls == len(FILTER_FIELDS) + 1


@pytest.mark.parametrize("deck", [None, 0, 1, INT64_MIN, INT64_MAX])
def test_validation_does_not_check_that_a_code_deck_exists(deck: int | None) -> None:
    assert query_of(make_request("quantity", code_deck=deck)).code_deck == deck
