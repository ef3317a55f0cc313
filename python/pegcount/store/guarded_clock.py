"""The time by which a store deletes: that of the clock, unless the clock jumped.

A clock may be wrong for a while, as after a start without a network or by a mistyped `date`, and what was
deleted meanwhile is lost. The monotonic clock cannot say what time it is, but how much time passed. So the
trusted time runs on with the monotonic clock, and the clock is followed only where it is near the trusted
time, or after it has agreed with the monotonic clock for an hour.

Only such an agreement moves the trusted time to the clock. A restart does not, or restarts in a row would
carry it along with a clock that moves by almost the tolerated deviation each time. While the machine runs,
its boot clock shows how much time passed between two runs. After it was off, nothing does: the trusted time
then stays behind until the clock has agreed. It may be late, never early.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from pegcount.config import Config
from pegcount.zone import US_PER_SECOND

TRUSTED_TIME = "trusted_time"
"""Setting: the trusted time in microseconds UTC, as of the last save."""
TRUSTED_OFFSET = "trusted_offset_us"
"""Setting: the trusted time less the monotonic time, in microseconds; holds within one boot."""
TRUSTED_KNOWN = "trusted_time_is_known"
"""Setting: 1 if the clock was believed in that boot."""
BOOT = "boot"
"""Setting: the number of the boot in which the settings were saved; not set where the system has none."""
SESSION_TIME = "session_time"
"""Setting: the time by which active sessions are abandoned, in microseconds UTC, as of the last save."""
SESSION_SLOW = "session_slow_us"
"""Setting: microseconds for which that time stays behind the trusted time."""
CANDIDATE_TIME = "clock_candidate_time"
"""Setting: the time of a clock that is not agreed yet, in microseconds UTC, as of the last save."""
CANDIDATE_AGREED = "clock_agreed_us"
"""Setting: microseconds for which such a clock has agreed with the monotonic clock so far."""
CANDIDATE_UNSEEN = "clock_unseen_us"
"""Setting: microseconds by which such a clock moved on meanwhile while the machine was off."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A clock that is too far from the trusted time to be believed."""

    since_us: int
    """Trusted time at which it was refused, in microseconds UTC."""
    deviation_us: int
    """Microseconds by which the clock is ahead of the trusted time; negative if it is behind."""


