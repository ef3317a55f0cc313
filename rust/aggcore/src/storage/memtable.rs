//! Memtable: records in memory, stored in columns, changed in place, found by key through a hash table.
//!
//! Rows have no order. [`Memtable::swap_remove`] fills the gap with the last row, so that columns stay dense
//! and row numbers are not stable.
//!
//! **Incremental snapshot.** The active sessions are copied while writers go on, a few rows at a time under
//! the writer's lock, with a cursor: rows below it were copied, rows from it on were not. A change in place
//! needs no care, as the snapshot may have a row as it was when the snapshot began or later (the journal
//! brings it up to date). A `swap_remove` needs care: the removed row, or the last row if it moves below the
//! cursor, would be missed, so it is first saved among the *displaced* rows, which the next step copies too.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntColumn, IntValues};
use crate::columns::interner::Interner;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::columns::text::{BytesColumn, TextColumn};
use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, dictionary_slot, int_slot, text_slot};
use crate::record::{Record, US_PER_DAY};
use crate::tuning::Tuning;

/// Records in columns.
pub struct Memtable {
    setup_us: Vec<i64>,
    /// By slot; the slot of the setup time is empty, as `setup_us` has its values.
    ints: [IntColumn; INT_COUNT],
    codes: [Vec<i32>; DICTIONARY_COUNT],
    interners: [Interner; DICTIONARY_COUNT],
    texts: [TextColumn; TEXT_COUNT],
    received_us: Vec<i64>,
    versions: BytesColumn,
    key_hash: Vec<u64>,
    /// Row numbers by key hash. The table stores no keys: a hit compares the key columns.
    by_key: HashTable<u32>,
    /// Number of rows by UTC day of the setup time.
    rows_of_day: BTreeMap<i64, usize>,
    /// Min/max statistics of each integer column; they include removed rows, so that they may be too wide.
    column_stats: [ColumnStats; INT_COUNT],
    received_stats: ColumnStats,
    snapshot: Option<SnapshotInProgress>,
    tuning: Arc<Tuning>,
}

/// What a memtable stores of a record besides its fields.
#[derive(Clone, Copy)]
pub struct RowMetadata<'a> {
    /// Hash of the key.
    pub key_hash: u64,
    /// Encoded versions; `None` for a record of one version.
    pub versions: Option<&'a [u8]>,
    /// When the last version that changed the record was received, microseconds UTC.
    pub received_us: i64,
}

/// State of an incremental snapshot.
struct SnapshotInProgress {
    /// Rows below this one were copied.
    cursor: usize,
    /// Rows that were removed, or moved below the cursor, before they were copied.
    displaced: Box<Memtable>,
}

impl Memtable {
    /// Creates an empty memtable.
    pub fn new(tuning: &Arc<Tuning>) -> Self {
        let garbage_bytes_min = tuning.text_garbage_bytes_min;
        Self {
            setup_us: Vec::new(),
            ints: std::array::from_fn(|_| IntColumn::default()),
            codes: std::array::from_fn(|_| Vec::new()),
            interners: std::array::from_fn(|_| Interner::default()),
            texts: std::array::from_fn(|_| TextColumn::new(garbage_bytes_min)),
            received_us: Vec::new(),
            versions: BytesColumn::new(garbage_bytes_min),
            key_hash: Vec::new(),
            by_key: HashTable::new(),
            rows_of_day: BTreeMap::new(),
            column_stats: [ColumnStats::default(); INT_COUNT],
            received_stats: ColumnStats::default(),
            snapshot: None,
            tuning: Arc::clone(tuning),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.key_hash.len()
    }

    /// First UTC day that has a row, in days since 1970-01-01.
    pub fn first_day(&self) -> Option<i64> {
        self.rows_of_day.keys().next().copied()
    }

    /// Whether some row has a setup time on one of these UTC days.
    pub fn has_days(&self, days: std::ops::RangeInclusive<i64>) -> bool {
        self.rows_of_day.range(days).next().is_some()
    }

    /// Bounds, both inclusive, of all setup times, microseconds UTC, rounded to whole UTC days: exact bounds
    /// would need a scan after a removal.
    pub fn setup_range_by_days(&self) -> (i64, i64) {
        let (first, last) = (self.rows_of_day.keys().next(), self.rows_of_day.keys().next_back());
        (first.map_or(0, |day| day * US_PER_DAY), last.map_or(0, |day| (day + 1) * US_PER_DAY - 1))
    }

    /// Earliest and latest setup time, microseconds UTC; `None` for an empty memtable.
    pub fn setup_range(&self) -> Option<(i64, i64)> {
        self.slice(&RowSet::default()).live_setup_range()
    }

    /// The fields of all rows as columns.
    pub fn fields(&self) -> RecordColumns<'_> {
        let ints =
            |slot: usize| if slot == int_slot::SETUP_TIME { IntValues::I64(&self.setup_us) } else { self.ints[slot].values() };
        RecordColumns {
            ints: std::array::from_fn(ints),
            dictionaries: std::array::from_fn(|slot| self.dictionary(slot)),
            texts: std::array::from_fn(|slot| &self.texts[slot] as &dyn Texts),
        }
    }

