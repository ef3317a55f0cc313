"""The erasures of a cluster, in the change log: digests of numbers that all writes are held to.

An erasure is in force from its commit on, and complete once a rewriter has taken its numbers out of all that
was stored before. Any server completes one whose own server was stopped.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.privacy import Erasure, fingerprint_of
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Entry, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.erasure_errors import erasure_not_found, require_room

_LOG = logging.getLogger(__name__)

ERASURE: Final = "erasure"
"""Kind of the entry of each erasure, by its number with leading zeros."""
LAST_ERASURE: Final = "last_erasure"
"""Kind of the entry that has the last number that an erasure got."""

_FIELDS: Final = ("digests", "create_us", "records", "is_complete")
_KEY: Final = "party_key"
"""A further field of an erasure whose digests another store has made."""
_KEY_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class ClusterErasure:
    """An erasure in the change log."""

    erasure_id: int
    version: int
    """The number of the commit that changed it last."""
    digests: tuple[bytes, ...]
    create_us: int
    records: int
    is_complete: bool
    key: bytes | None = field(default=None, repr=False)
    """The key of the digests, if it is that of another store."""

    def described(self, party_key: bytes) -> Erasure:
        """Returns it for people; `party_key` is that of the cluster."""
        return Erasure(
            self.erasure_id,
            len(self.digests),
            self.create_us,
            self.records,
            self.is_complete,
            fingerprint_of(self.key or party_key, self.digests),
        )

    def change(self) -> Change:
        """Returns the change that stores it."""
        fields: dict[str, Any] = {"digests": [digest.hex() for digest in self.digests]}
        fields |= {"create_us": self.create_us, "records": self.records, "is_complete": self.is_complete}
        if self.key is not None:
            fields[_KEY] = self.key.hex()
        return Change(ERASURE, _key(self.erasure_id), packed(fields))


def erasures_of(seen: Snapshot) -> Sequence[ClusterErasure]:
    """Returns the erasures of a state by number, complete or not."""
    return [_erasure(int(key), entry) for key, entry in seen.entries(ERASURE).items()]


class Erasures:
    """The erasures in a change log. Thread-safe.

    Methods raise StoreUnavailableError, and CancelledError or DeadlineError on behalf of a token, or after
    `change_seconds_max` without one.
    """

    def __init__(self, log: ChangeLog, config: Config, clock: Callable[[], int], party_key: bytes) -> None:
        """`clock` returns the present time in microseconds UTC; `party_key` is that of the cluster."""
        self._log = log
        self._config = config
        self._clock = clock
        self._party_key = party_key

    def digests(self, parties: Sequence[str]) -> list[bytes]:
        """Returns the digests of numbers, each once."""
        return sorted({core.party_digest(self._party_key, party) for party in parties})

    def require_room(self, digests: Sequence[bytes], cancel_token: CancelToken) -> None:
        """Raises ErasureLimitError if an erasure of these numbers cannot begin."""
        self._log.refresh(cancel_token)
        self._require_room(self._log.seen, digests)

    def begin(
        self, digests: Sequence[bytes], records: int, cancel_token: CancelToken, key: bytes | None = None
    ) -> int:
        """Holds the writes of all servers to an erasure, and returns its number; it is not complete yet.

        `records` is how many records have one of its numbers, and `key` that of the digests, unless it is
        the one of this cluster. Raises ErasureLimitError.
        """
        numbers: list[int] = []

        def decide(seen: Snapshot) -> Sequence[Change]:
            self._require_room(seen, digests)
            numbers[:] = [_last_number(seen) + 1]
            begun = ClusterErasure(
                numbers[0], 0, tuple(digests), self._clock(), records, is_complete=False, key=key
            )
            return [begun.change(), Change(LAST_ERASURE, ONLY_KEY, packed({"erasure_id": numbers[0]}))]

        self._log.change(decide, cancel_token)
        return numbers[0]

    def complete(self, erasure_id: int, cancel_token: CancelToken) -> bool:
        """Notes that nothing that is stored has a number of an erasure; returns False if it was lifted."""
        is_there: list[bool] = []

        def decide(seen: Snapshot) -> Sequence[Change]:
            one = _found(seen, erasure_id)
            is_there[:] = [one is not None]
            return [] if one is None or one.is_complete else [replace(one, is_complete=True).change()]

        self._log.change(decide, cancel_token)
        return is_there[0]

    def at_work(self) -> Sequence[ClusterErasure]:
        """Returns the erasures that are not complete, as they were read last; never waits."""
        return [one for one in erasures_of(self._log.seen) if not one.is_complete]

    def all(self) -> Sequence[Erasure]:
        """Returns the erasures by number; see `Store.erasures`."""
        self._log.refresh(CancelToken(self._config.change_seconds_max))
        return [one.described(self._party_key) for one in erasures_of(self._log.seen)]

    def lift_complete(self, erasure_id: int, cancel_token: CancelToken) -> bool:
        """Ends an erasure durably if it is complete; returns whether it was. Raises NotFoundError."""
        is_lifted: list[bool] = []

        def decide(seen: Snapshot) -> Sequence[Change]:
            one = _found(seen, erasure_id)
            if one is None:
                raise erasure_not_found(erasure_id)
            is_lifted[:] = [one.is_complete]
            return [Change(ERASURE, _key(erasure_id), None)] if one.is_complete else []

        self._log.change(decide, cancel_token)
        if is_lifted[0]:
            _LOG.info("erasure %d was lifted", erasure_id)
        return is_lifted[0]

    def _require_room(self, seen: Snapshot, digests: Sequence[bytes]) -> None:
        require_room((len(one.digests) for one in erasures_of(seen)), len(digests), self._config)


def _found(seen: Snapshot, erasure_id: int) -> ClusterErasure | None:
    entry = seen.entries(ERASURE).get(_key(erasure_id))
    return None if entry is None else _erasure(erasure_id, entry)


def _erasure(erasure_id: int, entry: Entry) -> ClusterErasure:
    is_moved = f'"{_KEY}":' in entry.content
    fields = unpacked(entry.content, (*_FIELDS, _KEY) if is_moved else _FIELDS)
    key = bytes.fromhex(fields[_KEY]) if is_moved else None
    digests = tuple(bytes.fromhex(digest) for digest in fields["digests"])
    state = (fields["create_us"], fields["records"], fields["is_complete"])
    return ClusterErasure(erasure_id, entry.version, digests, *state, key)


def _key(erasure_id: int) -> str:
    return f"{erasure_id:0{_KEY_DIGITS}}"


def _last_number(seen: Snapshot) -> int:
    entry = seen.only_entry(LAST_ERASURE)
    return 0 if entry is None else int(unpacked(entry.content, ("erasure_id",))["erasure_id"])
