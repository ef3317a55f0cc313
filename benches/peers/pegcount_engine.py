"""Pegcount in the bench of the peers: the whole request in this process, without gRPC's transport."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount import core
from pegcount.config import Config
from pegcount.errors import OverloadedError
from pegcount.model import WriteOutcome
from pegcount.server.reports import ReportService
from pegcount.store import EmbeddedStore, PendingWrite
from pegcount.v1 import reports_pb2

from peers import answers, calls, questions, wire

IN_FLIGHT = 4
_SECONDS_BETWEEN = 0.05


@dataclass(frozen=True, slots=True)
class LoadTimes:
    """What loading took, by the clock."""

    sent: int
    seconds: float
    """From the first record made to the last one durable. The store seals meanwhile, also where it waits."""
    writing_seconds: float
    """Of these, with batches on their way: without the time of making them."""
    upkeep_seconds: float
    """From then on until nothing is left to be sealed or merged."""


class Pegcount:
    """An open store and the service over it."""

    name = "ours"

    def __init__(self, directory: Path) -> None:
        self._store = _opened(directory)
        self._service = ReportService(Config(), self._store, lambda: calls.NOW_US)
        methods = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].methods
        self._deserializers = {method.name: self._service.deserializer(method) for method in methods}

    def ask(self, name: str) -> Any:
        """The bytes of the response message; for the full scan the sums."""
        if name == "S1":
            return self._store.partials(questions.FULL_SCAN, Config().cell_count_max, core.CancelToken(None))
        method, _, _ = self._method(name)
        return method(
            self._deserializers[method.__name__](questions.REQUESTS[name].SerializeToString()), _CONTEXT
        )

    def answer(self, name: str, asked: Any) -> answers.Answer:
        """What was asked, to compare it."""
        if name == "S1":
            edges = questions.MINUTE_EDGES
            body = core.quality_response(asked, clipped_us=edges, calendar_us=edges)
            return answers.of_quality(reports_pb2.QueryOriginationQualityResponse.FromString(body))
        _, response, read = self._method(name)
        return read(response.FromString(asked))

    def bytes_per_record(self) -> float:
        """Of the segments on disk, which hold all finished records."""
        info = self._store.info()
        return info.segment_bytes / max(1, info.records - info.active_records)

    def close(self) -> None:
        self._store.close()

    def _method(self, name: str) -> tuple[Callable[[Any, Any], bytes], Any, Callable[[Any], answers.Answer]]:
        """How a question is asked, the message that the bytes are, and how that is read."""
        service = self._service
        methods: dict[str, tuple[Any, Any, Callable[[Any], answers.Answer]]] = {
            "Q": (
                service.QueryOriginationQuality,
                reports_pb2.QueryOriginationQualityResponse,
                answers.of_quality,
            ),
            "U": (service.QueryAsrUsage, reports_pb2.QueryAsrUsageResponse, answers.of_usage),
            "F": (service.QueryFolderStats, reports_pb2.QueryFolderStatsResponse, answers.of_folders),
            "A": (service.QueryActiveSessions, reports_pb2.QueryActiveSessionsResponse, answers.of_active),
        }
        return methods[name[0]]


def load(directory: Path, record_count: int, active_count: int, seed: int) -> LoadTimes:
    """Fills an empty data directory and asserts what was taken; sealed and merged in the end."""
    store = _opened(directory)
    sent = accepted = 0
    writing_seconds, began = 0.0, time.perf_counter()
    for chunk in calls.chunks(record_count, seed):
        batches = list(wire.requests(chunk))
        made = time.perf_counter()
        accepted += _write(store, batches, int(chunk["again"].sum()))
        writing_seconds += time.perf_counter() - made
        sent += len(chunk)
    batches = list(wire.requests(calls.active(active_count, seed)))
    made = time.perf_counter()
    _write(store, batches, 0)
    writing_seconds += time.perf_counter() - made
    seconds = time.perf_counter() - began
    assert accepted == record_count
    store.flush()
    store.maintain()
    store.close()
    upkeep_seconds = time.perf_counter() - began - seconds
    return LoadTimes(sent + active_count, seconds, writing_seconds, upkeep_seconds)


def _opened(directory: Path) -> EmbeddedStore:
    return EmbeddedStore(directory, Config(), create=True, clock=lambda: calls.NOW_US)


def _write(store: EmbeddedStore, batches: Iterable[bytes], again_count: int) -> int:
    """Writes batches, some of them on their way at once; gives the number of new records."""
    outcomes: list[WriteOutcome] = []
    waiting: deque[PendingWrite] = deque()
    for batch in batches:
        if len(waiting) == IN_FLIGHT:
            outcomes.append(waiting.popleft().wait())
        waiting.append(_submitted(store, batch))
    outcomes += [pending.wait() for pending in waiting]
    assert sum(outcome.duplicates for outcome in outcomes) == again_count
    assert not any(outcome.replaced or outcome.rejected for outcome in outcomes)
    return sum(outcome.accepted for outcome in outcomes)


def _submitted(store: EmbeddedStore, batch: bytes) -> PendingWrite:
    """A batch on its way, as soon as the store has room for it."""
    while True:
        try:
            return store.submit(batch)
        except OverloadedError:
            time.sleep(_SECONDS_BETWEEN)


class _Context:
    """What a method asks of a call: one without a deadline that nobody cancels."""

    def time_remaining(self) -> float | None:
        return None

    def add_callback(self, _: Callable[[], None]) -> bool:
        return True


_CONTEXT = _Context()
