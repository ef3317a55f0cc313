//! Traffic scans and their results.

use std::sync::Arc;

use pyo3::types::PyList;
use pyo3::{buffer::PyBuffer, prelude::*};

use super::allocator;
use super::arguments::{CancelToken, PredicateArgument, predicates};
use super::code_deck::CodeDeck;
use super::partials::{array, drop_without_gil, key_arrays};
use crate::error::{Error, Result};
use crate::memory::QueryMemory;
use crate::scan::predicate::Predicate;
use crate::scan::traffic::{self, MeasureValues, TrafficMeasure, TrafficScan, ValueCounts};
use crate::scan::{Key, KeyValues, LocalOffsets, LocalPart, ScanResources};
use crate::storage::Store;

/// A `traffic.TrafficScan`.
#[derive(FromPyObject)]
pub struct TrafficScanArgument {
    edge_us: PyBuffer<i64>,
    predicates: Vec<PredicateArgument>,
    keys: Vec<KeyArgument>,
    measures: Vec<MeasureArgument>,
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
        let scan = scan.borrow(deck, cell_count_max, cancel, &memory, resources);
        let partials = py.detach(|| {
            // A scan that failed has given back what it held.
            store.traffic_partials(&scan).inspect_err(|_| allocator::return_memory_of_query(memory.peak()))
        })?;
        Ok(Self { partials, resources: Arc::clone(resources), memory })
    }
}

#[pymethods]
impl TrafficPartials {
    #[staticmethod]
    fn from_columns(
        py: Python<'_>, bin_count: usize, bins: &Bound<'_, PyAny>, keys: Vec<Bound<'_, PyAny>>, measures: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let bins: Vec<i64> = items(bins)?;
        let keys = keys.iter().map(key_values).collect::<PyResult<_>>()?;
        let measures = measures.iter().map(measure_values).collect::<PyResult<_>>()?;
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
            MeasureValues::Values(counts) => {
                let of_cell = |cell| {
                    let (values, counts) = counts.of(cell);
                    values.iter().copied().zip(counts.iter().copied()).collect::<Vec<_>>()
                };
                PyList::new(py, (0..counts.ends.len()).map(of_cell).collect::<Vec<_>>())
            }
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

/// Reads a measure: integers by cell, or lists of values with counts.
fn measure_values(measure: &Bound<'_, PyAny>) -> PyResult<MeasureValues> {
    match items::<i128>(measure) {
        Ok(sums) => Ok(MeasureValues::Sums(sums)),
        Err(_) => {
            let cells: Vec<Vec<(i64, u64)>> = items(measure)?;
            Ok(MeasureValues::Values(cells.iter().map(Vec::as_slice).collect::<ValueCounts>()))
        }
    }
}
