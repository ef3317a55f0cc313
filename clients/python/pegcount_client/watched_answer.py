"""The whole present answer of a watch, from its messages."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from pegcount.v1.traffic_pb2 import (
    ALERT_STATE_FIRING,
    Alert,
    QueryTrafficResponse,
    TrafficCell,
    TrafficGroup,
    TrafficUpdate,
    TrafficValue,
    WatchTrafficResponse,
)

from pegcount_client.times import UnknownZoneError, zone_named

_Plain: TypeAlias = int | float | str
_Group: TypeAlias = bytes
"""A serialized `TrafficGroup`."""
_LISTS: Final = ("doubles", "decimals", "integers")
_NONE: Final[dict[str, _Plain]] = {"integers": -1, "doubles": math.nan, "decimals": ""}


class WatchedAnswer:
    """What the messages of one stream come to; a snapshot begins anew."""

    def __init__(self) -> None:
        self._base = QueryTrafficResponse()
        self._kinds: list[str] = []
        self._groups: list[_Group] = []
        self._cells: dict[tuple[_Group, int], list[_Plain]] = {}
        self._group_totals: dict[_Group, list[_Plain]] = {}
        self._totals: list[_Plain] = []
        self._firing: dict[tuple[int, _Group], Alert] = {}
        self.as_of_text = ""
        """The instant of the answer, RFC 3339; "" before the first message."""

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that fire, by rule in the order in which they began."""
        return tuple(self._firing.values())

    def begin(self) -> None:
        """Forgets which alerts fire, as the first message of a stream tells all that do."""
        self._firing = {}

    def take(self, message: WatchTrafficResponse) -> None:
        """Takes the next message of the stream."""
        self.as_of_text = message.as_of
        if message.HasField("snapshot"):
            self._take_snapshot(message.snapshot)
        elif message.HasField("update"):
            self._take_update(message.update)
        self._take_times(message)
        for alert in message.alerts:
            key = alert.rule, _key(alert.group)
            self._firing.pop(key, None)
            if alert.state == ALERT_STATE_FIRING:
                self._firing[key] = alert

    def response(self) -> QueryTrafficResponse:
        """Returns the answer that `QueryTraffic` would have given at this instant."""
        answer = QueryTrafficResponse()
        answer.CopyFrom(self._base)
        for number, kind in enumerate(self._kinds):
            of_column = getattr(answer.columns[number], kind)
            of_column.extend(
                self._cells[group, unix_s][number] for group in self._groups for unix_s in answer.t
            )
            of_groups = getattr(answer.group_totals[number], kind)
            of_groups.extend(self._group_totals[group][number] for group in self._groups)
            getattr(answer.totals[number], kind).append(self._totals[number])
        return answer

    def _take_snapshot(self, snapshot: QueryTrafficResponse) -> None:
        self._base = QueryTrafficResponse()
        self._base.CopyFrom(snapshot)
        self._kinds = [_kind(column) for column in snapshot.totals]
        self._groups = [_key(group) for group in snapshot.groups]
        columns = [
            list(getattr(column, kind)) for column, kind in zip(snapshot.columns, self._kinds, strict=True)
        ]
        places = [(group, unix_s) for group in self._groups for unix_s in snapshot.t]
        self._cells = {
            place: list(values) for place, values in zip(places, zip(*columns, strict=True), strict=True)
        }
        of_groups = [
            getattr(column, kind) for column, kind in zip(snapshot.group_totals, self._kinds, strict=True)
        ]
        self._group_totals = {
            group: list(values)
            for group, values in zip(self._groups, zip(*of_groups, strict=True), strict=True)
        }
        self._totals = [
            getattr(column, kind)[0] for column, kind in zip(snapshot.totals, self._kinds, strict=True)
        ]
        for column in (*self._base.columns, *self._base.group_totals, *self._base.totals):
            for name in _LISTS:
                column.ClearField(name)

    def _take_update(self, update: TrafficUpdate) -> None:
        base = self._base
        for name in ("t", "covered_us", "complete", "notices"):
            base.ClearField(name)
            getattr(base, name).extend(getattr(update, name))
        if update.groups:
            base.ClearField("groups")
            base.groups.extend(update.groups)
            self._groups = [_key(group) for group in update.groups]
        base.group_count = update.group_count
        for cell in update.cells:
            values = self._values(cell)
            if cell.HasField("t"):
                self._cells[_key(cell.group), cell.t] = values
            else:
                self._group_totals[_key(cell.group)] = values
        if update.HasField("total"):
            self._totals = self._values(update.total)
        self._drop_what_is_gone()

    def _take_times(self, message: WatchTrafficResponse) -> None:
        base = self._base
        base.range.to_time = base.range.generated_at = message.as_of
        if base.t and not message.HasField("snapshot"):
            base.range.from_time = _time_text(base.t[0], base.range.time_zone)
        base.ClearField("latest_setup_time")
        if message.HasField("latest_setup_time"):
            base.latest_setup_time = message.latest_setup_time

    def _drop_what_is_gone(self) -> None:
        groups, bins = set(self._groups), set(self._base.t)
        self._cells = {
            place: values for place, values in self._cells.items() if place[0] in groups and place[1] in bins
        }
        self._group_totals = {group: self._group_totals[group] for group in self._groups}

    def _values(self, cell: TrafficCell) -> list[_Plain]:
        return list(_plain_values(cell.values, self._kinds))


def _plain_values(values: Sequence[TrafficValue], kinds: Sequence[str]) -> Iterator[_Plain]:
    for value, kind in zip(values, kinds, strict=True):
        if value.HasField("integer"):
            yield value.integer
        elif value.HasField("number"):
            yield value.number
        else:
            yield value.decimal or _NONE[kind]


def _time_text(unix_s: int, time_zone: str) -> str:
    """Returns an instant as the server writes it, in UTC if this machine does not know the zone."""
    try:
        zone = zone_named(time_zone)
    except UnknownZoneError:
        zone = UTC
    moment = datetime.fromtimestamp(unix_s, zone)
    return moment.isoformat() if moment.utcoffset() else f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _key(group: TrafficGroup) -> _Group:
    return group.SerializeToString(deterministic=True)


def _kind(column: object) -> str:
    """Returns the list that has the one value of a total."""
    return next((name for name in _LISTS if getattr(column, name)), "integers")
