//! Reads blocks. Whatever the bytes claim, memory is taken only for values whose bytes are there.

use super::column_type::ColumnType;
use super::{Block, Column, Lists, Values, malformed};
use crate::error::Result;

/// Bits of a varint that each of its bytes has.
const VARINT_BITS: u32 = 7;

/// The only version of a column that is dictionary-encoded.
const DICTIONARY_VERSION: u64 = 1;
/// Bits of the layout of such a column: its dictionary is in the column, and begins anew with each block.
const DICTIONARY_LAYOUT: u64 = 0x600;
/// Bits of the layout that are the binary logarithm of the bytes of a number.
const WIDTH_MASK: u64 = 0xff;
/// The greatest such logarithm.
const LOG_WIDTH_MAX: u64 = 3;

/// Reads the blocks of a stream, those without rows included. No bytes are a stream without blocks.
///
/// # Errors
/// `MalformedBlock` if the bytes are not blocks, if they end within one, or if a column has a type that is not known here.
///
/// ```
/// # use aggcore::testing::{Values, read_blocks};
/// let one_column_of_two_rows = [b"\x01\x02\x01n\x04Int8".as_slice(), &[0xff, 5]].concat();
/// let blocks = read_blocks(&one_column_of_two_rows)?;
/// assert_eq!(blocks[0].columns[0].values, Values::Integers(vec![-1, 5]));
/// let cut_short = read_blocks(&one_column_of_two_rows[..10]);
/// assert_eq!(cut_short.map_err(|error| error.to_string()), Err("the block is invalid: column \"n\" is cut short or damaged".into()));
/// # Ok::<_, aggcore::Error>(())
/// ```
pub fn read_blocks(bytes: &[u8]) -> Result<Vec<Block<'_>>> {
    blocks(bytes).collect()
}

/// Reads the blocks of a stream one by one, as [`read_blocks`]: only one of them takes memory. Ends with the first error.
pub fn blocks(bytes: &[u8]) -> impl Iterator<Item = Result<Block<'_>>> {
    let mut reader = Reader { rest: bytes };
    std::iter::from_fn(move || {
        let block = (!reader.rest.is_empty()).then(|| reader.block())?;
        if block.is_err() {
            reader.rest = &[];
        }
        Some(block)
    })
}

