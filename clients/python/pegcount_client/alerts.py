"""Rules of a watch that alert, and their alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pegcount.v1 import traffic_pb2

from pegcount_client.arguments import Setter, fill
from pegcount_client.enums import AlertComparison, AlertState, member_of_number, number


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When a figure of a group alerts."""

    comparison: AlertComparison | str
    """ABOVE or BELOW."""
    threshold: float
    """What the figure compares with, in its unit."""
    metric: int = 0
    """Position of the figure in `metrics`."""
    clear_threshold: float | None = None
    """The alert ends where the figure no longer compares so with this one. Absent: `threshold`."""
    least_denominator: int | None = None
    """Calls that a bin must have for the figure to count; needed by shares, means and percentiles."""
    bins: int = 1
    """Complete bins in a row in which the figure must compare so."""

    def to_message(self) -> traffic_pb2.AlertRule:
        """Returns the rule as the contract has it; raises TypeError and ValueError."""
        message = traffic_pb2.AlertRule()
        fill(message, {name: getattr(self, name) for name in self.__slots__}, _RULE)
        return message


@dataclass(frozen=True, slots=True)
class TrafficAlert:
    """A rule whose state has changed for a group."""

    rule: int
    """Position of the rule in `rules`."""
    state: AlertState | str
    other: bool
    """Whether the group is all groups together that `top` left out."""
    keys: Mapping[str, int | str | None]
    """The group: the values of the dimensions by their names."""
    start_time: datetime | None
    """First instant of the bin that decided it, UTC; None without a complete bin."""
    value: int | float | Decimal | None
    """The figure in this bin; None where there is none."""
    denominator: int | None
    """What it divides by in this bin; None for other figures."""


def alert_of(message: traffic_pb2.Alert, dimensions: Sequence[str]) -> TrafficAlert:
    """Returns an alert of the contract; `dimensions` are the names of those of the query."""
    keys: list[Any] = [_key(key) for key in message.group.keys] or [None] * len(dimensions)
    return TrafficAlert(
        rule=message.rule,
        state=member_of_number(AlertState, message.state),
        other=message.group.other,
        keys=dict(zip(dimensions, keys, strict=True)),
        start_time=datetime.fromtimestamp(message.t, UTC) if message.HasField("t") else None,
        value=_value(message.value),
        denominator=message.denominator if message.HasField("denominator") else None,
    )


def rule_of(name: str, value: object) -> traffic_pb2.AlertRule:
    """Returns the message of a rule; raises TypeError for anything else."""
    if not isinstance(value, AlertRule):
        example = 'AlertRule(comparison="BELOW", threshold=40, least_denominator=50)'
        raise TypeError(f"{name} has rules, such as {example}, not {value!r}")
    return value.to_message()


def _key(key: traffic_pb2.TrafficKey) -> int | str | None:
    if key.HasField("integer"):
        return key.integer
    return key.text if key.HasField("text") else None


def _value(value: traffic_pb2.TrafficValue) -> int | float | Decimal | None:
    if value.HasField("integer"):
        return value.integer
    if value.HasField("number"):
        return value.number
    return Decimal(value.decimal) if value.HasField("decimal") else None


def _comparison(name: str, value: Any) -> int:
    return number(AlertComparison, value, what=name)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {value!r}")
    return float(value)


_RULE: Final[Mapping[str, Setter]] = {
    "comparison": _comparison,
    "threshold": _number,
    "clear_threshold": _number,
}
