"""The audit entries of the store in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pegcount.config import Config
from pegcount.privacy import AuditEntry

from conformance.memory_credentials import CredentialDisk, CredentialStore


@dataclass
class AuditDisk(CredentialDisk):
    """What `CredentialDisk` has, and audit entries by number, of which the last never goes."""

    audit: dict[int, AuditEntry] = field(default_factory=dict)


class AuditStore(CredentialStore):
    """A store over a disk that has audit entries."""

    _disk: AuditDisk
    _config: Config

    def append_audit(self, entry: AuditEntry) -> int:
        with self._lock:
            number = max(self._disk.audit, default=0) + 1
            self._disk.audit[number] = replace(entry, entry_id=number)
            first = number - self._config.audit_entry_count_max + 1
            self._disk.audit = {each: kept for each, kept in self._disk.audit.items() if each >= first}
            return number

    def set_audit_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        with self._lock:
            entry = self._disk.audit.get(entry_id)
            if entry is not None:
                noted = entry.request if request is None else request
                self._disk.audit[entry_id] = replace(entry, outcome=outcome, request=noted)

    def audit_entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        with self._lock:
            entries = list(self._disk.audit.values())
        return [one for one in reversed(entries) if before_id is None or one.entry_id < before_id][:limit]
