//! The measured kernels, each over all rows of a slice, and naive computations of their expected results.

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use aggcore::testing::{CompiledPredicate, Plan, RecordSlice, Scanner, Selection, Selector, SliceColumns};
use aggcore::{CancelToken, Key, Measure, Partials, Predicate, QueryMemory, Scan, ScanResources, Sums, Tuning};

use super::{Call, DAY_US, Day, FROM_US};

const US_PER_SECOND: i64 = 1_000_000;

/// Returns the edges of the day as one bin.
pub fn day_edges() -> Vec<i64> {
    vec![FROM_US, FROM_US + DAY_US]
}

/// Returns the edges of the minutes of the day.
pub fn minute_edges() -> Vec<i64> {
    (0..=1_440).map(|minute| FROM_US + minute * 60 * US_PER_SECOND).collect()
}

/// Returns edges every five minutes, one second before the whole minute.
pub fn odd_edges() -> Vec<i64> {
    (0..=289).map(|bin| FROM_US + (bin * 300 - 1) * US_PER_SECOND).collect()
}

/// Returns the columns that folder statistics group by.
pub fn folder_and_agent() -> Vec<Key> {
    Key::columns(&["folder", "agent_id"])
}

/// Returns a scan that adds up calls.
pub fn scan_of_calls<'a>(
    edges: &'a [i64], predicates: &'a [Predicate], keys: &'a [Key], cancel: &'a CancelToken, memory: &'a Arc<QueryMemory>,
    resources: &'a ScanResources,
) -> Scan<'a> {
    Scan {
        edges: Some(edges),
        predicates,
        keys,
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 1_000_000,
        cancel,
        memory,
        resources,
    }
}

/// Scans a slice on one thread.
pub fn slice_partials(slice: &RecordSlice<'_>, edges: &[i64], predicates: &[Predicate], keys: &[Key]) -> Partials {
    // Shared by all runs, as the scans of a store share them.
    static RESOURCES: LazyLock<ScanResources> = LazyLock::new(ScanResources::default);
    let cancel = CancelToken::with_limit(None);
    let memory = RESOURCES.memory.begin_query();
    let scan = scan_of_calls(edges, predicates, keys, &cancel, &memory, &RESOURCES);
    let (columns, mut scanner) = (SliceColumns::new(&scan, slice).unwrap(), Scanner::new(&scan));
    scanner.add(Plan::new(&scan, &columns).unwrap()).unwrap();
    scanner.finish().unwrap()
}

/// Scans the store, which answers from the rollups of its segment.
pub fn store_partials(day: &Day, edges: &[i64], keys: &[Key]) -> Partials {
    let cancel = CancelToken::with_limit(None);
    let memory = day.store.resources().memory.begin_query();
    day.store.partials(&scan_of_calls(edges, &[], keys, &cancel, &memory, day.store.resources())).unwrap()
}

/// Selects the rows of a slice that satisfy a predicate.
pub fn select(slice: &RecordSlice<'_>, predicate: &Predicate) {
    each_selection(slice, predicate, |selection| {
        black_box(selection);
    });
}

/// Counts the rows of a slice that satisfy a predicate.
pub fn selected_count(slice: &RecordSlice<'_>, predicate: &Predicate) -> usize {
    let mut count = 0;
    each_selection(slice, predicate, |selection| {
        count += match selection {
            Selection::Range(run) => run.len(),
            Selection::Mask(_, mask) => mask.iter().filter(|selected| **selected == 1).count(),
            Selection::Indices(rows) => rows.len(),
        }
    });
    count
}

/// Adds up calls by bin, one call after the other. All bins are of the same width.
pub fn sums_of(calls: impl Iterator<Item = Call>, edges: &[i64]) -> Vec<Sums> {
    let mut bins = vec![[0; 3]; edges.len() - 1];
    for call in calls {
        let bin = &mut bins[((call.setup_us - edges[0]) / (edges[1] - edges[0])) as usize];
        bin.iter_mut().zip(call.sums()).for_each(|(sum, added)| *sum += added);
    }
    bins
}

fn each_selection(slice: &RecordSlice<'_>, predicate: &Predicate, mut take: impl FnMut(Selection<'_>)) {
    let columns = SliceColumns::of_records(slice);
    let selector = Selector::new(
        slice,
        (i64::MIN, i64::MAX),
        vec![CompiledPredicate::new(predicate, &columns).unwrap()],
        &Tuning::default(),
    );
    let taken = selector.each_chunk(&CancelToken::with_limit(None), |selection| {
        take(selection);
        Ok(())
    });
    taken.unwrap();
}
