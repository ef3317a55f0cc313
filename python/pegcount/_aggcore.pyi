"""The Rust core; tests/test_core.py checks this stub against the built module.

All times are microseconds UTC, all days are UTC days since 1970-01-01. Calls that scan, wait or write release
the GIL; getters, `Engine.estimate`, `format_time`, `journal_sequences` and small responses
(`gil_release_cell_count_min`) do not. A bug of the core raises PanicException.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pegcount.config import Config
from pegcount.core import AnswerLimits, ComparedTraffic, RequiredFile
from pegcount.data_scope import DataScope
from pegcount.model import ListPath, OrderTerm, Predicate, Scan
from pegcount.traffic import Figure, KeyValue, TrafficColumn, TrafficScan
from pegcount.zone import Zone

class PanicException(BaseException):
    """A bug of the core; not an Exception, so that no handler takes it for an expected failure."""

class ManifestEntry:
    """What the catalogue stores of a file of the data directory."""

    def __new__(cls, name: str, rows: int, size: int, crc32: int, summary: bytes) -> ManifestEntry:
        """The entry of a file that the catalogue names; the properties below say what its values mean."""
    @property
    def name(self) -> str:
        """Path within the data directory."""
    @property
    def rows(self) -> int:
        """Rows of the file."""
    @property
    def size(self) -> int:
        """Bytes of the file."""
    @property
    def crc32(self) -> int:
        """CRC-32 of all its bytes."""
    @property
    def summary(self) -> bytes:
        """What the core needs to open the file without reading it."""

class NewSegment:
    """A segment that a flush or compaction has written."""

    @property
    def day(self) -> int:
        """UTC day of its records."""
    @property
    def file(self) -> ManifestEntry:
        """Its manifest entry."""

class SegmentTombstones:
    """Tombstones of a segment, as the catalogue stores them."""

    def __new__(cls, segment: str, rows: bytes) -> SegmentTombstones:
        """Tombstones that the catalogue has stored."""
    @property
    def segment(self) -> str:
        """Name of the segment."""
    @property
    def rows(self) -> bytes:
        """Bit n mod 8 of byte n / 8 is set if row n was replaced."""

class OpenSegment:
    """A segment that reports read."""

    @property
    def name(self) -> str:
        """Path within the data directory."""
    @property
    def day(self) -> int:
        """UTC day of its records."""
    @property
    def size(self) -> int:
        """Bytes of its file."""

class BatchCounts:
    """What became of the records of a batch that were not rejected."""

    @property
    def accepted(self) -> int:
        """New records."""
    @property
    def replaced(self) -> int:
        """Records that changed a stored one."""
    @property
    def duplicates(self) -> int:
        """Records without effect."""
    @property
    def outranked(self) -> int:
        """Of the duplicates, those with another content than what stands, that rank lower."""
    @property
    def suspected_reuse(self) -> int:
        """Of the replaced and the duplicates, those that look like another call under the same id."""

class DecodedBatch:
    """A `WriteRecordsRequest` that was decoded."""

    @property
    def batch_id(self) -> str | None:
        """The caller's name for the batch."""
    @property
    def rejected(self) -> list[Rejection]:
        """Records that break a rule."""
    @property
    def corrects(self) -> bool:
        """Whether the records are corrections, to be added by `Versions.correct`."""
    @property
    def dropped_alert_times(self) -> int:
        """Alert times of the other records that were dropped, as they contradict the setup or the answer."""
    @property
    def versions(self) -> list[tuple[int, Versions]]:
        """The other records, each with its position in the batch, from 0."""

class Versions:
    """The versions of one record, and the record that they merge to.

    A store keeps the versions as two byte strings. Those with equal content have equal bytes.
    """

    def __new__(cls, record: bytes, state: bytes) -> Versions:
        """The versions that a store kept.

        Raises MalformedMessageError if the record is no message, DataDamagedError if the state is malformed.
        """
    @property
    def record(self) -> bytes:
        """The merged record, a serialized `SessionRecord`: fields that count as absent are left out, times
        are in whole microseconds, and prices in their shortest form."""
    @property
    def state(self) -> bytes:
        """What the versions have besides the merged record; often empty."""
    @property
    def joinable_days(self) -> tuple[int, int]:
        """First and last UTC day on which a version with the same key belongs to this record."""
    def scrubbed(
        self, key: bytes, erased: Sequence[bytes], masked_before_day: int | None, keep_digits: int
    ) -> Versions:
        """The versions without the numbers to erase, and masked, as `Engine.use_scrubbing` does it.

        A store scrubs a version before it adds it, and the versions that it keeps before it adds another one.
        """
    def has_party(self, key: bytes, digests: Sequence[bytes]) -> bool:
        """Whether one of the versions has a number with one of these digests."""
    def join(self, stored: Sequence[Versions]) -> tuple[Versions, BatchCounts]:
        """Adds this version, of a decoded batch, to the records that it belongs to, of which there may be
        none; returns what replaces them, and as which this version counts.

        Raises ValueError if these are several versions.
        """
    def correct(self, stored: Sequence[Versions]) -> tuple[Versions, BatchCounts]:
        """As `join`, for a version that is a correction: one that changes something gets the revision that it
        needs to rank first, and `replaces`.

        Raises ValueError if these are several versions, OverflowError with the number of a `RejectReason` and
        a description if the correction is rejected.
        """

class RecordOutside:
    """A record of a batch that is outside a data scope."""

    @property
    def index(self) -> int:
        """Position in the batch, from 0."""
    @property
    def field(self) -> str:
        """Field of the record that puts it outside."""
    @property
    def value(self) -> str:
        """Value of this field, "" if it is absent."""

class RecordScope:
    """The records of a data scope."""

    def __new__(cls, scope: DataScope) -> RecordScope:
        """Copies the lists of the scope."""
    def record_outside(self, batch: bytes) -> RecordOutside | None:
        """The first record of a serialized `WriteRecordsRequest` that is outside, one that breaks a rule too.

        A record must have, as its own value, one of each list that is not empty. Raises
        MalformedMessageError.
        """

    def has(self, versions: Versions) -> bool:
        """Whether the record that versions merge to is inside."""

