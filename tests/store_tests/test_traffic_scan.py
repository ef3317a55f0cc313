"""Traffic scans of the embedded store: how its keys, predicates and measures reach the core and come back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decks import deck_of
from pegcount import core
from pegcount.errors import CellLimitError, CodeDeckNotFoundError
from pegcount.model import Between, OneOf, Present
from pegcount.traffic import (
    AnyOf,
    ColumnKey,
    DeckCodeKey,
    InGroups,
    Key,
    KeyValue,
    LocalTimeKey,
    Not,
    PrefixKey,
    QuotientKey,
    TrafficMeasure,
    TrafficPredicate,
    TrafficScan,
)

from store_tests.store_fixtures import MANUAL_MAINTENANCE, NO_LIMIT, SETUP_S, StoreHarness, finished, write

HOUR_S = 3_600
CALLS = TrafficMeasure("count", "all")
ANSWERED = TrafficMeasure("count", "answered")
PREFIX = PrefixKey("dst_prefix_routing", 2)

Cells = dict[tuple[int, tuple[KeyValue, ...]], list[Any]]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """A store of four calls in two hours, of which two are sealed and two are in memory."""
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        write(
            harness.store,
            finished("a", SETUP_S, dst_prefix_routing="+1202", disconnect_cause=16, company="x"),
            finished("b", SETUP_S + 1, dst_prefix_routing="120", disconnect_cause=17, company="y"),
        )
        harness.flush()
        write(
            harness.store,
            finished("c", SETUP_S + HOUR_S, dst_prefix_routing="1", disconnect_cause=34, company="x"),
            finished("d", SETUP_S + HOUR_S + 1),
        )
        harness.store.put_code_deck(7, deck_of(("1", "one", "A"), ("12", "two", "B")))
        yield harness


def scan(
    *measures: TrafficMeasure,
    keys: tuple[Key, ...] = (),
    predicates: tuple[TrafficPredicate, ...] = (),
    edges: tuple[int, ...] = (0, 1, 2),
    deck: int | None = None,
) -> TrafficScan:
    """A scan whose edges are hours after `SETUP_S`."""
    edge_us = (np.array(edges, dtype=np.int64) * HOUR_S + SETUP_S) * 1_000_000
    return TrafficScan(edge_us, predicates, keys, measures or (CALLS,), deck)


def cells(harness: StoreHarness, asked: TrafficScan) -> Cells:
    """Returns the measures by bin and group."""
    partials = harness.store.traffic_partials(asked, 100, NO_LIMIT)
    assert partials.cell_count == len(partials.bins)
    return cells_of(partials, len(asked.measures))


def cells_of(partials: core.TrafficPartials, measure_count: int) -> Cells:
    columns = [values_of(column) for column in partials.keys]
    groups = [tuple(column[cell] for column in columns) for cell in range(partials.cell_count)]
    measures = [partials.measure(number) for number in range(measure_count)]
    return {
        (int(bin_), group): [measure[cell] for measure in measures]
        for cell, (bin_, group) in enumerate(zip(partials.bins, groups, strict=True))
    }


def values_of(column: Any) -> list[KeyValue]:
    if isinstance(column, tuple):
        codes, texts = column
        return [texts[code] or None for code in codes]
    return [None if value == -(2**63) else int(value) for value in column]


def groups(harness: StoreHarness, *keys: Key, deck: int | None = None) -> dict[tuple[KeyValue, ...], int]:
    found = cells(harness, scan(keys=keys, edges=(0, 2), deck=deck))
    return {group: counts[0] for (_, group), counts in found.items()}


def test_keys_are_columns_or_derived_from_them(harness: StoreHarness) -> None:
    assert groups(harness, ColumnKey("company")) == {("x",): 2, ("y",): 1, (None,): 1}
    assert groups(harness, PREFIX) == {("12",): 2, ("1",): 1, (None,): 1}
    assert groups(harness, QuotientKey("disconnect_cause", 16)) == {(1,): 2, (2,): 1, (None,): 1}
    by_code = groups(harness, DeckCodeKey("dst_prefix_routing"), deck=7)
    assert by_code == {("12",): 2, ("1",): 1, (None,): 1}
    offsets = ((SETUP_S + HOUR_S) * 1_000_000,), (HOUR_S * 1_000_000,)
    # 2026-03-29 is a Sunday; the clock of the earlier hour is as far ahead as that of the later one.
    assert groups(harness, LocalTimeKey("hour", *offsets)) == {(9,): 2, (10,): 2}
    assert groups(harness, LocalTimeKey("weekday", *offsets), ColumnKey("kind")) == {(7, 1): 4}


def test_measures_are_counts_sums_and_values(harness: StoreHarness) -> None:
    asked = scan(
        CALLS,
        ANSWERED,
        TrafficMeasure("count", "cause_in", causes=(17, 34)),
        TrafficMeasure("sum", "duration_ms"),
        TrafficMeasure("values", "setup_second"),
    )
    (first, second) = cells(harness, asked).values()
    assert first[:3] == [2, 2, 1]
    assert second[:3] == [2, 2, 1]
    assert first[3] > 0
    assert first[4] == [(SETUP_S, 1), (SETUP_S + 1, 1)]
    assert second[4] == [(SETUP_S + HOUR_S, 1), (SETUP_S + HOUR_S + 1, 1)]


@pytest.mark.parametrize(
    ("predicate", "count"),
    [
        (OneOf("company", ("x",)), 2),
        (Not(OneOf("company", ("x",))), 2),
        (AnyOf((OneOf("company", ("y",)), Between("disconnect_cause", 30, 40))), 2),
        (Not(AnyOf((Present("company", wanted=False), OneOf("company", ("y",))))), 2),
        (InGroups((PREFIX,), (("12",), (None,))), 3),
        (InGroups((PREFIX, ColumnKey("disconnect_cause")), (("12", 17), ("1", 16), (None, None))), 2),
        (Not(InGroups((PREFIX,), ())), 4),
    ],
)
def test_predicates_combine(harness: StoreHarness, predicate: TrafficPredicate, count: int) -> None:
    found = cells(harness, scan(predicates=(predicate,), edges=(0, 2)))
    assert found == {(0, ()): [count]}
    assert harness.store.estimate(scan(predicates=(predicate,))) == 4


def test_what_the_core_does_not_know_is_refused(harness: StoreHarness) -> None:
    def refused(asked: TrafficScan, text: str) -> None:
        with pytest.raises(ValueError, match=text):
            harness.store.traffic_partials(asked, 100, NO_LIMIT)

    refused(scan(keys=(ColumnKey("nonsense"),)), 'column "nonsense"')
    refused(scan(keys=(PrefixKey("app_id", 2),)), 'text column "app_id"')
    refused(scan(keys=(QuotientKey("app_id", 0),)), 'divisor "0"')
    refused(scan(keys=(DeckCodeKey("dst_prefix_routing"),)), "code deck of the key")
    refused(scan(TrafficMeasure("values", "margin")), 'measure "values margin"')
    refused(scan(TrafficMeasure("sum", "setup_second")), 'measure "sum setup_second"')
    refused(scan(predicates=(InGroups((PREFIX,), ((5,),)),)), 'text "5"')
    refused(scan(predicates=(InGroups((PREFIX,), (("1", "2"),)),)), "group of the keys")
    with pytest.raises(CodeDeckNotFoundError):
        harness.store.traffic_partials(scan(deck=8), 100, NO_LIMIT)
    with pytest.raises(CellLimitError, match="1"):
        harness.store.traffic_partials(scan(keys=(PREFIX,)), 1, NO_LIMIT)


def test_partials_are_built_from_columns() -> None:
    columns: list[Any] = [np.array([3, -(2**63)]), ([0, 1], ["", "DE"])]
    measures: list[Any] = [[2**90, -1], [[(5, 1), (7, 2)], []]]
    made = core.TrafficPartials.from_columns(3, [2, 0], columns, measures, [])
    assert (made.row_count, made.cell_count) == (0, 2)
    assert cells_of(made, 2) == {(2, (3, None)): [2**90, [(5, 1), (7, 2)]], (0, (None, "DE")): [-1, []]}
    with pytest.raises(ValueError, match="7"):
        made.measure(7)


@pytest.mark.parametrize(
    ("bins", "keys", "measure", "problem"),
    [
        ([0], [], [1], "one cell for each of 2 bins"),
        ([1, 0], [], [1, 2], "in order"),
        ([0, 2], [[1, 2]], [1, 2], "cell 1 has bin 2"),
        ([0, 0], [[1, 1]], [1, 2], "cell 1 has the bin and the group"),
        ([0, 1], [], [1], "1 values, and there are 2 cells"),
        ([0, 1], [], [[(2, 1), (2, 1)], []], "values of cell 0 do not ascend"),
        ([0, 1], [], [[(2, 0)], []], "a value counts nothing"),
        ([0, 1], [([0, 1], ["a", "b"])], [1, 2], "absent text"),
    ],
)
def test_columns_that_no_scan_returns_are_refused(
    bins: list[int], keys: list[Any], measure: list[Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        core.TrafficPartials.from_columns(2, bins, keys, [measure], [])
