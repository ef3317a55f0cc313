"""One answer to the traffic question as columns, which can be compared with another one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pegcount.v1 import traffic_pb2

_NO_INTEGER: Final = -1


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one figure: whole numbers, doubles, or decimal texts."""

    kind: str
    """The list of `TrafficColumn` that has them."""
    cells: NDArray[Any]
    """Shape (groups, bins)."""
    group_totals: NDArray[Any]
    """Shape (groups,)."""
    totals: NDArray[Any]
    """Shape (1,)."""

    def numbers(self, bin_count: int) -> NDArray[np.float64]:
        """Returns the cells of the first bins as doubles, NaN where none is known."""
        cells = self.cells[:, :bin_count]
        if self.kind == "decimals":
            return np.array([[float(text) if text else np.nan for text in row] for row in cells]).reshape(
                cells.shape
            )
        numbers = cells.astype(np.float64)
        if self.kind == "integers":
            numbers[cells == _NO_INTEGER] = np.nan
        return numbers


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One answer."""

    number: int
    """Ascends from state to state of a query."""
    as_of: str
    """Its instant, RFC 3339 in the request's zone."""
    t: NDArray[np.int64]
    """First instant of each bin, Unix seconds, ascending."""
    covered_us: NDArray[np.int64]
    complete: NDArray[np.bool_]
    groups: tuple[bytes, ...]
    """Serialized `TrafficGroup`s."""
    columns: tuple[Column, ...]
    """Those of the request."""
    denominators: tuple[Column, ...]
    """Those that the service has added."""
    answer: traffic_pb2.QueryTrafficResponse
    """What the request asked for. Not changed any more."""
    _snapshot: list[bytes] = field(default_factory=list)
    _told: "list[State]" = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def complete_count(self) -> int:
        """The number of complete bins, which come first."""
        return int(self.complete.sum())

    @property
    def latest_setup_time(self) -> str | None:
        """The latest setup time of all records held; None if nobody may know."""
        return self.answer.latest_setup_time if self.answer.HasField("latest_setup_time") else None

    def snapshot(self) -> bytes:
        """Returns the serialized answer, which is made at the first call. Thread-safe."""
        with self._lock:
            if not self._snapshot:
                self._snapshot.append(self.answer.SerializeToString())
        return self._snapshot[0]

    def told(self) -> "State":
        """Returns what a later state is compared with: the columns without the answer. Thread-safe.

        Each watcher may hold another old state, so that it must be small.
        """
        with self._lock:
            if not self._told:
                rest = traffic_pb2.QueryTrafficResponse(
                    group_count=self.answer.group_count, notices=self.answer.notices
                )
                self._told.append(replace(self, answer=rest, _snapshot=[], _told=[], _lock=Lock()))
        return self._told[0]


def state_of(data: bytes, number: int, column_count: int) -> State:
    """Returns the state of a serialized answer whose first columns are those of the request."""
    answer = traffic_pb2.QueryTrafficResponse.FromString(data)
    shape = len(answer.groups), len(answer.t)
    columns = [
        _column(shape, *each) for each in zip(answer.columns, answer.group_totals, answer.totals, strict=True)
    ]
    for name in ("columns", "group_totals", "totals"):
        del getattr(answer, name)[column_count:]
    return State(
        number,
        answer.range.to_time,
        np.array(answer.t, dtype=np.int64),
        np.array(answer.covered_us, dtype=np.int64),
        np.array(answer.complete, dtype=np.bool_),
        tuple(group.SerializeToString(deterministic=True) for group in answer.groups),
        tuple(columns[:column_count]),
        tuple(columns[column_count:]),
        answer,
    )


def places_in(wanted: Sequence[Any], known: Iterable[Any]) -> NDArray[np.int64]:
    """Returns where each wanted value is among some known, distinct ones; -1 where it is not."""
    place_of = {value: place for place, value in enumerate(known)}
    return np.array([place_of.get(value, -1) for value in wanted], dtype=np.int64)


def _column(
    shape: tuple[int, int],
    cells: traffic_pb2.TrafficColumn,
    groups: traffic_pb2.TrafficColumn,
    totals: traffic_pb2.TrafficColumn,
) -> Column:
    kind = _kind(cells, totals)
    return Column(kind, _values(cells, kind).reshape(shape), _values(groups, kind), _values(totals, kind))


def _kind(cells: traffic_pb2.TrafficColumn, totals: traffic_pb2.TrafficColumn) -> str:
    """Returns which list of a column has its values; without any, it does not matter which."""
    for column in (cells, totals):
        for name in ("doubles", "decimals"):
            if getattr(column, name):
                return name
    return "integers"


def _values(column: traffic_pb2.TrafficColumn, kind: str) -> NDArray[Any]:
    values = getattr(column, kind)
    if kind == "decimals":
        found = np.empty(len(values), dtype=object)
        found[:] = list(values)
        return found
    return np.array(values, dtype=np.int64 if kind == "integers" else np.float64)
