"""The times at which calls occupy lines, and the figures of these times."""

from collections.abc import Iterator, Sequence

from pegcount.v1 import traffic_pb2

from oracle import calendar
from oracle.records import Session

Span = tuple[int, int]
"""Microseconds UTC: the first instant, and the one after the last."""

METRICS = ("occupied_us", "erlang", "peak", "peak_at")


def occupied(call: Session, occupancy: int, now_us: int) -> Span | None:
    """Returns the time in which a call occupies a line, to now if it is active; None if it never does."""
    start = call.setup_us if occupancy == traffic_pb2.OCCUPANCY_SEIZED else call.answer_us
    return None if start is None else (start, now_us if call.end_us is None else call.end_us)


def is_abandoned(call: Session, now_us: int, active_ttl_seconds: int) -> bool:
    """Returns whether a call without an end has been silent for so long that it does not count."""
    return not call.finished and call.received_us + active_ttl_seconds * calendar.MICROSECONDS <= now_us


def total_us(spans: Sequence[Span]) -> int:
    return sum(end - start for start, end in spans)


def peak(spans: Sequence[Span]) -> tuple[int, int | None]:
    """Returns the greatest number of spans that hold one instant, and the first such instant."""
    # An end is before a start at the same instant.
    events = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
    held, greatest, first_us = 0, 0, None
    for instant_us, change in events:
        held += change
        if held > greatest:
            greatest, first_us = held, instant_us
    return greatest, first_us


def spans_within(span: Span, cuts: Sequence[int]) -> Iterator[Span]:
    """Yields the parts of a span between the cuts, which are ascending; none of them is empty."""
    start, end = span
    if start >= end:
        return
    for cut in cuts:
        if start < cut < end:
            yield start, cut
            start = cut
    yield start, end
