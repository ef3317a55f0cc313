//! Sealed segments: immutable Arrow IPC files, memory-mapped.
//!
//! A file holds one record batch sorted by setup time: the fields of the record, when it was received, what
//! is kept of its versions, a sorted column of key hashes with the row of each, by which a key is found
//! without an index in memory, and a filter that tells at once that a key is not there. A column's checksum
//! is verified when it is first used, so that opening a segment reads none of its rows.

#![allow(unsafe_code)]

mod key_filter;
mod write;
mod written;

use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::{fs::File, path::Path, path::PathBuf};

use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray, cast::AsArray, types::*};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_ipc::{Footer, convert::try_fb_to_schema, reader::FileDecoder, reader::read_footer_length, root_as_footer};
use arrow_schema::{ArrowError, DataType};
use bytes::Bytes;
use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::ints::Ints;
use crate::part::{Bitmap, Category, NoStrings, Part, Strings};
use crate::schema::{CATEGORY_COUNT, FIELDS, INT_COUNT, Kept, TEXT_COUNT, category, int, text};

pub use write::{Place, Source, write};
pub use written::{COLUMN_COUNT, Summary, Written, own};

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
    columns: Vec<ArrayRef>,
    checked: [AtomicBool; COLUMN_COUNT],
    damaged: AtomicBool,
    setup_us: ScalarBuffer<i64>,
    ints: [SegmentInts; INT_COUNT],
    codes: [ScalarBuffer<i32>; CATEGORY_COUNT],
    dictionaries: [Option<StringArray>; CATEGORY_COUNT],
    texts: [Option<StringArray>; TEXT_COUNT],
    received_us: ScalarBuffer<i64>,
    versions: BinaryArray,
    sorted_key_hash: ScalarBuffer<u64>,
    row_of_key: ScalarBuffer<u32>,
    key_filter: ScalarBuffer<u16>,
}

enum SegmentInts {
    Absent,
    Narrow(ScalarBuffer<i32>),
    Wide(ScalarBuffer<i64>),
}

/// The columns by which a key is found.
const KEY_COLUMNS: [usize; 5] =
    [own::KEY_FILTER, own::SORTED_KEY_HASH, own::ROW_OF_KEY, number_of("source"), number_of("session_id")];

impl Segment {
    /// Maps a file of a data directory; its columns are checked when they are used.
    ///
    /// # Errors
    /// `Io` where it cannot be opened, `Damaged` where its size or its header is not what was written.
    pub fn open(directory: &Path, written: &Written) -> Result<Self> {
        let path = directory.join(&written.name);
        let buffer = map(&path)?;
        if buffer.len() as u64 != written.bytes {
            return Err(Error::damaged(&path, format!("it has {} bytes instead of {}", buffer.len(), written.bytes)));
        }
        let (batch, _) = read(&buffer, Some(written.summary.header_crc32)).map_err(|error| Error::damaged(&path, error))?;
        if batch.num_rows() != written.rows {
            return Err(Error::damaged(&path, format!("it has {} rows instead of {}", batch.num_rows(), written.rows)));
        }
        Self::from_columns(path.clone(), written, &batch).ok_or_else(|| Error::damaged(&path, "a column is missing"))
    }

