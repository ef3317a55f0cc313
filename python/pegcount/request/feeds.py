"""Converts `QueryFeedHealthRequest` to `FeedQuery`."""

from collections.abc import Sequence
from typing import Final

from pegcount.config import Config
from pegcount.errors import shortened
from pegcount.feeds import LOOK_BACK_DAYS, FeedQuery
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import feed_health_pb2

_REJECTED_DAYS: Final = 7


def feed_query(
    request: feed_health_pb2.QueryFeedHealthRequest, config: Config, check: Check = never_ends
) -> FeedQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    sources = _sources(validator.values("sources", request, "sources"), validator)
    days = request.rejected_days if request.HasField("rejected_days") else _REJECTED_DAYS
    validator.number_within("rejected_days", days, 1, LOOK_BACK_DAYS)
    validator.raise_violations()
    return FeedQuery(sources, zone, days)


def _sources(values: Sequence[str], validator: RequestValidator) -> tuple[str, ...]:
    positions: dict[str, int] = {}
    for i, value in enumerate(values):
        if not validator.accepts_text(f"sources[{i}]", value):
            continue
        if value in positions:
            description = f"{shortened(value)} is listed already, at position {positions[value]}"
            validator.add_violation(f"sources[{i}]", "REPEATED_NAME", description, value=shortened(value))
        else:
            positions[value] = i
    return tuple(positions)
