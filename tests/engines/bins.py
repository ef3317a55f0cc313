"""The bins of a range in SQL, including bins without records."""

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
"""Step widths so short that every bin contains a step."""


def window_of(
    request: reports_pb2.QueryAsrUsageRequest | reports_pb2.QueryOriginationQualityRequest, now_us: int
) -> window.Window:
    """Resolves the range of a request with the oracle, since engines do not parse request texts."""
    found = window.read_window(request, now_us, Violations())
    assert found is not None
    return found


def span_of(zone: str, granularity: int, from_us: int, to_us: int, days_ahead: int = 0) -> Span:
    """Returns the bins of [from, to), the next bin, and at least `days_ahead` days before them."""
    edges = calendar.edges_from(zone, granularity, from_us)
    first_us = next(edges)
    last_us = next(edge for edge in edges if edge >= to_us)
    ahead_us = (days_ahead + 3) * DAY_S * MICROSECONDS if days_ahead else 0
    return Span(zone, granularity, first_us - ahead_us, max(last_us, next(edges)))


def series(engine: Engine, span: Span) -> str:
    """Returns a query of the first microsecond `start` and the end `finish` of every bin but the last."""
    step_us = _STEPS_S[span.granularity] * MICROSECONDS
    steps = engine.steps(span.start_us, step_us, -(-(span.end_us - span.start_us) // step_us))
    start = engine.bin_start("time", span.granularity, span.zone)
    return (
        "SELECT start, lead(start) OVER (ORDER BY start) AS finish"
        f" FROM (SELECT DISTINCT {start} AS start FROM {steps} AS steps) AS starts"
    )


def instant_of(text: str) -> int:
    """Parses a time of an answer into microseconds."""
    since = datetime.fromisoformat(text) - calendar.EPOCH
    return (since.days * DAY_S + since.seconds) * MICROSECONDS + since.microseconds


def conjunction(conditions: Iterable[str]) -> str:
    """Joins the conditions with AND; TRUE without conditions."""
    return " AND ".join(["TRUE", *conditions])