    /// Opens a file just written, and completes its summary with the checksums of what reads back.
    fn open_written(directory: &Path, mut written: Written) -> Result<(Written, Self)> {
        let path = directory.join(&written.name);
        let buffer = map(&path)?;
        if crc32fast::hash(&buffer) != written.crc32 {
            return Err(Error::damaged(&path, "it does not read back as written"));
        }
        let (batch, header_crc32) = read(&buffer, None).map_err(|error| Error::damaged(&path, error))?;
        written.summary.header_crc32 = header_crc32;
        written.summary.column_crc32 = batch.columns().iter().map(crc32_of).collect();
        let missing = || Error::damaged(&path, "a column is missing");
        let segment = Self::from_columns(path.clone(), &written, &batch).ok_or_else(missing)?;
        segment.checked.iter().for_each(|checked| checked.store(true, Ordering::Relaxed));
        Ok((written, segment))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows as columns, of which only those named may be read; `dead` are those that count no more.
    ///
    /// # Errors
    /// `Damaged` where one of these columns, or any looked at before, fails its checksum.
    pub fn part<'a>(&'a self, names: &[&str], dead: &'a Bitmap) -> Result<Part<'a>> {
        for name in names {
            if let Some(number) = column_number(name) {
                self.check(number)?;
            }
        }
        self.check(number_of("setup_time"))?;
        Ok(self.unchecked_part(dead))
    }

    /// The rows as columns, all of which may be read.
    ///
    /// # Errors
    /// `Damaged` where any column fails its checksum.
    pub fn whole_part<'a>(&'a self, dead: &'a Bitmap) -> Result<Part<'a>> {
        (0..COLUMN_COUNT).try_for_each(|number| self.check(number))?;
        Ok(self.unchecked_part(dead))
    }

    /// Whether a column failed its checksum.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether all columns were checked.
    pub fn is_checked(&self) -> bool {
        self.checked.iter().all(|checked| checked.load(Ordering::Relaxed))
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// `Damaged` where a byte of it, or the sum of a column, is not what was written.
    pub fn check_whole(&self, crc32: u32) -> Result<()> {
        if crc32fast::hash(&map(&self.path)?) != crc32 {
            return Err(Error::damaged(&self.path, "it fails its checksum"));
        }
        (0..COLUMN_COUNT).try_for_each(|number| self.check(number))
    }

    /// What is kept of a row's versions; after [`Segment::whole_part`].
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        (!self.versions.is_null(row)).then(|| self.versions.value(row))
    }

    /// The rows of a key, also those that count no more.
    ///
    /// # Errors
    /// `Damaged` where a column that it needs fails its checksum.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> Result<impl Iterator<Item = usize>> {
        KEY_COLUMNS.into_iter().try_for_each(|number| self.check(number))?;
        let mut first = self.rows;
        if key_filter::may_have(&self.key_filter, key_hash) {
            first = self.sorted_key_hash.partition_point(|&hash| hash < key_hash);
        }
        let hashes = self.sorted_key_hash[first..].iter().take_while(move |&&hash| hash == key_hash);
        let rows = hashes.zip(&self.row_of_key[first..]).map(|(_, &row)| row as usize);
        Ok(rows.filter(move |&row| self.has_key(row, source, session_id)))
    }

    /// Whether a version of this key may belong here though set up on any day.
    pub fn has_far_key(&self, key_hash: u64) -> bool {
        self.summary.far_keys.binary_search(&key_hash).is_ok()
    }

    fn has_key(&self, row: usize, source: &str, session_id: &str) -> bool {
        let text = self.texts[text::SESSION_ID].as_ref().map_or("", |texts| Strings::get(texts, row));
        text == session_id && self.category(category::SOURCE).text(row) == source
    }

    fn unchecked_part<'a>(&'a self, dead: &'a Bitmap) -> Part<'a> {
        let ints = |slot: usize| match &self.ints[slot] {
            SegmentInts::Absent => Ints::Absent,
            SegmentInts::Narrow(values) => Ints::Narrow(values),
            SegmentInts::Wide(values) => Ints::Wide(values),
        };
        Part {
            setup_us: &self.setup_us,
            ints: std::array::from_fn(ints),
            categories: std::array::from_fn(|slot| self.category(slot)),
            texts: std::array::from_fn(|slot| strings(&self.texts[slot])),
            received_us: &self.received_us,
            dead,
        }
    }

