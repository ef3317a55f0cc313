//! The measures of intervals as a loop over the records, bins and instants.

use std::collections::BTreeSet;

use aggcore::testing::ABSENT;
use aggcore::{CodeDeck, TrafficMeasure};

use super::common::OwnedRecord;
use super::naive_traffic::{Cells, Measured, holds, key_text};

/// Names of measures: interval, and what is asked of it.
pub const INTERVAL_MEASURES: [&str; 4] = ["talk occupied", "talk occupancy", "seized occupied", "seized occupancy"];

pub fn interval_measure(name: &str) -> TrafficMeasure {
    let (what, how) = name.split_once(' ').unwrap();
    TrafficMeasure::named(how, what, 0, Vec::new()).unwrap()
}

/// Start and end of an interval within [from, to), if it is not empty.
fn interval(name: &str, record: &OwnedRecord, now_us: i64, (from, to): (i64, i64)) -> Option<(i64, i64)> {
    let start = record.int(if name.starts_with("talk") { "answer_time" } else { "setup_time" });
    let end = if record.int("end_time") == ABSENT { now_us } else { record.int("end_time") };
    let clipped = (start.max(from), end.min(to));
    (start != ABSENT && clipped.0 < clipped.1).then_some(clipped)
}

/// The number of intervals as a function of the instants at which it changes.
fn steps(intervals: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let instants: BTreeSet<i64> = intervals.iter().flat_map(|&(start, end)| [start, end]).collect();
    let holding = |us: i64| intervals.iter().filter(|(start, end)| (*start..*end).contains(&us)).count() as i64;
    let mut before = 0;
    let changes = instants.into_iter().map(|us| {
        let change = holding(us) - before;
        before += change;
        (us, change)
    });
    changes.filter(|(_, change)| *change != 0).collect()
}

fn measured(name: &str, intervals: &[(i64, i64)]) -> Measured {
    if name.ends_with("occupied") {
        Measured::Sum(intervals.iter().map(|(start, end)| i128::from(end - start)).sum())
    } else {
        Measured::Steps(steps(intervals))
    }
}

/// Returns the expected cells: every record is compared with every bin.
pub fn naive_intervals(
    records: &[OwnedRecord], edges: &[i64], predicates: &[usize], keys: &[usize], measures: &[&str], now_us: i64, deck: &CodeDeck,
) -> Cells {
    let mut cells = Cells::new();
    for bin in 0..edges.len().saturating_sub(1) {
        let range = (edges[bin], edges[bin + 1]);
        let kept: Vec<_> = records.iter().filter(|record| predicates.iter().all(|&number| holds(number, record, deck))).collect();
        let group = |record: &OwnedRecord| -> Vec<String> { keys.iter().map(|&number| key_text(number, record, deck)).collect() };
        let overlapping = |record: &&&OwnedRecord| measures.iter().any(|name| interval(name, record, now_us, range).is_some());
        let mut groups: BTreeSet<Vec<String>> = kept.iter().filter(overlapping).map(|record| group(record)).collect();
        if keys.is_empty() {
            groups.insert(Vec::new());
        }
        for of_group in groups {
            let in_group: Vec<_> = kept.iter().filter(|record| group(record) == of_group).collect();
            let in_bin =
                |name: &str| in_group.iter().filter_map(|record| interval(name, record, now_us, range)).collect::<Vec<_>>();
            let values = measures.iter().map(|name| measured(name, &in_bin(name)));
            cells.insert((bin as u32, of_group), values.collect());
        }
    }
    cells
}
