//! The boundary to Python: arguments in, the GIL released once, results out.

mod allocator;
mod cpu;

use std::sync::{Arc, Mutex, PoisonError};
use std::{path::PathBuf, time::Duration};

use pyo3::{buffer::PyBuffer, prelude::*, types::PyBytes, types::PyDict};

use crate::columns::row_set::RowSet;
use crate::durable::{group_commit as commit, journal};
use crate::error::Error;
use crate::response::{
    ActiveOptions, UsageOptions, build_active_response, build_folder_response, build_quality_response, build_usage_response,
};
use crate::scan::{code_deck as deck, predicate as filter};
use crate::storage::segment::{ManifestEntry, Segment, Summary};
use crate::time_text::UtcOffsets;
use crate::wire::columnar_batch as batch;
use crate::{cancellation as stop, response as finish, scan, storage as store};

/// Name, rows, bytes, CRC-32 and summary of a file.
type FileRow<'py> = (String, usize, u64, u32, Bound<'py, PyBytes>);
type RejectedRow = (usize, i32, String);
type ExportPiece<'py> = (Bound<'py, PyBytes>, (usize, usize));

#[pymodule]
mod _aggcore {
    #[pymodule_export]
    use super::{
        CancelToken, Deck, Freeze, Partials, Pending, Rewrite, Store, active_response, check_file, check_journal,
        folder_response, format_time, journal_sequences, quality_response, record_fields, usage_response,
    };
    use pyo3::prelude::*;

    /// `PanicException` is what a fault of the core is raised as; it is no `Exception`.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::cpu::check().map_err(pyo3::exceptions::PyImportError::new_err)?;
        module.add("PanicException", module.py().get_type::<pyo3::panic::PanicException>())
    }
}

/// Records in memory and sealed segments, and the journal that makes batches durable.
#[pyclass(frozen)]
struct Store {
    durable: commit::JournaledStore,
    directory: PathBuf,
}

/// A batch on its way to the disk.
#[pyclass(frozen)]
struct Pending(Arc<commit::PendingCommit>);

/// What a seal takes up.
#[pyclass(frozen)]
struct Freeze(store::Flush);

/// New segments that are not in place yet; empty once they are.
#[pyclass(frozen)]
struct Rewrite(Mutex<Option<store::SegmentEdit>>);

/// Integer sums per bin and group.
#[pyclass(frozen)]
struct Partials(scan::Partials);

/// A code deck.
#[pyclass(frozen)]
struct Deck(deck::Deck);

/// Tells running work to end.
#[pyclass(frozen, name = "Stop")]
struct CancelToken(Arc<stop::CancelToken>);

#[derive(FromPyObject)]
enum PredicateArgument {
    Between { column: String, low: i64, high: i64 },
    OneOfInts { column: String, values: Vec<i64> },
    OneOfTexts { column: String, values: Vec<String> },
    TextMatch { column: String, how: String, text: String },
    InNetwork { column: String, network: String },
    Present { column: String, wanted: bool },
}

#[derive(FromPyObject)]
struct OrderArgument {
    name: String,
    descending: bool,
}

#[derive(FromPyObject)]
struct DeckEntryArgument {
    code: String,
    name: String,
    country: String,
}

#[pymethods]
impl Pending {
    #[getter]
    fn batch_id(&self) -> Option<&str> {
        self.0.batch.batch_id.as_deref()
    }

    #[getter]
    fn rejected(&self) -> Vec<RejectedRow> {
        let rejected = self.0.batch.rejected.iter();
        rejected.map(|(index, why)| (*index, why.reason as i32, why.description.clone())).collect()
    }
}

#[pymethods]
impl Rewrite {
    /// New segments: UTC day and file.
    #[getter]
    fn segments<'py>(&self, py: Python<'py>) -> Vec<(i64, FileRow<'py>)> {
        let rewrite = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let segments = rewrite.iter().flat_map(|rewrite| &rewrite.segments);
        segments.map(|segment| (segment.day, file_row(py, &segment.written))).collect()
    }

    /// Replaced rows of other segments, by segment name.
    #[getter]
    fn dead<'py>(&self, py: Python<'py>) -> Vec<(String, Bound<'py, PyBytes>)> {
        let rewrite = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = rewrite.iter().flat_map(|rewrite| &rewrite.tombstones);
        dead.map(|(name, rows)| (name.clone(), PyBytes::new(py, &rows.to_bytes()))).collect()
    }
}

