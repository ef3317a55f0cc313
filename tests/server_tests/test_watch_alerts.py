"""The rules of a watch, over answers that slide, against a naive look at each bin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from pegcount.request import AlertRule
from pegcount.server.watching.alerts import Alerts, AlertStates
from pegcount.server.watching.changes import message_of
from pegcount.server.watching.states import State, state_of
from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficResponse, TrafficColumn, TrafficGroup, TrafficKey
from seeds import chance

ASR = traffic_pb2.TRAFFIC_METRIC_ASR
FIRING, RESOLVED, NO_DATA = (
    int(traffic_pb2.ALERT_STATE_FIRING),
    int(traffic_pb2.ALERT_STATE_RESOLVED),
    int(traffic_pb2.ALERT_STATE_NO_DATA),
)
NAN = float("nan")
CASE_COUNT = 150


def below(threshold: float, clear: float | None = None, bins: int = 1, least: int | None = None) -> AlertRule:
    return AlertRule(0, False, threshold, threshold if clear is None else clear, least, bins)


def above(threshold: float, clear: float | None = None, bins: int = 1) -> AlertRule:
    return AlertRule(0, True, threshold, threshold if clear is None else clear, None, bins)


Row = Sequence[tuple[float, int]]
"""The figure of a group and its calls, by bin."""


def state(
    groups: Mapping[int, Row], first: int = 0, number: int = 0, *, last_is_complete: bool = False
) -> State:
    """Builds a state of minutes from `first` on, in which all bins but the last are complete."""
    count = len(next(iter(groups.values()))) if groups else 0
    figures = [value for row in groups.values() for value, _ in row]
    calls = [count for row in groups.values() for _, count in row]
    answer = QueryTrafficResponse(
        t=[60 * (first + place) for place in range(count)],
        covered_us=[60_000_000] * count,
        complete=[last_is_complete or place < count - 1 for place in range(count)],
        groups=[TrafficGroup(keys=[TrafficKey(integer=key)]) for key in groups],
        columns=[TrafficColumn(doubles=figures), TrafficColumn(integers=calls)],
        group_totals=[TrafficColumn(doubles=[NAN] * len(groups)), TrafficColumn(integers=[0] * len(groups))],
        totals=[TrafficColumn(doubles=[NAN]), TrafficColumn(integers=[0])],
    )
    return state_of(answer.SerializeToString(), number, 1)


def looked(rule: AlertRule, figures: Sequence[float]) -> int:
    """Returns the state of a rule after the figures of one group."""
    row = [(figure, 10) for figure in (*figures, NAN)]
    return int(Alerts([rule], [ASR]).look(state({1: row})).by_rule[0][0])


@pytest.mark.parametrize(
    ("rule", "figures", "expected"),
    [
        (below(40), [39.9], FIRING),
        (below(40), [40.0], RESOLVED),
        (above(40), [40.0], RESOLVED),
        (above(40), [40.1], FIRING),
        (below(40, bins=2), [30.0], RESOLVED),
        (below(40, bins=2), [30.0, 30.0], FIRING),
        (below(40, bins=2), [30.0, 50.0, 30.0], RESOLVED),
        (below(40, bins=2), [30.0, NAN, 30.0], RESOLVED),
        (below(40, clear=60), [30.0, 59.9], FIRING),
        (below(40, clear=60), [30.0, 60.0], RESOLVED),
        (below(40, clear=60), [30.0, 60.0, 50.0], RESOLVED),
        (above(40, clear=20), [50.0, 20.1], FIRING),
        (above(40, clear=20), [50.0, 20.0], RESOLVED),
        (below(40), [30.0, NAN], NO_DATA),
        (below(40, clear=60), [30.0, NAN, 50.0], FIRING),
        (below(40, bins=2, clear=60), [30.0, 30.0, 70.0, 30.0], RESOLVED),
    ],
)
def test_a_rule_over_the_bins_of_one_answer(rule: AlertRule, figures: list[float], expected: int) -> None:
    assert looked(rule, figures) == expected


def test_a_bin_with_too_few_calls_counts_as_one_without_a_value() -> None:
    rule = below(40, least=50, bins=2)
    rows = {1: [(30.0, 50), (30.0, 49), (NAN, 0)], 2: [(30.0, 50), (30.0, 50), (NAN, 0)]}
    assert Alerts([rule], [ASR]).look(state(rows)).by_rule[0].tolist() == [NO_DATA, FIRING]


def test_a_bin_that_covers_nothing_counts_as_one_without_a_value() -> None:
    """Outside the open hours there are 0 calls, of which no rule must say that these are too few."""
    alerts = Alerts([below(5), below(5, bins=2)], [traffic_pb2.TRAFFIC_METRIC_CALLS] * 2)
    open_bins = state({1: [(9.0, 9), (3.0, 3), (0.0, 0), (0.0, 0)]})
    closed = replace(open_bins, covered_us=np.array([60_000_000, 60_000_000, 0, 60_000_000]))
    assert [int(found[0]) for found in alerts.look(closed).by_rule] == [NO_DATA, NO_DATA]
    assert looked(below(5), [9.0, 3.0, 0.0]) == FIRING


def test_nothing_is_known_before_the_first_complete_bin() -> None:
    alerts = Alerts([below(40)], [ASR])
    first = alerts.look(state({1: [(30.0, 9)]}))
    assert list(alerts.changes(None, first)) == []
    second = alerts.look(state({1: [(30.0, 9), (NAN, 0)]}, number=1))
    (alert,) = alerts.changes(first, second)
    assert (alert.state, alert.t, alert.value.number) == (FIRING, 0, 30.0)


@dataclass
class Naive:
    """One rule for one group, bin by bin."""

    rule: AlertRule
    is_firing: bool = False
    row: int = 0

    def step(self, figure: float, calls: int) -> int:
        rule = self.rule
        if figure != figure or calls < (rule.least_denominator or 0):
            self.row = 0
            return NO_DATA
        compares = figure > rule.threshold if rule.is_above else figure < rule.threshold
        is_clear = figure <= rule.clear_threshold if rule.is_above else figure >= rule.clear_threshold
        self.row = self.row + 1 if compares else 0
        if self.row >= rule.bins:
            self.is_firing = True
        elif is_clear:
            self.is_firing = False
        return FIRING if self.is_firing else RESOLVED


def naive(rule: AlertRule, figures: Row) -> int:
    """Returns the state after all bins since the beginning."""
    one, found = Naive(rule), 0
    for figure, calls in figures:
        found = one.step(figure, calls)
    return found


def drawn_rule(draw: Random) -> AlertRule:
    is_above = draw.random() < 0.5
    threshold = draw.choice([20.0, 50.0])
    clear = threshold + draw.choice([0, 10, 20]) * (-1 if is_above else 1)
    return AlertRule(0, is_above, threshold, clear, draw.choice([None, 1, 3]), draw.choice([1, 1, 2, 3]))


@pytest.mark.parametrize("case", range(CASE_COUNT))
def test_sliding_answers_give_what_all_bins_give(case: int) -> None:
    """The window is shorter than the history, and late records change the bins that it still has."""
    draw = chance("alerts", case)
    rules = [drawn_rule(draw) for _ in range(3)]
    alerts, width = Alerts(rules, [ASR]), draw.randrange(2, 7)
    histories: dict[int, list[tuple[float, int]]] = {1: [], 2: []}
    told: AlertStates | None = None
    seen: dict[tuple[int, int], int] = {}
    length = width
    for number in range(30):
        for row in histories.values():
            row.extend(_drawn(draw) for _ in range(length - len(row)))
            # Late records, in a bin of the window that is complete or not.
            row[draw.randrange(length - width, length)] = _drawn(draw)
        window = {key: row[length - width : length] for key, row in histories.items()}
        now = alerts.look(state(window, length - width, number))
        for place, rule in enumerate(rules):
            expected = [naive(rule, row[: length - 1]) for row in histories.values()]
            assert now.by_rule[place].tolist() == expected, (number, rule)
        # A slow reader misses updates, and the next one has the sum of all changes.
        if draw.random() < 0.7:
            for change in alerts.changes(told, now):
                seen[change.rule, change.group.keys[0].integer] = change.state
            told = now
            present = {(place, key): int(now.by_rule[place][key - 1]) for place in range(3) for key in (1, 2)}
            assert {where for where, found in seen.items() if found == FIRING} == {
                where for where, found in present.items() if found == FIRING
            }
        # At most the bins that were complete leave the window unseen.
        length += draw.choice([0, 0, 1, 1, min(2, width - 1)])


def _drawn(draw: Random) -> tuple[float, int]:
    calls = draw.randrange(6)
    return (NAN if calls == 0 else draw.choice([0.0, 15.0, 25.0, 45.0, 55.0, 65.0, 100.0])), calls


def test_bins_that_nobody_looked_at_interrupt_a_row() -> None:
    alerts = Alerts([below(40, bins=3)], [ASR])
    low = (30.0, 10)
    alerts.look(state({1: [low, low, (NAN, 0)]}))
    assert alerts.look(state({1: [low, (NAN, 0)]}, first=7, number=1)).by_rule[0].tolist() == [RESOLVED]


def test_what_a_group_came_to_stays_with_it_where_others_come_and_go() -> None:
    alerts = Alerts([below(40, clear=60)], [ASR])
    low, middle, end = (30.0, 9), (50.0, 9), (NAN, 0)
    first = alerts.look(state({1: [low, end], 3: [low, end]}))
    assert first.by_rule[0].tolist() == [FIRING, FIRING]
    second = alerts.look(state({2: [middle, end], 3: [middle, end]}, first=1, number=1))
    assert second.by_rule[0].tolist() == [RESOLVED, FIRING]
    assert [(each.group.keys[0].integer, each.state) for each in alerts.changes(first, second)] == [
        (1, NO_DATA)
    ]


def test_what_a_watcher_was_told_is_kept_without_the_answer() -> None:
    """A slow reader keeps it for as long as it does not read."""
    whole = state({1: [(30.0, 9), (NAN, 0)]})
    whole.snapshot()
    told = whole.told()
    assert told is whole.told()
    assert not told.answer.columns
    assert message_of(told, whole, always=False) == b""
    later = state({1: [(30.0, 9), (50.0, 1)]}, number=1)
    assert message_of(told, later, always=False) == message_of(whole, later, always=False) != b""


def test_random_windows_reach_every_state() -> None:
    """Otherwise the comparison above would say little."""
    draw = chance("alerts reach")
    found = {naive(drawn_rule(draw), [_drawn(draw) for _ in range(10)]) for _ in range(200)}
    assert found == {FIRING, RESOLVED, NO_DATA}
    assert all(first != second for first, second in pairwise(sorted(found)))
