"""The bins of a range, as an engine has them: all of them, also those without records."""

from collections.abc import Iterable
from datetime import datetime

from oracle import calendar, window
from oracle.calendar import DAY_S, MICROSECONDS
from oracle.expected import Violations
from pegcount.v1 import reports_pb2

from .differences import Span
from .engine import Engine

_STEPS_S = {
    **dict.fromkeys(calendar.WIDTHS_S, 60),
    reports_pb2.GRANULARITY_DAY: DAY_S // 4,
    reports_pb2.GRANULARITY_WEEK: DAY_S,
    reports_pb2.GRANULARITY_MONTH: 7 * DAY_S,
}
"""So short that every bin has a step in it."""


def window_of(
    request: reports_pb2.QueryAsrUsageRequest | reports_pb2.QueryOriginationQualityRequest, now_us: int
) -> window.Window:
    """The instants that a request means; how its texts are read is no question to an engine."""
    found = window.read_window(request, now_us, Violations())
    assert found is not None
    return found


def span_of(zone: str, granularity: int, from_us: int, to_us: int, days_ahead: int = 0) -> Span:
    """The bins of [from, to), the next one, and so many days and a few more before them."""
    edges = calendar.edges_from(zone, granularity, from_us)
    first_us = next(edges)
    last_us = next(edge for edge in edges if edge >= to_us)
    ahead_us = (days_ahead + 3) * DAY_S * MICROSECONDS if days_ahead else 0
    return Span(zone, granularity, first_us - ahead_us, max(last_us, next(edges)))


def series(engine: Engine, span: Span) -> str:
    """A query of the first microsecond `start` and the end `finish` of every bin of a span, but for one."""
    step_us = _STEPS_S[span.granularity] * MICROSECONDS
    steps = engine.steps(span.start_us, step_us, -(-(span.end_us - span.start_us) // step_us))
    start = engine.bin_start("time", span.granularity, span.zone)
    return (
        "SELECT start, lead(start) OVER (ORDER BY start) AS finish"
        f" FROM (SELECT DISTINCT {start} AS start FROM {steps} AS steps) AS starts"
    )


def instant_of(text: str) -> int:
    """The microsecond that a time in an answer names."""
    since = datetime.fromisoformat(text) - calendar.EPOCH
    return (since.days * DAY_S + since.seconds) * MICROSECONDS + since.microseconds


def both(conditions: Iterable[str]) -> str:
    """All of these conditions; at least that of no condition."""
    return " AND ".join(["TRUE", *conditions])