impl Rewrite {
    fn new(rewrite: store::SegmentEdit) -> Self {
        Self(Mutex::new(Some(rewrite)))
    }
}

#[pymethods]
impl Store {
    #[new]
    fn new(directory: PathBuf, batch_rows: usize, waiting_bytes: usize) -> Self {
        let durable = commit::JournaledStore::new(&directory, commit::CommitLimits { batch_rows, waiting_bytes });
        Self { durable, directory }
    }

    fn open_segment(&self, py: Python<'_>, day: i64, file: FileRow<'_>, dead: &[u8], damaged: bool) -> PyResult<()> {
        let (file, dead) = (written(&file)?, RowSet::from_bytes(dead));
        py.detach(|| self.durable.store.open_segment(&self.directory, day, &file, dead, damaged));
        Ok(())
    }

    #[getter]
    fn damaged(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.durable.store.damaged())
    }

    fn open_active(&self, py: Python<'_>, file: FileRow<'_>) -> PyResult<()> {
        let file = written(&file)?;
        Ok(py.detach(|| self.durable.store.open_active(&self.directory, &file))?)
    }

    fn replay(&self, py: Python<'_>, first: u64) -> PyResult<()> {
        Ok(py.detach(|| self.durable.replay(first))?)
    }

    fn submit(&self, py: Python<'_>, data: &[u8], received_us: i64, oldest_us: i64) -> PyResult<Pending> {
        Ok(Pending(py.detach(|| self.durable.submit(data, received_us, oldest_us))?))
    }

    fn wait(&self, py: Python<'_>, pending: &Pending) -> PyResult<(usize, usize, usize)> {
        let outcome = py.detach(|| self.durable.wait(&pending.0))?;
        Ok((outcome.accepted, outcome.replaced, outcome.duplicates))
    }

    fn write_group(&self, py: Python<'_>) -> bool {
        py.detach(|| self.durable.commit_group())
    }

    #[getter]
    fn fault(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.durable.fault())
    }

    fn try_again(&self, py: Python<'_>) {
        py.detach(|| self.durable.reopen_after_fault());
    }

    #[getter]
    fn journal_bytes(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.durable.journal_bytes())
    }

    fn drop_journal(&self, py: Python<'_>, first: u64) -> PyResult<()> {
        Ok(py.detach(|| self.durable.drop_journal(first))?)
    }

    fn freeze(&self, py: Python<'_>, with_active: bool) -> PyResult<(Freeze, Option<u64>)> {
        let (freeze, first_journal) = py.detach(|| self.durable.begin_flush(with_active))?;
        Ok((Freeze(freeze), first_journal))
    }

    #[pyo3(name = "thaw")]
    fn abort_flush(&self, py: Python<'_>, freeze: &Freeze) {
        py.detach(|| self.durable.store.abort_flush(&freeze.0));
    }

    #[pyo3(name = "write_frozen")]
    fn write_flush(&self, py: Python<'_>, freeze: &Freeze, sequence: u64, row_max: usize) -> PyResult<Rewrite> {
        let write = || self.durable.store.write_flush(&self.directory, sequence, row_max, &freeze.0);
        Ok(Rewrite::new(py.detach(write)?))
    }

    #[pyo3(name = "write_active")]
    fn write_active_snapshot<'py>(&self, py: Python<'py>, freeze: &Freeze, sequence: u64) -> PyResult<Option<Vec<FileRow<'py>>>> {
        let files = py.detach(|| self.durable.store.write_active_snapshot(&self.directory, sequence, &freeze.0))?;
        Ok(files.map(|files| files.iter().map(|file| file_row(py, file)).collect()))
    }

    #[pyo3(name = "worth_merging")]
    fn pick_compaction(&self, py: Python<'_>, row_max: usize) -> Vec<String> {
        py.detach(|| self.durable.store.pick_compaction(row_max))
    }

    fn merge(&self, py: Python<'_>, names: Vec<String>, sequence: u64, row_max: usize) -> PyResult<Rewrite> {
        let merge = || self.durable.store.compact(&self.directory, sequence, row_max, &names);
        Ok(Rewrite::new(py.detach(merge)?))
    }

    #[pyo3(name = "adopt")]
    fn install(&self, py: Python<'_>, rewrite: &Rewrite) {
        let rewrite = rewrite.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| rewrite.into_iter().for_each(|rewrite| self.durable.store.install(rewrite)));
        py.detach(allocator::give_back);
    }

    #[pyo3(name = "forget_before")]
    fn drop_before(&self, py: Python<'_>, day: i64, heard_us: i64) -> usize {
        py.detach(|| self.durable.store.drop_before(day, heard_us))
    }

    /// Sums of the records that meet all predicates, per bin of `edges` and group of `keys`.
    #[pyo3(signature = (*, edges, predicates, keys, measure, deck, cell_count_max, stop))]
    #[allow(clippy::too_many_arguments)]
    fn partials(
        &self, py: Python<'_>, edges: Option<PyBuffer<i64>>, predicates: Vec<PredicateArgument>, keys: Vec<String>,
        measure: (String, i64), deck: Option<&Deck>, cell_count_max: usize, stop: &CancelToken,
    ) -> PyResult<Partials> {
        let edges = edges.map(|edges| edges.to_vec(py)).transpose()?;
        let (predicates, measure, deck) = (conditions(predicates)?, measure_named(measure)?, deck.map(|deck| &deck.0));
        let scan = scan::Scan {
            edges: edges.as_deref(),
            predicates: &predicates,
            keys: &keys,
            measure,
            deck,
            cell_count_max,
            cancel: &stop.0,
        };
        Ok(Partials(py.detach(|| self.durable.store.partials(&scan))?))
    }

    fn any_match(&self, py: Python<'_>, predicates: Vec<PredicateArgument>, stop: &CancelToken) -> PyResult<bool> {
        let predicates = conditions(predicates)?;
        Ok(py.detach(|| self.durable.store.any_match(&predicates, &stop.0))?)
    }

    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = py.detach(|| self.durable.store.info())?;
        let out = PyDict::new(py);
        out.set_item("records", info.records)?;
        out.set_item("unsealed_records", info.unsealed_records)?;
        out.set_item("active_records", info.active_records)?;
        out.set_item("segments", info.segments)?;
        out.set_item("segment_bytes", info.segment_bytes)?;
        out.set_item("first_setup_us", info.setup_range.map(|range| range.0))?;
        out.set_item("last_setup_us", info.setup_range.map(|range| range.1))?;
        Ok(out)
    }

    /// The next records of a range, and the place to go on from.
    fn export<'py>(
        &self, py: Python<'py>, span: (i64, i64), place: (usize, usize), row_max: usize,
    ) -> PyResult<Option<ExportPiece<'py>>> {
        let piece = py.detach(|| self.durable.store.export(span, place, row_max))?;
        Ok(piece.map(|(bytes, place)| (PyBytes::new(py, &bytes), place)))
    }

    #[getter]
    fn first_day(&self, py: Python<'_>) -> Option<i64> {
        let store = &self.durable.store;
        store.first_day_at_once().unwrap_or_else(|| py.detach(|| store.first_day()))
    }

    #[getter]
    fn rows_in_memory(&self, py: Python<'_>) -> (usize, usize) {
        py.detach(|| self.durable.store.rows_in_memory())
    }

    #[getter]
    fn segments(&self, py: Python<'_>) -> Vec<(String, i64, u64)> {
        py.detach(|| self.durable.store.segments())
    }
}

