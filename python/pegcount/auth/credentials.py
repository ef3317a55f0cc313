"""The credentials of a store: which keys and client certificates are accepted, as of now.

    key -> SHA-256 -> credential -> Caller

All of them are in memory, so that accepting a call neither waits nor reads the store. A change is durable
before it counts, and counts before its method returns; one that another server makes counts within a second.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, Protocol, TypeAlias

from pegcount import calendar, core
from pegcount.auth.caller import Caller, Scope
from pegcount.auth.keys import Key, digest_of, new_credential_id, new_key
from pegcount.auth.latest_time import LatestTime
from pegcount.config import Config
from pegcount.errors import (
    CredentialLimitError,
    CredentialNotFoundError,
    LastRootCredentialError,
    RotationInProgressError,
    quoted,
)
from pegcount.model import CredentialRow, KeyRow, NewCredential
from pegcount.suggestion import nearest, suggestion
from pegcount.zone import US_PER_SECOND

_US_PER_MINUTE: Final = 60 * US_PER_SECOND
_LOG = logging.getLogger(__name__)

RequireAccepted: TypeAlias = Callable[[], object]
"""Raises an error if whoever asks for a change is not accepted any more."""


def accept_anybody() -> None:
    """Asks nothing of whoever asks for a change: the owner of the data directory."""


class CredentialStore(Protocol):
    """What keeps credentials: a part of `store.Store`."""

    def credentials(self) -> Sequence[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""

    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        """Stores credentials durably; see `Store.put_credentials`."""

    @property
    def credentials_version(self) -> int:
        """Grows with each change, also by other servers; see `Store.credentials_version`."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential with a key that was just made for it."""

    row: CredentialRow
    key: Key


@dataclass(frozen=True, slots=True)
class _State:
    """All credentials, and the callers that are not revoked. It is replaced as a whole."""

    rows: Mapping[str, CredentialRow]
    of_digest: Mapping[bytes, Caller] = field(repr=False)
    keys: Mapping[bytes, tuple[CredentialRow, KeyRow]] = field(repr=False)
    """All keys by digest, those that have ended too."""
    of_certificate_name: Mapping[str, Caller]


