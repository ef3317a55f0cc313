"""Pegcount in the peer bench: the whole request in this process, without the transport of gRPC."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount import core
from pegcount.config import Config, Tuning
from pegcount.errors import OverloadedError
from pegcount.model import WriteOutcome
from pegcount.server.call_clock import CallClock
from pegcount.server.prepared_report import Prepare
from pegcount.server.reports import ReportService
from pegcount.server.traffic import TrafficService
from pegcount.server.visible_records import VisibleRecords
from pegcount.store import EmbeddedStore, PendingWrite
from pegcount.v1 import reports_pb2, traffic_pb2

from peers import answers, calls, questions, wire

CONFIG = Config()
WITHOUT_ROLLUPS = Config(tuning=Tuning(rollup_cell_count_max=1, rollup_rows_per_row_min=65_536))
"""Scans read the rows of segments, as when something is asked for the first time."""
IN_FLIGHT = 4
_RETRY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class LoadTimes:
    """Wall-clock times of a load."""

    sent: int
    seconds: float
    """From generating the first record to the durability of the last one, including flushes meanwhile."""
    writing_seconds: float
    """The part of `seconds` with batches in flight, without generating them."""
    upkeep_seconds: float
    """From then on until all flushes and compactions are done."""


class Pegcount:
    """An open store and the services over it."""

    name = "ours"

    def __init__(self, directory: Path, config: Config = CONFIG) -> None:
        self._store = _open_store(directory, config)
        self._service = ReportService(config, lambda: calls.NOW_US)
        self._traffic = TrafficService(config, lambda: calls.NOW_US)
        self._records = VisibleRecords(self._store)

    def ask(self, name: str) -> Any:
        """Returns the bytes of the response message, or the partial aggregates of the full scan."""
        if name == "S1":
            return self._store.partials(questions.FULL_SCAN, Config().cell_count_max, core.CancelToken(None))
        prepare, _, _ = self._method(name)
        token = core.CancelToken(None)
        report = prepare(questions.REQUESTS[name].SerializeToString(), self._records, token)
        return report.answer(token, CallClock()).data

    def answer(self, name: str, result: Any) -> answers.Answer:
        """Decodes a result of `ask` for comparison."""
        if name == "S1":
            edges = questions.MINUTE_EDGES
            limits = core.AnswerLimits(core.CancelToken(None), 2**30, 2**30)
            body = core.quality_response(
                result,
                header=b"",
                limits=limits,
                clipped_us=edges,
                calendar_us=edges,
                with_answers=True,
                with_durations=True,
            )
            return answers.of_quality(reports_pb2.QueryOriginationQualityResponse.FromString(body))
        _, response, read = self._method(name)
        return read(response.FromString(result))

    def bytes_per_record(self) -> float:
        """Returns the segment bytes per finished record; all of them are in segments."""
        info = self._store.info()
        return info.segment_bytes / max(1, info.records - info.active_records)

    def close(self) -> None:
        self._store.close()

    def _method(self, name: str) -> tuple[Prepare, Any, Callable[[Any], answers.Answer]]:
        """Returns the function that prepares a report, its response class, and its converter."""
        service = self._service
        methods: dict[str, tuple[Prepare, Any, Callable[[Any], answers.Answer]]] = {
            "Q": (
                service.quality,
                reports_pb2.QueryOriginationQualityResponse,
                answers.of_quality,
            ),
            "U": (service.usage, reports_pb2.QueryAsrUsageResponse, answers.of_usage),
            "F": (service.folder, reports_pb2.QueryFolderStatsResponse, answers.of_folders),
            "A": (service.active, reports_pb2.QueryActiveSessionsResponse, answers.of_active),
            "T": (self._traffic.traffic, traffic_pb2.QueryTrafficResponse, answers.of_traffic),
            **dict.fromkeys(
                ("T4", "T5"), (self._traffic.traffic, traffic_pb2.QueryTrafficResponse, answers.of_minutes)
            ),
        }
        return methods.get(name) or methods[name[0]]


def load(directory: Path, record_count: int, active_count: int, seed: int) -> LoadTimes:
    """Fills an empty data directory, asserts the counts, then flushes and compacts."""
    store = _open_store(directory, CONFIG)
    sent = accepted = 0
    writing_seconds, start_time = 0.0, time.perf_counter()
    for chunk in calls.chunks(record_count, seed):
        batches = list(wire.requests(chunk))
        generated_at = time.perf_counter()
        accepted += write(store, batches, int(chunk["again"].sum()))
        writing_seconds += time.perf_counter() - generated_at
        sent += len(chunk)
    batches = list(wire.requests(calls.active(active_count, seed)))
    generated_at = time.perf_counter()
    write(store, batches, 0)
    writing_seconds += time.perf_counter() - generated_at
    seconds = time.perf_counter() - start_time
    assert accepted == record_count
    store.flush()
    store.maintain()
    store.close()
    upkeep_seconds = time.perf_counter() - start_time - seconds
    return LoadTimes(sent + active_count, seconds, writing_seconds, upkeep_seconds)


def _open_store(directory: Path, config: Config) -> EmbeddedStore:
    return EmbeddedStore(directory, config, create=True, clock=lambda: calls.NOW_US)


def write(store: EmbeddedStore, batches: Iterable[bytes], again_count: int) -> int:
    """Writes batches with some of them in flight, and returns the number of new records."""
    outcomes: list[WriteOutcome] = []
    pending_writes: deque[PendingWrite] = deque()
    for batch in batches:
        if len(pending_writes) == IN_FLIGHT:
            outcomes.append(pending_writes.popleft().wait())
        pending_writes.append(_submit_with_retry(store, batch))
    outcomes += [pending.wait() for pending in pending_writes]
    assert sum(outcome.duplicates for outcome in outcomes) == again_count
    assert not any(outcome.replaced or outcome.rejected for outcome in outcomes)
    return sum(outcome.accepted for outcome in outcomes)


def _submit_with_retry(store: EmbeddedStore, batch: bytes) -> PendingWrite:
    """Submits a batch, and retries while the store is overloaded."""
    while True:
        try:
            return store.submit(batch, core.CancelToken(None))
        except OverloadedError:
            time.sleep(_RETRY_SECONDS)
