"""The hours that count, by what the local clock shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pegcount.v1 import traffic_pb2

from oracle import calendar

from .occupancy import Span

_MINUTES_OF_DAY = 24 * 60


def is_open(hours: traffic_pb2.OpenHours, zone: str, instant_us: int) -> bool:
    """Returns whether the local clock shows a time of the hours, on the date on which they begin."""
    instant_s = instant_us // calendar.MICROSECONDS
    local = calendar.EPOCH + timedelta(seconds=instant_s + calendar.offset_s(zone, instant_s))
    opens, closes = minutes_of(hours.from_time), minutes_of(hours.to_time)
    minute = local.hour * 60 + local.minute
    if opens < closes:
        return opens <= minute < closes and _counts(hours, local.date())
    yesterday = local.date() - timedelta(days=1)
    return (minute >= opens and _counts(hours, local.date())) or (
        minute < closes and _counts(hours, yesterday)
    )


def _counts(hours: traffic_pb2.OpenHours, day: date) -> bool:
    dates = map(calendar.parse_date, hours.excluded_dates)
    return day.isoweekday() in (hours.weekdays or range(1, 8)) and day not in dates


def minutes_of(text: str) -> int:
    """Returns the minutes from midnight of `HH:MM`."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@dataclass(frozen=True)
class Opening:
    """The hours of a request over a range."""

    hours: traffic_pb2.OpenHours
    zone: str

    def spans(self, range_: Span) -> list[Span]:
        """Returns the open parts of a range, ascending and apart."""
        found: list[Span] = []
        start = range_[0]
        for cut in [*self._cuts(range_), range_[1]]:
            if start < cut and is_open(self.hours, self.zone, start):
                if found and found[-1][1] == start:
                    start = found.pop()[0]
                found.append((start, cut))
            start = max(start, cut)
        return found

    def _cuts(self, range_: Span) -> Iterator[int]:
        """Yields the instants within a range at which it may begin or end to be open, ascending."""
        minutes = [minutes_of(text) for text in (self.hours.from_time, self.hours.to_time)]
        first_s, last_s = range_[0] // calendar.MICROSECONDS, -(-range_[1] // calendar.MICROSECONDS)
        cuts = set[int]()
        for start, end, offset in calendar.pieces(self.zone, first_s, last_s):
            cuts.add(start)
            for day in range((start + offset) // calendar.DAY_S, (end + offset) // calendar.DAY_S + 1):
                cuts.update(day * calendar.DAY_S + 60 * minute - offset for minute in (0, *minutes))
        instants = sorted(cut * calendar.MICROSECONDS for cut in cuts)
        yield from (cut for cut in instants if range_[0] < cut < range_[1])