class Rejection:
    """A rejected record of a batch."""

    @property
    def index(self) -> int:
        """Position in the batch, from 0."""
    @property
    def reason(self) -> int:
        """Number of a `RejectReason`."""
    @property
    def description(self) -> str:
        """The same for a person, naming the field."""

class MemoryRows:
    """Rows in memory."""

    @property
    def active(self) -> int:
        """Sessions that have not ended."""
    @property
    def finished(self) -> int:
        """Finished records that no segment holds yet."""

class StoreInfo:
    """Counts of a store; each record counts once, whatever its versions."""

    @property
    def records(self) -> int:
        """All records."""
    @property
    def unsealed_records(self) -> int:
        """Of these, the ones in memory."""
    @property
    def active_records(self) -> int:
        """Of these, the sessions that have not ended."""
    @property
    def segments(self) -> int:
        """Segments on disk."""
    @property
    def segment_bytes(self) -> int:
        """Bytes of their files."""
    @property
    def first_setup_us(self) -> int | None:
        """Earliest setup time, None without records."""
    @property
    def last_setup_us(self) -> int | None:
        """Latest setup time, None without records."""

class SourceRecordCounters:
    """What became of the written records of one source since the engine was created."""

    @property
    def source(self) -> str:
        """The source; "" is records without one, and those of all sources beyond the limit."""
    @property
    def accepted(self) -> int:
        """New records."""
    @property
    def replaced(self) -> int:
        """Records that changed a stored one."""
    @property
    def duplicates(self) -> int:
        """Records without effect."""
    @property
    def rejected(self) -> dict[int, int]:
        """Rejected records by the number of a `RejectReason`."""
    @property
    def dropped_alert_times(self) -> int:
        """Alert times that were dropped, as they contradict the setup or the answer."""
    @property
    def last_write_us(self) -> int | None:
        """When a record was last received that changed something, microseconds UTC; None: not yet."""
    @property
    def last_setup_us(self) -> int | None:
        """Latest setup time of these records, and of those that `open_active_snapshot` and `replay` have read
        back, microseconds UTC."""

class SourceTotals:
    """What became of the written records of a store by source; thread-safe."""

    def __new__(cls, source_count_max: int) -> SourceTotals:
        """At most so many sources have a name; further ones share the empty one."""
    def counts(self) -> list[SourceRecordCounters]:
        """Returns what was counted of each source, in any order."""
    def take_rejected(self) -> dict[str, dict[int, int]]:
        """Returns the rejected records that it has not returned before, by source and by the number of a
        `RejectReason`."""

class EngineCounters:
    """What an engine has counted since it was created, and present values of it."""

    @property
    def scanned_rows(self) -> int:
        """Rows that `partials` has read, those of rollups and those to build rollups included."""
    @property
    def result_cells(self) -> int:
        """Cells of the partials that it has returned."""
    @property
    def rollup_hits(self) -> int:
        """Scans of a segment, or of one account in it, that a rollup answered."""
    @property
    def rollup_misses(self) -> int:
        """Scans of a segment, or of one account in it, that read its rows, also to build a rollup."""
    @property
    def rollup_bytes(self) -> int:
        """Present bytes of all rollups."""
    @property
    def query_memory_bytes(self) -> int:
        """Present bytes that all queries hold."""
    @property
    def commits(self) -> int:
        """Group commits that are durable."""
    @property
    def committed_batches(self) -> int:
        """Batches in them."""
    @property
    def sync_bounds_s(self) -> list[float]:
        """Upper bounds in seconds, inclusive, of the buckets of `sync_counts` but the last."""
    @property
    def sync_counts(self) -> list[int]:
        """Syncs of the journal by their duration."""
    @property
    def sync_seconds(self) -> float:
        """Seconds of all these syncs."""
    @property
    def commit_queue_bytes(self) -> int:
        """Present bytes of batches that wait for a commit."""
    @property
    def journal_bytes(self) -> int:
        """Present bytes of the journal files that the next start has to replay."""
    @property
    def unsealed_records(self) -> int:
        """Present finished records in memory."""
    @property
    def abandoned_sessions(self) -> int:
        """Present active sessions without news since the instant that was asked for."""
    @property
    def compaction_backlog(self) -> int:
        """Present segments that a compaction is due to rewrite."""
    @property
    def sources(self) -> list[SourceRecordCounters]:
        """Written records by source, in any order."""

class ExportCursor:
    """Position at which an export resumes; opaque."""

class ExportPiece:
    """The next records of an export."""

    @property
    def stream(self) -> bytes:
        """An Arrow IPC stream: the fields of a record by name, then `received_time`."""
    @property
    def next(self) -> ExportCursor:
        """Position at which the export resumes."""

class StoredPiece:
    """The next records of a store, with all their versions: a `StoredRecords` message of an archive."""

    @property
    def records(self) -> bytes:
        """The message; two of them one after the other are one of all their records."""
    @property
    def row_count(self) -> int:
        """How many records it has."""
    @property
    def next(self) -> ExportCursor:
        """Position of those that follow."""

class JoinCounts:
    """What became of the records of an archive."""

    @property
    def added(self) -> int:
        """Records of sessions that the store did not have."""
    @property
    def joined(self) -> int:
        """Records that changed one of the store."""
    @property
    def unchanged(self) -> int:
        """Records of which the store had all versions."""
    @property
    def deleted(self) -> int:
        """Records left out as a deletion covers them."""
    @property
    def before_retention(self) -> int:
        """Records left out as they were set up before the first retained time."""

class JournalContent:
    """Counts of a journal file."""

    @property
    def batches(self) -> int:
        """Batches."""
    @property
    def records(self) -> int:
        """Records in them."""
    @property
    def size(self) -> int:
        """Bytes of the file."""

class MissingFile:
    """A required file that is not where it was; see `Engine.require_files`."""

    @property
    def name(self) -> str:
        """Its path within the data directory; empty for the directory itself."""
    @property
    def is_journal(self) -> bool:
        """Whether it is a journal file."""
    @property
    def problem(self) -> str:
        """A sentence that says what happened to it."""

