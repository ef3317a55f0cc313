//! The boundary to Python: arguments in, the GIL released once, results out.

use std::{path::PathBuf, sync::Arc, time::Duration};

use pyo3::{buffer::PyBuffer, prelude::*, types::PyBytes, types::PyDict};

use crate::error::Error;
use crate::finish::{ActiveFinish, UsageFinish, finish_active, finish_folder, finish_quality, finish_usage};
use crate::part::Bitmap;
use crate::segment::Written;
use crate::time_text::Offsets;
use crate::{batch, deck, filter, finish, scan, stop, store};

type SegmentRow = (String, usize, u64, u32);
type RejectedRow = (usize, i32, String);

#[pymodule]
mod _aggcore {
    #[pymodule_export]
    use super::{
        Batch, Deck, Partials, Sealed, Stop, Store, active_response, folder_response, format_time, quality_response,
        record_fields, usage_response,
    };
}

/// One batch of records, in columns.
#[pyclass(frozen)]
struct Batch(batch::Batch);

/// Records in memory and sealed segments.
#[pyclass(frozen)]
struct Store(store::Store);

/// What a seal wrote.
#[pyclass(frozen)]
struct Sealed(store::Sealed);

/// Integer sums per bin and group.
#[pyclass(frozen)]
struct Partials(scan::Partials);

/// A code deck.
#[pyclass(frozen)]
struct Deck(deck::Deck);

/// Tells running work to end.
#[pyclass(frozen)]
struct Stop(Arc<stop::Stop>);

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
impl Batch {
    #[staticmethod]
    fn from_wire(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| batch::Batch::from_wire(data))?))
    }

    #[staticmethod]
    fn from_journal(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| batch::Batch::from_journal(data))?))
    }

    fn to_journal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &py.detach(|| self.0.to_journal())?))
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[getter]
    fn rejected(&self) -> Vec<RejectedRow> {
        self.0.rejected.iter().map(|(index, why)| (*index, why.reason as i32, why.description.clone())).collect()
    }
}

#[pymethods]
impl Store {
    #[new]
    fn new() -> Self {
        Self(store::Store::default())
    }

    fn apply(&self, py: Python<'_>, batch: &Batch, received_us: i64) -> (usize, usize, usize) {
        let outcome = py.detach(|| self.0.apply(&batch.0, received_us));
        (outcome.accepted, outcome.replaced, outcome.duplicates)
    }

    fn open_segment(&self, py: Python<'_>, directory: PathBuf, day: i64, segment: SegmentRow, dead: &[u8]) -> PyResult<()> {
        Ok(py.detach(|| self.0.open_segment(&directory, day, &written(segment), Bitmap::from_bytes(dead)))?)
    }

    fn open_active(&self, py: Python<'_>, directory: PathBuf, segment: SegmentRow) -> PyResult<()> {
        Ok(py.detach(|| self.0.open_active(&directory, &written(segment)))?)
    }

    fn seal(&self, py: Python<'_>, directory: PathBuf, sequence: u64) -> PyResult<Sealed> {
        Ok(Sealed(py.detach(|| self.0.seal(&directory, sequence))?))
    }

    fn adopt(&self, py: Python<'_>, sealed: &Sealed) {
        py.detach(|| self.0.adopt(&sealed.0));
    }

    /// Sums of the records that meet all predicates, per bin of `edges` and group of `keys`.
    #[pyo3(signature = (*, edges, predicates, keys, measure, deck, cell_count_max, stop))]
    #[allow(clippy::too_many_arguments)]
    fn partials(
        &self, py: Python<'_>, edges: Option<PyBuffer<i64>>, predicates: Vec<PredicateArgument>, keys: Vec<String>,
        measure: (String, i64), deck: Option<&Deck>, cell_count_max: usize, stop: &Stop,
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
            stop: &stop.0,
        };
        Ok(Partials(py.detach(|| self.0.partials(&scan))?))
    }

    fn any_match(&self, py: Python<'_>, predicates: Vec<PredicateArgument>, stop: &Stop) -> PyResult<bool> {
        let predicates = conditions(predicates)?;
        Ok(py.detach(|| self.0.any_match(&predicates, &stop.0))?)
    }

    fn info(&self, py: Python<'_>) -> (usize, usize, usize, Option<(i64, i64)>) {
        let info = py.detach(|| self.0.info());
        (info.records, info.unsealed_records, info.segments, info.setup_range)
    }

    fn first_setup_us(&self, py: Python<'_>) -> Option<i64> {
        py.detach(|| self.0.first_setup_us())
    }

    #[getter]
    fn unsealed_finished_rows(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.unsealed_finished_rows())
    }
}

