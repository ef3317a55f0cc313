"""The earlier range of a comparison, its bins, and the changes of figures."""

import calendar as months
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, TrafficChange, TrafficColumn

from oracle import calendar, window

from .occupancy import Span

_LOCAL_DATES = (reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_WEEK, reports_pb2.GRANULARITY_MONTH)
_DAYS = {traffic_pb2.COMPARISON_DAY: 1, traffic_pb2.COMPARISON_WEEK: 7}
_MONTHS = {traffic_pb2.COMPARISON_MONTH: 1, traffic_pb2.COMPARISON_YEAR: 12}

Move = Callable[[date], date]
Label = tuple[date, int, bool]
"""What the local clock shows: the date, the seconds since midnight, and whether for the second time."""


@dataclass(frozen=True)
class Earlier:
    """The earlier range, the edges of its calendar bins, and the earlier bin of each bin of the answer."""

    range: Span
    edges: Sequence[int]
    pair: Sequence[int | None]


def earlier(
    request: QueryTrafficRequest,
    asked: window.Window,
    edges: Sequence[int],
    end_us: int,
    bin_count_max: int,
) -> Earlier:
    """Returns the earlier range of a request that compares, whose own bins have some edges.

    Raises TooManyBins.
    """
    zone, move = asked.zone, _move(request, asked)
    length_us = asked.to_us - asked.from_us

    def moved(instant_us: int) -> int:
        return instant_us - length_us if move is None else moved_us(zone, instant_us, move)

    range_ = moved(asked.from_us), moved(end_us)
    if range_[0] >= range_[1]:
        return Earlier(range_, [], [None] * (len(edges) - 1))
    if not request.granularity:
        return Earlier(range_, range_, [0] if edges else [])
    then = calendar.edges(zone, request.granularity, *range_, bin_count_max)
    if not edges:
        return Earlier(range_, then, [])
    if move is None:
        starts: list[object] = [edge - length_us for edge in edges[:-1]]
        pair = _pair(starts, then[:-1])
    else:
        labels = [_label(zone, request.granularity, edge) for edge in edges[:-1]]
        pair = _pair(
            [(move(day), seconds, is_second) for day, seconds, is_second in labels],
            [_label(zone, request.granularity, edge) for edge in then[:-1]],
        )
    # No earlier bin belongs to two.
    if edges[0] < asked.from_us and then[0] < range_[0] and 0 not in pair:
        pair[0] = 0
    if edges[-1] > end_us and then[-1] > range_[1] and len(then) - 2 not in pair:
        pair[-1] = len(then) - 2
    return Earlier(range_, then, pair)


def _pair(starts: Sequence[object], earlier_starts: Sequence[object]) -> list[int | None]:
    places = {start: place for place, start in enumerate(earlier_starts)}
    return [places.get(start) for start in starts]


def _move(request: QueryTrafficRequest, asked: window.Window) -> Move | None:
    """Returns how dates move, None if the range moves by its length."""
    if request.compare in _MONTHS:
        return lambda day: _months_before(day, _MONTHS[request.compare])
    if request.compare in _DAYS:
        return lambda day: day - timedelta(days=_DAYS[request.compare])
    first, last = (calendar.date_of(asked.zone, each) for each in (asked.from_us, asked.to_us))
    starts = (calendar.day_start(asked.zone, first), calendar.day_start(asked.zone, last))
    if starts != (asked.from_us, asked.to_us):
        return None
    return lambda day: day - (last - first)


def _months_before(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def moved_us(zone: str, instant_us: int, move: Move) -> int:
    """Returns an instant with the same local time on another date, the second of two from the second."""
    day = calendar.date_of(zone, instant_us)
    if calendar.day_start(zone, day) == instant_us:
        return calendar.day_start(zone, move(day))
    instant_s, part_us = divmod(instant_us, calendar.MICROSECONDS)
    day, second_of_day, is_second = _shown(zone, instant_s)
    local_s = calendar.seconds_of_date(move(day)) + second_of_day
    first_s = calendar.local_to_utc_s(zone, local_s)
    found_s = (_second_time(zone, local_s, first_s) if is_second else None) or first_s
    return found_s * calendar.MICROSECONDS + part_us


def _shown(zone: str, instant_s: int) -> Label:
    local_s = instant_s + calendar.offset_s(zone, instant_s)
    days, second_of_day = divmod(local_s, calendar.DAY_S)
    first_s = calendar.local_to_utc_s(zone, local_s)
    return calendar.EPOCH_DATE + timedelta(days=days), second_of_day, first_s < instant_s


def _second_time(zone: str, local_s: int, first_s: int) -> int | None:
    """Returns the second instant at which the clock shows a time, None if it shows it once."""
    for start, end, offset in calendar.pieces(zone, first_s, first_s + calendar.DAY_S):
        if start <= local_s - offset < end and local_s - offset > first_s:
            return local_s - offset
    return None


def _label(zone: str, granularity: int, edge_us: int) -> Label:
    if granularity in _LOCAL_DATES:
        return calendar.date_of(zone, edge_us), 0, False
    return _shown(zone, edge_us // calendar.MICROSECONDS)


def rearrange(now: TrafficColumn, then: TrafficColumn, pair: Sequence[int | None], width: int) -> None:
    """Replaces the values of `width` earlier bins by those that belong to the bins of the answer.

    Unpaired bins have none.
    """
    for name, nothing in (("integers", -1), ("doubles", math.nan), ("decimals", "")):
        values: Any = getattr(then, name)
        group_count = len(getattr(now, name)) // max(1, len(pair))
        rows = [values[group * width : (group + 1) * width] for group in range(group_count)]
        del values[:]
        values.extend(nothing if at is None else row[at] for row in rows for at in pair)


def change(now: TrafficColumn, then: TrafficColumn) -> TrafficChange:
    """Returns the changes of the values of a figure in percent."""
    is_instant = now.metric.metric == traffic_pb2.TRAFFIC_METRIC_PEAK_AT
    pairs = zip(_values(now), _values(then), strict=True)
    return TrafficChange(percent=[math.nan if is_instant else _percent(*pair) for pair in pairs])


def _percent(now: Fraction | float | None, then: Fraction | float | None) -> float:
    return math.nan if now is None or not then else float(100 * (now - then) / then)


def _values(column: TrafficColumn) -> list[Fraction | float | None]:
    """Whole numbers and amounts are exact; doubles are computed with as such."""
    return [
        *(None if value == -1 else Fraction(value) for value in column.integers),
        *(None if math.isnan(value) else value for value in column.doubles),
        *(Fraction(text) if text else None for text in column.decimals),
    ]
