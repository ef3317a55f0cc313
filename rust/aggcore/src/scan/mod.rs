//! Scans: which records count, into which bin and group they fall, and their integer sums.
//!
//! A [`Scan`] says what to sum. Each row slice then goes through these steps, in this order:
//!
//! 1. [`Plan`] binds predicates (`compiled_predicate`), keys (`column`) and measure (`row_values`) to the columns of the
//!    slice. If a rollup of the storage has the sums, a plan for the rows of the rollup takes its place.
//! 2. `selection` selects rows, chunk by chunk, by predicates, setup time and tombstones.
//! 3. `group_key` and `dense_ids` turn the bin and the keys of each selected row into the index of its cell.
//!    In a scan without keys, `bin_assignment` finds the bin, which is the cell.
//! 4. `accumulate` adds the values of the row to the sums of its cell.
//!
//! [`Scanner::add`] runs the steps 2 to 4 of a plan, and holds the sums.
//!
//! A scan without keys whose bins are whole minutes replaces steps 3 and 4: `minute_scan` adds each row to
//! its minute, and each minute is added to its bin at the end.
//!
//! `cell_sums` adds the sums that the servers of a cluster have formed for one scan; `answer_cells` finds the cells of their
//! answers.
//!
//! All sums are integers, so that they do not depend on the order in which slices are added.

mod accumulate;
mod aggregation_table;
mod answer_cells;
mod answer_keys;
mod bin_assignment;
pub(crate) mod cell_places;
mod cell_sums;
mod cell_values;
pub mod code_deck;
mod code_deck_json;
pub mod code_deck_request;
pub mod column;
pub mod compiled_predicate;
pub(crate) mod dense_ids;
mod group_key;
mod group_scanner;
mod group_verdicts;
mod kept_verdicts;
mod key;
mod measure;
pub(crate) mod minute_histogram;
mod minute_lanes;
mod minute_scan;
mod network;
mod pair_verdicts;
mod partials;
mod plan;
pub mod predicate;
mod predicate_kernels;
mod row_values;
mod scanner;
pub mod selection;
pub mod sums;
pub mod traffic;

use std::sync::Arc;

use crate::cancellation::CancelToken;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::memory::{MemoryBudget, MemoryLimits, QueryMemory};
use crate::record::schema::segment_column;
use crate::tuning::Tuning;

use code_deck::CodeDeck;
use column::{SliceColumns, is_deck_rate};
use compiled_predicate::compile_residual;
use dense_ids::{DenseIds, IdTablePool};
use predicate::Predicate;
use selection::Selector;

pub use cell_sums::CellSums;
pub use kept_verdicts::KeptVerdicts;
pub use key::{Key, LocalOffsets, LocalPart};
pub use measure::{Measure, Measured};
pub use partials::{KeyValues, Partials};
pub use plan::{Plan, RollupRows};
pub use scanner::Scanner;
pub use sums::Sums;
pub use traffic::TrafficScan;

/// The columns that a call duration is read from: the duration itself if the slice has it, otherwise both
/// times.
const CALL_COLUMNS: [&str; 3] = [segment_column::NAME_OF_DURATION, "answer_time", "end_time"];

/// A query: integer sums of the records that satisfy all predicates, by bin and group key.
pub struct Scan<'a, M = Measure> {
    /// Edges of the bins in microseconds UTC, ascending: bin `i` has the records with a setup time in
    /// `edges[i]..edges[i + 1]`. Empty: a scan without bins, which selects nothing. `None`: one bin of all time.
    pub edges: Option<&'a [i64]>,
    /// The conditions that a record must satisfy.
    pub predicates: &'a [Predicate],
    /// What to group by.
    pub keys: &'a [Key],
    /// The values to sum.
    pub measure: M,
    /// The code deck whose rates replace those that the records carry.
    pub deck: Option<&'a CodeDeck>,
    /// Cells that a scan with keys may have before it fails.
    pub cell_count_max: usize,
    /// Checked once per chunk.
    pub cancel: &'a CancelToken,
    /// Holds the memory of the scan, and of its result until the query ends.
    pub memory: &'a Arc<QueryMemory>,
    /// What the scans of a store share.
    pub resources: &'a ScanResources,
}

