//! The cells of a traffic scan that the servers of a cluster answer.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::{buffer::PyBuffer, prelude::*};

use super::allocator;
use super::code_deck::CodeDeck;
use super::partials::QueryResources;
use super::traffic::TrafficPartials;
use crate::error::{Error, Result};
use crate::memory::QueryMemory;
use crate::scan::ScanResources;
use crate::scan::traffic::{self, KeyType, MeasureType};

/// Measures by cell, until they are taken or an answer could not be added.
#[pyclass(frozen)]
pub struct TrafficCells {
    cells: Mutex<Option<traffic::TrafficCells>>,
    resources: Arc<ScanResources>,
    memory: Arc<QueryMemory>,
}

#[pymethods]
impl TrafficCells {
    #[new]
    #[pyo3(signature = (resources, *, edge_us, keys, measures, deck, cell_count_max))]
    fn new(
        py: Python<'_>, resources: &QueryResources, edge_us: PyBuffer<i64>, keys: Vec<String>, measures: Vec<String>,
        deck: Option<&CodeDeck>, cell_count_max: usize,
    ) -> PyResult<Self> {
        let (resources, memory) = (Arc::clone(&resources.0), resources.0.memory.begin_query());
        let keys = keys.iter().map(|name| key_type(name)).collect::<Result<Vec<_>>>()?;
        let measures = measures.iter().map(|name| measure_type(name)).collect::<Result<Vec<_>>>()?;
        let deck = deck.map(|deck| &deck.0);
        let cells = traffic::TrafficCells::new(&memory, edge_us.to_vec(py)?, &keys, &measures, deck, cell_count_max)?;
        Ok(Self { cells: Mutex::new(Some(cells)), resources, memory })
    }

    fn add(&self, py: Python<'_>, blocks: &[u8]) -> PyResult<()> {
        Ok(py.detach(|| {
            let mut held = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            // Cells to which an answer was added in part stay away.
            let mut cells = held.take().ok_or_else(gone)?;
            cells.add(blocks).inspect_err(|_| allocator::return_memory_of_query(self.memory.peak()))?;
            *held = Some(cells);
            Result::Ok(())
        })?)
    }

    fn partials(&self, py: Python<'_>) -> PyResult<TrafficPartials> {
        let partials = py.detach(|| {
            let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner).take();
            cells.ok_or_else(gone)?.into_partials()
        })?;
        Ok(TrafficPartials { partials, resources: Arc::clone(&self.resources), memory: Arc::clone(&self.memory) })
    }
}

fn key_type(name: &str) -> Result<KeyType> {
    match name {
        "integer" => Ok(KeyType::Integer),
        "text" => Ok(KeyType::Text),
        "deck_name" => Ok(KeyType::DeckName),
        "deck_country" => Ok(KeyType::DeckCountry),
        _ => Err(Error::Unknown { what: "type of a key", name: name.to_owned() }),
    }
}

fn measure_type(name: &str) -> Result<MeasureType> {
    match name {
        "count" => Ok(MeasureType::Count),
        "sum" => Ok(MeasureType::Sum),
        "values" => Ok(MeasureType::Values),
        "occupied" => Ok(MeasureType::Occupied),
        "occupancy" => Ok(MeasureType::Occupancy),
        _ => Err(Error::Unknown { what: "measure", name: name.to_owned() }),
    }
}

fn gone() -> Error {
    Error::InvalidPartials("the measures were taken already, or an answer could not be added".to_owned())
}
