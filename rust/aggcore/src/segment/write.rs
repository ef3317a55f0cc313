//! Writes segments: rows gathered from parts, sorted, as one Arrow IPC file that survives a power cut.

use std::{collections::HashMap, fs::File, io::Write, path::Path, sync::Arc};

use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Int32Array, Int64Array, NullArray, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field as ArrowField, Schema};

use super::written::{Summary, Written, own};
use super::{Segment, key_filter};
use crate::batch::{nulls, string_column};
use crate::error::{Error, Result};
use crate::ints::IntColumn;
use crate::part::{NO_CODE, Part};
use crate::schema::{ABSENT, FIELDS, Kept, Shape, category, text};
use crate::versions::on_many_days;

/// Bytes written between two flushes.
const FLUSH_BYTES: usize = 4 << 20;

/// Rows of a part, and what is kept of their versions.
pub struct Source<'a> {
    /// The rows as columns.
    pub part: Part<'a>,
    /// What is kept of a row's versions.
    pub versions: &'a dyn Fn(usize) -> Option<&'a [u8]>,
}

/// One row: number of its source, number within it.
pub type Place = (u32, u32);

/// Writes rows into a new file, so that it survives a power cut once this returns, and opens it.
///
/// `places` are put in the order that the file has them in. The file gets a temporary name, is flushed,
/// renamed and its directory flushed.
///
/// # Errors
/// `Io` where the operating system refuses; the temporary file may be left and is never read. `Damaged` where
/// the file reads back otherwise than written.
pub fn write(directory: &Path, name: &str, sources: &[Source<'_>], places: &mut [Place]) -> Result<(Written, Segment)> {
    let setup_us = |place: &Place| sources[place.0 as usize].part.setup_us[place.1 as usize];
    places.sort_by_key(|place| (setup_us(place), *place));
    let (batch, far_keys) = columns(sources, places)?;
    let path = directory.join(name);
    let (bytes, crc32) = put_durably(&path, &batch)?;
    drop(batch);
    let range = places.first().map_or((0, 0), |first| (setup_us(first), places.last().map_or(0, setup_us)));
    let written = Written {
        name: name.to_owned(),
        rows: places.len(),
        bytes,
        crc32,
        summary: Summary { setup_range: range, far_keys, ..Summary::default() },
    };
    Segment::open_written(directory, written)
}

fn columns(sources: &[Source<'_>], places: &[Place]) -> Result<(RecordBatch, Vec<u64>)> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(FIELDS.len() + own::NAMES.len());
    for field in &FIELDS {
        arrays.push(match field.shape.kept() {
            Kept::Category => category_column(sources, places, field.slot)?,
            Kept::Text => text_column(sources, places, field.slot),
            Kept::Int => int_column(sources, places, field.slot, field.shape),
        });
    }
    let received = each(sources, places, |part, row| part.received_us[row]);
    arrays.push(Arc::new(TimestampMicrosecondArray::from_iter_values(received).with_timezone("UTC")));
    let kept = || places.iter().map(|&(source, row)| (sources[source as usize].versions)(row as usize));
    arrays.push(Arc::new(BinaryArray::from_iter(kept())));
    let hashes: Vec<u64> = each(sources, places, key_hash).collect();
    let mut keys: Vec<(u64, u32)> = hashes.iter().zip(0..).map(|(&hash, row)| (hash, row)).collect();
    keys.sort_unstable();
    arrays.push(Arc::new(UInt64Array::from_iter_values(keys.iter().map(|key| key.0))));
    arrays.push(Arc::new(UInt32Array::from_iter_values(keys.iter().map(|key| key.1))));
    arrays.push(Arc::new(UInt16Array::from(key_filter::build(&hashes))));
    let mut far_keys: Vec<u64> =
        kept().zip(&hashes).filter(|(kept, _)| kept.is_some_and(on_many_days)).map(|(_, &hash)| hash).collect();
    far_keys.sort_unstable();
    let names = FIELDS.iter().map(|field| field.name).chain(own::NAMES);
    let fields = names.zip(&arrays).map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true));
    Ok((RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)?, far_keys))
}

fn each<T>(sources: &[Source<'_>], places: &[Place], value: impl Fn(&Part<'_>, usize) -> T) -> impl Iterator<Item = T> {
    places.iter().map(move |&(source, row)| value(&sources[source as usize].part, row as usize))
}

fn key_hash(part: &Part<'_>, row: usize) -> u64 {
    crate::record::key_hash(part.categories[category::SOURCE].text(row), part.texts[text::SESSION_ID].get(row))
}

