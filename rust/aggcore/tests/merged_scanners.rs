//! A scan that two scanners share, each taking some row slices of each memtable, has the sums of one
//! scanner's scan.
//!
//! Threads share a large scan in this way ([`Plan::of_memtable`], [`Scanner::merge`]).
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use std::sync::Arc;

use aggcore::testing::{Memtable, Plan, RecordSlice, RowMetadata, Scanner, SliceColumns};
use aggcore::{CancelToken, Error, Key, Measure, Partials, Result, RowSet, Scan, ScanResources};
use common::{OwnedRecord, batch, cells, distinct_records};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

/// Group columns. All slices of a memtable encode the first three alike; later ones may get other codes in
/// each slice.
const KEYS: [&str; 7] = ["company", "app_id", "folder", "customer_price", "setup_time", "session_id", "duration_ms"];

fn memtable_of(records: &[OwnedRecord]) -> Memtable {
    let (batch, mut table) = (batch(records), Memtable::new(&Arc::default()));
    let rows: Vec<usize> = (0..batch.rows()).collect();
    table.append(&batch.fields(), &rows, |row| RowMetadata { key_hash: row as u64, versions: None, received_us: 0 });
    table
}

/// Scans each memtable as one slice, in one scanner.
fn scan_whole(scan: &Scan<'_>, tables: &[Memtable]) -> Partials {
    let (no_tombstones, mut scanner) = (RowSet::default(), Scanner::new(scan));
    for table in tables {
        let slice = table.slice(&no_tombstones);
        let columns = SliceColumns::new(scan, &slice).unwrap();
        scanner.add(Plan::new(scan, &columns).unwrap()).unwrap();
    }
    scanner.finish().unwrap()
}

/// Scans the memtables in slices of `size` rows and merges the two scanners.
///
/// Bit i of `turns` selects the scanner of slice i, from bit 0 again after 64 slices.
fn scan_in_turns(scan: &Scan<'_>, tables: &[Memtable], size: usize, turns: u64) -> Result<Partials> {
    let (no_tombstones, mut scanners) = (RowSet::default(), [Scanner::new(scan), Scanner::new(scan)]);
    let mut turns = (0..u64::BITS).map(|turn| (turns >> turn & 1) as usize).cycle();
    for (number, table) in tables.iter().enumerate() {
        let slice = table.slice(&no_tombstones);
        for start in slice.rows.clone().step_by(size) {
            let rows = start..slice.rows.end.min(start + size);
            let slice = RecordSlice { rows, ..slice.clone() };
            let columns = SliceColumns::new(scan, &slice)?;
            scanners[turns.next().unwrap()].add(Plan::new(scan, &columns)?.of_memtable(number))?;
        }
    }
    let [first, second] = scanners;
    first.merge(second)?.finish()
}

proptest! {
    #[test]
    fn merged_scanners_have_the_sums_of_one_scanner(
        records in distinct_records(90), keys in prop::sample::subsequence(KEYS.to_vec(), 1..4), shared in 0usize..4,
        size in 1usize..40, turns in any::<u64>(), elapsed in any::<bool>(),
    ) {
        let keys = if shared > 0 { KEYS[..shared].to_vec() } else { keys };
        let keys = Key::columns(&keys);
        let (first, second) = records.split_at(records.len() / 2);
        let (tables, cancel) = ([memtable_of(first), memtable_of(second)], CancelToken::with_limit(None));
        let (edges, resources) = ([0, DAY_US, 3 * DAY_US], ScanResources::default());
        let memory = resources.memory.begin_query();
        let scan = |cell_count_max| {
            let measure = if elapsed { Measure::Elapsed { as_of_us: DAY_US } } else { Measure::Calls };
            Scan { edges: Some(&edges), predicates: &[], keys: &keys, measure, deck: None, cell_count_max, cancel: &cancel, memory: &memory, resources: &resources }
        };
        let expected = cells(&scan_whole(&scan(1_000), &tables));
        let result = scan_in_turns(&scan(expected.len()), &tables, size, turns).unwrap();
        prop_assert_eq!(result.sums.len(), expected.len());
        prop_assert_eq!(cells(&result), expected.clone());
        if let Some(allowed) = expected.len().checked_sub(1) {
            let limit = scan_in_turns(&scan(allowed), &tables, size, turns);
            prop_assert!(matches!(limit, Err(Error::CellLimit { asked, .. }) if asked == allowed + 1), "{limit:?}");
        }
    }
}
