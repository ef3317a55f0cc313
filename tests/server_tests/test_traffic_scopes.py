"""What a data scope forbids of a traffic question: whatever tells a hidden figure, field or id."""

from typing import Any

import pytest
from google.protobuf import json_format
from pegcount.data_scope import DataScope, Metric, OrganizationScope
from pegcount.errors import OutsideScopeError
from pegcount.request.traffic_dimensions import DIMENSIONS, dimension_name
from pegcount.request.traffic_metrics import METRICS, metric_name
from pegcount.server.scope_check import require_visible
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

CUSTOMER = DataScope(account_id=("a1", "a2"))
VENDOR = DataScope(term_clients_id=(7,))
MONEY = {"REVENUE", "COST", "MARGIN", "MARGIN_SHARE"}
OCCUPIED = {"OCCUPIED_US", "ERLANG", "PEAK", "PEAK_AT"}
"""Figures of the time that calls last."""
COUNTS = {"CALLS", "CPS", "CPS_PEAK"}
"""Figures that tell nothing of answers, durations and prices."""


def denied(scope: DataScope, **given: Any) -> tuple[str, str] | None:
    """Returns the field and the value that a request is refused for, None if it is not."""
    try:
        require_visible(json_format.ParseDict(given, QueryTrafficRequest()), scope)
    except OutsideScopeError as error:
        return error.metadata["field"], error.metadata["value"]
    return None


def metric(name: str) -> dict[str, Any]:
    return {"metrics": [{"metric": f"TRAFFIC_METRIC_{name}"}]}


def group(name: str, **more: Any) -> dict[str, Any]:
    return {"group_by": [{"dimension": f"TRAFFIC_DIMENSION_{name}", **more}]}


def where(name: str, **more: Any) -> dict[str, Any]:
    return {"filters": [{"dimension": f"TRAFFIC_DIMENSION_{name}", **more}]}


def denied_metrics(scope: DataScope) -> set[str]:
    return {name for name in map(metric_name, METRICS) if denied(scope, **metric(name)) is not None}


def denied_dimensions(scope: DataScope) -> set[str]:
    """Returns the dimensions that may not be grouped by, which are those that may not be filtered by."""
    names = set(map(dimension_name, DIMENSIONS))
    grouped = {name for name in names if denied(scope, **group(name)) is not None}
    assert grouped == {name for name in names if denied(scope, **where(name, absent=True)) is not None}
    return grouped


def test_whoever_may_not_see_answers_counts_calls_only() -> None:
    hidden = DataScope(hidden_metrics=(Metric.ASR,))
    assert denied_metrics(hidden) == set(map(metric_name, METRICS)) - COUNTS
    assert denied_dimensions(hidden) == {
        *("CAUSE", "CAUSE_CLASS", "SIP_STATUS", "RELEASE_PARTY", "CURRENCY", "VENDOR_CURRENCY")
    }


def test_whoever_may_not_see_durations_sees_no_prices_either() -> None:
    """The price of a call grows with its duration."""
    hidden = DataScope(hidden_metrics=(Metric.ACD,))
    durations = {"DURATION_MS", "ACD", "SHORT_CALLS", "SHORT_SHARE", "DURATION_PERCENTILE"}
    assert denied_metrics(hidden) == durations | OCCUPIED | MONEY
    assert denied_dimensions(hidden) == set()


def test_whoever_may_not_see_prices_sees_no_rates_either() -> None:
    hidden = DataScope(hidden_metrics=(Metric.PRICE,))
    assert denied_metrics(hidden) == MONEY | {"UNRATED"}
    rates = {name for name in map(dimension_name, DIMENSIONS) if "_RATES_" in name}
    assert denied_dimensions(hidden) == rates | {"CURRENCY", "VENDOR_CURRENCY"}
    assert denied(hidden, **group("DST_PREFIX", code_deck=1)) == ("group_by[0].code_deck", "code_deck")
    assert denied(hidden, **group("DST_PREFIX", digits=4)) is None


