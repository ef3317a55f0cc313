"""The masking of a data directory: after how many UTC days numbers of parties are masked."""

from threading import Lock

from pegcount import core
from pegcount.privacy import Masking
from pegcount.store.catalog import Catalog
from pegcount.store.clock_watch import ClockWatch
from pegcount.store.masking_days import first_whole_day_of_new, log_masking, moved_whole_day
from pegcount.store.scrubber import Rewriter, Scrubber
from pegcount.store.scrubbing import KEEP_DIGITS, MASK_AFTER_DAYS, MASKED_BEFORE_DAY

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
                present_day = self._catalog.settings().get(MASKED_BEFORE_DAY, 0)
                day = first_whole_day_of_new(masking, self._trusted_us(), self.get(), present_day)
                self._put(masking, day)
        log_masking(masking)

    def advance(self, rewriter: Rewriter) -> None:
        """Moves the first whole day on if the trusted time has; raises StoreReadOnlyError if that fails."""
        if self.get() is None:
            return
        with self._lock, rewriter.alone(_NO_LIMIT):
            masking = self.get()
            if masking is None:
                return
            present_day = self._catalog.settings()[MASKED_BEFORE_DAY]
            day = moved_whole_day(masking, self._trusted_us(), present_day)
            if day is not None:
                self._put(masking, day)

    def _trusted_us(self) -> int:
        return self._clock.guarded.deletion_us()

    def _put(self, masking: Masking | None, day: int | None) -> None:
        self._catalog.put_settings(
            **{
                MASK_AFTER_DAYS: None if masking is None else masking.after_days,
                KEEP_DIGITS: None if masking is None else masking.keep_digits,
                MASKED_BEFORE_DAY: day,
            }
        )
        self._scrubber.use_catalog()
