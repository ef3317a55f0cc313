//! State snapshot: what one scan reads, as of one instant, without a lock while it reads.

use std::sync::Arc;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::copied_columns::CopiedColumns;
use super::helper_threads::thread_count;
use super::memtable::Memtable;
use super::memtable_copy::MemtableCopy;
use super::state::{ImmutableMemtable, SegmentEntry, State};
use super::{ReadTimes, Store};
use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::memory::{QueryMemory, Reservation};

/// The records of a store as of one instant: copies of mutable memtables, and what is immutable.
pub struct StateSnapshot {
    pub copies: Vec<MemtableCopy>,
    pub immutable: Vec<ImmutableMemtable>,
    pub entries: Vec<SegmentEntry>,
    /// Holds the memory of the copies.
    _memory: Reservation,
}

/// What a scan needs of a store.
pub struct SnapshotRequest<'a> {
    /// Times of the records that it reads, each for a part of it.
    pub times: &'a [ReadTimes],
    /// Whether it reads active sessions.
    pub active: bool,
    /// Whether it reads finished records.
    pub finished: bool,
    pub columns: CopiedColumns,
    pub memory: &'a Arc<QueryMemory>,
    pub cancel: &'a CancelToken,
}

/// Chooses a mutable memtable of a state.
type TableOf = fn(&State) -> &Memtable;

impl Store {
    /// Makes a snapshot of the instant at which the copier begins to work for this request.
    ///
    /// # Errors
    /// `QueryMemoryLimit` or `TotalMemoryLimit` if the copies need more memory than is left, those of
    /// [`CancelToken::check`], or `Damaged` if a segment of the range is unreadable.
    pub(super) fn snapshot(&self, request: &SnapshotRequest<'_>) -> Result<StateSnapshot> {
        self.copier.run(|| {
            let (mut snapshot, copies) = self.begin_snapshot(request)?;
            for (mut copy, table) in copies {
                self.complete(&mut copy, table, request.cancel)?;
                snapshot.copies.push(copy);
            }
            let undo_bytes = snapshot.copies.iter().map(|copy| copy.undo_bytes(&request.columns)).sum();
            request.memory.reserve(undo_bytes)?.keep();
            Ok(snapshot)
        })
    }

    /// Returns the snapshot without copies, and copies that have begun, each with the table that it copies.
    fn begin_snapshot(&self, request: &SnapshotRequest<'_>) -> Result<(StateSnapshot, Vec<(MemtableCopy, TableOf)>)> {
        request.cancel.check()?;
        let may_include = |table: &Memtable| {
            request.times.iter().any(|times| times.may_include(table.setup_range_by_days(), table.end_stats()))
        };
        let is_wanted = |table: &Memtable| table.rows() > 0 && may_include(table);
        let mut state = self.write();
        let mut memory = request.memory.reservation();
        let State { active, memtable, .. } = &mut *state;
        let chosen: [(bool, &mut Memtable, TableOf); 2] =
            [(request.active, active, |state| &state.active), (request.finished, memtable, |state| &state.memtable)];
        let wanted: Vec<_> = chosen.into_iter().filter(|(asked, table, _)| *asked && is_wanted(table)).collect();
        memory.resize(wanted.iter().map(|(_, table, _)| MemtableCopy::bytes(table, &request.columns)).sum())?;
        let begin = |table| MemtableCopy::begin(table, request.columns.clone(), thread_count(self.tuning()), self.tuning());
        let copies = wanted.into_iter().map(|(_, table, table_of)| (begin(table), table_of)).collect();
        let mut snapshot = StateSnapshot { copies: Vec::new(), immutable: Vec::new(), entries: Vec::new(), _memory: memory };
        if request.finished {
            snapshot.immutable.clone_from(&state.immutable);
            snapshot.entries = state.readable(request.times)?.cloned().collect();
        }
        RwLockWriteGuard::unlock_fair(state);
        Ok((snapshot, copies))
    }

    /// Copies a memtable, step by step.
    fn complete(&self, copy: &mut MemtableCopy, table: TableOf, cancel: &CancelToken) -> Result<()> {
        if let Some((steps, parts)) = copy.row_steps() {
            self.copier.for_each(parts, |part| {
                let copy_rows = || {
                    steps.make_room(part);
                    self.locked_step(|state| steps.copy(part, table(state)))
                };
                repeat_unless_cancelled(cancel, copy_rows);
            });
        }
        copy.make_room_for_entries();
        let value_count = self.tuning().copy_step_value_count;
        repeat_unless_cancelled(cancel, || {
            self.locked_step(|state| copy.copy_entries_step(table(state), value_count, self.tuning()))
        });
        cancel.check()
    }

    /// Runs one step under the lock, then hands the lock to a waiting thread: a plain unlock would let the next step take it
    /// again first.
    fn locked_step(&self, step: impl FnOnce(&State) -> bool) -> bool {
        let state = self.read();
        let is_unfinished = step(&state);
        RwLockReadGuard::unlock_fair(state);
        is_unfinished
    }
}

/// Repeats a step until it returns false or the token is cancelled.
fn repeat_unless_cancelled(cancel: &CancelToken, mut step: impl FnMut() -> bool) {
    while cancel.check().is_ok() && step() {}
}
