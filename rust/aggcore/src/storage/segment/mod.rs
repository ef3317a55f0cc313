//! SegmentEntry segments: immutable Arrow IPC files, memory-mapped.
//!
//! A file holds one record batch sorted by account, then by setup time: the fields of the record, when it was
//! received, what is kept of its versions, a sorted column of key hashes with the row of each, by which a key is found
//! without an index in memory, a filter that tells at once that a key is not there, and what reports ask of every row
//! in the form that they need it in: the minute of the day, and how long was talked. A page of the file is checked
//! when it is first needed, so that opening a segment reads next to nothing of it.

mod bloom_filter;
mod manifest;
mod mmap;
mod page_checksums;
mod write;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{Array, BinaryArray, RecordBatch, cast::AsArray, types::*};
use arrow_buffer::ScalarBuffer;
use arrow_data::ArrayData;
use parking_lot::Mutex;

use crate::columns::arrow::ArrowColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryColumn, EntryOrder, try_partition_point};
use crate::columns::integer::UNKNOWN_STATS;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::schema::{COLUMN_COUNT, FIELDS, dictionary_slot, int_slot, segment_column, text_slot};
use mmap::{map, read};
use page_checksums::PageChecksums;

pub use manifest::{ManifestEntry, Summary};
pub use write::{RowSource, SourceRow, write};

const ACCOUNT_ID: usize = column_of("account_id");
const SETUP_TIME: usize = column_of("setup_time");
/// The columns that a key is compared with.
const KEY_COLUMNS: [usize; 2] = [column_of("source"), column_of("session_id")];

/// The code of an account and its rows.
type AccountRows = (usize, Range<usize>);

/// One sealed segment.
pub struct Segment {
    /// Name of the file within the data directory.
    pub name: String,
    /// What is known of it without reading its columns.
    pub summary: Summary,
    /// Size of the file.
    pub bytes: u64,
    path: PathBuf,
    rows: usize,
    pages: PageChecksums,
    columns: Vec<ArrayData>,
    damaged: AtomicBool,
    has_read_bloom_filter: AtomicBool,
    /// Where the rows of accounts are that were asked for: each search looks at some fifty places of the file.
    accounts: Mutex<HashMap<Box<str>, AccountRows>>,
    setup_us: ScalarBuffer<i64>,
    fields: ArrowColumns,
    received_us: ScalarBuffer<i64>,
    versions: Option<BinaryArray>,
    sorted_key_hash: ScalarBuffer<u64>,
    row_of_key: ScalarBuffer<u32>,
    bloom_filter: ScalarBuffer<u16>,
    setup_minute: Option<ScalarBuffer<u16>>,
    duration_ms: Option<ScalarBuffer<i32>>,
}

impl Segment {
    /// Maps a file of a data directory; its pages are checked when they are needed.
    ///
    /// # Errors
    /// `Io` where it cannot be opened, `Damaged` where its size or its header is not what was written.
    pub fn open(directory: &Path, written: &ManifestEntry) -> Result<Self> {
        let path = directory.join(&written.name);
        let buffer = map(&path)?;
        if buffer.len() as u64 != written.bytes {
            return Err(Error::damaged(&path, format!("it has {} bytes instead of {}", buffer.len(), written.bytes)));
        }
        let pages = PageChecksums::new(buffer.clone(), written.summary.page_crc32.clone());
        let batch = read(&buffer, &pages).map_err(|error| Error::damaged(&path, error))?;
        if batch.num_rows() != written.rows {
            return Err(Error::damaged(&path, format!("it has {} rows instead of {}", batch.num_rows(), written.rows)));
        }
        Self::from_columns(path.clone(), written, pages, &batch).ok_or_else(|| Error::damaged(&path, "a column is missing"))
    }

