"""How much each credential may ask for; a call beyond that waits a little, or is refused before it begins.

Rates are token buckets: what was taken drains at the rate of the limit, and a bucket holds what drains within
two seconds. Calls that find the bucket full begin one by one, at the rate of the limit: a burst of them, even
of refusals, would delay the calls of others. All times are those of the monotonic clock.
"""

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Final

from pegcount.auth import Caller
from pegcount.config import Config, LiveConfig
from pegcount.data_scope import CredentialLimits
from pegcount.errors import CredentialLimitReachedError, quoted
from pegcount.server.minute_log import MinuteLog

_BURST_SECONDS: Final = 2.0
_RETRY_STEPS_PER_SECOND: Final = 100
"""Waits are rounded up to hundredths of a second, so that few different statuses have to be made."""
_PROMISED_SECONDS_MAX: Final = 10.0
"""Longest time that a refused call waits for earlier ones of its credential that were refused too."""
_PAUSE_SECONDS_MAX: Final = 8.0
"""Longest pause of a connection. Both sides close one that answers no ping for 10 s."""
_IDLE_SECONDS: Final = 60.0
"""Seconds after its last call from which a credential counts as idle, if it owes no work."""
_LOOK_COUNT: Final = 4
"""Accounts that are looked at for each new one: more than are made, so that all idle ones go."""
_NONE: Final = CredentialLimits()


@dataclass(slots=True)
class _Bucket:
    """What was taken of a rate."""

    taken: float = 0.0
    at_s: float = 0.0

    def drained(self, now_s: float, per_second: float) -> float:
        """Returns what is left of what was taken."""
        self.taken = max(0.0, self.taken - (now_s - self.at_s) * per_second)
        self.at_s = now_s
        return self.taken


@dataclass(frozen=True, slots=True)
class _Allowed:
    """The limits of one credential; 0 is without limit."""

    calls_per_second: int
    calls_in_progress: int
    work_ms_per_second: int


@dataclass(slots=True, eq=False)
class _Account:
    """What one credential has asked for."""

    limits: CredentialLimits | None
    config: Config
    """The settings that `allowed` comes from."""
    allowed: _Allowed
    used_s: float
    in_progress_count: int = 0
    calls: _Bucket = field(default_factory=_Bucket)
    promised: _Bucket = field(default_factory=_Bucket)
    """Refused calls that were told a time at which to come again."""
    work_ms: _Bucket = field(default_factory=_Bucket)
    refused: _Bucket = field(default_factory=_Bucket)


class AdmittedCall:
    """The part that one call has in the account of its credential. `charge` may run on any thread."""

    def __init__(
        self, limiter: "CredentialLimiter", caller: Caller, account: _Account, wait_seconds: float
    ) -> None:
        self.wait_seconds = wait_seconds
        """For how long the call must wait before it begins."""
        self._limiter = limiter
        self._caller = caller
        self._account = account
        self._charged_ms = 0.0
        self._is_at_work = False
        self._is_over = False

    def charge(self, cost_us: float) -> None:
        """Takes the estimated processor time of a report, in microseconds.

        Raises CredentialLimitReachedError if the credential has used up its own; otherwise a report may take
        more than is left, and later ones wait until that has drained. So a report dearer than the whole
        bucket is answered too. A call that has ended while a thread prepared its report takes nothing.
        """
        if not self._is_over:
            self._charged_ms = self._limiter.charge(self._caller, self._account, cost_us)

    def begin_work(self) -> None:
        """Notes that the report begins; `settle` must follow, however it ends."""
        self._is_at_work = True

    def end_report(self) -> None:
        """Gives back what a report took that was refused or cancelled before it began."""
        self._is_over = True
        if not self._is_at_work:
            self.settle(0.0)

    def settle(self, took_us: float) -> None:
        """Gives back what the report did not take: an estimate knows nothing of rollups.

        `took_us` is the most processor time that it can have taken, in microseconds.
        """
        self._limiter.give_back(self._account, self._charged_ms - took_us / 1_000)
        self._charged_ms = 0.0

    def give_up(self) -> float:
        """Gives back the place of a call that ended while it waited; see `CredentialLimiter.note_refused`.

        A client that gives calls up and begins others in their place sends as many as one whose calls are
        refused at once.
        """
        self._account.calls.taken = max(0.0, self._account.calls.taken - 1)
        return self._limiter.pause_seconds(self._account)

    def another(self) -> "AdmittedCall":
        """Returns the part of a further report of the same call, which begins no call and ends none."""
        return AdmittedCall(self._limiter, self._caller, self._account, 0.0)

    def leave(self) -> None:
        """Notes the end of the call."""
        self._account.in_progress_count -= 1


