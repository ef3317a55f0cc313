//! Writes segments: rows gathered from slices, sorted, as one Arrow IPC file that survives a power cut.

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
use crate::record::schema::{ColumnKind, FIELDS, INT_COUNT, dictionary_slot, int_slot, segment_column};
use crate::scan::minute_histogram::minute_of_day;
use crate::wire::versions::spans_several_days;

/// Bytes written between two flushes.
const SYNC_INTERVAL_BYTES: usize = 4 << 20;

/// Rows of a slice, and what is kept of their versions.
pub struct RowSource<'a> {
    /// The rows as columns.
    pub slice: RecordSlice<'a>,
    /// What is kept of a row's versions.
    pub versions: &'a dyn Fn(usize) -> Option<&'a [u8]>,
}

/// One row: number of its source, number within it.
pub type SourceRow = (u32, u32);

/// Writes rows into a new file, so that it survives a power cut once this returns, and opens it.
///
/// `source_rows` are put in the order that the file has them in: by account, then by setup time. The file gets a temporary
/// name, is flushed, renamed and its directory flushed.
///
/// # Errors
/// `Io` where the operating system refuses; the temporary file may be left and is never read. `Damaged` where
/// the file reads back otherwise than written.
pub fn write(
    directory: &Path, name: &str, sources: &[RowSource<'_>], source_rows: &mut [SourceRow],
) -> Result<(ManifestEntry, Segment)> {
    sort(sources, source_rows);
    let columns = columns(sources, source_rows)?;
    let path = directory.join(name);
    let (bytes, crc32, page_crc32) = write_durably(&path, &columns.batch)?;
    let SegmentColumns { setup_range, column_stats, multi_day_keys, .. } = columns;
    let summary = Summary { setup_range, column_stats, page_crc32, multi_day_keys };
    let written = ManifestEntry { name: name.to_owned(), rows: source_rows.len(), bytes, crc32, summary };
    let segment = Segment::open_and_verify(directory, &written)?;
    Ok((written, segment))
}

/// What a file is made of.
struct SegmentColumns {
    batch: RecordBatch,
    setup_range: (i64, i64),
    column_stats: [ColumnStats; INT_COUNT],
    multi_day_keys: Vec<u64>,
}

/// Rows in the order of account, absent ones last, and setup time.
fn sort(sources: &[RowSource<'_>], source_rows: &mut [SourceRow]) {
    let accounts = DictionaryMerge::new(sources, source_rows, dictionary_slot::ACCOUNT_ID);
    let key = |place: SourceRow| {
        let slice = &sources[place.0 as usize].slice;
        (accounts.code(sources, place), slice.setup_us[place.1 as usize], place)
    };
    let mut keys: Vec<(usize, i64, SourceRow)> = source_rows.iter().map(|&place| key(place)).collect();
    keys.sort_unstable();
    source_rows.iter_mut().zip(keys).for_each(|(place, key)| *place = key.2);
}

fn columns(sources: &[RowSource<'_>], source_rows: &[SourceRow]) -> Result<SegmentColumns> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(FIELDS.len() + segment_column::NAMES.len());
    let mut column_stats = [UNKNOWN_STATS; INT_COUNT];
    for field in &FIELDS {
        arrays.push(match field.field_type.column_kind() {
            ColumnKind::Dictionary => dictionary_column(sources, source_rows, field.slot)?,
            ColumnKind::Text => {
                let text = |&(source, row): &SourceRow| sources[source as usize].slice.fields.texts[field.slot].get(row as usize);
                text_array(source_rows.iter().map(text))
            }
            ColumnKind::Int => {
                let value = |slice: &RecordSlice<'_>, row| slice.fields.ints[field.slot].get(row);
                let values: Vec<i64> = gather(sources, source_rows, value).collect();
                column_stats[field.slot] = ColumnStats::of(&values);
                int_array(values, column_stats[field.slot], field.field_type)
            }
        });
    }
    let received = gather(sources, source_rows, |slice, row| slice.received_us[row]);
    arrays.push(Arc::new(TimestampMicrosecondArray::from_iter_values(received).with_timezone("UTC")));
    let versions = || source_rows.iter().map(|&(source, row)| (sources[source as usize].versions)(row as usize));
    arrays.push(versions_column(versions()));
    let hashes: Vec<u64> = gather(sources, source_rows, |slice, row| slice.fields.key_hash(row)).collect();
    let mut keys: Vec<(u64, u32)> = hashes.iter().zip(0..).map(|(&hash, row)| (hash, row)).collect();
    keys.sort_unstable();
    arrays.push(Arc::new(UInt64Array::from_iter_values(keys.iter().map(|key| key.0))));
    arrays.push(Arc::new(UInt32Array::from_iter_values(keys.iter().map(|key| key.1))));
    arrays.push(Arc::new(UInt16Array::from(bloom_filter::build(&hashes))));
    let minutes = gather(sources, source_rows, |slice, row| minute_of_day(slice.setup_us[row]));
    arrays.push(Arc::new(UInt16Array::from_iter_values(minutes)));
    arrays.push(duration_column(gather(sources, source_rows, |slice, row| slice.durations.get(row)), source_rows.len()));
    let mut multi_day_keys: Vec<u64> =
        versions().zip(&hashes).filter(|(versions, _)| versions.is_some_and(spans_several_days)).map(|(_, &hash)| hash).collect();
    multi_day_keys.sort_unstable();
    let names = FIELDS.iter().map(|field| field.name).chain(segment_column::NAMES);
    let fields = names.zip(&arrays).map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)?;
    let ColumnStats { low, high, .. } = column_stats[int_slot::SETUP_TIME];
    Ok(SegmentColumns { batch, setup_range: (low, high), column_stats, multi_day_keys })
}

fn gather<'a, T>(
    sources: &'a [RowSource<'_>], source_rows: &'a [SourceRow], value: impl Fn(&RecordSlice<'_>, usize) -> T + Clone + 'a,
) -> impl Iterator<Item = T> + Clone {
    source_rows.iter().map(move |&(source, row)| value(&sources[source as usize].slice, row as usize))
}

