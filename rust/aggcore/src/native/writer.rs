//! Writes blocks.

use super::column_type::ColumnType;
use super::malformed;
use crate::error::{Error, Result};

/// Writes one block, column by column.
pub struct BlockWriter {
    row_count: usize,
    column_count: u64,
    /// The columns.
    body: Vec<u8>,
    /// The first mistake of the caller.
    fault: Option<Error>,
}

impl BlockWriter {
    /// Begins a block of `row_count` rows.
    pub fn new(row_count: usize) -> Self {
        Self::with_capacity(row_count, 0)
    }

    /// Begins a block of `row_count` rows with room for `byte_count` bytes.
    pub fn with_capacity(row_count: usize, byte_count: usize) -> Self {
        Self { row_count, column_count: 0, body: Vec::with_capacity(byte_count), fault: None }
    }

    /// Adds a column of integers; for `UInt64`, a value stands for its bits.
    pub fn integers(&mut self, name: &str, type_name: &str, values: impl IntoIterator<Item = i64>) -> &mut Self {
        self.column(name, type_name, |body, column_type| match column_type {
            ColumnType::Int8 => put_integers(body, values, |value| i8::try_from(value).ok().map(i8::to_le_bytes)),
            ColumnType::Int16 => put_integers(body, values, |value| i16::try_from(value).ok().map(i16::to_le_bytes)),
            ColumnType::Int32 => put_integers(body, values, |value| i32::try_from(value).ok().map(i32::to_le_bytes)),
            ColumnType::UInt8 => put_integers(body, values, |value| u8::try_from(value).ok().map(u8::to_le_bytes)),
            ColumnType::UInt16 => put_integers(body, values, |value| u16::try_from(value).ok().map(u16::to_le_bytes)),
            ColumnType::UInt32 => put_integers(body, values, |value| u32::try_from(value).ok().map(u32::to_le_bytes)),
            ColumnType::Int64 | ColumnType::UInt64 => put_integers(body, values, |value| Some(value.to_le_bytes())),
            ColumnType::Int128 | ColumnType::Int64List => Err(format!("the type {type_name} is only read")),
            ColumnType::String | ColumnType::LowCardinalityString | ColumnType::FixedString(_) => {
                Err(format!("the type {type_name} is not of integers"))
            }
        })
    }

    /// Adds a column of texts. One of `LowCardinality(String)` is written as `String`, which the server takes for it.
    pub fn strings<'v>(&mut self, name: &str, type_name: &str, values: impl IntoIterator<Item = &'v [u8]>) -> &mut Self {
        self.column(name, type_name, |body, column_type| match column_type {
            ColumnType::String | ColumnType::LowCardinalityString => Ok(put_strings(body, values)),
            ColumnType::FixedString(length) => put_fixed_strings(body, values, length),
            ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => Err(not_of_texts(type_name)),
            ColumnType::UInt8 | ColumnType::UInt16 | ColumnType::UInt32 | ColumnType::UInt64 => Err(not_of_texts(type_name)),
            ColumnType::Int128 | ColumnType::Int64List => Err(not_of_texts(type_name)),
        })
    }

    /// Returns the block.
    ///
    /// # Errors
    /// `MalformedBlock` if a column had more or fewer values than the block has rows, a value beyond its type, or a type
    /// that is not known here.
    ///
    /// ```
    /// # use aggcore::testing::{BlockWriter, read_blocks};
    /// let mut writer = BlockWriter::new(2);
    /// writer.integers("n", "UInt8", [0, 255]).strings("s", "String", [b"a".as_slice(), b""]);
    /// let block = writer.finish()?;
    /// assert_eq!(read_blocks(&block)?[0].integers("n")?, [0, 255]);
    /// assert!(BlockWriter::new(1).integers("n", "UInt8", [256]).finish().is_err(), "the value is not cut");
    /// assert!(BlockWriter::new(2).integers("n", "UInt8", [1]).finish().is_err(), "a row lacks a value");
    /// # Ok::<_, aggcore::Error>(())
    /// ```
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let (mut head, mut block) = (Vec::new(), std::mem::take(&mut self.body));
        put_varint(&mut head, self.column_count);
        put_varint(&mut head, self.row_count as u64);
        // A large block is not copied into new memory, which would take longer to get than to fill.
        block.splice(..0, head);
        Ok(block)
    }

    /// Writes a column, whose values `put` writes and counts.
    fn column(
        &mut self, name: &str, type_name: &str, put: impl FnOnce(&mut Vec<u8>, ColumnType) -> std::result::Result<usize, String>,
    ) -> &mut Self {
        self.column_count += 1;
        put_string(&mut self.body, name.as_bytes());
        let sent_name = if type_name == "LowCardinality(String)" { "String" } else { type_name };
        put_string(&mut self.body, sent_name.as_bytes());
        let row_count = self.row_count;
        let put = ColumnType::of_name(type_name).and_then(|column_type| put(&mut self.body, column_type));
        let checked = put.and_then(|count| match count == row_count {
            true => Ok(()),
            false => Err(format!("{count} values for {row_count} rows")),
        });
        if let (Err(problem), None) = (checked, &self.fault) {
            self.fault = Some(malformed(format!("column {name:?}: {problem}")));
        }
        self
    }
}

fn not_of_texts(type_name: &str) -> String {
    format!("the type {type_name} is not of texts")
}

/// Writes integers as `WIDTH` bytes each, and counts them.
fn put_integers<const WIDTH: usize>(
    body: &mut Vec<u8>, values: impl IntoIterator<Item = i64>, bytes: fn(i64) -> Option<[u8; WIDTH]>,
) -> std::result::Result<usize, String> {
    let begin = body.len();
    for value in values {
        body.extend(bytes(value).ok_or_else(|| format!("{value} does not fit the type"))?);
    }
    Ok((body.len() - begin) / WIDTH)
}

fn put_strings<'v>(body: &mut Vec<u8>, values: impl IntoIterator<Item = &'v [u8]>) -> usize {
    values.into_iter().map(|value| put_string(body, value)).count()
}

fn put_fixed_strings<'v>(
    body: &mut Vec<u8>, values: impl IntoIterator<Item = &'v [u8]>, length: usize,
) -> std::result::Result<usize, String> {
    let begin = body.len();
    for value in values {
        if value.len() != length {
            return Err(format!("a value has {} bytes, and not {length}", value.len()));
        }
        body.extend_from_slice(value);
    }
    Ok((body.len() - begin) / length)
}

fn put_string(body: &mut Vec<u8>, value: &[u8]) {
    put_varint(body, value.len() as u64);
    body.extend_from_slice(value);
}

fn put_varint(body: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        body.push(value as u8 | 0x80);
        value >>= 7;
    }
    body.push(value as u8);
}