#[pymethods]
impl Deck {
    #[new]
    fn new(py: Python<'_>, entries: Vec<DeckEntryArgument>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.code, entry.name, entry.country));
        Self(py.detach(|| deck::Deck::new(entries.collect())))
    }
}

#[pymethods]
impl CancelToken {
    #[new]
    fn new(limit_seconds: Option<f64>) -> Self {
        let limit = limit_seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO));
        Self(Arc::new(stop::CancelToken::with_limit(limit)))
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}

/// Sums of so few cells are finished sooner than the interpreter is handed over and back.
const FINISHED_AT_ONCE: usize = 1 << 11;

/// Finishes an answer; others may use the interpreter meanwhile where that takes long.
fn finished<T: Send>(py: Python<'_>, partials: &Partials, finish: impl FnOnce() -> T + Send) -> T {
    if partials.0.sums.len() <= FINISHED_AT_ONCE { finish() } else { py.detach(finish) }
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, warmup_bin_count, sma_period, now_us, change_us, offset_s))]
#[allow(clippy::too_many_arguments)]
fn usage_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, warmup_bin_count: usize, sma_period: Option<usize>, now_us: i64,
    change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, change_us, offset_s) = (edges.to_vec(py)?, change_us.to_vec(py)?, offset_s.to_vec(py)?);
    let offsets = UtcOffsets { change_us: &change_us, offset_s: &offset_s };
    let how = UsageOptions { edges: &edges, warmup_bin_count, sma_period, now_us, offsets };
    Ok(PyBytes::new(py, &finished(py, partials, || build_usage_response(&partials.0, &how))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, clipped_us, calendar_us))]
