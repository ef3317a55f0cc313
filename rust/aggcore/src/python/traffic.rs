//! Traffic scans and their results.

use std::sync::Arc;

use pyo3::types::PyList;
use pyo3::{buffer::PyBuffer, prelude::*};

use super::allocator;
use super::arguments::{CancelToken, PredicateArgument, predicates};
use super::code_deck::CodeDeck;
use super::partials::{array, drop_without_gil, key_arrays};
use crate::cancellation;
use crate::error::{Error, Result};
use crate::memory::QueryMemory;
use crate::response::{AnswerLimits, Fold, folded};
use crate::scan::predicate::Predicate;
use crate::scan::traffic::{self, MeasureValues, Occupancy, StepChanges, TrafficMeasure, TrafficScan, ValueCounts};
use crate::scan::{Key, KeyValues, LocalOffsets, LocalPart, ScanResources};
use crate::storage::Store;

/// A `traffic.TrafficScan`.
#[derive(FromPyObject)]
pub struct TrafficScanArgument {
    edge_us: PyBuffer<i64>,
    predicates: Vec<PredicateArgument>,
    keys: Vec<KeyArgument>,
    measures: Vec<MeasureArgument>,
    occupancy_predicates: Vec<PredicateArgument>,
    now_us: i64,
    only_peaks: bool,
}

/// A `traffic.Key`. Two of its classes have the same attributes, so that the name of the class decides.
pub enum KeyArgument {
    Column(String),
    Prefix(String, usize),
    DeckCode(String),
    Quotient(String, i64),
    LocalTime(String, Vec<i64>, Vec<i64>),
    Unknown(String),
}

/// A `traffic.TrafficMeasure`.
#[derive(FromPyObject)]
struct MeasureArgument {
    how: String,
    what: String,
    limit_us: i64,
    causes: Vec<i64>,
}

/// A traffic scan that no longer borrows from Python.
pub struct OwnedTrafficScan {
    edges: Vec<i64>,
    predicates: Vec<Predicate>,
    keys: Vec<Key>,
    measures: Vec<TrafficMeasure>,
    occupancy_predicates: Vec<Predicate>,
    now_us: i64,
    only_peaks: bool,
}

/// The measures of a traffic scan, by cell.
#[pyclass(frozen)]
pub struct TrafficPartials {
    pub partials: traffic::TrafficPartials,
    /// Scan resources of the store that returned the measures.
    pub resources: Arc<ScanResources>,
    /// Memory of the query, which holds that of the measures.
    pub memory: Arc<QueryMemory>,
}

impl TrafficScanArgument {
    /// Copies the values out of Python's objects, so that they can be read without the GIL.
    ///
    /// # Errors
    /// ValueError for a name that the core does not know, TypeError or AttributeError for an object of another type.
    pub fn resolve(self, py: Python<'_>) -> PyResult<OwnedTrafficScan> {
        let measure =
            |measure: MeasureArgument| TrafficMeasure::named(&measure.how, &measure.what, measure.limit_us, measure.causes);
        Ok(OwnedTrafficScan {
            edges: self.edge_us.to_vec(py)?,
            predicates: predicates(self.predicates)?,
            keys: self.keys.into_iter().map(Key::try_from).collect::<Result<_>>()?,
            measures: self.measures.into_iter().map(measure).collect::<Result<_>>()?,
            occupancy_predicates: predicates(self.occupancy_predicates)?,
            now_us: self.now_us,
            only_peaks: self.only_peaks,
        })
    }
}