class GuardedClock:
    """A clock that deletes nothing because of a jump. Thread-safe; has no thread of its own.

    Somebody must call `look` regularly: only agreement that is seen counts.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        config: Config,
        saved: Mapping[str, int],
        held_us: tuple[int, int] | None,
        boot: int | None,
    ) -> None:
        """`clock` returns microseconds UTC; `monotonic` returns seconds since any instant that is fixed while
        `boot` stays the same, or for this run if `boot` is None.

        `saved` has what `settings` returned in an earlier run. `held_us` has the first and the last setup
        time that the store holds, None if it holds none.
        """
        self._clock = clock
        self._monotonic = monotonic
        self._boot = boot
        self._limits = _Limits.of(config)
        self._lock = Lock()
        now_us, monotonic_us = self._read()
        start = _Start(saved, boot, now_us, monotonic_us, self._limits)
        self._trust = start.trust(held_us)
        self._agreement = start.agreement()
        self._refused_since_us: int | None = None
        self.look()

    def look(self) -> None:
        """Compares the clock with the monotonic clock, and believes it once both have agreed for long."""
        with self._lock:
            now_us, monotonic_us = self._read()
            self._agreement = self._agreement.continued(now_us - monotonic_us, monotonic_us, self._limits)
            if self._agreement.agreed_us >= self._limits.agreement_us:
                self._adopt(now_us, monotonic_us)
            if not self._is_refused(now_us, monotonic_us):
                self._refused_since_us = None
            elif self._refused_since_us is None:
                self._refused_since_us = self._trust.offset_us + monotonic_us

    def accept(self) -> None:
        """Believes the present time of the clock at once."""
        with self._lock:
            self._adopt(*self._read())
            self._refused_since_us = None

    def clock_us(self) -> int:
        """Returns the time of the clock, believed or not, in microseconds UTC."""
        return self._clock()

    def deletion_us(self) -> int:
        """Returns the time by which records may be dropped for their age, in microseconds UTC."""
        now_us, monotonic_us = self._read()
        expected_us = self._trust.offset_us + monotonic_us
        return expected_us if self._is_refused(now_us, monotonic_us) else now_us

    def session_us(self) -> int:
        """Returns the time by which active sessions may count as abandoned, in microseconds UTC.

        It is never ahead of the time that passed, as far as that is known: a session may be abandoned
        late, but not early.
        """
        now_us, monotonic_us = self._read()
        return min(now_us, self._trust.session_offset_us(monotonic_us) + monotonic_us)

    def receipt_us(self) -> int:
        """Returns the time of receipt to store with a record that arrives now, in microseconds UTC."""
        now_us, monotonic_us = self._read()
        trust = self._trust
        expected_us = trust.offset_us + monotonic_us
        if trust.is_known and self._is_refused(now_us, monotonic_us):
            return expected_us
        return max(now_us, expected_us)

    def refusal(self) -> Refusal | None:
        """Returns why the clock is not believed, None if it is."""
        now_us, monotonic_us = self._read()
        expected_us = self._trust.offset_us + monotonic_us
        if not self._is_refused(now_us, monotonic_us):
            return None
        since_us = self._refused_since_us
        return Refusal(expected_us if since_us is None else since_us, now_us - expected_us)

    def is_agreed(self) -> bool:
        """Returns whether the clock shows the trusted time, as far as clocks drift."""
        now_us, monotonic_us = self._read()
        return abs(now_us - self._trust.offset_us - monotonic_us) <= self._limits.drift_us

    def settings(self) -> dict[str, int | None]:
        """Returns the settings from which a later run goes on; None deletes one."""
        with self._lock:
            trust, agreement = self._trust, None if self.is_agreed() else self._agreement
            _, monotonic_us = self._read()
            return {
                TRUSTED_TIME: trust.offset_us + monotonic_us,
                TRUSTED_OFFSET: trust.offset_us,
                TRUSTED_KNOWN: 1 if trust.is_known else None,
                BOOT: self._boot,
                SESSION_TIME: trust.session_offset_us(monotonic_us) + monotonic_us,
                SESSION_SLOW: max(trust.slow_until_us - monotonic_us, 0) or None,
                # Of the beginning of the agreement, so that a drift cannot creep from one run to the next.
                CANDIDATE_TIME: None if agreement is None else agreement.offset_us + monotonic_us,
                CANDIDATE_AGREED: None if agreement is None else agreement.agreed_us,
                CANDIDATE_UNSEEN: None if agreement is None else agreement.unseen_us,
            }

    def _read(self) -> tuple[int, int]:
        return self._clock(), round(self._monotonic() * US_PER_SECOND)

    def _is_refused(self, now_us: int, monotonic_us: int) -> bool:
        deviation_us = now_us - self._trust.offset_us - monotonic_us
        return abs(deviation_us) > self._limits.deviation_us

    def _adopt(self, now_us: int, monotonic_us: int) -> None:
        self._trust = self._trust.adopted(now_us - monotonic_us, monotonic_us, self._limits)
        self._agreement = _Agreement(now_us - monotonic_us, monotonic_us)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The limits of `Config`, in microseconds."""

    deviation_us: int
    agreement_us: int
    drift_us: int
    look_us: int
    downtime_us: int
    active_ttl_us: int

    @staticmethod
    def of(config: Config) -> "_Limits":
        seconds = (
            config.clock_deviation_seconds_max,
            config.clock_agreement_seconds,
            config.clock_drift_seconds_max,
            config.clock_look_seconds_max,
            config.clock_downtime_seconds_max,
            config.active_ttl_seconds,
        )
        return _Limits(*(int(value * US_PER_SECOND) for value in seconds))


@dataclass(frozen=True, slots=True)
class _Trust:
    """The trusted time, as what to add to the monotonic time. Immutable, so that readers need no lock."""

    offset_us: int
    is_known: bool
    """Whether the clock once was believed in this run; otherwise the trusted time may be too early."""
    slow_offset_us: int
    """What to add for active sessions until `slow_until_us`; at most `offset_us`."""
    slow_until_us: int
    """Monotonic time."""
    plausible_offset_us: int
    """That of the clock at the start, if the machine may have been off until then; else `offset_us`."""

    def session_offset_us(self, monotonic_us: int) -> int:
        return self.slow_offset_us if monotonic_us < self.slow_until_us else self.offset_us

    def adopted(self, offset_us: int, monotonic_us: int, limits: _Limits) -> "_Trust":
        """Returns the trust in a clock that was believed after a jump.

        Sessions that arrived before a jump forward have times of receipt of before it. So their time
        follows only after all of them have either received something new or been silent for long enough.
        """
        settled = _Trust(offset_us, True, offset_us, monotonic_us, offset_us)
        slow_offset_us = self.session_offset_us(monotonic_us)
        if not self.is_known or offset_us - slow_offset_us <= limits.drift_us:
            return settled
        is_slow = monotonic_us < self.slow_until_us
        is_jump = offset_us - max(self.offset_us, self.plausible_offset_us) > limits.drift_us
        if not is_jump and not is_slow:
            return settled
        until_us = monotonic_us + limits.active_ttl_us if is_jump else self.slow_until_us
        return _Trust(offset_us, True, slow_offset_us, until_us, offset_us)


