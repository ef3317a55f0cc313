//! The bytes of the four reports, from the sums of a scan.

use pyo3::{buffer::PyBuffer, prelude::*, types::PyBytes};

use super::arguments::{CancelToken, OrderArgument, ZoneArgument};
use super::joined_bytes;
use super::partials::Partials;
use crate::error::Result;
use crate::response::{
    ActiveOptions, AnswerLimits, Figures, OrderTerm, UsageOptions, build_active_response, build_folder_response,
    build_quality_response, build_usage_response,
};
use crate::scan;

/// A `model.AnswerLimits`.
#[derive(FromPyObject)]
pub struct LimitsArgument {
    pub cancel_token: Py<CancelToken>,
    pub bytes_max: usize,
    subtotal_count_max: usize,
}

impl Partials {
    /// Builds the answer: the `header`, then what `build` returns, which goes through all cells `pass_count` times. Releases
    /// the GIL if that is long enough for other threads to gain from it.
    fn answer<'py>(
        &self, py: Python<'py>, header: &[u8], limits: &LimitsArgument, pass_count: usize,
        build: impl FnOnce(&scan::Partials, AnswerLimits<'_>) -> Result<Vec<u8>> + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let limits = AnswerLimits {
            cancel: &limits.cancel_token.get().0,
            memory: &self.memory,
            bytes_max: limits.bytes_max,
            header_bytes: header.len(),
        };
        let is_short = self.sums.sums.len() * pass_count < self.resources.tuning.gil_release_cell_count_min;
        let body = if is_short { build(&self.sums, limits) } else { py.detach(|| build(&self.sums, limits)) }?;
        joined_bytes::joined(py, header, &body)
    }
}

#[pyfunction]
#[pyo3(signature = (partials, *, header, limits, edges, warmup_bin_count, sma_period, now_us, zone))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn usage_response<'py>(
    py: Python<'py>, partials: &Partials, header: &[u8], limits: LimitsArgument, edges: PyBuffer<i64>, warmup_bin_count: usize,
    sma_period: Option<usize>, now_us: i64, zone: ZoneArgument,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, zone) = (edges.to_vec(py)?, zone.resolve(py)?);
    let options = UsageOptions { edges: &edges, warmup_bin_count, sma_period, now_us, offsets: zone.offsets() };
    partials.answer(py, header, &limits, 1, |sums, limits| build_usage_response(sums, &options, limits))
}

#[pyfunction]
#[pyo3(signature = (partials, *, header, limits, clipped_us, calendar_us, with_answers, with_durations))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn quality_response<'py>(
    py: Python<'py>, partials: &Partials, header: &[u8], limits: LimitsArgument, clipped_us: PyBuffer<i64>,
    calendar_us: PyBuffer<i64>, with_answers: bool, with_durations: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (clipped_us, calendar_us) = (clipped_us.to_vec(py)?, calendar_us.to_vec(py)?);
    let figures = Figures { answers: with_answers, durations: with_durations };
    partials
        .answer(py, header, &limits, 1, |sums, limits| build_quality_response(sums, &clipped_us, &calendar_us, figures, limits))
}

#[pyfunction]
#[pyo3(signature = (partials, *, header, limits, edges, zone, with_answers, with_durations))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn folder_response<'py>(
    py: Python<'py>, partials: &Partials, header: &[u8], limits: LimitsArgument, edges: PyBuffer<i64>, zone: ZoneArgument,
    with_answers: bool, with_durations: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edges, zone) = (edges.to_vec(py)?, zone.resolve(py)?);
    let figures = Figures { answers: with_answers, durations: with_durations };
    partials.answer(py, header, &limits, 1, |sums, limits| build_folder_response(sums, &edges, &zone.offsets(), figures, limits))
}

#[pyfunction]
#[pyo3(signature = (partials, *, header, limits, fields, order, limit, rollup, zone))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn active_response<'py>(
    py: Python<'py>, partials: &Partials, header: &[u8], limits: LimitsArgument, fields: Vec<String>, order: Vec<OrderArgument>,
    limit: Option<usize>, rollup: bool, zone: ZoneArgument,
) -> PyResult<Bound<'py, PyBytes>> {
    let zone = zone.resolve(py)?;
    let order: Vec<_> = order.into_iter().map(OrderTerm::from).collect();
    let options = ActiveOptions {
        fields: &fields,
        order: &order,
        limit,
        rollup,
        subtotal_count_max: limits.subtotal_count_max,
        offsets: zone.offsets(),
        resources: &partials.resources,
    };
    let pass_count = if rollup { fields.len() } else { 1 };
    partials.answer(py, header, &limits, pass_count, |sums, limits| build_active_response(sums, &options, limits))
}

#[pyfunction]
pub fn format_time(py: Python<'_>, us: i64, zone: ZoneArgument) -> PyResult<String> {
    Ok(zone.resolve(py)?.offsets().rfc3339(us))
}
