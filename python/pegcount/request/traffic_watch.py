"""Converts `WatchTrafficRequest` to `TrafficWatch`."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pegcount import calendar
from pegcount.config import Config
from pegcount.errors import InvalidRequestError
from pegcount.model import Granularity
from pegcount.request.denominators import DENOMINATORS
from pegcount.request.traffic import traffic_query
from pegcount.request.traffic_metrics import metric_name
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import records_pb2, reports_pb2, traffic_pb2
from pegcount.zone import Zone

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_BINS_MAX: Final = 1_440
_INTERVAL_MS_MIN: Final = 1_000
_INTERVAL_MS_MAX: Final = 60_000
_INTERVAL_MS: Final = 5_000
_INT64_MAX: Final = 2**63 - 1
_DOUBLE_MAX: Final = sys.float_info.max
_NOT_TAKEN: Final = ("from_time", "to_time", "compare")
"""Fields of a query that `last_bins` takes the place of, or that a watch does not answer."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When a figure of a group alerts; see the message of the same name."""

    metric: int
    """Its position in the query."""
    is_above: bool
    threshold: float
    clear_threshold: float
    least_denominator: int | None
    bins: int


@dataclass(frozen=True, slots=True)
class TrafficWatch:
    """A valid question that is asked again and again, over the last bins."""

    query: bytes
    """A serialized `QueryTrafficRequest` without a range. Some requests that mean the same have the same."""
    metrics: tuple[int, ...]
    """The numbers of its metrics."""
    zone: Zone
    granularity: Granularity
    last_bins: int
    interval_ms: int
    rules: tuple[AlertRule, ...]


def from_time(us: int) -> bytes:
    """Returns the serialized field of a `QueryTrafficRequest` that has a range begin at microseconds UTC.

    >>> traffic_pb2.QueryTrafficRequest.FromString(from_time(1_000_000)).from_time
    '1970-01-01T00:00:01+00:00'
    """
    text = (_EPOCH + timedelta(microseconds=us)).isoformat()
    return bytes(traffic_pb2.QueryTrafficRequest(from_time=text).SerializeToString())


def traffic_watch(
    request: traffic_pb2.WatchTrafficRequest, config: Config, now_us: int, check: Check = never_ends
) -> TrafficWatch:
    """Returns the watch of a request; raises InvalidRequestError with all violations, those of its query too.

    `now_us` is the present time in microseconds UTC.
    """
    validator = RequestValidator(config, check)
    if not request.HasField("query"):
        validator.add_violation("query", "REQUIRED_FIELD_MISSING", "is required: what to answer")
    query = request.query
    for name in _NOT_TAKEN:
        if getattr(query, name):
            description = f"a watch takes no {name}; leave it out, as last_bins says which bins it answers"
            validator.add_violation(
                f"query.{name}", "PARAMETER_NOT_ALLOWED", description, allowed="last_bins"
            )
    granularity = _granularity(query, validator)
    last_bins = _last_bins(request, validator)
    interval_ms = request.interval_ms if request.HasField("interval_ms") else _INTERVAL_MS
    validator.number_within("interval_ms", interval_ms, _INTERVAL_MS_MIN, _INTERVAL_MS_MAX)
    rules = tuple(_rules(request, last_bins, validator))
    zone = calendar.zone(query.time_zone or "UTC") or calendar.zone("UTC")
    assert zone is not None, "tzdata has UTC"
    edge_us = calendar.last_edges(zone, granularity, now_us, last_bins)
    if len(edge_us) <= last_bins:
        _add_too_early(last_bins, len(edge_us) - 1, granularity, validator)
    plain = _plain(query)
    if request.HasField("query"):
        _check_query(plain, int(edge_us[0]), config, check, validator)
    validator.raise_violations()
    metrics = tuple(int(spec.metric) for spec in plain.metrics)
    data = plain.SerializeToString(deterministic=True)
    return TrafficWatch(data, metrics, zone, granularity, last_bins, interval_ms, rules)