/// Integers as narrow as they go; beneath a null stands what the core reads as absent, so that it can read
/// the values alone.
fn int_column(sources: &[Source<'_>], places: &[Place], slot: usize, shape: Shape) -> ArrayRef {
    let values = || each(sources, places, |part, row| part.ints[slot].get(row));
    if shape == Shape::Time && values().any(|value| value != ABSENT) {
        let values: Vec<i64> = values().collect();
        let nulls = nulls(values.len(), |row| values[row] != ABSENT);
        return Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"));
    }
    match IntColumn::of(values()) {
        IntColumn::Absent => Arc::new(NullArray::new(places.len())),
        IntColumn::Narrow(values) => {
            let nulls = nulls(values.len(), |row| values[row] != i32::MIN);
            Arc::new(Int32Array::new(values.into(), nulls))
        }
        IntColumn::Wide(values) => {
            let nulls = nulls(values.len(), |row| values[row] != ABSENT);
            Arc::new(Int64Array::new(values.into(), nulls))
        }
    }
}

fn text_column(sources: &[Source<'_>], places: &[Place], slot: usize) -> ArrayRef {
    let present = |part: &Part<'_>, row| !part.texts[slot].get(row).is_empty();
    if !each(sources, places, present).any(|present| present) {
        return Arc::new(NullArray::new(places.len()));
    }
    let texts = places.iter().map(|&(source, row)| sources[source as usize].part.texts[slot].get(row as usize));
    Arc::new(string_column(texts))
}

/// Dictionary codes with only the entries that the rows use, in order of first use. Beneath a null stands the
/// code of an empty entry after the others: some readers look a code up before they look whether it counts.
fn category_column(sources: &[Source<'_>], places: &[Place], slot: usize) -> Result<ArrayRef> {
    let mut entries: Vec<&str> = Vec::new();
    let mut code_of_text: HashMap<&str, i32> = HashMap::new();
    let unknown = |source: &Source<'_>| vec![NO_CODE; source.part.categories[slot].entries.count()];
    let mut code_of: Vec<Vec<i32>> = sources.iter().map(unknown).collect();
    let mut codes = Vec::with_capacity(places.len());
    for &(source, row) in places {
        let column = &sources[source as usize].part.categories[slot];
        let code = column.code(row as usize);
        if column.text(row as usize).is_empty() {
            codes.push(NO_CODE);
            continue;
        }
        let known = &mut code_of[source as usize][code as usize];
        if *known == NO_CODE {
            let text = column.entries.get(code as usize);
            *known = *code_of_text.entry(text).or_insert_with(|| {
                entries.push(text);
                entries.len() as i32 - 1
            });
        }
        codes.push(*known);
    }
    if entries.is_empty() {
        return Ok(Arc::new(NullArray::new(places.len())));
    }
    let nulls = nulls(codes.len(), |row| codes[row] != NO_CODE);
    if nulls.is_some() {
        let absent = entries.len() as i32;
        entries.push("");
        codes.iter_mut().filter(|code| **code == NO_CODE).for_each(|code| *code = absent);
    }
    let entries: StringArray = entries.into_iter().map(Some).collect();
    Ok(Arc::new(DictionaryArray::try_new(Int32Array::new(codes.into(), nulls), Arc::new(entries))?))
}

/// Writes a batch into a new file, durably; gives its size and the CRC-32 of its bytes.
fn put_durably(path: &Path, batch: &RecordBatch) -> Result<(u64, u32)> {
    let io = |source| Error::io(path, source);
    let temporary = path.with_extension("tmp");
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(io)?;
    let file = File::create(&temporary).map_err(io)?;
    let mut out = Flushing { file, hasher: crc32fast::Hasher::new(), bytes: 0, unflushed: 0 };
    let mut writer = FileWriter::try_new(&mut out, &batch.schema()).map_err(|error| told(path, error))?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| told(path, error))?;
    drop(writer);
    out.file.sync_all().map_err(io)?;
    std::fs::rename(&temporary, path).map_err(io)?;
    flush_directory(directory).map_err(io)?;
    // The directory itself may be new; its name must survive too.
    directory.parent().map_or(Ok(()), flush_directory).map_err(io)?;
    Ok((out.bytes, out.hasher.finalize()))
}

fn flush_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What the operating system said, which Arrow wraps.
fn told(path: &Path, error: ArrowError) -> Error {
    if let ArrowError::IoError(_, source) = error {
        return Error::io(path, source);
    }
    Error::from(error)
}

/// A file that is flushed every few megabytes, as a flush of all at once would hold up those of the journal.
struct Flushing {
    file: File,
    hasher: crc32fast::Hasher,
    bytes: u64,
    unflushed: usize,
}

impl Write for Flushing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(&buffer[..buffer.len().min(FLUSH_BYTES)])?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        self.unflushed += written;
        if self.unflushed >= FLUSH_BYTES {
            self.unflushed = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
