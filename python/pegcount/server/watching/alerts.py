"""Rules of a watch, and which of them alert for which group.

A rule goes through the complete bins of the answer, first to last. It begins to fire at the bin that is the
last of `bins` in a row which compare with its threshold, and ends at one that no longer compares with
`clear_threshold`. A bin without enough calls, without a value, or outside the open hours interrupts a row and
ends nothing. What a rule came to before the first bin of the answer is kept as bins leave it; all later bins
are looked at again each time, so that late records count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pegcount.request import DENOMINATORS, AlertRule, denominators_of
from pegcount.server.watching.changes import value_of
from pegcount.server.watching.states import State, places_in
from pegcount.v1.traffic_pb2 import (
    ALERT_STATE_FIRING,
    ALERT_STATE_NO_DATA,
    ALERT_STATE_RESOLVED,
    ALERT_STATE_UNSPECIFIED,
    Alert,
    AlertState,
    TrafficGroup,
)

_UNKNOWN: Final = int(ALERT_STATE_UNSPECIFIED)
_FIRING: Final = int(ALERT_STATE_FIRING)
_NO_DATA: Final = int(ALERT_STATE_NO_DATA)
_RESOLVED: Final = int(ALERT_STATE_RESOLVED)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a rule came to at some bin, by group."""

    is_firing: NDArray[np.bool_]
    row: NDArray[np.int64]
    """Bins in a row up to here that compare."""

    def of(self, places: NDArray[np.int64]) -> "_Memory":
        """Returns the memory of groups at some places; -1 is a group that nothing is known of."""
        if not len(self.row):
            return _nothing(len(places))
        known = places >= 0
        return _Memory(self.is_firing[places] & known, np.where(known, self.row[places], 0))


@dataclass(frozen=True, slots=True, eq=False)
class AlertStates:
    """The states of all rules after one answer."""

    state: State
    by_rule: tuple[NDArray[np.int8], ...]
    """Of each rule an `AlertState` by group; UNSPECIFIED before the first complete bin."""

    def told(self) -> "AlertStates":
        """Returns what later states are compared with; see `State.told`."""
        return AlertStates(self.state.told(), self.by_rule)