class PendingCommit:
    """A submitted batch that may not be committed yet."""

    @property
    def rejected_bytes(self) -> int:
        """Bytes that these records take in the response."""

class Flush:
    """A flush that has begun: the records that it writes change no more."""

    @property
    def first_journal(self) -> int | None:
        """The first journal file that is still needed afterwards; None unless the flush was begun with
        `with_active`."""
    @property
    def deleted_count(self) -> int:
        """Records that are left out as deleted, active sessions included once their snapshot is written."""

class DeletionRule:
    """Which records a deletion covers: those that satisfy all that is not None. Frozen."""

    def __new__(
        cls,
        rule_id: int | None,
        source: str | None,
        from_us: int | None,
        to_us: int | None,
        session_ids: Sequence[str] | None,
    ) -> DeletionRule:
        """Setup times are in [from_us, to_us), microseconds UTC; `rule_id` is None if no rule stays."""
    @property
    def rule_id(self) -> int | None:
        """Number of the rule, None if no rule stays."""

class LedgerRules:
    """What each version that the ledger of a cluster takes is held to. Frozen."""

    def __new__(
        cls,
        key: bytes,
        erased: Sequence[bytes],
        masked_before_day: int | None,
        keep_digits: int,
        deletions: Sequence[DeletionRule],
        moved: Sequence[tuple[bytes, Sequence[bytes]]],
    ) -> LedgerRules:
        """Erases and masks as `Versions.scrubbed` does, and rejects what one of the deletions covers.

        `moved` has the digests of erasures that came from other stores, by the keys of these.

        A version that would join a record that a deletion covers is rejected too: the rewriter has not
        removed it yet.
        """

class LedgerBatch:
    """A `WriteRecordsRequest` for the ledger of a cluster, decoded and checked. Frozen."""

    def __new__(cls, batch: bytes, config: Config) -> LedgerBatch:
        """Raises MalformedMessageError, BatchLimitError or BatchIdTooLongError, as `decode_batch` does."""
    @staticmethod
    def from_archive(piece: bytes, config: Config) -> LedgerBatch:
        """Records of another store, each with all its versions: see `Engine.stored_records`.

        They are joined with what the ledger has. One that is added counts as accepted, one that changes a
        record as replaced, and one of which the ledger has all versions as a duplicate. `received_time` is
        that of the archive or, if it is later, that of the ledger. Raises DataDamagedError.
        """
    @property
    def row_count(self) -> int:
        """Records that break no rule."""
    @property
    def rejected_bytes(self) -> int:
        """Bytes that the others take in the response."""

class LedgerLookup:
    """Which rows of one shard a plan needs."""

    @property
    def key_hashes(self) -> str:
        """Hashes of the keys of the unsettled versions, in the notation of ClickHouse: "[1,2]"."""
    @property
    def first_day(self) -> int:
        """First day to look in: rows with `last_day` before it are not needed."""
    @property
    def last_day(self) -> int:
        """Last day to look in: rows with `first_day` after it are not needed."""
    @property
    def days(self) -> list[int]:
        """Days that a commit is likely for, ascending: their heads should be read before the rows."""

class DayCommit:
    """An insert that changes one home day of one shard as a whole."""

    @property
    def day(self) -> int:
        """The home day."""
    @property
    def seq(self) -> int:
        """Number of the commit: one more than the head that the plan was given."""
    @property
    def after(self) -> list[int]:
        """Days whose commits of the same plan have to be durable before this one is made: they have what it
        removes. All of them are lesser than this day; other commits may be made in any order."""
    @property
    def rows(self) -> bytes:
        """A Native block of all ledger columns, the marker included."""
    @property
    def row_count(self) -> int:
        """Rows of the block, without the marker."""

class LedgerPlan:
    """What one shard has to insert for the unsettled versions of a group."""

    @property
    def unknown_days(self) -> list[int]:
        """Home days of which the head must be known too; there are no commits then, and nothing has changed.

        Read their heads, then the rows again, and plan again.
        """
    @property
    def commits(self) -> list[DayCommit]:
        """The commits by day, ascending; none if all versions are settled.

        If one is lost to another writer, those that follow it by `DayCommit.after` must not be made. Then
        read heads and rows again, and plan again.
        """

class LedgerGroup:
    """Batches that are committed together, in order; thread-safe.

    Of each shard: `lookup`, read heads, read rows, `plan`, make the commits, `settle` each; again while the
    shard is among `unsettled_shards`.
    """

    def __new__(
        cls,
        batches: Sequence[tuple[LedgerBatch, RecordScope | None]],
        rules: LedgerRules,
        hash_key: bytes,
        shard_count: int,
    ) -> LedgerGroup:
        """Batches, each with the records that its writer reaches; the key of `key_hash`, 16 bytes.

        Raises ValueError for a key of another length, or without shards.
        """
    @property
    def unsettled_shards(self) -> list[int]:
        """Shards that have a version whose fate is open, or rows to remove, ascending."""
    def use_rules(self, rules: LedgerRules) -> None:
        """Holds versions to other rules from the next plan on: after a lost commit, they may have changed."""
    def lookup(self, shard: int) -> LedgerLookup:
        """Which rows the unsettled versions of a shard may join."""
    def plan(
        self,
        shard: int,
        rows: bytes,
        heads: Mapping[int, int],
        *,
        oldest_us: int,
        received_us: int,
        nonce: int,
    ) -> LedgerPlan:
        """Merges the unsettled versions of a shard with the live rows that were found for `lookup`.

        `rows` has Native blocks of all ledger columns, with sum(sign) as `sign`, of which each must be 1.
        `heads` has the number of the last commit of each day that was asked for, 0 if there was none yet,
        as it was *before* the rows were read. Versions set up before `oldest_us` are rejected unless
        their session is active; `received_us` is the `received_time` of rows that change, and `nonce` the
        `writer` of the markers. Drops what an earlier plan of this shard left unsettled. Versions that write
        nothing are settled at once, unless they depend on rows of this plan.

        Raises ValueError if the bytes are not such blocks, DataDamagedError if a row contradicts itself or
        others.
        """
    def settle(self, shard: int, day: int) -> None:
        """Notes that the commit of a day, of the last plan of this shard, is durable.

        Raises ValueError if there is none, or if one before it is not.
        """
    def reopen(self, shard: int, key_hashes: Sequence[int]) -> None:
        """Has the next plan look at settled keys again, and join rows of a key that have become neighbours.

        For rows that another writer has committed for a neighbouring day at the same time, which the
        commits of neither one could see. The outcomes of the versions stay.
        """
    def note_sources(self, totals: SourceTotals, received_us: int) -> None:
        """Counts what became of the records, received at a time; raises as `responses`."""
    def responses(self) -> list[bytes]:
        """The `WriteRecordsResponse` of each batch; raises ValueError while a shard is unsettled."""

