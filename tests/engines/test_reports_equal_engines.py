"""Engines answer random requests like the service, except where a known difference applies.

One example is a world of records without events and eight requests, two per report. The service is
asked over gRPC, each engine in SQL.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from oracle import requests as requests_of
from oracle.strategies import World, worlds
from pegcount.config import Config
from properties.budget import drawn
from properties.served import Refusal, Write, shared_service

from . import active, budget, export, folder, quality, usage
from .differences import has_change
from .examples import engines

_REPORTS = (
    (requests_of.usage_requests, usage),
    (requests_of.active_requests, active),
    (requests_of.folder_requests, folder),
    (requests_of.quality_requests, quality),
)
_REQUESTS_PER_WORLD = 8
_RELATIVE_ERROR_MAX = 1e-12


@dataclass(frozen=True)
class Scenario:
    """A world and the requests over it, each with the module of its report."""

    world: World
    questions: list[tuple[Any, Any]]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    world = draw(worlds(session_count_max=40, with_bad=False))
    questions = [
        (draw(make(world)), report) for make, report in _REPORTS * (_REQUESTS_PER_WORLD // len(_REPORTS))
    ]
    return Scenario(world, questions)


@pytest.mark.parametrize("chunk", budget.CHUNKS)
def test_reports_equal_the_engines(chunk: int, record_property: Callable[[str, object], None]) -> None:
    tally: Counter[str] = Counter()

    @drawn(-(-budget.CHUNK_REQUEST_COUNT // _REQUESTS_PER_WORLD), "reports equal the engines", chunk)
    @given(scenario=scenarios())
    def check(scenario: Scenario) -> None:
        check_scenario(scenario, tally)

    check()
    for name, count in tally.items():
        record_property(name, count)
    for engine in engines():
        assert tally[f"equal: {engine.name}"] > budget.CHUNK_REQUEST_COUNT // 2


def check_scenario(scenario: Scenario, tally: Counter[str]) -> None:
    world = scenario.world
    records = export.without_events(world.messages)
    service = shared_service(Config())
    outcomes = service.load([Write(records, world.now_us)], world.now_us, world.decks.items())
    assert [outcome.accepted for outcome in outcomes] == [len(records)]
    tables = export.sessions(records), export.code_decks(world.decks)
    for engine in engines():
        engine.load(*tables)
    for request, report in scenario.questions:
        tally["requests"] += 1
        response = service.ask(request)
        if isinstance(response, Refusal):
            tally["refused"] += 1
        else:
            check_answer(request, response, report, world.now_us, tally)


def check_answer(request: Message, response: Any, report: Any, now_us: int, tally: Counter[str]) -> None:
    asked = report.asked(request, response, now_us)
    if asked is None:
        tally["in the future"] += 1
        return
    ours = report.ours(response, request) if report is active else report.ours(response)
    tally["with rows"] += asked.row_count > 0
    for engine in engines():
        known_differences = engine.differs(asked)
        for name in known_differences:
            tally[f"not compared: {engine.name} {name}"] += 1
        if not known_differences:
            theirs = report.theirs(engine, asked, now_us)
            for found in differences(ours, theirs, "answer"):
                raise AssertionError(f"{engine.name}: {found}\nof {request}\nours: {ours}\ntheirs: {theirs}")
            tally[f"equal: {engine.name}"] += 1
            tally[f"equal where clocks change: {engine.name}"] += has_change(asked)


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Lists the differences of two answers; floats may differ by one part in 10^12."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        return [found for name in ours for found in differences(ours[name], theirs[name], f"{path}.{name}")]
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        pairs = enumerate(zip(ours, theirs, strict=False))
        found = [found for at, (one, other) in pairs for found in differences(one, other, f"{path}[{at}]")]
        lengths = [] if len(ours) == len(theirs) else [f"{path}: ours has {len(ours)}, theirs {len(theirs)}"]
        return lengths + found
    return [] if _is_equal(ours, theirs) else [f"{path}: ours is {ours!r}, theirs {theirs!r}"]


def _is_equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(
            ours, theirs, rel_tol=_RELATIVE_ERROR_MAX
        )
    return bool(ours == theirs)
