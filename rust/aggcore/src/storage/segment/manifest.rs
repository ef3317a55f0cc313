//! Manifest entries: what the catalogue stores of each segment.
//!
//! An entry suffices to open a segment without reading its columns, and to skip it in scans by its setup
//! times. Its summary is encoded as words of 8 bytes, little endian; docs/storage.md has their order.

use crate::columns::integer::{ABSENT_STATS, ColumnStats};
use crate::error::{Error, Result};
use crate::record::schema::INT_COUNT;

/// One file of the store, as its writer describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Name of the file within the data directory.
    pub name: String,
    /// Number of rows, those with a tombstone included.
    pub rows: usize,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// CRC-32 of the whole file.
    pub crc32: u32,
    /// Statistics and page checksums.
    pub summary: Summary,
}

/// Statistics and checksums of a segment, known without reading its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Earliest and latest setup time, microseconds UTC.
    pub setup_range: (i64, i64),
    /// Min/max statistics of each integer column.
    pub column_stats: [ColumnStats; INT_COUNT],
    /// CRC-32 of each page of the file; see `page_checksums.rs`.
    pub page_crc32: Vec<u32>,
    /// Hashes of the keys whose versions have setup times on several UTC days, ascending.
    pub multi_day_keys: Vec<u64>,
}

impl Summary {
    /// Encodes the summary.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.setup_range.0.to_le_bytes());
        out.extend(self.setup_range.1.to_le_bytes());
        out.extend((INT_COUNT as u64).to_le_bytes());
        for stats in &self.column_stats {
            out.extend(stats.low.to_le_bytes());
            out.extend(stats.high.to_le_bytes());
            out.extend(i64::from(stats.has_absent).to_le_bytes());
        }
        out.extend((self.page_crc32.len() as u64).to_le_bytes());
        self.page_crc32.iter().for_each(|crc32| out.extend(u64::from(*crc32).to_le_bytes()));
        self.multi_day_keys.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        out
    }

    /// Decodes a summary that [`Summary::to_bytes`] encoded.
    ///
    /// # Errors
    /// `Damaged` if the bytes end too early.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self> {
        let mut words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().map(|word| word as i64);
        let mut read = || {
            let setup_range = (next()?, next()?);
            // Fields that were added after the file was written are absent in it.
            let mut column_stats = [ABSENT_STATS; INT_COUNT];
            for stats in column_stats.get_mut(..usize::try_from(next()?).ok()?)? {
                *stats = ColumnStats { low: next()?, high: next()?, has_absent: next()? != 0 };
            }
            let page_count = next()? as usize;
            let page_crc32: Vec<u32> = (0..page_count).map_while(|_| next()).map(|word| word as u32).collect();
            (page_crc32.len() == page_count).then_some((setup_range, column_stats, page_crc32))
        };
        let problem =
            || Error::Damaged { file: file.to_owned(), problem: "its summary is cut short, or of a later version".to_owned() };
        let (setup_range, column_stats, page_crc32) = read().ok_or_else(problem)?;
        Ok(Self { setup_range, column_stats, page_crc32, multi_day_keys: words.collect() })
    }
}