#[pymethods]
impl Sealed {
    #[getter]
    fn segments(&self) -> Vec<(i64, SegmentRow)> {
        self.0.segments.iter().map(|(day, written, _)| (*day, segment_row(written))).collect()
    }

    #[getter]
    fn active(&self) -> Option<SegmentRow> {
        self.0.active.as_ref().map(segment_row)
    }

    #[getter]
    fn dead<'py>(&self, py: Python<'py>) -> Vec<(String, Bound<'py, PyBytes>)> {
        self.0.dead.iter().map(|(name, rows)| (name.clone(), PyBytes::new(py, rows))).collect()
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
impl Stop {
    #[new]
    fn new(limit_seconds: Option<f64>) -> Self {
        let limit = limit_seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO));
        Self(Arc::new(stop::Stop::after(limit)))
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, warmup_bin_count, sma_period, now_us, change_us, offset_s))]
#[allow(clippy::too_many_arguments)]
fn usage_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, warmup_bin_count: usize, sma_period: Option<usize>, now_us: i64,
    change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, change_us, offset_s) = (edges.to_vec(py)?, change_us.to_vec(py)?, offset_s.to_vec(py)?);
    let offsets = Offsets { change_us: &change_us, offset_s: &offset_s };
    let how = UsageFinish { edges: &edges, warmup_bin_count, sma_period, now_us, offsets };
    Ok(PyBytes::new(py, &py.detach(|| finish_usage(&partials.0, &how))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, clipped_us, calendar_us))]
fn quality_response<'py>(
    py: Python<'py>, partials: &Partials, clipped_us: PyBuffer<i64>, calendar_us: PyBuffer<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (clipped_us, calendar_us) = (clipped_us.to_vec(py)?, calendar_us.to_vec(py)?);
    Ok(PyBytes::new(py, &py.detach(|| finish_quality(&partials.0, &clipped_us, &calendar_us))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, change_us, offset_s))]
fn folder_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, change_us, offset_s) = (edges.to_vec(py)?, change_us.to_vec(py)?, offset_s.to_vec(py)?);
    let offsets = Offsets { change_us: &change_us, offset_s: &offset_s };
    Ok(PyBytes::new(py, &py.detach(|| finish_folder(&partials.0, &edges, &offsets))?))
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
    let offsets = Offsets { change_us: &change_us, offset_s: &offset_s };
    let how = ActiveFinish { fields: &fields, order: &order, limit, rollup, offsets };
    Ok(PyBytes::new(py, &py.detach(|| finish_active(&partials.0, &how))?))
}

/// RFC 3339 of an instant in the offset in force.
#[pyfunction]
fn format_time(py: Python<'_>, us: i64, change_us: PyBuffer<i64>, offset_s: PyBuffer<i32>) -> PyResult<String> {
    let (change_us, offset_s) = (change_us.to_vec(py)?, offset_s.to_vec(py)?);
    Ok(Offsets { change_us: &change_us, offset_s: &offset_s }.rfc3339(us))
}

/// Names of the fields of a record, in the order of their tags.
#[pyfunction]
fn record_fields() -> Vec<&'static str> {
    crate::schema::FIELDS.iter().map(|field| field.name).collect()
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

fn segment_row(written: &Written) -> SegmentRow {
    (written.name.clone(), written.rows, written.bytes, written.crc32)
}

fn written((name, rows, bytes, crc32): SegmentRow) -> Written {
    Written { name, rows, bytes, crc32 }
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
