//! The engine, which is the core's store, as Python sees it, and the named values that cross the boundary.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arguments::{CancelToken, PredicateArgument, RequiredFileArgument, ScanArgument, predicates};
use super::code_deck::CodeDeck;
use super::counters::{EngineCounters, TakenRejections, by_number};
use super::deletion::DeletionRule;
use super::estimate::EstimateArgument;
use super::manifest::{ManifestEntry, SegmentTombstones};
use super::moving::{JoinCounts, StoredPiece};
use super::partials::Partials;
use super::record_scope::RecordScope;
use super::traffic::{TrafficPartials, TrafficScanArgument};
use super::{allocator, arguments, joined_bytes};
use crate::columns::row_set::RowSet;
use crate::durable::{group_commit, journal};
use crate::record::deletion::DeletionRules;
use crate::record::scrubbing::{PartyDigest, Scrubbing};
use crate::storage;
use crate::storage::export;
use crate::storage::segment::Segment;
use crate::wire::v1::RejectedRecord;

/// Bytes of rejected records from which a batch returns what encoding them freed to the operating system: each stream
/// has a thread of its own, which would hold on to it.
const REJECTED_BYTES_RETURNED_MIN: usize = 1 << 20;

/// Records in memory and in segments, and the journal that makes batches durable.
#[pyclass(frozen)]
pub struct Engine {
    durable: group_commit::JournaledStore,
    directory: PathBuf,
}

/// A submitted batch that may not be committed yet.
#[pyclass(frozen)]
pub struct PendingCommit(Arc<group_commit::PendingCommit>);

/// A flush that has begun.
#[pyclass(frozen)]
pub struct Flush {
    flush: storage::Flush,
    /// The first journal file that is still needed once the flush is in the catalogue; `None` unless the
    /// caller asked for `with_active`.
    #[pyo3(get)]
    first_journal: Option<u64>,
}

#[pymethods]
impl Flush {
    /// Records left out as deleted, once the active snapshot is written.
    #[getter]
    fn deleted_count(&self) -> usize {
        self.flush.deleted_count()
    }
}

/// New segments to install, and what they replace; empty once installed.
#[pyclass(frozen)]
pub struct SegmentEdit(Mutex<Option<storage::SegmentEdit>>);

/// A segment just written.
#[pyclass(frozen, get_all)]
pub struct NewSegment {
    /// UTC day in days since 1970-01-01.
    day: i64,
    file: Py<ManifestEntry>,
}

/// A segment that reports read.
#[pyclass(frozen, get_all)]
pub struct OpenSegment {
    name: String,
    day: i64,
    size: u64,
}

/// How many records of a batch were new, changed a stored one, or had no effect.
#[pyclass(frozen, get_all)]
pub struct BatchCounts {
    accepted: usize,
    replaced: usize,
    duplicates: usize,
    outranked: usize,
    suspected_reuse: usize,
}

/// A rejected record of a batch; `reason` is the number of a `RejectReason`.
#[pyclass(frozen, get_all)]
pub struct Rejection {
    index: i64,
    reason: i32,
    description: String,
}

/// A file of the data directory that is not where it was.
#[pyclass(frozen, get_all)]
pub struct MissingFile {
    name: String,
    is_journal: bool,
    problem: String,
}

/// Rows in memory.
#[pyclass(frozen, get_all)]
pub struct MemoryRows {
    active: usize,
    finished: usize,
}

/// Counts of a store; times are microseconds UTC.
#[pyclass(frozen, get_all)]
pub struct StoreInfo {
    records: usize,
    unsealed_records: usize,
    active_records: usize,
    segments: usize,
    segment_bytes: u64,
    first_setup_us: Option<i64>,
    last_setup_us: Option<i64>,
}

/// Position at which an export resumes.
#[pyclass(frozen)]
pub struct ExportCursor(pub export::ExportCursor);

