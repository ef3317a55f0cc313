"""What changed from one state of an answer to a later one."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pegcount.server.watching.states import State, places_in
from pegcount.v1.traffic_pb2 import TrafficCell, TrafficUpdate, TrafficValue, WatchTrafficResponse

_CELL_BYTES: Final = 12
"""Bytes of a cell of an update beside its group and its values, at most."""
_VALUE_BYTES: Final = 6
"""Bytes of a value of an update, at least."""


def message_of(told: State | None, state: State, *, always: bool = False) -> bytes:
    """Returns the serialized part of a message that tells a state to who knows an earlier one.

    It has neither revision nor alerts. Empty if nothing changed but how much of the present bin is covered;
    with `always`, what changed of that, too, and the instant of the state.
    """
    message = WatchTrafficResponse(as_of=state.as_of, latest_setup_time=state.latest_setup_time)
    update = None if told is None else _update(told, state)
    if told is None or update is None:
        message.snapshot.MergeFromString(state.snapshot())
        return bytes(message.SerializeToString())
    if _changes(told, state, update):
        message.update.CopyFrom(update)
    elif not always:
        return b""
    elif not np.array_equal(told.covered_us, state.covered_us):
        message.update.CopyFrom(update)
    return bytes(message.SerializeToString())


def value_of(kind: str, value: Any) -> TrafficValue:
    """Returns a value of a column, empty if there is none."""
    if kind == "integers":
        return TrafficValue() if value == -1 else TrafficValue(integer=int(value))
    if kind == "doubles":
        return TrafficValue() if np.isnan(value) else TrafficValue(number=float(value))
    return TrafficValue(decimal=value) if value else TrafficValue()


def _update(told: State, state: State) -> TrafficUpdate | None:
    """Returns an update, None if the whole answer is smaller, or an update could not tell it."""
    if told.groups and not state.groups:
        # Without groups, an update says that they are as before.
        return None
    changed = _changed_cells(told, state)
    changed_groups = _changed_groups(told, state)
    cell_count = int(changed.sum()) + int(changed_groups.sum())
    group_bytes = sum(map(len, state.groups)) // max(1, len(state.groups))
    if cell_count * (_CELL_BYTES + group_bytes + _VALUE_BYTES * len(state.columns)) > len(state.snapshot()):
        return None
    update = TrafficUpdate(
        t=state.answer.t,
        covered_us=state.answer.covered_us,
        complete=state.answer.complete,
        groups=() if told.groups == state.groups else state.answer.groups,
        group_count=state.answer.group_count,
        notices=state.answer.notices,
    )
    for group, place in zip(*changed.nonzero(), strict=True):
        values = [(column.kind, column.cells[group, place]) for column in state.columns]
        _add_cell(update.cells.add(), state.groups[group], int(state.t[place]), values)
    for group in changed_groups.nonzero()[0]:
        values = [(column.kind, column.group_totals[group]) for column in state.columns]
        _add_cell(update.cells.add(), state.groups[group], None, values)
    if any(_differs(*each)[0] for each in zip(_totals(told), _totals(state), strict=True)):
        _add_cell(update.total, None, None, [(column.kind, column.totals[0]) for column in state.columns])
    return update


def _changes(told: State, state: State, update: TrafficUpdate) -> bool:
    """Returns whether an update says more than how much of the bins is covered."""
    return (
        bool(update.cells or update.groups)
        or update.HasField("total")
        or told.answer.group_count != state.answer.group_count
        or not np.array_equal(told.t, state.t)
        or not np.array_equal(told.complete, state.complete)
        or list(told.answer.notices) != list(state.answer.notices)
    )


def _changed_cells(told: State, state: State) -> NDArray[np.bool_]:
    """Returns which cells of a state are new or changed, shape (groups, bins)."""
    groups, bins = _places(told.groups, state.groups), _places(told.t.tolist(), state.t.tolist())
    is_new = (groups < 0)[:, None] | (bins < 0)[None, :]
    changed = is_new.copy()
    for before, after in zip(told.columns, state.columns, strict=True):
        if before.cells.size and after.cells.size:
            changed |= _differs(before.cells[np.ix_(groups, bins)], after.cells) & ~is_new
    return changed


def _changed_groups(told: State, state: State) -> NDArray[np.bool_]:
    """Returns which groups of a state are new, or have a changed value over the whole range."""
    groups = _places(told.groups, state.groups)
    changed = groups < 0
    for before, after in zip(told.columns, state.columns, strict=True):
        if len(before.group_totals) and len(after.group_totals):
            changed |= _differs(before.group_totals[groups], after.group_totals)
    return changed


def _places(known: Sequence[Any], wanted: Sequence[Any]) -> NDArray[np.int64]:
    return np.arange(len(wanted)) if known == wanted else places_in(wanted, known)


def _differs(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns where two arrays differ; two NaN do not."""
    if before.dtype != after.dtype:
        # Without a value, a column of texts looks like one of numbers.
        return np.ones(after.shape, dtype=np.bool_)
    differs = np.asarray(before != after, dtype=np.bool_)
    if after.dtype == np.float64:
        differs &= ~(np.isnan(before) & np.isnan(after))
    return differs


def _totals(state: State) -> list[NDArray[Any]]:
    return [column.totals for column in state.columns]


def _add_cell(
    cell: TrafficCell, group: bytes | None, t: int | None, values: Sequence[tuple[str, Any]]
) -> None:
    if group is not None:
        cell.group.MergeFromString(group)
    if t is not None:
        cell.t = t
    cell.values.extend(value_of(kind, value) for kind, value in values)
