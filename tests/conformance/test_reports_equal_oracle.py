"""The service answers like the oracle for random records, deliveries and requests.

One example is a world, a delivery of it and eight requests, two per report. `PEGCOUNT_EXAMPLES` counts
requests.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from oracle import active, calendar, compare, folder, quality, records, usage
from oracle import requests as requests_of
from oracle.expected import ExpectedError
from oracle.samples import at, record
from oracle.strategies import DAY_US, US, Dice, World, changes_at_midnight, worlds
from pegcount.config import Config
from pegcount.model import WriteOutcome
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_ASR, SESSION_KIND_CALL, RejectReason
from properties import budget, deliveries
from properties.served import Delivery, Refusal, Write, shared_service

from conformance.stores import StoreFactory

# A failing example is printed in full, however long.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

_CONFIGS = (
    Config(),
    Config(seal_row_count=3, active_copy_row_count=2, segment_row_count_max=5, journal_bytes_max=15_000),
    Config(bin_count_max=20, cell_count_max=3, filter_value_count_max=1, active_ttl_seconds=3600),
    Config(bin_count_max=1, cell_count_max=1, filter_text_bytes_max=4, filter_value_count_max=2),
)
_OFTEN = (*[_CONFIGS[0]] * 4, *[_CONFIGS[1]] * 2, _CONFIGS[2], _CONFIGS[3])
_REPORTS: tuple[tuple[Callable[[World], Any], Any, Any, Callable[[Any], int]], ...] = (
    (
        requests_of.usage_requests,
        requests_of.USAGE_DAMAGES,
        usage.answer,
        lambda found: found.totals.session_count,
    ),
    (requests_of.active_requests, requests_of.ACTIVE_DAMAGES, active.answer, lambda found: found.row_count),
    (
        requests_of.folder_requests,
        requests_of.FOLDER_DAMAGES,
        folder.answer,
        lambda found: found.totals.call_count,
    ),
    (
        requests_of.quality_requests,
        requests_of.QUALITY_DAMAGES,
        quality.answer,
        lambda found: found.totals.total_calls,
    ),
)
_REQUESTS_PER_WORLD = 8


@dataclass(frozen=True)
class Scenario:
    """A world, its delivery to a store with some configuration, and the requests."""

    config: Config
    world: World
    delivery: Delivery
    requests: list[Message]

    def __repr__(self) -> str:
        steps = [repr(step) for step in self.delivery]
        return "\n".join([f"{self.config}", f"now {self.world.now_us}", *steps, *map(_line, self.requests)])

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        """Prints a failing example for Hypothesis."""
        printer.text(repr(self))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    world = draw(worlds())
    requests = []
    for make, damages, _, _ in _REPORTS * (_REQUESTS_PER_WORLD // len(_REPORTS)):
        is_broken = draw(st.integers(0, 9)) == 9
        requests.append(draw(requests_of.broken(make(world), damages) if is_broken else make(world)))
    config = draw(st.sampled_from(_OFTEN))
    make_delivery = draw(st.sampled_from((*[deliveries.deliveries] * 3, deliveries.corrected)))
    return Scenario(config, world, draw(make_delivery(world.messages, world.now_us)), requests)


@pytest.mark.parametrize("chunk", budget.CHUNKS)
def test_reports_equal_the_oracle(
    chunk: int, stores: StoreFactory, record_property: Callable[[str, object], None]
) -> None:
    tally = budget.Tally()
    world_count = max(1, round(budget.CHUNK_REQUEST_COUNT * stores.example_share) // _REQUESTS_PER_WORLD)

    @budget.drawn(world_count, "reports equal the oracle", chunk)
    @given(scenario=scenarios())
    def check(scenario: Scenario) -> None:
        check_scenario(scenario, stores, tally)

    try:
        check()
    finally:
        for name, count in vars(tally).items():
            record_property(name, count)
    assert tally.with_figures > tally.requests // 10


@budget.drawn(budget.scaled(120))
@given(dice=st.binary(min_size=24, max_size=24).map(Dice))
def test_days_around_odd_midnights_equal_the_oracle(stores: StoreFactory, dice: Dice) -> None:
    """Random requests rarely cover such midnights; these all do, with DAY bins."""
    # In St. John's the clock went back to the previous day just after midnight.
    st_johns = [found for found in changes_at_midnight() if found[0] == "America/St_Johns"]
    zone, changes = dice.pick(dice.pick((st_johns, changes_at_midnight())))
    near_us = dice.pick(changes) + dice.below(4 * 3600 * US) - 2 * 3600 * US
    around_us = [near_us + days * DAY_US for days in (-1, 0, 1, 2)]
    calls = [
        record(f"{kind} {at_us}", at_us, end=at_us, kind=kind, account_id="1", company="c", organization="o")
        for kind in (SESSION_KIND_CALL, SESSION_KIND_ASR)
        for at_us in around_us
    ]
    world = World(zone, (), dice.pick(around_us), calls, {})
    from_time = calendar.format_time("UTC", dice.pick(around_us[:3]))
    fields: dict[str, Any] = {"time_zone": zone, "from_time": from_time}
    if dice.below(2):
        fields["to_time"] = calendar.format_time("UTC", around_us[-1])
    requests: list[Message] = [
        reports_pb2.QueryAsrUsageRequest(
            granularity="GRANULARITY_DAY", sma_period=dice.below(5) + 1, **fields
        ),
        reports_pb2.QueryOriginationQualityRequest(sampling="GRANULARITY_DAY", account_id="1", **fields),
        reports_pb2.QueryFolderStatsRequest(company="c", organization="o", time_zone=zone),
    ]
    scenario = Scenario(Config(), world, [Write(calls, world.now_us)], requests)
    check_scenario(scenario, stores, budget.Tally())


def test_missing_date_does_not_count_towards_the_bin_limit(stores: StoreFactory) -> None:
    call = record(
        "a", at("2011-12-31T00:00:00Z"), end=at("2011-12-31T00:00:01Z"), company="c", organization="o"
    )
    world = World("Pacific/Apia", (), at("2012-02-01"), [call], {})
    requests: list[Message] = [
        reports_pb2.QueryFolderStatsRequest(
            company="c", organization="o", from_date=first, to_date="2011-12-31", time_zone="Pacific/Apia"
        )
        for first in ("2011-12-29", "2011-12-30")
    ]
    tally = budget.Tally()
    check_scenario(Scenario(Config(bin_count_max=1), world, [Write([call], 0)], requests), stores, tally)
    assert (tally.refused, tally.with_figures) == (1, 1)


def check_scenario(scenario: Scenario, stores: StoreFactory, tally: budget.Tally) -> None:
    world = scenario.world
    service = shared_service(scenario.config, stores)
    outcomes = service.load(scenario.delivery, world.now_us, world.decks.items())
    merged = deliveries.merge_delivery(scenario.delivery)
    # Of two corrections of one revision, a hash decides, which the oracle does not know.
    if merged.has_ties:
        budget.require(False, "an order of all versions")
    check_outcomes(outcomes, scenario.delivery, merged)
    for request in scenario.requests:
        tally.requests += 1
        found = service.ask(request)
        expected, figure_of = expected_of(request, merged.sessions, world, scenario.config)
        if isinstance(expected, ExpectedError):
            tally.refused += 1
            assert isinstance(found, Refusal), f"expected {expected} of {_line(request)}, got {found}"
            compare.assert_refused(found.code, found.reason, found.violations, expected)
        else:
            assert not isinstance(found, Refusal), f"got {found} of {_line(request)}, expected {expected}"
            compare.assert_equal(found, expected)
            tally.with_figures += figure_of(expected) > 0


def expected_of(
    request: Message, sessions: list[records.Session], world: World, config: Config
) -> tuple[Any, Callable[[Any], int]]:
    """Returns the oracle's answer and a function that extracts its main figure."""
    names = ["QueryAsrUsage", "QueryActiveSessions", "QueryFolderStats", "QueryOriginationQuality"]
    _, _, answer, figure_of = _REPORTS[names.index(request.DESCRIPTOR.name.removesuffix("Request"))]
    decks = {"decks": world.decks} if answer is active.answer else {}
    return answer(request, sessions, world.now_us, config, **decks), figure_of


def check_outcomes(outcomes: list[WriteOutcome], delivery: Delivery, merged: records.MergedRecords) -> None:
    """Asserts the four counts of each outcome, and the index and reason of each rejected record."""
    expected = iter(merged.outcomes)
    start = 0
    for outcome, batch in zip(outcomes, _writes(delivery), strict=True):
        names = [next(expected) for _ in batch.messages]
        found = (outcome.accepted, outcome.replaced, outcome.duplicates, len(outcome.rejected))
        assert found == tuple(
            names.count(name) for name in ("accepted", "replaced", "duplicate", "rejected")
        ), f"{outcome} of {names}"
        for rejected in outcome.rejected:
            allowed = merged.rejected[start + rejected.index]
            reason = RejectReason.Name(RejectReason.ValueType(rejected.reason))
            assert rejected.reason in allowed, f"{reason}, not one of {allowed}"
        start += len(batch.messages)


def _line(message: Message) -> str:
    return text_format.MessageToString(message, as_one_line=True)


def _writes(delivery: Delivery) -> Iterator[Write]:
    return (step for step in delivery if isinstance(step, Write))
