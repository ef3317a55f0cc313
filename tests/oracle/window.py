"""The time range of requests that give one, and the parts of the answer that echo it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pegcount.config import Config
from pegcount.v1 import reports_pb2, traffic_pb2

from . import calendar
from .expected import Violations
from .records import Session

LIMITS = Config()
DAY_US = calendar.DAY_S * calendar.MICROSECONDS


@dataclass(frozen=True)
class Window:
    """The requested range. An absent end is replaced by now, or by `from_us` if that is in the future."""

    zone: str
    from_us: int
    to_us: int
    in_future: bool


def read_window(
    request: reports_pb2.QueryAsrUsageRequest
    | reports_pb2.QueryOriginationQualityRequest
    | traffic_pb2.QueryTrafficRequest,
    now_us: int,
    violations: Violations,
) -> Window | None:
    """Parses the range of a request; returns None after adding a violation if it is invalid."""
    zone = violations.zone(request.time_zone if request.HasField("time_zone") else None)
    from_us = to_us = None
    if request.from_time:
        from_us = violations.time("from_time", request.from_time, zone)
    else:
        violations.add("from_time", "REQUIRED_FIELD_MISSING")
    to_given = request.HasField("to_time")
    if to_given:
        to_us = violations.time("to_time", request.to_time, zone)
    if zone is None or from_us is None or (to_given and to_us is None):
        return None
    if to_us is not None and from_us >= to_us:
        violations.add("from_time", "EMPTY_RANGE")
        return None
    if to_us is None:
        to_us = max(from_us, now_us)
    return Window(zone, from_us, to_us, from_us >= now_us)


def is_asked_for(value: object, values: Sequence[object], *, or_absent: bool) -> bool:
    """Returns whether a list of values and the list `absent` together let a value pass; None is absent."""
    if value is None:
        return or_absent or not values
    return value in values if values else not or_absent


def resolved(zone: str, from_us: int, to_us: int, granularity: int | None) -> reports_pb2.ResolvedRange:
    """Returns the echoed range without `generated_at`."""
    return reports_pb2.ResolvedRange(
        from_time=calendar.format_time(zone, from_us),
        to_time=calendar.format_time(zone, to_us),
        time_zone=zone,
        granularity=None if granularity is None else reports_pb2.Granularity.Name(granularity),
    )


def in_future() -> list[reports_pb2.Notice]:
    """Returns the notice for a range that begins now or later."""
    return [reports_pb2.Notice(code=reports_pb2.NOTICE_CODE_FROM_IN_FUTURE)]


def before_retention(sessions: Sequence[Session], start_us: int) -> list[reports_pb2.Notice]:
    """Returns the notice for a range that begins before the UTC day of the oldest record, if it does."""
    if not sessions:
        return []
    oldest_us = min(session.setup_us for session in sessions)
    if start_us >= oldest_us - oldest_us % DAY_US:
        return []
    return [reports_pb2.Notice(code=reports_pb2.NOTICE_CODE_BEFORE_RETENTION)]
