//! Progress of a memtable snapshot: which rows are not copied yet, and what writers do to those that they change.
//!
//! A *memtable snapshot* is a copy of some columns of a memtable as of the instant at which it begins. It is made in
//! steps, and writers go on between these. [`SnapshotProgress`] divides the rows of the memtable by two numbers:
//!
//! - rows before `cursor` were copied;
//! - rows from `cursor` to `end` existed at the beginning and are not copied yet, except those in `saved`;
//! - rows from `end` on are newer than the snapshot.
//!
//! Before a writer changes or removes a row that is not copied yet, it saves the row in a small memtable, `undo`. As
//! [`Memtable::swap_remove`] moves the last row, `saved` and `end` follow the rows. Copied and saved rows together are
//! exactly the rows of the beginning, as they were then.
//!
//! The memtable knows a snapshot only as one of its watchers (`row_watchers.rs`).

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::copied_columns::CopiedColumns;
use super::memtable::{Memtable, RowMetadata};
use super::row_watchers::RowWatcher;
use crate::columns::RecordColumns;
use crate::columns::row_set::RowSet;
use crate::tuning::Tuning;

/// Progress that the thread that copies shares with writers, who take it while they have the lock of the memtable.
pub type SharedProgress = Arc<Mutex<SnapshotProgress>>;

/// Progress of one snapshot; see the module documentation.
pub struct SnapshotProgress {
    columns: CopiedColumns,
    cursor: usize,
    end: usize,
    saved: RowSet,
    undo: Memtable,
    immutable: Option<Arc<Memtable>>,
}

impl RowWatcher<Memtable> for Mutex<SnapshotProgress> {
    fn before_replace(&self, table: &Memtable, row: usize) {
        self.lock().before_replace(table, row);
    }

    fn before_removal(&self, table: &Memtable, row: usize) {
        self.lock().before_removal(table, row);
    }

    fn note_immutable(&self, table: &Arc<Memtable>) {
        self.lock().immutable = Some(Arc::clone(table));
    }
}

impl SnapshotProgress {
    /// Begins a snapshot of the rows that `table` has now.
    pub fn begin(table: &mut Memtable, columns: CopiedColumns, tuning: &Arc<Tuning>) -> SharedProgress {
        let (saved, undo) = (RowSet::default(), Memtable::new(tuning));
        let progress = Arc::new(Mutex::new(Self { columns, cursor: 0, end: table.rows(), saved, undo, immutable: None }));
        let watcher = Arc::downgrade(&progress);
        table.begin_snapshot(watcher);
        progress
    }

    /// The memtable, once it became immutable.
    pub fn immutable(&self) -> Option<Arc<Memtable>> {
        self.immutable.clone()
    }

    /// Takes up to `row_count` rows that the caller copies now, except the [saved](Self::saved_rows) ones.
    pub fn next_rows(&mut self, row_count: usize) -> Range<usize> {
        let rows = self.cursor..self.end.min(self.cursor + row_count);
        self.cursor = rows.end;
        rows
    }

    /// Rows of a range of [`SnapshotProgress::next_rows`] that are not to be copied: they were saved, or are newer than the
    /// snapshot.
    pub fn saved_rows(&self, rows: Range<usize>) -> impl Iterator<Item = usize> {
        let rows = if self.saved.is_empty() { 0..0 } else { rows };
        rows.filter(|&row| self.saved.contains(row))
    }

    /// Whether no row is left to copy.
    pub fn is_complete(&self) -> bool {
        self.cursor == self.end
    }

    /// Takes the rows that were saved so far.
    pub fn take_undo(&mut self, tuning: &Arc<Tuning>) -> Memtable {
        std::mem::replace(&mut self.undo, Memtable::new(tuning))
    }

    fn before_replace(&mut self, table: &Memtable, row: usize) {
        if self.is_needed(row) {
            self.save(table, row);
            self.saved.insert(row);
        }
    }

    fn before_removal(&mut self, table: &Memtable, row: usize) {
        let last = table.rows() - 1;
        if self.is_needed(row) {
            self.save(table, row);
        }
        if row != last {
            self.before_move(table, last, row);
        }
        self.end = self.end.min(last);
        self.cursor = self.cursor.min(self.end);
    }

    /// The last row takes the number of a row that is removed.
    fn before_move(&mut self, table: &Memtable, last: usize, row: usize) {
        match (self.is_needed(last), row < self.cursor) {
            (true, true) => self.save(table, last),
            (true, false) => self.saved.remove(row),
            (false, true) => {}
            (false, false) => self.saved.insert(row),
        }
    }

    /// Whether a row existed at the beginning and is neither copied nor saved.
    fn is_needed(&self, row: usize) -> bool {
        (self.cursor..self.end).contains(&row) && !self.saved.contains(row)
    }

