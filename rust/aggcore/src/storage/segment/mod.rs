//! Segments: immutable Arrow IPC files of finished records, memory-mapped.
//!
//! A file holds one record batch, sorted by account, then by setup time. Its columns are:
//!
//! - the fields of the record, when it last changed, and its versions;
//! - an index by key: the key hashes in ascending order, and the row of each, so that memory needs no index;
//! - a Bloom filter of the key hashes (`bloom_filter.rs`);
//! - two columns that reports would otherwise compute for every row: the minute of the day, and the call
//!   duration.
//!
//! (Tried: sorted by time alone. Bins are then runs of rows and S1 needs no minute column, but the rows of
//! one account lie on almost every cache line, and the quality report always asks for one account.)
//!
//! Invariants: a file never changes after it was renamed into place (`write.rs`); a byte is read only after
//! its page was verified (`page_checksums.rs`); after one failed checksum, every later verification of the
//! segment fails.

mod bloom_filter;
mod file_identity;
mod file_watch;
mod guard;
mod guarded_map;
mod inotify;
mod ipc_file;
mod manifest;
mod page_checksums;
mod write;

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef, BinaryArray, NullArray, RecordBatch, cast::AsArray, types::*};
use arrow_buffer::ScalarBuffer;
use arrow_data::ArrayData;
use parking_lot::Mutex;

use crate::columns::arrow::{ArrowColumns, bytes_of_row};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, try_partition_point};
use crate::columns::integer::UNKNOWN_STATS;
use crate::columns::row_set::RowSet;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::{Error, Result};
use crate::record::schema::{COLUMN_COUNT, FIELDS, OLDEST_FIELD_COUNT, dictionary_slot, int_slot, segment_column, text_slot};
use file_watch::WatchedFile;
use guarded_map::{GuardedFile, map};
use ipc_file::read;
use page_checksums::PageChecksums;

pub use file_watch::FileWatch;
pub use guard::{guard, guard_failure, require_all_unchanged};
pub use manifest::{ManifestEntry, Summary};
pub use write::{RowSource, SourceRow, write};

const ACCOUNT_ID: usize = column_of("account_id");
const SETUP_TIME: usize = column_of("setup_time");
/// Columns that hold the key.
const KEY_COLUMNS: [usize; 2] = [column_of("source"), column_of("session_id")];

/// The contiguous rows of an account, or those without an account.
#[derive(Clone)]
struct AccountRows {
    /// Dictionary code of the account; of no meaning for the rows without an account.
    code: usize,
    rows: Range<usize>,
}

/// An open segment.
pub struct Segment {
    /// Name of the file within the data directory.
    pub name: String,
    /// Its statistics, from the catalogue.
    pub summary: Summary,
    /// Length of the file in bytes.
    pub bytes: u64,
    path: PathBuf,
    file: GuardedFile,
    rows: usize,
    pages: PageChecksums,
    /// The buffers of each column, to find the pages of its rows.
    columns: Vec<ArrayData>,
    /// Whether a checksum failed, or another file has taken the place of the one that was opened.
    damaged: AtomicBool,
    /// What happened to a damaged segment.
    problem: OnceLock<String>,
    /// Tells whether something happened to the file; unset if it is not watched.
    watched: OnceLock<WatchedFile>,
    /// Whether the file was missing when it was last looked at.
    is_missing: AtomicBool,
    /// Whether the owner of the file may remove it: the segment was replaced, or another process owns it.
    is_retired: AtomicBool,
    /// Whether the log names the damage.
    is_reported: AtomicBool,
    /// Whether a key was looked for since [`Segment::check_searches`] ran.
    was_searched: AtomicBool,
    /// Whether a key was looked for while the file was damaged.
    has_unknown_keys: AtomicBool,
    /// Whether the pages of the Bloom filter were verified, so that a look-up touches one cache line.
    has_read_bloom_filter: AtomicBool,
    /// Whether the whole file was verified.
    is_file_verified: AtomicBool,
    /// Rows of the accounts that scans have asked for: two binary searches access about 50 offsets of the
    /// file, and each of them may miss the cache.
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
    /// Maps a file of a data directory and verifies its headers; its columns are verified when they are
    /// needed.
    ///
    /// # Errors
    /// `Io` if the file cannot be opened, `Damaged` if its length or a header is not what the entry says.
    pub fn open(directory: &Path, written: &ManifestEntry) -> Result<Self> {
        let path = directory.join(&written.name);
        let file = map(&path)?;
        if file.bytes.len() as u64 != written.bytes {
            return Err(Error::damaged(&path, format!("it has {} bytes instead of {}", file.bytes.len(), written.bytes)));
        }
        let pages = PageChecksums::new(file.bytes.clone(), written.summary.page_crc32.clone());
        let batch = read_guarded(&path, &file, &pages)?;
        if batch.num_rows() != written.rows {
            return Err(Error::damaged(&path, format!("it has {} rows instead of {}", batch.num_rows(), written.rows)));
        }
        let segment = Self::from_columns(path.clone(), written, file, pages, &batch);
        segment.ok_or_else(|| Error::damaged(&path, "a column is missing"))
    }

