//! The kernels, each over all rows of a part, and their answers found without them.

use std::hint::black_box;

use aggcore::cancellation::Stop;
use aggcore::columns::slice::RecordSlice;
use aggcore::scan::column::Columns;
use aggcore::scan::predicate::{Compiled, Predicate};
use aggcore::scan::selection::{Chooser, Chosen};
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
pub fn scan_of_calls<'a>(edges: &'a [i64], predicates: &'a [Predicate], keys: &'a [String], stop: &'a Stop) -> Scan<'a> {
    Scan { edges: Some(edges), predicates, keys, measure: Measure::Calls, deck: None, cell_count_max: 1_000_000, stop }
}

/// Calls of a part by bin and key, found by one thread.
pub fn scanned(part: &RecordSlice<'_>, edges: &[i64], predicates: &[Predicate], keys: &[String]) -> Partials {
    let stop = Stop::after(None);
    let scan = scan_of_calls(edges, predicates, keys, &stop);
    let mut scanner = Scanner::new(&scan);
    scanner.add(part).unwrap();
    scanner.finish().unwrap()
}

/// Calls of a store by bin and key: it keeps sums of what is often asked for.
pub fn asked(day: &Day, edges: &[i64], keys: &[String]) -> Partials {
    let stop = Stop::after(None);
    day.store.partials(&scan_of_calls(edges, &[], keys, &stop)).unwrap()
}

/// Finds the rows of a part that a condition holds for.
pub fn choose(part: &RecordSlice<'_>, predicate: &Predicate) {
    each_chosen(part, predicate, |chosen, rows| {
        black_box((chosen, rows));
    });
}

/// How many rows of a part a condition holds for.
pub fn chosen_count(part: &RecordSlice<'_>, predicate: &Predicate) -> usize {
    let mut count = 0;
    each_chosen(part, predicate, |chosen, rows| {
        count += match chosen {
            Chosen::Run(run) => run.len(),
            Chosen::Masked(_, mask) => mask.iter().filter(|kept| **kept == 1).count(),
            Chosen::Listed => rows.len(),
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

fn each_chosen(part: &RecordSlice<'_>, predicate: &Predicate, mut take: impl FnMut(Chosen<'_>, &[u32])) {
    let columns = Columns::new(part, None);
    let chooser = Chooser::new(part, (i64::MIN, i64::MAX), vec![Compiled::new(predicate, &columns).unwrap()]);
    let taken = chooser.each_chunk(&Stop::after(None), |chosen, rows| {
        take(chosen, rows);
        Ok(())
    });
    taken.unwrap();
}
