"""A store of credentials that may fail."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pegcount.errors import StoreReadOnlyError
from pegcount.model import CredentialRow


@dataclass
class Memory:
    """Keeps credentials, or fails."""

    held: dict[str, CredentialRow] = field(default_factory=dict)
    fails: bool = False
    put_count: int = 0
    credentials_version: int = 0

    def credentials(self) -> Sequence[CredentialRow]:
        return list(self.held.values())

    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        if self.fails:
            raise StoreReadOnlyError("the disk is full")
        self.put_count += 1
        self.held = {row.id: row for row in [*self.held.values(), *rows] if row.id not in dropped_ids}
