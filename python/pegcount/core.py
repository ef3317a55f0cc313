"""The API of the Rust core; the only file that imports the extension module."""

from dataclasses import dataclass

from pegcount._aggcore import (
    BadEntry,
    BatchCounts,
    CancelToken,
    CodeDeck,
    CodeDeckRequest,
    DecodedBatch,
    DeletionRule,
    Engine,
    EngineCounters,
    ExportCursor,
    ExportPiece,
    Flush,
    JournalContent,
    ManifestEntry,
    MemoryRows,
    MissingFile,
    NewSegment,
    OpenSegment,
    PanicException,
    Partials,
    PendingCommit,
    QueryResources,
    RecordOutside,
    RecordScope,
    Rejection,
    SegmentEdit,
    SegmentTombstones,
    SourceRecordCounters,
    StoreInfo,
    Versions,
    active_response,
    canonical_party,
    check_file,
    check_journal,
    core_version,
    count_lists,
    decode_batch,
    decode_code_deck,
    folder_response,
    format_time,
    journal_has_batches,
    journal_predecessor,
    journal_sequences,
    masked_party,
    party_digest,
    quality_response,
    record_fields,
    tuning_defaults,
    usage_response,
)

__all__ = [
    "AnswerLimits",
    "BadEntry",
    "BatchCounts",
    "CancelToken",
    "CodeDeck",
    "CodeDeckRequest",
    "DecodedBatch",
    "DeletionRule",
    "Engine",
    "EngineCounters",
    "ExportCursor",
    "ExportPiece",
    "Flush",
    "JournalContent",
    "ManifestEntry",
    "MemoryRows",
    "MissingFile",
    "NewSegment",
    "OpenSegment",
    "PanicException",
    "Partials",
    "PendingCommit",
    "QueryResources",
    "RecordOutside",
    "RecordScope",
    "Rejection",
    "RequiredFile",
    "SegmentEdit",
    "SegmentTombstones",
    "SourceRecordCounters",
    "StoreInfo",
    "Versions",
    "active_response",
    "canonical_party",
    "check_file",
    "check_journal",
    "core_version",
    "count_lists",
    "decode_batch",
    "decode_code_deck",
    "folder_response",
    "format_time",
    "journal_has_batches",
    "journal_predecessor",
    "journal_sequences",
    "masked_party",
    "party_digest",
    "quality_response",
    "record_fields",
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
