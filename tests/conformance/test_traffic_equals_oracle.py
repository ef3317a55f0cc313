"""The service answers the traffic question like the oracle for random records, deliveries and requests.

`PEGCOUNT_TRAFFIC_EXAMPLES` counts requests; `make test-long` asks 20,000.
"""

import os
from collections.abc import Callable

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from oracle import compare
from oracle.expected import ExpectedError
from oracle.strategies import worlds
from oracle.traffic.answer import answer, has_figures
from oracle.traffic.requests import traffic_requests
from pegcount.config import Config
from pegcount.v1.traffic_pb2 import QueryTrafficRequest
from properties import budget, deliveries
from properties.served import Refusal, shared_service

from conformance.stores import StoreFactory
from conformance.test_reports_equal_oracle import Scenario, check_outcomes

# A failing example is printed in full, however long.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

_COUNT = int(os.environ.get("PEGCOUNT_TRAFFIC_EXAMPLES", "600"))
_CHUNK_COUNT = 200
"""Requests of a test case."""
_CHUNKS = range(-(-_COUNT // _CHUNK_COUNT))
_REQUESTS_PER_WORLD = 8
_CONFIGS = (
    Config(),
    Config(),
    Config(seal_row_count=3, active_copy_row_count=2, segment_row_count_max=5, journal_bytes_max=15_000),
    Config(bin_count_max=20, cell_count_max=8),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    world = draw(worlds())
    requests = [draw(traffic_requests(world)) for _ in range(_REQUESTS_PER_WORLD)]
    delivery = draw(deliveries.deliveries(world.messages, world.now_us))
    return Scenario(draw(st.sampled_from(_CONFIGS)), world, delivery, list(requests))


@pytest.mark.parametrize("chunk", _CHUNKS)
def test_traffic_equals_the_oracle(
    chunk: int, stores: StoreFactory, record_property: Callable[[str, object], None]
) -> None:
    tally = budget.Tally()
    world_count = max(1, round(_CHUNK_COUNT * stores.example_share) // _REQUESTS_PER_WORLD)

    @budget.drawn(world_count, "traffic equals the oracle", chunk)
    @given(scenario=scenarios())
    def check(scenario: Scenario) -> None:
        _check(scenario, stores, tally)

    try:
        check()
    finally:
        for name, count in vars(tally).items():
            record_property(f"traffic_{name}", count)
    # Fewer requests, of slow stores, do not tell a share; of 200, a tenth had figures in 97 of 100 draws.
    assert tally.requests < _CHUNK_COUNT or tally.with_figures > tally.requests // 30


def _check(scenario: Scenario, stores: StoreFactory, tally: budget.Tally) -> None:
    world = scenario.world
    service = shared_service(scenario.config, stores)
    outcomes = service.load(scenario.delivery, world.now_us, world.decks.items())
    merged = deliveries.merge_delivery(scenario.delivery)
    check_outcomes(outcomes, scenario.delivery, merged)
    for request in scenario.requests:
        assert isinstance(request, QueryTrafficRequest)
        tally.requests += 1
        found = service.ask(request)
        expected = answer(request, merged.sessions, world.now_us, scenario.config, decks=world.decks)
        line = text_format.MessageToString(request, as_one_line=True)
        if isinstance(expected, ExpectedError):
            tally.refused += 1
            assert isinstance(found, Refusal), f"expected {expected} of {line}, got {found}"
            compare.assert_refused(found.code, found.reason, found.violations, expected)
        else:
            assert not isinstance(found, Refusal), f"got {found} of {line}, expected {expected}"
            compare.assert_equal(found, expected)
            tally.with_figures += has_figures(expected)