    /// Opens a file just written, and reads all of it.
    fn open_and_verify(directory: &Path, written: &ManifestEntry) -> Result<Self> {
        let segment = Self::open(directory, written)?;
        segment.verify_file()?;
        Ok(segment)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows as columns, of which only those named may be read; `tombstones` are those that count no more.
    ///
    /// # Errors
    /// `Damaged` where one of these columns is not what was written, or any looked at before was not.
    pub fn slice<'a>(&'a self, names: &[&str], tombstones: &'a RowSet) -> Result<RecordSlice<'a>> {
        self.verify_columns(self.unverified_slice(tombstones), names)
    }

    /// As [`Segment::slice`], with the rows of one account set up in [from, to) alone.
    ///
    /// # Errors
    /// As [`Segment::slice`].
    pub fn slice_of_account<'a>(
        &'a self, account: &str, (from, to): (i64, i64), names: &[&str], tombstones: &'a RowSet,
    ) -> Result<RecordSlice<'a>> {
        let mut slice = self.unverified_slice(tombstones);
        let (is_all_in_range, (code, rows)) = (slice.lies_within(from, to), self.account_rows(account)?);
        (slice.account, slice.is_sorted_by_setup, slice.rows) = ((!rows.is_empty()).then_some(code), true, rows);
        if !is_all_in_range {
            self.verify(SETUP_TIME, &slice.rows)?;
            slice.restrict_to(from, to);
        }
        self.verify_columns(slice, names)
    }

    /// The rows as columns, all of which may be read.
    ///
    /// # Errors
    /// `Damaged` where any is not what was written.
    pub fn verified_slice<'a>(&'a self, tombstones: &'a RowSet) -> Result<RecordSlice<'a>> {
        self.verify_file()?;
        Ok(self.unverified_slice(tombstones))
    }

    /// One row as columns, all of which may be read, with what is kept of its versions.
    ///
    /// # Errors
    /// `Damaged` where the row is not what was written.
    pub fn row<'a>(&'a self, row: usize, tombstones: &'a RowSet) -> Result<(RecordSlice<'a>, Option<&'a [u8]>)> {
        let rows = row..row + 1;
        (0..COLUMN_COUNT).try_for_each(|number| self.verify(number, &rows))?;
        Ok((RecordSlice { rows, ..self.unverified_slice(tombstones) }, self.versions(row)))
    }

    /// Whether a slice of it was found not to be what was written.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether the filter of its keys was read.
    pub fn has_read_bloom_filter(&self) -> bool {
        self.has_read_bloom_filter.load(Ordering::Relaxed)
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// `Damaged` where a byte of it is not what was written.
    pub fn verify_file(&self) -> Result<()> {
        self.require_intact(self.pages.is_file_intact())
    }

    /// What is kept of a row's versions; after [`Segment::verified_slice`] or [`Segment::row`].
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        self.versions.as_ref().and_then(|versions| (!versions.is_null(row)).then(|| versions.value(row)))
    }

    /// The rows of a key, also those that count no more.
    ///
    /// # Errors
    /// `Damaged` where something that it needs is not what was written.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> Result<Vec<usize>> {
        if !self.has_read_bloom_filter() {
            self.verify(segment_column::KEY_FILTER, &(0..self.rows))?;
            self.has_read_bloom_filter.store(true, Ordering::Relaxed);
        }
        if !bloom_filter::may_have(&self.bloom_filter, key_hash) {
            return Ok(Vec::new());
        }
        let hash_of = |place: usize| -> Result<u64> {
            self.verify(segment_column::SORTED_KEY_HASH, &(place..place + 1))?;
            Ok(self.sorted_key_hash[place])
        };
        let mut found = Vec::new();
        let first = try_partition_point(0..self.rows, |place| hash_of(place).map(|hash| hash < key_hash))?;
        for place in first..self.rows {
            if hash_of(place)? != key_hash {
                break;
            }
            self.verify(segment_column::ROW_OF_KEY, &(place..place + 1))?;
            let row = self.row_of_key[place] as usize;
            KEY_COLUMNS.into_iter().try_for_each(|number| self.verify(number, &(row..row + 1)))?;
            if self.has_key(row, source, session_id) {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// Whether a version of this key may belong here though set up on any day.
    pub fn has_multi_day_key(&self, key_hash: u64) -> bool {
        self.summary.multi_day_keys.binary_search(&key_hash).is_ok()
    }

    /// An account, searched for when it is first asked for.
    fn account_rows(&self, account: &str) -> Result<AccountRows> {
        if let Some(known) = self.accounts.lock().get(account) {
            return Ok(known.clone());
        }
        let found = self.find_account_rows(account)?;
        // Others are as many as anyone asks for.
        if !found.1.is_empty() {
            self.accounts.lock().insert(account.into(), found.clone());
        }
        Ok(found)
    }

    /// Rows are sorted by account, absent ones last.
    fn find_account_rows(&self, account: &str) -> Result<AccountRows> {
        let accounts = self.category(dictionary_slot::ACCOUNT_ID);
        self.verify(ACCOUNT_ID, &(0..0))?;
        let codes = accounts.codes_where(|entry| entry < account, |entry| entry == account);
        let code_of = |row: usize| -> Result<usize> {
            self.require_intact(self.pages.are_codes_intact(&self.columns[ACCOUNT_ID], &(row..row + 1)))?;
            Ok(accounts.code(row) as usize)
        };
        if codes.is_empty() {
            return Ok((codes.start, 0..0));
        }
        let first = try_partition_point(0..self.rows, |row| code_of(row).map(|code| code < codes.start))?;
        Ok((codes.start, first..try_partition_point(first..self.rows, |row| code_of(row).map(|code| code < codes.end))?))
    }

    fn has_key(&self, row: usize, source: &str, session_id: &str) -> bool {
        self.fields.texts(text_slot::SESSION_ID).get(row) == session_id
            && self.category(dictionary_slot::SOURCE).text(row) == source
    }

    fn unverified_slice<'a>(&'a self, tombstones: &'a RowSet) -> RecordSlice<'a> {
        let fields = self.fields.fields(EntryOrder::Sorted);
        let times =
            CallDurations::Times { answer_us: fields.ints[int_slot::ANSWER_TIME], end_us: fields.ints[int_slot::END_TIME] };
        RecordSlice {
            rows: 0..self.rows,
            is_sorted_by_setup: false,
            setup_range: self.summary.setup_range,
            setup_us: &self.setup_us,
            setup_minute: self.setup_minute.as_deref(),
            rollup_sums: None,
            call_count_max: self.rows as u64,
            account: None,
            durations: self.duration_ms.as_deref().map_or(times, CallDurations::Milliseconds),
            fields,
            column_stats: Some(&self.summary.column_stats),
            received_us: &self.received_us,
            received_stats: UNKNOWN_STATS,
            tombstones,
        }
    }

    fn category(&self, slot: usize) -> DictionaryColumn<'_> {
        self.fields.dictionary(slot, EntryOrder::Sorted)
    }

    /// A slice of it, once the columns that may be read of it are known to be whole.
    ///
    /// # Errors
    /// `Damaged` where they are not.
    pub fn verify_columns<'a>(&self, slice: RecordSlice<'a>, names: &[&str]) -> Result<RecordSlice<'a>> {
        for number in names.iter().filter_map(|name| column_named(name)) {
            self.verify(number, &slice.rows)?;
        }
        self.verify(SETUP_TIME, &slice.rows)?;
        Ok(slice)
    }

    /// Makes sure that rows of a column are what was written.
    fn verify(&self, number: usize, rows: &Range<usize>) -> Result<()> {
        self.require_intact(self.pages.are_rows_intact(&self.columns[number], rows))
    }

    fn require_intact(&self, is_intact: bool) -> Result<()> {
        if !is_intact {
            // Its keys cannot be trusted any more, so neither can any count of it.
            self.damaged.store(true, Ordering::Relaxed);
        }
        if self.is_damaged() { Err(Error::damaged(&self.path, "it fails its checksum")) } else { Ok(()) }
    }

    fn from_columns(path: PathBuf, written: &ManifestEntry, pages: PageChecksums, batch: &RecordBatch) -> Option<Self> {
        let own = |number: usize| batch.column_by_name(segment_column::NAMES[number - segment_column::RECEIVED_TIME]);
        let columns = batch.columns();
        let named = FIELDS.iter().zip(batch.schema_ref().fields()).all(|(field, arrow)| field.name == arrow.name());
        let setup_us = columns.get(SETUP_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone();
        (named && columns.len() == COLUMN_COUNT).then_some(Self {
            name: written.name.clone(),
            summary: written.summary.clone(),
            bytes: written.bytes,
            path,
            rows: batch.num_rows(),
            pages,
            columns: columns.iter().map(Array::to_data).collect(),
            damaged: AtomicBool::new(false),
            has_read_bloom_filter: AtomicBool::new(false),
            accounts: Mutex::default(),
            setup_us,
            fields: ArrowColumns::from_arrays(columns.get(..FIELDS.len())?)?,
            received_us: own(segment_column::RECEIVED_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone(),
            versions: own(segment_column::VERSIONS)?.as_binary_opt::<i32>().cloned(),
            sorted_key_hash: own(segment_column::SORTED_KEY_HASH)?.as_primitive_opt::<UInt64Type>()?.values().clone(),
            row_of_key: own(segment_column::ROW_OF_KEY)?.as_primitive_opt::<UInt32Type>()?.values().clone(),
            bloom_filter: own(segment_column::KEY_FILTER)?.as_primitive_opt::<UInt16Type>()?.values().clone(),
            setup_minute: own(segment_column::SETUP_MINUTE)?
                .as_primitive_opt::<UInt16Type>()
                .map(|minutes| minutes.values().clone()),
            duration_ms: own(segment_column::DURATION_MS)?.as_primitive_opt::<Int32Type>().map(|ms| ms.values().clone()),
        })
    }
}

const fn column_of(name: &str) -> usize {
    let mut number = 0;
    while !crate::record::schema::str_eq(FIELDS[number].name, name) {
        number += 1;
    }
    number
}

/// Number of the column of a name; none for one that follows from others.
fn column_named(name: &str) -> Option<usize> {
    let own = || segment_column::NAMES.iter().position(|own| *own == name).map(|number| segment_column::RECEIVED_TIME + number);
    FIELDS.iter().position(|field| field.name == name).or_else(own)
}
