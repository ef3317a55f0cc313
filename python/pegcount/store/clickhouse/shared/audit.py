"""The audit entries of a cluster, in a table on its first shard.

Numbers ascend over all servers by the same compare-and-swap as commits of the change log: an insert has the
deduplication token of the next number, of which ClickHouse keeps the first, and its writer reads whose it is.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import WriteFateUnknownError
from pegcount.privacy import AuditEntry
from pegcount.store.audit_values import AUDIT_FIELDS, audit_entry_of, audit_values
from pegcount.store.clickhouse.shared.change_log import SettingsShard
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.clickhouse.tables.settings_tables import AUDIT
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.row_binary import row_binary
from pegcount.store.locks import locked

_NUMBER_END: Final = 2**63 - 1
"""Every entry has a lower number."""
_NUMBER_BITS: Final = 63
_PARTITION_ENTRY_COUNT: Final = 10_000
"""As in `settings_tables.AUDIT`."""

_HEAD: Final = Query(f"SELECT max(entry_id), max(first_id) FROM {AUDIT.name}")
_ROWS: Final = Query(
    f"SELECT content FROM {AUDIT.name} WHERE entry_id < {{p0:UInt64}}"
    f" AND entry_id >= (SELECT max(first_id) FROM {AUDIT.name})"
    " ORDER BY entry_id DESC, revision DESC LIMIT 1 BY entry_id LIMIT {p1:UInt64}"
)
_ONE: Final = Query(
    f"SELECT revision, writer, first_id, content FROM {AUDIT.name} WHERE entry_id = {{p0:UInt64}}"
    f" AND entry_id >= (SELECT max(first_id) FROM {AUDIT.name}) ORDER BY revision DESC LIMIT 1"
)
_PARTITIONS: Final = Query(
    "SELECT DISTINCT toUInt64(partition) FROM system.parts WHERE database = currentDatabase()"
    f" AND table = '{AUDIT.name}' AND active"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table: an entry as it was appended, or as a later revision of it."""

    revision: int
    writer: int
    first_id: int
    entry: AuditEntry

    def block(self) -> bytes:
        content = packed(dict(zip(AUDIT_FIELDS, audit_values(self.entry), strict=True)))
        row = (self.entry.entry_id, self.revision, self.writer, self.first_id, content)
        return row_binary(("UInt64", "UInt32", "UInt64", "UInt64", "String"), [row])


class ClusterAudit:
    """The audit entries of one cluster. Thread-safe.

    Methods that take no token raise StoreUnavailableError or DeadlineError if the first shard cannot be used
    within `change_seconds_max`.
    """

    def __init__(self, shard: SettingsShard, config: Config, *, epoch: int = 0) -> None:
        """`epoch` is how often a replica of the first shard was promoted to take its writes."""
        self._shard = shard
        self._config = config
        self._epoch = epoch
        self._writing = Lock()
        """Held while an entry is appended: those of one server take turns rather than lose to each other."""

    def append(self, entry: AuditEntry) -> int:
        """Adds an entry durably, and returns its number; see `Store.append_audit`."""
        cancel_token = self._change_token()
        writer = secrets.randbits(_NUMBER_BITS)
        with locked(self._writing, cancel_token):
            burnt = 0
            while True:
                last, first = map(int, self._shard.rows(_HEAD, cancel_token)[0])
                number = max(last, burnt) + 1
                first = max(first, 1, number - self._config.audit_entry_count_max + 1)
                self._insert(_Row(0, writer, first, replace(entry, entry_id=number)), cancel_token)
                present = self._row(number, cancel_token)
                if present is None:
                    # The token was taken, but a crash lost the row: the number stays unused.
                    burnt = number
                elif present.writer == writer:
                    return number

    def set_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        """Sets the outcome of an entry durably; see `Store.set_audit_outcome`."""
        cancel_token = self._change_token()
        while (present := self._row(entry_id, cancel_token)) is not None:
            noted = present.entry.request if request is None else request
            entry = replace(present.entry, outcome=outcome, request=noted)
            if entry == present.entry:
                return
            self._insert(replace(present, revision=present.revision + 1, entry=entry), cancel_token)

    def entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Returns entries, the newest first; see `Store.audit_entries`."""
        end = _NUMBER_END if before_id is None else before_id
        rows = self._shard.rows(_ROWS.with_values(max(end, 0), limit), self._change_token())
        return [_entry(content) for (content,) in rows]

    def tidy(self, cancel_token: CancelToken) -> None:
        """Drops the partitions of which no entry counts any more.

        Raises StoreUnavailableError, and CancelledError or DeadlineError on behalf of the token.
        """
        _, first = map(int, self._shard.rows(_HEAD, cancel_token)[0])
        for (partition,) in self._shard.rows(_PARTITIONS, cancel_token):
            if (int(partition) + 1) * _PARTITION_ENTRY_COUNT <= first:
                self._shard.run(f"ALTER TABLE {AUDIT.name} DROP PARTITION {int(partition)}", cancel_token)

    def _insert(self, row: _Row, cancel_token: CancelToken) -> None:
        """Inserts a row unless its number and revision are taken; once more if it was cut off."""
        token = f"{AUDIT.name}:{self._epoch}:{row.entry.entry_id}:{row.revision}"
        block = row.block()
        with suppress(WriteFateUnknownError):
            self._shard.insert(AUDIT.name, block, cancel_token, token=token, row_format="RowBinary")
            return
        self._shard.insert(AUDIT.name, block, cancel_token, token=token, row_format="RowBinary")

    def _row(self, entry_id: int, cancel_token: CancelToken) -> _Row | None:
        rows = self._shard.rows(_ONE.with_values(entry_id), cancel_token)
        if not rows:
            return None
        revision, writer, first_id, content = rows[0]
        return _Row(int(revision), int(writer), int(first_id), _entry(content))

    def _change_token(self) -> CancelToken:
        return CancelToken(self._config.change_seconds_max)


def _entry(content: str) -> AuditEntry:
    fields = unpacked(content, AUDIT_FIELDS)
    return audit_entry_of(*(fields[name] for name in AUDIT_FIELDS))
