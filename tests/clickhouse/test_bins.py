"""The bins of a scan in SQL: their texts, and the same expressions computed here."""

import re
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import pytest
import seeds
from pegcount.store.clickhouse.reading.bins import BinColumns, are_multiples, bin_columns
from pegcount.store.clickhouse.wire.bound_values import BoundValues

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
START_US = 1_774_742_400_000_000


def check(edges: list[int], condition: str, group: str, number: str = "bin_group", unit_us: int = 1) -> None:
    """Compares the texts with their values in place."""
    bound = BoundValues()
    found = bin_columns(np.array(edges, np.int64), unit_us, bound)
    texts = [with_values(text, bound) for text in (found.condition, found.group, found.number)]
    assert texts == [condition, group, number]


def with_values(text: str, bound: BoundValues) -> str:
    return re.sub(r"\{(\w+):[^}]*\}", lambda match: bound.parameters[match[1]], text)


def test_all_time_is_one_bin() -> None:
    assert bin_columns(None, 1, BoundValues()) == BinColumns("1", "0", "bin_group")


@pytest.mark.parametrize("edges", [[], [5]])
def test_without_bins_no_row_is_in_one(edges: list[int]) -> None:
    check(edges, "0", "0")


def test_one_bin() -> None:
    check([5, 9], "setup_time >= 5 AND setup_time < 9", "0")


def test_even_bins_are_a_division() -> None:
    group = "least(intDiv(setup_time - 60, 60), 3)"
    check([60, 120, 180, 240, 300], "setup_time >= 60 AND setup_time < 300", group)


def test_ends_that_a_range_cuts_off_change_nothing() -> None:
    group = "least(intDiv(setup_time - 60, 60), 3)"
    check([77, 120, 180, 240, 241], "setup_time >= 77 AND setup_time < 241", group)


def test_a_first_bin_of_several_steps() -> None:
    group = "least(greatest(intDiv(setup_time - 0, 60) - 1, 0), 2)"
    check([7, 120, 180, 999], "setup_time >= 7 AND setup_time < 999", group)


def test_uneven_bins_are_found_by_binary_search() -> None:
    group = "roundDown(intDiv(setup_time - 0, 10), [0,1,3,4])"
    number = "transform(bin_group, [0,1,3,4], range(0, 4), toUInt64(0))"
    check([0, 10, 30, 40, 41], "setup_time >= 0 AND setup_time < 41", group, number)


def test_times_in_the_unit_of_a_projection() -> None:
    condition = "intDiv(setup_time, 300) >= 1 AND intDiv(setup_time, 300) < 5"
    group = "least(intDiv(intDiv(setup_time, 300) - 1, 2), 1)"
    check([300, 900, 1_500], condition, group, unit_us=300)


def test_which_edges_are_multiples() -> None:
    assert are_multiples(None, 300)
    assert are_multiples(np.array([], np.int64), 300)
    assert are_multiples(np.array([-600, 0, 900]), 300)
    assert not are_multiples(np.array([0, 300, 899]), 300)


SQL: dict[str, Any] = {
    "intDiv": lambda value, by: int(value / by) if abs(value) < 2**50 else value // by,
    "least": min,
    "greatest": max,
    "roundDown": lambda value, starts: starts[max(0, bisect_right(starts, value) - 1)],
    "transform": lambda value, old, new, other: dict(zip(old, new, strict=True)).get(value, other),
    "toUInt64": int,
    "range": range,
}


def multi_if(*parts: Any) -> Any:
    cases = list(zip(parts[::2], parts[1::2], strict=False))
    return next((value for holds, value in cases if holds), parts[-1])


def bin_of(time_us: int, columns: BinColumns, bound: BoundValues) -> int | None:
    """Computes the expressions for one row: their notation is Python's as well."""

    def value(text: str, **names: int) -> Any:
        code = with_values(text, bound).replace(" AND ", " and ")
        return eval(code, {**SQL, "multiIf": multi_if}, names)

    if not value(columns.condition, setup_time=time_us):
        return None
    return int(value(columns.number, bin_group=value(columns.group, setup_time=time_us)))


def random_edges(dice: Any) -> list[int]:
    step = dice.choice((1, MINUTE_US, 3_600_000_000, DAY_US))
    even = [START_US + step * number for number in range(dice.randint(2, 20))]
    kept = even if dice.random() < 0.5 else sorted(dice.sample(even, dice.randint(1, len(even))))
    ends = [kept[0] - dice.choice((0, 1, 3 * step)), kept[-1] + dice.choice((0, 1, 3 * step))]
    return sorted({*kept, *ends})


def test_random_edges() -> None:
    dice = seeds.chance("bins in SQL")
    for _ in range(300):
        edges = random_edges(dice)
        bound = BoundValues()
        columns = bin_columns(np.array(edges, np.int64), 1, bound)
        times = [edge + delta for edge in edges for delta in (-1, 0, 1)]
        for time_us in (*times, dice.randrange(edges[0] - 9, edges[-1] + 9)):
            number = bisect_right(edges, time_us) - 1
            expected = number if 0 <= number < len(edges) - 1 else None
            assert bin_of(time_us, columns, bound) == expected, f"{time_us} in {edges}"


def test_more_uneven_bins_than_one_list_takes() -> None:
    edges = [number * 10 + bisect_left([12_000], number) for number in range(25_000)]
    bound = BoundValues()
    columns = bin_columns(np.array(edges, np.int64), 1, bound)
    assert max(len(value) for value in bound.parameters.values()) < 120_000
    for number in (0, 1, 9_999, 10_000, 10_001, 12_000, 12_001, 19_999, 20_000, 24_998):
        assert bin_of(edges[number], columns, bound) == number
        assert bin_of(edges[number + 1] - 1, columns, bound) == number
