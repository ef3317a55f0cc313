//! Sealed segments: immutable Arrow IPC files, memory-mapped.
//!
//! A file holds one record batch sorted by setup time: the fields of the record, when it was received, what
//! is kept of its versions, and a sorted column of key hashes with the row of each, by which a key is found
//! without an index in memory.

#![allow(unsafe_code)]

use std::{fs::File, io::Write, path::Path, sync::Arc};

use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array, UInt64Array, cast::AsArray,
    types::*,
};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_ipc::{convert::try_fb_to_schema, reader::FileDecoder, reader::read_footer_length, root_as_footer, writer::FileWriter};
use arrow_schema::{Field as ArrowField, Schema};
use bytes::Bytes;
use memmap2::Mmap;

use crate::batch::{int_column, int_values, present};
use crate::error::{Error, Result};
use crate::part::{Bitmap, Category, NO_CODE, Part, Strings};
use crate::schema::{CATEGORY_COUNT, FIELDS, INT_COUNT, Kept, Shape, TEXT_COUNT, category, int, text};
use crate::versions::on_many_days;

/// One sealed segment; a clone shares the map.
#[derive(Clone)]
pub struct Segment {
    /// Name of the file within the data directory.
    pub name: String,
    /// Rows that a later version replaced elsewhere.
    pub dead: Bitmap,
    ints: [ScalarBuffer<i64>; INT_COUNT],
    codes: [ScalarBuffer<i32>; CATEGORY_COUNT],
    dictionaries: [StringArray; CATEGORY_COUNT],
    texts: [StringArray; TEXT_COUNT],
    received_us: ScalarBuffer<i64>,
    versions: BinaryArray,
    sorted_key_hash: ScalarBuffer<u64>,
    row_of_key: ScalarBuffer<u32>,
}

/// What a writer says of the file it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Name of the file within the data directory.
    pub name: String,
    /// Rows in it.
    pub rows: usize,
    /// Its size.
    pub bytes: u64,
    /// CRC-32 of all its bytes.
    pub crc32: u32,
}

/// Writes rows of a part into a new file, so that it survives a power cut once this returns.
///
/// The file gets a temporary name, is flushed, renamed and its directory flushed. `versions` gives what is kept
/// of a row's versions.
///
/// # Errors
/// `Io` where the operating system refuses; the temporary file may be left and is never read.
pub fn write<'a>(
    directory: &Path, name: &str, part: &Part<'_>, mut rows: Vec<usize>, versions: impl Fn(usize) -> Option<&'a [u8]>,
) -> Result<Written> {
    rows.sort_by_key(|&row| (part.ints[int::SETUP_TIME][row], row));
    let batch = columns(part, &rows, versions)?;
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema())?;
    file.write(&batch)?;
    let bytes = file.into_inner()?;
    let path = directory.join(name);
    put_durably(&path, &bytes).map_err(|source| Error::io(&path, source))?;
    Ok(Written { name: name.to_owned(), rows: rows.len(), bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes) })
}

impl Segment {
    /// Maps the file `name` of a data directory, after checking it against what its writer said.
    ///
    /// # Errors
    /// `Io` where it cannot be read, `Damaged` where it is not what was written.
    pub fn open(directory: &Path, written: &Written, dead: Bitmap) -> Result<Self> {
        let path = directory.join(&written.name);
        let file = File::open(&path).map_err(|source| Error::io(&path, source))?;
        // SAFETY: a segment is never changed after its rename, and the data directory's lock keeps other
        // processes of this program out; a file that is cut short by others would end the process.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(&path, source))?;
        if map.len() as u64 != written.bytes || crc32fast::hash(&map) != written.crc32 {
            return Err(Error::damaged(&path, "the checksum of the segment does not match"));
        }
        let batch = read(Buffer::from(Bytes::from_owner(map))).map_err(|error| Error::damaged(&path, error))?;
        Self::from_columns(&written.name, &batch, dead).ok_or_else(|| Error::damaged(&path, "a column is missing"))
    }