class Alerts:
    """Follows some rules from answer to answer. Not thread-safe."""

    def __init__(self, rules: Sequence[AlertRule], metrics: Sequence[int]) -> None:
        """`metrics` are the numbers of those of the query."""
        self._rules = rules
        self._metrics = metrics
        self._denominators = denominators_of(metrics)
        self._before: list[_Memory] = [_nothing(0) for _ in rules]
        """What each rule came to before the first bin of the last answer."""
        self._last: State | None = None

    def look(self, state: State) -> AlertStates:
        """Returns the states after an answer, which is later than those before."""
        by_rule = []
        for number, rule in enumerate(self._rules):
            memory = self._memory(number, rule, state)
            self._before[number] = memory
            by_rule.append(self._states(rule, state, memory))
        self._last = state.told()
        return AlertStates(state, tuple(by_rule))

    def changes(self, told: AlertStates | None, now: AlertStates) -> Iterator[Alert]:
        """Yields what changed since an earlier answer; of a group that was not known, only that it fires.

        A group that fired and has left the answer has no data.
        """
        for number in range(len(self._rules)):
            after = now.by_rule[number]
            before = _aligned(told, number, now.state)
            tells = np.where(before == _UNKNOWN, after == _FIRING, (after != before) & (after != _UNKNOWN))
            for group in tells.nonzero()[0]:
                yield self._alert(number, now, int(group))
            if told is not None and told.state.groups != now.state.groups:
                yield from self._gone(number, told, now)

    def _memory(self, number: int, rule: AlertRule, state: State) -> _Memory:
        """Returns what a rule came to before the first bin of an answer, by its groups."""
        last, before = self._last, self._before[number]
        if last is None:
            return _nothing(len(state.groups))
        first_t = int(state.t[0]) if len(state.t) else 0
        gone = int(np.searchsorted(last.t, first_t))
        looked_at = min(gone, last.complete_count)
        if looked_at:
            scanned = _scanned(rule, *self._figures(rule, last, looked_at), before)
            before = _Memory(scanned.is_firing, scanned.row)
        if gone > looked_at or (gone == len(last.t) and len(last.t) and first_t != _end_of(last)):
            # Bins have passed that nobody has looked at.
            before = _Memory(before.is_firing, np.zeros_like(before.row))
        if last.groups == state.groups:
            return before
        return before.of(places_in(state.groups, last.groups))

    def _states(self, rule: AlertRule, state: State, memory: _Memory) -> NDArray[np.int8]:
        count = state.complete_count
        if not count:
            return np.full(len(state.groups), _UNKNOWN, dtype=np.int8)
        figures, denominators = self._figures(rule, state, count)
        scanned = _scanned(rule, figures, denominators, memory)
        found = np.where(scanned.is_firing, _FIRING, _RESOLVED)
        return np.where(scanned.has_data, found, _NO_DATA).astype(np.int8)

    def _figures(
        self, rule: AlertRule, state: State, count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Returns the figure of a rule in the first bins, and what it divides by; shape (groups, count).

        NaN is a figure without a value, or of a bin that covers nothing: its 0 calls say nothing.
        """
        place = self._place_of_denominator(rule)
        denominators = None if place is None else state.denominators[place].numbers(count)
        figures = state.columns[rule.metric].numbers(count)
        figures[:, state.covered_us[:count] == 0] = np.nan
        return figures, denominators

    def _place_of_denominator(self, rule: AlertRule) -> int | None:
        if rule.least_denominator is None:
            return None
        return self._denominators.index(DENOMINATORS[self._metrics[rule.metric]])

    def _alert(self, number: int, now: AlertStates, group: int) -> Alert:
        rule, state = self._rules[number], now.state
        place = state.complete_count - 1
        column = state.columns[rule.metric]
        told = AlertState.Name(int(now.by_rule[number][group]))
        alert = Alert(rule=number, t=int(state.t[place]), state=told)
        alert.group.MergeFromString(state.groups[group])
        value = value_of(column.kind, column.cells[group, place])
        if value.ByteSize():
            alert.value.CopyFrom(value)
        of_denominator = self._place_of_denominator(rule)
        if of_denominator is not None:
            alert.denominator = int(state.denominators[of_denominator].cells[group, place])
        return alert

    def _gone(self, number: int, told: AlertStates, now: AlertStates) -> Iterator[Alert]:
        places = places_in(told.state.groups, now.state.groups)
        for group in ((places < 0) & (told.by_rule[number] == _FIRING)).nonzero()[0]:
            alert = Alert(rule=number, state=ALERT_STATE_NO_DATA)
            alert.group.CopyFrom(TrafficGroup.FromString(told.state.groups[group]))
            if now.state.complete_count:
                alert.t = int(now.state.t[now.state.complete_count - 1])
            yield alert


@dataclass(frozen=True, slots=True)
class _Scanned:
    """What a rule came to at the last bin, by group."""

    is_firing: NDArray[np.bool_]
    row: NDArray[np.int64]
    has_data: NDArray[np.bool_]


def _scanned(
    rule: AlertRule,
    figures: NDArray[np.float64],
    denominators: NDArray[np.float64] | None,
    before: _Memory,
) -> _Scanned:
    """Goes through bins, one at least; `figures` and `denominators` have the shape (groups, bins)."""
    has_data = ~np.isnan(figures)
    if denominators is not None:
        has_data &= denominators >= (rule.least_denominator or 1)
    compares = has_data & _compares(rule, figures, rule.threshold)
    ends = has_data & ~_compares(rule, figures, rule.clear_threshold)
    place = np.arange(figures.shape[1])
    last_other = np.maximum.accumulate(np.where(compares, -1, place), axis=1)
    row = place - last_other + np.where(last_other < 0, before.row[:, None], 0)
    begins = compares & (row >= rule.bins)
    last_event = np.where(begins | ends, place, -1).max(axis=1)
    of_event = np.take_along_axis(begins, np.maximum(last_event, 0)[:, None], axis=1)[:, 0]
    is_firing = np.where(last_event >= 0, of_event, before.is_firing)
    return _Scanned(is_firing, row[:, -1], has_data[:, -1])


def _compares(rule: AlertRule, figures: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    compared: Any = figures > threshold if rule.is_above else figures < threshold
    return np.asarray(compared, dtype=np.bool_)


def _nothing(count: int) -> _Memory:
    return _Memory(np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.int64))


def _aligned(told: AlertStates | None, number: int, state: State) -> NDArray[np.int8]:
    """Returns the told states of a rule by the groups of a later answer; UNSPECIFIED if not known."""
    if told is None:
        return np.full(len(state.groups), _UNKNOWN, dtype=np.int8)
    if told.state.groups == state.groups:
        return told.by_rule[number]
    places = places_in(state.groups, told.state.groups)
    known = np.append(told.by_rule[number], np.int8(_UNKNOWN))
    return known[places]


def _end_of(state: State) -> int:
    """Returns the end of the last bin in Unix seconds, if it is complete; -1 otherwise."""
    return -1 if not state.complete[-1] else int(state.t[-1] + state.covered_us[-1] // 1_000_000)