class LedgerRewrite:
    """What a rewriter inserts for one home day of one shard."""

    @property
    def rows(self) -> bytes:
        """A Native block of all ledger columns, with the marker, which stands there also without changes."""
    @property
    def removed(self) -> int:
        """Records that the deletion covers."""
    @property
    def changed(self) -> int:
        """Records that scrubbing changes."""

class SegmentEdit:
    """New segments and what they replace; empty once installed."""

    @property
    def segments(self) -> list[NewSegment]:
        """The new segments."""
    @property
    def tombstones(self) -> list[SegmentTombstones]:
        """Tombstones of other segments that the catalogue has to store from now on."""

class QueryResources:
    """What the reports of one store share: tuning, lookup tables, and the memory that they may take.

    An `Engine` has its own.
    """

    def __new__(cls, config: Config) -> QueryResources:
        """Of the configuration it reads the limits of the memory of queries, and the tuning."""
    @property
    def query_memory_bytes(self) -> int:
        """Bytes of memory that all queries hold at the moment, those of their `Partials` included."""

class Partials:
    """Partial aggregates: integer sums per bin and group, in cells.

    `pegcount.store.interface.Store.partials` says which cells the result of a scan has. A cell is a position
    in all of the arrays; they are of 64-bit integers, and read-only.
    """

    def __new__(
        cls,
        resources: QueryResources,
        *,
        bin_count: int,
        sums: NDArray[np.int64],
        bins: NDArray[np.int64],
        keys: Sequence[NDArray[np.int64] | tuple[NDArray[np.int64], Sequence[str]]],
        row_count: int,
    ) -> Partials:
        """The partials of a scan with `bin_count` bins, from the properties below, of which it keeps a copy.

        Anything with the buffer protocol does for an array. Raises ValueError, which says what is wrong, if
        no scan returns such cells, or if a sum over all cells exceeds 64 bits, and MemoryLimitError.
        """
    @property
    def sums(self) -> NDArray[np.int64]:
        """The three sums of the measure, by cell: shape (cells, 3)."""
    @property
    def bins(self) -> NDArray[np.int64]:
        """The number of the bin, from 0, by cell: shape (cells,)."""
    @property
    def keys(self) -> list[NDArray[np.int64] | tuple[NDArray[np.int64], Sequence[str]]]:
        """The values of each key column, in the order of the keys of the scan.

        Integers by cell, of which -2^63 is an absent one; or, for a column of texts, codes by cell, and the
        distinct texts by code. Text 0 is "", which is the absent text.
        """
    @property
    def row_count(self) -> int:
        """Rows that the scan read, those of rollups and to build rollups too; 0 if a store cannot tell."""

