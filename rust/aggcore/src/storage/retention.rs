//! Retention: drops whole UTC days, the oldest first.
//!
//! Segments are dropped whole, rows of mutable memtables are removed, and rows of immutable memtables get a
//! tombstone. An active session of a dropped day stays while events of it still arrive.

use std::sync::Arc;

use super::Store;
use super::state::ImmutableMemtable;
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
        state.memtable.remove_before(day * US_PER_DAY, i64::MAX);
        for immutable in &mut state.immutable {
            immutable.drop_before(day * US_PER_DAY);
        }
        let sessions = state.active.remove_before(day * US_PER_DAY, received_until_us);
        drop(state);
        // Unmaps the files while readers and writers go on.
        drop(dropped);
        sessions
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