def test_a_customer_sees_no_vendors_and_no_costs() -> None:
    assert denied_metrics(CUSTOMER) == {"COST", "MARGIN", "MARGIN_SHARE", "UNRATED"}
    vendors = {name for name in map(dimension_name, DIMENSIONS) if name.startswith("TERM_")}
    assert denied_dimensions(CUSTOMER) == vendors | {"VENDOR_CURRENCY"}


def test_a_vendor_sees_no_customers_and_no_revenue() -> None:
    assert denied_metrics(VENDOR) == {"REVENUE", "MARGIN", "MARGIN_SHARE", "UNRATED"}
    customers = {name for name in map(dimension_name, DIMENSIONS) if name.startswith("ORIG_")}
    assert denied_dimensions(VENDOR) == customers | {
        *("ACCOUNT_ID", "TENANT_ID", "COMPANY", "ORGANIZATION", "FOLDER", "AGENT_ID", "CURRENCY")
    }


def test_shown_and_hidden_fields_count() -> None:
    shown = DataScope(account_id=("a1",), shown_fields=("vendor_price", "term_clients_name"))
    assert denied_metrics(shown) == set()
    assert denied(shown, **group("TERM_CLIENTS_NAME")) is None
    hidden = DataScope(account_id=("a1",), hidden_fields=("disconnect_cause", "session_setup_time"))
    assert {"NER", "DELIVERED", "CAUSE_KNOWN", "CALLS_WITH_CAUSE"} <= denied_metrics(hidden)
    assert {"CAUSE", "CAUSE_CLASS", "HOUR_OF_DAY", "WEEKDAY"} <= denied_dimensions(hidden)


@pytest.mark.parametrize(
    ("scope", "given", "expected"),
    [
        (CUSTOMER, where("ACCOUNT_ID", texts=["a1", "a2"]), None),
        (CUSTOMER, where("ACCOUNT_ID", texts=["a1", "a3"]), ("filters[0].texts[1]", "a3")),
        (CUSTOMER, where("ACCOUNT_ID", texts=["a3"], negate=True), ("filters[0].texts[0]", "a3")),
        (CUSTOMER, where("ACCOUNT_ID", text={"eq": "a3"}), ("filters[0].text.eq", "a3")),
        # What compares otherwise names nobody, and finds nobody outside.
        (CUSTOMER, where("ACCOUNT_ID", text={"starts_with": "a3"}), None),
        (CUSTOMER, where("TENANT_ID", integers=[3]), None),
        (DataScope(tenant_id=(2,)), where("TENANT_ID", integers=[2]), None),
        (DataScope(tenant_id=(2,)), where("TENANT_ID", integers=[2, 3]), ("filters[0].integers[1]", "3")),
        (VENDOR, where("TERM_CLIENTS_ID", integers=[8]), ("filters[0].integers[0]", "8")),
        (DataScope(source=("sbc",)), where("SOURCE", texts=["pbx"]), ("filters[0].texts[0]", "pbx")),
        # The beginning of a number names nobody.
        (DataScope(source=("49",)), where("DST_PREFIX", texts=["44"]), None),
    ],
)
def test_ids_outside_are_refused(
    scope: DataScope, given: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert denied(scope, **given) == expected


def test_organizations_are_those_of_any_own_company() -> None:
    scope = DataScope(
        organization=(OrganizationScope("acme", "north"), OrganizationScope("bell", "south")),
    )
    own = [
        {"dimension": "TRAFFIC_DIMENSION_COMPANY", "texts": ["bell", "acme"]},
        {"dimension": "TRAFFIC_DIMENSION_ORGANIZATION", "texts": ["north", "south"]},
    ]
    assert denied(scope, filters=own) is None
    others = [own[0], {"dimension": "TRAFFIC_DIMENSION_ORGANIZATION", "texts": ["west"]}]
    assert denied(scope, filters=others) == ("filters[1].texts[0]", "west")
    assert denied(scope, **where("COMPANY", texts=["cook"])) == ("filters[0].texts[0]", "cook")