/// The next records of an export, as an Arrow IPC stream.
#[pyclass(frozen, get_all)]
pub struct ExportPiece {
    stream: Vec<u8>,
    next: Py<ExportCursor>,
}

/// Counts of a journal file.
#[pyclass(frozen, get_all)]
pub struct JournalContent {
    batches: usize,
    records: usize,
    size: u64,
}

#[pymethods]
impl PendingCommit {
    #[getter]
    fn rejected_bytes(&self) -> usize {
        self.0.batch.rejected.encoded.len()
    }
}

impl From<storage::BatchOutcome> for BatchCounts {
    fn from(outcome: storage::BatchOutcome) -> Self {
        let storage::BatchOutcome { accepted, replaced, duplicates, outranked, suspected_reuse } = outcome;
        Self { accepted, replaced, duplicates, outranked, suspected_reuse }
    }
}

impl From<RejectedRecord> for Rejection {
    fn from(record: RejectedRecord) -> Self {
        let (index, reason) = (record.index.unwrap_or_default(), record.reason.unwrap_or_default());
        Self { index, reason, description: record.description.unwrap_or_default() }
    }
}

#[pymethods]
impl SegmentEdit {
    #[getter]
    fn segments(&self, py: Python<'_>) -> PyResult<Vec<NewSegment>> {
        let edit = self.0.lock();
        let segments = edit.iter().flat_map(|edit| &edit.segments);
        segments.map(|new| Ok(NewSegment { day: new.day, file: Py::new(py, ManifestEntry::from(&new.written))? })).collect()
    }

    #[getter]
    fn tombstones(&self) -> Vec<SegmentTombstones> {
        let edit = self.0.lock();
        let tombstones = edit.iter().flat_map(|edit| &edit.tombstones);
        tombstones.map(|(name, rows)| SegmentTombstones { segment: name.clone(), rows: rows.to_bytes() }).collect()
    }
}

impl From<storage::SegmentEdit> for SegmentEdit {
    fn from(edit: storage::SegmentEdit) -> Self {
        Self(Mutex::new(Some(edit)))
    }
}

impl From<storage::StoreInfo> for StoreInfo {
    fn from(info: storage::StoreInfo) -> Self {
        Self {
            records: info.records,
            unsealed_records: info.unsealed_records,
            active_records: info.active_records,
            segments: info.segments,
            segment_bytes: info.segment_bytes,
            first_setup_us: info.setup_range.map(|(first, _)| first),
            last_setup_us: info.setup_range.map(|(_, last)| last),
        }
    }
}

#[pymethods]
impl Engine {
    #[new]
    fn new(directory: PathBuf, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (limits, memory) = (arguments::commit_limits(config)?, arguments::memory_limits(config)?);
        let tuning = arguments::tuning(&config.getattr("tuning")?)?;
        let durable = group_commit::JournaledStore::new(&directory, limits, memory, tuning);
        Ok(Self { durable, directory })
    }

    fn open_segment(&self, py: Python<'_>, day: i64, file: &ManifestEntry, tombstones: &[u8], damaged: bool) -> PyResult<()> {
        let (entry, tombstones) = (file.try_into()?, RowSet::from_bytes(tombstones));
        py.detach(|| self.durable.store.open_segment(&self.directory, day, &entry, tombstones, damaged));
        Ok(())
    }

    fn open_active_snapshot(&self, py: Python<'_>, file: &ManifestEntry) -> PyResult<()> {
        let entry = file.try_into()?;
        Ok(py.detach(|| self.durable.open_active_snapshot(&entry))?)
    }

    fn replay(&self, py: Python<'_>, sequence: u64, accept_loss: bool) -> PyResult<u64> {
        Ok(py.detach(|| self.durable.replay(sequence, accept_loss))?)
    }