/// Milliseconds that calls were talked on, -1 for those not answered; no column where one does not fit.
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

/// The texts of a category column that rows use, ascending, and the codes of the sources among them.
struct DictionaryMerge<'a> {
    slot: usize,
    entries: Vec<&'a str>,
    /// By source and code there.
    code_of: Vec<Vec<usize>>,
}

impl<'a> DictionaryMerge<'a> {
    fn new(sources: &'a [RowSource<'_>], source_rows: &[SourceRow], slot: usize) -> Self {
        let columns: Vec<&DictionaryColumn<'_>> = sources.iter().map(|source| &source.slice.fields.dictionaries[slot]).collect();
        let mut used: Vec<Vec<bool>> = columns.iter().map(|column| vec![false; column.entries.count() + 1]).collect();
        for &(source, row) in source_rows {
            used[source as usize][(columns[source as usize].code(row as usize) + 1) as usize] = true;
        }
        let texts = |source: usize| used[source].iter().skip(1).zip(0..).filter(|(used, _)| **used).map(|(_, code)| code);
        let all = columns.iter().enumerate().flat_map(|(source, column)| texts(source).map(|code| column.entries.get(code)));
        let mut entries: Vec<&str> = all.filter(|text| !text.is_empty()).collect();
        entries.sort_unstable();
        entries.dedup();
        // An absent or unused text finds no place of its own; those absent come after all others.
        let place = |text: &str| entries.binary_search(&text).unwrap_or(entries.len());
        let code_of = columns.iter().zip(&used).map(|(column, used)| {
            let code = |code: usize| if used[code + 1] { place(column.entries.get(code)) } else { entries.len() };
            (0..column.entries.count()).map(code).collect()
        });
        Self { slot, code_of: code_of.collect(), entries }
    }

    /// The code of a row; one after the others where it has no text.
    fn code(&self, sources: &[RowSource<'_>], (source, row): SourceRow) -> usize {
        match sources[source as usize].slice.fields.dictionaries[self.slot].code(row as usize) {
            NO_CODE => self.entries.len(),
            code => self.code_of[source as usize][code as usize],
        }
    }
}

/// A category column with only the entries that the rows use.
fn dictionary_column(sources: &[RowSource<'_>], source_rows: &[SourceRow], slot: usize) -> Result<ArrayRef> {
    let dictionary = DictionaryMerge::new(sources, source_rows, slot);
    let codes: Vec<usize> = source_rows.iter().map(|&place| dictionary.code(sources, place)).collect();
    Ok(dictionary_array(&codes, &dictionary.entries)?)
}

/// Writes a batch into a new file, durably; gives its size, the CRC-32 of its bytes and those of its pages.
fn write_durably(path: &Path, batch: &RecordBatch) -> Result<(u64, u32, Vec<u32>)> {
    let io = |source| Error::io(path, source);
    let temporary = path.with_extension("tmp");
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(io)?;
    let file = File::create(&temporary).map_err(io)?;
    let mut out = PacedFile { file, hasher: PageHasher::default(), bytes: 0, unsynced_bytes: 0 };
    let mut writer = FileWriter::try_new(&mut out, &batch.schema()).map_err(|error| io_error(path, error))?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| io_error(path, error))?;
    drop(writer);
    out.file.sync_all().map_err(io)?;
    std::fs::rename(&temporary, path).map_err(io)?;
    sync_directory(directory).map_err(io)?;
    // The directory itself may be new; its name must survive too.
    directory.parent().map_or(Ok(()), sync_directory).map_err(io)?;
    let (crc32, page_crc32) = out.hasher.finish();
    Ok((out.bytes, crc32, page_crc32))
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What the operating system said, which Arrow wraps.
fn io_error(path: &Path, error: ArrowError) -> Error {
    if let ArrowError::IoError(_, source) = error {
        return Error::io(path, source);
    }
    Error::from(error)
}

/// A file that is flushed every few megabytes, as a flush of all at once would hold up those of the journal.
struct PacedFile {
    file: File,
    hasher: PageHasher,
    bytes: u64,
    unsynced_bytes: usize,
}

impl Write for PacedFile {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(&buffer[..buffer.len().min(SYNC_INTERVAL_BYTES)])?;
        self.hasher.add(&buffer[..written]);
        self.bytes += written as u64;
        self.unsynced_bytes += written;
        if self.unsynced_bytes >= SYNC_INTERVAL_BYTES {
            self.unsynced_bytes = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
