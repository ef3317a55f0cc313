//! Numbers of parties as Python compares them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::record::party;
use crate::record::scrubbing::{self, PartyDigest};

#[pyfunction]
pub fn canonical_party(text: &str) -> String {
    party::canonical_party(text).into_owned()
}

#[pyfunction]
pub fn masked_party(text: &str, keep_digits: usize) -> String {
    party::masked_party(text, keep_digits).unwrap_or_else(|| text.to_owned())
}

#[pyfunction]
pub fn party_digest<'py>(py: Python<'py>, key: PartyDigest, text: &str) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &scrubbing::party_digest(&key, text))
}