class TrafficPartials:
    """The measures of a traffic scan per bin and group, in cells.

    `pegcount.traffic` says which cells the result of a scan has, and what its measures are. A cell is a
    position in all of the columns.
    """

    @staticmethod
    def from_columns(
        bin_count: int,
        bins: Iterable[int],
        keys: Sequence[Iterable[int] | tuple[Iterable[int], Sequence[str]]],
        measures: Sequence[Iterable[int] | Iterable[Iterable[tuple[int, int]]]],
        occupancy: Sequence[int],
    ) -> TrafficPartials:
        """The partials of a scan with `bin_count` bins, from the columns that the properties below describe.

        A measure is integers by cell, or the pairs of each cell; `occupancy` has the numbers of the measures
        that are "occupancy". Raises ValueError, which says what is wrong, if no scan returns such cells.
        """
    @property
    def row_count(self) -> int:
        """Rows that the scan read; 0 if a store cannot tell."""
    @property
    def cell_count(self) -> int:
        """Number of cells."""
    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted: all measures are 0, or have no values or changes."""
    def folded(
        self, bins: NDArray[np.int64], bin_count: int, keys: Sequence[tuple[int, NDArray[np.int64]]]
    ) -> TrafficPartials:
        """The measures in the bins of a `traffic.Fold`, with its keys; those of one cell are added up.

        Raises ValueError if the partials do not fit the fold, and MemoryLimitError.
        """
    @property
    def bins(self) -> NDArray[np.int64]:
        """The number of the bin, from 0, by cell: shape (cells,)."""
    @property
    def keys(self) -> list[NDArray[np.int64] | tuple[NDArray[np.int64], Sequence[str]]]:
        """The values of each key, in the order of the keys of the scan; as `Partials.keys`."""
    def measure(self, number: int) -> list[int] | list[list[tuple[int, int]]]:
        """Returns a measure by cell, given by its number in the scan.

        An integer for "count", "sum" and "occupied"; for "values" the distinct values, ascending, each with
        the number of its records; for "occupancy" the instants at which it changes, ascending, each with its
        change. Raises ValueError if the scan has no such measure.
        """
    def total(self, number: int) -> int:
        """Returns a "count", "sum" or "occupied" of all cells; raises ValueError if it is none of these."""

class RankedGroups:
    """The groups that are first by a figure."""

    @property
    def groups(self) -> list[tuple[KeyValue, ...]]:
        """Their keys, in the order of the keys of the scan."""
    @property
    def group_count(self) -> int:
        """Groups that there were."""

class CellSums:
    """The cells of a scan that several servers answer, each for records of its own, added up. Thread-safe.

    An answer is blocks of ClickHouse's Native format, or no bytes, with the columns `bin` (the number of a
    bin), one for each key by its name (integers or texts, as its column is), and the sums `first`, `second`
    and `third`. With a code deck, a rate has the code of the leg, "" without one, also for the name and the
    country, which are looked up here; cells that become the same one are added up.
    """

    def __new__(
        cls,
        resources: QueryResources,
        *,
        bin_count: int,
        keys: Sequence[str],
        deck: CodeDeck | None,
        cell_count_max: int,
    ) -> CellSums:
        """The sums of a scan before the first answer.

        Raises ValueError for a key that is not a column, and MemoryLimitError if the bins of a scan without
        keys take more memory than the query may.
        """
    def add(self, blocks: bytes) -> None:
        """Adds the cells of one answer; a cell of zeros adds nothing.

        Raises CellLimitError, MemoryLimitError, or ValueError if these are not cells of the scan, if the
        deck lacks a code, or if a sum exceeds 64 bits, for which the answer may also have -2^63. Afterwards
        the sums cannot be used.
        """
    def partials(self) -> Partials:
        """Returns the sums, once, with `row_count` 0; without keys, bins that no answer has are zeros.

        Raises MemoryLimitError, and ValueError if a sum over all cells exceeds 64 bits, or if the sums cannot
        be used any more.
        """

class TrafficCells:
    """The cells of a traffic scan that several servers answer, each for records of its own. Thread-safe.

    An answer is blocks of ClickHouse's Native format, or no bytes, with these columns: `bin` (the number of a
    bin), `key_0` and so on for the keys, `records` (how many the cell has), and for each measure by its
    number in the scan `count_0` (Int64), `sum_0` (Int128), or `values_0` and `counts_0` (Array(Int64)): the
    values, in any order, and the records that have each. An interval begins in the bin of its start, and ends
    in the bin that holds its last microsecond. "occupied" is `changes_0` (Int64), begins less ends, and
    `moments_0` (Int128), the sum of each change times its instant; "occupancy" is `instants_0` and
    `changes_0` (Array(Int64)): the instants, in any order, and the changes at each.
    """

    def __new__(
        cls,
        resources: QueryResources,
        *,
        edge_us: NDArray[np.int64],
        keys: Sequence[Literal["integer", "text", "deck_name", "deck_country"]],
        measures: Sequence[Literal["count", "sum", "values", "occupied", "occupancy"]],
        deck: CodeDeck | None,
        cell_count_max: int,
    ) -> TrafficCells:
        """The measures of a scan before the first answer.

        `keys` says what answers have for each: integers, texts, or codes of the deck that stand for their
        names or countries. These are looked up here, and cells that become the same one are added up. Raises
        ValueError for names and countries without a deck, and MemoryLimitError if the bins of a scan without
        keys take more memory than the query may.
        """
    def add(self, blocks: bytes) -> None:
        """Adds the cells of one answer.

        Raises CellLimitError, MemoryLimitError, or ValueError if these are not cells of the scan, if the
        deck lacks a code, or if a sum exceeds 128 bits. Afterwards the measures cannot be used.
        """
    def partials(self) -> TrafficPartials:
        """Returns the measures, once, with `row_count` 0; without keys, each bin has a cell.

        With keys, each bin that an interval reaches has one, so that these may be more cells than were
        added. Raises CellLimitError, MemoryLimitError, and ValueError if the measures cannot be used any
        more, or if more intervals end than have begun.
        """

class CodeDeck:
    """A code deck: a number has the destination of the longest code that is a prefix of it."""

    @staticmethod
    def from_json(json: bytes) -> CodeDeck:
        """Reads the pieces of `json_piece`, joined; raises DataDamagedError for anything else."""
    def json_piece(self, first: int, count: int) -> bytes:
        """A piece of the JSON array of [code, name, country]: `count` entries from number `first` on."""
    @property
    def entry_count(self) -> int:
        """Entries of the deck."""

class BadEntry:
    """An entry of a code deck that cannot be used."""

    @property
    def index(self) -> int:
        """Position in the request, from 0."""
    @property
    def fault(self) -> str:
        """The rule that it breaks: "code", "repeated_code" or "text"."""
    @property
    def code(self) -> str:
        """Its code, of which a long one is cut."""

class CodeDeckRequest:
    """A `PutCodeDeckRequest` that was decoded; valid if it has an id, entries within the limit, and no
    bad ones."""

    @property
    def id(self) -> int | None:
        """Id of the deck, None if it is absent."""
    @property
    def entry_count(self) -> int:
        """Entries of the request."""
    @property
    def bad_entries(self) -> list[BadEntry]:
        """The first entries that cannot be used."""
    @property
    def bad_entry_count(self) -> int:
        """Number of all such entries."""
    @property
    def deck(self) -> CodeDeck:
        """The deck; empty if entries are bad, or more than allowed."""

class CancelToken:
    """Cancellation token: running work ends at its next check."""

    def __new__(cls, limit_seconds: float | None) -> CancelToken:
        """Work may run for `limit_seconds` from now; None is without limit."""
    def cancel(self) -> None:
        """Ends the work: it raises CancelledError."""
    def check(self) -> None:
        """Raises CancelledError after `cancel`, DeadlineError once the time is over."""

class Engine:
    """Records in memory and in segments, and the journal that makes batches durable.

    Safe to use from many threads. A method that reads or writes a file raises OSError
    if the operating system refuses, DataDamagedError if a file is not what was written.
    """

    def __new__(cls, directory: Path, config: Config) -> Engine:
        """An empty store over a data directory.

        Of the configuration it reads the limits of batches, of the commit queue and of the memory of
        queries, and the tuning. Nothing is read from the directory until the `open_*` methods and `replay`.
        """
    def open_segment(self, day: int, file: ManifestEntry, tombstones: bytes, damaged: bool) -> None:
        """Adds a segment of the catalogue.

        One that cannot be opened, or that was marked `damaged` before, makes the reports of
        its day raise DataDamagedError, and only these.
        """
    def open_active_snapshot(self, file: ManifestEntry) -> None:
        """Reads active sessions back into memory."""
    def replay(self, sequence: int, accept_loss: bool) -> int:
        """Reads the batches of a journal file back into memory, and returns its length in bytes.

        From then on the file is a required one. With `accept_loss`, a corrupt batch ends the file, and those
        before it are read.
        """
    def submit(
        self, data: bytes, received_us: int, oldest_us: int, writer: RecordScope | None
    ) -> PendingCommit:
        """Enqueues a `WriteRecordsRequest` in wire form; commits a group first if the queue is full.

        Rejects records set up before `oldest_us` unless their session is active, and those that would join a
        held record outside the scope of the writer. Raises
        MalformedMessageError, BatchLimitError or BatchIdTooLongError; nothing of the batch is
        stored then.
        """
    def wait_for_response(self, pending: PendingCommit, cancel: CancelToken) -> bytes:
        """The serialized `WriteRecordsResponse`, once the batch is durable and visible to reports.

        Raises StoreReadOnlyError if it cannot be made durable, and CancelledError or DeadlineError if the
        token ends while another caller commits a group; the batch then stays in the queue.
        """
    def commit_group(self) -> bool:
        """Commits one group of the queue, also of callers that have left; False if the queue was empty."""
    def counters(self, abandoned_until_us: int, row_max: int) -> EngineCounters:
        """What the engine has counted, for metrics.

        Sessions are abandoned if nothing new of them came after `abandoned_until_us`, in microseconds UTC;
        compactions write segments of at most `row_max` rows. Waits for no sync. If a batch is being applied
        for longer than 5 ms, the three present values of memory are those of the last call.
        """
    def take_rejected(self) -> dict[str, dict[int, int]]:
        """Returns the rejected records that it has not returned before; see `SourceTotals.take_rejected`."""
    @property
    def query_memory_bytes(self) -> int:
        """Bytes of memory that all queries hold at the moment, those of their `Partials` included."""
    @property
    def fault(self) -> str | None:
        """Why batches cannot be made durable now, None if they can."""
    def set_fault(self, fault: str) -> None:
        """Makes the store read-only until `use_journal`."""
    @property
    def may_have_refused_frames(self) -> bool:
        """Whether the next start may apply refused batches; corrections wait for a flush then."""
    @property
    def has_journal(self) -> bool:
        """Whether a journal file is open, so that batches can be committed. Never waits."""
    def create_journal(self) -> int:
        """Creates the next journal file and returns its number; the catalogue must name it before it is used.

        One that was created before and not used may be that one. After a fault it first takes a trial write.
        Raises OSError, which also sets the fault if no other file is open. Calls must not overlap.
        """
    def use_journal(self) -> None:
        """Commits later batches to the file that `create_journal` created, which ends a fault.

        Raises StoreReadOnlyError if there is none.
        """
    def require_files(self, files: Sequence[RequiredFile]) -> None:
        """Replaces the required files other than journal files.

        As long as one of them, or a journal file, is not where it was or was changed, the store is read-only.
        """
    def missing_file(self) -> MissingFile | None:
        """A required file that is not where it was, which makes the store read-only; None if all are."""
    @property
    def journal_bytes(self) -> int:
        """Bytes of the journal files that the next start would read."""
    def release_journal_before(self, first: int) -> None:
        """Requires the journal files with numbers below `first` no more, as the catalogue does not either."""
    def remove_journal_before(self, first: int) -> None:
        """Removes the journal files with numbers below `first`, which were released.

        Raises OSError if one cannot be removed, once the others are.
        """
    def use_deletions(self, rules: Sequence[DeletionRule], in_progress: DeletionRule | None) -> None:
        """Has batches that are submitted from now on checked against these deletions.

        One that is `in_progress` also rejects versions of the records that it covers. Once this returns, no
        batch changes these any more, and batches that were submitted before are applied.
        """
    def use_scrubbing(
        self, key: bytes, erased: Sequence[bytes], masked_before_day: int | None, keep_digits: int
    ) -> None:
        """Erases and masks numbers of parties from now on.

        `key` has 16 bytes, as each digest (`party_digest`) in `erased`. Records of which the first version
        was set up before the UTC day `masked_before_day` are masked. Once this returns, the journal gets no
        such number any more; versions that arrive, those that a version joins, and all rows that are written
        to a segment, an active snapshot or an export are scrubbed, and so is what `open_active_snapshot` and
        `replay` read. `scrub_memory` scrubs what memory holds already, and `compact` rewrites a segment.

        Raises TypeError or ValueError if a key or digest has another length.
        """
    def scrub_memory(self) -> None:
        """Scrubs the records in memory in short steps, between which batches are committed.

        Those that a flush has begun to write keep their numbers in memory until its `install`; in the files
        they are scrubbed.
        """
    def count_scrubbed_rows(self, names: Sequence[str], cancel: CancelToken) -> list[int]:
        """How many rows of each of these segments scrubbing would change, rows with a tombstone included.

        Raises DataDamagedError if one cannot be read or is not open, CancelledError or DeadlineError.
        """
    def count_parties(self, key: bytes, digests: Sequence[bytes], cancel: CancelToken) -> int:
        """How many records have a number with one of these digests, also in a version that does not show.

        Raises DataDamagedError if a segment cannot be read, CancelledError or DeadlineError.
        """
    def find_deleted(self, flush: Flush, rule: DeletionRule, cancel: CancelToken) -> None:
        """Has a flush leave out the records that a deletion covers, which must be in progress.

        Those of segments get tombstones by the edit of `write_flush`. No other flush, no compaction and no
        retention may run until `install`. Raises DataDamagedError if a segment that may have such records
        cannot be read, CancelledError or DeadlineError.
        """
    def remove_deleted_active(self, flush: Flush) -> None:
        """Removes the active sessions that a flush has left out as deleted, after its `install`."""
    def begin_flush(self, with_active: bool) -> Flush:
        """Begins a flush of the finished records in memory.

        With `with_active`, batches go to the file that `create_journal` created from now on. The flush writes
        an active snapshot if `with_active` is set or a stored record became active again.
        """
    def abort_flush(self, flush: Flush) -> None:
        """Gives a flush up; the next one writes its records too."""
    def write_flush(self, flush: Flush, sequence: int, row_max: int) -> SegmentEdit:
        """Writes the records of a flush into segments of at most `row_max` rows.

        Files are numbered from `sequence`. Nothing is visible until `install`.
        """
    def write_active_snapshot(self, flush: Flush, sequence: int) -> list[ManifestEntry] | None:
        """Writes the active sessions into files numbered from `sequence`, None if it has none."""
    def pick_compaction(self, row_max: int) -> list[str]:
        """Names of the segments of one day to compact next into at most `row_max` rows."""
    def compact(self, names: Sequence[str], sequence: int, row_max: int) -> SegmentEdit:
        """Rewrites segments of one day as new ones, without the rows that have a recorded tombstone."""
    def install(self, edit: SegmentEdit) -> None:
        """Makes new segments visible in place of what they replace, in one step for readers."""
    def drop_before(self, day: int, active_cutoff_us: int) -> int:
        """Drops finished records of days before `day`, and active sessions set up before it.

        Of the latter only those not changed since `active_cutoff_us`; returns their number.
        """
    def partials(
        self, scan: Scan, deck: CodeDeck | None, cell_count_max: int, cancel: CancelToken
    ) -> Partials:
        """Sums per bin and group of the records that satisfy all predicates of the scan.

        `deck` stands in place of the rates in the records. Raises CellLimitError beyond
        `cell_count_max` cells, MemoryLimitError, CancelledError, DeadlineError, DataDamagedError, or
        ValueError for a column that does not exist or a sum beyond 64 bits.
        """
    def traffic_partials(
        self, scan: TrafficScan, deck: CodeDeck | None, cell_count_max: int, cancel: CancelToken
    ) -> TrafficPartials:
        """Measures per bin and group of the records that satisfy all predicates of the scan.

        Raises what `partials` does.
        """
    def estimate(self, scan: Scan | TrafficScan) -> int | None:
        """About how many rows `partials` would read, from what memory knows; never waits.

        None if a writer has or awaits the lock, or if a segment of these days is unreadable. A scan
        of one account counts up to `account_row_count_estimate` rows of a segment, but all of them
        while the rows of this account are not known to be verified. With measures of intervals, the
        records are added whose intervals may overlap the range. Keys, other measures and code deck make
        no difference.
        """
    def any_match(self, predicates: Sequence[Predicate], cancel: CancelToken) -> bool:
        """Whether any record satisfies all predicates; raises as `partials` does."""
    def info(self) -> StoreInfo:
        """What the store holds."""
    def export(
        self, from_us: int, to_us: int, cursor: ExportCursor | None, row_max: int
    ) -> ExportPiece | None:
        """The next records set up in [`from_us`, `to_us`), at most `row_max`; None at the end.

        `cursor` is None at first. Correct only while nothing changes the store.
        """
    def stored_records(self, cursor: ExportCursor | None, row_max: int) -> StoredPiece | None:
        """The next records with all their versions, scrubbed, at most `row_max`; None at the end.

        `cursor` is None at first. Correct only while nothing changes the store.
        """
    def join_stored(self, piece: bytes, oldest_us: int) -> JoinCounts:
        """Joins the records of a piece with those of the store.

        Leaves out finished ones set up before `oldest_us` (microseconds UTC), and what a deletion covers. No
        journal has them: the caller writes nothing else meanwhile, and flushes with an active snapshot
        before it closes the store. Raises DataDamagedError if the bytes are not such a piece.
        """
    @property
    def damaged_segments(self) -> list[str]:
        """Names of damaged segments that were searched for a key, and of unreadable ones within one day of
        a running flush."""
    def retire_segments(self) -> None:
        """From now on files of the open segments may be removed, as another process owns them."""
    def look_at_files(self) -> list[tuple[str, str]]:
        """Looks at the file of each segment; returns the names of those that were found damaged since the
        last call, each with what happened to it."""
    def take_watch_refusal(self) -> str | None:
        """Why the files of some segments cannot be watched for changes; the first reason, once."""
    @property
    def first_day(self) -> int | None:
        """First day that has a record, None without records."""
    @property
    def memory_rows(self) -> MemoryRows:
        """Rows in memory."""
    @property
    def segments(self) -> list[OpenSegment]:
        """All segments, by day."""

def ledger_columns() -> list[tuple[str, str]]:
    """Columns of the ledger of a cluster, in order, with their types in ClickHouse.

    An absent integer is -9223372036854775808, an absent text is ''.
    """

def rewrite_ledger_rows(
    rows: bytes, rules: LedgerRules, deletion: DeletionRule | None, *, day: int, seq: int, nonce: int
) -> LedgerRewrite:
    """Removes live rows of one home day that a deletion covers, and scrubs the others.

    `rows` as for `LedgerGroup.plan`; `seq` is the number of the commit, and `nonce` the `writer` of its
    marker. Raises ValueError and DataDamagedError as `LedgerGroup.plan` does.
    """

def archive_ledger_rows(rows: bytes) -> tuple[bytes, int]:
    """The live rows as `Engine.stored_records` returns records, and how many they are; `rows` as for
    `LedgerGroup.plan`.

    Raises ValueError and DataDamagedError as that does.
    """

def count_ledger_parties(rows: bytes, key: bytes, digests: Sequence[bytes]) -> int:
    """How many of the rows have a number with one of these digests, also in a version that does not show.

    Raises ValueError and DataDamagedError as `LedgerGroup.plan` does.
    """

def usage_response(
    partials: Partials,
    *,
    header: bytes,
    limits: AnswerLimits,
    edges: NDArray[np.int64],
    warmup_bin_count: int,
    sma_period: int | None,
    now_us: int,
    zone: Zone,
) -> bytes:
    """A `QueryAsrUsageResponse`: the header, which has range and notices, and the rest.

    `edges` has shape (bins + 1,). The first `warmup_bin_count` bins are read by the moving
    average over `sma_period` bins and are not returned. Times print in the zone's offsets.

    This function and the next three raise AnswerTooLargeError, MemoryLimitError, CancelledError or
    DeadlineError, see `AnswerLimits`, and ValueError if the partials are not of a scan with these edges and
    keys, or a sum exceeds 64 bits.
    """

def quality_response(
    partials: Partials,
    *,
    header: bytes,
    limits: AnswerLimits,
    clipped_us: NDArray[np.int64],
    calendar_us: NDArray[np.int64],
    with_answers: bool,
    with_durations: bool,
) -> bytes:
    """A `QueryOriginationQualityResponse`: the header, which has range and notices, and the rest.

    Both arrays have shape (bins + 1,): the edges of the bins as the range clips them, which
    CPS divides by, and those of the whole calendar bins. Without answers, the answer has neither answered
    calls nor ASR; without durations, neither their sums nor ACD.
    """

def folder_response(
    partials: Partials,
    *,
    header: bytes,
    limits: AnswerLimits,
    edges: NDArray[np.int64],
    zone: Zone,
    with_answers: bool,
    with_durations: bool,
) -> bytes:
    """A `QueryFolderStatsResponse`: the header, which has range and notices, and the rest.

    Bins are local days. Without answers, the answer has no answered calls; without durations, neither their
    sums nor their averages.
    """

def active_response(
    partials: Partials,
    *,
    header: bytes,
    limits: AnswerLimits,
    fields: Sequence[str],
    order: Sequence[OrderTerm],
    limit: int | None,
    rollup: bool,
    zone: Zone,
) -> bytes:
    """A `QueryActiveSessionsResponse`: the header, which has range and time, and the rest.

    `fields` are the fields to return, those that are keys in the order of the scan's keys.
    Raises SubtotalLimitError, and ValueError for an unknown field or a sum beyond 64 bits.
    """

def rank_groups(
    partials: TrafficPartials, figure: Figure, covered_us: int, limit: int, ascending: bool
) -> RankedGroups:
    """The first `limit` groups by the value of a figure over all bins, which cover `covered_us`.

    The greatest come first, with `ascending` the least; groups without a value come last, and equal ones by
    their keys: numbers by value, texts by their UTF-8 bytes, absent ones last.

    Raises ValueError if the partials lack a measure of the figure, or if a whole number leaves the range from
    0 to 2^63 - 1, and MemoryLimitError.
    """

def traffic_response(
    partials: TrafficPartials,
    rest: TrafficPartials | None,
    *,
    header: bytes,
    limits: AnswerLimits,
    columns: Sequence[TrafficColumn],
    covered_us: NDArray[np.int64],
    calendar_us: NDArray[np.int64],
    now_us: int,
    ranked: RankedGroups | None,
    other: bool,
    value_count_max: int,
    compared: ComparedTraffic | None,
) -> bytes:
    """A `QueryTrafficResponse`: the header, which has range, notices and latest setup time, and the rest.

    `covered_us` has shape (bins,): the microseconds that each bin covers, which rates divide by. The shape of
    `calendar_us` is (bins + 1,), or (0,): the edges of the whole calendar bins, from which starts and
    completeness follow. With `compared`, the answer has the figures of an earlier range, too. With `ranked`,
    the answer has these groups in this order; without, all groups by key. `rest` are the same measures by
    bin, without keys, of the groups that the partials lack; None if they lack none. With `other`, the groups
    that `ranked` left out are one more. A column without totals has no value for several groups together, the
    one of all others included.

    Raises CellLimitError for more values (bins times groups times columns, twice as many with `compared`)
    than `value_count_max`,
    AnswerTooLargeError, MemoryLimitError, CancelledError or DeadlineError, see `AnswerLimits`, and ValueError
    if partials, bins and columns do not fit each other, or if a whole number leaves the range from 0 to
    2^63 - 1.
    """

def format_time(us: int, zone: Zone) -> str:
    """RFC 3339 of an instant in the zone's offset, `Z` for offset 0."""

