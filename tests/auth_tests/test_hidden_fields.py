"""Which fields of active sessions a data scope hides."""

from dataclasses import fields, replace

import pytest
from pegcount.auth import ACTIVE_FIELDS, SCOPE_FIELDS, default_hidden_fields, hidden_fields
from pegcount.data_scope import DataScope, Metric, OrganizationScope
from pegcount.request.traffic_dimensions import DIMENSIONS
from pegcount.request.traffic_metrics import METRICS

PARTNER = [
    "companies_id",
    "owner_users_id",
    "clients_id",
    "clients_name",
    "accounts_id",
    "accounts_name",
    "accounts_ident",
    "rates_code",
    "rates_code_name",
    "rates_country",
]
FILTERS = {
    *(
        "account_id",
        "tenant_id",
        "company",
        "organization",
        "folder",
        "customer_price",
        "agent_id",
        "currency",
    )
}
"""Fields of records, beside those of active sessions, that tell of the customer."""
COSTS = {"vendor_price", "vendor_currency"}
RELEASE = {"disconnect_cause", "sip_status", "release_party"}
CALLS = RELEASE | {
    *("source", "app_id", "comp_id", "src_country_id", "dst_country_id"),
    *("src_prefix_routing", "dst_prefix_routing", "is_last_attempt"),
}
CUSTOMER = {f"orig_{name}" for name in PARTNER} | FILTERS
VENDOR = {f"term_{name}" for name in PARTNER} | COSTS

TENANT = DataScope(tenant_id=(2,))
VENDOR_SCOPE = DataScope(term_clients_id=(7,))


def test_dimensions_of_traffic_are_fields_that_can_be_hidden() -> None:
    """A field that cannot be named here could be hidden from nobody."""
    columns = {rule.column for rule in DIMENSIONS.values()} | {
        column for rule in METRICS.values() for column in rule.columns
    }
    assert columns - set(SCOPE_FIELDS) == {"kind"}


def test_the_contract_has_33_fields() -> None:
    assert sorted(SCOPE_FIELDS) == sorted({*ACTIVE_FIELDS, *FILTERS, *COSTS, *CALLS})
    assert len(ACTIVE_FIELDS) == len(set(ACTIVE_FIELDS)) == 33
    assert {*CUSTOMER, *VENDOR, "quantity", "session_id"} - FILTERS - COSTS < set(ACTIVE_FIELDS)
    assert "level" not in ACTIVE_FIELDS


@pytest.mark.parametrize(
    ("scope", "hidden"),
    [
        (TENANT, VENDOR),
        (DataScope(organization=(OrganizationScope("acme"),)), VENDOR),
        (DataScope(account_id=("1001",)), VENDOR),
        (DataScope(orig_clients_id=(7,)), VENDOR),
        (VENDOR_SCOPE, CUSTOMER),
        (DataScope(source=("sbc1",)), set[str]()),
        (DataScope(), set[str]()),
        (replace(TENANT, source=("sbc1",)), VENDOR),
        (
            replace(VENDOR_SCOPE, account_id=("1001",)),
            (CUSTOMER | VENDOR) - {"term_clients_id", "account_id"},
        ),
        (replace(VENDOR_SCOPE, tenant_id=(2,)), (CUSTOMER | VENDOR) - {"term_clients_id", "tenant_id"}),
        (
            replace(VENDOR_SCOPE, organization=(OrganizationScope("acme"),)),
            (CUSTOMER | VENDOR) - {"term_clients_id", "company", "organization", "folder"},
        ),
        (
            replace(VENDOR_SCOPE, orig_clients_id=(7,)),
            (CUSTOMER | VENDOR) - {"orig_clients_id", "term_clients_id"},
        ),
    ],
)
def test_a_dimension_hides_the_other_side(scope: DataScope, hidden: set[str]) -> None:
    assert hidden_fields(scope) == default_hidden_fields(scope) == hidden


def test_every_dimension_is_looked_at() -> None:
    """A dimension that is added and forgotten here would show what others hide."""
    names = {field.name for field in fields(DataScope)}
    assert names - {"hidden_metrics", "hidden_fields", "shown_fields"} == {
        "tenant_id",
        "organization",
        "account_id",
        "orig_clients_id",
        "term_clients_id",
        "source",
    }


def test_fields_are_shown_and_hidden_one_by_one() -> None:
    shown = replace(VENDOR_SCOPE, shown_fields=("account_id", "orig_clients_name"))
    assert hidden_fields(shown) == CUSTOMER - {"account_id", "orig_clients_name"}
    scope = replace(TENANT, hidden_fields=("orig_leg_id",), shown_fields=("term_rates_country",))
    assert hidden_fields(scope) == VENDOR - {"term_rates_country"} | {"orig_leg_id"}
    assert hidden_fields(replace(scope, hidden_fields=("term_rates_country",))) == VENDOR


@pytest.mark.parametrize("metric", Metric)
def test_a_hidden_metric_hides_what_it_can_be_computed_from(metric: Metric) -> None:
    of_metric = {
        Metric.ASR: {"session_start_time", "duration", "currency", "vendor_currency", *RELEASE},
        Metric.ACD: {"session_start_time", "duration"},
        Metric.PRICE: {
            *("customer_price", "vendor_price", "currency", "vendor_currency"),
            *(name for name in ACTIVE_FIELDS if "_rates_" in name),
        },
    }[metric]
    assert hidden_fields(DataScope(hidden_metrics=(metric,))) == of_metric
    shown = replace(TENANT, hidden_metrics=(metric,), shown_fields=("term_rates_code", "term_clients_id"))
    assert hidden_fields(shown) == VENDOR - {"term_rates_code", "term_clients_id"} | of_metric
