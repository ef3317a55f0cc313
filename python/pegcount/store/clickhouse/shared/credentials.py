"""The credentials of a cluster, which several servers change."""

from collections.abc import Collection, Sequence
from threading import Lock
from typing import Final

from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.model import CredentialRow
from pegcount.store.clickhouse.shared.change_log import Change, ChangeLog, Entry, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.clickhouse.shared.credential_merge import merged
from pegcount.store.credential_values import CREDENTIAL_FIELDS, credential_of, credential_values
from pegcount.store.locks import locked

CREDENTIAL: Final = "credential"
"""Kind of the entry of each credential, by its id."""


class ClusterCredentials:
    """The credentials in a change log. Thread-safe.

    A caller changes credentials as it last saw them, by `all` or by what it put itself. Others may have
    changed them since: so its changes are joined with theirs, and a row is not put as a whole.
    """

    def __init__(self, log: ChangeLog, config: Config) -> None:
        self._log = log
        self._config = config
        self._lock = Lock()
        self._shown: dict[str, CredentialRow] = {}
        """Credentials as the caller last saw them, by id."""

    @property
    def version(self) -> int:
        """Grows with each change of a credential, by whichever server; never waits.

        It is at most some tenths of a second old: whoever keeps credentials reads them again if it grows.
        """
        return self._log.seen.version(CREDENTIAL)

    def all(self) -> Sequence[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""
        cancel_token = CancelToken(self._config.change_seconds_max)
        with locked(self._lock, cancel_token):
            self._log.refresh(cancel_token)
            rows = [_row(entry) for entry in self._log.entries(CREDENTIAL).values()]
            self._shown = {row.id: row for row in rows}
            return rows

    def put(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        """Stores credentials durably, and drops others; see `Store.put_credentials`.

        What another server dropped since the caller saw it stays dropped, and what it ended stays ended.
        """

        def decide(seen: Snapshot) -> Sequence[Change]:
            entries = seen.entries(CREDENTIAL)
            put_ids = {row.id for row in rows}
            dropped = [key for key in dropped_ids if key in entries and key not in put_ids]
            put = [
                change for row in rows if (change := self._change_of(row, entries.get(row.id))) is not None
            ]
            return [*put, *(Change(CREDENTIAL, key, None) for key in dropped)]

        cancel_token = CancelToken(self._config.change_seconds_max)
        with locked(self._lock, cancel_token):
            self._log.change(decide, cancel_token)
            for key in dropped_ids:
                self._shown.pop(key, None)
            self._shown |= {row.id: row for row in rows}

    def _change_of(self, row: CredentialRow, entry: Entry | None) -> Change | None:
        """What a row that was put changes; None: nothing."""
        base = self._shown.get(row.id)
        if entry is None:
            # Another server has dropped it: it had ended, and comes back by no change.
            return None if base is not None else _change(row)
        present = _row(entry)
        joined = merged(base, row, present)
        return None if joined == present else _change(joined)


def _change(row: CredentialRow) -> Change:
    values = dict(zip(CREDENTIAL_FIELDS, credential_values(row), strict=True))
    return Change(CREDENTIAL, row.id, packed(values))


def _row(entry: Entry) -> CredentialRow:
    fields = unpacked(entry.content, CREDENTIAL_FIELDS)
    return credential_of(*(fields[name] for name in CREDENTIAL_FIELDS))
