"""On whose behalf a watched query is evaluated, and whose stream ends where that fails."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pegcount import calendar
from pegcount.config import Config
from pegcount.errors import CredentialLimitReachedError, CredentialRefusedError, PegcountError
from pegcount.model import Granularity
from pegcount.request import TrafficWatch
from pegcount.server.watching.counts import WatchCounts
from pegcount.server.watching.evaluator import Evaluator, Watcher
from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficResponse, TrafficColumn
from service import NOW_US

CALLS = traffic_pb2.TRAFFIC_METRIC_CALLS
ANSWER = QueryTrafficResponse(
    t=[0],
    covered_us=[60_000_000],
    complete=[True],
    groups=[traffic_pb2.TrafficGroup()],
    columns=[TrafficColumn(integers=[1])],
    group_totals=[TrafficColumn(integers=[1])],
    totals=[TrafficColumn(integers=[1])],
).SerializeToString()
LIMITED = CredentialLimitReachedError("work_ms_per_second", 1, 1.0)
REFUSED = CredentialRefusedError()


class Stream:
    """A call that watches: what it may ask, and why it was ended."""

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self.refusal: PegcountError | None = None
        self.ended_by: PegcountError | None = None

    def end(self, error: PegcountError) -> None:
        self.ended_by = self.ended_by or error


async def answered(_: bytes, stream: Any) -> bytes:
    if stream.refusal is not None:
        raise stream.refusal
    return ANSWER


async def ended_by(streams: list[Stream], refusals: list[PegcountError | None]) -> list[PegcountError | None]:
    """Returns why streams end that are refused so after the first answer, within two evaluations."""
    utc = calendar.zone("UTC")
    assert utc is not None
    watch = TrafficWatch(b"", (int(CALLS),), utc, Granularity.MINUTE, 1, 20, ())
    counts = WatchCounts()
    with ThreadPoolExecutor(1) as threads:
        evaluator = Evaluator(watch, answered, threads, lambda: NOW_US, Config(), counts)
        calls: list[Any] = list(streams)
        watchers = [Watcher(each, ()) for each in calls]
        for each in watchers:
            evaluator.add(each)
        async with asyncio.timeout(10):
            await watchers[0].changed.wait()
            for stream, refusal in zip(streams, refusals, strict=True):
                stream.refusal = refusal
            wanted = counts.made + counts.failed + 2
            while counts.made + counts.failed < wanted:
                await asyncio.sleep(0.01)
        for each in watchers:
            evaluator.remove(each)
    return [stream.ended_by for stream in streams]


@pytest.mark.parametrize(
    ("turns", "refusals", "expected"),
    [
        ("ab", [REFUSED, LIMITED], [REFUSED, None]),
        ("ab", [LIMITED, REFUSED], [None, REFUSED]),
        ("ab", [REFUSED, None], [REFUSED, None]),
        ("aa", [REFUSED, None], [REFUSED, None]),
        ("aa", [LIMITED, LIMITED], [None, None]),
        ("abc", [LIMITED, REFUSED, None], [None, REFUSED, None]),
    ],
)
def test_whose_stream_ends(turns: str, refusals: list[PegcountError | None], expected: list[Any]) -> None:
    found = asyncio.run(ended_by([Stream(turn) for turn in turns], refusals))
    assert found == expected
