"""What the writes of all servers are held to: deletions, erasures and masking in the change log."""

from threading import Lock
from typing import Final

from pegcount import core
from pegcount.core import CancelToken
from pegcount.store.clickhouse.shared.change_log import ChangeLog, Snapshot
from pegcount.store.clickhouse.shared.deletions import DELETION, deletions_of
from pegcount.store.clickhouse.shared.erasures import ERASURE, erasures_of
from pegcount.store.clickhouse.shared.settings import MASKING, masked_before_day

_KINDS: Final = (DELETION, ERASURE, MASKING)


class Rules:
    """The rules of one cluster for its records. Thread-safe."""

    def __init__(self, log: ChangeLog, party_key: bytes) -> None:
        """`party_key` is the key of the digests of this cluster."""
        self._log = log
        self._party_key = party_key
        self._lock = Lock()
        self._known: tuple[int, core.LedgerRules] | None = None
        """The version of the rules that were asked for last, and these."""

    @property
    def version(self) -> int:
        """The number of the last commit that changed a rule, as it was read last; never waits."""
        return _version(self._log.seen)

    def __call__(self, cancel_token: CancelToken) -> core.LedgerRules:
        """Returns the rules at present; every change that returned is in them.

        Raises StoreUnavailableError, CancelledError or DeadlineError if the first shard cannot be asked, and
        DataDamagedError if a newer version of Pegcount has set a rule.
        """
        self._log.refresh(cancel_token)
        return self.known()

    def known(self) -> core.LedgerRules:
        """Returns the rules as they were read last; never waits. Raises DataDamagedError."""
        with self._lock:
            seen = self._log.seen
            version = _version(seen)
            if self._known is None or self._known[0] != version:
                self._known = (version, self._made(seen))
            return self._known[1]

    def _made(self, seen: Snapshot) -> core.LedgerRules:
        erased: dict[bytes, set[bytes]] = {self._party_key: set()}
        for erasure in erasures_of(seen):
            erased.setdefault(erasure.key or self._party_key, set()).update(erasure.digests)
        own = sorted(erased.pop(self._party_key))
        masking = masked_before_day(seen)
        return core.LedgerRules(
            self._party_key,
            own,
            None if masking is None else masking[1],
            0 if masking is None else masking[0].keep_digits,
            [deletion.covering() for deletion in deletions_of(seen)],
            [(key, sorted(digests)) for key, digests in erased.items()],
        )


def _version(seen: Snapshot) -> int:
    return max(seen.version(kind) for kind in _KINDS)
