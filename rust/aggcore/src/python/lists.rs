//! Lists of a request, counted before a message with too many values is parsed.

use pyo3::prelude::*;

use crate::wire::lists;

/// A `model.ListPath`.
#[derive(FromPyObject)]
pub struct ListPathArgument {
    numbers: Vec<u32>,
    is_packed: bool,
}

impl From<ListPathArgument> for lists::ListPath {
    fn from(ListPathArgument { numbers, is_packed }: ListPathArgument) -> Self {
        Self { numbers, is_packed }
    }
}

#[pyfunction]
pub fn count_lists(py: Python<'_>, data: &[u8], paths: Vec<ListPathArgument>) -> PyResult<(Vec<usize>, usize)> {
    let paths: Vec<_> = paths.into_iter().map(lists::ListPath::from).collect();
    Ok(py.detach(|| lists::count_lists(data, &paths))?)
}
