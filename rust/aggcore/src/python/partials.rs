//! Partial aggregates: those of a scan of the core, and those that a store in Python makes.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::types::PyBytes;
use pyo3::{buffer::PyBuffer, prelude::*};

use super::{allocator, arguments};
use crate::error::Result;
use crate::memory::QueryMemory;
use crate::scan::sums::Sums;
use crate::scan::{self, KeyValues, ScanResources};

/// What the reports of one store share.
#[pyclass(frozen)]
pub struct QueryResources(pub Arc<ScanResources>);

/// The integer sums of a scan, by cell.
#[pyclass(frozen)]
pub struct Partials {
    pub sums: scan::Partials,
    /// Scan resources of the store that returned the sums.
    pub resources: Arc<ScanResources>,
    /// Memory of the query, which holds that of the sums.
    pub memory: Arc<QueryMemory>,
}

/// A key column: codes and texts, or integers.
#[derive(FromPyObject)]
pub enum KeyArgument<'py> {
    Texts(Bound<'py, PyAny>, Vec<String>),
    #[pyo3(transparent)]
    Ints(Bound<'py, PyAny>),
}

/// A key column that no longer borrows from Python.
enum OwnedKey {
    Texts(Vec<i64>, Vec<String>),
    Ints(Vec<i64>),
}

#[pymethods]
impl QueryResources {
    #[new]
    fn new(config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (memory, tuning) = (arguments::memory_limits(config)?, arguments::tuning(&config.getattr("tuning")?)?);
        Ok(Self(Arc::new(ScanResources::new(&Arc::new(tuning), memory))))
    }

    /// Bytes that all queries hold.
    #[getter]
    fn query_memory_bytes(&self) -> usize {
        self.0.memory.used()
    }
}

#[pymethods]
impl Partials {
    #[new]
    #[pyo3(signature = (resources, *, bin_count, sums, bins, keys, row_count))]
    fn new(
        py: Python<'_>, resources: &QueryResources, bin_count: usize, sums: &Bound<'_, PyAny>, bins: &Bound<'_, PyAny>,
        keys: Vec<KeyArgument<'_>>, row_count: usize,
    ) -> PyResult<Self> {
        let (sums, bins) = (triples(sums)?, integers(bins, "bins")?);
        let keys = keys.into_iter().map(KeyArgument::resolve).collect::<PyResult<Vec<_>>>()?;
        let (resources, memory) = (Arc::clone(&resources.0), resources.0.memory.begin_query());
        let made = py.detach(|| made(&memory, bin_count, sums, &bins, keys))?;
        let sums = scan::Partials { row_count, ..made };
        Ok(Self { sums, resources, memory })
    }

    /// Rows that the scan read.
    #[getter]
    fn row_count(&self) -> usize {
        self.sums.row_count
    }

    /// Sums by cell.
    #[getter]
    fn sums<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, self.sums.sums.iter().flatten().copied())?.call_method1("reshape", (-1, 3))
    }

    /// Bins by cell.
    #[getter]
    fn bins<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, self.sums.bins.iter().map(|&bin| bin.into()))
    }

    /// Key columns.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        key_arrays(py, &self.sums.keys)
    }
}

impl Drop for Partials {
    fn drop(&mut self) {
        let sums = std::mem::take(&mut self.sums);
        let cell_count = sums.sums.len();
        drop_without_gil(sums, cell_count, &self.resources, &self.memory);
    }
}

impl KeyArgument<'_> {
    fn resolve(self) -> PyResult<OwnedKey> {
        Ok(match self {
            Self::Texts(codes, entries) => OwnedKey::Texts(integers(&codes, "the codes of a key")?, entries),
            Self::Ints(values) => OwnedKey::Ints(integers(&values, "the integers of a key")?),
        })
    }
}

impl OwnedKey {
    fn bytes(&self) -> usize {
        match self {
            Self::Ints(values) => size_of_val(values.as_slice()),
            Self::Texts(codes, entries) => {
                codes.len() * size_of::<u32>() + entries.iter().map(|entry| size_of::<String>() + entry.len()).sum::<usize>()
            }
        }
    }

    fn into_values(self) -> Result<KeyValues> {
        match self {
            Self::Ints(values) => Ok(KeyValues::Ints(values)),
            Self::Texts(codes, entries) => KeyValues::from_texts(&codes, entries),
        }
    }
}

/// Validates columns, whose bytes the query holds from then on.
fn made(
    memory: &Arc<QueryMemory>, bin_count: usize, sums: Vec<Sums>, bins: &[i64], keys: Vec<OwnedKey>,
) -> Result<scan::Partials> {
    let bytes = size_of_val(sums.as_slice()) + bins.len() * size_of::<u32>();
    let held = memory.reserve(bytes + keys.iter().map(OwnedKey::bytes).sum::<usize>())?;
    let keys = keys.into_iter().map(OwnedKey::into_values).collect::<Result<_>>()?;
    let partials = scan::Partials::from_columns(bin_count, sums, bins, keys)?;
    held.keep();
    Ok(partials)
}

/// Reads an array of 64-bit integers of shape (cells, 3).
fn triples(values: &Bound<'_, PyAny>) -> PyResult<Vec<Sums>> {
    let buffer = buffer(values, "sums")?;
    match buffer.shape() {
        [_, 3] => Ok(buffer.to_vec(values.py())?.as_chunks().0.to_vec()),
        shape => Err(PyValueError::new_err(format!("sums have the shape {shape:?}, and not (cells, 3)"))),
    }
}

/// Reads an array of 64-bit integers of one dimension.
fn integers(values: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<i64>> {
    let buffer = buffer(values, what)?;
    match buffer.shape() {
        [_] => buffer.to_vec(values.py()),
        shape => Err(PyValueError::new_err(format!("{what} have the shape {shape:?}, and not one dimension"))),
    }
}

fn buffer(values: &Bound<'_, PyAny>, what: &str) -> PyResult<PyBuffer<i64>> {
    PyBuffer::get(values).map_err(|error| PyValueError::new_err(format!("{what} are not an array of 64-bit integers: {error}")))
}

/// Frees the cells of a query. Releases the GIL while many of them, each with texts of its own, are freed.
pub fn drop_without_gil<T: Send>(cells: T, cell_count: usize, resources: &ScanResources, memory: &QueryMemory) {
    if cell_count < resources.tuning.gil_release_cell_count_min {
        return;
    }
    let peak_bytes = memory.peak();
    Python::attach(|py| {
        py.detach(|| {
            drop(cells);
            allocator::return_memory_of_query(peak_bytes);
        });
    });
}

/// Returns each key column as Python has it: integers, or codes and texts.
pub fn key_arrays<'py>(py: Python<'py>, keys: &[KeyValues]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let column = |key: &KeyValues| match key {
        KeyValues::Ints(values) => array(py, values.iter().copied()),
        KeyValues::Texts { codes, entries } => {
            Ok((array(py, codes.iter().map(|&code| code.into()))?, entries).into_pyobject(py)?.into_any())
        }
    };
    keys.iter().map(column).collect()
}

/// Returns integers as a read-only array of numpy.
pub fn array<'py>(py: Python<'py>, values: impl Iterator<Item = i64>) -> PyResult<Bound<'py, PyAny>> {
    let bytes: Vec<u8> = values.flat_map(i64::to_ne_bytes).collect();
    py.import("numpy")?.call_method1("frombuffer", (PyBytes::new(py, &bytes), "=i8"))
}
