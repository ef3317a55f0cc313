//! Retention: forgets whole UTC days, the oldest first.

use std::sync::Arc;

use super::Store;
use super::state::ImmutableMemtable;
use crate::columns::row_set::RowSet;
use crate::record::US_PER_DAY;

impl Store {
    /// Forgets the finished records of days before `day`, and the active sessions set up before it of which nothing was
    /// heard since `heard_us`; gives the number of these.
    pub fn drop_before(&self, day: i64, received_until_us: i64) -> usize {
        let mut state = self.write();
        let forgotten = state.remove_segments(|segment_day, _| segment_day < day);
        state.unreadable.retain(|unreadable| unreadable.day >= day);
        state.memtable.remove_inactive(day * US_PER_DAY, i64::MAX);
        for immutable in &mut state.immutable {
            immutable.drop_before(day * US_PER_DAY);
        }
        let sessions = state.active.remove_inactive(day * US_PER_DAY, received_until_us);
        drop(state);
        drop(forgotten);
        sessions
    }
}

impl ImmutableMemtable {
    fn drop_before(&mut self, setup_us: i64) {
        let no_tombstones = RowSet::default();
        let slice = self.table.slice(&no_tombstones);
        let tombstones = Arc::make_mut(&mut self.tombstones);
        let rows = slice.setup_us.iter().enumerate().filter(|(_, us)| **us < setup_us);
        rows.for_each(|(row, _)| tombstones.insert(row));
    }
}