fn quality_response<'py>(
    py: Python<'py>, partials: &Partials, clipped_us: PyBuffer<i64>, calendar_us: PyBuffer<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (clipped_us, calendar_us) = (clipped_us.to_vec(py)?, calendar_us.to_vec(py)?);
    Ok(PyBytes::new(py, &finished(py, partials, || build_quality_response(&partials.0, &clipped_us, &calendar_us))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, change_us, offset_s))]
fn folder_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, change_us, offset_s) = (edges.to_vec(py)?, change_us.to_vec(py)?, offset_s.to_vec(py)?);
    let offsets = UtcOffsets { change_us: &change_us, offset_s: &offset_s };
    Ok(PyBytes::new(py, &finished(py, partials, || build_folder_response(&partials.0, &edges, &offsets))?))
}

#[pyfunction]
#[pyo3(signature = (partials, *, fields, order, limit, rollup, change_us, offset_s))]
#[allow(clippy::too_many_arguments)]
fn active_response<'py>(
    py: Python<'py>, partials: &Partials, fields: Vec<String>, order: Vec<OrderArgument>, limit: Option<usize>, rollup: bool,
    change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (change_us, offset_s) = (change_us.to_vec(py)?, offset_s.to_vec(py)?);
    let order: Vec<_> = order.into_iter().map(finish::OrderTerm::from).collect();
    let offsets = UtcOffsets { change_us: &change_us, offset_s: &offset_s };
    let how = ActiveOptions { fields: &fields, order: &order, limit, rollup, offsets };
    Ok(PyBytes::new(py, &finished(py, partials, || build_active_response(&partials.0, &how))?))
}

/// RFC 3339 of an instant in the offset in force.
#[pyfunction]
fn format_time(py: Python<'_>, us: i64, change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>) -> PyResult<String> {
    let (change_us, offset_s) = (change_us.to_vec(py)?, offset_s.to_vec(py)?);
    Ok(UtcOffsets { change_us: &change_us, offset_s: &offset_s }.rfc3339(us))
}

/// Names of the fields of a record, in the order of their tags.
#[pyfunction]
fn record_fields() -> Vec<&'static str> {
    crate::record::schema::FIELDS.iter().map(|field| field.name).collect()
}

/// Reads a whole file of the catalogue; raises where it is not what was written.
#[pyfunction]
fn check_file(py: Python<'_>, directory: PathBuf, file: FileRow<'_>) -> PyResult<()> {
    let file = written(&file)?;
    Ok(py.detach(|| Segment::open(&directory, &file)?.check_whole())?)
}

/// DenseIds of the journal files of a data directory, ascending.
#[pyfunction]
fn journal_sequences(directory: PathBuf) -> PyResult<Vec<u64>> {
    Ok(journal::sequences(&directory)?)
}