    fn save(&mut self, table: &Memtable, row: usize) {
        let record = self.columns.restrict(&table.fields().record(row));
        let versions = if self.columns.versions { table.versions(row) } else { None };
        let metadata = RowMetadata { key_hash: table.key_hash(row), versions, received_us: table.received_us(row) };
        self.undo.append(&RecordColumns::from_record(&record), &[0], |_| metadata);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::schema::{DICTIONARY_COUNT, int_slot, text_slot};
    use crate::storage::memtable_copy::MemtableCopy;

    /// What a session of the test has: the number in its session id, and a value that is stored in a column of each kind.
    type Session = (u64, u64);

    /// A memtable, its sessions in the same order, and pseudo-random numbers.
    struct Model {
        table: Memtable,
        sessions: Vec<Session>,
        random: u64,
    }

    impl Model {
        fn random(&mut self, below: usize) -> usize {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) as usize % below
        }

        fn append(&mut self, session: Session) {
            with_record(session, |record| {
                let metadata = RowMetadata { key_hash: session.0, versions: None, received_us: session.1 as i64 };
                self.table.append(&RecordColumns::from_record(record), &[0], |_| metadata);
            });
            self.sessions.push(session);
        }

        /// Appends, replaces or removes a session.
        fn write(&mut self, number: u64) {
            let row = self.random(self.sessions.len().max(1));
            match self.random(3) {
                0 if !self.sessions.is_empty() => {
                    self.table.swap_remove(row);
                    self.sessions.swap_remove(row);
                }
                1 if !self.sessions.is_empty() => {
                    let session = (self.sessions[row].0, number);
                    let metadata = RowMetadata { key_hash: session.0, versions: None, received_us: number as i64 };
                    with_record(session, |record| self.table.replace(row, record, metadata));
                    self.sessions[row] = session;
                }
                _ => self.append((number, number)),
            }
        }
    }

    fn with_record(session: Session, write: impl FnOnce(&Record<'_>)) {
        let (id, value) = (session.0.to_string(), session.1.to_string());
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = session.1 as i64;
        // Beyond 32 bits for some values, so that the column widens while it is copied.
        record.ints[int_slot::REVISION] = (session.1 as i64) << (session.1 % 40);
        record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = &id;
        record.strings[1] = &value;
        write(&record);
    }

    fn sessions_of(copy: &MemtableCopy) -> Vec<Session> {
        let no_tombstones = RowSet::default();
        let mut sessions = Vec::new();
        let (parts, undo) = copy.slices(&no_tombstones);
        for slice in parts.chain([undo]) {
            for row in slice.rows.clone().filter(|row| !slice.tombstones.contains(*row)) {
                let (_, id) = slice.fields.key(row);
                let value = slice.setup_us[row] as u64;
                assert_eq!(slice.received_us[row], slice.setup_us[row]);
                assert_eq!(slice.fields.ints[int_slot::REVISION].get(row), (value as i64) << (value % 40));
                assert_eq!(slice.fields.dictionaries[1].text(row), value.to_string());
                sessions.push((id.parse().unwrap(), value));
            }
        }
        sessions
    }

    fn sorted(mut sessions: Vec<Session>) -> Vec<Session> {
        sessions.sort_unstable();
        sessions
    }

    /// Runs `count` writes, between which copies begin and make steps; checks each copy when it is complete. Then makes
    /// the memtable immutable and completes the copies that are left.
    fn check(seed: u64, count: u64) -> usize {
        let tuning = Arc::new(Tuning { interner_entry_count_min: 8, copy_step_value_count: 40, ..Tuning::default() });
        let mut model = Model { table: Memtable::new(&tuning), sessions: Vec::new(), random: seed };
        let (mut copies, mut checked) = (Vec::<(MemtableCopy, Vec<Session>)>::new(), 0);
        (0..seed % 50).for_each(|number| model.append((number, number)));
        let mut step = |model: &mut Model, table: &Memtable, copies: &mut Vec<(MemtableCopy, Vec<Session>)>| {
            let number = model.random(copies.len().max(1));
            let Some((copy, _)) = copies.get_mut(number) else { return };
            let part = model.random(2);
            let has_rows_left = copy.row_steps().is_some_and(|(steps, parts)| {
                let part = &mut parts[part % parts.len()];
                steps.make_room(part);
                steps.copy(part, table)
            });
            if !has_rows_left && !copy.copy_entries_step(table, 40, &tuning) {
                let (copy, sessions) = copies.swap_remove(number);
                assert_eq!(sorted(sessions_of(&copy)), sorted(sessions), "seed {seed}");
                checked += 1;
            }
        };
        for number in 100..100 + count {
            model.write(number);
            if model.random(20) == 0 {
                let columns = CopiedColumns::of_names(&["session_id", "revision", "received_time", "company"]);
                copies.push((MemtableCopy::begin(&mut model.table, columns, 2, &tuning), model.sessions.clone()));
            }
            if model.random(3) == 0 {
                let table = std::mem::replace(&mut model.table, Memtable::new(&tuning));
                step(&mut model, &table, &mut copies);
                model.table = table;
            }
        }
        drop(std::mem::replace(&mut model.table, Memtable::new(&tuning)).into_immutable());
        let other = Memtable::new(&tuning);
        while !copies.is_empty() {
            step(&mut model, &other, &mut copies);
        }
        checked
    }

    #[test]
    fn a_copy_has_the_rows_of_its_beginning() {
        let checked: usize = (0..200).map(|seed| check(seed, 400)).sum();
        assert!(checked > 2_000);
    }
}
