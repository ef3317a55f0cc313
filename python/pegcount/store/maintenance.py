"""Background work of a store: flush, compaction, retention, and recovery of the journal after a failed write.

Each step first writes new files, then commits them to the catalogue in one transaction,
and only then makes them visible to reports and removes the files that they replace. A
failure at any point leaves the store unchanged; the next run tries again.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import Event, Lock, Thread, get_native_id

from pegcount import core
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.model import RefusedClock, Retention
from pegcount.store import files
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DeletionRow, SegmentEntry
from pegcount.store.clock_watch import ClockWatch, newest_setup_day
from pegcount.store.directory import DirectoryLock
from pegcount.store.durations import Durations
from pegcount.store.journal_files import JournalFiles
from pegcount.store.locks import locked
from pegcount.store.masking import MaskingRule
from pegcount.store.rejections import RejectionCounts
from pegcount.store.replaced_files import ReplacedFiles
from pegcount.store.required_files import RequiredFiles
from pegcount.store.retention import believable_first_day, first_retained_day, waiting_days
from pegcount.store.scrubber import Scrubber
from pegcount.store.upkeep_lines import compaction_logged, flush_logged
from pegcount.store.write_faults import WriteFaults
from pegcount.zone import US_PER_DAY, US_PER_SECOND

_LOG = logging.getLogger(__name__)

_EPOCH = date(1970, 1, 1).toordinal()


class Maintenance:
    """The background work of one store, in its own thread."""

    def __init__(
        self,
        directory: Path,
        owner: DirectoryLock,
        catalog: Catalog,
        engine: core.Engine,
        numbers: files.FileNumbers,
        replaced: ReplacedFiles,
        config: Config,
        clock: ClockWatch,
        scrubber: Scrubber,
        rejections: RejectionCounts,
    ) -> None:
        self._directory = directory
        self._catalog = catalog
        self._engine = engine
        self._replaced = replaced
        self._config = config
        self._clock = clock
        self._scrubber = scrubber
        self._rejections = rejections
        self.masking = MaskingRule(catalog, scrubber, clock)
        self._lock = Lock()
        self._flushed_at = time.monotonic()
        self._numbers = numbers
        self.journals = JournalFiles(catalog, engine)
        self.write_faults = WriteFaults(directory, engine, config)
        self._required = RequiredFiles(owner, catalog, engine, rewrite=self._rewrite)
        self.retention = Retention(catalog.setting("retention_days"), catalog.setting("retention_bytes"))
        self.first_retained_day = catalog.setting("first_kept_day")
        self.flushes = Durations()
        self.compactions = Durations()
        self.dropped_day_count = 0
        """UTC days of which retention has dropped segments since the store was opened."""
        self._has_orphans = False
        try:
            self._forget_unbelievable_day()
            self._look_at_clock()
            self._drop_old_days()
        except (OSError, PegcountError) as error:
            _LOG.warning("old days could not be dropped yet: %s", error)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="maintenance", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread after its current step; does nothing the second time."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        self._clock.save_last()
        self._required.close()

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably, and drops the days outside them."""
        with self._lock:
            # Clears the first retained day: under longer limits, dropped days can be imported again.
            self._catalog.put_settings(
                retention_days=retention.days, retention_bytes=retention.bytes, first_kept_day=None
            )
            self.retention, self.first_retained_day = retention, None
        self._look_at_clock()
        self._drop_old_days()

    def retain_from(self, day: int) -> None:
        """Rejects new records before a UTC day, durably, under the present limits of retention."""
        with self._lock:
            self._catalog.put_settings(first_kept_day=day)
            self.first_retained_day = day

    def accept_clock(self) -> None:
        """Believes the present clock durably.

        Accepts records again that a wrong one had the store reject, and drops the days that are too old.
        """
        self._clock.accept()
        with self._lock:
            self._forget_unbelievable_day()
        self._drop_old_days()
        self.masking.advance(self)

    @property
    def seconds_since_flush(self) -> float:
        """Seconds since the last flush that succeeded, or since the store was opened."""
        return time.monotonic() - self._flushed_at

    def refused_clock(self) -> RefusedClock | None:
        """Returns what a refused clock holds up, None while the clock is believed."""
        refusal = self._clock.guarded.refusal()
        if refusal is None:
            return None
        days = [segment.day for segment in self._engine.segments]
        waiting = waiting_days(self.retention, days, self._clock.dropping_us(), self._clock.accepted_us())
        return RefusedClock(refusal.since_us, refusal.deviation_us, waiting)

    def run_once(self) -> None:
        """Runs every step that is due, also after one has failed.

        Raises the error of the first step that failed: OSError or PegcountError.
        """
        failures = []
        steps = (
            self._required.check,
            # Before the journal is opened again: also a short fault has its lines.
            self.write_faults.fault,
            self._commit_queued_batches,
            self._look_at_clock,
            self._look_at_files,
            self._flush_if_due,
            self._compact_all,
            self._drop_old_days,
            self._scrub,
            self._remove_replaced_files,
            self._rejections.save_if_due,
            self.write_faults.fault,
        )
        for step in steps:
            try:
                step()
            except (Exception, core.PanicException) as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def _commit_queued_batches(self) -> None:
        # Callers commit their own batches, except those that have disconnected.
        self._engine.commit_group()
        if self._engine.fault is not None:
            self.journals.reopen()

    def _look_at_clock(self) -> None:
        self._clock.look(by_age=self.retention.days is not None)
        # A clock that is believed by now may show that. To find the newest day takes long, so not each time.
        tomorrow = self._clock.guarded.deletion_us() // US_PER_DAY + 1
        if self.first_retained_day is not None and self.first_retained_day > tomorrow:
            with self._lock:
                self._forget_unbelievable_day()

    def _forget_unbelievable_day(self) -> None:
        believed = believable_first_day(
            self.retention,
            self.first_retained_day,
            newest_setup_day(self._engine),
            self._clock.guarded.deletion_us(),
        )
        if believed != self.first_retained_day:
            _LOG.warning("retention accepts records again that a wrong clock had it reject")
            # Until that is durable, this run goes without it.
            self.first_retained_day = None
            self._catalog.put_settings(first_kept_day=None)

    def _look_at_files(self) -> None:
        for name, problem in self._engine.look_at_files():
            _LOG.error("%s: %s; reports of its day fail", self._directory / name, problem)
        if (refusal := self._engine.take_watch_refusal()) is not None:
            _LOG.warning("%s", refusal)

    def _flush_if_due(self) -> None:
        if self._is_flush_due():
            self.flush(with_active=self._should_snapshot_active())

    def _compact_all(self) -> None:
        limit = self._config.segment_row_count_max
        while (names := self._engine.pick_compaction(limit)) and not self._stopping.is_set():
            with self._lock, compaction_logged(self._engine, names):
                self.compact_alone(names)

    def _scrub(self) -> None:
        self.masking.advance(self)
        self._scrubber.scrub_if_due(self, lambda: not (self._stopping.is_set() or self._is_flush_due()))

    def flush(self, *, with_active: bool) -> None:
        """Writes the finished records of memory into segments; Config and log call this *seal*.

        `with_active` also writes an active snapshot, after which the journal up to it is
        removed. Raises OSError or PegcountError if a write fails; the store is then unchanged.
        """
        with self._lock, flush_logged(self._engine):
            self.flush_alone(with_active=with_active)

    def flush_alone(self, *, with_active: bool) -> None:
        """Does the same for a caller that is `alone`."""
        with self.flushes.measured(), self.write_faults.noting_flush():
            flush = self._begin_flush(with_active)
            try:
                self._write(flush)
            except BaseException:
                self._engine.abort_flush(flush)
                self._remove_orphans()
                raise
            self._flushed_at = time.monotonic()

    @contextmanager
    def alone(self, cancel_token: core.CancelToken) -> Iterator[None]:
        """Lets no flush, compaction or retention run within its block.

        Raises CancelledError or DeadlineError if the token ends before it begins.
        """
        with locked(self._lock, cancel_token):
            yield

    def flush_without(
        self,
        rule: core.DeletionRule,
        row: Callable[[int], DeletionRow | None],
        cancel_token: core.CancelToken,
    ) -> int:
        """Flushes all that memory holds without the records that a deletion covers; returns their number.

        The same transaction gives those of segments tombstones, and takes up the rule that `row` returns for
        this number. The caller must be `alone`, and the engine must reject such records. Raises OSError or
        PegcountError if that fails or the token ends before the transaction; no record is deleted then.
        """
        with self.flushes.measured():
            flush = self._begin_flush(with_active=True)
            try:
                self._engine.find_deleted(flush, rule, cancel_token)
                self._write(flush, row, cancel_token)
            except BaseException:
                self._engine.abort_flush(flush)
                self._remove_orphans()
                raise
        self._flushed_at = time.monotonic()
        return flush.deleted_count

    def _rewrite(self) -> None:
        """Writes all that memory holds into new files, so that no journal file of before is needed."""
        self.flush(with_active=True)

    def _begin_flush(self, with_active: bool) -> core.Flush:
        if not with_active:
            return self._engine.begin_flush(False)
        with self.journals.prepared():
            return self._engine.begin_flush(True)

    def _write(
        self,
        flush: core.Flush,
        deletion: Callable[[int], DeletionRow | None] = lambda deleted: None,
        cancel_token: core.CancelToken | None = None,
    ) -> None:
        segment_number, active_number = self._numbers.reserve_each(2)
        edit = self._engine.write_flush(flush, segment_number, self._config.segment_row_count_max)
        active = self._engine.write_active_snapshot(flush, active_number)
        replaced = self._catalog.active()
        settings = {files.damage_setting(name): 1 for name in self._engine.damaged_segments}
        if cancel_token is not None:
            cancel_token.check()
        first, row = flush.first_journal, deletion(flush.deleted_count)
        self._commit(edit, active=active, settings=settings, first_journal=first, deletion=row)
        self._engine.remove_deleted_active(flush)
        if flush.first_journal is not None:
            # Now, as readers may put off the removal for long: a missing file of these is a loss no more.
            self._engine.release_journal_before(flush.first_journal)
        if active is not None:
            self._replaced.remove(self._directory / file.name for file in replaced)
        if flush.first_journal is not None:
            self._replaced.remove_journal_before(flush.first_journal, self._engine)

    def compact_alone(self, names: list[str]) -> None:
        """Rewrites segments of one day without their replaced rows; the caller must be `alone`.

        Raises OSError or PegcountError if that fails; the store is then unchanged.
        """
        with self.compactions.measured():
            try:
                row_max = self._config.segment_row_count_max
                edit = self._engine.compact(names, self._numbers.reserve(), row_max)
                self._commit(edit, removed=names)
            except BaseException:
                self._remove_orphans()
                raise
        self._replaced.remove(self._directory / name for name in names)

    def remove_replaced(self) -> bool:
        """Removes the files that were replaced; returns whether all are gone, as readers may need some.

        Raises OSError if one cannot be removed.
        """
        with self._lock:
            self._remove_orphans()
            self._replaced.remove_waiting()
        return not self._replaced.has_waiting

    def _commit(
        self,
        edit: core.SegmentEdit,
        removed: list[str] | None = None,
        active: list[core.ManifestEntry] | None = None,
        settings: Mapping[str, int] | None = None,
        first_journal: int | None = None,
        deletion: DeletionRow | None = None,
    ) -> None:
        added = [SegmentEntry(new.file, new.day, b"") for new in edit.segments]
        self._catalog.commit_segments(
            added,
            removed or (),
            edit.tombstones,
            active,
            settings,
            first_journal,
            deletion,
            self._scrubber.notes(edit),
        )
        self._engine.install(edit)
        if self._has_orphans:
            self._remove_orphans()

    def _drop_old_days(self) -> None:
        if self.retention == Retention():
            return
        with self._lock:
            segments = [(segment.day, segment.size) for segment in self._engine.segments]
            day = first_retained_day(self.retention, segments, self._clock.dropping_us())
            day = max((known for known in (day, self.first_retained_day) if known is not None), default=None)
            first = self._engine.first_day
            if day is not None and first is not None and first < day:
                self._drop_before(day)

    def _drop_before(self, day: int) -> None:
        dropped = [segment for segment in self._engine.segments if segment.day < day]
        names = [segment.name for segment in dropped]
        if names:
            self._catalog.commit_segments([], names, settings={"first_kept_day": day})
            self.first_retained_day = day
            self.dropped_day_count += len({segment.day for segment in dropped})
            _LOG.info("dropped %d segments of days before %s", len(names), date.fromordinal(_EPOCH + day))
        rows = self._engine.memory_rows
        active_ttl_us = self._config.active_ttl_seconds * US_PER_SECOND
        self._engine.drop_before(day, self._clock.guarded.session_us() - active_ttl_us)
        self._replaced.remove(self._directory / name for name in names)
        left = self._engine.memory_rows
        if day != self.first_retained_day and (rows.finished, rows.active) != (left.finished, left.active):
            self._catalog.put_settings(first_kept_day=day)
            self.first_retained_day = day

    def _remove_replaced_files(self) -> None:
        with self._lock:
            self._replaced.remove_waiting()

    def _is_flush_due(self) -> bool:
        unflushed = self._engine.memory_rows.finished
        aged = unflushed > 0 and time.monotonic() - self._flushed_at >= self._config.seal_age_seconds
        return aged or unflushed >= self._config.seal_row_count or self._is_rewrite_due()

    def _should_snapshot_active(self) -> bool:
        return self._engine.memory_rows.active <= self._config.active_copy_row_count or self._is_rewrite_due()

    def _is_rewrite_due(self) -> bool:
        """Whether the journal should be released as a whole: it is full, or corrections wait for that."""
        is_full = self._engine.journal_bytes > self._config.journal_bytes_max
        may_write = self._engine.fault is None
        return is_full or (may_write and self._engine.may_have_refused_frames)

    def _remove_orphans(self) -> None:
        """Removes the files of a failed step.

        If the catalogue on disk may name them after all, this waits for the next commit.
        """
        self._has_orphans = not self._catalog.is_file_in_sync
        if self._catalog.is_file_in_sync:
            self._replaced.remove(files.orphaned_segments(self._directory, self._catalog))

    def _run(self) -> None:
        # On Linux niceness is per thread: calls have priority over background work.
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), self._config.tuning.maintenance_niceness)
        failures = 0
        while not self._stopping.wait(self._config.maintenance_seconds):
            try:
                self.run_once()
                failures = 0
            except (Exception, core.PanicException) as failure:
                if failures % self._config.tuning.maintenance_failures_per_log == 0:
                    _log_failure(failure)
                failures += 1


def _log_failure(failure: BaseException) -> None:
    # A traceback tells something of a bug; of a full disk it only hides the sentence that matters.
    is_bug = not isinstance(failure, OSError | PegcountError)
    _LOG.error(
        "background work failed and will be tried again: %s", failure, exc_info=failure if is_bug else None
    )
