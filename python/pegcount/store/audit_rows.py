"""The audit entries in the catalogue of a data directory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pegcount.privacy import AuditEntry
from pegcount.store.audit_values import audit_entry_of, audit_values
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_rows import FIRST_AUDIT_ENTRY, LAST_AUDIT_ENTRY, put_row

_NUMBER_END: Final = 2**63 - 1
"""Every entry has a lower number."""


class AuditRows:
    """The audit entries of one store. Thread-safe."""

    def __init__(self, catalog: Catalog, entry_count_max: int) -> None:
        self._catalog = catalog
        self._entry_count_max = entry_count_max

    def append(self, entry: AuditEntry) -> int:
        """Adds an entry durably; see `Store.append_audit`."""
        with self._catalog.transaction() as db:
            # The transaction holds the lock of the catalogue, so that no two entries get one number.
            settings = self._catalog.settings()
            number = settings.get(LAST_AUDIT_ENTRY, 0) + 1
            first = max(settings.get(FIRST_AUDIT_ENTRY, 1), number - self._entry_count_max + 1)
            put_row(db, "audit", *audit_values(replace(entry, entry_id=number)))
            db.execute("DELETE FROM audit WHERE entry_id < ?", (first,))
            put_row(db, "settings", FIRST_AUDIT_ENTRY, first)
            put_row(db, "settings", LAST_AUDIT_ENTRY, number)
        return number

    def set_outcome(self, entry_id: int, outcome: str, request: str | None) -> None:
        """Notes how a call ended; see `Store.set_audit_outcome`."""
        with self._catalog.transaction() as db:
            for row in self._catalog.rows("audit", "entry_id", "entry_id = ?", entry_id):
                entry = audit_entry_of(*row)
                noted = entry.request if request is None else request
                put_row(db, "audit", *audit_values(replace(entry, outcome=outcome, request=noted)))

    def entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Returns entries, the newest first; see `Store.audit_entries`."""
        end = _NUMBER_END if before_id is None else before_id
        rows = self._catalog.rows("audit", "entry_id DESC LIMIT ?", "entry_id < ?", end, limit)
        return [audit_entry_of(*row) for row in rows]