    fn category(&self, slot: usize) -> Category<'_> {
        Category { codes: &self.codes[slot], entries: strings(&self.dictionaries[slot]) }
    }

    /// Makes sure that a column is what was written, once.
    fn check(&self, number: usize) -> Result<()> {
        if self.damaged.load(Ordering::Relaxed) {
            return Err(Error::damaged(&self.path, "a column failed its checksum before"));
        }
        if !self.checked[number].load(Ordering::Relaxed) {
            if self.summary.column_crc32.get(number) != Some(&crc32_of(&self.columns[number])) {
                // Its keys cannot be trusted any more, so neither can any count of it.
                self.damaged.store(true, Ordering::Relaxed);
                return Err(Error::damaged(&self.path, "a column fails its checksum"));
            }
            self.checked[number].store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn from_columns(path: PathBuf, written: &Written, batch: &RecordBatch) -> Option<Self> {
        let own = |number: usize| batch.column_by_name(own::NAMES[number - own::RECEIVED_TIME]);
        let mut segment = Self {
            name: written.name.clone(),
            summary: written.summary.clone(),
            bytes: written.bytes,
            path,
            rows: batch.num_rows(),
            columns: batch.columns().to_vec(),
            checked: std::array::from_fn(|_| AtomicBool::new(false)),
            damaged: AtomicBool::new(false),
            setup_us: Vec::new().into(),
            ints: std::array::from_fn(|_| SegmentInts::Absent),
            codes: std::array::from_fn(|_| Vec::new().into()),
            dictionaries: std::array::from_fn(|_| None),
            texts: std::array::from_fn(|_| None),
            received_us: own(own::RECEIVED_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone(),
            versions: own(own::VERSIONS)?.as_binary_opt::<i32>()?.clone(),
            sorted_key_hash: own(own::SORTED_KEY_HASH)?.as_primitive_opt::<UInt64Type>()?.values().clone(),
            row_of_key: own(own::ROW_OF_KEY)?.as_primitive_opt::<UInt32Type>()?.values().clone(),
            key_filter: own(own::KEY_FILTER)?.as_primitive_opt::<UInt16Type>()?.values().clone(),
        };
        let columns = FIELDS.iter().zip(batch.columns());
        columns.clone().try_for_each(|(field, column)| segment.take_field(field, column))?;
        let named = columns.zip(batch.schema_ref().fields()).all(|((field, _), arrow)| field.name == arrow.name());
        (named && batch.num_columns() == COLUMN_COUNT).then_some(segment)
    }

    fn take_field(&mut self, field: &crate::schema::Field, column: &ArrayRef) -> Option<()> {
        let absent = column.data_type() == &DataType::Null;
        match field.shape.kept() {
            _ if absent => {}
            Kept::Category => {
                let codes = column.as_dictionary_opt::<Int32Type>()?;
                self.codes[field.slot] = codes.keys().values().clone();
                self.dictionaries[field.slot] = Some(codes.values().as_string_opt::<i32>()?.clone());
            }
            Kept::Text => self.texts[field.slot] = Some(column.as_string_opt::<i32>()?.clone()),
            Kept::Int => {
                let wide = crate::batch::int_values(column).map(SegmentInts::Wide);
                let narrow = || Some(SegmentInts::Narrow(column.as_primitive_opt::<Int32Type>()?.values().clone()));
                self.ints[field.slot] = wide.or_else(narrow)?;
            }
        }
        if let (int::SETUP_TIME, Kept::Int, SegmentInts::Wide(values)) =
            (field.slot, field.shape.kept(), &self.ints[int::SETUP_TIME])
        {
            self.setup_us = values.clone();
        }
        Some(())
    }
}

fn strings(texts: &Option<StringArray>) -> &dyn Strings {
    texts.as_ref().map_or(&NoStrings, |texts| texts)
}

const fn number_of(name: &str) -> usize {
    let mut number = 0;
    while !crate::schema::same(FIELDS[number].name, name) {
        number += 1;
    }
    number
}

/// Number of the column of a name; none for one that follows from others.
fn column_number(name: &str) -> Option<usize> {
    let own = || own::NAMES.iter().position(|own| *own == name).map(|number| own::RECEIVED_TIME + number);
    FIELDS.iter().position(|field| field.name == name).or_else(own)
}

/// CRC-32 of all that a column is read from.
fn crc32_of(column: &ArrayRef) -> u32 {
    fn add(data: &ArrayData, hasher: &mut crc32fast::Hasher) {
        data.nulls().into_iter().for_each(|nulls| hasher.update(nulls.validity()));
        data.buffers().iter().for_each(|buffer| hasher.update(buffer));
        data.child_data().iter().for_each(|child| add(child, hasher));
    }
    let mut hasher = crc32fast::Hasher::new();
    add(&column.to_data(), &mut hasher);
    hasher.finalize()
}

fn map(path: &Path) -> Result<Buffer> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    // SAFETY: a segment is never changed after its rename, and the data directory's lock keeps other
    // processes of this program out; a file that is cut short by others would end the process.
    let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
    Ok(Buffer::from(Bytes::from_owner(map)))
}

/// The one record batch of an Arrow IPC file, whose columns borrow from the buffer, and the CRC-32 of its
/// headers, which must be `expected`.
fn read(buffer: &Buffer, expected: Option<u32>) -> std::result::Result<(RecordBatch, u32), ArrowError> {
    let broken = |problem: &str| ArrowError::IpcError(problem.to_owned());
    let trailer_start = buffer.len().checked_sub(10).ok_or_else(|| broken("the file is too short"))?;
    let trailer: [u8; 10] = buffer[trailer_start..].try_into().map_err(|_| broken("the file is too short"))?;
    let footer_start = trailer_start.checked_sub(read_footer_length(trailer)?).ok_or_else(|| broken("bad footer"))?;
    let footer = root_as_footer(&buffer[footer_start..trailer_start]).map_err(|error| broken(&error.to_string()))?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&buffer[footer_start..]);
    let (dictionaries, batches) = blocks(&footer, buffer, &mut hasher).ok_or_else(|| broken("a block lies outside"))?;
    let header_crc32 = hasher.finalize();
    if expected.is_some_and(|expected| expected != header_crc32) {
        return Err(broken("its header fails its checksum"));
    }
    let schema = try_fb_to_schema(footer.schema().ok_or_else(|| broken("no schema"))?)?;
    // SAFETY: a column is not read before its checksum says that it is what a writer of valid columns wrote.
    let mut decoder = unsafe { FileDecoder::new(Arc::new(schema), footer.version()).with_skip_validation(true) };
    for (block, data) in &dictionaries {
        decoder.read_dictionary(block, data)?;
    }
    let (block, data) = batches.first().ok_or_else(|| broken("no record batch"))?;
    let batch = decoder.read_record_batch(block, data)?.ok_or_else(|| broken("no record batch"))?;
    Ok((batch, header_crc32))
}

type Block = (arrow_ipc::Block, Buffer);

/// Dictionaries and record batches, each with its bytes; its header goes through the hasher.
fn blocks(footer: &Footer<'_>, buffer: &Buffer, hasher: &mut crc32fast::Hasher) -> Option<(Vec<Block>, Vec<Block>)> {
    let mut data = |block: &arrow_ipc::Block| {
        let start = usize::try_from(block.offset()).ok()?;
        let header = usize::try_from(block.metaDataLength()).ok()?;
        let length = header.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
        let inside = start.checked_add(length).is_some_and(|end| end <= buffer.len());
        inside.then(|| {
            hasher.update(&buffer[start..start + header]);
            (*block, buffer.slice_with_length(start, length))
        })
    };
    let dictionaries = footer.dictionaries().iter().flatten().map(&mut data).collect::<Option<Vec<_>>>()?;
    let batches = footer.recordBatches().iter().flatten().map(&mut data).collect::<Option<Vec<_>>>()?;
    Some((dictionaries, batches))
}