def decode_code_deck(
    data: bytes, *, entry_count_max: int, text_bytes_max: int, bad_entry_count_max: int
) -> CodeDeckRequest:
    """Decodes a `PutCodeDeckRequest`, validates its entries and builds the deck.

    With more than `entry_count_max` entries, it looks at none of them. Raises MalformedMessageError.
    """

def decode_batch(data: bytes, config: Config) -> DecodedBatch:
    """Decodes a `WriteRecordsRequest` and validates its records.

    The rules for new records apply unless the request says that its records were stored before. Of the
    configuration it reads the limits of batches. Raises MalformedMessageError, BatchLimitError or
    BatchIdTooLongError.
    """

def core_version() -> str:
    """Returns the version and, in parentheses, whether it is a release or a debug build, and which processors
    it needs: a level such as x86-64-v3, or the baseline of another architecture."""

def count_lists(data: bytes, paths: Sequence[ListPath]) -> tuple[list[int], int]:
    """The number of values that a serialized message has of each list, and the number of its fields.

    Raises MalformedMessageError.
    """

def tuning_defaults() -> dict[str, int]:
    """The core's own defaults of the fields of `Tuning` that it reads."""

def record_fields() -> list[str]:
    """Names of the fields of a record, in the order of their tags."""

def canonical_party(text: str) -> str:
    """The form that all texts of one number or name have in common; "" without a digit or a letter."""

def masked_party(text: str, keep_digits: int) -> str:
    """The text with its first `keep_digits` digits; further digits and all letters are `*`."""

def party_digest(key: bytes, text: str) -> bytes:
    """The digest of the canonical form of a text, 16 bytes, as the key."""

def check_file(directory: Path, file: ManifestEntry) -> None:
    """Reads a whole file of the catalogue; raises DataDamagedError or OSError."""

def check_journal(directory: Path, sequence: int) -> JournalContent:
    """Reads a whole journal file; raises DataDamagedError or OSError."""

def journal_sequences(directory: Path) -> list[int]:
    """Numbers of the journal files of a data directory, ascending."""

def journal_has_batches(directory: Path, sequence: int) -> bool:
    """Whether a journal file is more than the remainder of a creation that a crash interrupted.

    Raises OSError.
    """

def journal_predecessor(directory: Path, sequence: int) -> int | None:
    """Number of the file before a journal file, which its header names; None for the first one.

    Raises DataDamagedError or OSError.
    """
