"""Converts `QueryOriginationQualityRequest` to `QualityQuery`."""

from collections.abc import Collection, Iterable

from pegcount.config import Config
from pegcount.model import OneOf, Predicate, Present, QualityQuery, SessionKind
from pegcount.request.filters import decimal_filter, duration_filter, network_filter, text_filter
from pegcount.request.names import absent_columns
from pegcount.request.validation import Check, RequestValidator, never_ends, one_of_or_absent
from pegcount.v1 import reports_pb2

ABSENT_NAMES = ("account_id", "src_country_id", "dst_country_id")
"""Names that `absent` accepts."""
_ACCOUNT_FIELDS = ("account_id", "account_ids", "all_accounts")
_ALL_ACCOUNT_FIELDS = "account_id, account_ids and all_accounts"


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
    absent = absent_columns(request, ABSENT_NAMES, validator)
    predicates = (
        *_accounts(request, absent, validator),
        OneOf("kind", (SessionKind.CALL,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", wanted=True),
        *_filters(request, absent, validator),
    )
    validator.raise_violations()
    account_field = "account_ids" if request.account_ids else "account_id"
    return QualityQuery(from_us, to_us, granularity, zone, predicates, account_field)


def _accounts(
    request: reports_pb2.QueryOriginationQualityRequest, absent: Collection[str], validator: RequestValidator
) -> Iterable[Predicate]:
    given = [name for name in _ACCOUNT_FIELDS if getattr(request, name)]
    if len(given) > 1:
        description = f"only one of {_ALL_ACCOUNT_FIELDS} may be set, not {' and '.join(given)}"
        validator.add_violation(
            given[0], "CONFLICTING_FIELDS", description, allowed=", ".join(_ACCOUNT_FIELDS)
        )
    if not given and "account_id" not in absent:
        description = f"one of {_ALL_ACCOUNT_FIELDS} is required, or account_id in absent"
        validator.add_violation("account_id", "REQUIRED_FIELD_MISSING", description)
    accounts = [validator.text("account_id", request.account_id)] if request.account_id else []
    accounts += validator.filter_texts("account_ids", request, "account_ids")
    return one_of_or_absent("account_id", accounts, absent)


def _filters(
    request: reports_pb2.QueryOriginationQualityRequest, absent: Collection[str], validator: RequestValidator
) -> Iterable[Predicate]:
    for column in ("src_country_id", "dst_country_id"):
        values = [getattr(request, column)] if request.HasField(column) else []
        yield from one_of_or_absent(column, values, absent)
    for column in ("src_prefix_routing", "dst_prefix_routing"):
        if request.HasField(column):
            yield from text_filter(column, getattr(request, column), validator)
    if request.HasField("duration"):
        yield duration_filter("duration", request.duration, validator)
    if request.HasField("auth_orig_ip"):
        yield from network_filter("auth_orig_ip", request.auth_orig_ip, validator)
    if request.HasField("customer_price"):
        yield decimal_filter("customer_price", request.customer_price, validator)
