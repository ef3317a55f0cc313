"""Relations between answers to the traffic question, which hold whatever the correct figures are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import isnan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle.records import merge_messages
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
    *(
        {"metric": f"TRAFFIC_METRIC_{name}", "occupancy": f"OCCUPANCY_{occupancy}"}
        for name in ("PEAK", "OCCUPIED_US")
        for occupancy in ("TALK", "SEIZED")
    ),
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
    request.MergeFrom(QueryTrafficRequest(**{name: value for name, value in changes.items() if value}))
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
    doubles = [None if isnan(double) else double for double in column.doubles]
    return [*column.integers, *doubles, *decimals]


def together(additivity: int, values: Sequence[Any]) -> Any:
    """Returns the value of several, None if one of them has none."""
    if None in values:
        return None
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
            added = together(_SUM, numbers(column))
            if expected is None or added is None:
                # As all groups cover the same time, rates have a value in all of them or in none.
                assert (expected, set(numbers(column)) - {None}) == (None, set())
            else:
                assert abs(added - expected) <= abs(expected) * (0 if column.integers else 1e-12)


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
            assert [together(_SUM, numbers(column))] == numbers(total)


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
@given(question=questions(compare=0), dice=_DICE)
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


def _occupancy(*names: str) -> list[dict[str, Any]]:
    return [
        {"metric": f"TRAFFIC_METRIC_{name}", "occupancy": f"OCCUPANCY_{occupancy}"}
        for occupancy in ("TALK", "SEIZED")
        for name in names
    ]


@budget.drawn(_EXAMPLES)
@given(question=questions(metrics=_occupancy("PEAK", "ERLANG", "PEAK_AT")))
def test_the_peak_is_at_least_the_mean(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    found = figures_of(loaded(world), request)
    groups = len(found.groups)
    for covered_us, columns in (
        (list(found.covered_us) * groups, found.columns),
        ([sum(found.covered_us)] * groups, found.group_totals),
        ([sum(found.covered_us)], found.totals),
    ):
        for place in (0, 3):
            peak, erlang, peak_at = columns[place : place + 3]
            rows = zip(peak.integers, erlang.doubles, peak_at.integers, covered_us, strict=True)
            for greatest, mean, instant_us, width_us in rows:
                assert width_us == 0 or greatest >= mean
                assert (instant_us == -1) == (greatest == 0)


@budget.drawn(_EXAMPLES)
@given(question=questions(metrics=_occupancy("PEAK")))
def test_the_peak_of_all_is_at_most_the_peaks_of_groups(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    if request.HasField("top"):
        request.top.other = True
    found = figures_of(loaded(world), request)
    for column, total in zip(found.group_totals, found.totals, strict=True):
        assert max(column.integers) <= total.integers[0] <= sum(column.integers) or _has_local_times(request)


def _has_local_times(request: QueryTrafficRequest) -> bool:
    """Returns whether groups are times, so that not all calls of one are there together with another's."""
    local = (traffic_pb2.TRAFFIC_DIMENSION_HOUR_OF_DAY, traffic_pb2.TRAFFIC_DIMENSION_WEEKDAY)
    return any(spec.dimension in local for spec in request.group_by)


_TO_NOW: dict[str, Any] = {
    "metrics": [*_occupancy("OCCUPIED_US"), {"metric": "TRAFFIC_METRIC_CALLS"}],
    "group_by": [],
    "filters": [],
    "top": None,
    "open_hours": None,
    "compare": 0,
    "kind": 1,
    "attempts": "ATTEMPTS_ALL",
}


@budget.drawn(_EXAMPLES)
@given(question=questions(**_TO_NOW))
def test_bins_of_all_time_have_the_length_of_all_calls(question: tuple[World, QueryTrafficRequest]) -> None:
    world, request = question
    calls = [one for one in merge_messages(world.messages).sessions if one.kind == 1 and one.finished]
    budget.require(bool(calls), "calls that have ended")
    ends_us = [one.end_us or 0 for one in calls]
    service = loaded(world)
    # Later, when the active calls are abandoned.
    service.now_us = max(world.now_us, *ends_us) + 2 * DAY_US
    for name in ("to_time", "time_zone", "granularity"):
        request.ClearField(name)
    first_us = min(one.setup_us for one in calls)
    request.from_time = f"{datetime.fromtimestamp(first_us // 10**6, UTC):%Y-%m-%dT%H:%M:%SZ}"
    talk, seized, count = (total.integers[0] for total in figures_of(service, request).totals)
    assert count == len(calls)
    assert seized == sum(end - one.setup_us for one, end in zip(calls, ends_us, strict=True))
    answered = [(one.answer_us, end) for one, end in zip(calls, ends_us, strict=True)]
    assert talk == sum(end - start for start, end in answered if start is not None)


@budget.drawn(_EXAMPLES)
@given(question=questions(**_TO_NOW), dice=_DICE)
def test_a_call_begun_before_the_range_occupies_it(
    question: tuple[World, QueryTrafficRequest], dice: Dice
) -> None:
    world, request = question
    request.ClearField("granularity")
    before = figures_of(loaded(world), request)
    from_us = _us_of_text(before.range.from_time)
    covered_us = before.covered_us[0]
    setup_us = from_us - dice.pick((1, 10**6, DAY_US, 6 * DAY_US))
    budget.require(DAY_US < setup_us < 7_000_000_000 * 10**6, "a time within the limits")
    within_us = dice.pick((1, covered_us, covered_us + 5, max(1, covered_us // 2)))
    call = record("before", setup_us, setup_us, from_us + within_us, account_id="1")
    after = figures_of(loaded(world, Write([call], world.now_us)), request)
    more = [now.integers[0] - then.integers[0] for now, then in zip(after.totals, before.totals, strict=True)]
    assert more == [min(within_us, covered_us), min(within_us, covered_us), 0]


def _us_of_text(text: str) -> int:
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)
