"""Checks that random worlds and requests are useful: the oracle answers them, often with nonzero figures."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pegcount.v1.records_pb2 import SessionRecord

from . import active, compare, folder, quality, records, usage
from . import requests as requests_of
from .expected import ExpectedError
from .strategies import World, bad_records, without_ties, worlds

_SETTINGS = settings(
    max_examples=100,
    deadline=None,
    # The seed of the run determines everything that is drawn.
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
_FIGURES: dict[str, Callable[[Any], int]] = {
    "usage": lambda answer: answer.totals.session_count,
    "active": lambda answer: answer.row_count,
    "folder": lambda answer: answer.totals.call_count,
    "quality": lambda answer: answer.totals.total_calls,
}
_REPORTS: dict[str, tuple[Any, Any, Any]] = {
    "usage": (requests_of.usage_requests, usage.answer, requests_of.USAGE_DAMAGES),
    "active": (requests_of.active_requests, active.answer, requests_of.ACTIVE_DAMAGES),
    "folder": (requests_of.folder_requests, folder.answer, requests_of.FOLDER_DAMAGES),
    "quality": (requests_of.quality_requests, quality.answer, requests_of.QUALITY_DAMAGES),
}


def answer_of(report: str, request: Any, world: World) -> Any:
    answer = _REPORTS[report][1]
    sessions = records.merge_messages(world.messages, world.now_us).sessions
    if report == "active":
        return answer(request, sessions, world.now_us, decks=world.decks)
    return answer(request, sessions, world.now_us)


@pytest.mark.parametrize("report", _REPORTS)
def test_answers_do_not_depend_on_the_order_of_arrival(report: str) -> None:
    seen: Counter[str] = Counter()

    @given(data=st.data(), world=worlds())
    @_SETTINGS
    def check(data: st.DataObject, world: World) -> None:
        request = data.draw(_REPORTS[report][0](world))
        found = answer_of(report, request, world)
        backwards = World(world.zone, world.ticks, world.now_us, world.messages[::-1] * 2, world.decks)
        again = answer_of(report, request, backwards)
        if isinstance(found, ExpectedError):
            assert found == again
            seen["errors"] += 1
        else:
            compare.assert_equal(again, found)
            seen["with figures"] += _FIGURES[report](found) > 0
            seen["answers"] += 1

    check()
    assert seen["answers"] > 20
    assert seen["with figures"] > 5


@pytest.mark.parametrize("report", _REPORTS)
def test_broken_requests_are_refused(report: str) -> None:
    make, _, damages = _REPORTS[report]

    @given(data=st.data(), world=worlds(2))
    @_SETTINGS
    def check(data: st.DataObject, world: World) -> None:
        found = answer_of(report, data.draw(requests_of.broken(make(world), damages)), world)
        assert isinstance(found, ExpectedError)
        assert found.code == "INVALID_ARGUMENT"

    check()


@given(record=bad_records((1_800_000_000_000_000,)))
@_SETTINGS
def test_bad_records_are_rejected(record: SessionRecord) -> None:
    assert records.merge_messages([record]).outcomes == ["rejected"]


@given(world=worlds(with_ties=True, with_bad=False))
@_SETTINGS
def test_without_ties_content_decides_nothing(world: World) -> None:
    messages = without_ties(world.messages)
    forwards = records.merge_messages(messages)
    assert "rejected" not in forwards.outcomes
    backwards = records.merge_messages(
        messages, tie_break=lambda version: bytes(255 - byte for byte in records.encoded(version))
    )
    assert forwards == backwards
