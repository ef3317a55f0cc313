"""The credentials of the store in memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pegcount.model import CredentialRow

from conformance.memory_deletions import DeletingStore, Records


@dataclass
class CredentialDisk(Records):
    """Records, rules, and credentials by id."""

    credentials: dict[str, CredentialRow] = field(default_factory=dict)


class CredentialStore(DeletingStore):
    """A store over a disk that has credentials."""

    _disk: CredentialDisk

    def credentials(self) -> Sequence[CredentialRow]:
        return list(self._disk.credentials.values())

    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        with self._lock:
            kept = [row for row in self._disk.credentials.values() if row.id not in dropped_ids]
            self._disk.credentials = {row.id: row for row in [*kept, *rows]}
