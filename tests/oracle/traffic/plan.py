"""What a traffic request comes to mean: its range, its bins, and the earlier range that it compares with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pegcount.config import Config
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

from oracle import calendar, window
from oracle.expected import ExpectedError, Violations, not_found

from . import comparison
from .cells import Bins, Counting
from .dimensions import Reading
from .validation import check


@dataclass(frozen=True)
class Plan:
    """A valid request."""

    asked: window.Window
    end_us: int
    """Where its range ends, at most now."""
    counting: Counting
    bins: Bins
    then: comparison.Earlier | None


def plan(
    request: QueryTrafficRequest,
    now_us: int,
    config: Config,
    decks: Mapping[int, Sequence[CodeDeckEntry]],
) -> Plan | ExpectedError:
    """Returns what a request means, or why it is refused before anything is counted."""
    violations = Violations()
    asked = window.read_window(request, now_us, violations)
    check(request, violations)
    if violations or asked is None:
        return violations.error()
    end_us = max(asked.from_us, min(asked.to_us, now_us))
    deck_id = _deck_id(request)
    deck = None if deck_id is None else decks.get(deck_id)
    counting = Counting(request, Reading(asked.zone, deck), now_us, config)
    then = None
    try:
        edges = _edges(request, asked, end_us, config)
        if request.compare:
            range_end_us = asked.to_us if asked.in_future else end_us
            then = comparison.earlier(request, asked, edges, range_end_us, config.bin_count_max)
    except calendar.TooManyBins:
        violations.add("granularity", "BIN_LIMIT_EXCEEDED")
        return violations.error()
    ranges = [(asked.from_us, end_us)] if edges else []
    ranges += [then.range] if then is not None and then.edges else []
    if max(map(counting.cut_count, ranges), default=0) > config.bin_count_max:
        violations.add("from_time", "BIN_LIMIT_EXCEEDED")
        return violations.error()
    if deck_id is not None and deck is None:
        return not_found("CODE_DECK_NOT_FOUND")
    return Plan(asked, end_us, counting, counting.bins(edges, asked.from_us, end_us), then)


def _deck_id(request: QueryTrafficRequest) -> int | None:
    specs: list[Any] = [*request.group_by, *request.filters]
    return next((spec.code_deck for spec in specs if spec.HasField("code_deck")), None)


def _edges(request: QueryTrafficRequest, asked: window.Window, end_us: int, config: Config) -> Sequence[int]:
    if asked.in_future:
        return []
    if not request.granularity:
        return [asked.from_us, end_us]
    return calendar.edges(asked.zone, request.granularity, asked.from_us, end_us, config.bin_count_max)
