"""Relations that must hold between answers, without knowing the correct figures."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from oracle import active, calendar
from oracle import requests as requests_of
from oracle.samples import record
from oracle.strategies import DAY_US, DIMENSIONS, Dice, World, worlds, zones
from pegcount.config import Config
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionKind, SessionRecord

from . import budget, deliveries
from .served import Refusal, SharedService, Write, shared_service

_Request = TypeVar("_Request", bound=Message)
_REQUESTS: tuple[Callable[[World], Any], ...] = (
    requests_of.usage_requests,
    requests_of.active_requests,
    requests_of.folder_requests,
    requests_of.quality_requests,
)
# Each coarser bin is a union of finer ones; DAY consists of HOUR, and both WEEK and MONTH consist of DAY.
_FOLDS = (
    (reports_pb2.GRANULARITY_MINUTE, reports_pb2.GRANULARITY_FIVE_MINUTES),
    (reports_pb2.GRANULARITY_FIVE_MINUTES, reports_pb2.GRANULARITY_FIFTEEN_MINUTES),
    (reports_pb2.GRANULARITY_FIFTEEN_MINUTES, reports_pb2.GRANULARITY_THIRTY_MINUTES),
    (reports_pb2.GRANULARITY_THIRTY_MINUTES, reports_pb2.GRANULARITY_HOUR),
    (reports_pb2.GRANULARITY_HOUR, reports_pb2.GRANULARITY_DAY),
    (reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_WEEK),
    (reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_MONTH),
)
_SUMS = ("total_calls", "answered_calls", "duration_ms")
_FOLDER_SUMS = ("call_count", "answered_count", "duration_ms")
_EXAMPLES = budget.scaled(40)

# Without records near the limits of time, the echoed range is itself a valid request.
_WORLDS = worlds(with_bad=False)
_DICE = st.binary(min_size=16, max_size=16).map(Dice)


def instant(text: str) -> int:
    """Parses a time of an answer."""
    return calendar.parse_time(text, "UTC")


def text_of(instant_us: int) -> str:
    return calendar.format_time("UTC", instant_us)


def service_with(world: World, *further: SessionRecord) -> SharedService:
    """Returns a service that has received the world in one batch, then the further records."""
    service = shared_service(Config())
    service.load(
        [Write(world.messages, world.now_us), Write(list(further), world.now_us)],
        world.now_us,
        world.decks.items(),
    )
    return service


def ask(service: SharedService, request: _Request, **changes: Any) -> Any:
    """Returns the answer to a request with some fields changed."""
    changed = type(request)()
    changed.CopyFrom(request)
    for name, value in changes.items():
        setattr(changed, name, value)
    answer = service.ask(changed)
    assert not isinstance(answer, Refusal), f"{answer} of {changed}"
    return answer


def sum_fields(messages: Iterable[Message], names: Sequence[str]) -> list[int]:
    """Sums each field over the messages."""
    found = list(messages)
    return [sum(getattr(message, name) for message in found) for name in names]


def answered_quality(service: SharedService, request: Any) -> tuple[Any, Any]:
    """Asks a request, or for all calls of its bins if it counts nothing; returns both."""
    answer = service.ask(request)
    if isinstance(answer, Refusal) or answer.totals.total_calls > 0:
        return request, answer
    kept = fields_of(request, ("from_time", "to_time", "time_zone", "sampling"))
    wide = reports_pb2.QueryOriginationQualityRequest(**kept, all_accounts=True)
    return wide, service.ask(wide)


def answered_usage(service: SharedService, request: Any) -> tuple[Any, Any]:
    """Asks a request, or for all calls of its bins if it counts nothing; returns both."""
    answer = service.ask(request)
    if isinstance(answer, Refusal) or answer.totals.session_count > 0:
        return request, answer
    kept = fields_of(request, ("from_time", "to_time", "time_zone", "granularity", "sma_period"))
    wide = reports_pb2.QueryAsrUsageRequest(**kept, kind=SessionKind.SESSION_KIND_CALL)
    return wide, service.ask(wide)


def fields_of(request: Message, names: Sequence[str]) -> dict[str, Any]:
    """Returns the values of some fields, of those that are set."""
    return {field.name: value for field, value in request.ListFields() if field.name in names}


def by_start(answer: reports_pb2.QueryOriginationQualityResponse) -> dict[int, list[int]]:
    """Returns the additive columns by bin start, without empty bins."""
    data = answer.data
    rows = zip(data.t, data.total_calls, data.answered_calls, data.duration_ms, strict=True)
    return {t: figures for t, *figures in rows if any(figures)}


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, dice=_DICE)
def test_quality_of_a_range_split_at_any_instant_adds_up(
    data: st.DataObject, world: World, dice: Dice
) -> None:
    service = service_with(world)
    request, whole = answered_quality(service, data.draw(requests_of.quality_requests(world)))
    budget.require(not isinstance(whole, Refusal) and whole.rows > 0, "rows")
    budget.require(whole.totals.total_calls > 0, "figures")
    from_time, to_time = whole.range.from_time, whole.range.to_time
    from_us, to_us = instant(from_time), instant(to_time)
    inside = [tick for tick in world.ticks if from_us < tick < to_us] or [(from_us + to_us) // 2]
    cut = text_of(dice.pick([*inside, from_us + dice.below(to_us - from_us)]))
    budget.require(instant(cut) != from_us, "an instant within the range")
    parts = [
        ask(service, request, from_time=from_time, to_time=cut),
        ask(service, request, from_time=cut, to_time=to_time),
    ]
    assert sum_fields([part.totals for part in parts], _SUMS) == sum_fields([whole.totals], _SUMS)
    together = by_start(parts[0])
    for t, figures in by_start(parts[1]).items():
        here = together.get(t, [0, 0, 0])
        together[t] = [one + other for one, other in zip(here, figures, strict=True)]
    assert together == by_start(whole)


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, dice=_DICE)
def test_usage_of_a_range_split_at_a_bin_edge_adds_up(data: st.DataObject, world: World, dice: Dice) -> None:
    service = service_with(world)
    request, whole = answered_usage(service, data.draw(requests_of.usage_requests(world)))
    budget.require(not isinstance(whole, Refusal) and len(whole.bins) > 1, "two bins")
    budget.require(whole.totals.session_count > 0, "figures")
    cut = dice.pick(whole.bins[1:]).start_time
    budget.require(instant(cut) < world.now_us, "a cut in the past")
    parts = [
        ask(service, request, from_time=whole.range.from_time, to_time=cut),
        ask(service, request, from_time=cut, to_time=whole.range.to_time),
    ]
    # The moving average of the second part reads days of the first part from the store.
    assert [of_bin for part in parts for of_bin in part.bins] == list(whole.bins)
    assert sum_fields([part.totals for part in parts], ["session_count"]) == [whole.totals.session_count]


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, dice=_DICE)
def test_folder_statistics_of_days_split_at_a_day_add_up(
    data: st.DataObject, world: World, dice: Dice
) -> None:
    service = service_with(world)
    request = data.draw(requests_of.folder_requests(world, ("%Y-%m-%d", "%Y%m%d")))
    whole = service.ask(request)
    first, last = calendar.parse_date(request.from_date), calendar.parse_date(request.to_date)
    budget.require(not isinstance(whole, Refusal) and first < last, "two days")
    budget.require(whole.totals.call_count > 0, "figures")
    cut = first + timedelta(days=dice.below((last - first).days))
    parts = [
        ask(service, request, to_date=cut.isoformat()),
        ask(service, request, from_date=(cut + timedelta(days=1)).isoformat()),
    ]
    assert [row for part in parts for row in part.rows] == list(whole.rows)
    assert sum_fields([part.totals for part in parts], _FOLDER_SUMS) == sum_fields(
        [whole.totals], _FOLDER_SUMS
    )


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, zone=zones())
def test_zone_changes_no_total_of_a_range_given_as_instants(
    data: st.DataObject, world: World, zone: str
) -> None:
    service = service_with(world)
    request, found = answered_quality(service, data.draw(requests_of.quality_requests(world)))
    budget.require(not isinstance(found, Refusal) and found.rows > 0, "rows")
    budget.require(found.totals.total_calls > 0, "figures")
    times = {"from_time": found.range.from_time, "to_time": found.range.to_time}
    elsewhere = ask(service, request, time_zone=zone, **times).totals
    for name in (*_SUMS, "acd", "asr", "cps_mean"):
        assert elsewhere.HasField(name) == found.totals.HasField(name)
        assert getattr(elsewhere, name) == getattr(found.totals, name)


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, first=st.sampled_from(_REQUESTS), second=st.sampled_from(_REQUESTS))
def test_order_repetition_batches_and_upkeep_change_nothing(
    data: st.DataObject, world: World, first: Callable[[World], Any], second: Callable[[World], Any]
) -> None:
    requests = [data.draw(make(world)) for make in (first, second, *_REQUESTS)]
    service = service_with(world)
    expected = [service.ask(request) for request in requests]
    for _ in range(2):
        delivery = data.draw(deliveries.rearranged(world.messages, world.now_us))
        service.load(delivery, world.now_us, world.decks.items())
        assert [service.ask(request) for request in requests] == expected


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, granularities=st.sampled_from(_FOLDS))
def test_finer_bins_of_usage_fold_into_coarser_ones(
    data: st.DataObject, world: World, granularities: tuple[Any, Any]
) -> None:
    service = service_with(world)
    finer, coarser = granularities
    drawn = data.draw(requests_of.usage_requests(world, [coarser]))
    drawn.ClearField("sma_period")
    request, coarse = answered_usage(service, drawn)
    budget.require(not isinstance(coarse, Refusal) and 0 < len(coarse.bins) < 1000, "a few bins")
    budget.require(coarse.totals.session_count > 0, "figures")
    times = {"from_time": coarse.range.from_time, "to_time": coarse.range.to_time}
    fine = ask(service, request, granularity=finer, **times)
    assert (fine.range.from_time, fine.range.to_time) == tuple(times.values())
    starts = [of_bin.start_time for of_bin in coarse.bins]
    assert set(starts) <= {of_bin.start_time for of_bin in fine.bins}
    folded: list[int] = []
    for of_bin in fine.bins:
        if of_bin.start_time in starts:
            folded.append(0)
        folded[-1] += of_bin.session_count
    assert folded == [of_bin.session_count for of_bin in coarse.bins]


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, granularities=st.sampled_from(_FOLDS))
def test_finer_bins_of_quality_fold_into_coarser_ones(
    data: st.DataObject, world: World, granularities: tuple[Any, Any]
) -> None:
    service = service_with(world)
    finer, coarser = granularities
    request, coarse = answered_quality(service, data.draw(requests_of.quality_requests(world, [coarser])))
    budget.require(not isinstance(coarse, Refusal) and 0 < coarse.rows < 1000, "a few bins")
    budget.require(coarse.totals.total_calls > 0, "figures")
    folded: dict[int, list[int]] = {}
    for t, figures in by_start(ask(service, request, sampling=finer)).items():
        start = max(start for start in coarse.data.t if start <= t)
        here = folded.get(start, [0, 0, 0])
        folded[start] = [one + other for one, other in zip(here, figures, strict=True)]
    assert folded == by_start(coarse)


@budget.drawn(_EXAMPLES)
@given(world=_WORLDS, dice=_DICE)
def test_filters_of_less_equal_and_greater_part_the_calls(world: World, dice: Dice) -> None:
    service = service_with(world)
    request = reports_pb2.QueryOriginationQualityRequest(
        account_id="1",
        from_time=text_of(min(world.ticks) - 40 * DAY_US),
        to_time=text_of(max(world.ticks) + 40 * DAY_US),
        sampling=reports_pb2.GRANULARITY_MONTH,
    )
    budget.require(instant(request.from_time) < world.now_us, "a range in the past")
    # Mostly the figures of a stored record.
    record = dice.pick([message for message in world.messages if message.answer_time] or [SessionRecord()])
    seconds = record.end_time.seconds - record.answer_time.seconds - dice.below(2)
    own = record.customer_price or "0.1"
    # The second candidate has more decimals than any price.
    price = dice.pick((own, own + ("" if "." in own else ".") + "0000000001", dice.pick(requests_of.PRICES)))

    def parts(name: str, kind: Any, value: object) -> list[int]:
        filters = ({name: kind(**{how: value})} for how in ("lt", "eq", "gt"))
        return sum_fields([filtered(service, request, **of_one).totals for of_one in filters], _SUMS)

    everything = ask(service, request).totals
    budget.require(everything.total_calls > 0, "figures")
    assert parts("duration", reports_pb2.IntegerFilter, seconds) == sum_fields([everything], _SUMS)
    # A call without a price passes none of the three filters; any other price is greater than this one.
    priced = filtered(service, request, customer_price=reports_pb2.DecimalFilter(gt="-99999999999")).totals
    assert parts("customer_price", reports_pb2.DecimalFilter, price) == sum_fields([priced], _SUMS)


@budget.drawn(_EXAMPLES)
@given(world=_WORLDS)
def test_accounts_and_calls_without_account_part_the_calls(world: World) -> None:
    service = service_with(world)
    request = reports_pb2.QueryOriginationQualityRequest(
        from_time=text_of(min(world.ticks) - 40 * DAY_US),
        to_time=text_of(max(world.ticks) + 40 * DAY_US),
        sampling=reports_pb2.GRANULARITY_MONTH,
    )
    budget.require(instant(request.from_time) < world.now_us, "a range in the past")
    everything = sum_fields([filtered(service, request, all_accounts=True).totals], _SUMS)
    budget.require(everything[0] > 0, "figures")
    accounts: list[dict[str, Any]] = [{"account_id": name} for name in DIMENSIONS["account_id"] if name]
    parts = [*{str(fields): fields for fields in accounts}.values(), {"absent": ["account_id"]}]
    assert sum_fields([filtered(service, request, **part).totals for part in parts], _SUMS) == everything
    some = filtered(service, request, account_ids=["3", "1", "1"], absent=["account_id"]).totals
    other = filtered(service, request, account_id="2").totals
    assert sum_fields([some, other], _SUMS) == everything
    for name in ("src_country_id", "dst_country_id", "src_prefix_routing", "dst_prefix_routing"):
        found = [filtered(service, request, all_accounts=True, **absent(name)).totals]
        found += [
            filtered(service, request, all_accounts=True, **present).totals
            for present in present_values(name)
        ]
        assert sum_fields(found, _SUMS) == everything


def absent(name: str) -> dict[str, Any]:
    """Returns the filter for calls without a value."""
    is_text = name.endswith("routing")
    return {name: reports_pb2.TextFilter(absent=True)} if is_text else {"absent": [name]}


def present_values(name: str) -> list[dict[str, Any]]:
    """Returns a filter for each value that a record of a world may have."""
    values = [value for value in dict.fromkeys(DIMENSIONS[name]) if value is not None]
    is_text = name.endswith("routing")
    return [{name: reports_pb2.TextFilter(eq=value) if is_text else value} for value in values]


def filtered(
    service: SharedService, request: reports_pb2.QueryOriginationQualityRequest, **filters: Any
) -> Any:
    """Returns the answer to a request with additional filters."""
    changed = reports_pb2.QueryOriginationQualityRequest(**filters)
    changed.MergeFrom(request)
    return ask(service, changed)


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS)
def test_groups_of_active_sessions_add_up(data: st.DataObject, world: World) -> None:
    service = service_with(world)
    request = data.draw(requests_of.active_requests(world))
    keys = [name for name in request.return_fields if name not in active.AGGREGATES]
    for name in ("order", "limit", "return_fields"):
        request.ClearField(name)
    request.return_fields.extend([*keys, *active.AGGREGATES])
    request.grouping = reports_pb2.GROUPING_ROLLUP
    found = service.ask(request)
    budget.require(not isinstance(found, Refusal), "an answer")
    budget.require(found.total.quantity > 0, "figures")
    assert len(found.rows) == found.row_count
    for level in range(1, len(keys)):
        subtotals = [row for row in found.subtotals if row.level == level]
        assert sum_fields(subtotals, ["quantity"]) == [found.total.quantity]
        assert_rounded(subtotals, found.total)
    assert sum_fields(found.rows, ["quantity"]) == [found.total.quantity]
    assert_rounded(found.rows, found.total)
    del request.return_fields[: len(keys)]
    request.ClearField("grouping")
    (alone,) = ask(service, request).rows
    assert (alone.quantity, alone.duration) == (found.total.quantity, found.total.duration)


def assert_rounded(rows: Sequence[Any], total: Any) -> None:
    """Durations are rounded down separately, so the rows may lack up to one second each."""
    (summed,) = sum_fields(rows, ["duration"])
    assert summed <= total.duration <= summed + len(rows)


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS)
def test_folders_and_agents_add_up(data: st.DataObject, world: World) -> None:
    service = service_with(world)
    request = data.draw(requests_of.folder_requests(world))
    request.folder = ""
    found = service.ask(request)
    budget.require(not isinstance(found, Refusal), "an answer")
    budget.require(found.totals.call_count > 0, "figures")
    assert sum_fields(found.rows, _FOLDER_SUMS) == sum_fields([found.totals], _FOLDER_SUMS)
    for row in found.rows:
        of_agents = sum_fields(row.agents, _FOLDER_SUMS)
        assert all(part <= getattr(row, name) for part, name in zip(of_agents, _FOLDER_SUMS, strict=True))
    for folder in {row.folder for row in found.rows} - {""}:
        alone = ask(service, request, folder=folder)
        assert list(alone.rows) == [row for row in found.rows if row.folder == folder]


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, make=st.sampled_from(_REQUESTS), dice=_DICE)
def test_finished_record_outside_the_range_changes_nothing(
    data: st.DataObject, world: World, make: Callable[[World], Any], dice: Dice
) -> None:
    request = data.draw(make(world))
    found = service_with(world).ask(request)
    budget.require(not isinstance(found, Refusal), "an answer")
    from_us, to_us = instant(found.range.from_time), instant(found.range.to_time)
    # A moving average reads at most a year back.
    setup_us = dice.pick((to_us, to_us + DAY_US, from_us - 400 * DAY_US))
    fields = {"company": "c", "organization": "o", "account_id": "1", "kind": 1 + dice.below(3)}
    if getattr(request, "sma_period", 0) == 0:
        setup_us = dice.pick((setup_us, from_us - 1))
    outside = record("outside", max(setup_us, 0), None, max(setup_us, 0) + 1, source="elsewhere", **fields)
    budget.require(not from_us <= max(setup_us, 0) < to_us, "an instant outside the range")
    again = service_with(world, outside).ask(request)
    for answer in (found, again):
        # The notices may change, because the new record may be the oldest or the only one.
        answer.ClearField("notices")
    assert again == found


@budget.drawn(_EXAMPLES)
@given(data=st.data(), world=_WORLDS, count=st.integers(1, 3))
def test_finished_call_within_the_range_counts_once(data: st.DataObject, world: World, count: int) -> None:
    request = data.draw(requests_of.quality_requests(world))
    for name in (*requests_of.QUALITY_FILTERS, "account_ids", "all_accounts", "absent"):
        request.ClearField(name)
    request.account_id = "1"
    found = service_with(world).ask(request)
    budget.require(not isinstance(found, Refusal) and found.rows > 0, "rows")
    setup_us = instant(found.range.to_time) - 1
    call = record("within", setup_us, setup_us, setup_us + 2_999_999, source="elsewhere", account_id="1")
    again = service_with(world, *[call] * count).ask(request)
    expected = by_start(found)
    calls, answered, duration_ms = expected.get(found.data.t[-1], [0, 0, 0])
    expected[found.data.t[-1]] = [calls + 1, answered + 1, duration_ms + 2_999]
    assert by_start(again) == expected
