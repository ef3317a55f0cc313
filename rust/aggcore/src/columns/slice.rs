//! A run of records as borrowed columns: what the kernels see, wherever the records are kept.

use std::ops::Range;

use super::RecordColumns;
use super::call_duration::CallDurations;
use super::dictionary::partition_point;
use super::integer::ColumnStats;
use super::row_set::RowSet;
use super::sums::PackedSums;
use crate::record::schema::INT_COUNT;

/// A run of records.
#[derive(Clone)]
pub struct RecordSlice<'a> {
    /// The rows that may be looked at; columns have others too.
    pub rows: Range<usize>,
    /// Whether these ascend by setup time.
    pub is_sorted_by_setup: bool,
    /// Earliest and latest setup time that any row may have.
    pub setup_range: (i64, i64),
    /// Setup times by row, microseconds UTC.
    pub setup_us: &'a [i64],
    /// Their minutes of the UTC day that all rows are of, if they are of one.
    pub setup_minute: Option<&'a [u16]>,
    /// What each row stands for, where it stands for more than itself.
    pub rollup_sums: Option<&'a [PackedSums]>,
    /// Calls that the rows stand for, or more.
    pub call_count_max: u64,
    /// The code of the account that all rows are of, if it is known.
    pub account: Option<usize>,
    /// From answer to end.
    pub durations: CallDurations<'a>,
    /// The fields of the records.
    pub fields: RecordColumns<'a>,
    /// The values that each of the integer columns has, if this is known.
    pub column_stats: Option<&'a [ColumnStats; INT_COUNT]>,
    /// When the last event with an effect was received, microseconds UTC.
    pub received_us: &'a [i64],
    /// What these lie in, as far as it is known.
    pub received_stats: ColumnStats,
    /// Rows that a later version replaced elsewhere; they count no more.
    pub tombstones: &'a RowSet,
}

impl RecordSlice<'_> {
    /// Narrows ascending rows down to those set up in [from, to).
    pub fn restrict_to(&mut self, from: i64, to: i64) {
        let first = partition_point(self.rows.clone(), |row| self.setup_us[row] < from);
        self.rows = first..partition_point(first..self.rows.end, |row| self.setup_us[row] < to);
    }

    /// Whether all rows are set up in [from, to).
    pub fn lies_within(&self, from: i64, to: i64) -> bool {
        let (rows, holds) = (&self.rows, |first: i64, last: i64| from <= first && last < to);
        holds(self.setup_range.0, self.setup_range.1)
            || self.is_sorted_by_setup && !rows.is_empty() && holds(self.setup_us[rows.start], self.setup_us[rows.end - 1])
    }

    /// Earliest and latest setup time of the rows that count, `None` without any.
    pub fn live_setup_range(&self) -> Option<(i64, i64)> {
        let alive = self.rows.clone().filter(|&row| !self.tombstones.contains(row)).map(|row| self.setup_us[row]);
        alive.fold(None, |range, us| Some(range.map_or((us, us), |(low, high): (i64, i64)| (low.min(us), high.max(us)))))
    }
}

/// The rows of an ascending list as a range, where it leaves none out.
pub fn contiguous_range(rows: &[u32]) -> Option<Range<usize>> {
    let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
    (last - first + 1 == rows.len()).then_some(first..last + 1)
}
