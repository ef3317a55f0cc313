"""The rule that amounts of different currencies are never added up."""

from collections.abc import Sequence

from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import MetricSpec, QueryTrafficRequest

from oracle.expected import ExpectedError, Violations
from oracle.records import Session

from . import figures

# Each price that a metric adds up or compares, with the field of its currency.
_REVENUE, _COST = ("customer_price", "currency"), ("vendor_price", "vendor_currency")
_PRICES = {
    "revenue": (_REVENUE,),
    "cost": (_COST,),
    "margin": (_REVENUE, _COST),
    "margin_share": (_REVENUE, _COST),
}
_CURRENCIES = (traffic_pb2.TRAFFIC_DIMENSION_CURRENCY, traffic_pb2.TRAFFIC_DIMENSION_VENDOR_CURRENCY)


def is_grouped_by_currency(request: QueryTrafficRequest) -> bool:
    return any(spec.dimension in _CURRENCIES for spec in request.group_by)


def is_by_currency(request: QueryTrafficRequest, spec: MetricSpec) -> bool:
    """Returns whether the groups of a metric are amounts in different currencies."""
    return figures.name_of(spec) in _PRICES and is_grouped_by_currency(request)


def refusal(
    request: QueryTrafficRequest, groups: Sequence[Sequence[Session]], calls: Sequence[Session]
) -> ExpectedError | None:
    """Returns the refusal of a request that would add up different currencies."""
    sums = groups if is_grouped_by_currency(request) else [calls]
    violations = Violations()
    for position, spec in enumerate(request.metrics):
        prices = _PRICES.get(figures.name_of(spec), ())
        if any(len(_currencies(summed, prices)) > 1 for summed in sums):
            violations.add(f"metrics[{position}]", "MIXED_CURRENCIES")
    return violations.error() if violations else None


def _currencies(calls: Sequence[Session], prices: Sequence[tuple[str, str]]) -> set[str | None]:
    return {call.texts.get(currency) for call in calls for price, currency in prices if price in call.texts}
