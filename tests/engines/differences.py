"""Known differences between an engine's answers and ours, one named predicate each.

A request is compared unless one of its predicates is true. docs/engines.md describes each difference under
the same name. test_differences.py has an example of each, which fails once the difference disappears.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps

from google.protobuf.message import Message
from oracle import calendar
from oracle.calendar import DAY_S, MICROSECONDS
from pegcount.v1 import reports_pb2

HOUR_S, MINUTE_S = 3600, 60
_BUCKETS: dict[int, int] = {
    granularity: calendar.WIDTHS_S[granularity]
    for granularity in (
        reports_pb2.GRANULARITY_FIVE_MINUTES,
        reports_pb2.GRANULARITY_FIFTEEN_MINUTES,
        reports_pb2.GRANULARITY_THIRTY_MINUTES,
    )
}
# The origin of DuckDB's time_bucket: local midnight of this Monday.
_BUCKET_ORIGIN_S = int(datetime(2000, 1, 3, tzinfo=UTC).timestamp())


CALENDAR_DATE = 0
"""A pseudo granularity for reports that group records by local date."""


@dataclass(frozen=True)
class Span:
    """The bins of an answer, plus the next bin and the warm-up bins of a moving average."""

    zone: str
    granularity: int
    start_us: int
    end_us: int

    @property
    def is_of_days(self) -> bool:
        return self.granularity not in calendar.WIDTHS_S


@dataclass(frozen=True)
class Asked:
    """A request, its bins if it has any, and the number of rows in the answer."""

    request: Message
    span: Span | None
    row_count: int


Predicate = Callable[[Asked], bool]


def of_bins(predicate: Callable[[Span], bool]) -> Predicate:
    """Turns a predicate on a span into one on a request, which is false for requests without bins."""

    @wraps(predicate)
    def holds(asked: Asked) -> bool:
        return asked.span is not None and predicate(asked.span)

    return holds


@dataclass(frozen=True)
class Change:
    """An offset change: its instant, and the local clock just before and at it."""

    at_s: int
    old_s: int
    new_s: int

    def is_off(self, width_s: int) -> bool:
        """Returns whether the local clock before or at the change is not a multiple of the width."""
        return bool(self.old_s % width_s or self.new_s % width_s)

    def is_within(self, span: Span) -> bool:
        return span.start_us <= self.at_s * MICROSECONDS < span.end_us

    @property
    def skips_hour_in_part(self) -> bool:
        begun_s = self.new_s % HOUR_S
        return self.old_s < self.new_s and begun_s > 0 and self.new_s - begun_s != self.old_s

    def repeats_within(self, span: Span) -> bool:
        """Returns whether the span overlaps local times that occur twice."""
        twice_s = self.old_s - self.new_s
        return (self.at_s - twice_s) * MICROSECONDS < span.end_us and span.start_us < (
            self.at_s + twice_s
        ) * MICROSECONDS

    def repeated_date_begins_bin(self, granularity: int) -> bool:
        """Returns whether the repeated date is the first date of a bin."""
        day = calendar.EPOCH_DATE + timedelta(seconds=self.old_s)
        return calendar.anchor(day, granularity) == day


def _changes(span: Span, before_s: int = 0, after_s: int = 0) -> Iterator[Change]:
    """Yields the changes within the span, extended by some seconds on both sides."""
    start_s, end_s = span.start_us // MICROSECONDS, -(-span.end_us // MICROSECONDS)
    for at_s in calendar.changes(span.zone, start_s - before_s - 1, end_s - 1 + after_s):
        old_s, new_s = (calendar.offset_s(span.zone, second_s) for second_s in (at_s - 1, at_s))
        yield Change(at_s, at_s + old_s, at_s + new_s)


def has_change(asked: Asked) -> bool:
    """Returns whether the offset changes within the bins of a request."""
    return asked.span is not None and any(_changes(asked.span))


def _offsets(span: Span) -> set[int]:
    start_s, end_s = span.start_us // MICROSECONDS, -(-span.end_us // MICROSECONDS)
    return {offset for _, _, offset in calendar.pieces(span.zone, start_s, end_s)}


def _month(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * MICROSECONDS


# Zones whose rules come from another tzdata release in the engine, and the months that differ.
_END_US = 2**62
DUCKDB_OTHER_RULES = {zone: (_month(2026, 11), _month(2027, 4)) for zone in ("America/Havana", "Cuba")}
CLICKHOUSE_OTHER_RULES = {
    **DUCKDB_OTHER_RULES,
    "America/Bogota": (_month(1992, 5), _month(1992, 6)),
    "Asia/Tehran": (_month(1979, 5), _month(1979, 7)),
    "Iran": (_month(1979, 5), _month(1979, 7)),
    **{
        zone: (_month(2026, 11), _END_US)
        for zone in (*("America/Inuvik", "America/Rainy_River", "America/Winnipeg", "Canada/Central"),)
    },
}


def _has_other_rules(rules: dict[str, tuple[int, int]], span: Span) -> bool:
    start_us, end_us = rules.get(span.zone, (0, 0))
    return span.start_us < end_us and start_us < span.end_us


@of_bins
def duckdb_has_other_rules(span: Span) -> bool:
    return _has_other_rules(DUCKDB_OTHER_RULES, span)


@of_bins
def bucket_counts_from_2000(span: Span) -> bool:
    """time_bucket aligns to a local midnight in 2000; our bins align to the local clock at the time."""
    if span.granularity not in _BUCKETS:
        return False
    then_s = calendar.offset_s(span.zone, _BUCKET_ORIGIN_S)
    return any((offset - then_s) % _BUCKETS[span.granularity] for offset in _offsets(span))


@of_bins
def bucket_crosses_change(span: Span) -> bool:
    """Our bins end at an offset change, even in mid-width; a bucket does not."""
    width_s = _BUCKETS.get(span.granularity)
    return width_s is not None and any(change.is_off(width_s) for change in _changes(span))


@of_bins
def trunc_ignores_seconds_of_offset(span: Span) -> bool:
    is_of_minutes = span.granularity == reports_pb2.GRANULARITY_MINUTE
    return is_of_minutes and any(change.is_off(MINUTE_S) for change in _changes(span))


@of_bins
def trunc_joins_hours_of_one_name(span: Span) -> bool:
    """date_trunc merges a repeated hour into one bin; we have two.

    If the clock skips the beginning of an hour, date_trunc returns a start after the hour's first record.
    """
    return span.granularity == reports_pb2.GRANULARITY_HOUR and any(
        change.repeats_within(span) or (change.skips_hour_in_part and change.is_within(span))
        for change in _changes(span, DAY_S, DAY_S)
    )


@of_bins
def trunc_takes_second_midnight(span: Span) -> bool:
    """On a day with two midnights, our bin begins at the first, date_trunc's at the second."""
    return (span.is_of_days and span.granularity != CALENDAR_DATE) and any(
        change.new_s <= change.old_s // DAY_S * DAY_S < change.old_s
        and change.repeated_date_begins_bin(span.granularity)
        for change in _changes(span)
    )


