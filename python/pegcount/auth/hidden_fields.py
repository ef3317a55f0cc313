"""Which fields of records a data scope hides: the one place that says so.

A customer who sees the vendors of a provider, or a vendor who sees its customers, could do without the
provider. So a list of customers hides the far side of each call, and a list of vendors the near one. What may
not be seen may not be filtered by either: figures of one customer alone tell as much as its name.
"""

from collections.abc import Mapping
from typing import Final

from pegcount.data_scope import DataScope, Metric
from pegcount.v1 import reports_pb2

ACTIVE_FIELDS: Final = tuple(
    field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"
)
"""The fields of active sessions, in the order of the contract."""
FILTER_FIELDS: Final = (
    *(
        "account_id",
        "tenant_id",
        "company",
        "organization",
        "folder",
        "customer_price",
        "agent_id",
        "currency",
    ),
)
"""Fields of records, beside those of active sessions, that tell of the customer."""
_VENDOR_FILTER_FIELDS: Final = ("vendor_price", "vendor_currency")
"""Fields of records, beside those of active sessions, that tell of the vendor."""
_CALL_FIELDS: Final = (
    *("source", "app_id", "comp_id", "src_country_id", "dst_country_id"),
    *("src_prefix_routing", "dst_prefix_routing", "disconnect_cause", "sip_status", "release_party"),
    "is_last_attempt",
)
"""Fields of records, beside those of active sessions, that calls are grouped and filtered by."""
SCOPE_FIELDS: Final = ACTIVE_FIELDS + FILTER_FIELDS + _VENDOR_FILTER_FIELDS + _CALL_FIELDS
"""The fields that a data scope can hide and show."""

_PARTNER_PREFIXES: Final = ("companies_", "owner_users_", "clients_", "accounts_", "rates_")
"""Of a leg: what names the company behind it and its rates, unlike its numbers and its id."""


_OWN_FIELDS: Final = ("tenant_id", "account_id", "orig_clients_id", "term_clients_id")
"""Dimensions that are fields."""


def _fields_of(leg: str) -> frozenset[str]:
    prefixes = tuple(f"{leg}_{prefix}" for prefix in _PARTNER_PREFIXES)
    return frozenset(name for name in ACTIVE_FIELDS if name.startswith(prefixes))


CUSTOMER_FIELDS: Final = _fields_of("orig") | frozenset(FILTER_FIELDS)
"""What names the customer, its rates and prices; hidden from vendors."""
VENDOR_FIELDS: Final = _fields_of("term") | frozenset(_VENDOR_FILTER_FIELDS)
"""What names the vendor, its rates and costs; hidden from customers."""

_STATE_FIELDS: Final = frozenset(["session_start_time", "duration"])
"""What tells which calls are answered, and since when."""
_CURRENCIES: Final = frozenset(["currency", "vendor_currency"])
"""Calls have one if they have a price, which nearly all of the answered ones have and no other."""
_RELEASE_FIELDS: Final = frozenset(["disconnect_cause", "sip_status", "release_party"])
"""What tells how calls ended: normal clearing, or the status 200, is that of an answered one."""
METRIC_FIELDS: Final[Mapping[Metric, frozenset[str]]] = {
    Metric.ASR: _STATE_FIELDS | _RELEASE_FIELDS | _CURRENCIES,
    Metric.ACD: _STATE_FIELDS,
    Metric.PRICE: _CURRENCIES
    | frozenset(name for name in SCOPE_FIELDS if "_rates_" in name or name.endswith("_price")),
}
"""The fields that a hidden metric hides, as it could be computed from them."""


def hidden_fields(scope: DataScope) -> frozenset[str]:
    """Returns the fields that a data scope hides: they can neither be returned nor filtered by.

    `shown_fields` shows what the dimensions hide, but nothing that a metric or `hidden_fields` hides.

    >>> sorted(hidden_fields(DataScope(source=("a",), hidden_fields=("orig_leg_id",))))
    ['orig_leg_id']
    """
    of_metrics = frozenset[str]().union(*(METRIC_FIELDS[metric] for metric in scope.hidden_metrics))
    of_dimensions = default_hidden_fields(scope) - set(scope.shown_fields)
    return of_dimensions | frozenset(scope.hidden_fields) | of_metrics


def default_hidden_fields(scope: DataScope) -> frozenset[str]:
    """Returns the fields that the dimensions of a data scope hide by themselves.

    Whoever is held to some values of a column sees the column, also one of the side that is hidden.
    """
    of_customers = bool(scope.tenant_id or scope.organization or scope.account_id or scope.orig_clients_id)
    hidden = VENDOR_FIELDS if of_customers else frozenset[str]()
    if scope.term_clients_id:
        hidden |= CUSTOMER_FIELDS
    own = {name for name in _OWN_FIELDS if getattr(scope, name)}
    # Whoever is held to organizations is held to folders of them.
    of_organizations = ("company", "organization", "folder") if scope.organization else ()
    return hidden - own - set(of_organizations)
