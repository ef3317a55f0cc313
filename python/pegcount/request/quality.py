"""Converts `QueryOriginationQualityRequest` to `QualityQuery`."""

from collections.abc import Iterable

from pegcount.config import Config
from pegcount.model import Between, OneOf, Predicate, Present, QualityQuery, SessionKind
from pegcount.request.filters import decimal_filter, duration_filter, network_filter, text_filter
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import reports_pb2


def quality_query(
    request: reports_pb2.QueryOriginationQualityRequest,
    config: Config,
    check: Check = never_ends,
) -> QualityQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    granularity = validator.granularity("sampling", request.sampling)
    to_time = request.to_time if request.HasField("to_time") else None
    from_us, to_us = validator.range_us(request.from_time, to_time, zone)
    predicates = (
        OneOf("account_id", (validator.required_text("account_id", request.account_id),)),
        OneOf("kind", (SessionKind.CALL,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", wanted=True),
        *_filters(request, validator),
    )
    validator.raise_violations()
    return QualityQuery(from_us, to_us, granularity, zone, predicates)


def _filters(
    request: reports_pb2.QueryOriginationQualityRequest, validator: RequestValidator
) -> Iterable[Predicate]:
    for column in ("src_country_id", "dst_country_id"):
        if request.HasField(column):
            yield Between(column, getattr(request, column), getattr(request, column))
    for column in ("src_prefix_routing", "dst_prefix_routing"):
        if request.HasField(column):
            yield from text_filter(column, getattr(request, column), validator)
    if request.HasField("duration"):
        yield duration_filter("duration", request.duration, validator)
    if request.HasField("auth_orig_ip"):
        yield from network_filter("auth_orig_ip", request.auth_orig_ip, validator)
    if request.HasField("customer_price"):
        yield decimal_filter("customer_price", request.customer_price, validator)