class Credentials:
    """The credentials of one store. Thread-safe.

    `caller_of_key` and `caller_of_certificate` take microseconds and never wait; all other methods may wait
    for the store. What has expired stays so if the clock is set back: their time is the latest one seen.
    """

    def __init__(self, config: Config, store: CredentialStore, clock: Callable[[], int]) -> None:
        """Reads the credentials of a store; `clock` returns the present time in microseconds UTC."""
        self._config = config
        self._store = store
        self._clock = LatestTime(clock)
        self._lock = Lock()
        self._version = store.credentials_version
        """That of the store before `_state` was read."""
        self._state = _state_of(store.credentials())
        self._use_minutes: dict[str, int] = {}
        """Minutes since 1970-01-01 in which credentials were last accepted, by id."""
        self._on_change: list[Callable[[], None]] = []

    def __len__(self) -> int:
        """Returns the number of credentials, revoked and expired ones too."""
        return len(self._state.rows)

    def __contains__(self, credential_id: str) -> bool:
        """Returns whether a credential has this id."""
        return credential_id in self._state.rows

    def accepted_count(self) -> int:
        """Returns the number of credentials that are neither revoked nor expired."""
        return len(self._accepted())

    def caller_of_key(self, text: str, now_us: int) -> Caller | None:
        """Returns whose key this is; None if it is nobody's, or has ended."""
        return self._used(self._state.of_digest.get(digest_of(text)), now_us)

    def refusal_of_key(self, text: str) -> str:
        """Returns for the log why a key is refused; whoever sent it must not learn it."""
        row, key = self._state.keys.get(digest_of(text), (None, None))
        if row is None or key is None:
            return "no credential has it"
        whose = f"{quoted(row.name)} ({row.id})"
        if row.revoke_us is not None:
            return f"it is the key of {whose}, which was revoked at {time_text(row.revoke_us)}"
        end_us = row.key_expire_us(key)
        if end_us is None:
            return f"it was not accepted yet as the key of {whose}"
        if end_us == row.expire_us:
            return f"it is the key of {whose}, which expired at {time_text(end_us)}"
        return f"it is the old key {key.prefix} of {whose}, whose overlap ended at {time_text(end_us)}"

    def caller_of_certificate(self, names: Collection[str], now_us: int) -> Caller | None:
        """Returns for whom a client certificate stands that has these subject alternative names.

        None if it stands for nobody, for several credentials, or for one that has ended. The names must be
        those of a certificate that was verified.
        """
        known = self._state.of_certificate_name
        callers = {known[name] for name in names if name in known}
        return self._used(callers.pop() if len(callers) == 1 else None, now_us)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Calls a function, on any thread, whenever less is accepted than before by a change."""
        self._on_change.append(callback)

    @property
    def is_behind(self) -> bool:
        """Whether another server has changed credentials since they were last read; never waits."""
        return self._store.credentials_version != self._version

    def take_up_changes(self) -> None:
        """Reads what other servers have changed: it counts from now on. Raises StoreUnavailableError."""
        with self._lock:
            self._read_again()
        self._tell_change()

    def create(
        self,
        read: Callable[[Sequence[CredentialRow]], NewCredential],
        require_accepted: RequireAccepted = accept_anybody,
    ) -> Issued:
        """Makes a credential and its first key, durably.

        `require_accepted` is called when all earlier changes count, and no other one is under way: a caller
        that was revoked while its call waited must not leave a new key. `read` gets the credentials that are
        accepted, whose names are taken, and returns the new one; what it raises is raised. The oldest one
        that has ended goes if there are `credential_count_max` already. Raises CredentialLimitError if none
        has, and StoreReadOnlyError.
        """
        with self._lock:
            self._read_again()
            require_accepted()
            now_us = self._clock()
            new = read(self._accepted())
            rows, key = self._state.rows, new_key()
            dropped_ids = self._ids_to_drop(now_us)
            lifetime_us = None if new.lifetime_seconds is None else new.lifetime_seconds * US_PER_SECOND
            row = CredentialRow(
                id=next(found for found in iter(new_credential_id, "") if found not in rows),
                name=new.name,
                scopes=new.scopes,
                certificate_names=new.certificate_names,
                keys=(KeyRow(key.digest, key.prefix, now_us),),
                create_us=now_us,
                expire_us=None if lifetime_us is None else now_us + lifetime_us,
                data_scope=new.data_scope,
                limits=new.limits,
            )
            self._put(row, dropped_ids)
        return Issued(row, key)

    def rotate(
        self, credential_id: str, overlap_seconds: int, require_accepted: RequireAccepted = accept_anybody
    ) -> Issued:
        """Makes a second key for a credential, durably; the present one is accepted for some seconds more.

        `require_accepted` is called as in `create`. Raises CredentialNotFoundError if none has the id, or it
        has ended, RotationInProgressError if it has two keys that are accepted, and StoreReadOnlyError.
        """
        with self._lock:
            self._read_again()
            require_accepted()
            now_us = self._clock()
            row = self._row(credential_id)
            if not row.is_accepted_at(now_us):
                how = "has expired" if row.revoke_us is None else "was revoked"
                raise CredentialNotFoundError(
                    credential_id, f"credential {credential_id} {how}; make a new one"
                )
            present, *others = row.keys
            until_us = max((other.expire_us or now_us for other in others), default=now_us)
            if until_us > now_us:
                raise RotationInProgressError(credential_id, time_text(until_us))
            key, expire_us = new_key(), now_us + overlap_seconds * US_PER_SECOND
            if row.expire_us is not None:
                expire_us = min(expire_us, row.expire_us)
            # A key without an overlap goes: its end must not wait for a clock.
            kept = (replace(present, expire_us=expire_us),) if expire_us > now_us else ()
            row = replace(row, keys=(KeyRow(key.digest, key.prefix, now_us), *kept))
            self._put(row)
        self._tell_change()
        return Issued(row, key)

    def revoke(self, credential_id: str, require_accepted: RequireAccepted = accept_anybody) -> None:
        """Revokes a credential, durably: once this returns, it is refused. Again: changes nothing.

        `require_accepted` is called as in `create`. Raises CredentialNotFoundError, LastRootCredentialError
        if no other accepted one has the scope ROOT, and StoreReadOnlyError.
        """
        with self._lock:
            self._read_again()
            require_accepted()
            row = self._row(credential_id)
            if row.revoke_us is not None:
                return
            accepted_roots = [each.id for each in self._accepted() if Scope.ROOT in each.scopes]
            if accepted_roots == [credential_id]:
                raise LastRootCredentialError(credential_id)
            self._put(replace(row, revoke_us=self._clock()))
        self._tell_change()

    def rows(self) -> Sequence[CredentialRow]:
        """Returns all credentials with their last use, the oldest first."""
        rows = sorted(self._state.rows.values(), key=lambda row: (row.create_us, row.id))
        return [self._with_last_use(row) for row in rows]

    def save_uses(self) -> None:
        """Stores when credentials were last used, if that has changed. Raises StoreReadOnlyError."""
        with self._lock:
            rows = [self._with_last_use(row) for row in self._state.rows.values()]
            changed = [row for row in rows if row != self._state.rows[row.id]]
            if changed:
                self._store.put_credentials(changed)
                self._state = _state_of(rows)

    def log_expiring(self) -> None:
        """Logs the credentials and keys that expire within `credential_notice_seconds`."""
        now_us = self._clock()
        end_us = now_us + self._config.credential_notice_seconds * US_PER_SECOND
        for row in self._accepted():
            keys = [(f"key {key.prefix} of ", key.expire_us) for key in row.keys]
            for what, expire_us in [("", row.expire_us), *keys]:
                if expire_us is not None and now_us < expire_us <= end_us:
                    _LOG.warning("%scredential %s expires at %s", what, row.id, time_text(expire_us))

    def _used(self, caller: Caller | None, now_us: int) -> Caller | None:
        now_us = self._clock.latest(now_us)
        if caller is None or (caller.expire_us is not None and caller.expire_us <= now_us):
            return None
        self._use_minutes[caller.id] = now_us // _US_PER_MINUTE
        return caller

    def _accepted(self) -> list[CredentialRow]:
        now_us = self._clock()
        return [row for row in self._state.rows.values() if row.is_accepted_at(now_us)]

    def _row(self, credential_id: str) -> CredentialRow:
        rows = self._state.rows
        if credential_id not in rows:
            id_by_name = {row.name: row.id for row in rows.values()}
            near = id_by_name.get(credential_id) or nearest(credential_id, rows)
            hint = "" if near is None else suggestion(near)
            raise CredentialNotFoundError(
                credential_id, f"there is no credential {quoted(credential_id)}{hint}"
            )
        return rows[credential_id]

    def _with_last_use(self, row: CredentialRow) -> CredentialRow:
        minute = self._use_minutes.get(row.id)
        if minute is None or minute * _US_PER_MINUTE <= (row.last_use_us or 0):
            return row
        return replace(row, last_use_us=minute * _US_PER_MINUTE)

    def _ids_to_drop(self, now_us: int) -> tuple[str, ...]:
        rows = self._state.rows.values()
        if len(rows) < self._config.credential_count_max:
            return ()
        ended = [row for row in rows if not row.is_accepted_at(now_us)]
        if not ended:
            raise CredentialLimitError(len(rows) + 1, self._config.credential_count_max)
        return (min(ended, key=lambda row: (_end_us(row), row.id)).id,)

    def _read_again(self) -> None:
        """Reads all credentials if other servers may have changed some: a change must not pass them over."""
        version = self._store.credentials_version
        if version:
            self._state = _state_of(self._store.credentials())
            self._version = version

    def _put(self, row: CredentialRow, dropped_ids: Collection[str] = ()) -> None:
        self._store.put_credentials([row], dropped_ids)
        rows = {**self._state.rows, row.id: row}
        self._state = _state_of([each for each in rows.values() if each.id not in dropped_ids])

    def _tell_change(self) -> None:
        for callback in self._on_change:
            callback()


def time_text(us: int) -> str:
    """Returns a time as RFC 3339 in UTC; `us` is in microseconds UTC."""
    utc = calendar.zone("UTC")
    assert utc is not None, "tzdata has UTC"
    return core.format_time(us, utc)


def _state_of(rows: Sequence[CredentialRow]) -> _State:
    of_digest: dict[bytes, Caller] = {}
    keys = {key.digest: (row, key) for row in rows for key in row.keys}
    of_certificate_name: dict[str, Caller] = {}
    # The newest counts where an ended one had the same certificate name.
    for row in sorted(rows, key=lambda row: row.create_us):
        if row.revoke_us is not None:
            continue
        scopes = frozenset(map(Scope, row.scopes))
        caller = Caller(row.id, row.name, scopes, row.expire_us, row.data_scope, row.limits)
        of_certificate_name |= dict.fromkeys(row.certificate_names, caller)
        for key in row.keys:
            of_digest[key.digest] = replace(caller, expire_us=row.key_expire_us(key))
    return _State({row.id: row for row in rows}, of_digest, keys, of_certificate_name)


def _end_us(row: CredentialRow) -> int:
    return min(us for us in (row.expire_us, row.revoke_us) if us is not None)
