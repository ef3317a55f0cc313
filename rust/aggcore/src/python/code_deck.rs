//! Code decks: requests in, and the form in which the catalogue stores them in and out.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::scan::code_deck;
use crate::scan::code_deck_request::{self, CodeDeckLimits, EntryFault};

/// A code deck.
#[pyclass(frozen)]
pub struct CodeDeck(pub Arc<code_deck::CodeDeck>);

/// A `PutCodeDeckRequest` that was decoded.
#[pyclass(frozen, get_all)]
pub struct CodeDeckRequest {
    id: Option<i64>,
    entry_count: usize,
    bad_entries: Vec<Py<BadEntry>>,
    bad_entry_count: usize,
    deck: Py<CodeDeck>,
}

/// An entry that cannot be used.
#[pyclass(frozen, get_all)]
pub struct BadEntry {
    index: usize,
    fault: &'static str,
    code: String,
}

#[pymethods]
impl CodeDeck {
    #[staticmethod]
    fn from_json(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(py.detach(|| code_deck::CodeDeck::from_json(json))?)))
    }

    fn json_piece<'py>(&self, py: Python<'py>, first: usize, count: usize) -> Bound<'py, PyBytes> {
        let json = py.detach(|| self.0.json_piece(first..first.saturating_add(count)));
        PyBytes::new(py, json.as_bytes())
    }

    #[getter]
    fn entry_count(&self) -> usize {
        self.0.len()
    }
}

impl From<code_deck_request::BadEntry> for BadEntry {
    fn from(entry: code_deck_request::BadEntry) -> Self {
        let fault = match entry.fault {
            EntryFault::Code => "code",
            EntryFault::RepeatedCode => "repeated_code",
            EntryFault::Text => "text",
        };
        Self { index: entry.index, fault, code: entry.code }
    }
}

#[pyfunction]
#[pyo3(signature = (data, *, entry_count_max, text_bytes_max, bad_entry_count_max))]
pub fn decode_code_deck(
    py: Python<'_>, data: &[u8], entry_count_max: usize, text_bytes_max: usize, bad_entry_count_max: usize,
) -> PyResult<CodeDeckRequest> {
    let limits =
        CodeDeckLimits { entry_count: entry_count_max, text_bytes: text_bytes_max, bad_entry_count: bad_entry_count_max };
    let request = py.detach(|| code_deck_request::CodeDeckRequest::from_wire(data, limits))?;
    let (id, entry_count, bad_entry_count) = (request.id, request.entry_count, request.bad_entry_count);
    let bad_entries = request.bad_entries.into_iter().map(|entry| Py::new(py, BadEntry::from(entry)));
    let (bad_entries, deck) = (bad_entries.collect::<PyResult<_>>()?, Py::new(py, CodeDeck(Arc::new(request.deck)))?);
    Ok(CodeDeckRequest { id, entry_count, bad_entries, bad_entry_count, deck })
}
