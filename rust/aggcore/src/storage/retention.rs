//! Retention: drops whole UTC days, the oldest first.
//!
//! Segments are dropped whole, rows of mutable memtables are removed, and rows of immutable memtables get a
//! tombstone. An active session of a dropped day stays while events of it still arrive.
//!
//! A step looks at a few rows of a mutable memtable and removes those to drop, so that commits need not wait until all rows
//! were looked at: reports may see some of the dropped ones meanwhile.

use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::Store;
use super::memtable::Memtable;
use super::state::{ImmutableMemtable, State};
use crate::columns::row_set::RowSet;
use crate::record::US_PER_DAY;

impl Store {
    /// Drops the finished records of UTC days before `day`, and the active sessions set up before it whose
    /// last event was received at or before `received_until_us` (microseconds UTC). Returns the number of
    /// dropped sessions.
    pub fn drop_before(&self, day: i64, received_until_us: i64) -> usize {
        let mut state = self.write();
        let dropped = state.remove_segments(|segment_day, _| segment_day < day);
        state.unreadable.retain(|unreadable| unreadable.day >= day);
        for immutable in &mut state.immutable {
            immutable.drop_before(day * US_PER_DAY);
        }
        drop(state);
        // Unmaps the files while readers and writers go on.
        drop(dropped);
        self.remove_before(|state| &mut state.memtable, day, i64::MAX);
        self.remove_before(|state| &mut state.active, day, received_until_us)
    }

    /// Removes the rows of a mutable memtable in steps, between which writers go on. Returns their number.
    fn remove_before(&self, table: fn(&mut State) -> &mut Memtable, day: i64, received_until_us: i64) -> usize {
        let (mut removed, mut end) = (0, usize::MAX);
        while end > 0 {
            let row_max = self.tuning().memtable_step_row_count;
            removed += self.copier.run(|| {
                let mut state = self.write();
                let table = table(&mut state);
                let rows = table.rows();
                // An active session of a dropped day may stay for long, and be looked for as often as retention runs.
                end = if table.has_days_before(day) {
                    table.remove_before(day * US_PER_DAY, received_until_us, end, row_max)
                } else {
                    0
                };
                let removed = rows - table.rows();
                RwLockWriteGuard::unlock_fair(state);
                removed
            });
        }
        if removed > 0 {
            self.copier.run(|| table(&mut self.write()).narrow_received_stats());
        }
        removed
    }
}

impl ImmutableMemtable {
    /// Gives the rows set up before an instant a tombstone.
    fn drop_before(&mut self, setup_us: i64) {
        let no_tombstones = RowSet::default();
        let slice = self.table.slice(&no_tombstones);
        let tombstones = Arc::make_mut(&mut self.tombstones);
        let rows = slice.setup_us.iter().enumerate().filter(|(_, us)| **us < setup_us);
        rows.for_each(|(row, _)| tombstones.insert(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::RecordColumns;
    use crate::record::Record;
    use crate::record::schema::int_slot;
    use crate::storage::memtable::RowMetadata;
    use crate::tuning::Tuning;

    #[test]
    fn a_step_looks_at_few_rows_even_if_it_removes_none() {
        let mut table = Memtable::new(&Arc::new(Tuning::default()));
        for setup_us in [1, 9, 9, 9, 1, 9] {
            let mut record = Record::default();
            record.ints[int_slot::SETUP_TIME] = setup_us;
            let metadata = RowMetadata { key_hash: 0, versions: None, received_us: 0 };
            table.append(&RecordColumns::from_record(&record), &[0], |_| metadata);
        }
        let mut step = |end| {
            let end = table.remove_before(5, 0, end, 2);
            (end, table.rows())
        };
        assert_eq!([step(usize::MAX), step(4), step(2)], [(4, 5), (2, 5), (0, 4)]);
    }
}