def _granularity(query: traffic_pb2.QueryTrafficRequest, validator: RequestValidator) -> Granularity:
    """Returns the width of the bins, a fallback if it is wrong; reports a missing one."""
    if not query.granularity:
        validator.granularity("query.granularity", query.granularity)
    known = query.granularity in reports_pb2.Granularity.values()
    return Granularity(query.granularity) if query.granularity and known else Granularity.HOUR


def _last_bins(request: traffic_pb2.WatchTrafficRequest, validator: RequestValidator) -> int:
    if not request.HasField("last_bins"):
        description = f"is required: how many bins to answer, 1 to {_LAST_BINS_MAX}, the present one included"
        validator.add_violation("last_bins", "REQUIRED_FIELD_MISSING", description)
        return _LAST_BINS_MAX
    validator.number_within("last_bins", request.last_bins, 1, _LAST_BINS_MAX)
    if request.last_bins == 1 and request.rules:
        description = "rules look at complete bins, and the last one alone is not complete; ask for 2 or more"
        validator.add_violation(
            "last_bins", "VALUE_OUT_OF_RANGE", description, value=1, minimum=2, maximum=_LAST_BINS_MAX
        )
    return min(max(request.last_bins, 1), _LAST_BINS_MAX)


def _add_too_early(asked: int, allowed: int, granularity: Granularity, validator: RequestValidator) -> None:
    description = f"{asked} bins of a {granularity.name} begin before 1970; ask for {allowed} or fewer"
    validator.add_violation(
        "last_bins", "VALUE_OUT_OF_RANGE", description, value=asked, minimum=1, maximum=allowed
    )


def _plain(query: traffic_pb2.QueryTrafficRequest) -> traffic_pb2.QueryTrafficRequest:
    """Returns a query without its range, and with the zone and the kind that it stands for.

    What says no more than to leave it out is left out.
    """
    plain = traffic_pb2.QueryTrafficRequest()
    plain.CopyFrom(query)
    for name in _NOT_TAKEN:
        plain.ClearField(name)
    plain.DiscardUnknownFields()
    plain.time_zone = plain.time_zone if plain.HasField("time_zone") else "UTC"
    plain.kind = plain.kind or records_pb2.SESSION_KIND_CALL
    if plain.HasField("top"):
        _clear_defaults(plain.top, "metric", "ascending", "other")
    for each in plain.filters:
        _clear_defaults(each, "absent", "negate")
    return plain


def _clear_defaults(message: traffic_pb2.TopSpec | traffic_pb2.TrafficFilter, *names: str) -> None:
    for name in names:
        if not getattr(message, name):
            message.ClearField(name)


def _check_query(
    plain: traffic_pb2.QueryTrafficRequest,
    from_us: int,
    config: Config,
    check: Check,
    validator: RequestValidator,
) -> None:
    """Reports what is wrong with a query over a range from microseconds UTC."""
    asked = traffic_pb2.QueryTrafficRequest.FromString(plain.SerializeToString() + from_time(from_us))
    try:
        traffic_query(asked, config, check)
    except InvalidRequestError as error:
        for each in error.violations:
            field = f"query.{each.field}" if each.field else "query"
            validator.add_violation(field, each.reason, each.description, **each.metadata)


def _rules(
    request: traffic_pb2.WatchTrafficRequest, last_bins: int, validator: RequestValidator
) -> Iterator[AlertRule]:
    for index, rule in enumerate(validator.values("rules", request, "rules")):
        field = f"rules[{index}]"
        _check_metric(field, rule, request.query.metrics, validator)
        comparison = validator.required_enum(
            f"{field}.comparison", rule.comparison, traffic_pb2.AlertComparison
        )
        is_above = comparison == traffic_pb2.ALERT_COMPARISON_ABOVE
        clear_threshold = rule.clear_threshold if rule.HasField("clear_threshold") else rule.threshold
        _check_thresholds(field, rule, comparison, validator)
        bins = rule.bins if rule.HasField("bins") else 1
        validator.number_within(f"{field}.bins", bins, 1, last_bins)
        least = rule.least_denominator if rule.HasField("least_denominator") else None
        yield AlertRule(rule.metric, is_above, rule.threshold, clear_threshold, least, bins)


