//! Memtable: records in memory, stored in columns, changed in place, found by key through a hash table.
//!
//! Rows have no order. [`Memtable::swap_remove`] fills the gap with the last row, so that columns stay dense
//! and row numbers are not stable.
//! Snapshots that are in progress watch the rows; see `row_watchers.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hashbrown::HashTable;

use super::row_watchers::{RowWatcher, RowWatchers};
use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntColumn, IntValues};
use crate::columns::interner::Interner;
use crate::columns::row_set::RowSet;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::columns::text::{BytesColumn, TextColumn};
use crate::record::deletion::Deletion;
use crate::record::schema::{ColumnKind, DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, dictionary_slot, field, int_slot, text_slot};
use crate::record::{Record, US_PER_DAY};
use crate::tuning::Tuning;

/// Entries of a dictionary per row to append from which a list of all entries costs more than looking each row's text up.
const LISTED_ENTRIES_PER_ROW_MAX: usize = 16;

/// Records in columns.
pub struct Memtable {
    setup_us: Vec<i64>,
    /// By slot; the slot of the setup time is empty, as `setup_us` has its values.
    ints: [IntColumn; INT_COUNT],
    codes: [Vec<i32>; DICTIONARY_COUNT],
    interners: [Interner; DICTIONARY_COUNT],
    texts: [TextColumn; TEXT_COUNT],
    received_us: Vec<i64>,
    versions: BytesColumn<u64, u32>,
    key_hash: Vec<u64>,
    /// Row numbers by key hash. The table stores no keys: a hit compares the key columns.
    by_key: HashTable<u32>,
    /// Number of rows by UTC day of the setup time.
    rows_of_day: BTreeMap<i64, usize>,
    /// Min/max statistics of each integer column; they include removed rows, so that they may be too wide.
    column_stats: [ColumnStats; INT_COUNT],
    received_stats: ColumnStats,
    /// Snapshots in progress. While there are any, dictionary codes must not be renumbered.
    snapshots: RowWatchers<Self>,
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
            snapshots: RowWatchers::default(),
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

