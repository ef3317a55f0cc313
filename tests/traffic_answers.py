"""Answers of the core to traffic questions about cells, and cells and questions at random."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from naive_traffic import Cells, Compared, Intervals, Keys, Question, answer, widths_of
from pegcount import core
from pegcount.traffic import Figure, TrafficColumn
from pegcount.v1 import traffic_pb2

SECOND_US = 1_000_000
LIMITS = core.AnswerLimits(core.CancelToken(None), 2**30, 2**30)
HEADER = traffic_pb2.QueryTrafficResponse(latest_setup_time="2026-03-10T10:29:00Z")


def column(figure: Figure, *, has_totals: bool = True, percentile: int | None = None) -> TrafficColumn:
    spec = traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS, percentile=percentile)
    header = traffic_pb2.TrafficColumn(metric=spec, over_bins=traffic_pb2.ADDITIVITY_SUM)
    return TrafficColumn(header.SerializeToString(), figure, has_totals)


def respond(
    partials: core.TrafficPartials,
    question: Question,
    *,
    rest: core.TrafficPartials | None = None,
    earlier_rest: core.TrafficPartials | None = None,
    found: core.RankedGroups | None = None,
    limits: core.AnswerLimits = LIMITS,
    value_count_max: int = 4_000_000,
) -> traffic_pb2.QueryTrafficResponse:
    return traffic_pb2.QueryTrafficResponse.FromString(
        core.traffic_response(
            partials,
            rest,
            header=HEADER.SerializeToString(),
            limits=limits,
            columns=question.columns,
            covered_us=np.array(widths_of(question.edge_us), np.int64),
            calendar_us=np.array(question.calendar_us, np.int64),
            now_us=question.now_us,
            ranked=found,
            other=question.other,
            value_count_max=value_count_max,
            compared=None if question.compared is None else compared_traffic(question.compared, earlier_rest),
        )
    )


def compared_traffic(compared: Compared, rest: core.TrafficPartials | None) -> core.ComparedTraffic:
    edge_us = np.array(compared.edge_us, np.int64)
    pair = np.array(compared.pair, np.int64)
    return core.ComparedTraffic(b"", compared.cells.partials(), rest, np.diff(edge_us), edge_us, pair)


def check(found: traffic_pb2.QueryTrafficResponse, cells: Cells, question: Question) -> None:
    """Compares bytes, so that a NaN equals only the canonical one."""
    expected = answer(cells, question)
    expected.MergeFrom(HEADER)
    if found.SerializeToString(deterministic=True) != expected.SerializeToString(deterministic=True):
        assert str(found) == str(expected)
        pytest.fail("the messages print alike, and differ")


def random_cells(dice: Random) -> Cells:
    texts = tuple(dice.choice([True, False]) for _ in range(dice.randrange(4)))
    return random_cells_of(texts, dice.randrange(5), dice)


def random_cells_of(texts: tuple[bool, ...], bin_count: int, dice: Random) -> Cells:
    kinds = (int, int, int, int, Counter, Counter, Intervals)
    cells = Cells(bin_count, kinds, texts)
    places = [(number, random_keys(texts, dice)) for number in range(cells.bin_count) for _ in range(6)]
    for place in places[: dice.choice([0, 1, 100, 100])] if texts else places:
        values = [Counter(dice.choices(range(-3, 9), k=dice.randrange(7))) for _ in range(2)]
        values[0] = Counter({abs(value): count for value, count in values[0].items()})
        counts = [dice.randrange(3), dice.randrange(9), dice.choice([5, 2**52, 2**70])]
        starts = [dice.randrange(20) for _ in range(dice.randrange(5))]
        intervals = Intervals(tuple((start, start + dice.randrange(9)) for start in starts))
        cells.measures[place] = [*counts, dice.randint(-(10**20), 10**20), *values, intervals]
    return cells


def random_keys(texts: Sequence[bool], dice: Random) -> Keys:
    text = ["a", "B", "é", "\U0001f600", None]
    return tuple(dice.choice(text if is_text else [0, -4, 2**62, 7, None]) for is_text in texts)


def random_figure(dice: Random) -> Figure:
    first, second = dice.randrange(4), dice.randrange(4)
    only_with = dice.choice([None, 0])
    ratio = Figure("ratio", first, second, dice.choice([1, 100]), dice.choice([1, 1000]), 0, only_with)
    percentile = Figure("percentile", 4, percent=dice.choice([1, 50, 95, 99]))
    rate = Figure("rate", first, multiplier=dice.choice([1, 10**6]))
    others = [Figure("integer", 1), rate, Figure("money", 3), Figure("busiest", 5)]
    peaks = [Figure("peak", 6), Figure("peak_at", 6)]
    return dice.choice([ratio, percentile, *others, *peaks, Figure("busiest", 4)])


def random_question(cells: Cells, dice: Random) -> Question:
    columns = [column(random_figure(dice), has_totals=dice.random() < 0.8) for _ in range(3)]
    widths = [dice.choice([0, 1, 7, 900 * SECOND_US]) for _ in range(cells.bin_count)]
    edges = [sum(widths[:i]) - 10**6 for i in range(cells.bin_count + 1)] if cells.bin_count else []
    calendar = [us - 3 for us in edges]
    compared = random_compared(cells, dice) if dice.random() < 0.5 else None
    now_us = dice.choice([-(10**7), *edges])
    return Question(columns, edges, calendar, now_us, compared=compared)


def random_compared(cells: Cells, dice: Random) -> Compared:
    """An earlier range of other groups and bins."""
    earlier = random_cells_of(cells.texts, dice.randrange(4), dice)
    edges = [900 * SECOND_US * i for i in range(earlier.bin_count + 1)] if earlier.bin_count else []
    return Compared(earlier, edges, [dice.randrange(-1, earlier.bin_count) for _ in range(cells.bin_count)])


def shuffled(cells: Cells, dice: Random) -> core.TrafficPartials:
    return cells.partials(
        dice.sample(range(len(cells.measures)), len(cells.measures)) if cells.texts else None
    )
