"""The parts of a traffic question: figures with their parameters, groups, filters, which groups to return."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final

from pegcount.v1 import traffic_pb2

from pegcount_client.arguments import Setter, fill, items_of, whole_number
from pegcount_client.enums import Occupancy, TrafficDimension, TrafficMetric, number
from pegcount_client.filters import TextFilter
from pegcount_client.times import Day, day_text

TEXT_DIMENSIONS: Final = frozenset(
    {
        *("SOURCE", "ACCOUNT_ID", "EQUIPMENT_NAME", "SRC_PREFIX", "DST_PREFIX", "COMPANY", "ORGANIZATION"),
        *("FOLDER", "AGENT_ID", "CURRENCY", "VENDOR_CURRENCY"),
        *(f"{leg}_{name}" for leg in ("ORIG", "TERM") for name in ("CLIENTS_NAME", "ACCOUNTS_NAME")),
        *(f"{leg}_RATES_{name}" for leg in ("ORIG", "TERM") for name in ("CODE", "CODE_NAME", "COUNTRY")),
    }
)
"""Dimensions whose values are texts; those of the others are whole numbers."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with the parameters that it takes; one without any can be given by its name alone."""

    metric: TrafficMetric | str
    threshold_ms: int | None = None
    """Milliseconds, for SHORT_CALLS, SHORT_SHARE and ANSWERED_WITHIN."""
    percentile: int | None = None
    """1 to 99, for the percentiles."""
    causes: Iterable[int] | None = None
    """Release causes, for CALLS_WITH_CAUSE, DELIVERED and NER."""
    occupancy: Occupancy | str | None = None
    """When a call occupies a line, for OCCUPIED_US, ERLANG, PEAK and PEAK_AT. Absent: TALK."""

    def to_message(self) -> traffic_pb2.MetricSpec:
        """Returns the figure as the contract has it; raises TypeError and ValueError."""
        message = traffic_pb2.MetricSpec()
        names = ("metric", "threshold_ms", "percentile", "causes", "occupancy")
        fill(message, {name: getattr(self, name) for name in names}, _METRIC)
        return message


