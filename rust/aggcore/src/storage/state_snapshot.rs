//! State snapshot: what one scan reads, as of one instant, without a lock while it reads.

use std::sync::Arc;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::copied_columns::CopiedColumns;
use super::memtable::Memtable;
use super::memtable_copy::MemtableCopy;
use super::state::{ImmutableMemtable, SegmentEntry, State};
use super::{Store, overlaps};
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
    /// Setup times in microseconds UTC; the end is exclusive.
    pub range: (i64, i64),
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
            let (mut snapshot, tables) = self.begin_snapshot(request)?;
            for (copy, table) in snapshot.copies.iter_mut().zip(tables) {
                self.complete(copy, table, request.cancel)?;
            }
            let undo_bytes = snapshot.copies.iter().map(MemtableCopy::undo_bytes).sum();
            request.memory.reserve(undo_bytes)?.keep();
            Ok(snapshot)
        })
    }

    fn begin_snapshot(&self, request: &SnapshotRequest<'_>) -> Result<(StateSnapshot, Vec<TableOf>)> {
        request.cancel.check()?;
        let is_wanted = |table: &Memtable| table.rows() > 0 && overlaps(table.setup_range_by_days(), request.range);
        let mut state = self.write();
        let mut memory = request.memory.reservation();
        let chosen = [(request.active, (|state| &state.active) as TableOf), (request.finished, |state| &state.memtable)];
        let wanted = chosen.into_iter().filter(|(asked, table)| *asked && is_wanted(table(&state)));
        let tables: Vec<TableOf> = wanted.map(|(_, table)| table).collect();
        memory.resize(tables.iter().map(|table| MemtableCopy::bytes(table(&state), &request.columns)).sum())?;
        let mut snapshot = StateSnapshot { copies: Vec::new(), immutable: Vec::new(), entries: Vec::new(), _memory: memory };
        if request.finished {
            snapshot.immutable.clone_from(&state.immutable);
            snapshot.entries = state.readable(request.range.0, request.range.1)?.cloned().collect();
        }
        let State { active, memtable, .. } = &mut *state;
        for (is_read, table) in [(request.active, active), (request.finished, memtable)] {
            if is_read && is_wanted(table) {
                snapshot.copies.push(MemtableCopy::begin(table, request.columns.clone(), self.tuning()));
            }
        }
        RwLockWriteGuard::unlock_fair(state);
        Ok((snapshot, tables))
    }

    /// Copies the rest of a memtable, step by step.
    fn complete(&self, copy: &mut MemtableCopy, table: TableOf, cancel: &CancelToken) -> Result<()> {
        let mut is_unfinished = true;
        while is_unfinished {
            cancel.check()?;
            let state = self.read();
            is_unfinished = copy.copy_step(table(&state), self.tuning().copy_step_value_count, self.tuning());
            // Hands the lock to a waiting thread; a plain unlock would let the next step take it again first.
            RwLockReadGuard::unlock_fair(state);
            copy.end_step();
        }
        Ok(())
    }
}
