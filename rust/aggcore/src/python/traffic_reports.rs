//! The bytes of an answer to a traffic question, and the groups that it has.

use std::borrow::Cow;

use pyo3::types::{PyBytes, PyTuple};
use pyo3::{buffer::PyBuffer, prelude::*, pybacked::PyBackedBytes};

use super::joined_bytes;
use super::reports::LimitsArgument;
use super::traffic::TrafficPartials;
use crate::cancellation::CancelToken;
use crate::error::{Error, Result};
use crate::response::{self, AnswerLimits, Figure, FigureParameters, GroupKey, TrafficOptions, build_traffic_response};

/// A `traffic.Figure`.
#[derive(FromPyObject)]
pub struct FigureArgument {
    form: String,
    first: usize,
    second: usize,
    multiplier: i64,
    divisor: i64,
    percent: u64,
    only_with: Option<usize>,
}

/// A `traffic.TrafficColumn`.
#[derive(FromPyObject)]
pub struct ColumnArgument {
    header: PyBackedBytes,
    figure: FigureArgument,
    has_totals: bool,
}

/// The groups that are first by a figure.
#[pyclass(frozen)]
pub struct RankedGroups(response::RankedGroups);

#[pymethods]
impl RankedGroups {
    /// Keys by group.
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let value = |key: &GroupKey<'_>| match key {
            GroupKey::Absent => Ok(py.None().into_bound(py)),
            GroupKey::Int(value) => Ok(value.into_pyobject(py)?.into_any()),
            GroupKey::Text(text) => Ok(Cow::as_ref(text).into_pyobject(py)?.into_any()),
        };
        let keys = |group: &Vec<GroupKey<'_>>| PyTuple::new(py, group.iter().map(value).collect::<PyResult<Vec<_>>>()?);
        self.0.groups.iter().map(keys).collect()
    }

    /// Groups that there were.
    #[getter]
    fn group_count(&self) -> usize {
        self.0.group_count
    }
}

#[pyfunction]
pub fn rank_groups(
    py: Python<'_>, partials: &TrafficPartials, figure: FigureArgument, covered_us: i64, limit: usize, ascending: bool,
) -> PyResult<RankedGroups> {
    let (figure, cancel) = (Figure::try_from(figure)?, CancelToken::with_limit(None));
    let limits = AnswerLimits { cancel: &cancel, memory: &partials.memory, bytes_max: usize::MAX, header_bytes: 0 };
    let ranked = py.detach(|| {
        response::rank_groups(&partials.partials, &figure, covered_us, limit, ascending, &partials.resources, limits)
    })?;
    Ok(RankedGroups(ranked))
}

#[pyfunction]
#[pyo3(signature = (partials, rest, *, header, limits, columns, edge_us, calendar_us, now_us, ranked, other, value_count_max))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn traffic_response<'py>(
    py: Python<'py>, partials: &TrafficPartials, rest: Option<&TrafficPartials>, header: &[u8], limits: LimitsArgument,
    columns: Vec<ColumnArgument>, edge_us: PyBuffer<i64>, calendar_us: PyBuffer<i64>, now_us: i64, ranked: Option<&RankedGroups>,
    other: bool, value_count_max: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let (edge_us, calendar_us) = (edge_us.to_vec(py)?, calendar_us.to_vec(py)?);
    let columns: Vec<_> = columns.into_iter().map(ColumnArgument::resolve).collect::<Result<_>>()?;
    let options = TrafficOptions {
        columns: &columns,
        edge_us: &edge_us,
        calendar_us: &calendar_us,
        now_us,
        ranked: ranked.map(|ranked| &ranked.0),
        other,
        value_count_max,
        resources: &partials.resources,
    };
    let limits = AnswerLimits {
        cancel: &limits.cancel_token.get().0,
        memory: &partials.memory,
        bytes_max: limits.bytes_max,
        header_bytes: header.len(),
    };
    let (sums, rest) = (&partials.partials, rest.map(|rest| &rest.partials));
    let body = py.detach(|| build_traffic_response(sums, rest, &options, limits))?;
    joined_bytes::joined(py, header, &body)
}

impl TryFrom<FigureArgument> for Figure {
    type Error = Error;

    fn try_from(argument: FigureArgument) -> Result<Self> {
        let FigureArgument { form, first, second, multiplier, divisor, percent, only_with } = argument;
        Self::try_from(FigureParameters { form, first, second, multiplier, divisor, percent, only_with })
    }
}

impl ColumnArgument {
    fn resolve(self) -> Result<response::TrafficColumn> {
        Ok(response::TrafficColumn { header: self.header.to_vec(), figure: self.figure.try_into()?, has_totals: self.has_totals })
    }
}
