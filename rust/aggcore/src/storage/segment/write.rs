//! Writes a segment: gathers rows of several sources, sorts them, and makes them durable as one Arrow IPC
//! file.
//!
//! **Gather.** Each column is gathered row by row from memtables or segments into the narrowest type that
//! fits all values. A dictionary merge gives dictionary columns the sorted union of the entries that the rows
//! use. `arrow_select::interleave` cannot do so: it wants arrays of one type, but memtables have none and the
//! integers of each segment have a width of their own. Casting them to one width first would break the rule
//! that the least integer of the type stands beneath a null, and its merged dictionaries are not sorted.
//!
//! **Power cuts.** [`write`] creates `<name>.tmp`, writes and syncs it, renames it to `<name>`, and syncs the
//! directories up to the data directory. The rename is atomic: a power cut before it leaves a temporary file that
//! readers ignore, one after it leaves the complete file or the temporary one. The catalogue names the file
//! only after [`write`] returned.

use std::{fs::File, io::Write, path::Path, sync::Arc};

use arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, NullArray, RecordBatch, TimestampMicrosecondArray, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field as ArrowField, Schema};

use super::manifest::{ManifestEntry, Summary};
use super::page_checksums::PageHasher;
use super::{Segment, bloom_filter};
use crate::columns::arrow::{dictionary_array, int_array, text_array};
use crate::columns::dictionary::{DictionaryColumn, NO_CODE};
use crate::columns::integer::{ColumnStats, UNKNOWN_STATS};
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::private_files;
use crate::record::schema::{ColumnKind, FIELDS, Field, INT_COUNT, dictionary_slot, int_slot, segment_column};
use crate::scan::minute_histogram::minute_of_day;
use crate::tuning::Tuning;
use crate::wire::versions::spans_several_days;

/// A memtable or segment whose rows are written into a new segment.
pub struct RowSource<'a> {
    /// The rows as columns.
    pub slice: RecordSlice<'a>,
    /// Returns the encoded versions of a row; `None` for a record of one version.
    pub versions: &'a dyn Fn(usize) -> Option<&'a [u8]>,
}

/// A row of one of several sources; orders by source, then by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceRow {
    /// Index of the source.
    pub source: u32,
    /// Row within the source.
    pub row: u32,
}

impl SourceRow {
    fn source<'a, 'b>(self, sources: &'a [RowSource<'b>]) -> &'a RowSource<'b> {
        &sources[self.source as usize]
    }

    /// Setup time, microseconds UTC.
    pub fn setup_us(self, sources: &[RowSource<'_>]) -> i64 {
        self.source(sources).slice.setup_us[self.row as usize]
    }
}

