//! The bytes of the four reports, from the sums of a scan.

use std::sync::Arc;

use pyo3::{buffer::PyBuffer, prelude::*, types::PyBytes};

use super::arguments::{OrderArgument, ZoneArgument};
use crate::response::{
    ActiveOptions, OrderTerm, UsageOptions, build_active_response, build_folder_response, build_quality_response,
    build_usage_response,
};
use crate::scan::{self, ScanResources};

/// The integer sums of a scan, by cell.
#[pyclass(frozen)]
pub struct Partials {
    pub sums: scan::Partials,
    /// Scan resources of the store that returned the sums.
    pub resources: Arc<ScanResources>,
}

impl Partials {
    /// Builds a response, and releases the GIL if that is long enough for other threads to gain from it.
    fn build<T: Send>(&self, py: Python<'_>, build: impl FnOnce(&scan::Partials) -> T + Send) -> T {
        let is_short = self.sums.sums.len() < self.resources.tuning.gil_release_cell_count_min;
        if is_short { build(&self.sums) } else { py.detach(|| build(&self.sums)) }
    }
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, warmup_bin_count, sma_period, now_us, zone))]
pub fn usage_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, warmup_bin_count: usize, sma_period: Option<usize>, now_us: i64,
    zone: ZoneArgument,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, zone) = (edges.to_vec(py)?, zone.resolve(py)?);
    let options = UsageOptions { edges: &edges, warmup_bin_count, sma_period, now_us, offsets: zone.offsets() };
    Ok(PyBytes::new(py, &partials.build(py, |sums| build_usage_response(sums, &options))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, clipped_us, calendar_us))]
pub fn quality_response<'py>(
    py: Python<'py>, partials: &Partials, clipped_us: PyBuffer<i64>, calendar_us: PyBuffer<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (clipped_us, calendar_us) = (clipped_us.to_vec(py)?, calendar_us.to_vec(py)?);
    Ok(PyBytes::new(py, &partials.build(py, |sums| build_quality_response(sums, &clipped_us, &calendar_us))))
}

#[pyfunction]
#[pyo3(signature = (partials, *, edges, zone))]
pub fn folder_response<'py>(
    py: Python<'py>, partials: &Partials, edges: PyBuffer<i64>, zone: ZoneArgument,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, zone) = (edges.to_vec(py)?, zone.resolve(py)?);
    let body = partials.build(py, |sums| build_folder_response(sums, &edges, &zone.offsets()))?;
    Ok(PyBytes::new(py, &body))
}

#[pyfunction]
#[pyo3(signature = (partials, *, fields, order, limit, rollup, zone))]
pub fn active_response<'py>(
    py: Python<'py>, partials: &Partials, fields: Vec<String>, order: Vec<OrderArgument>, limit: Option<usize>, rollup: bool,
    zone: ZoneArgument,
) -> PyResult<Bound<'py, PyBytes>> {
    let zone = zone.resolve(py)?;
    let order: Vec<_> = order.into_iter().map(OrderTerm::from).collect();
    let options =
        ActiveOptions { fields: &fields, order: &order, limit, rollup, offsets: zone.offsets(), resources: &partials.resources };
    Ok(PyBytes::new(py, &partials.build(py, |sums| build_active_response(sums, &options))?))
}

#[pyfunction]
pub fn format_time(py: Python<'_>, us: i64, zone: ZoneArgument) -> PyResult<String> {
    Ok(zone.resolve(py)?.offsets().rfc3339(us))
}
