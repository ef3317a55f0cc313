//! The cells of a scan that the servers of a cluster answer.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use super::allocator;
use super::code_deck::CodeDeck;
use super::partials::{Partials, QueryResources};
use crate::error::{Error, Result};
use crate::memory::QueryMemory;
use crate::scan;
use crate::scan::ScanResources;

/// Sums by cell, until they are taken or an answer could not be added.
#[pyclass(frozen)]
pub struct CellSums {
    sums: Mutex<Option<scan::CellSums>>,
    resources: Arc<ScanResources>,
    memory: Arc<QueryMemory>,
}

#[pymethods]
impl CellSums {
    #[new]
    #[pyo3(signature = (resources, *, bin_count, keys, deck, cell_count_max))]
    fn new(
        resources: &QueryResources, bin_count: usize, keys: Vec<String>, deck: Option<&CodeDeck>, cell_count_max: usize,
    ) -> PyResult<Self> {
        let (resources, memory) = (Arc::clone(&resources.0), resources.0.memory.begin_query());
        let sums = scan::CellSums::new(&memory, bin_count, &keys, deck.map(|deck| &deck.0), cell_count_max)?;
        Ok(Self { sums: Mutex::new(Some(sums)), resources, memory })
    }

    fn add(&self, py: Python<'_>, blocks: &[u8]) -> PyResult<()> {
        Ok(py.detach(|| {
            let mut held = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
            // Sums to which an answer was added in part stay away.
            let mut sums = held.take().ok_or_else(gone)?;
            sums.add(blocks).inspect_err(|_| allocator::return_memory_of_query(self.memory.peak()))?;
            *held = Some(sums);
            Result::Ok(())
        })?)
    }

    fn partials(&self, py: Python<'_>) -> PyResult<Partials> {
        let sums = py.detach(|| {
            let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner).take();
            sums.ok_or_else(gone)?.into_partials()
        })?;
        Ok(Partials { sums, resources: Arc::clone(&self.resources), memory: Arc::clone(&self.memory) })
    }
}

fn gone() -> Error {
    Error::InvalidPartials("the sums were taken already, or an answer could not be added".to_owned())
}
