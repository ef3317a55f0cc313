//! The aggregation core of Pegcount: records in columns, scans over them, and the figures of the four reports.
//!
//! Data flows one way: wire bytes → `wire` → `durable` → `storage` → `scan` (integer sums per bin and group) →
//! `response` (ratios, order, wire bytes). The kernels in `scan` know no file, message, clock or time zone: they read
//! borrowed columns and ascending edges in microseconds UTC.
//!
//! Folders are layers. A file imports lower layers and its own folder, never a higher layer or another folder of the same
//! one; tests/test_tidy.py checks it. Lowest first:
//!
//! 1. `error`, `tuning`: the error type; constants that trade speed for memory or work.
//! 2. `cancellation`, `memory`, `private_files`, `record`: deadlines; memory budgets; file modes; a record, its schema and rules.
//! 3. `columns`, `interruptible_sort`, `native`, `time_text`: many records as columns, owned and borrowed; a sort that can be
//!    cancelled; blocks of ClickHouse; instants as text.
//! 4. `wire`: records, versions, code decks and lists of requests in the protobuf wire format.
//! 5. `scan`: predicates, selection, grouping, sums.
//! 6. `response`, `storage`: sums to answers; memtables, segments, rollups.
//! 7. `durable`, `ledger`: the journal and group commit; the signed rows of a cluster.
//! 8. `python`: the boundary to Python, the only folder that knows PyO3.

mod cancellation;
mod columns;
mod durable;
mod error;
mod interruptible_sort;
mod ledger;
mod memory;
mod native;
mod private_files;
#[cfg(feature = "python")]
mod python;
mod record;
mod response;
mod scan;
mod storage;
mod time_text;
mod tuning;
mod wire;

pub use cancellation::CancelToken;
pub use columns::row_set::RowSet;
pub use durable::group_commit::{CommitLimits, JournaledStore, PendingCommit};
pub use durable::journal;
pub use error::{Error, Result};
pub use ledger::{
    DayCommit, GroupBatch, LedgerBatch, LedgerGroup, LedgerLimits, LedgerRewrite, LedgerRules, Lookup, Plan, PlanRequest,
    RewriteCommit, archive_rows as archive_ledger_rows, columns as ledger_columns, count_parties as count_ledger_parties,
    rewrite_rows as rewrite_ledger_rows,
};
pub use memory::{MemoryBudget, MemoryLimits, QueryMemory};
pub use record::data_scope::{DataScope, OutsideValue};
pub use record::deletion::{Deletion, DeletionRules};
pub use record::party::canonical_party;
pub use record::scrubbing::{PartyDigest, Scrubbing, party_digest};
pub use response::{
    ActiveOptions, AnswerLimits, ComparedTraffic, Figure, FigureParameters, Figures, Fold, OrderTerm, RankedGroups,
    TrafficColumn, TrafficOptions, UsageOptions, build_active_response, build_folder_response, build_quality_response,
    build_traffic_response, build_usage_response, folded, rank_groups,
};
pub use scan::code_deck::{CodeDeck, CodeDeckEntry};
pub use scan::code_deck_request::{BadEntry, CodeDeckLimits, CodeDeckRequest, EntryFault};
pub use scan::predicate::{KeyValue, Network, Predicate, TextMatch};
pub use scan::traffic::{
    Condition, Interval, KeyType, MeasureType, MeasureValues, Occupancy, RowValue, StepChanges, TrafficCells, TrafficMeasure,
    TrafficPartials, ValueCounts,
};
pub use scan::{CellSums, Key, KeyValues, LocalOffsets, LocalPart, Measure, Partials, Scan, ScanResources, Sums, TrafficScan};
pub use storage::segment::{ManifestEntry, Segment, Summary};
pub use storage::{BatchOutcome, Flush, SegmentEdit, Store, StoreInfo, StoredStep, join_correction, join_version};
pub use time_text::UtcOffsets;
pub use tuning::Tuning;
pub use wire::lists::{ListPath, count_lists};
pub use wire::version_batch::VersionBatch;
pub use wire::versions::Versions;
pub use wire::{BatchLimits, record_outside};

/// Internals that the core's own tests and benches exercise one by one. Modules are private otherwise, so
/// that the compiler finds code that nothing uses.
#[doc(hidden)]
pub mod testing {
    pub use crate::columns::slice::RecordSlice;
    pub use crate::native::{Block, BlockWriter, Column, Values, read_blocks};
    pub use crate::record::Record;
    pub use crate::record::schema::{
        ABSENT, ColumnKind, DICTIONARY_COUNT, FIELDS, Field, FieldType, INT_COUNT, STRING_COUNT, field, int_slot,
    };
    pub use crate::response::Unlimited;
    pub use crate::scan::column::SliceColumns;
    pub use crate::scan::compiled_predicate::CompiledPredicate;
    pub use crate::scan::selection::{Selection, Selector};
    pub use crate::scan::{Plan, Scanner};
    pub use crate::storage::memtable::{Memtable, RowMetadata};
    pub use crate::wire::columnar_batch::ColumnarBatch;
    pub use crate::wire::encode_record;
    pub use crate::wire::v1;
    pub use crate::wire::v1::{
        ActiveSessionRow, QueryActiveSessionsResponse, QueryAsrUsageResponse, QueryFolderStatsResponse,
        QueryOriginationQualityResponse,
    };
}