    /// Statistics of the end times of all rows; they may be too wide.
    pub fn end_stats(&self) -> ColumnStats {
        self.column_stats[int_slot::END_TIME]
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
            accounts: AccountsOfRows::Any,
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

    /// Hash of the key of a row.
    pub fn key_hash(&self, row: usize) -> u64 {
        self.key_hash[row]
    }

    /// Upper bound of the number of distinct values of a column.
    pub fn distinct_count_max(&self, name: &str) -> usize {
        let bound = match field(name) {
            Some(field) => match field.field_type.column_kind() {
                ColumnKind::Int => self.column_stats[field.slot].span(),
                ColumnKind::Dictionary => self.interners[field.slot].entries().len(),
                ColumnKind::Text => usize::MAX,
            },
            None => usize::MAX,
        };
        bound.min(self.rows())
    }

    /// Bytes of the entries of a dictionary column.
    pub fn entry_bytes(&self, slot: usize) -> usize {
        self.interners[slot].text_bytes()
    }

    /// Bytes of a plain text column.
    pub fn text_bytes(&self, slot: usize) -> usize {
        self.texts[slot].text_bytes()
    }

    /// When the last event that changed each row was received, microseconds UTC.
    pub fn all_received_us(&self) -> &[i64] {
        &self.received_us
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
        }
        self.drop_unused_entries();
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
        self.snapshots.before_replace(self, row);
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
        }
        self.drop_unused_entries();
        let texts = &record.strings[DICTIONARY_COUNT..];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.set(row, text, rows));
        self.received_us[row] = metadata.received_us;
        self.versions.set(row, metadata.versions.unwrap_or_default(), rows);
    }

    /// Removes a row; the last row moves to its number.
    pub fn swap_remove(&mut self, row: usize) {
        let last = self.rows() - 1;
        self.snapshots.before_removal(self, row);
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

    /// Removes rows set up before `setup_before_us` whose last change was received at or before `received_until_us`
    /// (both microseconds UTC) of at most `row_max` rows before `end`, from the last one down. Returns the `end` of the next
    /// call, 0 once it has looked at all rows.
    pub fn remove_before(&mut self, setup_before_us: i64, received_until_us: i64, end: usize, row_max: usize) -> usize {
        let is_old =
            |table: &Self, row: usize| table.setup_us[row] < setup_before_us && table.received_us[row] <= received_until_us;
        self.remove_where(end, row_max, is_old)
    }

    /// Removes the rows that `is_unwanted` selects, as [`Memtable::remove_before`] does.
    pub fn remove_where(&mut self, end: usize, row_max: usize, is_unwanted: impl Fn(&Self, usize) -> bool) -> usize {
        let end = end.min(self.rows());
        let start = end.saturating_sub(row_max);
        // In descending order, as `swap_remove` moves the last row to the removed number.
        for row in (start..end).rev() {
            if is_unwanted(self, row) {
                self.swap_remove(row);
            }
        }
        start
    }

    /// Whether a deletion covers a row.
    pub fn is_covered(&self, row: usize, rule: &Deletion) -> bool {
        let (source, session_id) = (self.dictionary(dictionary_slot::SOURCE), &self.texts[text_slot::SESSION_ID]);
        rule.covers_setup(self.setup_us[row]) && rule.covers_key(source.text(row), session_id.get(row))
    }

    /// Whether a row was set up before a UTC day. Takes a time proportional to the number of days.
    pub fn has_days_before(&self, day: i64) -> bool {
        self.rows_of_day.keys().any(|&each| each < day)
    }

    /// Computes the statistics of the times of receipt anew, once rows were removed: they otherwise only widen, and would
    /// exclude nothing after a day.
    pub fn narrow_received_stats(&mut self) {
        self.received_stats = ColumnStats::of(&self.received_us);
    }

    /// Number of rows whose last change was received at or before an instant, microseconds UTC.
    pub fn count_received_until(&self, us: i64) -> usize {
        self.received_us.iter().filter(|&&received_us| received_us <= us).count()
    }

    /// Sources of the rows, "" for rows without one, and the latest setup time of each, microseconds UTC.
    pub fn latest_setups(&self) -> Vec<(Box<str>, i64)> {
        let sources = self.dictionary(dictionary_slot::SOURCE);
        let mut latest = vec![None; sources.entries.count() + 1];
        for (row, &us) in self.setup_us.iter().enumerate() {
            let of_source = &mut latest[sources.code(row).one_based()];
            *of_source = (*of_source).max(Some(us));
        }
        let source = |slot: usize| if slot == 0 { "" } else { sources.entries.get(slot - 1) };
        latest.iter().enumerate().filter_map(|(slot, us)| Some((source(slot).into(), (*us)?))).collect()
    }

    /// Begins a snapshot of the rows that exist now, which lasts until `snapshot` is dropped.
    pub fn begin_snapshot(&mut self, snapshot: Weak<dyn RowWatcher<Self>>) {
        // Reports may follow each other so closely that a snapshot is always in progress when a row is written.
        self.drop_unused_entries();
        self.snapshots.add(snapshot);
    }

    /// Makes the memtable immutable.
    pub fn into_immutable(mut self) -> Arc<Self> {
        let snapshots = std::mem::take(&mut self.snapshots);
        let table = Arc::new(self);
        snapshots.note_immutable(&table);
        table
    }

    /// Appends rows of another memtable.
    pub fn append_from(&mut self, other: &Self, rows: &[usize]) {
        let metadata = |row: usize| RowMetadata {
            key_hash: other.key_hash[row],
            versions: other.versions(row),
            received_us: other.received_us[row],
        };
        self.append(&other.fields(), rows, metadata);
    }

    /// Drops dictionary entries that no row uses, if there are many. Waits for snapshots in progress, as it renumbers codes.
    fn drop_unused_entries(&mut self) {
        if self.snapshots.is_empty() {
            for (interner, codes) in self.interners.iter_mut().zip(&mut self.codes) {
                interner.drop_unused(codes, self.tuning.interner_entry_count_min);
            }
        }
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
    // Interns each entry once per batch, when the first row has it; one by one, if a list of all entries would be long.
    let is_long = column.entries.count() > rows.len().saturating_mul(LISTED_ENTRIES_PER_ROW_MAX);
    let mut code_of = vec![None; if is_long { 0 } else { column.entries.count() }];
    let code = |&row: &usize| match column.code(row) {
        NO_CODE => NO_CODE,
        code => {
            let mut unlisted = None;
            let listed = code_of.get_mut(code as usize).unwrap_or(&mut unlisted);
            *listed.get_or_insert_with(|| interner.code(column.entries.get(code as usize)))
        }
    };
    let added: Vec<i32> = rows.iter().map(code).collect();
    if !codes.is_empty() || added.iter().any(|&code| code != NO_CODE) {
        codes.resize(count, NO_CODE);
        codes.extend(added);
    }
}
