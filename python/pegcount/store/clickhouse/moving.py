"""Both sides of moving for a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken, CodeDeck
from pegcount.errors import ArchiveError
from pegcount.privacy import Masking
from pegcount.store.clickhouse.rewriting.expiry import Expiry
from pegcount.store.clickhouse.rewriting.privacy import PrivacyWork
from pegcount.store.clickhouse.rewriting.rewriter import Rewriter
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.shared.credentials import ClusterCredentials
from pegcount.store.clickhouse.shared.decks import Decks
from pegcount.store.clickhouse.shared.deletions import deletions_of
from pegcount.store.clickhouse.shared.erasures import Erasures, erasures_of
from pegcount.store.clickhouse.shared.settings import DOCUMENT, Settings
from pegcount.store.clickhouse.writing.group_commit import GroupCommit, GroupTimes
from pegcount.store.clickhouse.writing.new_fields import require_end_of_upgrade
from pegcount.store.moving.settings import MovedErasure, MovedSettings
from pegcount.store.moving.sides import ArchiveSource, ArchiveTarget, JoinCounts
from pegcount.store.rejections import DOCUMENT_NAME
from pegcount.v1.records_pb2 import RejectReason, WriteRecordsResponse

_NO_LIMIT: Final = CancelToken(None)


class ClusterSource(ArchiveSource):
    """A cluster, whose servers go on; see `Rewriter.stored_rows` for what the archive has then."""

    def __init__(
        self,
        rewriter: Rewriter,
        log: ChangeLog,
        settings: Settings,
        credentials: ClusterCredentials,
        decks: Decks,
        expiry: Expiry,
        config: Config,
        party_key: bytes,
    ) -> None:
        """`party_key` is the key of the digests of this cluster."""
        self._row_count = config.export_piece_row_count
        self._rewriter = rewriter
        self._log = log
        self._settings = settings
        self._credentials = credentials
        self._decks = decks
        self._expiry = expiry
        self._party_key = party_key

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """Yields the records; see `ArchiveSource.pieces`. Raises ArchiveError, or as `Shard` does."""
        self._require_no_work()
        for rows in self._rewriter.stored_rows(self._row_count, _NO_LIMIT):
            yield core.archive_ledger_rows(rows)

    def decks(self) -> Iterator[tuple[int, CodeDeck]]:
        """Yields the code decks; see `ArchiveSource.decks`."""
        for deck_id in self._decks.counts():
            yield deck_id, self._decks.deck(deck_id, _NO_LIMIT).deck

    def settings(self) -> MovedSettings:
        """Returns the settings; see `ArchiveSource.settings`. Raises ArchiveError, or as `Shard` does."""
        self._require_no_work()
        seen, masking = self._log.seen, self._settings.known_masking()
        names = [name for name in self._log.entries(DOCUMENT) if name != DOCUMENT_NAME]
        documents = {name: self._settings.document(name) for name in names}
        rules = [(one.rule_id, one.deletion) for one in deletions_of(seen)]
        return MovedSettings(
            {rule_id: deletion for rule_id, deletion in rules if rule_id is not None},
            tuple(_moved_erasures(self._log, self._party_key)),
            None if masking is None else Masking(masking[0].after_days, masking[0].keep_digits),
            self._settings.known_retention(),
            self._expiry.first_retained_day(),
            {name: each.content for name, each in documents.items() if each is not None},
            tuple(self._credentials.all()),
        )

    def _require_no_work(self) -> None:
        """Raises ArchiveError while a deletion or an erasure is at work: it is done in some records only."""
        self._log.refresh(_NO_LIMIT)
        one = next((one for one in deletions_of(self._log.seen) if not one.is_complete), None)
        other = next((one for one in erasures_of(self._log.seen) if not one.is_complete), None)
        if one is not None or other is not None:
            what = "a deletion" if one is not None else "an erasure"
            raise ArchiveError(f"{what} is at work in the cluster: export once it is complete")


class ClusterTarget(ArchiveTarget):
    """A cluster, to which servers may write meanwhile."""

    def __init__(
        self,
        group_commit: GroupCommit,
        privacy: PrivacyWork,
        erasures: Erasures,
        log: ChangeLog,
        decks: Decks,
        expiry: Expiry,
        config: Config,
        clock: Callable[[], int],
        party_key: bytes,
    ) -> None:
        """`clock` returns the present time in microseconds UTC; `party_key` is that of this cluster."""
        self._group_commit = group_commit
        self._privacy = privacy
        self._erasures = erasures
        self._log = log
        self._decks = decks
        self._expiry = expiry
        self._config = config
        self._clock = clock
        self._party_key = party_key

    def erasures(self) -> Sequence[MovedErasure]:
        """Returns the erasures; see `ArchiveTarget.erasures`."""
        self._log.refresh(_NO_LIMIT)
        return _moved_erasures(self._log, self._party_key)

    def require_room_for_key(self, erasures: Sequence[MovedErasure]) -> None:
        """Raises nothing: a cluster keeps each erasure with the key of its digests."""

    def take_erasure(self, erasure: MovedErasure) -> None:
        """Holds all records to an erasure; see `ArchiveTarget.take_erasure`."""
        key = None if erasure.key == self._party_key else erasure.key
        erasure_id = self._erasures.begin(erasure.digests, erasure.records, _NO_LIMIT, key)
        self._privacy.scrub(_NO_LIMIT)
        self._erasures.complete(erasure_id, _NO_LIMIT)

    def retain_from(self, day: int) -> None:
        """Rejects records before a day; see `ArchiveTarget.retain_from`."""
        self._expiry.note_first_day(day, _NO_LIMIT)

    def deck(self, deck_id: int) -> CodeDeck:
        """Returns a code deck; see `ArchiveTarget.deck`."""
        return self._decks.deck(deck_id, _NO_LIMIT).deck

    def join(self, piece: bytes) -> JoinCounts:
        """Joins records in one group commit; see `ArchiveTarget.join`."""
        require_end_of_upgrade(self._log.seen.oldest_version)
        batch = core.LedgerBatch.from_archive(piece, self._config)
        times = GroupTimes(self._expiry.oldest_us, self._clock())
        seconds_max = self._config.ledger_commit_seconds_max
        (response,) = self._group_commit.commit([(batch, None)], times, seconds_max)
        answer = WriteRecordsResponse.FromString(response)
        deleted = sum(each.reason == RejectReason.REJECT_REASON_DELETED for each in answer.rejected)
        counts = (answer.accepted, answer.replaced, answer.duplicates)
        return JoinCounts(*counts, deleted, len(answer.rejected) - deleted)

    def finish(self) -> None:
        """Does nothing: a commit is durable when `join` returns."""


def _moved_erasures(log: ChangeLog, party_key: bytes) -> list[MovedErasure]:
    return [
        MovedErasure(one.key or party_key, one.digests, one.create_us, one.records)
        for one in erasures_of(log.seen)
    ]