@dataclass(frozen=True, slots=True)
class _Agreement:
    """How long the clock has agreed with the monotonic clock, in one run after the other."""

    offset_us: int
    """Clock less monotonic time at its beginning, so that a drift cannot creep."""
    seen_us: int
    """Monotonic time of the last look."""
    agreed_us: int = 0
    unseen_us: int = 0
    """Microseconds by which the clock moved on meanwhile while the machine was off."""

    def continued(self, offset_us: int, monotonic_us: int, limits: _Limits) -> "_Agreement":
        if abs(offset_us - self.offset_us) > limits.drift_us:
            return _Agreement(offset_us, monotonic_us)
        # Between two looks far from each other, the clock may have been anything.
        passed_us = min(monotonic_us - self.seen_us, limits.look_us)
        return replace(self, seen_us=monotonic_us, agreed_us=self.agreed_us + max(passed_us, 0))


@dataclass(frozen=True, slots=True)
class _Start:
    """The beginning of a run: what an earlier one saved, and the clocks now."""

    saved: Mapping[str, int]
    boot: int | None
    now_us: int
    monotonic_us: int
    limits: _Limits

    def trust(self, held_us: tuple[int, int] | None) -> _Trust:
        """Returns what the run may trust: the saved time and what certainly passed since then."""
        passed_us = self.saved.get(TRUSTED_TIME)
        if passed_us is None:
            return self._trust_of_new(held_us)
        if self._is_same_boot:
            offset_us, is_known = self.saved[TRUSTED_OFFSET], TRUSTED_KNOWN in self.saved
            return self._slowed(offset_us, is_known, offset_us)
        is_near = abs(self.now_us - passed_us) <= self.limits.deviation_us
        return self._slowed(passed_us - self.monotonic_us, is_near, self.now_us - self.monotonic_us)

    def agreement(self) -> _Agreement:
        """Returns for how long the present clock has agreed in earlier runs."""
        fresh = _Agreement(self.now_us - self.monotonic_us, self.monotonic_us)
        candidate_us = self.saved.get(CANDIDATE_TIME)
        if candidate_us is None:
            return fresh
        agreed_us, unseen_us = self.saved.get(CANDIDATE_AGREED, 0), self.saved.get(CANDIDATE_UNSEEN, 0)
        if self._is_same_boot:
            # The first look finds out whether the clock still agrees.
            offset_us = candidate_us - self.saved[TRUSTED_TIME] + self.saved[TRUSTED_OFFSET]
            return _Agreement(offset_us, self.monotonic_us, agreed_us, unseen_us)
        moved_us = self.now_us - candidate_us
        if not -self.limits.drift_us <= moved_us <= self.limits.downtime_us - unseen_us:
            return fresh
        return replace(fresh, agreed_us=agreed_us, unseen_us=unseen_us + max(moved_us, 0))

    @property
    def _is_same_boot(self) -> bool:
        """Whether the monotonic clock shows how much time passed since the save.

        A boot clock that went back, or is far ahead of the clock, is that of another machine or container
        with the same number.
        """
        if self.boot is None or self.saved.get(BOOT) != self.boot:
            return False
        if TRUSTED_TIME not in self.saved or TRUSTED_OFFSET not in self.saved:
            return False
        expected_us = self.saved[TRUSTED_OFFSET] + self.monotonic_us
        return self.saved[TRUSTED_TIME] <= expected_us <= self.now_us + self.limits.deviation_us

    def _slowed(self, offset_us: int, is_known: bool, plausible_offset_us: int) -> _Trust:
        """Returns a trust that goes on with the saved time of active sessions."""
        # 0 after another boot.
        passed_us = offset_us + self.monotonic_us - self.saved[TRUSTED_TIME]
        session_us = self.saved.get(SESSION_TIME, self.saved[TRUSTED_TIME]) + passed_us
        slow_us = max(self.saved.get(SESSION_SLOW, 0) - passed_us, 0)
        return _Trust(
            offset_us,
            is_known,
            min(session_us - self.monotonic_us, offset_us),
            self.monotonic_us + slow_us,
            max(offset_us, plausible_offset_us),
        )

    def _trust_of_new(self, held_us: tuple[int, int] | None) -> _Trust:
        """Returns the trust if nothing was saved: the clock if it is near what is held.

        Otherwise the trusted time runs on from an instant that has certainly passed.
        """
        # If nothing is held, a wrong clock has nothing to drop.
        now_us, passed_us, is_near = self.now_us, self.now_us, True
        if held_us is not None:
            first_us, last_us = held_us
            is_near = abs(now_us - last_us) <= self.limits.deviation_us
            passed_us = min(last_us, now_us) if is_near or last_us <= now_us else min(first_us, now_us)
        offset_us = passed_us - self.monotonic_us
        return _Trust(offset_us, is_near, offset_us, self.monotonic_us, now_us - self.monotonic_us)