def _check_metric(
    field: str,
    rule: traffic_pb2.AlertRule,
    metrics: Sequence[traffic_pb2.MetricSpec],
    validator: RequestValidator,
) -> None:
    """Reports a metric that the query lacks or that no rule takes, and a wrong number of calls for it."""
    if rule.HasField("least_denominator"):
        validator.number_within(f"{field}.least_denominator", rule.least_denominator, 1, _INT64_MAX)
    if not metrics:
        return
    validator.number_within(f"{field}.metric", rule.metric, 0, len(metrics) - 1)
    if not 0 <= rule.metric < len(metrics):
        return
    metric = metrics[rule.metric].metric
    if metric not in traffic_pb2.TrafficMetric.values():
        return
    name = metric_name(metric)
    if metric == traffic_pb2.TRAFFIC_METRIC_PEAK_AT:
        description = f"{name} is an instant, which compares with no threshold; give the position of PEAK"
        validator.add_violation(f"{field}.metric", "PARAMETER_NOT_ALLOWED", description, allowed="PEAK")
    is_share = metric in DENOMINATORS
    if is_share and not rule.HasField("least_denominator"):
        description = f"is required by {name}: the calls that a bin must have for it to count, such as 50"
        validator.add_violation(f"{field}.least_denominator", "REQUIRED_FIELD_MISSING", description)
    elif not is_share and rule.HasField("least_denominator"):
        allowed = ", ".join(map(metric_name, DENOMINATORS))
        description = (
            f"{name} takes no least_denominator; leave it out, as only these divide by calls: {allowed}"
        )
        validator.add_violation(
            f"{field}.least_denominator", "PARAMETER_NOT_ALLOWED", description, allowed=allowed
        )


def _check_thresholds(
    field: str, rule: traffic_pb2.AlertRule, comparison: int, validator: RequestValidator
) -> None:
    if not rule.HasField("threshold"):
        description = "is required: what the figure compares with, such as 40"
        validator.add_violation(f"{field}.threshold", "REQUIRED_FIELD_MISSING", description)
    for name in ("threshold", "clear_threshold"):
        value = getattr(rule, name)
        if not math.isfinite(value):
            description = f"{value} is not a finite number"
            _add_outside(f"{field}.{name}", value, -_DOUBLE_MAX, _DOUBLE_MAX, description, validator)
    if not (comparison and rule.HasField("clear_threshold") and rule.HasField("threshold")):
        return
    clear, threshold = rule.clear_threshold, rule.threshold
    if not (math.isfinite(clear) and math.isfinite(threshold)):
        return
    is_above = comparison == traffic_pb2.ALERT_COMPARISON_ABOVE
    if (clear > threshold) if is_above else (clear < threshold):
        side = "at most" if is_above else "at least"
        description = f"{clear:g} is not {side} the threshold {threshold:g}, so that an alert would not end"
        bounds = (-_DOUBLE_MAX, threshold) if is_above else (threshold, _DOUBLE_MAX)
        _add_outside(f"{field}.clear_threshold", clear, *bounds, description, validator)


def _add_outside(
    field: str,
    value: float,
    minimum: float,
    maximum: float,
    description: str,
    validator: RequestValidator,
) -> None:
    texts = {"value": f"{value:g}", "minimum": f"{minimum:g}", "maximum": f"{maximum:g}"}
    validator.add_violation(field, "VALUE_OUT_OF_RANGE", description, **texts)
