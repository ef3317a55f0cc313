"""The erasures and the masking of the store in memory: each looks at every record at once."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pegcount import core, errors
from pegcount.privacy import Erasure, ErasureOutcome, Masking

from conformance.memory_audit import AuditDisk, AuditStore

_DAY_US = 86_400_000_000


@dataclass
class PrivacyDisk(AuditDisk):
    """Records, rules, credentials, and what is scrubbed from numbers of parties."""

    key: bytes = b"0123456789abcdef"
    """A store that outlives its process has a random one."""
    erasures: dict[int, Erasure] = field(default_factory=dict)
    digests: dict[int, list[bytes]] = field(default_factory=dict)
    """Of the numbers of each erasure."""
    last_erasure: int = 0
    masking: Masking | None = None
    masked_before_day: int = 0


class PrivacyStore(AuditStore):
    """A store over a disk whose records can be scrubbed."""

    _disk: PrivacyDisk
    _clock: Callable[[], int]

    @abstractmethod
    def _row_of(self, versions: core.Versions, received_us: int) -> dict[str, Any]:
        """Returns the columns of a record."""

    def erase(self, parties: Sequence[str], cancel_token: core.CancelToken) -> ErasureOutcome:
        with self._lock:
            cancel_token.check()
            digests = self._digests(parties)
            asked = len(digests) + sum(map(len, self._disk.digests.values()))
            if asked > (allowed := self._config.erased_party_total_max):
                raise errors.ErasureLimitError(asked, allowed)
            records = self.count_parties(parties, cancel_token)
            number = self._disk.last_erasure = self._disk.last_erasure + 1
            self._disk.digests[number] = digests
            self._disk.erasures[number] = Erasure(number, len(digests), self._clock(), records, True)
            self._scrub_all()
            return ErasureOutcome(records, number)

    def count_parties(self, parties: Sequence[str], cancel_token: core.CancelToken) -> int:
        cancel_token.check()
        digests = self._digests(parties)
        with self._lock:
            held = [one.versions for sessions in self._disk.sessions.values() for one in sessions]
            return sum(versions.has_party(self._disk.key, digests) for versions in held)

    def erasures(self) -> Sequence[Erasure]:
        return list(self._disk.erasures.values())

    def lift_erasure(self, erasure_id: int, cancel_token: core.CancelToken) -> None:
        with self._lock:
            cancel_token.check()
            if self._disk.erasures.pop(erasure_id, None) is None:
                text = f"no erasure {erasure_id}"
                raise errors.NotFoundError("ERASURE_NOT_FOUND", "erasure", text, erasure_id=erasure_id)
            del self._disk.digests[erasure_id]

    def masking(self) -> Masking | None:
        return self._disk.masking

    def set_masking(self, masking: Masking | None) -> None:
        with self._lock:
            self._disk.masking, self._disk.masked_before_day = masking, 0
            self._scrub_all()

    def masking_backlog(self) -> int:
        return 0

    def _scrubbed(self, versions: core.Versions) -> core.Versions:
        """Returns a version to add, or the versions of a record, as the store may keep them."""
        digests = [digest for of_one in self._disk.digests.values() for digest in of_one]
        masking = self._disk.masking
        before = None if masking is None else self._disk.masked_before_day
        keep_digits = 0 if masking is None else masking.keep_digits
        return versions.scrubbed(self._disk.key, digests, before, keep_digits)

    def _mask_ended_days(self) -> None:
        masking = self._disk.masking
        if masking is not None:
            day = self._clock() // _DAY_US - masking.after_days + 1
            if day > self._disk.masked_before_day:
                self._disk.masked_before_day = day
                self._scrub_all()

    def _scrub_all(self) -> None:
        self._mask_ended_days()
        for session in (one for sessions in self._disk.sessions.values() for one in sessions):
            session.versions = self._scrubbed(session.versions)
            session.row = self._row_of(session.versions, session.row["received_time"])

    def _digests(self, parties: Sequence[str]) -> list[bytes]:
        return sorted({core.party_digest(self._disk.key, party) for party in parties})