    fn submit(
        &self, py: Python<'_>, data: &[u8], received_us: i64, oldest_us: i64, writer: Option<&RecordScope>,
    ) -> PyResult<PendingCommit> {
        let writer = writer.map(|writer| &writer.0);
        let pending = py.detach(|| self.durable.submit(data, received_us, oldest_us, writer))?;
        if pending.rejected().encoded.len() > REJECTED_BYTES_RETURNED_MIN {
            py.detach(allocator::return_freed_memory);
        }
        Ok(PendingCommit(pending))
    }

    fn wait_for_response<'py>(
        &self, py: Python<'py>, pending: &PendingCommit, cancel: &CancelToken,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let head = py.detach(|| self.durable.wait_for_response_head(&pending.0, &cancel.0))?;
        joined_bytes::joined(py, &head, &pending.0.rejected().encoded)
    }

    fn commit_group(&self, py: Python<'_>) -> bool {
        py.detach(|| self.durable.commit_group())
    }

    fn counters(&self, py: Python<'_>, abandoned_until_us: i64, row_max: usize) -> PyResult<EngineCounters> {
        EngineCounters::of(py, &self.durable, abandoned_until_us, row_max)
    }

    fn take_rejected(&self) -> TakenRejections {
        by_number(self.durable.take_rejected())
    }

    /// Bytes that all queries hold.
    #[getter]
    fn query_memory_bytes(&self) -> usize {
        self.durable.store.resources().memory.used()
    }

    #[getter]
    fn fault(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.durable.fault())
    }

    fn set_fault(&self, py: Python<'_>, fault: String) {
        py.detach(|| self.durable.set_fault(fault));
    }

    #[getter]
    fn may_have_refused_frames(&self, py: Python<'_>) -> bool {
        py.detach(|| self.durable.may_have_refused_frames())
    }

    #[getter]
    fn has_journal(&self) -> bool {
        self.durable.has_journal()
    }

    fn create_journal(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(py.detach(|| self.durable.create_journal())?)
    }

    fn use_journal(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.durable.use_journal())?)
    }

    fn require_files(&self, py: Python<'_>, files: Vec<RequiredFileArgument>) {
        py.detach(|| self.durable.require_files(files.into_iter().map(Into::into).collect()));
    }

    fn missing_file(&self, py: Python<'_>) -> Option<MissingFile> {
        let missing = py.detach(|| self.durable.missing_file())?;
        Some(MissingFile { problem: missing.to_string(), name: missing.name, is_journal: missing.is_journal })
    }

    #[getter]
    fn journal_bytes(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.durable.journal_bytes())
    }

    fn release_journal_before(&self, py: Python<'_>, first: u64) {
        py.detach(|| self.durable.release_journal_before(first));
    }

    fn remove_journal_before(&self, py: Python<'_>, first: u64) -> PyResult<()> {
        Ok(py.detach(|| self.durable.remove_journal_before(first))?)
    }

    fn use_deletions(&self, py: Python<'_>, rules: Vec<PyRef<'_, DeletionRule>>, in_progress: Option<&DeletionRule>) {
        let rules: Vec<_> = rules.iter().map(|rule| Arc::clone(&rule.0)).collect();
        let in_progress = in_progress.map(|rule| Arc::clone(&rule.0));
        py.detach(|| self.durable.use_deletions(DeletionRules::new(&rules, in_progress)));
    }

    fn use_scrubbing(
        &self, py: Python<'_>, key: PartyDigest, erased: Vec<PartyDigest>, masked_before_day: Option<i64>, keep_digits: usize,
    ) {
        py.detach(|| self.durable.use_scrubbing(Scrubbing::new(key, erased, masked_before_day, keep_digits)));
    }

    fn scrub_memory(&self, py: Python<'_>) {
        py.detach(|| self.durable.store.scrub_memory());
    }

    fn count_scrubbed_rows(&self, py: Python<'_>, names: Vec<String>, cancel: &CancelToken) -> PyResult<Vec<usize>> {
        Ok(py.detach(|| self.durable.store.count_scrubbed_rows(&names, &cancel.0))?)
    }

    fn count_parties(
        &self, py: Python<'_>, key: PartyDigest, digests: Vec<PartyDigest>, cancel: &CancelToken,
    ) -> PyResult<usize> {
        Ok(py.detach(|| self.durable.store.count_parties(&Scrubbing::new(key, digests, None, 0), &cancel.0))?)
    }

    fn find_deleted(&self, py: Python<'_>, flush: &Flush, rule: &DeletionRule, cancel: &CancelToken) -> PyResult<()> {
        Ok(py.detach(|| self.durable.store.find_deleted(&flush.flush, Arc::clone(&rule.0), &cancel.0))?)
    }

    fn remove_deleted_active(&self, py: Python<'_>, flush: &Flush) {
        py.detach(|| self.durable.store.remove_deleted_active(&flush.flush));
    }

    fn begin_flush(&self, py: Python<'_>, with_active: bool) -> PyResult<Flush> {
        let (flush, first_journal) = py.detach(|| self.durable.begin_flush(with_active))?;
        Ok(Flush { flush, first_journal })
    }

    fn abort_flush(&self, py: Python<'_>, flush: &Flush) {
        py.detach(|| self.durable.store.abort_flush(&flush.flush));
    }

    fn write_flush(&self, py: Python<'_>, flush: &Flush, sequence: u64, row_max: usize) -> PyResult<SegmentEdit> {
        let write = || self.durable.store.write_flush(&self.directory, sequence, row_max, &flush.flush);
        Ok(py.detach(write)?.into())
    }

    fn write_active_snapshot(&self, py: Python<'_>, flush: &Flush, sequence: u64) -> PyResult<Option<Vec<ManifestEntry>>> {
        let files = py.detach(|| self.durable.store.write_active_snapshot(&self.directory, sequence, &flush.flush))?;
        Ok(files.map(|files| files.iter().map(ManifestEntry::from).collect()))
    }

    fn pick_compaction(&self, py: Python<'_>, row_max: usize) -> Vec<String> {
        py.detach(|| self.durable.store.pick_compaction(row_max))
    }

    fn compact(&self, py: Python<'_>, names: Vec<String>, sequence: u64, row_max: usize) -> PyResult<SegmentEdit> {
        Ok(py.detach(|| self.durable.store.compact(&self.directory, sequence, row_max, &names))?.into())
    }

    fn install(&self, py: Python<'_>, edit: &SegmentEdit) {
        let edit = edit.0.lock().take();
        py.detach(|| edit.into_iter().for_each(|edit| self.durable.store.install(edit)));
        py.detach(allocator::return_freed_memory);
    }

    fn drop_before(&self, py: Python<'_>, day: i64, active_cutoff_us: i64) -> usize {
        py.detach(|| self.durable.store.drop_before(day, active_cutoff_us))
    }

    fn partials(
        &self, py: Python<'_>, scan: ScanArgument, deck: Option<&CodeDeck>, cell_count_max: usize, cancel: &CancelToken,
    ) -> PyResult<Partials> {
        let scan = scan.resolve(py)?;
        let resources = self.durable.store.resources();
        let memory = resources.memory.begin_query();
        let scan = scan.borrow(deck, cell_count_max, cancel, &memory, resources);
        let sums = py.detach(|| {
            // A scan that failed has given back what it held.
            self.durable.store.partials(&scan).inspect_err(|_| allocator::return_memory_of_query(memory.peak()))
        })?;
        Ok(Partials { sums, resources: Arc::clone(resources), memory })
    }

    fn traffic_partials(
        &self, py: Python<'_>, scan: TrafficScanArgument, deck: Option<&CodeDeck>, cell_count_max: usize, cancel: &CancelToken,
    ) -> PyResult<TrafficPartials> {
        TrafficPartials::of_scan(py, &self.durable.store, scan, deck, cell_count_max, cancel)
    }

    fn estimate(&self, scan: EstimateArgument) -> Option<usize> {
        scan.of(&self.durable.store)
    }

    fn any_match(&self, py: Python<'_>, predicates: Vec<PredicateArgument>, cancel: &CancelToken) -> PyResult<bool> {
        let predicates = self::predicates(predicates)?;
        Ok(py.detach(|| self.durable.store.any_match(&predicates, &cancel.0))?)
    }

    fn info(&self, py: Python<'_>) -> PyResult<StoreInfo> {
        Ok(py.detach(|| self.durable.store.info())?.into())
    }

    fn export(
        &self, py: Python<'_>, from_us: i64, to_us: i64, cursor: Option<&ExportCursor>, row_max: usize,
    ) -> PyResult<Option<ExportPiece>> {
        let cursor = cursor.map_or_else(Default::default, |cursor| cursor.0);
        let piece = py.detach(|| self.durable.store.export((from_us, to_us), cursor, row_max))?;
        piece.map(|(stream, next)| Ok(ExportPiece { stream, next: Py::new(py, ExportCursor(next))? })).transpose()
    }

    fn stored_records(&self, py: Python<'_>, cursor: Option<&ExportCursor>, row_max: usize) -> PyResult<Option<StoredPiece>> {
        let cursor = cursor.map_or_else(Default::default, |cursor| cursor.0);
        let step = py.detach(|| self.durable.store.stored_records(cursor, row_max))?;
        step.map(|step| StoredPiece::of(py, step)).transpose()
    }

    fn join_stored(&self, py: Python<'_>, piece: &[u8], oldest_us: i64) -> PyResult<JoinCounts> {
        Ok(py.detach(|| self.durable.join_stored(piece, oldest_us))?.into())
    }

    #[getter]
    fn damaged_segments(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.durable.store.damaged())
    }

    fn retire_segments(&self, py: Python<'_>) {
        py.detach(|| self.durable.store.retire_segments());
    }

    fn look_at_files(&self, py: Python<'_>) -> Vec<(String, String)> {
        py.detach(|| self.durable.store.look_at_files())
    }

    fn take_watch_refusal(&self) -> Option<String> {
        self.durable.store.take_watch_refusal()
    }

    #[getter]
    fn first_day(&self, py: Python<'_>) -> Option<i64> {
        let store = &self.durable.store;
        store.try_first_day().unwrap_or_else(|| py.detach(|| store.first_day()))
    }

    #[getter]
    fn memory_rows(&self, py: Python<'_>) -> MemoryRows {
        let (active, finished) = py.detach(|| self.durable.store.rows_in_memory());
        MemoryRows { active, finished }
    }

    #[getter]
    fn segments(&self, py: Python<'_>) -> Vec<OpenSegment> {
        let segments = py.detach(|| self.durable.store.segments());
        segments.into_iter().map(|(name, day, size)| OpenSegment { name, day, size }).collect()
    }
}

#[pyfunction]
pub fn check_file(py: Python<'_>, directory: PathBuf, file: &ManifestEntry) -> PyResult<()> {
    let entry = file.try_into()?;
    Ok(py.detach(|| Segment::open(&directory, &entry)?.verify_file())?)
}

#[pyfunction]
pub fn journal_sequences(directory: PathBuf) -> PyResult<Vec<u64>> {
    Ok(journal::sequences(&directory)?)
}

#[pyfunction]
pub fn journal_predecessor(directory: PathBuf, sequence: u64) -> PyResult<Option<u64>> {
    Ok(journal::predecessor(&directory, sequence)?)
}

#[pyfunction]
pub fn journal_has_batches(directory: PathBuf, sequence: u64) -> PyResult<bool> {
    Ok(journal::has_batches(&directory, sequence)?)
}

#[pyfunction]
pub fn check_journal(py: Python<'_>, directory: PathBuf, sequence: u64) -> PyResult<JournalContent> {
    let journal::JournalContent { batches, records, bytes } = py.detach(|| journal::read_content(&directory, sequence))?;
    Ok(JournalContent { batches, records, size: bytes })
}