/// Writes rows into a new segment that survives a power cut once this returns, verifies it and opens it.
///
/// Sorts `source_rows` into the order of the file: by account, then by setup time.
///
/// # Errors
/// `Io` if the operating system refuses; a temporary file may be left, which readers ignore. `Damaged` if the
/// file does not read back as written.
pub fn write(
    directory: &Path, name: &str, sources: &[RowSource<'_>], source_rows: &mut [SourceRow], tuning: &Tuning,
) -> Result<(ManifestEntry, Segment)> {
    sort(sources, source_rows);
    let columns = columns(sources, source_rows)?;
    let path = directory.join(name);
    let (bytes, crc32, page_crc32) = write_durably(directory, &path, &columns.batch, tuning.segment_sync_bytes)?;
    let SegmentColumns { setup_range, column_stats, multi_day_keys, .. } = columns;
    let summary = Summary { setup_range, column_stats, page_crc32, multi_day_keys };
    let written = ManifestEntry { name: name.to_owned(), rows: source_rows.len(), bytes, crc32, summary };
    let segment = Segment::open_and_verify(directory, &written)?;
    Ok((written, segment))
}

/// Sorts rows by account, absent accounts last, then by setup time.
fn sort(sources: &[RowSource<'_>], source_rows: &mut [SourceRow]) {
    let accounts = DictionaryMerge::new(sources, source_rows, dictionary_slot::ACCOUNT_ID);
    let key = |row: SourceRow| (accounts.code(sources, row), row.setup_us(sources), row);
    let mut keys: Vec<(usize, i64, SourceRow)> = source_rows.iter().map(|&row| key(row)).collect();
    keys.sort_unstable();
    source_rows.iter_mut().zip(keys).for_each(|(row, key)| *row = key.2);
}

/// The columns of a segment, and the rest of its summary.
struct SegmentColumns {
    batch: RecordBatch,
    setup_range: (i64, i64),
    column_stats: [ColumnStats; INT_COUNT],
    multi_day_keys: Vec<u64>,
}

fn columns(sources: &[RowSource<'_>], source_rows: &[SourceRow]) -> Result<SegmentColumns> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(FIELDS.len() + segment_column::NAMES.len());
    let mut column_stats = [UNKNOWN_STATS; INT_COUNT];
    for field in &FIELDS {
        arrays.push(field_column(sources, source_rows, field, &mut column_stats)?);
    }
    let received = gather(sources, source_rows, |slice, row| slice.received_us[row]);
    arrays.push(Arc::new(TimestampMicrosecondArray::from_iter_values(received).with_timezone("UTC")));
    let versions = || source_rows.iter().map(|row| (row.source(sources).versions)(row.row as usize));
    arrays.push(versions_column(versions()));
    let hashes: Vec<u64> = gather(sources, source_rows, |slice, row| slice.fields.key_hash(row)).collect();
    arrays.extend(key_index(&hashes));
    arrays.push(Arc::new(UInt16Array::from(bloom_filter::build(&hashes))));
    let minutes = gather(sources, source_rows, |slice, row| minute_of_day(slice.setup_us[row]));
    arrays.push(Arc::new(UInt16Array::from_iter_values(minutes)));
    arrays.push(duration_column(gather(sources, source_rows, |slice, row| slice.durations.get(row)), source_rows.len()));
    let ColumnStats { low, high, .. } = column_stats[int_slot::SETUP_TIME];
    let multi_day_keys = multi_day_keys(versions(), &hashes);
    Ok(SegmentColumns { batch: record_batch(arrays)?, setup_range: (low, high), column_stats, multi_day_keys })
}

/// Gathers the column of a field; notes the statistics of an integer column.
fn field_column(
    sources: &[RowSource<'_>], source_rows: &[SourceRow], field: &Field, column_stats: &mut [ColumnStats; INT_COUNT],
) -> Result<ArrayRef> {
    Ok(match field.field_type.column_kind() {
        ColumnKind::Dictionary => dictionary_column(sources, source_rows, field.slot)?,
        ColumnKind::Text => {
            let text = |row: &SourceRow| row.source(sources).slice.fields.texts[field.slot].get(row.row as usize);
            text_array(source_rows.iter().map(text))
        }
        ColumnKind::Int => {
            let value = |slice: &RecordSlice<'_>, row| slice.fields.ints[field.slot].get(row);
            let values: Vec<i64> = gather(sources, source_rows, value).collect();
            column_stats[field.slot] = ColumnStats::of(&values);
            int_array(values, column_stats[field.slot], field.field_type)
        }
    })
}

/// Gathers a value of each row.
fn gather<'a, T>(
    sources: &'a [RowSource<'_>], source_rows: &'a [SourceRow], value: impl Fn(&RecordSlice<'_>, usize) -> T + Clone + 'a,
) -> impl Iterator<Item = T> + Clone {
    source_rows.iter().map(move |row| value(&row.source(sources).slice, row.row as usize))
}

/// The index by key: the key hashes in ascending order, and the row of each.
fn key_index(hashes: &[u64]) -> [ArrayRef; 2] {
    let mut keys: Vec<(u64, u32)> = hashes.iter().zip(0..).map(|(&hash, row)| (hash, row)).collect();
    keys.sort_unstable();
    let sorted_hashes = UInt64Array::from_iter_values(keys.iter().map(|key| key.0));
    let rows = UInt32Array::from_iter_values(keys.iter().map(|key| key.1));
    [Arc::new(sorted_hashes), Arc::new(rows)]
}

/// Hashes of the keys whose versions have setup times on several UTC days, ascending.
fn multi_day_keys<'a>(versions: impl Iterator<Item = Option<&'a [u8]>>, hashes: &[u64]) -> Vec<u64> {
    let rows = versions.zip(hashes).filter(|(versions, _)| versions.is_some_and(spans_several_days));
    let mut keys: Vec<u64> = rows.map(|(_, &hash)| hash).collect();
    keys.sort_unstable();
    keys
}

/// Call durations in milliseconds, -1 for unanswered calls. The column is Null if one of them exceeds 32
/// bits.
fn duration_column(durations: impl Iterator<Item = (bool, i64)>, rows: usize) -> ArrayRef {
    let ms = |(answered, ms): (bool, i64)| if answered { i32::try_from(ms).ok() } else { Some(-1) };
    let values: Option<Vec<i32>> = durations.map(ms).collect();
    values.map_or_else(|| Arc::new(NullArray::new(rows)) as ArrayRef, |values| Arc::new(Int32Array::from(values)))
}

fn versions_column<'a>(versions: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> ArrayRef {
    if versions.clone().all(|versions| versions.is_none()) {
        return Arc::new(NullArray::new(versions.count()));
    }
    Arc::new(BinaryArray::from_iter(versions))
}

/// Names the columns: the fields of the record, then those of [`segment_column`].
fn record_batch(arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    let names = FIELDS.iter().map(|field| field.name).chain(segment_column::NAMES);
    let fields = names.zip(&arrays).map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), arrays)?)
}

