"""The API of the Rust core; the only file that imports the extension module."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pegcount._aggcore import (
    BadEntry,
    BatchCounts,
    CancelToken,
    CellSums,
    CodeDeck,
    CodeDeckRequest,
    DayCommit,
    DecodedBatch,
    DeletionRule,
    Engine,
    EngineCounters,
    ExportCursor,
    ExportPiece,
    Flush,
    JoinCounts,
    JournalContent,
    LedgerBatch,
    LedgerGroup,
    LedgerLookup,
    LedgerPlan,
    LedgerRewrite,
    LedgerRules,
    ManifestEntry,
    MemoryRows,
    MissingFile,
    NewSegment,
    OpenSegment,
    PanicException,
    Partials,
    PendingCommit,
    QueryResources,
    RankedGroups,
    RecordOutside,
    RecordScope,
    Rejection,
    SegmentEdit,
    SegmentTombstones,
    SourceRecordCounters,
    SourceTotals,
    StoredPiece,
    StoreInfo,
    TrafficCells,
    TrafficPartials,
    Versions,
    active_response,
    archive_ledger_rows,
    canonical_party,
    check_file,
    check_journal,
    core_version,
    count_ledger_parties,
    count_lists,
    decode_batch,
    decode_code_deck,
    folder_response,
    format_time,
    journal_has_batches,
    journal_predecessor,
    journal_sequences,
    ledger_columns,
    masked_party,
    party_digest,
    quality_response,
    rank_groups,
    record_fields,
    rewrite_ledger_rows,
    traffic_response,
    tuning_defaults,
    usage_response,
)

__all__ = [
    "AnswerLimits",
    "BadEntry",
    "BatchCounts",
    "CancelToken",
    "CellSums",
    "CodeDeck",
    "CodeDeckRequest",
    "ComparedTraffic",
    "DayCommit",
    "DecodedBatch",
    "DeletionRule",
    "Engine",
    "EngineCounters",
    "ExportCursor",
    "ExportPiece",
    "Flush",
    "JoinCounts",
    "JournalContent",
    "LedgerBatch",
    "LedgerGroup",
    "LedgerLookup",
    "LedgerPlan",
    "LedgerRewrite",
    "LedgerRules",
    "ManifestEntry",
    "MemoryRows",
    "MissingFile",
    "NewSegment",
    "OpenSegment",
    "PanicException",
    "Partials",
    "PendingCommit",
    "QueryResources",
    "RankedGroups",
    "RecordOutside",
    "RecordScope",
    "Rejection",
    "RequiredFile",
    "SegmentEdit",
    "SegmentTombstones",
    "SourceRecordCounters",
    "SourceTotals",
    "StoreInfo",
    "StoredPiece",
    "TrafficCells",
    "TrafficPartials",
    "Versions",
    "active_response",
    "archive_ledger_rows",
    "canonical_party",
    "check_file",
    "check_journal",
    "core_version",
    "count_ledger_parties",
    "count_lists",
    "decode_batch",
    "decode_code_deck",
    "folder_response",
    "format_time",
    "journal_has_batches",
    "journal_predecessor",
    "journal_sequences",
    "ledger_columns",
    "masked_party",
    "party_digest",
    "quality_response",
    "rank_groups",
    "record_fields",
    "rewrite_ledger_rows",
    "traffic_response",
    "tuning_defaults",
    "usage_response",
]


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """What building the answer to a scan may take."""

    cancel_token: CancelToken
    """Stops the work soon after the deadline or a cancellation."""
    bytes_max: int
    """Bytes of the answer, header included."""
    subtotal_count_max: int
    """Subtotals of a rollup."""


@dataclass(frozen=True, slots=True)
class RequiredFile:
    """A file without which acknowledged batches would be lost, and what its path must lead to."""

    name: str
    """Path within the data directory; empty for the directory itself."""
    identity: tuple[int, int]
    """Device and inode."""
    content: tuple[int, int] | None
    """Its bytes, and its last modification in nanoseconds since 1970; None while it may change."""


@dataclass(frozen=True, slots=True)
class ComparedTraffic:
    """The earlier range that the answer to a traffic question is compared with."""

    header: bytes
    """A serialized `TrafficComparison` with the range."""
    partials: TrafficPartials
    rest: TrafficPartials | None
    """By bin, without keys, of the groups that `partials` lack; None if they lack none."""
    covered_us: NDArray[np.int64]
    """Microseconds that each earlier bin covers: shape (earlier bins,)."""
    calendar_us: NDArray[np.int64]
    """Edges of the earlier calendar bins: shape (earlier bins + 1,), or (0,)."""
    pair: NDArray[np.int64]
    """By bin of the answer: the earlier bin that belongs to it, -1 without one."""
