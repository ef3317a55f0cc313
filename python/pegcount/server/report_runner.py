"""Runs reports: short ones at once on the event loop, all others on threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pegcount import core
from pegcount.config import Config
from pegcount.server.admission import AdmissionGate, TurnQueue
from pegcount.server.calls import Call, UnaryBehavior
from pegcount.server.deadline import QueryDeadline
from pegcount.server.reports import Prepare, PreparedReport
from pegcount.store import Store


class ReportRunner:
    """Limits the reports that run and wait.

    A thread costs more than a short report, but a long one on the event loop would delay all other calls.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._threads = ThreadPoolExecutor(config.worker_count, thread_name_prefix="report")
        running_max, waiting_max = config.worker_count, config.waiting_call_count_max
        retry_seconds = config.overload_retry_seconds
        self._gate = AdmissionGate("reports", running_max, waiting_max, retry_seconds)
        self._turns = TurnQueue(
            "reports", config.tuning.inline_report_count, running_max + waiting_max, retry_seconds
        )

    def behavior(self, prepare: Prepare) -> UnaryBehavior:
        """Returns the behavior of a method that answers a report."""

        async def run(data: bytes, call: Call) -> bytes:
            if len(data) > self._config.tuning.cached_request_bytes_max:
                return await self._on_thread(lambda token: prepare(data, token), call)
            await self._turns.turn()
            deadline = self._deadline(call)
            with deadline:
                report = prepare(data, deadline.cancel_token)
            if self._is_short(report):
                return _answer(lambda _: report, deadline)
            return await self._on_thread(lambda _: report, call)

        return run

    def close(self) -> None:
        """Ends the threads when they are idle."""
        self._threads.shutdown(wait=False)

    def _is_short(self, report: PreparedReport) -> bool:
        tuning, scan = self._config.tuning, report.scan
        bin_count = 1 if scan.edge_us is None else len(scan.edge_us)
        if report.searches_first or bin_count > tuning.inline_bin_count_max:
            return False
        row_count = self._store.estimate(scan)
        # Each row may be a group of its own, which costs more than to add it up.
        row_count_max = tuning.inline_group_count_max if scan.keys else tuning.inline_row_count_max
        return row_count is not None and row_count <= row_count_max

    async def _on_thread(self, prepare: Callable[[core.CancelToken], PreparedReport], call: Call) -> bytes:
        await self._gate.enter()
        deadline = self._deadline(call)
        try:
            return await self._gate.run(self._threads, lambda: _answer(prepare, deadline))
        except asyncio.CancelledError:
            deadline.cancel_token.cancel()
            raise

    def _deadline(self, call: Call) -> QueryDeadline:
        return QueryDeadline(call.time_remaining(), self._config)


def _answer(prepare: Callable[[core.CancelToken], PreparedReport], deadline: QueryDeadline) -> bytes:
    with deadline:
        return prepare(deadline.cancel_token).answer(deadline.cancel_token)
