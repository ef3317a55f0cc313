//! Estimate of the work of a scan, from what is known in memory: no page of a segment is read or verified.

use std::slice;

use super::memtable::Memtable;
use super::segment::Segment;
use super::state::State;
use super::{ReadTimes, Store};
use crate::scan::predicate::{Predicate, accounts_of, may_be_active, may_be_finished};
use crate::tuning::Tuning;

impl Store {
    /// Estimates how many rows [`Store::partials`] reads for a range of setup times [from, to), microseconds
    /// UTC, and these predicates. It takes microseconds and never waits.
    ///
    /// Memtables and segments count whole, even if a rollup answers for a segment. A scan of a few accounts
    /// counts up to `Tuning::account_row_count_estimate` rows of a segment for each, but all of them while the rows
    /// of these accounts are not known to be verified: finding and verifying them may read from disk. (Otherwise
    /// all rows count anyway, and the pages to verify are in proportion to them.)
    ///
    /// `None` if unknown: a writer has or awaits the lock, or a segment of these days is unreadable, so that
    /// the scan fails.
    pub fn estimate(&self, range: (i64, i64), predicates: &[Predicate]) -> Option<usize> {
        self.state.try_read()?.estimate(ReadTimes::of_setup(range), predicates, self.tuning())
    }

    /// Estimates how many rows [`Store::traffic_partials`] reads more for intervals that overlap a range [from, to), microseconds
    /// UTC, of records that satisfy these predicates; as [`Store::estimate`].
    pub fn estimate_intervals(&self, (from, to): (i64, i64), predicates: &[Predicate]) -> Option<usize> {
        let times = ReadTimes { setup: (i64::MIN, to), ends_after: Some(from) };
        self.state.try_read()?.estimate(times, predicates, self.tuning())
    }
}

impl State {
    /// See [`Store::estimate`].
    fn estimate(&self, times: ReadTimes, predicates: &[Predicate], tuning: &Tuning) -> Option<usize> {
        let is_read = |table: &Memtable| times.may_include(table.setup_range_by_days(), table.end_stats());
        let rows_of = |table: &Memtable| if is_read(table) { table.rows() } else { 0 };
        let active = if may_be_active(predicates) { rows_of(&self.active) } else { 0 };
        if !may_be_finished(predicates) {
            return Some(active);
        }
        let immutable: usize = self.immutable.iter().map(|immutable| rows_of(&immutable.table)).sum();
        let segments = self.readable(slice::from_ref(&times)).ok()?;
        let sealed: usize = segments.map(|entry| rows_to_read(&entry.segment, predicates, tuning)).sum();
        Some(active + rows_of(&self.memtable) + immutable + sealed)
    }
}

/// Rows of a segment that a scan reads; all of them if it may have to verify many pages first.
fn rows_to_read(segment: &Segment, predicates: &[Predicate], tuning: &Tuning) -> usize {
    match accounts_of(predicates) {
        Some(accounts) if !accounts.iter().all(|account| segment.has_verified_account(account)) => segment.rows(),
        _ => verified_rows_to_read(segment, predicates, tuning),
    }
}

/// Rows of a segment that a scan reads once the pages of these rows are verified.
pub(super) fn verified_rows_to_read(segment: &Segment, predicates: &[Predicate], tuning: &Tuning) -> usize {
    match accounts_of(predicates) {
        // One account rarely has most rows of a segment, while all may be without one.
        Some(accounts) if !accounts.contains(&"") => segment.rows().min(accounts.len() * tuning.account_row_count_estimate),
        _ => segment.rows(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_unknown_while_a_writer_has_the_lock() {
        let store = Store::default();
        let estimate = || store.estimate((i64::MIN, i64::MAX), &[]);
        let writer = store.write();
        assert_eq!(estimate(), None);
        drop(writer);
        let reader = store.read();
        assert_eq!(estimate(), Some(0));
        drop(reader);
    }
}
