//! Rows of tables that are scanned in pieces, in turns by two scanners, as threads take them.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use aggcore::cancellation::CancelToken;
use aggcore::columns::row_set::RowSet;
use aggcore::columns::slice::RecordSlice;
use aggcore::error::{Error, Result};
use aggcore::scan::{Measure, Partials, Scan, Scanner};
use aggcore::storage::memtable::{Memtable, RowMetadata};
use common::{OwnedRecord, batch, cells, distinct_records};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

/// Texts and integers of which all pieces of a table say the same, and others.
const KEYS: [&str; 7] = ["company", "app_id", "folder", "customer_price", "setup_time", "session_id", "duration_ms"];

fn table_of(records: &[OwnedRecord]) -> Memtable {
    let (batch, mut table) = (batch(records), Memtable::default());
    let rows: Vec<usize> = (0..batch.rows()).collect();
    table.append(&batch.fields(), &rows, |row| RowMetadata { key_hash: row as u64, versions: None, received_us: 0 });
    table
}

/// All rows as slices that are not said to be of one table.
fn scanned_apart(scan: &Scan<'_>, tables: &[Memtable]) -> Partials {
    let (no_tombstones, mut scanner) = (RowSet::default(), Scanner::new(scan));
    tables.iter().for_each(|table| scanner.add(&table.slice(&no_tombstones)).unwrap());
    scanner.finish().unwrap()
}

fn scanned_in_pieces(scan: &Scan<'_>, tables: &[Memtable], size: usize, turns: u64) -> Result<Partials> {
    let (no_tombstones, mut scanners) = (RowSet::default(), [Scanner::new(scan), Scanner::new(scan)]);
    let mut turns = (0..u64::BITS).map(|turn| (turns >> turn & 1) as usize).cycle();
    for (number, table) in tables.iter().enumerate() {
        let slice = table.slice(&no_tombstones);
        for start in slice.rows.clone().step_by(size) {
            let rows = start..slice.rows.end.min(start + size);
            scanners[turns.next().unwrap()].add_table_rows(&RecordSlice { rows, ..slice.clone() }, number)?;
        }
    }
    let [one, other] = scanners;
    one.merge(other)?.finish()
}

proptest! {
    #[test]
    fn pieces_of_tables_have_the_sums_of_the_whole(
        records in distinct_records(90), keys in prop::sample::subsequence(KEYS.to_vec(), 1..4), close in 0usize..4,
        size in 1usize..40, turns in any::<u64>(), elapsed in any::<bool>(),
    ) {
        let keys = if close > 0 { KEYS[..close].to_vec() } else { keys };
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let (first, second) = records.split_at(records.len() / 2);
        let (tables, cancel) = ([table_of(first), table_of(second)], CancelToken::with_limit(None));
        let edges = [0, DAY_US, 3 * DAY_US];
        let scan = |cell_count_max| {
            let measure = if elapsed { Measure::Elapsed { as_of_us: DAY_US } } else { Measure::Calls };
            Scan { edges: Some(&edges), predicates: &[], keys: &keys, measure, deck: None, cell_count_max, cancel: &cancel }
        };
        let expected = cells(&scanned_apart(&scan(1_000), &tables));
        let answer = scanned_in_pieces(&scan(expected.len()), &tables, size, turns).unwrap();
        prop_assert_eq!(answer.sums.len(), expected.len());
        prop_assert_eq!(cells(&answer), expected.clone());
        if let Some(allowed) = expected.len().checked_sub(1) {
            let limit = scanned_in_pieces(&scan(allowed), &tables, size, turns);
            prop_assert!(matches!(limit, Err(Error::CellLimit { asked, .. }) if asked == allowed + 1), "{limit:?}");
        }
    }
}
