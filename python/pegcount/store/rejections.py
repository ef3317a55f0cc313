"""Rejected records of a store by source, UTC day and reason, which outlive the process.

The counts are one settings document: so a backup has them, and all servers of a cluster add to the same ones.
An archive leaves them behind, as they are not of the records that it moves. A store saves them every few
seconds, and when it closes.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Lock
from typing import Final

from pegcount.config import Config
from pegcount.counters import Rejections
from pegcount.errors import DocumentChangedError, PegcountError
from pegcount.model import Document
from pegcount.zone import US_PER_DAY

DOCUMENT_NAME: Final = "rejected_records"
KEPT_DAY_COUNT: Final = 31
"""Days with rejected records that are kept."""

_ATTEMPT_COUNT_MAX: Final = 8
"""Each attempt but the last follows one in which another server was faster."""

_Counts = dict[str, dict[int, dict[int, int]]]


class RejectionCounts:
    """The counts of one store. Thread-safe."""

    def __init__(
        self,
        take: Callable[[], Mapping[str, Mapping[int, int]]],
        get: Callable[[str], Document | None],
        put: Callable[[str, bytes, int | None], int],
        config: Config,
        clock: Callable[[], int],
    ) -> None:
        """`take` returns what was rejected since it was called last, by source and number of the reason.

        `get` and `put` are `Store.document` and `Store.put_document`; `clock` returns the time in
        microseconds UTC.
        """
        self._take = take
        self._get = partial(get, DOCUMENT_NAME)
        self._put = partial(put, DOCUMENT_NAME)
        self._config = config
        self._clock = clock
        self._lock = Lock()
        self._unsaved: _Counts = {}
        self._tried_s = time.monotonic()

    def save_if_due(self) -> None:
        """Saves what was not saved `rejection_save_seconds` after the last try; raises as `save`.

        Records are of the day on which this, or another method, is called next after they were rejected.
        """
        with self._lock:
            self._note_taken()
        if time.monotonic() - self._tried_s >= self._config.rejection_save_seconds:
            self.save()

    def save(self) -> None:
        """Saves what was not saved, durably; it stays for the next try if that fails.

        Raises StoreReadOnlyError or StoreUnavailableError, and DocumentChangedError if other servers were
        faster again and again. A cluster that does not tell whether it has saved them may have them twice.
        """
        with self._lock:
            self._tried_s = time.monotonic()
            self._note_taken()
            if self._unsaved:
                self._save_noted()
                self._unsaved = {}

    def counts(self) -> Rejections:
        """Returns all counts, once they are saved: none that was told is lost later.

        If they cannot be saved now, those that are not count as well. Raises StoreUnavailableError.
        """
        try:
            self.save()
        except PegcountError:
            with self._lock:
                return _added(_decoded(self._get()), self._unsaved)
        return _decoded(self._get())

    def _note_taken(self) -> None:
        day = self._clock() // US_PER_DAY
        taken = {source: {day: counts} for source, counts in self._take().items()}
        if taken:
            self._unsaved = self._bounded(_added(self._unsaved, taken))

    def _save_noted(self) -> None:
        for attempt in range(_ATTEMPT_COUNT_MAX):
            kept = self._get()
            content = self._encoded(self._bounded(_added(_decoded(kept), self._unsaved)))
            try:
                self._put(content, None if kept is None else kept.version)
                return
            except DocumentChangedError:
                if attempt == _ATTEMPT_COUNT_MAX - 1:
                    raise

    def _bounded(self, counts: _Counts) -> _Counts:
        """Returns the counts of the last days, with the sources of the fewest together if there are many."""
        named = sorted((source for source in counts if source), key=lambda each: _total(counts[each]))
        surplus = named[: max(0, len(named) - self._config.counted_source_count_max)]
        bounded = {source: by_day for source, by_day in counts.items() if source not in surplus}
        for source in surplus:
            bounded = _added(bounded, {"": counts[source]})
        return _without_days(bounded, _days(bounded)[:-KEPT_DAY_COUNT])

    def _encoded(self, counts: _Counts) -> bytes:
        """Returns the content of the document, without the oldest days if it would be too long."""
        for first in range(KEPT_DAY_COUNT + 1):
            content = _content(_without_days(counts, _days(counts)[:first]))
            if len(content) <= self._config.document_bytes_max:
                break
        return content


def _content(counts: Rejections) -> bytes:
    return zlib.compress(json.dumps(counts, ensure_ascii=False, sort_keys=True).encode())


def _decoded(document: Document | None) -> _Counts:
    if document is None:
        return {}
    found = json.loads(zlib.decompress(document.content))
    return {
        source: {
            int(day): {int(reason): count for reason, count in counts.items()} for day, counts in days.items()
        }
        for source, days in found.items()
    }


def _added(some: Rejections, others: Rejections) -> _Counts:
    """Returns the sums of both, in new mappings."""
    added: _Counts = {}
    for counts in (some, others):
        for source, by_day in counts.items():
            for day, by_reason in by_day.items():
                into = added.setdefault(source, {}).setdefault(day, {})
                for reason, count in by_reason.items():
                    into[reason] = into.get(reason, 0) + count
    return added


def _days(counts: Rejections) -> list[int]:
    return sorted({day for by_day in counts.values() for day in by_day})


def _without_days(counts: _Counts, days: Iterable[int]) -> _Counts:
    dropped = set(days)
    if not dropped:
        return counts
    left = {
        source: {day: by_reason for day, by_reason in by_day.items() if day not in dropped}
        for source, by_day in counts.items()
    }
    return {source: by_day for source, by_day in left.items() if by_day}


def _total(by_day: Mapping[int, Mapping[int, int]]) -> int:
    return sum(sum(by_reason.values()) for by_reason in by_day.values())