    /// All rows as a slice; scans skip the rows in `tombstones`.
    pub fn slice<'a>(&'a self, tombstones: &'a RowSet) -> RecordSlice<'a> {
        let fields = self.fields();
        RecordSlice {
            rows: 0..self.rows(),
            is_sorted_by_setup: false,
            setup_range: self.setup_range_by_days(),
            setup_us: &self.setup_us,
            setup_minute: None,
            rollup_sums: None,
            call_count_max: self.rows() as u64,
            account: None,
            durations: CallDurations::Times {
                answer_us: fields.ints[int_slot::ANSWER_TIME],
                end_us: fields.ints[int_slot::END_TIME],
            },
            fields,
            column_stats: Some(&self.column_stats),
            received_stats: self.received_stats,
            received_us: &self.received_us,
            tombstones,
        }
    }

    /// Encoded versions of a row; `None` for a record of one version.
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        Some(self.versions.get(row)).filter(|versions| !versions.is_empty())
    }

    /// When the last event that changed a row was received, microseconds UTC.
    pub fn received_us(&self, row: usize) -> i64 {
        self.received_us[row]
    }

    /// Finds the rows of a key.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> impl Iterator<Item = usize> {
        let candidates = self.by_key.iter_hash(key_hash).map(|&row| row as usize);
        candidates.filter(move |&row| {
            self.key_hash[row] == key_hash
                && self.texts[text_slot::SESSION_ID].get(row) == session_id
                && self.dictionary(dictionary_slot::SOURCE).text(row) == source
        })
    }

    /// Appends rows of other columns, column by column; `metadata_of` gets the row number in these columns.
    ///
    /// (Tried: record by record. Each record then looks up 20 texts and grows 50 columns; ingest in process
    /// took 1.7 times as long.)
    pub fn append<'a>(&mut self, fields: &RecordColumns<'_>, rows: &[usize], metadata_of: impl Fn(usize) -> RowMetadata<'a>) {
        let count = self.rows();
        for (stats, column) in self.column_stats.iter_mut().zip(fields.ints) {
            rows.iter().for_each(|&row| stats.add(column.get(row)));
        }
        for (slot, column) in self.ints.iter_mut().enumerate().filter(|(slot, _)| *slot != int_slot::SETUP_TIME) {
            column.append(fields.ints[slot], rows, count);
        }
        for (slot, interner) in self.interners.iter_mut().enumerate() {
            append_codes(&mut self.codes[slot], interner, fields.dictionaries[slot], rows, count);
            interner.drop_unused(&mut self.codes[slot], self.tuning.interner_entry_count_min);
        }
        for (column, texts) in self.texts.iter_mut().zip(&fields.texts) {
            rows.iter().zip(count..).for_each(|(&row, new_row)| column.push(texts.get(row), new_row));
        }
        self.by_key.reserve(rows.len(), |&row| self.key_hash[row as usize]);
        for (&row, new_row) in rows.iter().zip(count..) {
            let (setup_us, metadata) = (fields.ints[int_slot::SETUP_TIME].get(row), metadata_of(row));
            self.setup_us.push(setup_us);
            *self.rows_of_day.entry(setup_us.div_euclid(US_PER_DAY)).or_default() += 1;
            self.received_us.push(metadata.received_us);
            self.received_stats.add(metadata.received_us);
            self.versions.push(metadata.versions.unwrap_or_default(), new_row);
            self.key_hash.push(metadata.key_hash);
            // Exact: a memtable has far fewer than 2^32 rows.
            self.by_key.insert_unique(metadata.key_hash, new_row as u32, |&row| self.key_hash[row as usize]);
        }
    }

    /// Replaces the fields and metadata of a row by those of `record`, which must have the same key.
    pub fn replace(&mut self, row: usize, record: &Record<'_>, metadata: RowMetadata<'_>) {
        let rows = self.rows();
        self.decrement_rows_of_day(self.setup_us[row].div_euclid(US_PER_DAY));
        *self.rows_of_day.entry(record.day()).or_default() += 1;
        self.setup_us[row] = record.setup_us();
        self.column_stats.iter_mut().zip(record.ints).for_each(|(stats, value)| stats.add(value));
        self.received_stats.add(metadata.received_us);
        for (slot, column) in self.ints.iter_mut().enumerate().filter(|(slot, _)| *slot != int_slot::SETUP_TIME) {
            column.set(row, record.ints[slot], rows);
        }
        for (slot, interner) in self.interners.iter_mut().enumerate() {
            set_code(&mut self.codes[slot], interner.code(record.strings[slot]), row, rows);
            interner.drop_unused(&mut self.codes[slot], self.tuning.interner_entry_count_min);
        }
        let texts = &record.strings[DICTIONARY_COUNT..];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.set(row, text, rows));
        self.received_us[row] = metadata.received_us;
        self.versions.set(row, metadata.versions.unwrap_or_default(), rows);
    }

    /// Removes a row; the last row moves to its number.
    pub fn swap_remove(&mut self, row: usize) {
        let last = self.rows() - 1;
        self.save_displaced_row(row, last);
        self.remove_from_index(row);
        if row != last {
            self.remove_from_index(last);
            self.by_key.insert_unique(self.key_hash[last], row as u32, |&row| self.key_hash[row as usize]);
        }
        self.decrement_rows_of_day(self.setup_us[row].div_euclid(US_PER_DAY));
        self.setup_us.swap_remove(row);
        self.ints.iter_mut().for_each(|column| column.swap_remove(row));
        for column in self.codes.iter_mut().filter(|column| !column.is_empty()) {
            column.swap_remove(row);
        }
        self.texts.iter_mut().for_each(|column| column.swap_remove(row));
        self.received_us.swap_remove(row);
        self.versions.swap_remove(row);
        self.key_hash.swap_remove(row);
    }

    /// Removes the rows set up before `setup_before_us` whose last change was received at or before
    /// `received_until_us` (both microseconds UTC). Returns their number.
    pub fn remove_before(&mut self, setup_before_us: i64, received_until_us: i64) -> usize {
        let before = self.rows();
        // In descending order, as `swap_remove` moves the last row to the removed number.
        for row in (0..before).rev() {
            if self.setup_us[row] < setup_before_us && self.received_us[row] <= received_until_us {
                self.swap_remove(row);
            }
        }
        // Recomputed, because these statistics otherwise only widen: after a day they would exclude nothing.
        self.received_stats = ColumnStats::of(&self.received_us);
        before - self.rows()
    }

    /// Begins a snapshot: [`Memtable::copy_next_rows`] will copy every row that exists now, as it is now or
    /// later.
    pub fn begin_snapshot(&mut self) {
        self.snapshot = Some(SnapshotInProgress { cursor: 0, displaced: Box::new(Self::new(&self.tuning)) });
    }

    /// Appends the displaced rows and the next `row_count` rows to `copy`. Returns false once all rows are
    /// copied, which ends the snapshot.
    pub fn copy_next_rows(&mut self, copy: &mut Self, row_count: usize) -> bool {
        let Some(mut snapshot) = self.snapshot.take() else { return false };
        copy.append_from(&snapshot.displaced, 0..snapshot.displaced.rows());
        let end = self.rows().min(snapshot.cursor + row_count);
        copy.append_from(self, snapshot.cursor.min(end)..end);
        if end == self.rows() {
            return false;
        }
        snapshot = SnapshotInProgress { cursor: end, displaced: Box::new(Self::new(&self.tuning)) };
        self.snapshot = Some(snapshot);
        true
    }

    /// Abandons a snapshot, if one was begun.
    pub fn abort_snapshot(&mut self) {
        self.snapshot = None;
    }

    fn append_from(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        let metadata = |row: usize| RowMetadata {
            key_hash: other.key_hash[row],
            versions: other.versions(row),
            received_us: other.received_us[row],
        };
        self.append(&other.fields(), &rows.collect::<Vec<_>>(), metadata);
    }

    /// Called before row `row` is removed and row `last` moves to its number: saves the one that the snapshot
    /// would miss.
    fn save_displaced_row(&mut self, row: usize, last: usize) {
        let Some(mut snapshot) = self.snapshot.take() else { return };
        let moves_below_cursor = row < snapshot.cursor && last >= snapshot.cursor && row != last;
        let missed = if row >= snapshot.cursor { Some(row) } else { moves_below_cursor.then_some(last) };
        if let Some(row) = missed {
            snapshot.displaced.append_from(self, row..row + 1);
        }
        // After the removal there are `last` rows, which the cursor must not exceed.
        snapshot.cursor = snapshot.cursor.min(last);
        self.snapshot = Some(snapshot);
    }

    fn dictionary(&self, slot: usize) -> DictionaryColumn<'_> {
        let codes = self.codes[slot].as_slice();
        let codes = if codes.is_empty() { DictionaryCodes::Absent } else { DictionaryCodes::I32(codes) };
        DictionaryColumn { codes, entries: self.interners[slot].entries(), order: EntryOrder::Distinct }
    }

    /// Notes that a UTC day has one row less.
    fn decrement_rows_of_day(&mut self, day: i64) {
        if let Some(rows) = self.rows_of_day.get_mut(&day) {
            *rows -= 1;
            if *rows == 0 {
                self.rows_of_day.remove(&day);
            }
        }
    }

    /// Removes a row from the hash table of keys.
    fn remove_from_index(&mut self, row: usize) {
        if let Ok(entry) = self.by_key.find_entry(self.key_hash[row], |&other| other as usize == row) {
            entry.remove();
        }
    }
}

/// Sets the code of a row in a column of `rows` rows; a column in which no row has a text has no codes.
fn set_code(codes: &mut Vec<i32>, code: i32, row: usize, rows: usize) {
    if code != NO_CODE || !codes.is_empty() {
        codes.resize(rows, NO_CODE);
        codes[row] = code;
    }
}

/// Appends rows of a dictionary column to one of `count` rows; a column in which no row has a text has no
/// codes.
fn append_codes(codes: &mut Vec<i32>, interner: &mut Interner, column: DictionaryColumn<'_>, rows: &[usize], count: usize) {
    // Interns each entry once per batch, when the first row has it.
    let mut code_of = vec![None; column.entries.count()];
    let code = |&row: &usize| match column.code(row) {
        NO_CODE => NO_CODE,
        code => *code_of[code as usize].get_or_insert_with(|| interner.code(column.entries.get(code as usize))),
    };
    let added: Vec<i32> = rows.iter().map(code).collect();
    if !codes.is_empty() || added.iter().any(|&code| code != NO_CODE) {
        codes.resize(count, NO_CODE);
        codes.extend(added);
    }
}
