"""The masking of a data directory: after how many UTC days numbers of parties are masked."""

import logging
from datetime import date
from threading import Lock

from pegcount import core
from pegcount.privacy import Masking
from pegcount.store.catalog import Catalog
from pegcount.store.clock_watch import ClockWatch
from pegcount.store.scrubber import Rewriter, Scrubber
from pegcount.store.scrubbing import KEEP_DIGITS, MASK_AFTER_DAYS, MASKED_BEFORE_DAY
from pegcount.zone import US_PER_DAY

_LOG = logging.getLogger(__name__)

_EPOCH = date(1970, 1, 1).toordinal()
_NO_LIMIT = core.CancelToken(None)


class MaskingRule:
    """Keeps the masking of one store, and moves its first whole day on by the trusted time. Thread-safe.

    The trusted time is that of retention, but without its end at the newest day that the store holds: numbers
    are masked also while nothing arrives.
    """

    def __init__(self, catalog: Catalog, scrubber: Scrubber, clock: ClockWatch) -> None:
        self._catalog = catalog
        self._scrubber = scrubber
        self._clock = clock
        self._lock = Lock()

    def get(self) -> Masking | None:
        """Returns the masking in force, None if numbers are not masked."""
        settings = self._catalog.settings()
        if MASK_AFTER_DAYS not in settings:
            return None
        return Masking(settings[MASK_AFTER_DAYS], settings[KEEP_DIGITS])

    def set(self, masking: Masking | None, rewriter: Rewriter) -> None:
        """Sets the masking durably; see `Store.set_masking`."""
        with self._lock, rewriter.alone(_NO_LIMIT):
            if masking is None:
                self._put(None, None)
            else:
                present, day = self.get(), self._first_whole_day(masking)
                if present is not None and present.after_days == masking.after_days:
                    day = max(day, self._catalog.settings()[MASKED_BEFORE_DAY])
                self._put(masking, day)
        if masking is None:
            _LOG.info("numbers of parties are masked no more")
        else:
            days, digits = masking.after_days, masking.keep_digits
            _LOG.info("numbers of parties are masked after %d days, but for %d digits", days, digits)

    def advance(self, rewriter: Rewriter) -> None:
        """Moves the first whole day on if the trusted time has; raises StoreReadOnlyError if that fails."""
        if self.get() is None:
            return
        with self._lock, rewriter.alone(_NO_LIMIT):
            masking = self.get()
            if masking is None:
                return
            day, present = self._first_whole_day(masking), self._catalog.settings()[MASKED_BEFORE_DAY]
            if present > day + 1:
                # What was masked by the wrong clock stays so; what arrives from now on goes by the right one.
                first = date.fromordinal(_EPOCH + day)
                _LOG.warning("numbers from %s on are kept whole again, which a wrong clock had masked", first)
            if present < day or present > day + 1:
                self._put(masking, day)

    def _first_whole_day(self, masking: Masking) -> int:
        day = self._clock.guarded.deletion_us() // US_PER_DAY - masking.after_days + 1
        # Records are set up after 1970; a day is written as a date.
        return max(0, day)

    def _put(self, masking: Masking | None, day: int | None) -> None:
        self._catalog.put_settings(
            **{
                MASK_AFTER_DAYS: None if masking is None else masking.after_days,
                KEEP_DIGITS: None if masking is None else masking.keep_digits,
                MASKED_BEFORE_DAY: day,
            }
        )
        self._scrubber.use_catalog()