/// Reads a journal file; gives its batches, records and bytes, or raises where it is not what was written.
#[pyfunction]
fn check_journal(py: Python<'_>, directory: PathBuf, sequence: u64) -> PyResult<(usize, usize, u64)> {
    let (mut batches, mut records) = (0, 0);
    let bytes = py.detach(|| {
        journal::replay(&directory, sequence, |frame| {
            (batches, records) = (batches + 1, records + batch::ColumnarBatch::from_journal(frame.batch)?.rows());
            Ok(())
        })
    })?;
    Ok((batches, records, bytes))
}

impl From<OrderArgument> for finish::OrderTerm {
    fn from(argument: OrderArgument) -> Self {
        Self { name: argument.name, descending: argument.descending }
    }
}

impl TryFrom<PredicateArgument> for filter::Predicate {
    type Error = Error;

    fn try_from(argument: PredicateArgument) -> Result<Self, Error> {
        Ok(match argument {
            PredicateArgument::Between { column, low, high } => Self::Between { column, low, high },
            PredicateArgument::OneOfInts { column, mut values } => {
                values.sort_unstable();
                Self::OneOfInts { column, values }
            }
            PredicateArgument::OneOfTexts { column, mut values } => {
                values.sort_unstable();
                Self::OneOfTexts { column, values }
            }
            PredicateArgument::TextMatch { column, how, text } => {
                Self::Text { column, how: filter::TextMatch::named(&how)?, text }
            }
            PredicateArgument::InNetwork { column, network } => {
                let unknown = || Error::Unknown { what: "network", name: network.clone() };
                Self::InNetwork { column, network: filter::Network::parse(&network).ok_or_else(unknown)? }
            }
            PredicateArgument::Present { column, wanted } => Self::Present { column, wanted },
        })
    }
}

fn conditions(arguments: Vec<PredicateArgument>) -> Result<Vec<filter::Predicate>, Error> {
    arguments.into_iter().map(filter::Predicate::try_from).collect()
}

fn measure_named((name, as_of_us): (String, i64)) -> Result<scan::Measure, Error> {
    match name.as_str() {
        "sessions" => Ok(scan::Measure::Sessions),
        "calls" => Ok(scan::Measure::Calls),
        "elapsed" => Ok(scan::Measure::Elapsed { as_of_us }),
        _ => Err(Error::Unknown { what: "measure", name }),
    }
}

fn file_row<'py>(py: Python<'py>, written: &ManifestEntry) -> FileRow<'py> {
    (written.name.clone(), written.rows, written.bytes, written.crc32, PyBytes::new(py, &written.summary.to_bytes()))
}

fn written((name, rows, bytes, crc32, summary): &FileRow<'_>) -> Result<ManifestEntry, Error> {
    let summary = Summary::from_bytes(name, summary.as_bytes())?;
    Ok(ManifestEntry { name: name.clone(), rows: *rows, bytes: *bytes, crc32: *crc32, summary })
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| raise(py, &error).unwrap_or_else(|failure| failure))
    }
}

/// The exception of `pegcount.errors` that stands for an error, with its metadata.
fn raise(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let metadata = PyDict::new(py);
    let class = match error {
        Error::MalformedBatch(_) => "MalformedMessageError",
        Error::ReadOnly(_) => "StoreReadOnlyError",
        Error::BatchLimit { asked, allowed } => {
            metadata.set_item("asked", asked)?;
            metadata.set_item("allowed", allowed)?;
            "BatchLimitError"
        }
        Error::CellLimit { asked, allowed } => {
            metadata.set_item("asked", asked)?;
            metadata.set_item("allowed", allowed)?;
            "CellLimitError"
        }
        Error::Cancelled => "CancelledError",
        Error::DeadlinePassed => "DeadlineError",
        Error::Damaged { file, .. } => {
            metadata.set_item("file", file)?;
            "DataDamagedError"
        }
        Error::Io { source, .. } => return Ok(PyErr::from(std::io::Error::new(source.kind(), error.to_string()))),
        Error::SumOverflow | Error::Unknown { .. } | Error::Arrow(_) => {
            return Ok(pyo3::exceptions::PyValueError::new_err(error.to_string()));
        }
    };
    let class = py.import("pegcount.errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((error.to_string(),), Some(&metadata))?))
}
