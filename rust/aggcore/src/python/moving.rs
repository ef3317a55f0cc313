//! The records of an archive, as Python sees them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::store::ExportCursor;
use crate::storage::{BatchOutcome, StoredStep};

/// The next records of a store, with their versions, as a piece of an archive.
#[pyclass(frozen, get_all)]
pub struct StoredPiece {
    records: Py<PyBytes>,
    row_count: usize,
    next: Py<ExportCursor>,
}

/// What became of the records of a piece.
#[pyclass(frozen, get_all)]
pub struct JoinCounts {
    added: usize,
    joined: usize,
    unchanged: usize,
    deleted: usize,
    before_retention: usize,
}

impl StoredPiece {
    pub fn of(py: Python<'_>, (records, row_count, next): StoredStep) -> PyResult<Self> {
        Ok(Self { records: PyBytes::new(py, &records).unbind(), row_count, next: Py::new(py, ExportCursor(next))? })
    }
}

impl From<(BatchOutcome, usize, usize)> for JoinCounts {
    fn from((outcome, deleted, before_retention): (BatchOutcome, usize, usize)) -> Self {
        let BatchOutcome { accepted, replaced, duplicates, .. } = outcome;
        Self { added: accepted, joined: replaced, unchanged: duplicates, deleted, before_retention }
    }
}
