//! Estimates of scans.

use pyo3::{prelude::*, pybacked::PyBackedStr};

use super::arguments::predicates;
use crate::scan::predicate::Predicate;
use crate::scan::range_of;
use crate::storage::Store;

/// What an estimate reads of a `model.Scan` or a `traffic.TrafficScan`.
pub struct EstimateArgument {
    range: (i64, i64),
    predicates: Vec<Predicate>,
    /// Those of the intervals, if a measure is of one.
    occupancy: Option<Vec<Predicate>>,
}

impl EstimateArgument {
    /// Estimates the rows that the scan reads; see [`Store::estimate`].
    pub fn of(&self, store: &Store) -> Option<usize> {
        let rows = store.estimate(self.range, &self.predicates)?;
        match &self.occupancy {
            None => Some(rows),
            Some(predicates) => Some(rows + store.estimate_intervals(self.range, predicates)?),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for EstimateArgument {
    type Error = PyErr;

    fn extract(scan: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self {
            range: range(&scan.getattr("edge_us")?)?,
            predicates: relevant_predicates(&scan.getattr("predicates")?)?,
            occupancy: if has_intervals(&scan)? {
                Some(relevant_predicates(&scan.getattr("occupancy_predicates")?)?)
            } else {
                None
            },
        })
    }
}

/// Whether a scan has a measure of intervals.
fn has_intervals(scan: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Some(measures) = scan.getattr_opt("measures")? else { return Ok(false) };
    for measure in measures.try_iter()? {
        if matches!(&*measure?.getattr("how")?.extract::<PyBackedStr>()?, "occupied" | "occupancy") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The predicates that an estimate depends on: to convert the others would take longer than the estimate.
fn relevant_predicates(all: &Bound<'_, PyAny>) -> PyResult<Vec<Predicate>> {
    let mut relevant = Vec::new();
    for predicate in all.try_iter()? {
        let predicate = predicate?;
        // Those of several conditions have no column, and decide nothing.
        let Some(column) = predicate.getattr_opt("column")? else { continue };
        if Predicate::decides_rows_read(&column.extract::<PyBackedStr>()?) {
            relevant.push(predicate.extract()?);
        }
    }
    Ok(predicates(relevant)?)
}

/// Reads the first and the last edge only: a copy of all, which may be 100,000, would take long.
fn range(edges: &Bound<'_, PyAny>) -> PyResult<(i64, i64)> {
    if edges.is_none() {
        return Ok(range_of(None));
    }
    let edge = |index: usize| edges.get_item(index)?.extract::<i64>();
    match edges.len()? {
        0 | 1 => Ok(range_of(Some(&[]))),
        count => Ok(range_of(Some(&[edge(0)?, edge(count - 1)?]))),
    }
}
