//! The counters of an engine, as Python sees them.

use std::collections::BTreeMap;

use pyo3::prelude::*;

use crate::durable::commit_counters::SYNC_BOUNDS_S;
use crate::durable::group_commit::JournaledStore;
use crate::record::RejectReason;
use crate::storage::{self, SourceCounts};

/// The records of one source; `rejected` is by the number of a `RejectReason`. Times are microseconds UTC.
#[pyclass(frozen, get_all)]
pub struct SourceRecordCounters {
    source: String,
    accepted: u64,
    replaced: u64,
    duplicates: u64,
    rejected: BTreeMap<i32, u64>,
    dropped_alert_times: u64,
    last_write_us: Option<i64>,
    last_setup_us: Option<i64>,
}

/// Rejected records by source, and then by the number of a `RejectReason`.
pub type TakenRejections = BTreeMap<String, BTreeMap<i32, u64>>;

/// The records of a store by source, for a store that is not an engine.
#[pyclass(frozen)]
pub struct SourceTotals(pub storage::SourceCounters);

/// What an engine has counted, and present values of it.
#[pyclass(frozen, get_all)]
pub struct EngineCounters {
    scanned_rows: u64,
    result_cells: u64,
    rollup_hits: u64,
    rollup_misses: u64,
    rollup_bytes: usize,
    query_memory_bytes: usize,
    commits: u64,
    committed_batches: u64,
    sync_bounds_s: Vec<f64>,
    sync_counts: Vec<u64>,
    sync_seconds: f64,
    commit_queue_bytes: usize,
    journal_bytes: u64,
    unsealed_records: usize,
    abandoned_sessions: usize,
    compaction_backlog: usize,
    sources: Vec<Py<SourceRecordCounters>>,
}

impl EngineCounters {
    /// Reads the counters; see [`crate::storage::Store::gauges`] for the arguments.
    pub fn of(py: Python<'_>, durable: &JournaledStore, abandoned_until_us: i64, row_max: usize) -> PyResult<Self> {
        let store = &durable.store;
        let (gauges, sources) = py.detach(|| (store.gauges(abandoned_until_us, row_max), durable.source_counts()));
        let (scans, commits) = (store.scan_counts(), durable.commit_counts());
        let sources = sources.into_iter().map(|(source, counts)| Py::new(py, SourceRecordCounters::of(source, counts)));
        Ok(Self {
            scanned_rows: scans.rows,
            result_cells: scans.cells,
            rollup_hits: scans.rollup_hits,
            rollup_misses: scans.rollup_misses,
            rollup_bytes: store.rollup_bytes(),
            query_memory_bytes: store.resources().memory.used(),
            commits: commits.commits,
            committed_batches: commits.batches,
            sync_bounds_s: SYNC_BOUNDS_S.to_vec(),
            sync_counts: commits.syncs.to_vec(),
            sync_seconds: commits.sync_seconds,
            commit_queue_bytes: durable.queued_bytes(),
            journal_bytes: durable.journal_bytes(),
            unsealed_records: gauges.unsealed_records,
            abandoned_sessions: gauges.abandoned_sessions,
            compaction_backlog: gauges.compaction_backlog,
            sources: sources.collect::<PyResult<_>>()?,
        })
    }
}

#[pymethods]
impl SourceTotals {
    #[new]
    fn new(source_count_max: usize) -> Self {
        Self(storage::SourceCounters::new(source_count_max))
    }

    fn counts(&self) -> Vec<SourceRecordCounters> {
        self.0.counts().into_iter().map(|(source, counts)| SourceRecordCounters::of(source, counts)).collect()
    }

    fn take_rejected(&self) -> TakenRejections {
        by_number(self.0.take_rejected())
    }
}

impl SourceRecordCounters {
    fn of(source: String, counts: SourceCounts) -> Self {
        let SourceCounts {
            accepted,
            replaced,
            duplicates,
            rejected,
            dropped_alert_times,
            last_write_us,
            last_setup_us,
            untaken: _,
        } = counts;
        let rejected = rejected.into_iter().map(|(reason, count)| (reason as i32, count)).collect();
        Self { source, accepted, replaced, duplicates, rejected, dropped_alert_times, last_write_us, last_setup_us }
    }
}

/// Names reasons by their numbers, as Python knows them.
pub fn by_number(taken: Vec<(String, BTreeMap<RejectReason, u64>)>) -> TakenRejections {
    let numbered =
        |counts: BTreeMap<RejectReason, u64>| counts.into_iter().map(|(reason, count)| (reason as i32, count)).collect();
    taken.into_iter().map(|(source, counts)| (source, numbered(counts))).collect()
}
