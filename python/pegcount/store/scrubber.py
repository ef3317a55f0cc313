"""Applies erasures and masking to the files of a store: journal, active snapshot and segments."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Final, Protocol

from pegcount import core
from pegcount.errors import DataDamagedError
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import ScrubbedRow
from pegcount.store.catalog_rows import put_row
from pegcount.store.scrubbing import (
    MASK_AFTER_DAYS,
    Scrubbing,
    erasure_rows,
    scrubbed_row,
    scrubbed_rows,
    scrubbing_of,
)

_LOG = logging.getLogger(__name__)

_SEGMENTS_PER_COUNT: Final = 16
"""Segments whose rows are counted before others may flush or compact."""


class Rewriter(Protocol):
    """What writes the files of a store: its maintenance."""

    def alone(self, cancel_token: core.CancelToken) -> AbstractContextManager[None]:
        """Lets no other write of files run within its block."""

    def flush_alone(self, *, with_active: bool) -> None:
        """Writes what memory holds into files, and releases the journal up to it."""

    def compact_alone(self, names: list[str]) -> None:
        """Rewrites segments of one day."""

    def remove_replaced(self) -> bool:
        """Removes the files that were replaced; returns whether all of them are gone."""


class Scrubber:
    """Knows what has to be scrubbed from a store, and from which of its files that was done."""

    def __init__(self, catalog: Catalog, engine: core.Engine) -> None:
        """Takes up what the catalogue says, which the engine uses already."""
        self._catalog = catalog
        self._engine = engine
        self.scrubbing = scrubbing_of(catalog)
        self._is_complete = _is_complete(catalog)
        is_masking = MASK_AFTER_DAYS in catalog.settings()
        # What a crash left in the journal or in the active snapshot may be older than the last change.
        self._flushed = self.scrubbing if self._is_complete and not is_masking else None
        self._unreadable = set[str]()
        self._done = dict[str, Scrubbing]()

    def use_catalog(self) -> None:
        """Has the engine scrub what the catalogue says by now; the caller must be alone in maintenance."""
        self.scrubbing = scrubbing_of(self._catalog)
        self._is_complete = _is_complete(self._catalog)
        self.scrubbing.use(self._engine)

    def notes(self, edit: core.SegmentEdit) -> list[ScrubbedRow]:
        """Returns what was scrubbed from new segments, for the transaction that adds them."""
        rows = [self.scrubbing.note(new.file.name, new.day) for new in edit.segments]
        return [row for row in rows if row != ScrubbedRow(row.name, 0, None)]

    def backlog(self) -> int:
        """Returns how many segments wait to be masked."""
        rows = scrubbed_rows(self._catalog)
        return sum(
            not self.scrubbing.is_masked(_row(rows, segment.name), segment.day)
            for segment in self._engine.segments
        )

    def scrub_memory(self, rewriter: Rewriter) -> None:
        """Scrubs the journal and the active snapshot; the caller must be alone in maintenance.

        Raises OSError or PegcountError if the flush fails.
        """
        if self._flushed is self.scrubbing:
            return
        self._engine.scrub_memory()
        rewriter.flush_alone(with_active=True)
        self._flushed = self.scrubbing

    def scrub_if_due(self, rewriter: Rewriter, goes_on: Callable[[], bool]) -> None:
        """Scrubs the files of which that was not done, while `goes_on`; raises as `scrub` does.

        Damaged segments only wait, as the log says.
        """
        if not self._is_complete or self._flushed is not self.scrubbing or self._waiting():
            with suppress(DataDamagedError):
                self.scrub(rewriter, core.CancelToken(None), goes_on)

    def scrub(
        self, rewriter: Rewriter, cancel_token: core.CancelToken, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Scrubs all files, while `goes_on`; then the erasures are complete.

        A damaged segment is left out, and named by the DataDamagedError that this ends with. Raises OSError
        or PegcountError if a file cannot be written or removed, CancelledError or DeadlineError.
        """
        with rewriter.alone(cancel_token):
            self.scrub_memory(rewriter)
        skipped = dict[str, DataDamagedError]()
        while names := self._waiting(skipped)[:_SEGMENTS_PER_COUNT]:
            for name in self._mark_unaffected(names, rewriter, cancel_token, skipped):
                self._rewrite(name, rewriter, cancel_token, skipped)
                if not goes_on():
                    return
            if not goes_on():
                return
        self._note_unreadable(skipped)
        if skipped:
            raise next(iter(skipped.values()))
        self._complete(rewriter, cancel_token)

    def _waiting(self, skipped: Collection[str] = ()) -> list[str]:
        """Names of the segments from which something has to be scrubbed, or may have to be."""
        scrubbing, done, segments = self.scrubbing, self._done, self._engine.segments
        if any(done.get(segment.name) is not scrubbing for segment in segments):
            rows = scrubbed_rows(self._catalog)
            done = self._done = {
                segment.name: scrubbing
                for segment in segments
                if scrubbing.is_done(_row(rows, segment.name), segment.day)
            }
        known = {*done, *skipped}
        return [segment.name for segment in segments if segment.name not in known]

    def _waits(self, name: str) -> bool:
        """Whether something has to be scrubbed from one segment, or may have to be."""
        row = scrubbed_row(self._catalog, name)
        days = [segment.day for segment in self._engine.segments if segment.name == name]
        return any(not self.scrubbing.is_done(row, day) for day in days)

    def _mark_unaffected(
        self,
        names: Sequence[str],
        rewriter: Rewriter,
        cancel_token: core.CancelToken,
        skipped: dict[str, DataDamagedError],
    ) -> list[str]:
        """Notes those segments that need not be rewritten, and returns the others."""
        with rewriter.alone(cancel_token):
            days = {segment.name: segment.day for segment in self._engine.segments}
            affected, unaffected = list[str](), list[ScrubbedRow]()
            for name in (name for name in names if name in days):
                try:
                    [count] = self._engine.count_scrubbed_rows([name], cancel_token)
                except DataDamagedError as error:
                    skipped[name] = error
                    continue
                if count:
                    affected.append(name)
                else:
                    unaffected.append(self.scrubbing.note(name, days[name]))
            if unaffected:
                with self._catalog.transaction() as db:
                    for row in unaffected:
                        put_row(db, "scrubbed", *row)
        return affected

    def _rewrite(
        self,
        name: str,
        rewriter: Rewriter,
        cancel_token: core.CancelToken,
        skipped: dict[str, DataDamagedError],
    ) -> None:
        with rewriter.alone(cancel_token):
            # A compaction may have replaced it meanwhile.
            if not self._waits(name):
                return
            try:
                rewriter.compact_alone([name])
            except DataDamagedError as error:
                skipped[name] = error

    def _note_unreadable(self, skipped: dict[str, DataDamagedError]) -> None:
        for name in skipped.keys() - self._unreadable:
            _LOG.error("%s is damaged: numbers of parties in it can be neither erased nor masked", name)
        self._unreadable = set(skipped)

    def _complete(self, rewriter: Rewriter, cancel_token: core.CancelToken) -> None:
        """Notes that the erasures are complete, once the files that were replaced are gone."""
        if self._is_complete:
            return
        if not rewriter.remove_replaced():
            _LOG.warning(
                "a backup or an export in progress keeps files from before an erasure until its end;"
                " what it writes may have the erased numbers"
            )
        with rewriter.alone(cancel_token):
            done = [row for row in erasure_rows(self._catalog) if not row.is_complete]
            if self._flushed is not self.scrubbing or self._waiting():
                # Another erasure has begun meanwhile, and completes this one as well.
                return
            with self._catalog.transaction() as db:
                for row in done:
                    put_row(db, "erasures", *row._replace(is_complete=1))
            self._is_complete = True
        if done:
            names = ", ".join(str(row.erasure_id) for row in done)
            _LOG.info("erasure %s is complete" if len(done) == 1 else "erasures %s are complete", names)


def _is_complete(catalog: Catalog) -> bool:
    return all(row.is_complete for row in erasure_rows(catalog))


def _row(rows: Mapping[str, ScrubbedRow], name: str) -> ScrubbedRow:
    return rows.get(name, ScrubbedRow(name, 0, None))
