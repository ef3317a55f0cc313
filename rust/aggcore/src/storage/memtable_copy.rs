//! The copy that a memtable snapshot makes for a scan: some columns, as they were at one instant.
//!
//! Several threads copy, each into a part of its own. A part has rows in the order in which its thread copied them; saved rows
//! (see `snapshot_progress.rs`) get a tombstone. Dictionary codes are copied as they are, then the dictionary entries up to
//! those of the beginning, also in steps: there may be as many as rows.

use std::sync::Arc;

use super::copied_columns::{CopiedColumns, VALUES_PER_TEXT};
use super::copied_rows::{CopiedRows, RowLayout};
use super::memtable::Memtable;
use super::snapshot_progress::{SharedProgress, SnapshotProgress};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::Texts;
use crate::columns::integer::{ColumnStats, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::columns::text::TextColumn;
use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, int_slot};
use crate::tuning::Tuning;

/// Bytes of metadata of a saved row.
const UNDO_ROW_BYTES: usize = 64;

/// A copy of some columns of a memtable.
pub struct MemtableCopy {
    parts: Vec<CopiedRows>,
    entries: CopiedEntries,
    statistics: Statistics,
    /// Rows that were saved before they were copied.
    undo: Memtable,
    /// Present until the copy is complete.
    steps: Option<RowSteps>,
}

/// What all threads that copy rows share.
pub struct RowSteps {
    columns: CopiedColumns,
    layout: RowLayout,
    progress: SharedProgress,
    /// Rows of each step.
    step_rows: usize,
    /// Rows that a part is expected to have.
    part_rows: usize,
}

/// Copied entries of each dictionary that the rows may refer to.
struct CopiedEntries {
    counts: [usize; DICTIONARY_COUNT],
    bytes: [usize; DICTIONARY_COUNT],
    texts: [TextColumn; DICTIONARY_COUNT],
}

/// Statistics of the memtable when the snapshot began.
struct Statistics {
    setup_range: (i64, i64),
    column_stats: [ColumnStats; INT_COUNT],
    received_stats: ColumnStats,
}

impl MemtableCopy {
    /// Begins a snapshot: the copy will have the rows that `table` has now, in up to `part_count` parts.
    pub fn begin(table: &mut Memtable, columns: CopiedColumns, part_count: usize, tuning: &Arc<Tuning>) -> Self {
        let progress = SnapshotProgress::begin(table, columns.clone(), tuning);
        let (table, rows) = (&*table, table.rows());
        let step_rows = (tuning.copy_step_value_count / columns.values_per_row()).max(1);
        let part_count = rows.div_ceil(step_rows).clamp(1, part_count.max(1));
        Self {
            parts: std::iter::repeat_with(CopiedRows::default).take(part_count).collect(),
            entries: CopiedEntries::new(table, &columns),
            statistics: Statistics::of(table),
            undo: Memtable::new(tuning),
            steps: Some(RowSteps {
                layout: RowLayout::new(&table.fields(), &columns, rows, |slot| table.text_bytes(slot)),
                columns,
                progress,
                step_rows,
                part_rows: rows.div_ceil(part_count) + step_rows,
            }),
        }
    }

    /// Bytes that a copy of the rows of `table` takes, without saved rows.
    pub fn bytes(table: &Memtable, columns: &CopiedColumns) -> usize {
        let layout = RowLayout::new(&table.fields(), columns, table.rows(), |slot| table.text_bytes(slot));
        let entries = CopiedEntries::new(table, columns);
        let entry_count: usize = entries.counts.iter().sum();
        table.rows() * layout.row_bytes() + entry_count * TextColumn::BYTES_PER_ROW + entries.bytes.iter().sum::<usize>()
    }

    /// Bytes that the saved rows take, roughly.
    pub fn undo_bytes(&self, columns: &CopiedColumns) -> usize {
        self.undo.rows() * (UNDO_ROW_BYTES + columns.values_per_row() * size_of::<i64>())
    }

    /// What copies the rows, and the parts that it copies to: different threads may do so at the same time. Nothing once the
    /// copy is complete.
    pub fn row_steps(&mut self) -> Option<(&RowSteps, &mut [CopiedRows])> {
        Some((self.steps.as_ref()?, &mut self.parts))
    }

