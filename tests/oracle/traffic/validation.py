"""What a traffic request may not have, as far as it is about intervals, other times and hours."""

from collections.abc import Callable, Sequence
from datetime import date

from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

from oracle.expected import Violations

from . import figures, occupancy

_EXCLUDED_DATES_MAX = 400


def check(request: QueryTrafficRequest, violations: Violations) -> None:
    """Adds the violations of a request."""
    _check_metrics(request, violations)
    if request.compare not in traffic_pb2.Comparison.values():
        violations.add("compare", "UNKNOWN_ENUM_VALUE")
    if request.compare == traffic_pb2.COMPARISON_YEAR and request.granularity == reports_pb2.GRANULARITY_WEEK:
        violations.add("compare", "CONFLICTING_FIELDS")
    if request.HasField("open_hours"):
        _check_hours(request.open_hours, violations)


def _check_metrics(request: QueryTrafficRequest, violations: Violations) -> None:
    names = [figures.name_of(spec) for spec in request.metrics]
    for position, (spec, name) in enumerate(zip(request.metrics, names, strict=True)):
        field = f"metrics[{position}].occupancy"
        if name not in occupancy.METRICS:
            if spec.occupancy:
                violations.add(field, "PARAMETER_NOT_ALLOWED")
        elif spec.occupancy not in traffic_pb2.Occupancy.values():
            violations.add(field, "UNKNOWN_ENUM_VALUE")
        meant = [figures.with_defaults(each) for each in request.metrics[: position + 1]]
        if meant[-1] in meant[:-1]:
            violations.add(f"metrics[{position}]", "REPEATED_NAME")
    ranked = names[request.top.metric : request.top.metric + 1] if request.HasField("top") else []
    if ranked == ["peak_at"]:
        violations.add("top.metric", "CONFLICTING_FIELDS")
    currencies = (traffic_pb2.TRAFFIC_DIMENSION_CURRENCY, traffic_pb2.TRAFFIC_DIMENSION_VENDOR_CURRENCY)
    has_currencies = any(spec.dimension in currencies for spec in request.group_by)
    if has_currencies and any(name in figures.MONEY for name in ranked):
        violations.add("top.metric", "MIXED_CURRENCIES")


def _check_hours(hours: traffic_pb2.OpenHours, violations: Violations) -> None:
    _check_list("open_hours.weekdays", hours.weekdays, lambda day: 1 <= day <= 7, violations)
    _check_time("open_hours.from_time", hours.from_time, 24 * 60 - 1, violations)
    _check_time("open_hours.to_time", hours.to_time, 24 * 60, violations)
    if len(hours.excluded_dates) > _EXCLUDED_DATES_MAX:
        violations.add("open_hours.excluded_dates", "LIST_LIMIT_EXCEEDED")
        return
    seen = set[date]()
    for position, text in enumerate(hours.excluded_dates):
        field = f"open_hours.excluded_dates[{position}]"
        day = violations.day(field, text)
        if day in seen:
            violations.add(field, "REPEATED_NAME")
        if day is not None:
            seen.add(day)


def _check_list(
    field: str, values: Sequence[int], is_allowed: Callable[[int], bool], violations: Violations
) -> None:
    if len(values) > 7:
        violations.add(field, "LIST_LIMIT_EXCEEDED")
        return
    for position, value in enumerate(values):
        if not is_allowed(value):
            violations.add(f"{field}[{position}]", "VALUE_OUT_OF_RANGE")
        if value in values[:position]:
            violations.add(f"{field}[{position}]", "REPEATED_NAME")


def _check_time(field: str, text: str, last_minute: int, violations: Violations) -> None:
    hour, colon, minute = text.partition(":")
    if not text:
        violations.add(field, "REQUIRED_FIELD_MISSING")
    elif not (
        colon
        and all(len(part) == 2 and part.isascii() and part.isdigit() for part in (hour, minute))
        and int(minute) < 60
        and int(hour) * 60 + int(minute) <= last_minute
    ):
        violations.add(field, "MALFORMED_TIME")
