//! The boundary to Python: each function converts its arguments, computes without the GIL unless the work is
//! short, and wraps the result.
//!
//! Columns and bytes cross it, rows never do. Only this folder knows PyO3.

mod allocator;
mod arguments;
mod cells;
mod code_deck;
mod counters;
mod cpu;
mod deletion;
mod errors;
mod estimate;
mod joined_bytes;
mod ledger;
mod lists;
mod manifest;
mod moving;
mod partials;
mod record_scope;
mod reports;
mod scrubbing;
mod store;
mod traffic;
mod traffic_cells;
mod traffic_reports;
mod version;
mod versions;

use pyo3::prelude::*;

#[pymodule]
mod _aggcore {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::arguments::{CancelToken, record_fields, tuning_defaults};
    #[pymodule_export]
    use super::cells::CellSums;
    #[pymodule_export]
    use super::code_deck::{BadEntry, CodeDeck, CodeDeckRequest, decode_code_deck};
    #[pymodule_export]
    use super::counters::{EngineCounters, SourceRecordCounters, SourceTotals};
    #[pymodule_export]
    use super::deletion::DeletionRule;
    #[pymodule_export]
    use super::ledger::{
        DayCommit, LedgerBatch, LedgerGroup, LedgerLookup, LedgerPlan, LedgerRewrite, LedgerRules, archive_ledger_rows,
        count_ledger_parties, ledger_columns, rewrite_ledger_rows,
    };
    #[pymodule_export]
    use super::lists::count_lists;
    #[pymodule_export]
    use super::manifest::{ManifestEntry, SegmentTombstones};
    #[pymodule_export]
    use super::moving::{JoinCounts, StoredPiece};
    #[pymodule_export]
    use super::partials::{Partials, QueryResources};
    #[pymodule_export]
    use super::record_scope::{RecordOutside, RecordScope};
    #[pymodule_export]
    use super::reports::{active_response, folder_response, format_time, quality_response, usage_response};
    #[pymodule_export]
    use super::scrubbing::{canonical_party, masked_party, party_digest};
    #[pymodule_export]
    use super::store::{
        BatchCounts, Engine, ExportCursor, ExportPiece, Flush, JournalContent, MemoryRows, MissingFile, NewSegment, OpenSegment,
        PendingCommit, Rejection, SegmentEdit, StoreInfo, check_file, check_journal, journal_has_batches, journal_predecessor,
        journal_sequences,
    };
    #[pymodule_export]
    use super::traffic::TrafficPartials;
    #[pymodule_export]
    use super::traffic_cells::TrafficCells;
    #[pymodule_export]
    use super::traffic_reports::{RankedGroups, rank_groups, traffic_response};
    #[pymodule_export]
    use super::version::core_version;
    #[pymodule_export]
    use super::versions::{DecodedBatch, Versions, decode_batch};

    /// Fails the import on a processor that the build does not support. `PanicException`, which PyO3 raises for a bug of
    /// the core, derives from BaseException.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::cpu::check().map_err(pyo3::exceptions::PyImportError::new_err)?;
        module.add("PanicException", module.py().get_type::<pyo3::panic::PanicException>())
    }
}