impl OwnedTrafficScan {
    /// Borrows the scan, with the caller's code deck, cell limit, cancellation token and memory.
    pub fn borrow<'a>(
        &'a self, deck: Option<&'a CodeDeck>, cell_count_max: usize, cancel: &'a CancelToken, memory: &'a Arc<QueryMemory>,
        resources: &'a ScanResources,
    ) -> TrafficScan<'a> {
        TrafficScan {
            edges: Some(&self.edges),
            predicates: &self.predicates,
            keys: &self.keys,
            measure: &self.measures,
            deck: deck.map(|deck| deck.0.as_ref()),
            cell_count_max,
            cancel: &cancel.0,
            memory,
            resources,
        }
    }

    /// Borrows the records that its measures of intervals are of.
    pub fn occupancy(&self) -> Occupancy<'_> {
        Occupancy { predicates: &self.occupancy_predicates, now_us: self.now_us, only_peaks: self.only_peaks }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for KeyArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let name = object.get_type().name()?;
        let column = || object.getattr("column")?.extract::<String>();
        Ok(match name.to_str()? {
            "ColumnKey" => Self::Column(column()?),
            "PrefixKey" => Self::Prefix(column()?, object.getattr("length")?.extract()?),
            "DeckCodeKey" => Self::DeckCode(column()?),
            "QuotientKey" => Self::Quotient(column()?, object.getattr("divisor")?.extract()?),
            "LocalTimeKey" => {
                let offset_us = object.getattr("offset_us")?.extract()?;
                Self::LocalTime(object.getattr("part")?.extract()?, object.getattr("from_us")?.extract()?, offset_us)
            }
            unknown => Self::Unknown(unknown.to_owned()),
        })
    }
}

impl TryFrom<KeyArgument> for Key {
    type Error = Error;

    fn try_from(key: KeyArgument) -> Result<Self> {
        match key {
            KeyArgument::Column(column) => Ok(Self::Column(column)),
            KeyArgument::Prefix(column, length) => Self::prefix(column, length),
            KeyArgument::DeckCode(column) => Self::deck_code(column),
            KeyArgument::Quotient(column, divisor) => Self::quotient(column, divisor),
            KeyArgument::LocalTime(part, from_us, offset_us) => {
                let part = match part.as_str() {
                    "hour" => LocalPart::Hour,
                    "weekday" => LocalPart::Weekday,
                    _ => return Err(Error::Unknown { what: "part of a local time", name: part }),
                };
                Ok(Self::LocalTime { part, offsets: LocalOffsets::new(from_us, offset_us)? })
            }
            KeyArgument::Unknown(name) => Err(Error::Unknown { what: "key", name }),
        }
    }
}

impl TrafficPartials {
    /// Runs a scan of a store.
    ///
    /// # Errors
    /// As [`TrafficScanArgument::resolve`] and [`Store::traffic_partials`].
    pub fn of_scan(
        py: Python<'_>, store: &Store, scan: TrafficScanArgument, deck: Option<&CodeDeck>, cell_count_max: usize,
        cancel: &CancelToken,
    ) -> PyResult<Self> {
        let (scan, resources) = (scan.resolve(py)?, store.resources());
        let memory = resources.memory.begin_query();
        let occupancy = scan.occupancy();
        let scan = scan.borrow(deck, cell_count_max, cancel, &memory, resources);
        let partials = py.detach(|| {
            // A scan that failed has given back what it held.
            store.traffic_partials(&scan, &occupancy).inspect_err(|_| allocator::return_memory_of_query(memory.peak()))
        })?;
        Ok(Self { partials, resources: Arc::clone(resources), memory })
    }
}

#[pymethods]
impl TrafficPartials {
    #[staticmethod]
    fn from_columns(
        py: Python<'_>, bin_count: usize, bins: &Bound<'_, PyAny>, keys: Vec<Bound<'_, PyAny>>, measures: Vec<Bound<'_, PyAny>>,
        occupancy: Vec<usize>,
    ) -> PyResult<Self> {
        let bins: Vec<i64> = items(bins)?;
        let keys = keys.iter().map(key_values).collect::<PyResult<_>>()?;
        let measure = |(number, measure)| measure_values(measure, occupancy.contains(&number));
        let measures = measures.iter().enumerate().map(measure).collect::<PyResult<_>>()?;
        let partials = py.detach(|| traffic::TrafficPartials::from_columns(bin_count, &bins, keys, measures))?;
        let resources = Arc::<ScanResources>::default();
        let memory = resources.memory.begin_query();
        Ok(Self { partials, resources, memory })
    }

    /// Rows that the scan read.
    #[getter]
    fn row_count(&self) -> usize {
        self.partials.row_count
    }

    /// Number of cells.
    #[getter]
    fn cell_count(&self) -> usize {
        self.partials.cell_count()
    }

    /// Whether nothing was counted.
    #[getter]
    fn is_empty(&self) -> bool {
        self.partials.is_empty()
    }

