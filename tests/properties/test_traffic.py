"""Relations between answers to the traffic question, which hold whatever the correct figures are."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle.samples import record
from oracle.strategies import DAY_US, Dice, World, worlds
from oracle.traffic.requests import traffic_requests
from pegcount.config import Config
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse, TrafficColumn

from . import budget, deliveries
from .served import Refusal, SharedService, Upkeep, Write, shared_service

_EXAMPLES = budget.scaled(30)
_DICE = st.binary(min_size=16, max_size=16).map(Dice)
_SUM, _MAX = traffic_pb2.ADDITIVITY_SUM, traffic_pb2.ADDITIVITY_MAX
_METRICS: tuple[dict[str, Any], ...] = (
    *({"metric": f"TRAFFIC_METRIC_{name}"} for name in ("CALLS", "ANSWERED", "FAILED", "DURATION_MS")),
    *({"metric": f"TRAFFIC_METRIC_{name}"} for name in ("DELIVERED", "PDD_COUNT", "UNRATED", "CPS_PEAK")),
    {"metric": "TRAFFIC_METRIC_SHORT_CALLS", "threshold_ms": 1_000},
    {"metric": "TRAFFIC_METRIC_CALLS_WITH_CAUSE", "causes": [16]},
)
"""Metrics that add up over bins, or of which the greatest counts."""
# Each coarser bin is a union of finer ones.
_FOLDS = (
    (reports_pb2.GRANULARITY_FIVE_MINUTES, reports_pb2.GRANULARITY_FIFTEEN_MINUTES),
    (reports_pb2.GRANULARITY_THIRTY_MINUTES, reports_pb2.GRANULARITY_HOUR),
    (reports_pb2.GRANULARITY_HOUR, reports_pb2.GRANULARITY_DAY),
    (reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_WEEK),
    (reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_MONTH),
)


@st.composite
def questions(draw: st.DrawFn, /, **changes: Any) -> tuple[World, QueryTrafficRequest]:
    """Draws a world, and a request with some fields replaced."""
    world = draw(worlds(with_bad=False))
    request = draw(traffic_requests(world))
    for name in changes:
        request.ClearField(name)
    request.MergeFrom(QueryTrafficRequest(**changes))
    if "metrics" in changes and request.HasField("top"):
        request.top.metric = 0
    return world, request


def loaded(world: World, *further: Any) -> SharedService:
    service = shared_service(Config())
    batches = [Write(world.messages, world.now_us), *further]
    service.load(batches, world.now_us, world.decks.items())
    return service


def figures_of(service: SharedService, request: QueryTrafficRequest, **changes: Any) -> QueryTrafficResponse:
    """Returns the answer to a request with some fields changed; discards examples that count nothing."""
    changed = QueryTrafficRequest()
    changed.CopyFrom(request)
    for name, value in changes.items():
        if isinstance(value, list):
            changed.ClearField(name)
            getattr(changed, name).extend(value)
        else:
            setattr(changed, name, value)
    found = service.ask(changed)
    budget.require(not isinstance(found, Refusal), "one currency")
    assert isinstance(found, QueryTrafficResponse)
    budget.require(len(found.t) > 0 and len(found.groups) > 0, "calls")
    return found


def numbers(column: TrafficColumn) -> list[Any]:
    """Returns the values of a column as exact numbers, None where there is none."""
    decimals = [Fraction(text) if text else None for text in column.decimals]
    return [*column.integers, *column.doubles, *decimals]


def together(additivity: int, values: Sequence[Any]) -> Any:
    return sum(values) if additivity == _SUM else max(values, default=0)


def by_group(found: QueryTrafficResponse, column: TrafficColumn) -> list[list[Any]]:
    """Returns the values of each group by bin."""
    values, width = numbers(column), len(found.t)
    assert len(values) == len(found.groups) * width
    return [values[at : at + width] for at in range(0, len(values), width)]


@budget.drawn(_EXAMPLES)
@given(question=questions())
def test_bins_give_the_total_of_their_group(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    found = figures_of(loaded(world), request)
    for column, totals in zip(found.columns, found.group_totals, strict=True):
        if column.over_bins in (_SUM, _MAX):
            for values, total in zip(by_group(found, column), numbers(totals), strict=True):
                if total is not None:
                    assert together(column.over_bins, values) == total, column.metric


@budget.drawn(_EXAMPLES)
@given(question=questions())
def test_groups_and_all_others_give_the_total(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    if request.HasField("top"):
        request.top.other = True
    found = figures_of(loaded(world), request)
    for column, total in zip(found.group_totals, found.totals, strict=True):
        if column.over_groups == _SUM:
            (expected,) = numbers(total)
            assert abs(sum(numbers(column)) - expected) <= abs(expected) * (0 if column.integers else 1e-12)


@budget.drawn(_EXAMPLES)
@given(question=questions(attempts="ATTEMPTS_ALL", metrics=_METRICS))
def test_attempts_of_vendors_are_all_attempts(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    service = loaded(world)
    request.ClearField("top")
    vendors = [{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME"}]
    grouped = figures_of(
        service,
        request,
        group_by=[traffic_pb2.GroupSpec(**vendor) for vendor in vendors],  # type: ignore[arg-type]
    )
    whole = figures_of(service, request, group_by=[])
    assert grouped.totals == whole.totals
    for column, total in zip(grouped.group_totals, whole.totals, strict=True):
        if column.over_groups == _SUM:
            assert [sum(numbers(column))] == numbers(total)


@budget.drawn(_EXAMPLES)
@given(question=questions(metrics=[{"metric": f"TRAFFIC_METRIC_{name}"} for name in ("ASR", "NER")]))
def test_asr_is_at_most_ner(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    found = figures_of(loaded(world), request)
    for columns in (found.columns, found.group_totals, found.totals):
        asr, ner = columns
        # A comparison with NaN is false.
        assert not any(a > n for a, n in zip(asr.doubles, ner.doubles, strict=True))


@budget.drawn(_EXAMPLES)
@given(question=questions(), dice=_DICE)
def test_a_call_outside_the_range_changes_nothing(
    question: tuple[World, QueryTrafficRequest], dice: Dice
) -> None:
    world, request = question
    before = figures_of(loaded(world), request)
    first_us = before.t[0] * 10**6
    from_us, to_us = first_us, max(first_us, world.now_us)
    outside_us = dice.pick((from_us - 2 * DAY_US, to_us + 1, to_us + DAY_US))
    budget.require(DAY_US < outside_us < 7_000_000_000 * 10**6, "a time within the limits")
    call = record("outside", outside_us, outside_us, outside_us + 5, account_id="1", customer_price="9")
    after = figures_of(loaded(world, Write([call], world.now_us)), request)
    for found in (before, after):
        found.ClearField("notices")
        found.ClearField("latest_setup_time")
        found.range.ClearField("generated_at")
    assert before == after


@budget.drawn(_EXAMPLES)
@given(question=questions(), dice=_DICE, data=st.data())
def test_order_and_segments_change_nothing(
    question: tuple[World, QueryTrafficRequest], dice: Dice, data: st.DataObject
) -> None:
    world, request = question
    service = loaded(world)
    figures_of(service, request)
    expected = service.ask(request)
    delivery = data.draw(deliveries.rearranged(world.messages, world.now_us))
    service.load([*delivery, dice.pick((Upkeep.SEAL, Upkeep.MAINTAIN))], world.now_us, world.decks.items())
    assert service.ask(request) == expected


@budget.drawn(_EXAMPLES)
@given(question=questions(metrics=_METRICS), granularities=st.sampled_from(_FOLDS))
def test_finer_bins_give_coarser_ones(
    question: tuple[World, QueryTrafficRequest], granularities: tuple[Any, Any]
) -> None:
    world, request = question
    service = loaded(world)
    finer, coarser = granularities
    coarse = figures_of(service, request, granularity=coarser)
    budget.require(len(coarse.t) < 500, "few bins")
    fine = figures_of(service, request, granularity=finer)
    assert (fine.groups, fine.group_totals) == (coarse.groups, coarse.group_totals)
    # A clipped bin keeps its calendar start, so that the first fine bin may begin after the first coarse one.
    place = [max(i for i, start in enumerate(coarse.t) if start <= t) for t in fine.t]
    for column, of_fine in zip(coarse.columns, fine.columns, strict=True):
        for values, parts in zip(by_group(coarse, column), by_group(fine, of_fine), strict=True):
            folded = [
                together(column.over_bins, [part for part, at in zip(parts, place, strict=True) if at == i])
                for i in range(len(values))
            ]
            assert folded == values, column.metric
