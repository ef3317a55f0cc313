"""Runs reports in three lanes: the event loop, threads for small reports, and threads for large ones."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import isfinite
from typing import TypeAlias, TypeVar

from pegcount import core
from pegcount.auth import Caller
from pegcount.config import LiveConfig
from pegcount.errors import OverloadedError, PegcountError
from pegcount.server.admission import AdmissionGate
from pegcount.server.call import Call
from pegcount.server.call_clock import Phase
from pegcount.server.calls import UnaryBehavior
from pegcount.server.connections import Connection, turn_of
from pegcount.server.deadline import QueryDeadline
from pegcount.server.loop_turns import LoopTurns
from pegcount.server.prepared_report import Answer, Prepare, PreparedReport
from pegcount.server.quick_bins import ManyBinsError
from pegcount.server.report_call import ReportCall
from pegcount.server.report_cost import Lane, estimated_cost_us, lane_of
from pegcount.server.server_state import LaneLoad
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unseen_values import UnseenSearch
from pegcount.server.visible_records import KnownDays, VisibleRecords
from pegcount.store import Store

_Result = TypeVar("_Result")

_US_PER_SECOND = 1_000_000
_CORE_COUNT = os.cpu_count() or 1
"""Cores that may have worked on a report all the time."""


class ReportRunner:
    """Limits the reports that run and wait, in each lane.

    A thread costs more than a cheap report, but a long one on the event loop would delay all other calls.
    """

    def __init__(self, live: LiveConfig, store: Store, unread_answers: UnreadAnswers) -> None:
        config = live.now
        self._live = live
        self._config = config
        self._store = store
        self._known_days = KnownDays()
        self._unread_answers = unread_answers
        # A bin takes about as long to prepare as to answer.
        self._quick_bin_count_max = config.tuning.inline_cost_us_max * 1_000 // config.tuning.bin_cost_ns
        retry_seconds = live.overload_retry_seconds
        round_seconds = config.tuning.inline_round_us / _US_PER_SECOND
        waiting_max = config.waiting_inline_report_count_max
        self._turns = LoopTurns(Lane.INLINE.value, round_seconds, waiting_max, retry_seconds)
        self._small = _ThreadLane(
            Lane.SMALL, config.small_worker_count, config.waiting_small_report_count_max, retry_seconds
        )
        self._large = _ThreadLane(
            Lane.LARGE,
            config.worker_count,
            config.waiting_call_count_max,
            retry_seconds,
            config.tuning.large_report_niceness,
        )
        # Searches have threads of their own: many of them, of wrong requests, must not delay a report.
        self._searches = _ThreadLane(
            Lane.SEARCH,
            config.notice_worker_count,
            config.waiting_notice_count_max,
            retry_seconds,
            config.tuning.large_report_niceness,
        )

    def behavior(self, prepare: Prepare) -> UnaryBehavior:
        """Returns the behavior of a method that answers a report."""

        async def run(data: bytes, call: Call) -> bytes:
            return await self.answer(prepare, data, call)

        return run

    async def answer(self, prepare: Prepare, data: bytes, call: ReportCall) -> bytes:
        """Returns the serialized answer of a report, with the notices about values that no record carries."""
        begin_s = asyncio.get_running_loop().time()
        try:
            found = await self._found(prepare, data, call)
        finally:
            if call.admitted is not None:
                call.admitted.end_report()
        if found.search is None:
            return found.data
        notices = await self._notices(found.search, call, begin_s)
        has_room = len(found.data) + len(notices) <= self._config.answer_bytes_max
        return found.data + notices if has_room else found.data

    async def read(
        self, read: Callable[[core.CancelToken], _Result], data: bytes, call: ReportCall
    ) -> _Result:
        """Returns what `read` makes of a serialized request: of a short one on the event loop."""

        def limited(limit: QueryDeadline) -> _Result:
            with limit:
                return read(limit.cancel_token)

        call.clock.enter(Phase.CALENDAR)
        if len(data) <= self._config.tuning.cached_request_bytes_max:
            limit = QueryDeadline(call.time_remaining(), self._live.now)
            return await self._turns.run(call.turn, partial(limited, limit))
        return await self._run(self._small, call, limited)

    def refusal(self, connection: Connection, caller: Caller | None) -> OverloadedError | None:
        """Returns why the next report of a caller is refused, whatever it asks; None if it is not."""
        turn = turn_of(connection, caller)
        return self._unread_answers.refusal(turn) or self._turns.refusal(turn)

    def loads(self) -> dict[str, LaneLoad]:
        """Returns how many reports of each lane run and wait; may be called on any thread."""
        of_threads = {Lane.SMALL: self._small, Lane.LARGE: self._large, Lane.SEARCH: self._searches}
        loads = {Lane.INLINE: self._turns.load()} | {lane: at.gate.load() for lane, at in of_threads.items()}
        return {lane.name.lower(): load for lane, load in loads.items()}

    def close(self) -> None:
        """Ends the threads when they are idle."""
        self._small.close()
        self._large.close()
        self._searches.close()

    async def _found(self, prepare: Prepare, data: bytes, call: ReportCall) -> Answer:
        """Returns the answer of a report from the lane that suits it."""
        found: _Found | None = None
        call.clock.enter(Phase.QUEUE)
        if len(data) <= self._config.tuning.cached_request_bytes_max:
            found = await self._turns.run(call.turn, partial(self._begin, prepare, data, call))
        if found is None:
            # To prepare it, too, takes a place in a lane: a long request holds memory and costs time.
            found = await self._run(self._small, call, partial(self._prepare, prepare, data, call))
        if isinstance(found, Answer):
            return found
        lane, report = found
        threads = self._small if lane is Lane.SMALL else self._large
        return await self._run(threads, call, partial(_answer, report, call))

    def _begin(self, prepare: Prepare, data: bytes, call: ReportCall) -> "_Found | None":
        """Answers a cheap report; returns another one with its lane, None if it has yet to be prepared."""
        limit = QueryDeadline(call.time_remaining(), self._live.now)
        limit.check()
        call.authenticate()
        call.clock.enter(Phase.CALENDAR)
        with limit:
            records = self._visible_records(call)
            try:
                report = prepare(data, records, limit.cancel_token, self._quick_bin_count_max)
            except ManyBinsError:
                return None
            lane = self._charged_lane(report, records, call)
        return _answer(report, call, limit) if lane is Lane.INLINE else (lane, report)

    def _prepare(self, prepare: Prepare, data: bytes, call: ReportCall, limit: QueryDeadline) -> "_Found":
        """Prepares a report on a thread of the small lane, and answers it there unless it is large."""
        call.clock.enter(Phase.CALENDAR)
        with limit:
            records = self._visible_records(call)
            report = prepare(data, records, limit.cancel_token)
            lane = self._charged_lane(report, records, call)
        return (lane, report) if lane is Lane.LARGE else _answer(report, call, limit)

    def _visible_records(self, call: ReportCall) -> VisibleRecords:
        data_scope = None if call.caller is None else call.caller.data_scope
        return VisibleRecords(self._store, data_scope, self._known_days, call.observed.note_rows)

    def _charged_lane(self, report: PreparedReport, records: VisibleRecords, call: ReportCall) -> Lane:
        """Returns the lane of a report, whose estimated cost its credential pays; see `AdmittedCall`.

        Notes the bins of the report.
        """
        cost_us = estimated_cost_us(report, records, self._config.tuning)
        call.observed.bin_count = report.bin_count
        if call.admitted is not None:
            # A store that does not know what a report costs has it run as a large one.
            call.admitted.charge(cost_us if isfinite(cost_us) else self._config.tuning.small_cost_us_max)
        return lane_of(report, cost_us, self._config.tuning)

    async def _notices(self, search: UnseenSearch, call: ReportCall, begin_s: float) -> bytes:
        """Returns serialized notices about filter values that no record carries, on a thread.

        The answer is right without them: if they take too long, or fail, it goes out without. `begin_s` is
        the time of the event loop at which the report began, from which `query_seconds_max` counts.
        """
        remaining_s = call.time_remaining()
        spent_s = asyncio.get_running_loop().time() - begin_s
        limits_s = [self._config.notice_seconds_max, self._live.now.query_seconds_max - spent_s]
        seconds = min(limits_s if remaining_s is None else [*limits_s, remaining_s / 2])
        cancel_token = core.CancelToken(max(0.0, seconds))
        call.clock.enter(Phase.QUEUE)
        try:
            async with asyncio.timeout(seconds):
                await self._searches.gate.enter(call.turn)
            call.clock.enter(Phase.STORE)
            work = partial(search.notices, cancel_token)
            return await self._searches.gate.run(call.turn, self._searches.threads, work)
        except (PegcountError, TimeoutError):
            return b""
        except asyncio.CancelledError:
            cancel_token.cancel()
            raise

    async def _run(
        self, lane: "_ThreadLane", call: ReportCall, work: Callable[[QueryDeadline], _Result]
    ) -> _Result:
        """Runs work on a thread of a lane once a place is free."""
        call.clock.enter(Phase.QUEUE)
        await lane.gate.enter(call.turn)
        try:
            # The caller may have left its answers unread, or its deadline may have passed, while it waited.
            self._unread_answers.require_room(call.turn)
            limit = QueryDeadline(call.time_remaining(), self._live.now)
            limit.check()
        except BaseException:
            lane.gate.leave(call.turn)
            raise

        def begin() -> _Result:
            call.authenticate()
            return work(limit)

        try:
            return await lane.gate.run(call.turn, lane.threads, begin)
        except asyncio.CancelledError:
            limit.cancel_token.cancel()
            raise


_Found: TypeAlias = "Answer | tuple[Lane, PreparedReport]"
"""An answer, or a report with the lane that answers it."""


class _ThreadLane:
    """The threads of a lane, and its gate."""

    def __init__(
        self,
        lane: Lane,
        running_max: int,
        waiting_max: int,
        retry_seconds: Callable[[], float],
        niceness: int = 0,
    ) -> None:
        self.gate = AdmissionGate(lane.value, running_max, waiting_max, retry_seconds)
        self.threads = ThreadPoolExecutor(
            running_max, f"{lane.name.lower()}-report", initializer=_lower_priority, initargs=(niceness,)
        )

    def close(self) -> None:
        self.threads.shutdown(wait=False)


def _answer(report: PreparedReport, call: ReportCall, limit: QueryDeadline) -> Answer:
    call.clock.enter(Phase.STORE)
    begin_s = time.monotonic()
    if call.admitted is not None:
        call.admitted.begin_work()
    try:
        with limit:
            return report.answer(limit.cancel_token, call.clock)
    finally:
        if call.admitted is not None:
            call.admitted.settle((time.monotonic() - begin_s) * _CORE_COUNT * _US_PER_SECOND)


def _lower_priority(niceness: int) -> None:
    """Lowers the priority of the current thread; only Linux has one for each thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
