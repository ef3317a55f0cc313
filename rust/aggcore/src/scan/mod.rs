//! The scan: which records count, in which bin and group they fall, and their integer sums.

pub(crate) mod accumulate;
mod aggregation_table;
mod bin_assignment;
pub mod code_deck;
pub mod column;
pub mod compiled_predicate;
pub(crate) mod dense_ids;
mod group_key;
pub(crate) mod minute_histogram;
mod minute_lanes;
mod minute_scan;
mod network;
mod partials;
pub mod predicate;
mod predicate_kernels;
mod scanner;
pub mod selection;

use crate::cancellation::CancelToken;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::schema::segment_column;

use code_deck::Deck;
use column::SliceColumns;
use compiled_predicate::compile_residual;
use predicate::Predicate;
use selection::Selector;

pub use crate::columns::sums::Sums;
pub use accumulate::Measure;
pub use partials::{KeyValues, Partials};
pub use scanner::Scanner;

/// What a call's duration is read from, as far as a slice has it.
const CALL_COLUMNS: [&str; 3] = [segment_column::NAME_OF_DURATION, "answer_time", "end_time"];

/// What to sum over which records.
pub struct Scan<'a> {
    /// Bin i is [edges[i], edges[i + 1]) of the setup time, ascending microseconds UTC; empty for no bins.
    /// `None`: one bin of all time.
    pub edges: Option<&'a [i64]>,
    /// Conditions that must all hold.
    pub predicates: &'a [Predicate],
    /// SliceColumns to group by.
    pub keys: &'a [String],
    /// What is summed.
    pub measure: Measure,
    /// Stands in place of the rates that the records carry.
    pub deck: Option<&'a Deck>,
    /// AggregationTable that may be reached.
    pub cell_count_max: usize,
    /// Ends the work early.
    pub cancel: &'a CancelToken,
}

impl Scan<'_> {
    /// SliceColumns of the records that the scan reads.
    pub fn column_names(&self) -> Vec<&str> {
        let mut names = column_names(self.predicates);
        names.extend(self.keys.iter().map(String::as_str));
        match self.measure {
            Measure::Sessions => {}
            Measure::Calls => names.extend(CALL_COLUMNS),
            Measure::Elapsed { .. } => names.push("answer_time"),
        }
        if self.keys.is_empty() {
            names.extend([segment_column::NAME_OF_MINUTE, segment_column::NAME_OF_DURATION]);
        }
        if self.deck.is_some() {
            names.extend(["orig_dst_party_id", "term_dst_party_id"]);
        }
        names
    }

    /// Setup times that any bin has: from, to.
    pub fn range(&self) -> (i64, i64) {
        match self.edges {
            None => (i64::MIN, i64::MAX),
            Some([first, .., last]) => (*first, *last),
            Some(_) => (0, 0),
        }
    }
}

/// SliceColumns that conditions read.
pub fn column_names(predicates: &[Predicate]) -> Vec<&str> {
    let names = predicates.iter().map(Predicate::column);
    names.flat_map(|name| if name == "duration_ms" { CALL_COLUMNS.to_vec() } else { vec![name] }).collect()
}

/// Whether any record of a slice meets all conditions.
///
/// # Errors
/// What [`Scanner::add`] gives.
pub fn any_match(slice: &RecordSlice<'_>, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
    let columns = SliceColumns::new(slice, None);
    let compiled = compile_residual(&predicates.iter().collect::<Vec<_>>(), &columns)?.into_iter().map(|(_, compiled)| compiled);
    let selector = Selector::new(slice, (i64::MIN, i64::MAX), compiled.collect());
    let (mut found, mut rows) = (false, Vec::new());
    selector.each_chunk_while(cancel, |selection| {
        found = !selection.list(&mut rows).is_empty();
        Ok(!found)
    })?;
    Ok(found)
}
