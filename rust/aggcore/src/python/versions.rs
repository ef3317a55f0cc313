//! The rules of records for a store in Python: which records of a batch are valid, and how versions merge.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arguments;
use super::store::{BatchCounts, Rejection};
use crate::record;
use crate::record::new_record::NewRecordRules;
use crate::record::scrubbing::{PartyDigest, Scrubbing};
use crate::storage::{join_correction, join_version};
use crate::wire::version_batch::VersionBatch;
use crate::wire::{encode_record, versions};

/// A batch that was decoded.
#[pyclass(frozen, get_all)]
pub struct DecodedBatch {
    batch_id: Option<String>,
    rejected: Vec<Py<Rejection>>,
    /// Whether the records are corrections.
    corrects: bool,
    /// Number of the other records whose alert time was dropped.
    dropped_alert_times: usize,
    /// The other records, by their position in the batch.
    versions: Vec<(usize, Py<Versions>)>,
}

/// The versions of one record, and the record that they merge to.
#[pyclass(frozen)]
pub struct Versions(pub versions::Versions);

#[pyfunction]
pub fn decode_batch(py: Python<'_>, data: &[u8], config: &Bound<'_, PyAny>) -> PyResult<DecodedBatch> {
    let limits = arguments::commit_limits(config)?;
    let batch = py.detach(|| VersionBatch::from_wire(data, limits.batch, &NewRecordRules::new(limits.call_seconds)))?;
    let versions = batch.versions.into_iter().map(|(index, versions)| Ok((index, Py::new(py, Versions(versions))?)));
    let dropped_alert_times = batch.rejected.dropped_alert_time_count();
    let rejected = batch.rejected.records().into_iter().map(|record| Py::new(py, Rejection::from(record)));
    let (versions, rejected) = (versions.collect::<PyResult<_>>()?, rejected.collect::<PyResult<_>>()?);
    Ok(DecodedBatch { batch_id: batch.batch_id, rejected, corrects: batch.corrects, dropped_alert_times, versions })
}

#[pymethods]
impl Versions {
    #[new]
    fn new(record: &[u8], state: &[u8]) -> PyResult<Self> {
        Ok(Self(versions::Versions::of_stored(record, state)?))
    }

    #[getter]
    fn record<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut bytes = Vec::new();
        self.0.with_merged(|merged| encode_record(merged, &mut bytes));
        PyBytes::new(py, &bytes)
    }

    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.with_merged(|merged| self.0.to_bytes(merged)).unwrap_or_default())
    }

    #[getter]
    fn joinable_days(&self) -> (i64, i64) {
        self.0.joinable_days().into_inner()
    }

    fn scrubbed(&self, key: PartyDigest, erased: Vec<PartyDigest>, masked_before_day: Option<i64>, keep_digits: usize) -> Self {
        let mut versions = self.0.clone();
        versions.scrub(&Scrubbing::new(key, erased, masked_before_day, keep_digits));
        Self(versions)
    }

    fn has_party(&self, key: PartyDigest, digests: Vec<PartyDigest>) -> bool {
        self.0.has_erased(&Scrubbing::new(key, digests, None, 0))
    }

    fn join(&self, py: Python<'_>, stored: Vec<PyRef<'_, Self>>) -> PyResult<(Self, BatchCounts)> {
        let stored = self.stored_beside(stored)?;
        let (joined, counts) = py.detach(|| join_version(stored, &self.0));
        Ok((Self(joined), counts.into()))
    }

    fn correct(&self, py: Python<'_>, stored: Vec<PyRef<'_, Self>>) -> PyResult<(Self, BatchCounts)> {
        let stored = self.stored_beside(stored)?;
        let joined = py.detach(|| join_correction(stored, &self.0));
        let rejected = |rejection: record::Rejection| PyOverflowError::new_err((rejection.reason as i32, rejection.description));
        let (joined, counts) = joined.map_err(rejected)?;
        Ok((Self(joined), counts.into()))
    }
}

impl Versions {
    /// Copies stored states, to which this one version is added.
    fn stored_beside(&self, stored: Vec<PyRef<'_, Self>>) -> PyResult<Vec<versions::Versions>> {
        if self.0.with_merged(|merged| self.0.to_bytes(merged)).is_some() {
            return Err(PyValueError::new_err("these are several versions; a decoded batch has one each"));
        }
        Ok(stored.iter().map(|stored| stored.0.clone()).collect())
    }
}
