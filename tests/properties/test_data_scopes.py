"""A caller with a data scope gets what a store that has only its records would answer, to the byte.

So nothing of an answer or a refusal depends on the records of others. `PEGCOUNT_SCOPE_DRAWS` is the number of
requests; `make test-scopes` draws a million.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.message import Message
from pegcount.data_scope import DataScope, Metric
from pegcount.v1 import reports_pb2
from seeds import chance

from . import scoped_worlds
from .scoped_stores import ScopedStore, merged
from .scoped_worlds import Session

_COUNT = int(os.environ.get("PEGCOUNT_SCOPE_DRAWS", "4000"))
_CHUNK_COUNT = 2_000
"""Requests of a test case."""
_CHUNKS = range(-(-_COUNT // _CHUNK_COUNT))
_SCOPES_PER_WORLD = 3
_REQUESTS_PER_SCOPE = 100
_IN_MEMORY = Path("/dev/shm")
_METHODS: dict[type[Message], tuple[str, type[Message]]] = {
    reports_pb2.QueryAsrUsageRequest: ("QueryAsrUsage", reports_pb2.QueryAsrUsageResponse),
    reports_pb2.QueryActiveSessionsRequest: ("QueryActiveSessions", reports_pb2.QueryActiveSessionsResponse),
    reports_pb2.QueryFolderStatsRequest: ("QueryFolderStats", reports_pb2.QueryFolderStatsResponse),
    reports_pb2.QueryOriginationQualityRequest: (
        "QueryOriginationQuality",
        reports_pb2.QueryOriginationQualityResponse,
    ),
}

Tally = Counter[tuple[str, str]]
"""Requests by report and outcome."""


@pytest.mark.parametrize("chunk", _CHUNKS)
def test_a_data_scope_shows_what_a_store_of_its_records_would(
    chunk: int, record_property: Callable[[str, object], None]
) -> None:
    tally: Tally = Counter()
    world = 0
    while tally.total() < _CHUNK_COUNT:
        _check_world(f"{chunk}/{world}", tally)
        world += 1
    counts = {f"{method} {outcome}": count for (method, outcome), count in tally.items()}
    record_property("scope_outcomes", counts)
    if tally.total() >= _CHUNK_COUNT:
        assert {method for method, outcome in tally if outcome == "figures"} == {
            method for method, _ in _METHODS.values()
        }


def _check_world(name: str, tally: Tally) -> None:
    dice = chance("data scopes", name)
    base = Path(tempfile.mkdtemp(prefix="pegcount-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
    sessions = scoped_worlds.sessions(dice, dice.choice((0, 10, 60, 150, 150)))
    with ScopedStore(base / "all", dice) as everything:
        everything.write(sessions)
        for number in range(_SCOPES_PER_WORLD):
            scope = scoped_worlds.scope(dice)
            own = [one for one in sessions if scoped_worlds.is_visible(merged(one), scope)]
            with ScopedStore(base / str(number), dice) as visible:
                visible.write(own)
                for _ in range(_REQUESTS_PER_SCOPE):
                    request = scoped_worlds.request(dice, scope)
                    tally[_check(everything, visible, request, scope)] += 1
    shutil.rmtree(base)


def _check(
    everything: ScopedStore, visible: ScopedStore, request: Message, scope: DataScope
) -> tuple[str, str]:
    """Compares what three callers get, and returns report and outcome."""
    method, message_class = _METHODS[type(request)]
    outcome, data = everything.outcome(method, request, scope)
    assert visible.outcome(method, request, scope) == (outcome, data), f"{scope}: {request}"
    assert (outcome == "ACCESS_DENIED") == scoped_worlds.is_denied(request, scope), f"{scope}: {request}"
    if outcome == "ACCESS_DENIED":
        return method, outcome
    # Texts for callers with a data scope say so.
    other, other_data = visible.outcome(method, request, DataScope())
    if outcome != "OK":
        assert (other, other_data) == (outcome, data), f"{scope}: {request}"
        return method, outcome
    answer, expected = message_class.FromString(data), message_class.FromString(other_data)
    _hide(expected, scope)
    _drop_notice(answer)
    assert (other, answer) == ("OK", expected), f"{scope}: {request}"
    return method, "figures" if _counts_something(answer) else "nothing counted"


def _hide(answer: Message, scope: DataScope) -> None:
    """Clears the figures that a data scope hides."""
    names = ["answered_calls", "asr", "answered_count"] if Metric.ASR in scope.hidden_metrics else []
    if {Metric.ASR, Metric.ACD} & set(scope.hidden_metrics):
        names += ["duration_ms", "acd", "average_duration_seconds"]
    of_figures: list[Message] = []
    if isinstance(answer, reports_pb2.QueryOriginationQualityResponse):
        of_figures = [answer.data, answer.totals]
    elif isinstance(answer, reports_pb2.QueryFolderStatsResponse):
        agents = [agent for row in answer.rows for agent in row.agents]
        of_figures = [answer.totals, *answer.rows, *agents]
    for message in of_figures:
        for name in names:
            if name in message.DESCRIPTOR.fields_by_name:
                message.ClearField(name)


def _drop_notice(answer: Message) -> None:
    kept = [one for one in answer.notices if one.code != reports_pb2.NOTICE_CODE_METRICS_HIDDEN]  # type: ignore[attr-defined]
    del answer.notices[:]  # type: ignore[attr-defined]
    answer.notices.extend(kept)  # type: ignore[attr-defined]


def _counts_something(answer: Message) -> bool:
    match answer:
        case reports_pb2.QueryAsrUsageResponse():
            return answer.totals.session_count > 0
        case reports_pb2.QueryActiveSessionsResponse():
            return answer.row_count > 0
        case reports_pb2.QueryFolderStatsResponse():
            return answer.totals.call_count > 0
        case reports_pb2.QueryOriginationQualityResponse():
            return answer.totals.total_calls > 0
    raise AssertionError(type(answer))


def test_a_merged_record_has_the_fields_of_all_its_messages() -> None:
    """On which the test above relies."""
    dice = chance("merged")
    events = [one for one in scoped_worlds.sessions(dice, 4_000) if len(one.messages) == 3]
    assert any(_gains_a_tenant(one) for one in events)


def _gains_a_tenant(session: Session) -> bool:
    return not session.messages[0].HasField("tenant_id") and merged(session).HasField("tenant_id")