    /// Copies about `value_count` values of dictionary entries, after all rows. Returns whether some are left; otherwise
    /// the copy is complete.
    pub fn copy_entries_step(&mut self, table: &Memtable, value_count: usize, tuning: &Arc<Tuning>) -> bool {
        let Some(steps) = &self.steps else { return false };
        let mut progress = steps.progress.lock();
        let immutable = progress.immutable();
        let is_unfinished = self.entries.copy(immutable.as_deref().unwrap_or(table), value_count.div_ceil(VALUES_PER_TEXT));
        if !is_unfinished {
            self.undo = progress.take_undo(tuning);
            drop(progress);
            self.steps = None;
        }
        is_unfinished
    }

    /// Touches the memory of the dictionary entries; without the lock of the memtable, before the first of them is copied.
    pub fn make_room_for_entries(&mut self) {
        self.entries.make_room();
    }

    /// The copied rows, and the saved ones; the latter do not share the dictionaries of the former.
    pub fn slices<'a>(&'a self, no_tombstones: &'a RowSet) -> (impl Iterator<Item = RecordSlice<'a>>, RecordSlice<'a>) {
        (self.parts.iter().map(|part| self.slice(part)), self.undo.slice(no_tombstones))
    }

    fn slice<'a>(&'a self, part: &'a CopiedRows) -> RecordSlice<'a> {
        let (fields, rows) = (part.fields(&self.entries.texts), part.count());
        RecordSlice {
            rows: 0..rows,
            is_sorted_by_setup: false,
            setup_range: self.statistics.setup_range,
            setup_us: part.setup_us(),
            setup_minute: None,
            accounts: AccountsOfRows::Any,
            durations: CallDurations::Times {
                answer_us: fields.ints[int_slot::ANSWER_TIME],
                end_us: fields.ints[int_slot::END_TIME],
            },
            fields,
            column_stats: Some(&self.statistics.column_stats),
            received_stats: self.statistics.received_stats,
            received_us: part.received_us(),
            tombstones: &part.tombstones,
        }
    }
}

impl RowSteps {
    /// Touches the memory of the next step; without the lock of the memtable.
    pub fn make_room(&self, part: &mut CopiedRows) {
        part.make_room(&self.layout, self.step_rows, self.part_rows);
    }

    /// Copies some rows to a part. Returns whether rows may be left.
    ///
    /// `table` is the memtable of the beginning, or, if that has become immutable since, any other.
    pub fn copy(&self, part: &mut CopiedRows, table: &Memtable) -> bool {
        let mut progress = self.progress.lock();
        let (rows, first) = (progress.next_rows(self.step_rows), part.count());
        progress.saved_rows(rows.clone()).for_each(|row| part.tombstones.insert(first + row - rows.start));
        let (immutable, is_unfinished) = (progress.immutable(), !progress.is_complete());
        // Other threads may go on: writers wait for the lock of the memtable until these rows are copied.
        drop(progress);
        let table = immutable.as_deref().unwrap_or(table);
        part.append(&self.columns, &table.fields(), table.all_received_us(), rows);
        is_unfinished
    }
}

impl CopiedEntries {
    /// No entries yet.
    fn new(table: &Memtable, columns: &CopiedColumns) -> Self {
        let fields = table.fields();
        let if_copied = |slot: usize, number: usize| if columns.dictionaries[slot] { number } else { 0 };
        Self {
            counts: std::array::from_fn(|slot| if_copied(slot, fields.dictionaries[slot].entries.count())),
            bytes: std::array::from_fn(|slot| if_copied(slot, table.entry_bytes(slot))),
            texts: std::array::from_fn(|_| TextColumn::new(usize::MAX)),
        }
    }

    fn make_room(&mut self) {
        let sizes = self.counts.into_iter().zip(self.bytes);
        for (texts, (count, bytes)) in self.texts.iter_mut().zip(sizes).filter(|(_, (count, _))| *count > 0) {
            texts.make_room(count, bytes, count);
        }
    }

    /// Copies up to `entry_count` entries. Returns whether some are left.
    fn copy(&mut self, table: &Memtable, mut entry_count: usize) -> bool {
        let fields = table.fields();
        for ((texts, dictionary), count) in self.texts.iter_mut().zip(fields.dictionaries).zip(self.counts) {
            let first = texts.count();
            let end = count.min(first + entry_count);
            (first..end).for_each(|code| texts.push(dictionary.entries.get(code), code));
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
