"""The time by which a store deletes: that of the clock, unless the clock jumped.

A clock may be wrong for a while, as after a start without a network or by a mistyped `date`, and what was
deleted meanwhile is lost. The monotonic clock cannot say what time it is, but how much time passed. So the
trusted time runs on with the monotonic clock, and the clock is followed only where it is near the trusted
time, or after it has agreed with the monotonic clock for an hour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from pegcount.config import Config
from pegcount.zone import US_PER_SECOND

TRUSTED_TIME = "trusted_time"
"""Setting: the trusted time in microseconds UTC, as of the last save."""
CANDIDATE_TIME = "clock_candidate_time"
"""Setting: the time of a refused clock, in microseconds UTC, as of the last save."""
CANDIDATE_AGREED = "clock_agreed_us"
"""Setting: microseconds for which a refused clock has agreed with the monotonic clock so far."""


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
    ) -> None:
        """`clock` returns microseconds UTC; `monotonic` returns seconds since any fixed instant.

        `saved` has what `settings` returned in an earlier run. `held_us` has the first and the last setup
        time that the store holds, None if it holds none.
        """
        self._clock = clock
        self._monotonic = monotonic
        self._limits = _Limits.of(config)
        self._lock = Lock()
        now_us, monotonic_us = self._read()
        self._trust = _initial_trust(saved.get(TRUSTED_TIME), held_us, now_us, monotonic_us, self._limits)
        agreed_us = (
            _continued_us(saved, now_us, self._limits) if self._is_refused(now_us, monotonic_us) else 0
        )
        self._agreement = _Agreement(now_us - monotonic_us, monotonic_us, agreed_us)
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

    def settings(self) -> dict[str, int | None]:
        """Returns the settings from which a later run goes on; None deletes one."""
        with self._lock:
            now_us, monotonic_us = self._read()
            is_refused = self._is_refused(now_us, monotonic_us)
            return {
                TRUSTED_TIME: self._trust.offset_us + monotonic_us,
                CANDIDATE_TIME: now_us if is_refused else None,
                CANDIDATE_AGREED: self._agreement.agreed_us if is_refused else None,
            }

    def _read(self) -> tuple[int, int]:
        return self._clock(), int(self._monotonic() * US_PER_SECOND)

    def _is_refused(self, now_us: int, monotonic_us: int) -> bool:
        deviation_us = now_us - self._trust.offset_us - monotonic_us
        return abs(deviation_us) > self._limits.deviation_us

    def _adopt(self, now_us: int, monotonic_us: int) -> None:
        self._trust = self._trust.adopted(now_us - monotonic_us, monotonic_us, self._limits)
        self._agreement = _Agreement(now_us - monotonic_us, monotonic_us, 0)


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

    def session_offset_us(self, monotonic_us: int) -> int:
        return self.slow_offset_us if monotonic_us < self.slow_until_us else self.offset_us

    def adopted(self, offset_us: int, monotonic_us: int, limits: _Limits) -> "_Trust":
        """Returns the trust in a clock that was believed after a jump.

        Sessions that arrived before a jump forward have times of receipt of before it. So their time
        follows only after all of them have either received something new or been silent for long enough.
        """
        slow_offset_us = self.session_offset_us(monotonic_us)
        if not self.is_known or offset_us - slow_offset_us <= limits.drift_us:
            return _Trust(offset_us, True, offset_us, monotonic_us)
        is_slow = monotonic_us < self.slow_until_us and offset_us - self.offset_us <= limits.drift_us
        until_us = self.slow_until_us if is_slow else monotonic_us + limits.active_ttl_us
        return _Trust(offset_us, True, slow_offset_us, until_us)


@dataclass(frozen=True, slots=True)
class _Agreement:
    """How long the clock has agreed with the monotonic clock, in one run after the other."""

    offset_us: int
    """Clock less monotonic time at its beginning, so that a drift cannot creep."""
    seen_us: int
    """Monotonic time of the last look."""
    agreed_us: int

    def continued(self, offset_us: int, monotonic_us: int, limits: _Limits) -> "_Agreement":
        if abs(offset_us - self.offset_us) > limits.drift_us:
            return _Agreement(offset_us, monotonic_us, 0)
        # Between two looks far from each other, the clock may have been anything.
        passed_us = min(monotonic_us - self.seen_us, limits.look_us)
        return _Agreement(self.offset_us, monotonic_us, self.agreed_us + max(passed_us, 0))


def _initial_trust(
    saved_us: int | None, held_us: tuple[int, int] | None, now_us: int, monotonic_us: int, limits: _Limits
) -> _Trust:
    """Returns what a new run may trust: the clock if it is near what an earlier run saved or what is held.

    Otherwise the trusted time runs on from an instant that has certainly passed.
    """
    if saved_us is not None:
        is_near, passed_us = abs(now_us - saved_us) <= limits.deviation_us, saved_us
    elif held_us is None:
        # Nothing is held that a wrong clock could drop.
        is_near, passed_us = True, now_us
    else:
        first_us, last_us = held_us
        is_near = abs(now_us - last_us) <= limits.deviation_us
        passed_us = last_us if last_us <= now_us else min(first_us, now_us)
    if not is_near:
        return _Trust(passed_us - monotonic_us, False, passed_us - monotonic_us, monotonic_us)
    # Whether the time between the runs has really passed shows within an hour.
    slow_us = min(now_us, passed_us) - monotonic_us
    return _Trust(max(now_us, passed_us) - monotonic_us, True, slow_us, monotonic_us + limits.agreement_us)


def _continued_us(saved: Mapping[str, int], now_us: int, limits: _Limits) -> int:
    """Returns for how many microseconds the present clock has agreed in earlier runs."""
    candidate_us = saved.get(CANDIDATE_TIME)
    if candidate_us is None or not -limits.drift_us <= now_us - candidate_us <= limits.downtime_us:
        return 0
    return saved.get(CANDIDATE_AGREED, 0)
