//! The ledger of a cluster, for the store in Python that keeps it in ClickHouse.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::arguments;
use super::counters::SourceTotals;
use super::deletion::DeletionRule;
use super::record_scope::RecordScope;
use crate::ledger::{self, GroupBatch, LedgerLimits, PlanRequest, RewriteCommit};
use crate::record::scrubbing::{PartyDigest, Scrubbing};

/// What each version is held to.
#[pyclass(frozen)]
pub struct LedgerRules(Arc<ledger::LedgerRules>);

/// A decoded batch.
#[pyclass(frozen)]
pub struct LedgerBatch(Arc<ledger::LedgerBatch>);

/// Which rows a plan needs.
#[pyclass(frozen, get_all)]
pub struct LedgerLookup {
    key_hashes: String,
    first_day: i64,
    last_day: i64,
    days: Vec<i64>,
}

/// An insert that changes one home day of one shard.
#[pyclass(frozen, get_all)]
pub struct DayCommit {
    day: i64,
    seq: u64,
    after: Vec<i64>,
    rows: Py<PyBytes>,
    row_count: usize,
}

/// What one shard has to insert.
#[pyclass(frozen, get_all)]
pub struct LedgerPlan {
    unknown_days: Vec<i64>,
    commits: Vec<Py<DayCommit>>,
}

/// Batches that are committed together.
#[pyclass(frozen)]
pub struct LedgerGroup(ledger::LedgerGroup);

/// What a rewriter inserts.
#[pyclass(frozen, get_all)]
pub struct LedgerRewrite {
    rows: Py<PyBytes>,
    removed: usize,
    changed: usize,
}

#[pymethods]
impl LedgerRules {
    #[new]
    fn new(
        key: PartyDigest, erased: Vec<PartyDigest>, masked_before_day: Option<i64>, keep_digits: usize,
        deletions: Vec<PyRef<'_, DeletionRule>>, moved: Vec<(PartyDigest, Vec<PartyDigest>)>,
    ) -> Self {
        let deletions: Vec<_> = deletions.iter().map(|rule| Arc::clone(&rule.0)).collect();
        let own = Scrubbing::new(key, erased, masked_before_day, keep_digits);
        let scrubbing = moved.into_iter().fold(own, |scrubbing, (key, erased)| scrubbing.also_erasing(key, erased));
        Self(Arc::new(ledger::LedgerRules::new(scrubbing, &deletions)))
    }
}

#[pymethods]
impl LedgerBatch {
    #[new]
    fn new(py: Python<'_>, batch: &[u8], config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (limits, tuning) = (arguments::commit_limits(config)?, config.getattr("tuning")?);
        let limits = LedgerLimits {
            batch: limits.batch,
            call_seconds: limits.call_seconds,
            versions_bytes: tuning.getattr("record_versions_bytes_max")?.extract()?,
            dictionary_rows_min: tuning.getattr("batch_dictionary_row_count_min")?.extract()?,
        };
        Ok(Self(Arc::new(py.detach(|| ledger::LedgerBatch::from_wire(batch, limits))?)))
    }

    #[staticmethod]
    fn from_archive(py: Python<'_>, piece: &[u8], config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let rows_min = config.getattr("tuning")?.getattr("batch_dictionary_row_count_min")?.extract()?;
        Ok(Self(Arc::new(py.detach(|| ledger::LedgerBatch::from_archive(piece, rows_min))?)))
    }

    #[getter]
    fn row_count(&self) -> usize {
        self.0.records.rows()
    }

    #[getter]
    fn rejected_bytes(&self) -> usize {
        self.0.records.rejected.encoded.len()
    }
}

#[pymethods]
impl LedgerGroup {
    #[new]
    fn new(
        py: Python<'_>, batches: Vec<(PyRef<'_, LedgerBatch>, Option<PyRef<'_, RecordScope>>)>, rules: &LedgerRules,
        hash_key: &[u8], shard_count: usize,
    ) -> PyResult<Self> {
        let hash_key: [u8; 16] = hash_key.try_into().map_err(|_| PyValueError::new_err("the key must have 16 bytes"))?;
        if shard_count == 0 {
            return Err(PyValueError::new_err("a cluster has at least one shard"));
        }
        let of_writer = |scope: &PyRef<'_, RecordScope>| Arc::clone(&scope.0);
        let batches = batches
            .iter()
            .map(|(batch, writer)| GroupBatch { batch: Arc::clone(&batch.0), writer: writer.as_ref().map(of_writer) })
            .collect();
        let rules = Arc::clone(&rules.0);
        Ok(Self(py.detach(|| ledger::LedgerGroup::new(batches, rules, &hash_key, shard_count))))
    }

