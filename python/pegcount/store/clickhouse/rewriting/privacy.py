"""Deletes, erases and masks: first the rule in the change log, then a pass over the records.

A pass that its caller cannot wait for, or that a crash ends, is completed in the background: see `Upkeep`.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final

from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import PegcountError, StoreUnavailableError
from pegcount.model import Deletion, DeletionOutcome
from pegcount.privacy import ErasureOutcome
from pegcount.store.clickhouse.rewriting.purge import purge
from pegcount.store.clickhouse.rewriting.rewriter import ALL, Rewriter, condition_of, with_versions_in
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.clickhouse.shared.deletions import ClusterDeletion, Deletions
from pegcount.store.clickhouse.shared.erasures import Erasures
from pegcount.store.clickhouse.shared.settings import masked_before_day
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.erasure_errors import IN_FORCE, STILL_APPLIED, explained, lifted_meanwhile
from pegcount.store.locks import locked

_LOG = logging.getLogger(__name__)

MASKED: Final = "masked"
"""Kind of the entry that says how far the stored records are masked; its key is empty."""
_MASKED_FIELDS: Final = ("before_day", "keep_digits")
_EARLIEST_DAY: Final = -(2**31) + 2
_DELETION_AT_WORK: Final = "the deletion is in force, and the store completes it in the background"


class PrivacyWork:
    """Applies the rules of a cluster to its records. Thread-safe; raises as `Shard` does."""

    def __init__(
        self,
        cluster: Cluster,
        log: ChangeLog,
        deletions: Deletions,
        erasures: Erasures,
        rewriter: Rewriter,
        config: Config,
        party_key: bytes,
    ) -> None:
        self._cluster = cluster
        self._log = log
        self._deletions = deletions
        self._erasures = erasures
        self._rewriter = rewriter
        self._config = config
        self._party_key = party_key
        self._scrubbing = Lock()
        """Held by a pass that scrubs: two at once would only lose to each other."""
        self._unfinished: dict[str, int] = {}
        """Records that deletions whose callers have left have removed so far, by key."""
        self._left_erasures: set[int] = set()
        """Erasures whose callers have left before they were complete."""
        self._at_work: set[str] = set()
        """Keys of the deletions at work whose callers wait."""

    def delete(self, deletion: Deletion, cancel_token: CancelToken) -> DeletionOutcome:
        """Deletes records durably; see `Store.delete`."""
        cancel_token.check()
        begun = self._deletions.begin(deletion, cancel_token)
        self._at_work.add(begun.key)
        removed: list[int] = []
        try:
            self._rewriter.rewrite(condition_of(deletion), begun.covering(), cancel_token, removed.append)
            return self._deletions.finish(begun.key, sum(removed), self._change_token())
        except PegcountError as error:
            if sum(removed):
                self._unfinished[begun.key] = sum(removed)
                error.args = (f"{error}; {_DELETION_AT_WORK}",)
            else:
                # If the first shard is away, the deletion is completed in the background instead.
                with suppress(PegcountError):
                    self._deletions.withdraw(begun.key, self._change_token())
            raise
        finally:
            self._at_work.discard(begun.key)

    def complete_deletion(self, begun: ClusterDeletion, cancel_token: CancelToken) -> None:
        """Completes a deletion whose caller has left."""
        before = self._unfinished.get(begun.key, 0)
        removed: list[int] = []
        try:
            condition = condition_of(begun.deletion)
            self._rewriter.rewrite(condition, begun.covering(), cancel_token, removed.append)
        except PegcountError:
            self._unfinished[begun.key] = before + sum(removed)
            raise
        self._deletions.finish(begun.key, before + sum(removed), cancel_token)
        self._unfinished.pop(begun.key, None)

    def is_left(self, key: str) -> bool:
        """Whether the caller of a deletion that began here has left."""
        return key in self._unfinished

    def is_erasure_left(self, erasure_id: int) -> bool:
        """Whether the caller of an erasure that began here has left."""
        return erasure_id in self._left_erasures

    def is_waited_for(self, key: str) -> bool:
        """Whether the caller of a deletion waits for it here."""
        return key in self._at_work

    def erase(self, parties: Sequence[str], cancel_token: CancelToken) -> ErasureOutcome:
        """Erases numbers of parties durably; see `Store.erase`."""
        digests = self._erasures.digests(parties)
        self._erasures.require_room(digests, cancel_token)
        records = self._rewriter.count_parties(self._party_key, digests, cancel_token)
        erasure_id = self._erasures.begin(digests, records, cancel_token)
        try:
            with _explained(erasure_id, IN_FORCE):
                self.scrub(cancel_token)
                is_in_force = self._erasures.complete(erasure_id, cancel_token)
        except PegcountError:
            self._left_erasures.add(erasure_id)
            raise
        if not is_in_force:
            raise lifted_meanwhile(erasure_id)
        count = len(digests)
        _LOG.info("erasure %d erased %d numbers, which %d records had", erasure_id, count, records)
        return ErasureOutcome(records, erasure_id)

    def count_parties(self, parties: Sequence[str], cancel_token: CancelToken) -> int:
        """Returns how many records have one of these numbers; see `Store.count_parties`."""
        digests = self._erasures.digests(parties)
        return self._rewriter.count_parties(self._party_key, digests, cancel_token)

    def lift_erasure(self, erasure_id: int, cancel_token: CancelToken) -> None:
        """Ends an erasure durably; see `Store.lift_erasure`."""
        while not self._erasures.lift_complete(erasure_id, cancel_token):
            # Without its rule, nothing would take the number out of the records that still have it.
            with _explained(erasure_id, STILL_APPLIED):
                self.scrub(cancel_token)
                self._erasures.complete(erasure_id, cancel_token)

    def scrub(self, cancel_token: CancelToken) -> None:
        """Holds all records to the erasures in force, and removes from the disks what they had."""
        with locked(self._scrubbing, cancel_token):
            self._rewriter.rewrite(ALL, None, cancel_token)
            self._cluster.each(lambda shard: purge(shard, cancel_token), cancel_token)

    def mask(self, cancel_token: CancelToken) -> None:
        """Masks the stored records of days that have ended, if there are any."""
        seen = self._log.seen
        days = _days_to_mask(seen)
        if days is None:
            return
        with locked(self._scrubbing, cancel_token):
            rewritten = self._rewriter.rewrite(with_versions_in(*days), None, cancel_token)
            if rewritten.changed:
                self._cluster.each(lambda shard: purge(shard, cancel_token), cancel_token)
        masking = masked_before_day(seen)
        if masking is not None:
            fields = {"before_day": masking[1], "keep_digits": masking[0].keep_digits}
            self._log.change(lambda _: [Change(MASKED, ONLY_KEY, packed(fields))], cancel_token)

    def masking_backlog(self) -> int:
        """Returns how many days of shards wait to be masked; see `Store.masking_backlog`."""
        days = _days_to_mask(self._log.seen)
        return 0 if days is None else self._rewriter.day_count(*days, self._change_token())

    def _change_token(self) -> CancelToken:
        return CancelToken(self._config.change_seconds_max)


def _days_to_mask(seen: Snapshot) -> tuple[int, int] | None:
    """The UTC days of records that are not masked as they have to be, the second exclusive; None: none."""
    present = masked_before_day(seen)
    if present is None:
        return None
    masking, before_day = present
    from_day = _EARLIEST_DAY
    entry = seen.only_entry(MASKED)
    if entry is not None:
        fields = unpacked(entry.content, _MASKED_FIELDS)
        if fields["keep_digits"] <= masking.keep_digits:
            from_day = fields["before_day"]
    return (from_day, before_day) if from_day < before_day else None


@contextmanager
def _explained(erasure_id: int, state: str) -> Iterator[None]:
    """As `explained`, also of a shard that is away."""
    with explained(erasure_id, state):
        try:
            yield
        except StoreUnavailableError as error:
            error.args = (f"erasure {erasure_id} {state}: {error}",)
            error.metadata["erasure_id"] = str(erasure_id)
            raise