    /// The measures in other bins, with more keys.
    fn folded(&self, py: Python<'_>, bins: PyBuffer<i64>, bin_count: usize, keys: Vec<(usize, PyBuffer<i64>)>) -> PyResult<Self> {
        let bins = bins.to_vec(py)?;
        let keys = keys.into_iter().map(|(number, values)| Ok((number, values.to_vec(py)?))).collect::<PyResult<Vec<_>>>()?;
        let (fold, cancel) = (Fold { bins: &bins, bin_count, keys: &keys }, cancellation::CancelToken::with_limit(None));
        let limits = AnswerLimits { cancel: &cancel, memory: &self.memory, bytes_max: usize::MAX, header_bytes: 0 };
        let partials = py.detach(|| folded(&self.partials, &fold, &self.resources, limits))?;
        Ok(Self { partials, resources: Arc::clone(&self.resources), memory: Arc::clone(&self.memory) })
    }

    /// Bins by cell.
    #[getter]
    fn bins<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, self.partials.bins.iter().map(|&bin| bin.into()))
    }

    /// Key columns.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        key_arrays(py, &self.partials.keys)
    }

    /// A count or sum of all cells.
    fn total(&self, number: usize) -> Result<i128> {
        match self.partials.measures.get(number) {
            Some(MeasureValues::Sums(sums)) => Ok(sums.iter().sum()),
            _ => Err(Error::Unknown { what: "count or sum", name: number.to_string() }),
        }
    }

    /// A measure by cell.
    fn measure<'py>(&self, py: Python<'py>, number: usize) -> PyResult<Bound<'py, PyList>> {
        let unknown = || Error::Unknown { what: "measure", name: number.to_string() };
        match self.partials.measures.get(number).ok_or_else(unknown)? {
            MeasureValues::Sums(sums) => PyList::new(py, sums),
            MeasureValues::Values(counts) => PyList::new(py, (0..counts.ends.len()).map(|cell| pairs(counts.of(cell)))),
            MeasureValues::Steps(steps) => PyList::new(py, (0..steps.ends.len()).map(|cell| pairs(steps.of(cell)))),
        }
    }
}

impl Drop for TrafficPartials {
    fn drop(&mut self) {
        let partials = std::mem::take(&mut self.partials);
        let cell_count = partials.cell_count();
        drop_without_gil(partials, cell_count, &self.resources, &self.memory);
    }
}

/// Reads the items of a list, a tuple or an array.
fn items<'py, T: FromPyObjectOwned<'py>>(values: &Bound<'py, PyAny>) -> PyResult<Vec<T>> {
    values.try_iter()?.map(|item| item?.extract().map_err(Into::into)).collect()
}

/// Reads a key column: integers, or a pair of codes and texts.
fn key_values(column: &Bound<'_, PyAny>) -> PyResult<KeyValues> {
    match column.extract::<(Bound<'_, PyAny>, Vec<String>)>() {
        Ok((codes, entries)) => Ok(KeyValues::from_texts(&items::<i64>(&codes)?, entries)?),
        Err(_) => Ok(KeyValues::Ints(items(column)?)),
    }
}

/// Pairs the items of two columns.
fn pairs<T: Copy>((left, right): (&[i64], &[T])) -> Vec<(i64, T)> {
    left.iter().copied().zip(right.iter().copied()).collect()
}

/// Reads a measure: integers by cell, or lists of values with counts; of an occupancy, lists of instants with changes.
fn measure_values(measure: &Bound<'_, PyAny>, is_occupancy: bool) -> PyResult<MeasureValues> {
    if is_occupancy {
        let cells: Vec<Vec<(i64, i64)>> = items(measure)?;
        return Ok(MeasureValues::Steps(cells.iter().map(Vec::as_slice).collect::<StepChanges>()));
    }
    match items::<i128>(measure) {
        Ok(sums) => Ok(MeasureValues::Sums(sums)),
        Err(_) => {
            let cells: Vec<Vec<(i64, u64)>> = items(measure)?;
            Ok(MeasureValues::Values(cells.iter().map(Vec::as_slice).collect::<ValueCounts>()))
        }
    }
}
