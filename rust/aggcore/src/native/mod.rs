//! Blocks of columns in ClickHouse's [Native format](https://clickhouse.com/docs/interfaces/formats/Native), as its HTTP
//! interface sends and takes them.
//!
//! A stream is any number of blocks, one after the other. A block is its number of columns, its number of rows, and each
//! column: name, type, values. Numbers and lengths are varints, integers little-endian, and a text has its length before
//! it. A block without rows may stand anywhere, and says nothing.
//!
//! Of the types, those are known that the columns of records and sums have. Over HTTP, a column of
//! `LowCardinality(String)` comes dictionary-encoded whatever `low_cardinality_allow_in_native_format` says; an insert may
//! send plain texts for it. (Seen with ClickHouse 26.7.)

mod column_type;
mod reader;
mod writer;

use crate::error::{Error, Result};

pub use reader::{blocks, read_blocks};
pub use writer::BlockWriter;

/// Rows of a stream, as columns that borrow their texts from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Rows: each column has a value for each of them.
    pub row_count: usize,
    /// Columns in the order of the stream.
    pub columns: Vec<Column<'a>>,
}

/// A column of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values by row.
    pub values: Values<'a>,
}

/// The values of a column by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// `Int8` to `Int64` and `UInt8` to `UInt64`. A `UInt64` keeps its bits: 2^64 - 1 is -1.
    Integers(Vec<i64>),
    /// `String`, `LowCardinality(String)` and `FixedString(n)`, which keeps the zero bytes at its end.
    Strings(Vec<&'a [u8]>),
    /// `Int128`.
    Wide(Vec<i128>),
    /// `Array(Int64)`.
    Lists(Lists),
}

/// Lists of integers by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// By row: where its list ends in `values`; it begins where that of the row before it ends, the first at 0.
    pub ends: Vec<usize>,
    /// The values of all lists.
    pub values: Vec<i64>,
}

impl Values<'_> {
    /// What the values are, for messages.
    fn kind(&self) -> &'static str {
        match self {
            Self::Integers(_) => "integers",
            Self::Strings(_) => "texts",
            Self::Wide(_) => "integers of 128 bits",
            Self::Lists(_) => "lists of integers",
        }
    }
}

impl<'a> Block<'a> {
    /// Returns the column of a name.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks it.
    pub fn column(&self, name: &str) -> Result<&Values<'a>> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.map(|column| &column.values).ok_or_else(|| malformed(format!("the column {name:?} is missing")))
    }

    /// Returns a column of integers.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks it, or if it has other values.
    pub fn integers(&self, name: &str) -> Result<&[i64]> {
        match self.column(name)? {
            Values::Integers(values) => Ok(values),
            other @ (Values::Strings(_) | Values::Wide(_) | Values::Lists(_)) => Err(unlike(name, other, "integers")),
        }
    }

    /// Returns a column of texts.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks it, or if it has other values.
    pub fn strings(&self, name: &str) -> Result<&[&'a [u8]]> {
        match self.column(name)? {
            Values::Strings(values) => Ok(values),
            other @ (Values::Integers(_) | Values::Wide(_) | Values::Lists(_)) => Err(unlike(name, other, "texts")),
        }
    }

    /// Returns a column of integers of 128 bits.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks it, or if it has other values.
    pub fn wide(&self, name: &str) -> Result<&[i128]> {
        match self.column(name)? {
            Values::Wide(values) => Ok(values),
            other @ (Values::Integers(_) | Values::Strings(_) | Values::Lists(_)) => {
                Err(unlike(name, other, "integers of 128 bits"))
            }
        }
    }

    /// Returns a column of lists of integers.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks it, or if it has other values.
    pub fn lists(&self, name: &str) -> Result<&Lists> {
        match self.column(name)? {
            Values::Lists(lists) => Ok(lists),
            other @ (Values::Integers(_) | Values::Strings(_) | Values::Wide(_)) => Err(unlike(name, other, "lists of integers")),
        }
    }
}

fn unlike(name: &str, values: &Values<'_>, wanted: &str) -> Error {
    malformed(format!("the column {name:?} has {}, and not {wanted}", values.kind()))
}

fn malformed(problem: impl Into<String>) -> Error {
    Error::MalformedBlock(problem.into())
}

#[cfg(test)]
mod tests;
