//! The copy that a memtable snapshot makes for a scan: some columns, as they were at one instant.
//!
//! Rows have the numbers that they had in the memtable; saved rows (see `snapshot_progress.rs`) get a tombstone.
//! Dictionary codes are copied as they are, then the dictionary entries up to those of the beginning, also in steps: there
//! may be as many as rows.

use std::sync::Arc;

use parking_lot::Mutex;

use super::copied_columns::{CopiedColumns, VALUES_PER_TEXT};
use super::copied_rows::CopiedRows;
use super::memtable::Memtable;
use super::snapshot_progress::{SharedProgress, SnapshotProgress};
use crate::columns::call_duration::CallDurations;
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, int_slot};
use crate::tuning::Tuning;

/// Bytes of metadata of a saved row.
const UNDO_ROW_BYTES: usize = 64;

/// A copy of some columns of a memtable; complete once [`MemtableCopy::copy_step`] has returned false.
pub struct MemtableCopy {
    columns: CopiedColumns,
    rows: CopiedRows,
    /// What the last step copied.
    staged: CopiedRows,
    /// Entries of each dictionary that the rows may refer to.
    entry_counts: [usize; DICTIONARY_COUNT],
    statistics: Statistics,
    tombstones: RowSet,
    /// Rows that were saved before they were copied.
    undo: Memtable,
    /// Present until the copy is complete.
    progress: Option<SharedProgress>,
}

/// Statistics of the memtable when the snapshot began.
struct Statistics {
    setup_range: (i64, i64),
    column_stats: [ColumnStats; INT_COUNT],
    received_stats: ColumnStats,
}

impl MemtableCopy {
    /// Begins a snapshot: the copy will have the rows that `table` has now.
    pub fn begin(table: &mut Memtable, columns: CopiedColumns, tuning: &Arc<Tuning>) -> Self {
        let progress = Arc::new(Mutex::new(SnapshotProgress::new(table.rows(), columns.clone(), tuning)));
        table.begin_snapshot(&progress);
        let (table, fields) = (&*table, table.fields());
        let entry_count = |slot: usize| if columns.dictionaries[slot] { fields.dictionaries[slot].entries.count() } else { 0 };
        Self {
            rows: CopiedRows::default(),
            staged: CopiedRows::default(),
            entry_counts: std::array::from_fn(entry_count),
            statistics: Statistics::of(table),
            tombstones: RowSet::default(),
            undo: Memtable::new(tuning),
            progress: Some(progress),
            columns,
        }
    }

    /// Bytes that a copy of the rows of `table` takes, without saved rows.
    pub fn bytes(table: &Memtable, columns: &CopiedColumns) -> usize {
        let (fields, rows) = (table.fields(), table.rows());
        let row_bytes = |slot: usize| if columns.copies_int(slot) { int_bytes(fields.ints[slot]) } else { 0 };
        let ints: usize = (0..INT_COUNT).map(row_bytes).sum();
        let times = size_of::<i64>() * (1 + usize::from(columns.received_time));
        let dictionaries = (0..DICTIONARY_COUNT).filter(|&slot| columns.dictionaries[slot]);
        let text_bytes = |rows: usize, bytes: usize| rows * (size_of::<u32>() + size_of::<u16>()) + bytes;
        let dictionary_bytes = |slot: usize| {
            let entries = fields.dictionaries[slot].entries.count();
            rows * size_of::<i32>() + text_bytes(entries, table.entry_bytes(slot))
        };
        let texts = (0..TEXT_COUNT).filter(|&slot| columns.texts[slot]).map(|slot| text_bytes(rows, table.text_bytes(slot)));
        rows * (ints + times) + dictionaries.map(dictionary_bytes).sum::<usize>() + texts.sum::<usize>()
    }

    /// Bytes that the saved rows take, roughly.
    pub fn undo_bytes(&self) -> usize {
        self.undo.rows() * (UNDO_ROW_BYTES + self.columns.values_per_row() * size_of::<i64>())
    }