@of_bins
def date_comes_back(span: Span) -> bool:
    """When clocks go back across midnight, the calendar date goes back; that of our DAY bin does not."""
    return span.is_of_days and any(
        change.new_s // DAY_S < (change.old_s - 1) // DAY_S
        and change.repeated_date_begins_bin(span.granularity)
        for change in _changes(span)
    )


@of_bins
def clickhouse_has_other_rules(span: Span) -> bool:
    return _has_other_rules(CLICKHOUSE_OTHER_RULES, span)


@of_bins
def day_of_change_off_the_minute(span: Span) -> bool:
    """From such a change until midnight, ClickHouse applies a wrong offset."""
    return not span.is_of_days and any(change.is_off(MINUTE_S) for change in _changes(span, DAY_S))


@of_bins
def interval_counts_in_utc(span: Span) -> bool:
    """ClickHouse aligns quarter and half hours to UTC."""
    width_s = _BUCKETS.get(span.granularity)
    return width_s is not None and any(
        offset % width_s and not offset % MINUTE_S for offset in _offsets(span)
    )


@of_bins
def hour_counts_from_midnight(span: Span) -> bool:
    """After a change by a fraction of an hour, ClickHouse counts the hours of that day from midnight."""
    return span.granularity == reports_pb2.GRANULARITY_HOUR and any(
        change.is_off(HOUR_S) for change in _changes(span, DAY_S)
    )


def inet_is_an_extension(asked: Asked) -> bool:
    """DuckDB's address type is in an extension that its package does not include."""
    request = asked.request
    return isinstance(request, reports_pb2.QueryOriginationQualityRequest) and request.HasField(
        "auth_orig_ip"
    )


def rollup_of_nothing_has_no_total(asked: Asked) -> bool:
    request = asked.request
    return (
        isinstance(request, reports_pb2.QueryActiveSessionsRequest)
        and request.grouping == reports_pb2.GROUPING_ROLLUP
        and asked.row_count == 0
    )


DUCKDB: tuple[Predicate, ...] = (
    duckdb_has_other_rules,
    bucket_counts_from_2000,
    bucket_crosses_change,
    trunc_ignores_seconds_of_offset,
    trunc_joins_hours_of_one_name,
    trunc_takes_second_midnight,
    date_comes_back,
    inet_is_an_extension,
)
CLICKHOUSE: tuple[Predicate, ...] = (
    clickhouse_has_other_rules,
    day_of_change_off_the_minute,
    bucket_crosses_change,
    interval_counts_in_utc,
    hour_counts_from_midnight,
    date_comes_back,
    rollup_of_nothing_has_no_total,
)