    /// The rows as columns.
    pub fn part(&self) -> Part<'_> {
        Part {
            ints: std::array::from_fn(|slot| &*self.ints[slot]),
            categories: std::array::from_fn(|slot| Category { codes: &self.codes[slot], entries: &self.dictionaries[slot] }),
            texts: std::array::from_fn(|slot| &self.texts[slot] as &dyn Strings),
            received_us: &self.received_us,
            dead: &self.dead,
        }
    }

    /// Setup times of all rows, ascending.
    pub fn setup_us(&self) -> &[i64] {
        &self.ints[int::SETUP_TIME]
    }

    /// What is kept of a row's versions.
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        (!self.versions.is_null(row)).then(|| self.versions.value(row))
    }

    /// When the last event of a row with an effect was received, microseconds UTC.
    pub fn received_us(&self, row: usize) -> i64 {
        self.received_us[row]
    }

    /// Hashes of the keys whose versions lie on more UTC days than one.
    pub fn keys_on_many_days(&self) -> Vec<u64> {
        let kept = (0..self.versions.len()).filter_map(|row| Some((row, self.versions(row)?)));
        let many = kept.filter(|(_, versions)| on_many_days(versions));
        many.map(|(row, _)| self.part().record(row).key_hash()).collect()
    }

    /// The living rows of a key.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> Vec<usize> {
        let first = self.sorted_key_hash.partition_point(|&hash| hash < key_hash);
        let same_hash = self.sorted_key_hash[first..].iter().take_while(|&&hash| hash == key_hash).count();
        let rows = self.row_of_key[first..first + same_hash].iter().map(|&row| row as usize);
        rows.filter(|&row| !self.dead.contains(row) && self.has_key(row, source, session_id)).collect()
    }

    fn has_key(&self, row: usize, source: &str, session_id: &str) -> bool {
        let source_here = match self.codes[category::SOURCE][row] {
            NO_CODE => "",
            code => self.dictionaries[category::SOURCE].get(code as usize),
        };
        source_here == source && self.texts[text::SESSION_ID].get(row) == session_id
    }

    fn from_columns(name: &str, batch: &RecordBatch, dead: Bitmap) -> Option<Self> {
        let mut segment = Self {
            name: name.to_owned(),
            dead,
            ints: std::array::from_fn(|_| Vec::new().into()),
            codes: std::array::from_fn(|_| Vec::new().into()),
            dictionaries: std::array::from_fn(|_| StringArray::new_null(0)),
            texts: std::array::from_fn(|_| StringArray::new_null(0)),
            received_us: int_values(batch.column_by_name("received_time")?)?,
            versions: batch.column_by_name("versions")?.as_binary_opt::<i32>()?.clone(),
            sorted_key_hash: batch.column_by_name("sorted_key_hash")?.as_primitive_opt::<UInt64Type>()?.values().clone(),
            row_of_key: batch.column_by_name("row_of_key")?.as_primitive_opt::<UInt32Type>()?.values().clone(),
        };
        for field in &FIELDS {
            let column = batch.column_by_name(field.name)?;
            match field.shape.kept() {
                Kept::Category => {
                    let codes = column.as_dictionary_opt::<Int32Type>()?;
                    segment.codes[field.slot] = codes.keys().values().clone();
                    segment.dictionaries[field.slot] = codes.values().as_string_opt::<i32>()?.clone();
                }
                Kept::Text => segment.texts[field.slot] = column.as_string_opt::<i32>()?.clone(),
                Kept::Int => {
                    segment.ints[field.slot] = int_values(column)?;
                }
            }
        }
        Some(segment)
    }
}

