//! The bytes of an answer to a traffic question, and the groups that it has.

use std::borrow::Cow;

use pyo3::types::{PyBytes, PyTuple};
use pyo3::{buffer::PyBuffer, prelude::*, pybacked::PyBackedBytes};

use super::joined_bytes;
use super::reports::LimitsArgument;
use super::traffic::TrafficPartials;
use crate::cancellation::CancelToken;
use crate::error::{Error, Result};
use crate::response::{self, AnswerLimits, ComparedTraffic, Figure, FigureParameters, TrafficOptions, build_traffic_response};
use crate::scan::predicate::KeyValue;

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

/// A `core.ComparedTraffic`.
#[derive(FromPyObject)]
pub struct ComparedArgument {
    header: PyBackedBytes,
    partials: Py<TrafficPartials>,
    rest: Option<Py<TrafficPartials>>,
    covered_us: PyBuffer<i64>,
    calendar_us: PyBuffer<i64>,
    pair: PyBuffer<i64>,
}

/// The groups that are first by a figure.
#[pyclass(frozen)]
pub struct RankedGroups(response::RankedGroups);

#[pymethods]
impl RankedGroups {
    /// Keys by group.
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let value = |key: &KeyValue<'_>| match key {
            KeyValue::Absent => Ok(py.None().into_bound(py)),
            KeyValue::Int(value) => Ok(value.into_pyobject(py)?.into_any()),
            KeyValue::Text(text) => Ok(Cow::as_ref(text).into_pyobject(py)?.into_any()),
        };
        let keys = |group: &Vec<KeyValue<'_>>| PyTuple::new(py, group.iter().map(value).collect::<PyResult<Vec<_>>>()?);
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
#[pyo3(signature = (
    partials, rest, *, header, limits, columns, covered_us, calendar_us, now_us, ranked, other, value_count_max, compared
))]
#[allow(clippy::too_many_arguments)] // All are named by the caller.
pub fn traffic_response<'py>(
    py: Python<'py>, partials: &TrafficPartials, rest: Option<&TrafficPartials>, header: &[u8], limits: LimitsArgument,
    columns: Vec<ColumnArgument>, covered_us: PyBuffer<i64>, calendar_us: PyBuffer<i64>, now_us: i64,
    ranked: Option<&RankedGroups>, other: bool, value_count_max: usize, compared: Option<ComparedArgument>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (covered_us, calendar_us) = (covered_us.to_vec(py)?, calendar_us.to_vec(py)?);
    let compared = compared.map(|compared| compared.resolve(py)).transpose()?;
    let columns: Vec<_> = columns.into_iter().map(ColumnArgument::resolve).collect::<Result<_>>()?;
    let options = TrafficOptions {
        columns: &columns,
        covered_us: &covered_us,
        calendar_us: &calendar_us,
        now_us,
        ranked: ranked.map(|ranked| &ranked.0),
        other,
        compared: compared.as_ref().map(OwnedCompared::borrow),
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

/// What a `core.ComparedTraffic` has, copied out of Python's objects.
struct OwnedCompared {
    header: PyBackedBytes,
    partials: Py<TrafficPartials>,
    rest: Option<Py<TrafficPartials>>,
    covered_us: Vec<i64>,
    calendar_us: Vec<i64>,
    pair: Vec<i64>,
}

impl ComparedArgument {
    fn resolve(self, py: Python<'_>) -> PyResult<OwnedCompared> {
        let Self { header, partials, rest, covered_us, calendar_us, pair } = self;
        let [covered_us, calendar_us, pair] = [covered_us, calendar_us, pair].map(|values| values.to_vec(py));
        Ok(OwnedCompared { header, partials, rest, covered_us: covered_us?, calendar_us: calendar_us?, pair: pair? })
    }
}

impl OwnedCompared {
    fn borrow(&self) -> ComparedTraffic<'_> {
        ComparedTraffic {
            header: &self.header,
            partials: &self.partials.get().partials,
            rest: self.rest.as_ref().map(|rest| &rest.get().partials),
            covered_us: &self.covered_us,
            calendar_us: &self.calendar_us,
            pair: &self.pair,
        }
    }
}

impl ColumnArgument {
    fn resolve(self) -> Result<response::TrafficColumn> {
        Ok(response::TrafficColumn { header: self.header.to_vec(), figure: self.figure.try_into()?, has_totals: self.has_totals })
    }
}
