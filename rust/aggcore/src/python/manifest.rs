//! What the catalogue stores of segments, as it crosses the boundary.

use pyo3::prelude::*;

use crate::error::Error;
use crate::storage::segment::{self, Summary};

/// What the catalogue stores of a file.
#[pyclass(frozen, eq, get_all)]
#[derive(Clone, PartialEq)]
pub struct ManifestEntry {
    name: String,
    rows: usize,
    size: u64,
    crc32: u32,
    summary: Vec<u8>,
}

/// Tombstones of a segment, as the catalogue stores them.
#[pyclass(frozen, get_all)]
pub struct SegmentTombstones {
    pub segment: String,
    pub rows: Vec<u8>,
}

#[pymethods]
impl ManifestEntry {
    #[new]
    fn new(name: String, rows: usize, size: u64, crc32: u32, summary: Vec<u8>) -> Self {
        Self { name, rows, size, crc32, summary }
    }

    fn __repr__(&self) -> String {
        format!("ManifestEntry(name={:?}, rows={}, size={})", self.name, self.rows, self.size)
    }
}

#[pymethods]
impl SegmentTombstones {
    #[new]
    fn new(segment: String, rows: Vec<u8>) -> Self {
        Self { segment, rows }
    }
}

impl From<&segment::ManifestEntry> for ManifestEntry {
    fn from(entry: &segment::ManifestEntry) -> Self {
        let segment::ManifestEntry { name, rows, bytes, crc32, summary } = entry;
        Self { name: name.clone(), rows: *rows, size: *bytes, crc32: *crc32, summary: summary.to_bytes() }
    }
}

impl TryFrom<&ManifestEntry> for segment::ManifestEntry {
    type Error = Error;

    fn try_from(entry: &ManifestEntry) -> Result<Self, Error> {
        let summary = Summary::from_bytes(&entry.name, &entry.summary)?;
        Ok(Self { name: entry.name.clone(), rows: entry.rows, bytes: entry.size, crc32: entry.crc32, summary })
    }
}
