"""One query that is watched: it is evaluated once per interval for all of its watchers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import Final, TypeAlias, TypeVar

from pegcount import calendar, core, request
from pegcount.config import Config
from pegcount.errors import (
    AccessDeniedError,
    CellLimitError,
    CredentialLimitReachedError,
    CredentialRefusedError,
    CredentialUnexpectedError,
    MemoryLimitError,
    OverloadedError,
    PegcountError,
    QueryTimeLimitError,
    StoreUnavailableError,
)
from pegcount.request import AlertRule, TrafficWatch
from pegcount.server.call import Call
from pegcount.server.watching.alerts import Alerts, AlertStates
from pegcount.server.watching.changes import message_of
from pegcount.server.watching.counts import WatchCounts
from pegcount.server.watching.states import State, state_of
from pegcount.v1.traffic_pb2 import Alert, WatchTrafficResponse

_Result = TypeVar("_Result")

_LOG = logging.getLogger(__name__)
_ATTEMPT_COUNT: Final = 3
"""Answers that are asked for while the clock passes from bin to bin."""
_OF_ONE_WATCHER: Final = (AccessDeniedError, CredentialRefusedError, CredentialUnexpectedError)
"""Errors of a watcher who may not ask any more; another one may."""
# Overloaded it is, too, where the answers of one caller are unread.
_OF_ONE_TURN: Final = (CredentialLimitReachedError, OverloadedError)
"""Errors of all watchers with one turn; those with another one may ask."""

Answer: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
"""Answers a serialized `QueryTrafficRequest` on behalf of a stream, with the columns of
`request.with_denominators`."""


class Watcher:
    """One stream that watches a query."""

    def __init__(self, call: Call, rules: tuple[AlertRule, ...]) -> None:
        self.call = call
        self.rules = rules
        self.changed = asyncio.Event()
        """Set after each evaluation."""


class _Rules:
    """Equal rules of some watchers, and what they came to."""

    def __init__(self, alerts: Alerts) -> None:
        self.alerts = alerts
        self.states: AlertStates | None = None


class Evaluator:
    """Evaluates a query as long as it has watchers. Used on the event loop only.

    Errors that pass end nothing until they have lasted for `watch_retry_seconds_max`; other ones end all of
    its streams at once.
    """

    def __init__(
        self,
        watch: TrafficWatch,
        answer: Answer,
        threads: Executor,
        clock: Callable[[], int],
        config: Config,
        counts: WatchCounts,
    ) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._watch = watch
        self._answer = answer
        self._threads = threads
        self._clock = clock
        self._config = config
        self._counts = counts
        self._watchers: list[Watcher] = []
        self._rules: dict[tuple[AlertRule, ...], _Rules] = {}
        self._state: State | None = None
        self._messages: dict[tuple[int | None, bool], asyncio.Future[bytes]] = {}
        """The messages that tell the present state, by the state that is known before."""
        self._data = b""
        self._data_from_us = self._data_until_us = 0
        self._failing_since_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_watched(self) -> bool:
        """Whether it has a watcher."""
        return bool(self._watchers)

    def add(self, watcher: Watcher) -> None:
        """Adds a watcher, which learns of the present state at once if there is one."""
        self._watchers.append(watcher)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        elif self._state is not None:
            watcher.changed.set()

    def remove(self, watcher: Watcher) -> None:
        """Removes a watcher; after the last one, nothing is evaluated any more."""
        self._watchers.remove(watcher)
        if not any(each.rules == watcher.rules for each in self._watchers):
            self._rules.pop(watcher.rules, None)
        if not self._watchers and self._task is not None:
            self._task.cancel()

    async def state_of(self, watcher: Watcher) -> tuple[State, AlertStates]:
        """Returns the present state, and that of the rules of a watcher; there must be one.

        Raises CellLimitError if the rules could alert for too many groups.
        """
        while True:
            state = self._state
            assert state is not None, "a watcher waits for the first state"
            self._require_few_alerts(len(state.groups), len(watcher.rules))
            rules = self._rules.get(watcher.rules)
            if rules is not None and rules.states is not None and rules.states.state is state:
                return state, rules.states
            rules = rules or _Rules(Alerts(watcher.rules, self._watch.metrics))
            states = await self._on_thread(partial(rules.alerts.look, state))
            if self._state is state:
                self._rules.setdefault(watcher.rules, rules).states = states

    async def message_of(self, told: State | None, state: State, *, always: bool) -> bytes:
        """Returns the message of `changes.message_of`, which is made once for all watchers.

        `state` is that of `state_of`.
        """
        if state is not self._state:
            return await self._on_thread(partial(message_of, told, state, always=always))
        key = (None if told is None else told.number, always)
        made = self._messages.get(key)
        if made is None:
            work = self._on_thread(partial(message_of, told, state, always=always))
            made = self._messages[key] = asyncio.ensure_future(work)
        # A watcher that leaves must not take the message from others.
        return await asyncio.shield(made)

    async def alerts_of(self, watcher: Watcher, told: AlertStates | None, now: AlertStates) -> bytes:
        """Returns a part of a serialized message: what `Alerts.changes` yields of the rules of a watcher."""
        if not watcher.rules:
            return b""
        alerts = self._rules[watcher.rules].alerts
        return await self._on_thread(lambda: _serialized(alerts.changes(told, now)))

    async def _run(self) -> None:
        """Evaluates again and again; an evaluation that takes longer than the interval leaves some out."""
        loop = asyncio.get_running_loop()
        interval_s = self._watch.interval_ms / 1_000
        next_s = loop.time()
        while self._watchers:
            await self._evaluate()
            skipped_count = int(max(0.0, loop.time() - next_s) // interval_s)
            self._counts.skipped += skipped_count
            next_s += interval_s * (1 + skipped_count)
            await asyncio.sleep(next_s - loop.time())

    async def _evaluate(self) -> None:
        """Makes the next state, and tells the watchers; ends their streams where that fails for good."""
        begin_s = perf_counter()
        try:
            await self._take(await self._answered())
            self._failing_since_s = None
            self._counts.made += 1
        except PegcountError as error:
            self._counts.failed += 1
            if not self._may_pass(error):
                self._end_all(error)
        except (Exception, core.PanicException) as error:
            self._counts.failed += 1
            fault = PegcountError("a watched query could not be evaluated")
            fault.__cause__ = error
            self._end_all(fault)
        finally:
            self._counts.seconds += perf_counter() - begin_s

    async def _answered(self) -> bytes:
        """Returns an answer on behalf of one of the watchers, whose turns come one after the other.

        Ends the stream of each watcher who may not ask any more. Raises the last error if nobody is left,
        one that passes if there is one.
        """
        refused: PegcountError | None = None
        tried: set[Watcher] = set()
        waiting: set[Hashable] = set()
        while (watcher := self._next(tried, waiting)) is not None:
            tried.add(watcher)
            try:
                return await self._answer(self._request(), watcher.call)
            except _OF_ONE_TURN as error:
                waiting.add(watcher.call.turn)
                refused = error
            except _OF_ONE_WATCHER as error:
                watcher.call.end(error)
                refused = refused or error
        assert refused is not None, "a query that is evaluated has a watcher"
        raise refused

    async def _take(self, data: bytes) -> None:
        """Takes an answer as the present state; asks anew if it has other bins than the watch."""
        number = 0 if self._state is None else self._state.number + 1
        state = await self._on_thread(partial(state_of, data, number, len(self._watch.metrics)))
        for _ in range(_ATTEMPT_COUNT - 1):
            if len(state.t) <= self._watch.last_bins:
                break
            # The present bin has ended between the two looks at the clock.
            data = await self._answered()
            state = await self._on_thread(partial(state_of, data, number, len(self._watch.metrics)))
        self._require_few_values(state)
        known = list(self._rules.values())
        looked = await self._on_thread(partial(_look, [each.alerts for each in known], state))
        for each, states in zip(known, looked, strict=True):
            each.states = states
        self._state = state
        self._messages = {}
        for watcher in self._watchers:
            watcher.changed.set()

    def _next(self, tried: Collection[Watcher], waiting: Collection[Hashable]) -> Watcher | None:
        """Returns the next watcher that was not tried, with a turn that need not wait; None without one.

        It is the last one the next time.
        """
        for watcher in self._watchers:
            if watcher not in tried and watcher.call.turn not in waiting:
                self._watchers.remove(watcher)
                self._watchers.append(watcher)
                return watcher
        return None

    def _request(self) -> bytes:
        """Returns the query with the range of the last bins."""
        now_us = self._clock()
        watch = self._watch
        if not self._data or not self._data_from_us < now_us <= self._data_until_us:
            edge_us = calendar.last_edges(watch.zone, watch.granularity, now_us, watch.last_bins)
            self._data = watch.query + request.from_time(int(edge_us[0]))
            self._data_from_us, self._data_until_us = int(edge_us[-2]), int(edge_us[-1])
        return self._data

    def _require_few_values(self, state: State) -> None:
        asked = len(state.groups) * len(state.t) * len(self._watch.metrics)
        allowed = self._config.watch_value_count_max
        if asked > allowed:
            text = (
                f"the answer has {asked} values (bins times groups times metrics); a watch may have {allowed}"
                " (watch_value_count_max); ask for fewer last_bins or metrics, or for the first groups (top)"
            )
            raise CellLimitError(text, asked=asked, allowed=allowed)

    def _require_few_alerts(self, group_count: int, rule_count: int) -> None:
        asked, allowed = group_count * rule_count, self._config.watch_value_count_max
        if asked > allowed:
            text = (
                f"the rules look at {asked} figures (groups times rules); a watch may have {allowed}"
                " (watch_value_count_max); ask for fewer rules, or for the first groups (top)"
            )
            raise CellLimitError(text, asked=asked, allowed=allowed)

    def _may_pass(self, error: PegcountError) -> bool:
        """Returns whether the streams go on in spite of an error, with the state that they know."""
        passes = isinstance(
            error,
            OverloadedError | StoreUnavailableError | QueryTimeLimitError | CredentialLimitReachedError,
        ) or (isinstance(error, MemoryLimitError) and error.is_temporary)
        if not passes or self._state is None:
            return False
        now_s = asyncio.get_running_loop().time()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            _LOG.warning("a watched query fails, and is tried again: %s", error)
        return now_s - self._failing_since_s < self._config.watch_retry_seconds_max

    def _end_all(self, error: PegcountError) -> None:
        for watcher in list(self._watchers):
            watcher.call.end(error)

    async def _on_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _look(all_alerts: Sequence[Alerts], state: State) -> list[AlertStates]:
    return [alerts.look(state) for alerts in all_alerts]


def _serialized(alerts: Iterable[Alert]) -> bytes:
    """Returns a serialized message with some alerts, one after the other: messages take far more memory."""
    return b"".join(WatchTrafficResponse(alerts=[each]).SerializeToString() for each in alerts)