class CredentialLimiter:
    """Holds each credential to its limits, by `Caller.id`.

    `refusal` and `enter` are called on the event loop, and take about a microsecond. The accounts of
    credentials that are idle go; with more busy ones than `limited_credential_count_max`, that which has
    called longest ago begins anew.
    """

    def __init__(self, live: LiveConfig, log: MinuteLog, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._live = live
        self._log = log
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._work_lock = Lock()

    def __len__(self) -> int:
        """Returns the number of accounts."""
        return len(self._accounts)

    def refusal(self, caller: Caller, *, is_report: bool) -> CredentialLimitReachedError | None:
        """Returns why the next call of a credential is refused; None if it is not."""
        now_s = self._clock()
        account = self._account(caller, now_s)
        allowed = account.allowed
        most = allowed.calls_in_progress
        if most and account.in_progress_count >= most:
            return _refused("calls_in_progress", most, self._live.now.overload_retry_seconds)
        if is_report and (error := self._work_refusal(account, now_s)):
            return error
        rate = allowed.calls_per_second
        missing = self._missing(account, now_s)
        if missing <= self._live.now.credential_wait_seconds_max * rate:
            return None
        # Calls that all come again at the time that they are told find room for all of them.
        promised = account.promised.drained(now_s, rate)
        if promised < _PROMISED_SECONDS_MAX * rate:
            account.promised.taken += 1
        return _refused("calls_per_second", rate, (missing + promised) / rate)

    def enter(self, caller: Caller) -> AdmittedCall:
        """Accounts for the begin of a call that `refusal` did not refuse."""
        now_s = self._clock()
        account = self._account(caller, now_s)
        missing = self._missing(account, now_s)
        account.in_progress_count += 1
        account.calls.taken += 1
        wait_seconds = missing / account.allowed.calls_per_second if missing > 0 else 0.0
        return AdmittedCall(self, caller, account, wait_seconds)

    def charge(self, caller: Caller, account: _Account, cost_us: float) -> float:
        """Takes work for a report, and returns how much, in milliseconds; see `AdmittedCall.charge`."""
        if not account.allowed.work_ms_per_second:
            return 0.0
        error = self._work_refusal(account, self._clock())
        if error is not None:
            self._log_refused(caller, error)
            raise error
        # No report runs for longer, whatever its estimate is.
        cost_ms = min(cost_us / 1_000, self._live.now.query_seconds_max * 1_000)
        with self._work_lock:
            account.work_ms.taken += cost_ms
        return cost_ms

    def give_back(self, account: _Account, work_ms: float) -> None:
        """Gives back work that was taken and not done, in milliseconds; nothing if it is negative."""
        if work_ms > 0:
            with self._work_lock:
                account.work_ms.taken = max(0.0, account.work_ms.taken - work_ms)

    def note_refused(self, caller: Caller, error: CredentialLimitReachedError) -> float:
        """Accounts for a refused call; returns for how many seconds its connection should be left unread.

        Few refusals cost little; beyond them, the calls of a credential must not arrive faster than they can
        be refused, or refusing them would take the time of others.
        """
        self._log_refused(caller, error)
        return self.pause_seconds(self._account(caller, self._clock()))

    def pause_seconds(self, account: _Account) -> float:
        """Accounts for a refused call, or one that was given up while it waited; see `note_refused`."""
        now_s, rate = self._clock(), self._live.now.credential_refusals_per_second
        excess = account.refused.drained(now_s, rate) - _BURST_SECONDS * rate
        if excess < _PAUSE_SECONDS_MAX * rate:
            account.refused.taken += 1
        if not rate or excess <= 0:
            return 0.0
        # Jitter: else many connections that are paused together would all be read again at the same time.
        return random.uniform(0.25, 1) * min(excess / rate, _PAUSE_SECONDS_MAX)

    def _log_refused(self, caller: Caller, error: CredentialLimitReachedError) -> None:
        """Logs the name of a credential that a call was refused to, once a minute at most, and how often."""
        text = f"credential {quoted(caller.name)} has reached its limit of {error.limit}, {error.allowed}"
        self._log.add(f"limit of {caller.id}", f"{text}; refused a call")

    def _missing(self, account: _Account, now_s: float) -> float:
        """Returns how many calls must drain before the next one may begin; none if it is not positive."""
        rate = account.allowed.calls_per_second
        return account.calls.drained(now_s, rate) + 1 - _BURST_SECONDS * rate if rate else 0.0

    def _work_refusal(self, account: _Account, now_s: float) -> CredentialLimitReachedError | None:
        rate = account.allowed.work_ms_per_second
        if not rate:
            return None
        with self._work_lock:
            excess = account.work_ms.drained(now_s, rate) - _BURST_SECONDS * rate
        return None if excess < 0 else _refused("work_ms_per_second", rate, excess / rate)

    def _account(self, caller: Caller, now_s: float) -> _Account:
        account = self._accounts.get(caller.id)
        if account is None:
            self._make_room(now_s)
            config = self._live.now
            account = _Account(caller.limits, config, _allowed(caller.limits, config), now_s)
            self._accounts[caller.id] = account
        else:
            self._accounts.move_to_end(caller.id)
            if account.limits is not caller.limits or account.config is not self._live.now:
                account.limits, account.config = caller.limits, self._live.now
                account.allowed = _allowed(caller.limits, account.config)
        account.used_s = now_s
        return account

    def _make_room(self, now_s: float) -> None:
        """Drops accounts of idle credentials; a few, so that no call waits for many of them."""
        count_max = self._live.now.limited_credential_count_max
        for caller_id, account in list(islice(self._accounts.items(), _LOOK_COUNT)):
            if account.in_progress_count:
                # It is not idle, and those behind it may be.
                self._accounts.move_to_end(caller_id)
            elif len(self._accounts) >= count_max or self._is_idle(account, now_s):
                del self._accounts[caller_id]
        if len(self._accounts) >= count_max:
            self._accounts.popitem(last=False)

    def _is_idle(self, account: _Account, now_s: float) -> bool:
        rate = account.allowed.work_ms_per_second
        with self._work_lock:
            owes = account.work_ms.drained(now_s, rate) > 0 if rate else False
        return not account.in_progress_count and not owes and now_s - account.used_s > _IDLE_SECONDS


def _refused(limit: str, allowed: int, seconds: float) -> CredentialLimitReachedError:
    steps = math.floor(seconds * _RETRY_STEPS_PER_SECOND) + 1
    return CredentialLimitReachedError(limit, allowed, steps / _RETRY_STEPS_PER_SECOND)


def _allowed(limits: CredentialLimits | None, config: Config) -> _Allowed:
    own = limits or _NONE
    calls_per_second, calls_in_progress = own.calls_per_second, own.calls_in_progress
    work_ms = own.work_ms_per_second
    return _Allowed(
        config.credential_calls_per_second if calls_per_second is None else calls_per_second,
        config.credential_calls_in_progress if calls_in_progress is None else calls_in_progress,
        config.credential_work_ms_per_second if work_ms is None else work_ms,
    )
