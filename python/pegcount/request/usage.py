"""Converts `QueryAsrUsageRequest` to `UsageQuery`."""

from collections.abc import Iterable

from pegcount.config import Config
from pegcount.model import Granularity, OneOf, Predicate, SessionKind, UsageQuery
from pegcount.request.names import absent_columns
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import records_pb2, reports_pb2

ABSENT_NAMES = ("app_id", "comp_id", "tenant_id")
"""Names that `absent` accepts; each has a list of values, such as `app_ids`."""

_SMA_PERIOD_MAX = 366
"""Days of a moving average: a leap year."""


def usage_query(
    request: reports_pb2.QueryAsrUsageRequest, config: Config, check: Check = never_ends
) -> UsageQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    granularity = validator.granularity("granularity", request.granularity)
    to_time = request.to_time if request.HasField("to_time") else None
    from_us, to_us = validator.range_us(request.from_time, to_time, zone)
    kind = validator.enum("kind", request.kind, records_pb2.SessionKind) or SessionKind.ASR
    predicates = (
        OneOf("kind", (kind,)),
        *_ids(request, validator),
    )
    sma_period = _sma_period(request, validator)
    validator.raise_violations()
    return UsageQuery(from_us, to_us, granularity, zone, sma_period, predicates)


def _ids(request: reports_pb2.QueryAsrUsageRequest, validator: RequestValidator) -> Iterable[Predicate]:
    absent = absent_columns(request, ABSENT_NAMES, validator)
    for column in ABSENT_NAMES:
        yield from validator.any_of(f"{column}s", column, request, f"{column}s", absent)


def _sma_period(request: reports_pb2.QueryAsrUsageRequest, validator: RequestValidator) -> int | None:
    if not request.HasField("sma_period"):
        return None
    if int(request.granularity) in set(Granularity) - {Granularity.DAY}:
        name = reports_pb2.Granularity.Name(request.granularity)
        description = f"a moving average is over days: it needs GRANULARITY_DAY, not {name}"
        validator.add_violation("sma_period", "SMA_NEEDS_DAY", description, granularity=name)
    return validator.number_within("sma_period", request.sma_period, 1, _SMA_PERIOD_MAX)