/// A cursor over a stream.
struct Reader<'a> {
    /// Bytes that are not read yet.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn block(&mut self) -> Result<Block<'a>> {
        let (column_count, row_count) = (self.count("the number of columns")?, self.count("the number of rows")?);
        if column_count == 0 && row_count > 0 {
            return Err(malformed(format!("{row_count} rows have no column")));
        }
        let mut columns: Vec<Column<'a>> = Vec::new();
        for _ in 0..column_count {
            columns.push(self.column(row_count)?);
        }
        Ok(Block { row_count, columns })
    }

    fn column(&mut self, row_count: usize) -> Result<Column<'a>> {
        let name = self.text("the name of a column")?;
        let column_type = ColumnType::of_name(self.text("the type of a column")?)
            .map_err(|problem| malformed(format!("column {name:?}: {problem}")))?;
        let values = self.values(column_type, row_count);
        Ok(Column { name, values: values.ok_or_else(|| malformed(format!("column {name:?} is cut short or damaged")))? })
    }

    /// Returns the values of a column, `None` if the bytes end before them, or if its dictionary is damaged.
    fn values(&mut self, column_type: ColumnType, row_count: usize) -> Option<Values<'a>> {
        match column_type {
            ColumnType::Int8 => self.integers(row_count, |bytes| i8::from_le_bytes(bytes).into()),
            ColumnType::Int16 => self.integers(row_count, |bytes| i16::from_le_bytes(bytes).into()),
            ColumnType::Int32 => self.integers(row_count, |bytes| i32::from_le_bytes(bytes).into()),
            ColumnType::UInt8 => self.integers(row_count, |bytes| u8::from_le_bytes(bytes).into()),
            ColumnType::UInt16 => self.integers(row_count, |bytes| u16::from_le_bytes(bytes).into()),
            ColumnType::UInt32 => self.integers(row_count, |bytes| u32::from_le_bytes(bytes).into()),
            ColumnType::Int64 | ColumnType::UInt64 => self.integers(row_count, i64::from_le_bytes),
            ColumnType::Int128 => self.fixed_values(row_count, i128::from_le_bytes).map(Values::Wide),
            ColumnType::Int64List => self.lists(row_count).map(Values::Lists),
            ColumnType::String => self.strings(row_count).map(Values::Strings),
            ColumnType::LowCardinalityString => self.low_cardinality_strings(row_count).map(Values::Strings),
            ColumnType::FixedString(length) => {
                let bytes = self.take(row_count.checked_mul(length)?)?;
                Some(Values::Strings(bytes.chunks_exact(length).collect()))
            }
        }
    }

    /// Reads integers of `WIDTH` bytes; for those of 64 bits, this is one copy.
    fn integers<const WIDTH: usize>(&mut self, row_count: usize, value: fn([u8; WIDTH]) -> i64) -> Option<Values<'a>> {
        self.fixed_values(row_count, value).map(Values::Integers)
    }

    /// Reads the ends of lists, which must ascend, and then the values of all of them.
    fn lists(&mut self, row_count: usize) -> Option<Lists> {
        let ends: Vec<usize> = self.fixed_values(row_count, |bytes| u64::from_le_bytes(bytes) as usize)?;
        let value_count = ends.last().copied().unwrap_or(0);
        ends.is_sorted().then_some(())?;
        Some(Lists { ends, values: self.fixed_values(value_count, i64::from_le_bytes)? })
    }

    /// Reads values of `WIDTH` bytes each.
    fn fixed_values<T, const WIDTH: usize>(&mut self, count: usize, value: fn([u8; WIDTH]) -> T) -> Option<Vec<T>> {
        let bytes = self.take(count.checked_mul(WIDTH)?)?;
        Some(bytes.as_chunks().0.iter().map(|bytes| value(*bytes)).collect())
    }

    fn strings(&mut self, count: usize) -> Option<Vec<&'a [u8]>> {
        // Each text has a byte at least, that of its length.
        if count > self.rest.len() {
            return None;
        }
        let mut strings = Vec::with_capacity(count);
        for _ in 0..count {
            let length = usize::try_from(self.varint()?).ok()?;
            strings.push(self.take(length)?);
        }
        Some(strings)
    }

    /// Reads a dictionary of texts, and the number of a text in it by row.
    fn low_cardinality_strings(&mut self, row_count: usize) -> Option<Vec<&'a [u8]>> {
        if row_count == 0 {
            return Some(Vec::new());
        }
        let (version, layout) = (self.fixed()?, self.fixed()?);
        let is_known = version == DICTIONARY_VERSION && layout & !WIDTH_MASK == DICTIONARY_LAYOUT;
        let entry_count = usize::try_from(self.fixed()?).ok().filter(|_| is_known)?;
        let entries = self.strings(entry_count)?;
        let has_rows = self.fixed()? == row_count as u64;
        let bytes = self.take(row_count.checked_mul(1 << (layout & WIDTH_MASK).min(LOG_WIDTH_MAX))?).filter(|_| has_rows)?;
        match layout & WIDTH_MASK {
            0 => entries_at(&entries, bytes, |[byte]| byte.into()),
            1 => entries_at(&entries, bytes, |bytes| u16::from_le_bytes(bytes).into()),
            2 => entries_at(&entries, bytes, |bytes| u32::from_le_bytes(bytes).into()),
            LOG_WIDTH_MAX => entries_at(&entries, bytes, u64::from_le_bytes),
            _ => None,
        }
    }

    /// Reads an integer of 64 bits.
    fn fixed(&mut self) -> Option<u64> {
        self.take(size_of::<u64>())?.try_into().ok().map(u64::from_le_bytes)
    }

    fn text(&mut self, what: &str) -> Result<&'a str> {
        let length = self.count(what)?;
        let bytes = self.take(length).ok_or_else(|| malformed(format!("{what} ends too early")))?;
        std::str::from_utf8(bytes).map_err(|_| malformed(format!("{what} is not UTF-8")))
    }

    fn count(&mut self, what: &str) -> Result<usize> {
        let count = self.varint().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| malformed(format!("{what} is cut short, or exceeds 64 bits")))
    }

    /// Returns the next varint, `None` if it does not end or exceeds 64 bits.
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Most are lengths below 128.
        if let [low @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Some((*low).into());
        }
        let mut value = 0;
        for (shift, &byte) in (0..u64::BITS).step_by(VARINT_BITS as usize).zip(self.rest) {
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.rest = &self.rest[(shift / VARINT_BITS) as usize + 1..];
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Returns the entries by their numbers of `WIDTH` bytes each, `None` if one is beyond the last entry.
fn entries_at<'a, const WIDTH: usize>(
    entries: &[&'a [u8]], numbers: &[u8], number: fn([u8; WIDTH]) -> u64,
) -> Option<Vec<&'a [u8]>> {
    let entry = |bytes: &[u8; WIDTH]| entries.get(usize::try_from(number(*bytes)).ok()?).copied();
    numbers.as_chunks().0.iter().map(entry).collect()
}