/// Merges the dictionaries of one column over all sources: the entries that some row uses, ascending, and a
/// map from the codes of each source to the merged codes.
struct DictionaryMerge<'a> {
    slot: usize,
    entries: Vec<&'a str>,
    /// Merged code by source and by the source's own code; `entries.len()` for an unused or absent entry.
    code_of: Vec<Vec<usize>>,
}

impl<'a> DictionaryMerge<'a> {
    fn new(sources: &'a [RowSource<'_>], source_rows: &[SourceRow], slot: usize) -> Self {
        let column = |source: &'a RowSource<'_>| &source.slice.fields.dictionaries[slot];
        let columns: Vec<&DictionaryColumn<'_>> = sources.iter().map(column).collect();
        let used = used_codes(&columns, source_rows);
        let mut entries = Vec::new();
        for (column, used) in columns.iter().zip(&used) {
            let texts = (0..column.entries.count()).filter(|&code| used[code]).map(|code| column.entries.get(code));
            entries.extend(texts.filter(|text| !text.is_empty()));
        }
        entries.sort_unstable();
        entries.dedup();
        let merged_code = |text: &str| entries.binary_search(&text).unwrap_or(entries.len());
        let code_of = columns.iter().zip(&used).map(|(column, used)| {
            let code = |code: usize| if used[code] { merged_code(column.entries.get(code)) } else { entries.len() };
            (0..column.entries.count()).map(code).collect()
        });
        Self { slot, code_of: code_of.collect(), entries }
    }

    /// Merged code of a row; `entries.len()` if its text is absent, so that absent texts sort last.
    fn code(&self, sources: &[RowSource<'_>], row: SourceRow) -> usize {
        match row.source(sources).slice.fields.dictionaries[self.slot].code(row.row as usize) {
            NO_CODE => self.entries.len(),
            code => self.code_of[row.source as usize][code as usize],
        }
    }
}

/// Whether some row uses a code, by source and code.
fn used_codes(columns: &[&DictionaryColumn<'_>], source_rows: &[SourceRow]) -> Vec<Vec<bool>> {
    let mut used: Vec<Vec<bool>> = columns.iter().map(|column| vec![false; column.entries.count()]).collect();
    for row in source_rows {
        match columns[row.source as usize].code(row.row as usize) {
            NO_CODE => {}
            code => used[row.source as usize][code as usize] = true,
        }
    }
    used
}

/// Gathers a dictionary column, with only the entries that the rows use.
fn dictionary_column(sources: &[RowSource<'_>], source_rows: &[SourceRow], slot: usize) -> Result<ArrayRef> {
    let dictionary = DictionaryMerge::new(sources, source_rows, slot);
    let codes: Vec<usize> = source_rows.iter().map(|&row| dictionary.code(sources, row)).collect();
    Ok(dictionary_array(&codes, &dictionary.entries)?)
}

/// Writes a batch into a new file and syncs it, in the order that the head of this module states.
///
/// Returns the length of the file in bytes, its CRC-32, and those of its pages.
fn write_durably(data_directory: &Path, path: &Path, batch: &RecordBatch, sync_bytes: usize) -> Result<(u64, u32, Vec<u32>)> {
    let io = |source| Error::io(path, source);
    let temporary = path.with_extension("tmp");
    private_files::create_folders(data_directory, path.parent().unwrap_or(data_directory)).map_err(io)?;
    let file = private_files::create(&temporary).map_err(io)?;
    let mut out = PacedFile { file, hasher: PageHasher::default(), bytes: 0, unsynced_bytes: 0, sync_bytes };
    let mut writer = FileWriter::try_new(&mut out, &batch.schema()).map_err(|error| io_error(path, error))?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| io_error(path, error))?;
    drop(writer);
    private_files::make_read_only(&out.file).map_err(io)?;
    out.file.sync_all().map_err(io)?;
    std::fs::rename(&temporary, path).map_err(io)?;
    // The directory of the day may be new: its own name is in the directory above.
    let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(data_directory));
    folders.into_iter().try_for_each(sync_directory).map_err(io)?;
    let (crc32, page_crc32) = out.hasher.finish();
    Ok((out.bytes, crc32, page_crc32))
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Unwraps the error of the operating system that Arrow wraps.
fn io_error(path: &Path, error: ArrowError) -> Error {
    if let ArrowError::IoError(_, source) = error {
        return Error::io(path, source);
    }
    Error::from(error)
}

/// A file that syncs itself every few megabytes: one sync of the whole segment would delay those of the
/// journal, which share the disk's queue.
struct PacedFile {
    file: File,
    hasher: PageHasher,
    bytes: u64,
    unsynced_bytes: usize,
    /// Bytes between two syncs.
    sync_bytes: usize,
}

impl Write for PacedFile {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(&buffer[..buffer.len().min(self.sync_bytes)])?;
        self.hasher.add(&buffer[..written]);
        self.bytes += written as u64;
        self.unsynced_bytes += written;
        if self.unsynced_bytes >= self.sync_bytes {
            self.unsynced_bytes = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
