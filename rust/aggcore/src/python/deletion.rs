//! Deletions as Python passes them in.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::record::deletion::Deletion;

/// Which records a deletion covers, and the number of its rule, if one stays.
#[pyclass(frozen)]
pub struct DeletionRule(pub Arc<Deletion>);

#[pymethods]
impl DeletionRule {
    #[new]
    fn new(
        rule_id: Option<u64>, source: Option<String>, from_us: Option<i64>, to_us: Option<i64>, session_ids: Option<Vec<String>>,
    ) -> Self {
        let session_ids = session_ids.map(|ids| ids.into_iter().map(Arc::from).collect());
        Self(Arc::new(Deletion { rule_id, source: source.map(Into::into), from_us, to_us, session_ids }))
    }

    #[getter]
    fn rule_id(&self) -> Option<u64> {
        self.0.rule_id
    }
}
