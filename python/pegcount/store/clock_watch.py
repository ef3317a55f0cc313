"""Keeps the guarded clock of a store: looks at it, saves what a later run needs, and logs a refusal."""

import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.store.catalog import Catalog
from pegcount.store.guarded_clock import CANDIDATE_TIME, GuardedClock, Refusal
from pegcount.zone import US_PER_DAY, US_PER_SECOND

_LOG = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HOURS_SHOWN_MAX = 48
"""Hours from which a deviation is shown in days."""


def boot_seconds() -> float:
    """Returns the seconds since the machine started, including those for which it was suspended.

    Where the system cannot tell, a suspended machine looks like one whose clock jumped forward.
    """
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)


def boot_number() -> int | None:
    """Returns a number of the present boot of the machine, by which `boot_seconds` goes on over restarts.

    None where the system has none: a restart of the process then counts as one of the machine.
    """
    try:
        text = _BOOT_ID.read_text(encoding="ascii")
        return uuid.UUID(text.strip()).int % 2**63
    except (OSError, ValueError):
        return None


class ClockWatch:
    """The guarded clock of one store, with what its catalogue saves of it."""

    def __init__(
        self,
        catalog: Catalog,
        engine: core.Engine,
        config: Config,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        boot: Callable[[], int | None],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._config = config
        self._monotonic = monotonic
        saved = catalog.settings()
        self.guarded = GuardedClock(clock, monotonic, config, saved, _held_us(engine), boot())
        self._has_candidate = CANDIDATE_TIME in saved
        self._saved_at: float | None = None
        self._logged_at: float | None = None

    def look(self, *, by_age: bool) -> None:
        """Looks at the clock and saves if that is due; call it regularly. `by_age`: retention has days.

        Raises StoreReadOnlyError if the settings cannot be saved.
        """
        self.guarded.look()
        refusal = self.guarded.refusal()
        self._log(refusal, by_age)
        # Also of a store that does not need it yet: a later run may, after a kill.
        if self._is_save_due(refusal):
            self.save()

    def save(self) -> None:
        """Saves durably what a later run needs; raises StoreReadOnlyError if that fails."""
        settings = self.guarded.settings()
        self._catalog.put_settings(**settings)
        self._has_candidate = settings[CANDIDATE_TIME] is not None
        self._saved_at = self._monotonic()

    def save_last(self) -> None:
        """Saves before the store closes; logs a failure, as closing must go on."""
        try:
            self.save()
        except (OSError, PegcountError) as error:
            _LOG.warning("the trusted time could not be saved: %s", error)

    def accept(self) -> None:
        """Believes the present clock at once, durably; raises StoreReadOnlyError if it cannot be saved."""
        self.guarded.accept()
        self._log(None, by_age=True)
        self.save()

    def dropping_us(self) -> int:
        """Returns the time by which days are dropped for their age, in microseconds UTC.

        It is at most the end of the day after the newest setup day that the store holds: while nothing
        arrives, nothing is dropped either.
        """
        return self._capped(self.guarded.deletion_us())

    def accepted_us(self) -> int:
        """Returns the time by which days would be dropped if the present clock was believed."""
        return self._capped(self.guarded.clock_us())

    def _capped(self, now_us: int) -> int:
        newest_day = max((segment.day for segment in self._engine.segments), default=None)
        if newest_day is None or now_us // US_PER_DAY > newest_day + 1:
            # To look at the rows in memory too takes longer.
            newest_day = newest_setup_day(self._engine)
        return now_us if newest_day is None else min(now_us, (newest_day + 2) * US_PER_DAY - 1)

    def _is_save_due(self, refusal: Refusal | None) -> bool:
        if self._saved_at is None or (self._has_candidate and self.guarded.is_agreed()):
            return True
        interval = (
            self._config.clock_save_seconds if refusal is None else self._config.clock_progress_save_seconds
        )
        return self._monotonic() - self._saved_at >= interval

    def _log(self, refusal: Refusal | None, by_age: bool) -> None:
        now = self._monotonic()
        if refusal is None:
            if self._logged_at is not None:
                _LOG.info("the clock is believed again; retention follows it")
            self._logged_at = None
        elif by_age and (self._logged_at is None or now - self._logged_at >= self._config.clock_log_seconds):
            self._logged_at = now
            _LOG.warning(
                "retention has stalled: the clock is %s the trusted time, more than "
                "clock_deviation_seconds_max (%d s); check the clock, and if it is right, run "
                "`pegcount retention --accept-clock`, or wait until it has run on for "
                "clock_agreement_seconds (%d s)",
                _deviation_text(refusal.deviation_us),
                self._config.clock_deviation_seconds_max,
                self._config.clock_agreement_seconds,
            )


def newest_setup_day(engine: core.Engine) -> int | None:
    """Returns the UTC day of the latest setup time that a store holds, None without records."""
    days = [segment.day for segment in engine.segments]
    held_us = _held_us(engine)
    if held_us is not None:
        days.append(held_us[1] // US_PER_DAY)
    return max(days, default=None)


def _held_us(engine: core.Engine) -> tuple[int, int] | None:
    """Returns the first and the last setup time of a store, None without records.

    It reads the rows in memory; those of segments have a summary.
    """
    try:
        info = engine.info()
    except PegcountError:
        # A segment is damaged. Its day is known nonetheless.
        days = [segment.day for segment in engine.segments]
        return min(days) * US_PER_DAY, max(days) * US_PER_DAY
    if info.first_setup_us is None or info.last_setup_us is None:
        return None
    return info.first_setup_us, info.last_setup_us


def _deviation_text(deviation_us: int) -> str:
    hours = abs(deviation_us) / (3_600 * US_PER_SECOND)
    how_far = f"{hours:.1f} hours" if hours < _HOURS_SHOWN_MAX else f"{hours / 24:,.1f} days"
    return f"{how_far} {'ahead of' if deviation_us > 0 else 'behind'}"
