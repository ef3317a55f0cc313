"""The streams of `WatchTraffic`: who watches which query, and what each has been told."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from pegcount import core
from pegcount.config import LiveConfig
from pegcount.data_scope import DataScope
from pegcount.request import TrafficWatch
from pegcount.server.call import Call
from pegcount.server.places import PlaceLimits, StreamPlaces
from pegcount.server.report_call import WatchedReport, require_same_scope
from pegcount.server.report_runner import ReportRunner
from pegcount.server.traffic import TrafficService
from pegcount.server.watch_load import WatchLoad
from pegcount.server.watching.alerts import AlertStates
from pegcount.server.watching.counts import WatchCounts
from pegcount.server.watching.evaluator import Evaluator, Watcher
from pegcount.server.watching.states import State
from pegcount.v1.traffic_pb2 import WatchTrafficResponse


@dataclass(frozen=True, slots=True)
class _Key:
    """What watchers have in common that share an evaluator."""

    query: bytes
    last_bins: int
    interval_ms: int
    data_scope: DataScope | None


class TrafficWatches:
    """Answers `WatchTraffic`. Used on the event loop only."""

    def __init__(
        self, live: LiveConfig, traffic: TrafficService, runner: ReportRunner, clock: Callable[[], int]
    ) -> None:
        """`clock` returns the present time in microseconds UTC."""
        config = live.now
        self._config = config
        self._traffic = traffic
        self._runner = runner
        self._clock = clock
        self._evaluators: dict[_Key, Evaluator] = {}
        self._counts = WatchCounts()
        # One thread: states are compared one after the other, so that reports keep their cores.
        self._threads = ThreadPoolExecutor(1, "watch")
        limits = PlaceLimits(
            name="traffic watches",
            count_max=config.watch_stream_count_max,
            count_per_peer_max=config.watch_stream_count_per_peer_max,
            yield_seconds=config.stream_yield_seconds,
            idle_seconds_max=config.watch_stream_idle_seconds,
            age_seconds_max=config.connection_age_seconds_max,
            retry_seconds=live.overload_retry_seconds,
        )
        self.places = StreamPlaces(limits)

    async def watch(self, data: bytes, call: Call) -> None:
        """Sends the answer to a serialized `WatchTrafficRequest`, and then what changes."""
        with self.places.taken(call) as place:
            # It owes its client a message at any time, so that only a client that reads none makes it idle.
            place.begin_work()
            scope = None if call.caller is None else call.caller.data_scope
            read = partial(self._read, data, scope)
            watch = await self._runner.read(read, data, call)
            call.clock.enter(None)
            with self._watched(watch, scope, call) as (evaluator, watcher):
                told = _Told(evaluator, watcher, self._config.watch_silence_seconds)
                while True:
                    message = await told.next_message()
                    require_same_scope(call, scope)
                    with place.sending():
                        await call.write(message)
                    # The next one may be far off.
                    del message

    def load(self) -> WatchLoad:
        """Returns what the watches do; may be called on any thread."""
        counts = self._counts
        return WatchLoad(
            streams=len(self.places),
            queries=len(self._evaluators),
            evaluations=counts.made,
            failed_evaluations=counts.failed,
            evaluation_seconds=counts.seconds,
            skipped_evaluations=counts.skipped,
        )

    def close(self) -> None:
        """Ends the thread; all streams have ended."""
        self._threads.shutdown(wait=False)

    def _read(self, data: bytes, scope: DataScope | None, cancel_token: core.CancelToken) -> TrafficWatch:
        return self._traffic.watch(data, scope, cancel_token)

    @contextmanager
    def _watched(
        self, watch: TrafficWatch, scope: DataScope | None, call: Call
    ) -> Iterator[tuple[Evaluator, Watcher]]:
        """Adds a watcher for its block to the evaluator of its query, which others may share."""
        key = _Key(watch.query, watch.last_bins, watch.interval_ms, scope)
        evaluator = self._evaluators.get(key)
        if evaluator is None:
            evaluator = self._evaluators[key] = Evaluator(
                watch, partial(self._answer, scope), self._threads, self._clock, self._config, self._counts
            )
        watcher = Watcher(call, watch.rules)
        evaluator.add(watcher)
        try:
            yield evaluator, watcher
        finally:
            evaluator.remove(watcher)
            if not evaluator.is_watched:
                self._evaluators.pop(key, None)

    async def _answer(self, scope: DataScope | None, data: bytes, call: Call) -> bytes:
        return await self._runner.answer(self._traffic.watched, data, WatchedReport(call, scope))


class _Told:
    """What a watcher has been told."""

    def __init__(self, evaluator: Evaluator, watcher: Watcher, silence_seconds: float) -> None:
        self._evaluator = evaluator
        self._watcher = watcher
        self._silence_seconds = silence_seconds
        self._state: State | None = None
        self._alerts: AlertStates | None = None
        self._revision = 0
        self._told_s = _now_s()

    async def next_message(self) -> bytes:
        """Returns the next message, once there is something to say, or nothing was said for long."""
        while True:
            await self._wait()
            state, alert_states = await self._evaluator.state_of(self._watcher)
            alerts = await self._evaluator.alerts_of(self._watcher, self._alerts, alert_states)
            is_due = bool(alerts) or self._silent_s() >= self._silence_seconds
            body = await self._evaluator.message_of(self._state, state, always=is_due)
            if body:
                break
        self._state, self._alerts, self._told_s = state.told(), alert_states.told(), _now_s()
        self._revision += 1
        head = WatchTrafficResponse(revision=self._revision)
        return bytes(head.SerializeToString()) + alerts + body

    async def _wait(self) -> None:
        """Waits for an evaluation, or until a message is due without one."""
        changed = self._watcher.changed
        seconds = None if self._state is None else max(0.0, self._silence_seconds - self._silent_s())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()
        changed.clear()

    def _silent_s(self) -> float:
        return _now_s() - self._told_s


def _now_s() -> float:
    return asyncio.get_running_loop().time()