    #[getter]
    fn unsettled_shards(&self) -> Vec<usize> {
        self.0.unsettled_shards()
    }

    fn use_rules(&self, rules: &LedgerRules) {
        self.0.use_rules(Arc::clone(&rules.0));
    }

    fn lookup(&self, py: Python<'_>, shard: usize) -> PyResult<LedgerLookup> {
        let found = py.detach(|| self.0.lookup(shard))?;
        let (first_day, last_day) = found.days_searched;
        let key_hashes: Vec<String> = found.key_hashes.iter().map(u64::to_string).collect();
        let key_hashes = format!("[{}]", key_hashes.join(","));
        Ok(LedgerLookup { key_hashes, first_day, last_day, days: found.days.into_iter().collect() })
    }

    #[pyo3(signature = (shard, rows, heads, *, oldest_us, received_us, nonce))]
    #[allow(clippy::too_many_arguments)]
    fn plan(
        &self, py: Python<'_>, shard: usize, rows: &[u8], heads: &Bound<'_, PyAny>, oldest_us: i64, received_us: i64, nonce: u64,
    ) -> PyResult<LedgerPlan> {
        // Any mapping.
        let heads: HashMap<i64, u64> = py.get_type::<PyDict>().call1((heads,))?.extract()?;
        let request = PlanRequest { rows, heads: &heads, oldest_us, received_us, nonce };
        let plan = py.detach(|| self.0.plan(shard, &request))?;
        let commits = plan.commits.into_iter().map(|commit| Py::new(py, DayCommit::of(py, &commit)));
        Ok(LedgerPlan { unknown_days: plan.unknown_days, commits: commits.collect::<PyResult<_>>()? })
    }

    fn settle(&self, shard: usize, day: i64) -> PyResult<()> {
        Ok(self.0.settle(shard, day)?)
    }

    fn reopen(&self, shard: usize, key_hashes: Vec<u64>) -> PyResult<()> {
        Ok(self.0.reopen(shard, &key_hashes)?)
    }

    fn note_sources(&self, py: Python<'_>, totals: &SourceTotals, received_us: i64) -> PyResult<()> {
        let is_settled = py.detach(|| self.0.note_sources(&totals.0, received_us));
        if is_settled { Ok(()) } else { Err(unsettled()) }
    }

    fn responses<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let responses = py.detach(|| self.0.responses());
        let responses = responses.ok_or_else(unsettled)?;
        Ok(responses.iter().map(|response| PyBytes::new(py, response)).collect())
    }
}

fn unsettled() -> PyErr {
    PyValueError::new_err("a shard of the group is unsettled")
}

impl DayCommit {
    fn of(py: Python<'_>, commit: &ledger::DayCommit) -> Self {
        let rows = PyBytes::new(py, &commit.rows).unbind();
        Self { day: commit.day, seq: commit.seq, after: commit.after.clone(), rows, row_count: commit.row_count }
    }
}

#[pyfunction]
pub fn ledger_columns() -> Vec<(&'static str, &'static str)> {
    ledger::columns().collect()
}

#[pyfunction]
pub fn archive_ledger_rows(py: Python<'_>, rows: &[u8]) -> PyResult<(Py<PyBytes>, usize)> {
    let (piece, row_count) = py.detach(|| ledger::archive_rows(rows))?;
    Ok((PyBytes::new(py, &piece).unbind(), row_count))
}

#[pyfunction]
#[pyo3(signature = (rows, rules, deletion, *, day, seq, nonce))]
pub fn rewrite_ledger_rows(
    py: Python<'_>, rows: &[u8], rules: &LedgerRules, deletion: Option<&Bound<'_, DeletionRule>>, day: i64, seq: u64, nonce: u64,
) -> PyResult<LedgerRewrite> {
    let deletion = deletion.map(|rule| Arc::clone(&rule.get().0));
    let commit = RewriteCommit { day, seq, nonce };
    let rewrite = py.detach(|| ledger::rewrite_rows(rows, &rules.0, deletion.as_deref(), commit))?;
    let (removed, changed) = (rewrite.removed, rewrite.changed);
    Ok(LedgerRewrite { rows: PyBytes::new(py, &rewrite.rows).unbind(), removed, changed })
}

#[pyfunction]
pub fn count_ledger_parties(py: Python<'_>, rows: &[u8], key: PartyDigest, digests: Vec<PartyDigest>) -> PyResult<usize> {
    Ok(py.detach(|| ledger::count_parties(rows, &Scrubbing::new(key, digests, None, 0)))?)
}
