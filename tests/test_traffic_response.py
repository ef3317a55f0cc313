"""The core's answers to traffic questions: worked figures, and cells at random against plain Python."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isnan
from typing import Any

import pytest
from naive_traffic import Cells, Compared, Question, ranked
from pegcount import core, errors
from pegcount.traffic import Figure
from pegcount.v1 import traffic_pb2
from seeds import chance
from traffic_answers import (
    HEADER,
    SECOND_US,
    check,
    column,
    random_cells,
    random_figure,
    random_question,
    respond,
    shuffled,
)

MINUTE_US = 60 * SECOND_US
ROUNDS = 300


# ---- The worked example ----


@dataclass(frozen=True)
class Call:
    """A call of the example; times are minutes and seconds after 10:00."""

    vendor: str
    setup: str
    alert: str
    answer: str
    end: str
    cause: int | None
    is_last: bool = True
    price: int | None = None
    cost: int | None = None


EXAMPLE = [
    Call("V1", "00:00", "00:02", "00:10", "05:10", 16, price=300, cost=200),
    Call("V1", "01:00", "01:01.5", "", "01:40", 19),
    Call("V1", "02:00", "", "", "02:00.8", 34, is_last=False),
    Call("V2", "02:01", "02:05", "02:12", "02:16", 16, price=10, cost=8),
    Call("V2", "04:00", "04:03", "05:10", "20:10", 16, price=900, cost=720),
    Call("V2", "14:50", "14:51", "", "15:05", 17),
    Call("V1", "16:00", "", "", "16:00.5", None),
    Call("V2", "17:00", "17:02", "", "17:30", 16),
    Call("V1", "18:00", "18:04", "18:06", "18:06", 16, price=0, cost=0),
    Call("V1", "29:00", "29:01.2", "29:05", "31:05", 16, price=120, cost=130),
]
FROM_US = int(datetime(2026, 3, 10, 10, tzinfo=UTC).timestamp()) * SECOND_US
QUARTERS = [FROM_US, FROM_US + 15 * MINUTE_US, FROM_US + 30 * MINUTE_US]
DELIVERED = {16, 17, 18, 19, 20, 21, 31}
NAMES = ["all", "answered", "delivered", "known", "short", "pdd_count", "unrated"]
SUMS = ["duration", "pdd", "revenue", "cost", "margin"]
MEASURE = {name: number for number, name in enumerate([*NAMES, *SUMS, "pdds", "seconds"])}


def at_us(text: str) -> int | None:
    if not text:
        return None
    minutes, seconds = text.split(":")
    return FROM_US + int(minutes) * MINUTE_US + round(float(seconds) * SECOND_US)


def measures_of(call: Call) -> list[Any]:
    setup, alert, answered, end = (at_us(text) for text in (call.setup, call.alert, call.answer, call.end))
    assert setup is not None
    assert end is not None
    duration = None if answered is None else (end - answered) // 1_000
    ringing = alert if alert is not None else answered
    pdd = None if ringing is None else (ringing - setup) // 1_000
    rated = call.price is not None and call.cost is not None
    counts = [
        True,
        answered is not None,
        answered is not None or call.cause in DELIVERED,
        call.cause is not None,
        duration is not None and duration < 6_000,
        pdd is not None,
        answered is not None and not rated,
    ]
    price, cost = (10**6 * (amount or 0) for amount in (call.price, call.cost))
    pdds = Counter([] if pdd is None else [pdd])
    return [
        *map(int, counts),
        duration or 0,
        pdd or 0,
        price,
        cost,
        price - cost,
        pdds,
        Counter([setup // 10**6]),
    ]


def example(calls: Sequence[Call], by_vendor: bool = False) -> Cells:
    kinds = (int,) * (len(NAMES) + len(SUMS)) + (Counter, Counter)
    cells = Cells(2, kinds, (True,) if by_vendor else ())
    for call in calls:
        setup = at_us(call.setup)
        assert setup is not None
        place = (int(setup >= QUARTERS[1]), (call.vendor,) if by_vendor else ())
        before = cells.measures.get(place, [kind() for kind in kinds])
        cells.measures[place] = [a + b for a, b in zip(before, measures_of(call), strict=True)]
    return cells


def ratio(first: str, second: str, multiplier: int = 100, divisor: int = 1, **more: Any) -> Figure:
    return Figure("ratio", MEASURE[first], MEASURE[second], multiplier, divisor, **more)


FIGURES = {
    "CALLS": Figure("integer", MEASURE["all"]),
    "ANSWERED": Figure("integer", MEASURE["answered"]),
    "FAILED": Figure("difference", MEASURE["all"], MEASURE["answered"]),
    "ASR": ratio("answered", "all"),
    "ACD": ratio("duration", "answered", 1, 1_000),
    "NER": ratio("delivered", "all", only_with=MEASURE["known"]),
    "CAUSE_KNOWN": ratio("known", "all"),
    "SHORT_CALLS": Figure("integer", MEASURE["short"]),
    "SHORT_SHARE": ratio("short", "answered"),
    "PDD_MEAN": ratio("pdd", "pdd_count", 1, 1_000),
    "PDD_50": Figure("percentile", MEASURE["pdds"], percent=50),
    "PDD_95": Figure("percentile", MEASURE["pdds"], percent=95),
    "REVENUE": Figure("money", MEASURE["revenue"]),
    "COST": Figure("money", MEASURE["cost"]),
    "MARGIN": Figure("money", MEASURE["margin"]),
    "MARGIN_SHARE": ratio("margin", "revenue"),
    "UNRATED": Figure("integer", MEASURE["unrated"]),
    "CPS": Figure("rate", MEASURE["all"], multiplier=10**6),
    "CPS_PEAK": Figure("busiest", MEASURE["seconds"]),
}
NUMBER = {name: number for number, name in enumerate(FIGURES)}


def figures_of(cells: Cells) -> traffic_pb2.QueryTrafficResponse:
    question = Question([column(figure) for figure in FIGURES.values()], QUARTERS, QUARTERS, QUARTERS[1])
    found = respond(cells.partials(), question)
    check(found, cells, question)
    return found


def values(of: traffic_pb2.TrafficColumn) -> list[Any]:
    return [*of.integers, *(round(value, 4) for value in of.doubles), *of.decimals]


def total(found: traffic_pb2.QueryTrafficResponse, name: str) -> Any:
    (value,) = values(found.totals[NUMBER[name]])
    return value


def test_the_last_attempts_of_the_worked_example() -> None:
    found = figures_of(example([call for call in EXAMPLE if call.is_last]))
    assert {name: total(found, name) for name in FIGURES} == {
        "CALLS": 9,
        "ANSWERED": 5,
        "FAILED": 4,
        "ASR": 55.5556,
        "ACD": 264.8,
        "NER": 88.8889,
        "CAUSE_KNOWN": 88.8889,
        "SHORT_CALLS": 2,
        "SHORT_SHARE": 40,
        "PDD_MEAN": 2.3375,
        "PDD_50": 2_000,
        "PDD_95": 4_000,
        "REVENUE": "1.33",
        "COST": "1.058",
        "MARGIN": "0.272",
        "MARGIN_SHARE": 20.4511,
        "UNRATED": 0,
        "CPS": 0.005,
        "CPS_PEAK": 1,
    }
    expected = {
        "CALLS": [5, 4],
        "ANSWERED": [3, 2],
        "ASR": [60, 50],
        "ACD": [401.3333, 60],
        "MARGIN": ["0.282", "-0.01"],
    }
    assert {name: values(found.columns[NUMBER[name]]) for name in expected} == expected
    assert (list(found.t), list(found.complete)) == ([us // 10**6 for us in QUARTERS[:2]], [True, False])
    assert list(found.covered_us) == [15 * MINUTE_US] * 2
    assert found.latest_setup_time == HEADER.latest_setup_time
    assert len(found.groups) == found.group_count == 1
    assert not found.groups[0].keys


def test_all_attempts_of_the_worked_example_by_vendor() -> None:
    found = figures_of(example(EXAMPLE, by_vendor=True))
    assert [group.keys[0].text for group in found.groups] == ["V1", "V2"]
    expected = {
        "CALLS": [6, 4],
        "ANSWERED": [3, 2],
        "ASR": [50, 50],
        "ACD": [140, 452],
        "NER": [66.6667, 100],
    }
    assert {name: values(found.group_totals[NUMBER[name]]) for name in expected} == expected
    assert (total(found, "CALLS"), total(found, "ANSWERED"), total(found, "ASR")) == (10, 5, 50)


# ---- Single rules ----


def one_group(measures: Sequence[Any], figures: Sequence[Figure]) -> list[Any]:
    """The values of one bin of two seconds, without rounding."""
    cells = Cells(1, tuple(type(measure) for measure in measures), (), {(0, ()): list(measures)})
    edges = [0, 2 * SECOND_US]
    question = Question([column(figure) for figure in figures], edges, edges, 0)
    found = respond(cells.partials(), question)
    check(found, cells, question)
    return [[*of.integers, *of.doubles, *of.decimals][0] for of in found.columns]


def test_percentiles_are_by_nearest_rank() -> None:
    delays = Counter([800, 900, 1000, 1200, 1500, 1800, 2400, 3100, 5200, 11000])
    figures = [Figure("percentile", 0, percent=percent) for percent in (50, 90, 95, 1, 99)]
    assert one_group([delays], figures) == [1_500, 5_200, 11_000, 800, 11_000]
    assert one_group([Counter()], figures) == [-1] * 5


def test_sums_beyond_64_bits() -> None:
    amounts = [2**100 + 1, -(10**30), 3, 0]
    figures = [Figure("money", 0), Figure("money", 1), Figure("money", 3), Figure("ratio", 0, 1, 100)]
    *decimals, share = one_group(amounts, figures)
    assert decimals == ["1267650600228229401496.703205377", "-1000000000000000000000", "0"]
    assert share == -126.76506002282294
    assert one_group([2**53 + 1, 1, 2**63 - 1], [Figure("ratio", 0, 1), Figure("integer", 2)]) == [
        2**53,
        2**63 - 1,
    ]


def test_no_value_without_records() -> None:
    figures = [Figure("ratio", 0, 0), Figure("rate", 0), Figure("integer", 0), Figure("busiest", 1)]
    share, *others = one_group([0, Counter()], figures)
    assert isnan(share)
    assert others == [0.0, 0, 0]
    (share,) = one_group([5, 9, 0], [Figure("ratio", 0, 1, only_with=2)])
    assert isnan(share)


def test_the_busiest_second_of_a_range_is_the_greatest_of_its_bins() -> None:
    cells = Cells(2, (Counter,), (), {(0, ()): [Counter({7: 3})], (1, ()): [Counter({7: 4, 8: 1})]})
    edges = [0, 7_500_000, 9_000_000]
    question = Question([column(Figure("busiest", 0))], edges, edges, 0)
    found = respond(cells.partials(), question)
    assert (list(found.columns[0].integers), list(found.totals[0].integers)) == ([3, 4], [4])


def test_without_bins() -> None:
    question = Question([column(Figure("integer", 0)), column(Figure("percentile", 1, percent=5))], [], [], 0)
    for texts in [(), (True,)]:
        cells = Cells(0, (int, Counter), texts)
        check(respond(cells.partials(), question), cells, question)


# ---- Ranking ----


def by_number(**counts: int) -> Cells:
    cells = Cells(1, (int,), (True,))
    cells.measures.update({(0, (name,)): [count] for name, count in counts.items()})
    return cells


def test_ties_are_ranked_by_key_and_texts_by_their_bytes() -> None:
    cells = by_number(b=1, a=1, Z=1, é=1, c=2)
    cells.measures[0, (None,)] = [1]
    found = core.rank_groups(cells.partials(), Figure("integer", 0), 1, 10, False)
    assert found.groups == [("c",), ("Z",), ("a",), ("b",), ("é",), (None,)]
    assert (found.group_count, type(found.groups[0])) == (6, tuple)
    found = core.rank_groups(cells.partials(), Figure("integer", 0), 1, 2, True)
    assert (found.groups, found.group_count) == ([("Z",), ("a",)], 6)


def test_groups_without_a_value_come_last_in_both_directions() -> None:
    cells = by_number(a=0, b=3, c=-5)
    share = Figure("ratio", 0, 0)
    for ascending in (False, True):
        found = core.rank_groups(cells.partials(), share, 1, 10, ascending)
        assert found.groups == [("b",), ("c",), ("a",)]


def test_amounts_beyond_64_bits_are_ranked_exactly() -> None:
    amounts = [
        2**100,
        2**100 + 1,
        -(2**100),
        -(2**100) - 1,
        0,
        -1,
        1,
        2**63,
        -(2**63),
        2**96,
        -(2**96),
        2**48,
    ]
    cells = Cells(1, (int,), (False,))
    cells.measures.update({(0, (number,)): [amount] for number, amount in enumerate(amounts)})
    numbers = sorted(range(len(amounts)), key=lambda number: amounts[number])
    found = core.rank_groups(cells.partials(), Figure("money", 0), 1, 100, True)
    assert [keys[0] for keys in found.groups] == numbers
    found = core.rank_groups(cells.partials(), Figure("money", 0), 1, 100, False)
    assert [keys[0] for keys in found.groups] == numbers[::-1]


# ---- Cells at random ----


def test_all_groups_of_cells_at_random() -> None:
    dice = chance("traffic")
    for _ in range(ROUNDS):
        cells = random_cells(dice)
        question = random_question(cells, dice)
        check(respond(shuffled(cells, dice), question), cells, question)


def test_first_groups_of_cells_at_random() -> None:
    dice, other_count = chance("traffic", "top"), 0
    for _ in range(ROUNDS):
        cells = random_cells(dice)
        asked = random_question(cells, dice)
        figure, limit, ascending = random_figure(dice), dice.randrange(1, 9), dice.choice([True, False])
        covered_us = dice.choice([0, 60 * SECOND_US])
        found = core.rank_groups(shuffled(cells, dice), figure, covered_us, limit, ascending)
        first = ranked(cells, figure, covered_us, ascending)[:limit]
        assert (found.groups, found.group_count) == (first, len(cells.groups()))
        question = replace(asked, ranked=first, other=dice.choice([True, False]))
        check(respond(shuffled(cells, dice), question, found=found), cells, question)
        shown, others = (
            cells.with_groups([g for g in cells.groups() if (g in first) == kept]) for kept in (True, False)
        )
        # Both ranges may be in two parts: the groups by name, and all others.
        earlier_rest, in_parts = None, question
        if question.compared is not None:
            earlier = question.compared.cells
            named = earlier.with_groups([g for g in earlier.groups() if g in first])
            others_then = earlier.with_groups([g for g in earlier.groups() if g not in first])
            earlier_rest = others_then.without_keys().partials()
            in_parts = replace(question, compared=replace(question.compared, cells=named))
        rest = others.without_keys().partials()
        response = respond(shuffled(shown, dice), in_parts, rest=rest, earlier_rest=earlier_rest, found=found)
        check(response, cells, question)
        other_count += any(group.other for group in response.groups)
    assert other_count > 0


# ---- Limits and faults ----


def test_the_number_of_values_is_limited() -> None:
    cells = by_number(a=1, b=2, c=3)
    question = Question([column(Figure("integer", 0))] * 2, [0, 1], [0, 1], 0)
    assert respond(cells.partials(), question, value_count_max=6).group_count == 3
    with pytest.raises(
        errors.CellLimitError, match=r"has 6 values .* 5 are allowed \(value_count_max\)"
    ) as refused:
        respond(cells.partials(), question, value_count_max=5)
    assert refused.value.violations[0].metadata == {"asked": "6", "allowed": "5"}


def test_the_answer_has_the_limits_of_all_answers() -> None:
    cells = by_number(a=1, b=2, c=3)
    question = Question([column(Figure("integer", 0))], [0, 1], [0, 1], 0)
    with pytest.raises(errors.AnswerTooLargeError):
        respond(cells.partials(), question, limits=core.AnswerLimits(core.CancelToken(None), 40, 1))
    cancelled = core.CancelToken(None)
    cancelled.cancel()
    with pytest.raises(errors.CancelledError):
        respond(cells.partials(), question, limits=core.AnswerLimits(cancelled, 2**30, 1))


def test_parts_that_do_not_fit_are_refused() -> None:
    cells = by_number(a=1, b=2)
    partials = cells.partials()

    def refused(problem: str, figure: Figure, edges: Sequence[int] = (0, 1), **more: Any) -> None:
        question = Question([column(figure)], edges, more.pop("calendar_us", edges), 0, other=True)
        with pytest.raises(ValueError, match=problem):
            respond(more.pop("partials", partials), question, **more)

    calls = Figure("integer", 0)
    refused("measure 1 ", Figure("integer", 1))
    refused("measure 0 ", Figure("busiest", 0))
    refused("knows no form", Figure("sum", 0))  # type: ignore[arg-type]
    refused('no percentile "0"', Figure("percentile", 0))
    refused("a cell is in bin 0 of 0", calls, ())
    refused("other edges", calls, calendar_us=(0, 1, 2))
    refused("other groups have keys", calls, rest=partials)
    refused("have other measures", calls, rest=core.TrafficPartials.from_columns(1, [0], [], [], []))
    earlier = Compared(by_number(a=1), [0, 1], [0])
    for pair in ([1], [-2], []):
        with pytest.raises(ValueError, match="earlier bins do not belong"):
            respond(
                partials, Question([column(calls)], [0, 1], [0, 1], 0, compared=replace(earlier, pair=pair))
            )
    refused("is not from 0", calls, partials=by_number(a=-1).partials())
    refused("is not from 0", calls, partials=by_number(a=2**63).partials())