@dataclass(frozen=True, slots=True)
class GroupBy:
    """A dimension with the parameters that it takes; one without any can be given by its name alone."""

    dimension: TrafficDimension | str
    digits: int | None = None
    """Digits of the number that SRC_PREFIX and DST_PREFIX keep, 1 to 8."""
    code_deck: int | None = None
    """Id of the code deck whose codes SRC_PREFIX and DST_PREFIX are, or whose rates `*_RATES_*` are."""

    def to_message(self) -> traffic_pb2.GroupSpec:
        """Returns the dimension as the contract has it; raises TypeError and ValueError."""
        message = traffic_pb2.GroupSpec()
        values = {name: getattr(self, name) for name in ("dimension", "digits", "code_deck")}
        fill(message, values, {"dimension": _dimension})
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A condition on one dimension: a call satisfies it if one of what is given holds."""

    dimension: TrafficDimension | str
    integers: Iterable[int] | None = None
    """The value is one of these."""
    texts: Iterable[str] | None = None
    """The value is one of these; a number begins with one."""
    text: TextFilter | None = None
    low: int | None = None
    """The value is at least this, and at most `high` if that is given."""
    high: int | None = None
    absent: bool | None = None
    """True: calls without a value satisfy it, too."""
    negate: bool | None = None
    """True: it holds for the calls that do not satisfy it."""
    code_deck: int | None = None

    def to_message(self) -> traffic_pb2.TrafficFilter:
        """Returns the condition as the contract has it; raises TypeError and ValueError."""
        message = traffic_pb2.TrafficFilter()
        names = ("dimension", "integers", "texts", "text", "absent", "negate", "code_deck")
        values = {name: getattr(self, name) for name in names}
        fill(message, values, {"dimension": _dimension, "text": _text})
        if self.low is not None or self.high is not None:
            fill(message.range, {"low": self.low, "high": self.high}, {})
        return message


@dataclass(frozen=True, slots=True)
class Top:
    """Which groups an answer has: those of the greatest values of a figure over the whole range."""

    limit: int
    """Groups to return at most."""
    metric: int = 0
    """Position of the figure in `metrics`."""
    ascending: bool = False
    """Whether the least values come first."""
    other: bool = False
    """Whether all other groups together are one more."""

    def to_message(self) -> traffic_pb2.TopSpec:
        """Returns the choice as the contract has it; raises TypeError and ValueError."""
        message = traffic_pb2.TopSpec()
        names = ("limit", "metric", "ascending", "other")
        fill(message, {name: getattr(self, name) for name in names}, {})
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHours:
    """The hours that count: on each date of these weekdays, from a local time until another one."""

    from_time: time | str
    """Start of the hours: a `datetime.time` in whole minutes, or `HH:MM`."""
    to_time: time | str
    """Their end, also `24:00`; if it is not after `from_time`, it is that of the next date."""
    weekdays: Iterable[int] | None = None
    """1 (Monday) to 7 (Sunday). Absent: all."""
    excluded_dates: Iterable[Day] | None = None
    """Dates that are left out."""

    def to_message(self) -> traffic_pb2.OpenHours:
        """Returns the hours as the contract has them; raises TypeError and ValueError."""
        message = traffic_pb2.OpenHours()
        names = ("weekdays", "from_time", "to_time", "excluded_dates")
        fill(message, {name: getattr(self, name) for name in names}, _OPEN_HOURS)
        return message


def metric_of(name: str, value: object) -> traffic_pb2.MetricSpec:
    """Returns the message of a figure, given with its parameters or by its name."""
    if isinstance(value, Metric):
        return value.to_message()
    return traffic_pb2.MetricSpec(metric=_metric(name, value))


def group_of(name: str, value: object) -> traffic_pb2.GroupSpec:
    """Returns the message of a dimension to group by, given with its parameters or by its name."""
    if isinstance(value, GroupBy):
        return value.to_message()
    return traffic_pb2.GroupSpec(dimension=_dimension(name, value))


def filter_of(name: str, value: object) -> traffic_pb2.TrafficFilter:
    """Returns the message of a condition; raises TypeError for anything else."""
    if not isinstance(value, Where):
        raise TypeError(
            f'{name} has conditions, such as Where(dimension="COMPANY", texts=["acme"]), not {value!r}'
        )
    return value.to_message()


def top_of(name: str, value: object) -> traffic_pb2.TopSpec:
    """Returns the message of a choice of groups, given as such or as their number."""
    return value.to_message() if isinstance(value, Top) else Top(whole_number(name, value)).to_message()


def open_hours_of(name: str, value: object) -> traffic_pb2.OpenHours:
    """Returns the message of open hours; raises TypeError for anything else."""
    if not isinstance(value, OpenHours):
        example = 'OpenHours(from_time="08:00", to_time="18:00", weekdays=range(1, 6))'
        raise TypeError(f"{name} takes hours, such as {example}, not {value!r}")
    return value.to_message()


def _metric(name: str, value: Any) -> Any:
    return number(TrafficMetric, value, what=name)


def _dimension(name: str, value: Any) -> Any:
    return number(TrafficDimension, value, what=name)


def _occupancy(name: str, value: Any) -> Any:
    return number(Occupancy, value, what=name)


def _time_of_day(name: str, value: object) -> str:
    """Returns `HH:MM`; raises ValueError for a time with seconds, and TypeError for another type."""
    if isinstance(value, str):
        return value
    if not isinstance(value, time):
        raise TypeError(f'{name} is a time of day, such as "08:00" or datetime.time(8), not {value!r}')
    if value.second or value.microsecond or value.tzinfo is not None:
        raise ValueError(
            f"{name} is a local time in whole minutes, not {value.isoformat()};"
            " next step: leave out seconds and zone, as the request has the zone"
        )
    return value.isoformat("minutes")


def _dates(name: str, value: object) -> list[str]:
    return [day_text(each, what=name) for each in items_of(name, value)]  # type: ignore[arg-type]


def _text(name: str, value: object) -> object:
    if not isinstance(value, TextFilter):
        raise TypeError(f"{name} takes a TextFilter, not {value!r}; next step: TextFilter(eq={value!r})")
    return value.to_message()


_METRIC: Final[Mapping[str, Setter]] = {"metric": _metric, "occupancy": _occupancy}
_OPEN_HOURS: Final[Mapping[str, Setter]] = {
    "from_time": _time_of_day,
    "to_time": _time_of_day,
    "excluded_dates": _dates,
}
