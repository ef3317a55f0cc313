//! What the catalogue keeps of a segment, besides its name.

use crate::error::{Error, Result};
use crate::schema::FIELDS;

/// Columns of a segment: the fields of the record, then those of [`own`].
pub const COLUMN_COUNT: usize = FIELDS.len() + 5;

/// Numbers of the columns that are no fields.
#[allow(missing_docs)]
pub mod own {
    use crate::schema::FIELDS;

    pub const RECEIVED_TIME: usize = FIELDS.len();
    pub const VERSIONS: usize = RECEIVED_TIME + 1;
    pub const SORTED_KEY_HASH: usize = RECEIVED_TIME + 2;
    pub const ROW_OF_KEY: usize = RECEIVED_TIME + 3;
    pub const KEY_FILTER: usize = RECEIVED_TIME + 4;
    pub const NAMES: [&str; 5] = ["received_time", "versions", "sorted_key_hash", "row_of_key", "key_filter"];
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
    /// What is needed to open it without reading it.
    pub summary: Summary,
}

/// What is known of a segment without reading its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// CRC-32 of the file's footer and message headers.
    pub header_crc32: u32,
    /// CRC-32 of each column's buffers.
    pub column_crc32: Vec<u32>,
    /// Earliest and latest setup time, microseconds UTC.
    pub setup_range: (i64, i64),
    /// Hashes of the keys whose versions lie on more UTC days than one, ascending.
    pub far_keys: Vec<u64>,
}

impl Summary {
    /// The summary as bytes, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header_crc32.to_le_bytes().to_vec();
        self.column_crc32.iter().for_each(|crc32| out.extend(crc32.to_le_bytes()));
        out.extend(self.setup_range.0.to_le_bytes());
        out.extend(self.setup_range.1.to_le_bytes());
        self.far_keys.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        out
    }

    /// Reads what [`Summary::to_bytes`] wrote.
    ///
    /// # Errors
    /// `Damaged` for other bytes.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self> {
        let problem = || Error::Damaged { file: file.to_owned(), problem: "its summary is cut short".to_owned() };
        let (checks, rest) = bytes.split_at_checked(4 + COLUMN_COUNT * 4).ok_or_else(problem)?;
        let mut checks = checks.chunks_exact(4).map(|word| word.iter().rev().fold(0, |sum, &b| sum << 8 | u32::from(b)));
        let mut words = rest.chunks_exact(8).map(|word| word.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b)));
        let (Some(header_crc32), Some(first), Some(last)) = (checks.next(), words.next(), words.next()) else {
            return Err(problem());
        };
        let setup_range = (first as i64, last as i64);
        Ok(Self { header_crc32, column_crc32: checks.collect(), setup_range, far_keys: words.collect() })
    }
}
