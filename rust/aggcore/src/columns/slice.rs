//! Row slices: ranges of rows of borrowed columns, the input of a scan.
//!
//! Memtables and segments present their records as slices, and rollups their groups. A slice carries statistics
//! that let a scan skip work (sorted rows, bounds of times, one UTC day, one account, min/max statistics); they
//! may be unknown or wider than the values of the rows, never narrower.

use std::ops::Range;

use super::RecordColumns;
use super::call_duration::CallDurations;
use super::dictionary::partition_point;
use super::integer::ColumnStats;
use super::row_set::RowSet;
use crate::record::schema::INT_COUNT;

/// What is known of the accounts of some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountsOfRows {
    /// Nothing: they may be of any account.
    Any,
    /// All rows have the account with this dictionary code.
    One(usize),
    /// All rows are without an account.
    Absent,
}

/// A range of rows with their columns and statistics.
#[derive(Clone)]
pub struct RecordSlice<'a> {
    /// The rows of the slice. Columns may be longer: row numbers index all columns below directly.
    pub rows: Range<usize>,
    /// Whether setup times ascend over `rows`, so that a range of time is found by binary search.
    pub is_sorted_by_setup: bool,
    /// Lower and upper bound, both inclusive, of the setup times of all rows, microseconds UTC.
    pub setup_range: (i64, i64),
    /// Setup times by row, microseconds UTC.
    pub setup_us: &'a [i64],
    /// Minute of the UTC day of each setup time, 0 to 1,439; present only if all rows are of one UTC day.
    pub setup_minute: Option<&'a [u16]>,
    /// What is known of the accounts of the rows.
    pub accounts: AccountsOfRows,
    /// Call durations by row.
    pub durations: CallDurations<'a>,
    /// Columns of the fields of the records.
    pub fields: RecordColumns<'a>,
    /// Min/max statistics of the integer columns by slot, if known.
    pub column_stats: Option<&'a [ColumnStats; INT_COUNT]>,
    /// By row, when the last version that changed the record was received, microseconds UTC.
    pub received_us: &'a [i64],
    /// Min/max statistics of `received_us`.
    pub received_stats: ColumnStats,
    /// Rows that a newer version replaced in another table or segment; scans skip them.
    pub tombstones: &'a RowSet,
}

impl RecordSlice<'_> {
    /// Narrows the slice to the rows set up in [from, to), microseconds UTC, by binary search. Its rows must
    /// be sorted.
    pub fn restrict_to(&mut self, from: i64, to: i64) {
        let first = partition_point(self.rows.clone(), |row| self.setup_us[row] < from);
        self.rows = first..partition_point(first..self.rows.end, |row| self.setup_us[row] < to);
    }

    /// Returns whether all rows are known to be set up in [from, to), microseconds UTC.
    pub fn lies_within(&self, from: i64, to: i64) -> bool {
        let (rows, holds) = (&self.rows, |first: i64, last: i64| from <= first && last < to);
        holds(self.setup_range.0, self.setup_range.1)
            || self.is_sorted_by_setup && !rows.is_empty() && holds(self.setup_us[rows.start], self.setup_us[rows.end - 1])
    }

    /// Returns the earliest and latest setup time of the rows without a tombstone; `None` if every row has
    /// one.
    pub fn live_setup_range(&self) -> Option<(i64, i64)> {
        let live_us = self.rows.clone().filter(|&row| !self.tombstones.contains(row)).map(|row| self.setup_us[row]);
        live_us.fold(None, |range, us| Some(range.map_or((us, us), |(low, high): (i64, i64)| (low.min(us), high.max(us)))))
    }
}

/// Returns the range that strictly ascending row numbers form; `None` if they leave a gap or are empty.
pub fn contiguous_range(rows: &[u32]) -> Option<Range<usize>> {
    let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
    (last - first + 1 == rows.len()).then_some(first..last + 1)
}
