"""A column of a report: plain values of one kind, whatever they are converted to later."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from pegcount_client.times import zone_named, zoned_time

Value: TypeAlias = Any
"""A value of a row: datetime, date, int, float, str, bool or None, as the kind of its column says."""


class Kind(Enum):
    """What a column holds; it determines the type of the column in every kind of frame."""

    TIME = "time"
    """Instants as microseconds since 1970 UTC; None where there is none."""
    DATE = "date"
    """Days as `datetime.date`."""
    COUNT = "count"
    """Whole numbers, one in each row."""
    ID = "id"
    """Whole numbers; None where there is none."""
    RATIO = "ratio"
    """Floats; NaN where there is none, such as a ratio with the denominator 0."""
    TEXT = "text"
    """Texts; None where there is none."""
    FLAG = "flag"
    """True or false."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its values as `Kind` describes them. `time_zone` is that of a TIME column."""

    name: str
    kind: Kind
    values: tuple[Any, ...]
    time_zone: str = "UTC"

    def row_values(self) -> list[Value]:
        """Returns the values as rows show them: times in the zone, None for what is absent.

        Raises UnknownZoneError for times in a zone that this machine does not know.
        """
        if self.kind is Kind.TIME:
            return self._times()
        if self.kind is Kind.RATIO:
            return [None if math.isnan(value) else value for value in self.values]
        return list(self.values)

    def row_value(self, index: int) -> Value:
        """Returns one value as rows show it; errors as those of `row_values`, IndexError beyond the end."""
        one = Column(self.name, self.kind, (self.values[index],), self.time_zone)
        return one.row_values()[0]

    def part(self, rows: slice) -> "Column":
        """Returns the column with some of its rows."""
        return Column(self.name, self.kind, self.values[rows], self.time_zone)

    def _times(self) -> list[Value]:
        # Without a time, such as in a total, the zone may be unknown.
        zone = zone_named(self.time_zone) if any(value is not None for value in self.values) else None
        return [None if value is None or zone is None else zoned_time(value, zone) for value in self.values]
