"""Retention, masking and settings documents in the change log of a cluster."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import DocumentChangedError, DocumentTooLargeError
from pegcount.model import Document, Retention
from pegcount.privacy import Masking
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Entry, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.masking_days import first_whole_day_of_new, log_masking, moved_whole_day

RETENTION: Final = "retention"
MASKING: Final = "masking"
DOCUMENT: Final = "document"
"""Kinds of entries: one of the first and of the second, with an empty key, and a document by its name."""

_RETENTION_FIELDS: Final = ("days", "bytes")
_MASKING_FIELDS: Final = ("after_days", "keep_digits", "masked_before_day")


def masked_before_day(seen: Snapshot) -> tuple[Masking, int] | None:
    """Returns the masking of a state and its first whole UTC day, in days since 1970-01-01; None without."""
    entry = seen.only_entry(MASKING)
    if entry is None:
        return None
    fields = unpacked(entry.content, _MASKING_FIELDS)
    return Masking(fields["after_days"], fields["keep_digits"]), fields["masked_before_day"]


class Settings:
    """Retention, masking and documents of a cluster. Thread-safe.

    All methods but `known_retention` and `known_masking` ask the first shard, and raise StoreUnavailableError
    or DeadlineError if it cannot be used within `change_seconds_max`.
    """

    def __init__(self, log: ChangeLog, config: Config, trusted_us: Callable[[], int]) -> None:
        """`trusted_us` returns the time by which days end, in microseconds UTC."""
        self._log = log
        self._config = config
        self._trusted_us = trusted_us

    def retention(self) -> Retention:
        """Returns the limits of retention; see `Store.retention`."""
        self._log.refresh(self._change_token())
        return self.known_retention()

    def known_retention(self) -> Retention:
        """Returns the limits of retention that were read last; never waits."""
        entry = self._log.seen.only_entry(RETENTION)
        return Retention() if entry is None else Retention(**unpacked(entry.content, _RETENTION_FIELDS))

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably; see `Store.set_retention`."""
        content = packed({"days": retention.days, "bytes": retention.bytes})
        self._change(lambda _: [Change(RETENTION, ONLY_KEY, content)])

    def masking(self) -> Masking | None:
        """Returns the masking in force; see `Store.masking`."""
        self._log.refresh(self._change_token())
        known = self.known_masking()
        return None if known is None else known[0]

    def known_masking(self) -> tuple[Masking, int] | None:
        """Returns the masking that was read last, and its first whole day; never waits."""
        return masked_before_day(self._log.seen)

    def set_masking(self, masking: Masking | None) -> None:
        """Sets the masking durably; see `Store.set_masking`. It masks none of the records that are stored."""

        def decide(seen: Snapshot) -> Sequence[Change]:
            if masking is None:
                return [Change(MASKING, ONLY_KEY, None)]
            present, present_day = masked_before_day(seen) or (None, 0)
            day = first_whole_day_of_new(masking, self._trusted_us(), present, present_day)
            return [_masking_change(masking, day)]

        self._change(decide)
        log_masking(masking)

    def advance_masking(self, cancel_token: CancelToken) -> None:
        """Moves the first whole day on if the trusted time has, for all servers.

        Raises StoreUnavailableError, and CancelledError or DeadlineError on behalf of the token.
        """

        def decide(seen: Snapshot) -> Sequence[Change]:
            present = masked_before_day(seen)
            if present is None:
                return []
            masking, present_day = present
            day = moved_whole_day(masking, self._trusted_us(), present_day)
            return [] if day is None else [_masking_change(masking, day)]

        # Most calls have nothing to move, which is known without asking.
        if decide(self._log.seen):
            self._log.change(decide, cancel_token)

    def document(self, name: str) -> Document | None:
        """Returns a settings document; see `Store.document`."""
        self._log.refresh(self._change_token())
        entry = self._log.entries(DOCUMENT).get(name)
        return None if entry is None else _document(entry)

    def documents(self) -> Mapping[str, int]:
        """Returns the versions of the settings documents by name; see `Store.documents`."""
        self._log.refresh(self._change_token())
        return {name: entry.version for name, entry in self._log.entries(DOCUMENT).items()}

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a settings document durably; see `Store.put_document`."""
        bytes_max = self._config.document_bytes_max
        if content is not None and len(content) > bytes_max:
            raise DocumentTooLargeError(name, len(content), bytes_max)
        put = None if content is None else packed({"content": base64.b64encode(content).decode()})

        def decide(seen: Snapshot) -> Sequence[Change]:
            present = seen.entries(DOCUMENT).get(name)
            version = None if present is None else present.version
            if version != expected_version:
                raise DocumentChangedError(name, expected_version, version)
            return [Change(DOCUMENT, name, put)]

        return self._change(decide)

    def _change(self, decide: Callable[[Snapshot], Sequence[Change]]) -> int:
        return self._log.change(decide, self._change_token())

    def _change_token(self) -> CancelToken:
        return CancelToken(self._config.change_seconds_max)


def _masking_change(masking: Masking, day: int) -> Change:
    fields: dict[str, Any] = {"after_days": masking.after_days, "keep_digits": masking.keep_digits}
    return Change(MASKING, ONLY_KEY, packed({**fields, "masked_before_day": day}))


def _document(entry: Entry) -> Document:
    return Document(entry.version, base64.b64decode(unpacked(entry.content, ("content",))["content"]))