    /// Copies about `value_count` values more. Returns whether some are left.
    ///
    /// `table` is the memtable of the beginning, or, if that has become immutable since, any other. To be followed by
    /// [`MemtableCopy::end_step`], without the lock of the memtable.
    pub fn copy_step(&mut self, table: &Memtable, value_count: usize, tuning: &Arc<Tuning>) -> bool {
        let Some(shared) = self.progress.take() else { return false };
        let mut progress = shared.lock();
        let frozen = progress.frozen();
        let table = frozen.as_deref().unwrap_or(table);
        let is_unfinished = if progress.is_complete() {
            self.copy_entries(table, value_count.div_ceil(VALUES_PER_TEXT))
        } else {
            self.copy_rows(table, &mut progress, value_count / self.columns.values_per_row());
            true
        };
        if !is_unfinished {
            self.undo = progress.take_undo(tuning);
            return false;
        }
        drop(progress);
        self.progress = Some(shared);
        true
    }

    /// Moves what a step has copied to the rest of the copy.
    ///
    /// A step copies to memory that is used again and again, because new memory costs page faults. They take longer than
    /// copying, and wait for threads that unmap memory: a step then held its lock for some 100 ms.
    pub fn end_step(&mut self) {
        let rows = 0..self.staged.count();
        self.rows.append(&self.columns, &self.staged.fields(), self.staged.received_us(), rows);
        let entries = self.staged.fields().dictionaries.map(|column| column.entries);
        for (slot, entries) in entries.into_iter().enumerate() {
            self.rows.append_entries(slot, entries, 0..entries.count());
        }
        self.staged.clear();
    }

    /// The copied rows, and the saved ones.
    pub fn slices<'a>(&'a self, no_tombstones: &'a RowSet) -> [RecordSlice<'a>; 2] {
        let (fields, rows) = (self.rows.fields(), self.rows.count());
        let copied = RecordSlice {
            rows: 0..rows,
            is_sorted_by_setup: false,
            setup_range: self.statistics.setup_range,
            setup_us: self.rows.setup_us(),
            setup_minute: None,
            rollup_sums: None,
            call_count_max: rows as u64,
            account: None,
            durations: CallDurations::Times {
                answer_us: fields.ints[int_slot::ANSWER_TIME],
                end_us: fields.ints[int_slot::END_TIME],
            },
            fields,
            column_stats: Some(&self.statistics.column_stats),
            received_stats: self.statistics.received_stats,
            received_us: self.rows.received_us(),
            tombstones: &self.tombstones,
        };
        [copied, self.undo.slice(no_tombstones)]
    }

    fn copy_rows(&mut self, table: &Memtable, progress: &mut SnapshotProgress, row_count: usize) {
        let (no_tombstones, rows) = (RowSet::default(), progress.next_rows(row_count.max(1)));
        progress.saved_rows(rows.clone()).for_each(|row| self.tombstones.insert(row));
        let slice = table.slice(&no_tombstones);
        self.staged.append(&self.columns, &slice.fields, slice.received_us, rows);
    }

    /// Copies up to `entry_count` dictionary entries. Returns whether some are left.
    fn copy_entries(&mut self, table: &Memtable, mut entry_count: usize) -> bool {
        let fields = table.fields();
        for (slot, count) in self.entry_counts.into_iter().enumerate() {
            let first = self.rows.entry_count(slot);
            let end = count.min(first + entry_count);
            self.staged.append_entries(slot, fields.dictionaries[slot].entries, first..end);
            entry_count -= end - first;
            if end < count {
                return true;
            }
        }
        false
    }
}

impl Statistics {
    fn of(table: &Memtable) -> Self {
        let no_tombstones = RowSet::default();
        let RecordSlice { setup_range, column_stats, received_stats, .. } = table.slice(&no_tombstones);
        Self { setup_range, column_stats: column_stats.copied().unwrap_or([UNKNOWN_STATS; INT_COUNT]), received_stats }
    }
}

/// Bytes of one row of an integer column of a memtable.
fn int_bytes(values: IntValues<'_>) -> usize {
    match values {
        IntValues::Absent => 0,
        IntValues::I8(_) | IntValues::I16(_) | IntValues::I32(_) => size_of::<i32>(),
        IntValues::I64(_) => size_of::<i64>(),
    }
}