/// What the scans of one store share: its tuning, its memory budget and its pooled lookup tables.
#[derive(Debug, Default)]
pub struct ScanResources {
    /// The tuning of the store.
    pub tuning: Arc<Tuning>,
    /// The memory that all queries of the store share.
    pub memory: Arc<MemoryBudget>,
    id_tables: Arc<IdTablePool>,
}

impl ScanResources {
    /// Creates the resources of a store.
    pub fn new(tuning: &Arc<Tuning>, memory: MemoryLimits) -> Self {
        let memory = Arc::new(MemoryBudget::new(memory));
        Self { tuning: Arc::clone(tuning), memory, id_tables: Arc::new(IdTablePool::new(tuning)) }
    }

    /// Returns empty dense ids for values below `bound` in about `row_count` rows.
    pub(crate) fn dense_ids(&self, bound: u64, row_count: usize) -> DenseIds {
        DenseIds::with_bound(bound, row_count, &self.id_tables)
    }
}

impl<M: Measured> Scan<'_, M> {
    /// Names of the columns that the scan reads. A slice may lack all others.
    pub fn column_names(&self) -> Vec<&str> {
        let mut names = column_names(self.predicates);
        names.extend(self.keys.iter().map(Key::source));
        names.extend(self.measure.column_names());
        if self.keys.is_empty() {
            names.extend([segment_column::NAME_OF_MINUTE, segment_column::NAME_OF_DURATION]);
        }
        if self.reads_deck_rates() {
            names.extend(["orig_dst_party_id", "term_dst_party_id"]);
        }
        names
    }
}

impl<'a, M> Scan<'a, M> {
    /// The keys whose values are derived from columns, each once.
    fn derived_keys(&self) -> Vec<&'a Key> {
        let of_predicates = self.predicates.iter().flat_map(Predicate::keys);
        let mut derived = Vec::new();
        for key in self.keys.iter().chain(of_predicates).filter(|key| key.is_derived()) {
            if !derived.contains(&key) {
                derived.push(key);
            }
        }
        derived
    }

    /// The range of setup times [from, to) of all bins, microseconds UTC.
    pub fn range(&self) -> (i64, i64) {
        range_of(self.edges)
    }

    /// Whether the result depends on the code deck.
    pub fn reads_deck(&self) -> bool {
        let of_predicates = self.predicates.iter().flat_map(Predicate::keys);
        self.reads_deck_rates() || self.keys.iter().chain(of_predicates).any(|key| matches!(key, Key::DeckCode { .. }))
    }

    /// Whether the scan reads rates of the code deck, which are looked up for each row.
    pub fn reads_deck_rates(&self) -> bool {
        let keys = self.keys.iter().map(Key::source);
        self.deck.is_some() && keys.chain(column_names(self.predicates)).any(is_deck_rate)
    }
}

/// The range of setup times [from, to) of all bins, microseconds UTC; see [`Scan::edges`].
pub fn range_of(edges: Option<&[i64]>) -> (i64, i64) {
    match edges {
        None => (i64::MIN, i64::MAX),
        Some([first, .., last]) => (*first, *last),
        Some(_) => (0, 0),
    }
}

/// Names of the columns that predicates read.
pub fn column_names(predicates: &[Predicate]) -> Vec<&str> {
    let names = predicates.iter().flat_map(Predicate::columns);
    names.flat_map(|name| if name == "duration_ms" { CALL_COLUMNS.to_vec() } else { vec![name] }).collect()
}

/// Whether any record of a slice satisfies all predicates.
///
/// # Errors
/// As [`Scanner::add`].
pub fn any_match(slice: &RecordSlice<'_>, predicates: &[Predicate], cancel: &CancelToken, tuning: &Tuning) -> Result<bool> {
    let columns = SliceColumns::of_records(slice);
    let compiled = compile_residual(&predicates.iter().collect::<Vec<_>>(), &columns)?.into_iter().map(|(_, compiled)| compiled);
    let selector = Selector::new(slice, (i64::MIN, i64::MAX), compiled.collect(), tuning);
    let (mut found, mut rows) = (false, Vec::new());
    selector.each_chunk_while(cancel, |selection| {
        found = !selection.list(&mut rows).is_empty();
        Ok(!found)
    })?;
    Ok(found)
}