fn columns<'a>(part: &Part<'_>, rows: &[usize], versions: impl Fn(usize) -> Option<&'a [u8]>) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut add = |name: &str, array: ArrayRef| {
        fields.push(ArrowField::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    for field in &FIELDS {
        let array: ArrayRef = match field.shape.kept() {
            Kept::Category => category_column(&part.categories[field.slot], rows)?,
            Kept::Text => {
                let texts = part.texts[field.slot];
                Arc::new(StringArray::from_iter(rows.iter().map(|&row| present(texts.get(row)))))
            }
            Kept::Int => int_column(field.shape, rows.iter().map(|&row| part.ints[field.slot][row]).collect()),
        };
        add(field.name, array);
    }
    add("received_time", int_column(Shape::Time, rows.iter().map(|&row| part.received_us[row]).collect()));
    add("versions", Arc::new(BinaryArray::from_iter(rows.iter().map(|&row| versions(row)))));
    let mut keys: Vec<(u64, u32)> = (0u32..).zip(rows).map(|(i, &row)| (part.record(row).key_hash(), i)).collect();
    keys.sort_unstable();
    add("sorted_key_hash", Arc::new(UInt64Array::from_iter_values(keys.iter().map(|key| key.0))));
    add("row_of_key", Arc::new(UInt32Array::from_iter_values(keys.iter().map(|key| key.1))));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Codes of the rows into a dictionary of just the entries that they use, in order of first use; beneath a
/// null stands [`NO_CODE`], so that the core can read the codes alone.
fn category_column(column: &Category<'_>, rows: &[usize]) -> Result<ArrayRef> {
    let mut code_of = vec![NO_CODE; column.entries.count()];
    let mut used: Vec<usize> = Vec::new();
    let codes: Vec<i32> = rows
        .iter()
        .map(|&row| match column.codes[row] {
            NO_CODE => NO_CODE,
            code => {
                let code = code as usize;
                if code_of[code] == NO_CODE {
                    code_of[code] = used.len() as i32;
                    used.push(code);
                }
                code_of[code]
            }
        })
        .collect();
    let nulls: NullBuffer = codes.iter().map(|&code| code != NO_CODE).collect::<Vec<bool>>().into();
    let entries = StringArray::from_iter_values(used.iter().map(|&code| column.entries.get(code)));
    let codes = Int32Array::new(codes.into(), Some(nulls).filter(|nulls| nulls.null_count() > 0));
    Ok(Arc::new(DictionaryArray::try_new(codes, Arc::new(entries))?))
}

fn put_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("tmp");
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()?;
    // The directory itself may be new; its name must survive too.
    directory.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// The one record batch of an Arrow IPC file; its columns borrow from the buffer.
fn read(buffer: Buffer) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let broken = |problem: &str| arrow_schema::ArrowError::IpcError(problem.to_owned());
    let trailer_start = buffer.len().checked_sub(10).ok_or_else(|| broken("the file is too short"))?;
    let trailer: [u8; 10] = buffer[trailer_start..].try_into().map_err(|_| broken("the file is too short"))?;
    let footer_start = trailer_start.checked_sub(read_footer_length(trailer)?).ok_or_else(|| broken("bad footer"))?;
    let footer = root_as_footer(&buffer[footer_start..trailer_start]).map_err(|error| broken(&error.to_string()))?;
    let schema = try_fb_to_schema(footer.schema().ok_or_else(|| broken("no schema"))?)?;
    let mut decoder = FileDecoder::new(Arc::new(schema), footer.version());
    let data = |block: &arrow_ipc::Block| {
        buffer.slice_with_length(block.offset() as usize, block.bodyLength() as usize + block.metaDataLength() as usize)
    };
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &data(block))?;
    }
    let blocks = footer.recordBatches().ok_or_else(|| broken("no record batch"))?;
    let block = blocks.iter().next().ok_or_else(|| broken("no record batch"))?;
    decoder.read_record_batch(block, &data(block))?.ok_or_else(|| broken("no record batch"))
}
