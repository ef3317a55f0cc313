//! The kernels, each over all rows of a slice, and their answers found without them.

use std::hint::black_box;

use aggcore::cancellation::CancelToken;
use aggcore::columns::slice::RecordSlice;
use aggcore::scan::column::SliceColumns;
use aggcore::scan::compiled_predicate::CompiledPredicate;
use aggcore::scan::predicate::Predicate;
use aggcore::scan::selection::{Selection, Selector};
use aggcore::scan::{Measure, Partials, Scan, Scanner, Sums};

use super::{Call, DAY_US, Day, FROM_US};

const US_PER_SECOND: i64 = 1_000_000;

/// Edges of the day as one bin.
pub fn day_edges() -> Vec<i64> {
    vec![FROM_US, FROM_US + DAY_US]
}

/// Edges of the minutes of the day.
pub fn minute_edges() -> Vec<i64> {
    (0..=1_440).map(|minute| FROM_US + minute * 60 * US_PER_SECOND).collect()
}

/// Edges every five minutes, none of them a whole minute.
pub fn odd_edges() -> Vec<i64> {
    (0..=289).map(|bin| FROM_US + (bin * 300 - 1) * US_PER_SECOND).collect()
}

/// The columns that folder statistics group by.
pub fn folder_and_agent() -> Vec<String> {
    ["folder", "agent_id"].map(str::to_owned).to_vec()
}

/// A scan for calls.
pub fn scan_of_calls<'a>(edges: &'a [i64], predicates: &'a [Predicate], keys: &'a [String], cancel: &'a CancelToken) -> Scan<'a> {
    Scan { edges: Some(edges), predicates, keys, measure: Measure::Calls, deck: None, cell_count_max: 1_000_000, cancel }
}

/// Calls of a slice by bin and key, found by one thread.
pub fn slice_partials(slice: &RecordSlice<'_>, edges: &[i64], predicates: &[Predicate], keys: &[String]) -> Partials {
    let cancel = CancelToken::with_limit(None);
    let scan = scan_of_calls(edges, predicates, keys, &cancel);
    let mut scanner = Scanner::new(&scan);
    scanner.add(slice).unwrap();
    scanner.finish().unwrap()
}

/// Calls of a store by bin and key: it keeps sums of what is often asked for.
pub fn store_partials(day: &Day, edges: &[i64], keys: &[String]) -> Partials {
    let cancel = CancelToken::with_limit(None);
    day.store.partials(&scan_of_calls(edges, &[], keys, &cancel)).unwrap()
}

/// Finds the rows of a slice that a condition holds for.
pub fn select(slice: &RecordSlice<'_>, predicate: &Predicate) {
    each_selection(slice, predicate, |selection| {
        black_box(selection);
    });
}

/// How many rows of a slice a condition holds for.
pub fn selected_count(slice: &RecordSlice<'_>, predicate: &Predicate) -> usize {
    let mut count = 0;
    each_selection(slice, predicate, |selection| {
        count += match selection {
            Selection::Range(run) => run.len(),
            Selection::Mask(_, mask) => mask.iter().filter(|kept| **kept == 1).count(),
            Selection::Indices(rows) => rows.len(),
        }
    });
    count
}

/// Sums of calls by bin, one call after the other.
pub fn sums_of(calls: impl Iterator<Item = Call>, edges: &[i64]) -> Vec<Sums> {
    let mut bins = vec![[0; 3]; edges.len() - 1];
    for call in calls {
        let bin = &mut bins[((call.setup_us - edges[0]) / (edges[1] - edges[0])) as usize];
        bin.iter_mut().zip(call.sums()).for_each(|(sum, added)| *sum += added);
    }
    bins
}

fn each_selection(slice: &RecordSlice<'_>, predicate: &Predicate, mut take: impl FnMut(Selection<'_>)) {
    let columns = SliceColumns::new(slice, None);
    let selector = Selector::new(slice, (i64::MIN, i64::MAX), vec![CompiledPredicate::new(predicate, &columns).unwrap()]);
    let taken = selector.each_chunk(&CancelToken::with_limit(None), |selection| {
        take(selection);
        Ok(())
    });
    taken.unwrap();
}