    /// Opens a file that was just written, and verifies all of it.
    fn open_and_verify(directory: &Path, written: &ManifestEntry) -> Result<Self> {
        let segment = Self::open(directory, written)?;
        segment.verify_file()?;
        Ok(segment)
    }

    /// Number of rows, those with a tombstone included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns all rows as a slice, after verifying the setup times and `columns` ([`column_numbers`]); callers must
    /// not read the other columns.
    ///
    /// # Errors
    /// `Damaged` if one of these columns fails a checksum, or if a checksum of the segment failed before.
    pub fn slice<'a>(&'a self, columns: &[usize], tombstones: &'a RowSet) -> Result<RecordSlice<'a>> {
        self.verify_columns(&(0..self.rows), columns)?;
        Ok(self.unverified_slice(tombstones))
    }

    /// Like [`Segment::slice`], but only with the rows of one account set up in [from, to); "" takes the rows without an
    /// account.
    ///
    /// # Errors
    /// As [`Segment::slice`].
    pub fn slice_of_account<'a>(
        &'a self, account: &str, (from, to): (i64, i64), columns: &[usize], tombstones: &'a RowSet,
    ) -> Result<RecordSlice<'a>> {
        let mut slice = self.unverified_slice(tombstones);
        let is_all_in_range = slice.lies_within(from, to);
        let AccountRows { code, rows } = self.account_rows(account)?;
        slice.accounts = match (account, rows.is_empty()) {
            ("", _) => AccountsOfRows::Absent,
            (_, true) => AccountsOfRows::Any,
            (_, false) => AccountsOfRows::One(code),
        };
        (slice.is_sorted_by_setup, slice.rows) = (true, rows);
        if !is_all_in_range {
            self.verify(SETUP_TIME, &slice.rows)?;
            slice.restrict_to(from, to);
        }
        self.verify_columns(&slice.rows, columns)?;
        Ok(slice)
    }

    /// Returns all rows as a slice, after verifying all columns.
    ///
    /// # Errors
    /// `Damaged` if a checksum fails.
    pub fn verified_slice<'a>(&'a self, tombstones: &'a RowSet) -> Result<RecordSlice<'a>> {
        self.verify_file()?;
        Ok(self.unverified_slice(tombstones))
    }

    /// Returns one row as a slice with its encoded versions, after verifying the row in all columns.
    ///
    /// # Errors
    /// `Damaged` if a checksum fails.
    pub fn row<'a>(&'a self, row: usize, tombstones: &'a RowSet) -> Result<(RecordSlice<'a>, Option<&'a [u8]>)> {
        let rows = row..row + 1;
        (0..COLUMN_COUNT).try_for_each(|number| self.verify(number, &rows))?;
        Ok((RecordSlice { rows, ..self.unverified_slice(tombstones) }, self.versions(row)))
    }

    /// Whether the Bloom filter was read and verified.
    pub fn has_read_bloom_filter(&self) -> bool {
        self.has_read_bloom_filter.load(Ordering::Relaxed)
    }

    /// Whether the rows of an account are known to be verified: a scan has found them before, or the whole
    /// file was verified. False if another thread is looking an account up at this instant: it never waits.
    pub fn has_verified_account(&self, account: &str) -> bool {
        self.is_file_verified.load(Ordering::Relaxed)
            || self.accounts.try_lock().is_some_and(|accounts| accounts.contains_key(account))
    }

    /// Reads and verifies the whole file.
    ///
    /// # Errors
    /// `Damaged` if a checksum fails.
    pub fn verify_file(&self) -> Result<()> {
        self.require_intact(self.pages.is_file_intact() && !self.file.is_lost())?;
        self.is_file_verified.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Encoded versions of a row, `None` for a record of one version. The caller must have verified the row
    /// with [`Segment::verified_slice`] or [`Segment::row`].
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        self.versions.as_ref().and_then(|versions| (!versions.is_null(row)).then(|| bytes_of_row(versions, row)))
    }

    /// Finds the rows of a key, those with a tombstone included: asks the Bloom filter, then searches the
    /// index by key hash.
    ///
    /// It looks at the file only if it panics; [`Segment::check_searches`] does so for many keys together.
    ///
    /// # Errors
    /// `Damaged` if a page that it reads fails its checksum, or the segment is damaged.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> Result<Vec<usize>> {
        self.was_searched.store(true, Ordering::Release);
        let find = || self.find_in_index(key_hash, source, session_id);
        let found = catch_unwind(AssertUnwindSafe(find)).or_else(|panic| guard([self], || resume_unwind(panic)));
        found.and_then(|found| found).inspect_err(|_| self.has_unknown_keys.store(true, Ordering::Release))
    }

    fn find_in_index(&self, key_hash: u64, source: &str, session_id: &str) -> Result<Vec<usize>> {
        if !self.has_read_bloom_filter() {
            self.verify(segment_column::KEY_FILTER, &(0..self.rows))?;
            self.has_read_bloom_filter.store(true, Ordering::Relaxed);
        }
        if !bloom_filter::may_have(&self.bloom_filter, key_hash) {
            return Ok(Vec::new());
        }
        let hash_of = |entry: usize| -> Result<u64> {
            self.verify(segment_column::SORTED_KEY_HASH, &(entry..entry + 1))?;
            Ok(self.sorted_key_hash[entry])
        };
        let mut found = Vec::new();
        let first = try_partition_point(0..self.rows, |entry| hash_of(entry).map(|hash| hash < key_hash))?;
        for entry in first..self.rows {
            if hash_of(entry)? != key_hash {
                break;
            }
            self.verify(segment_column::ROW_OF_KEY, &(entry..entry + 1))?;
            let row = self.row_of_key[entry] as usize;
            KEY_COLUMNS.into_iter().try_for_each(|number| self.verify(number, &(row..row + 1)))?;
            if self.has_key(row, source, session_id) {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// Whether versions of this key have setup times on several UTC days, so that versions of any day may
    /// join its record.
    pub fn has_multi_day_key(&self, key_hash: u64) -> bool {
        self.summary.multi_day_keys.binary_search(&key_hash).is_ok()
    }

    /// Rows of an account, from the cache or by search.
    fn account_rows(&self, account: &str) -> Result<AccountRows> {
        if let Some(cached) = self.accounts.lock().get(account) {
            return Ok(cached.clone());
        }
        let found = self.find_account_rows(account)?;
        // Misses are not cached: clients could ask for unboundedly many unknown accounts.
        if !found.rows.is_empty() {
            self.accounts.lock().insert(account.into(), found.clone());
        }
        Ok(found)
    }

    /// Finds the code of an account in the sorted dictionary, then its rows by two binary searches: rows are
    /// sorted by account, absent accounts last. Verifies only the codes that it compares.
    fn find_account_rows(&self, account: &str) -> Result<AccountRows> {
        let accounts = self.dictionary(dictionary_slot::ACCOUNT_ID);
        self.verify(ACCOUNT_ID, &(0..0))?;
        let is_absent = account.is_empty();
        if is_absent && matches!(accounts.codes, DictionaryCodes::Absent) {
            return Ok(AccountRows { code: 0, rows: 0..self.rows });
        }
        // Codes of absent texts come after those of all entries that are not empty; as unsigned, NO_CODE does, too.
        let codes = accounts.codes_where(|entry| is_absent || entry < account, |entry| entry == account);
        let code_of = |row: usize| -> Result<usize> {
            self.require_intact(self.pages.are_codes_intact(&self.columns[ACCOUNT_ID], &(row..row + 1)))?;
            Ok(accounts.code(row) as usize)
        };
        if codes.is_empty() && !is_absent {
            return Ok(AccountRows { code: codes.start, rows: 0..0 });
        }
        let first = try_partition_point(0..self.rows, |row| code_of(row).map(|code| code < codes.start))?;
        if is_absent {
            return Ok(AccountRows { code: codes.start, rows: first..self.rows });
        }
        let end = try_partition_point(first..self.rows, |row| code_of(row).map(|code| code < codes.end))?;
        Ok(AccountRows { code: codes.start, rows: first..end })
    }

    fn has_key(&self, row: usize, source: &str, session_id: &str) -> bool {
        self.fields.texts(text_slot::SESSION_ID).get(row) == session_id
            && self.dictionary(dictionary_slot::SOURCE).text(row) == source
    }

    /// All rows as a slice; the caller has to verify the columns that it reads.
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
            accounts: AccountsOfRows::Any,
            durations: self.duration_ms.as_deref().map_or(times, CallDurations::Milliseconds),
            fields,
            column_stats: Some(&self.summary.column_stats),
            received_us: &self.received_us,
            received_stats: UNKNOWN_STATS,
            tombstones,
        }
    }

    fn dictionary(&self, slot: usize) -> DictionaryColumn<'_> {
        self.fields.dictionary(slot, EntryOrder::Sorted)
    }

    /// Verifies columns ([`column_numbers`]), and the setup times, in some rows.
    ///
    /// # Errors
    /// `Damaged` if a checksum fails.
    pub fn verify_columns(&self, rows: &Range<usize>, columns: &[usize]) -> Result<()> {
        columns.iter().try_for_each(|&number| self.verify(number, rows))?;
        self.verify(SETUP_TIME, rows)
    }

    /// Verifies rows of a column.
    fn verify(&self, column: usize, rows: &Range<usize>) -> Result<()> {
        self.require_intact(self.pages.are_rows_intact(&self.columns[column], rows))
    }

    /// `None` if a column is missing or has an unexpected type.
    fn from_columns(
        path: PathBuf, written: &ManifestEntry, file: GuardedFile, pages: PageChecksums, batch: &RecordBatch,
    ) -> Option<Self> {
        let own = |number: usize| batch.column_by_name(segment_column::NAMES[number - segment_column::RECEIVED_TIME]);
        let columns = with_later_fields(batch)?;
        let setup_us = columns.get(SETUP_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone();
        Some(Self {
            name: written.name.clone(),
            summary: written.summary.clone(),
            bytes: written.bytes,
            path,
            file,
            rows: batch.num_rows(),
            pages,
            columns: columns.iter().map(Array::to_data).collect(),
            damaged: AtomicBool::new(false),
            problem: OnceLock::new(),
            watched: OnceLock::new(),
            is_missing: AtomicBool::new(false),
            is_retired: AtomicBool::new(false),
            is_reported: AtomicBool::new(false),
            was_searched: AtomicBool::new(false),
            has_unknown_keys: AtomicBool::new(false),
            has_read_bloom_filter: AtomicBool::new(false),
            is_file_verified: AtomicBool::new(false),
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

/// Returns the columns of a batch by column number, with absent ones for the fields that were added after it was
/// written. `None` if another column is missing.
fn with_later_fields(batch: &RecordBatch) -> Option<Vec<ArrayRef>> {
    let field_count = batch.num_columns().checked_sub(segment_column::NAMES.len())?;
    let schema = batch.schema_ref();
    let named = FIELDS.iter().take(field_count).zip(schema.fields()).all(|(field, arrow)| field.name == arrow.name());
    let (fields, own) = batch.columns().split_at_checked(field_count)?;
    let later = (field_count..FIELDS.len()).map(|_| Arc::new(NullArray::new(batch.num_rows())) as ArrayRef);
    let columns: Vec<ArrayRef> = fields.iter().cloned().chain(later).chain(own.iter().cloned()).collect();
    (named && field_count >= OLDEST_FIELD_COUNT && columns.len() == COLUMN_COUNT).then_some(columns)
}

/// Numbers of the columns that a scan names.
pub fn column_numbers(names: &[&str]) -> Vec<usize> {
    names.iter().filter_map(|name| column_named(name)).collect()
}

/// Reads the headers of a mapped file. Another program may change them between the check and the read.
fn read_guarded(path: &Path, file: &GuardedFile, pages: &PageChecksums) -> Result<RecordBatch> {
    match catch_unwind(AssertUnwindSafe(|| read(&file.bytes, pages))) {
        Ok(batch) => batch.map_err(|error| Error::damaged(path, error)),
        Err(panic) if !file.is_lost() && matches!(file.change_at(path), Ok(None)) => resume_unwind(panic),
        Err(_) => Err(Error::damaged(path, "it was changed while it was opened")),
    }
}

/// Column number of a field, at compile time.
const fn column_of(name: &str) -> usize {
    let mut number = 0;
    while !crate::record::schema::str_eq(FIELDS[number].name, name) {
        number += 1;
    }
    number
}

/// Column number of a name; `None` for a derived column. `duration_ms` is one: scans name the stored column
/// (`talk_ms`) themselves.
fn column_named(name: &str) -> Option<usize> {
    let own = || segment_column::NAMES.iter().position(|own| *own == name).map(|number| segment_column::RECEIVED_TIME + number);
    FIELDS.iter().position(|field| field.name == name).or_else(own)
}
