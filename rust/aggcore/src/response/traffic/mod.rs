//! The answer to a traffic question: from the measures of a scan to figures by bin and group, and their totals.
//!
//! Figures are computed from measures at the very end, never from other figures: `added_cells` first adds up the measures of
//! the cells that a total covers. The one exception is a figure that is that of its greatest bin.
//! `folded` makes the bins of an answer of finer ones beforehand, and `comparison` adds the figures of an earlier range.

mod added_cells;
mod columns;
mod comparison;
mod exact_ratio;
mod figure;
mod folded;
mod groups;
mod measures;
mod rank;

use std::borrow::Borrow;

use columns::put_column;
use comparison::EarlierMeasures;
use groups::CellGroups;
use measures::{AnswerMeasures, Sources};

pub use columns::TrafficColumn;
pub use comparison::ComparedTraffic;
pub use figure::{Figure, FigureParameters};
pub use folded::{Fold, folded};
pub use groups::RankedGroups;
pub use rank::rank_groups;

use super::answer::{AnswerLimits, AnswerWriter};
use super::tags::{query_traffic_response as response_tags, traffic_group as group_tags, traffic_key as key_tags};
use super::wire_writer::{ColumnWriter, put_bytes, put_int64, put_message};
use crate::error::{Error, Result};
use crate::scan::ScanResources;
use crate::scan::predicate::KeyValue;
use crate::scan::traffic::TrafficPartials;

/// Bytes of a group in the answer at least: the key and length of an empty message.
const GROUP_BYTES_MIN: usize = 2;
/// Estimated bytes of a group, by which the buffer grows at once.
const GROUP_BYTES_ESTIMATE: usize = 24;
/// Bytes of memory that a bin takes while its times are written.
const BIN_BYTES_HELD: usize = 64;

/// What an answer depends on besides the measures.
pub struct TrafficOptions<'a> {
    /// The figures.
    pub columns: &'a [TrafficColumn],
    /// Microseconds that each bin covers.
    pub covered_us: &'a [i64],
    /// Edges of the whole calendar bins, in microseconds UTC: one more than bins, or none.
    pub calendar_us: &'a [i64],
    /// Bins that end until then are complete.
    pub now_us: i64,
    /// The groups to return, in order; `None` returns all, by key.
    pub ranked: Option<&'a RankedGroups>,
    /// Whether all groups that are left out are returned as one more.
    pub other: bool,
    /// The earlier range that the answer is compared with.
    pub compared: Option<ComparedTraffic<'a>>,
    /// Values that the columns may have: bins times groups times columns, twice as many with `compared`.
    pub value_count_max: usize,
    /// What the scans of the store share.
    pub resources: &'a ScanResources,
}

/// Returns a `QueryTrafficResponse` with bins, groups, columns and totals, encoded.
///
/// `rest` are the measures by bin, without keys, of the groups that `partials` lack; `None` if they lack none.
///
/// # Errors
/// `ValueLimit`; `InvalidPartials` if the partials are not of the bins or measures, or a figure leaves its range;
/// `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
pub fn build_traffic_response(
    partials: &TrafficPartials, rest: Option<&TrafficPartials>, options: &TrafficOptions<'_>, limits: AnswerLimits<'_>,
) -> Result<Vec<u8>> {
    check(partials, rest, options)?;
    let groups = CellGroups::new(partials, options.resources, limits)?;
    let shown_count = options.ranked.map_or(groups.ids.count, |ranked| ranked.groups.len());
    let group_count = options.ranked.map_or(shown_count, |ranked| ranked.group_count);
    let has_other = options.other && group_count > shown_count;
    options.check_value_count(shown_count + usize::from(has_other))?;

    let mut out = AnswerWriter::new(limits);
    out.expect_messages(shown_count, GROUP_BYTES_MIN, GROUP_BYTES_ESTIMATE)?;
    let places = put_groups(&mut out, &groups, options.ranked, limits)?;
    if has_other {
        out.put_message(response_tags::GROUPS, |out| put_int64(group_tags::OTHER, 1, out))?;
    }
    let grid = groups.grid(&places, shown_count, options.bin_count(), limits)?;
    let TrafficOptions { covered_us, columns, .. } = *options;
    let sources = Sources { covered_us, partials, rest, columns, shown_count, has_other };
    let measures = AnswerMeasures::new(sources, grid, limits)?;
    put_bins(&mut out, &measures, options, limits)?;
    put_columns(&mut out, &measures, columns, limits)?;
    out.put_fields(|out| put_int64(response_tags::GROUP_COUNT, group_count as i64, out));
    if let Some(compared) = &options.compared {
        let shown = groups.held_keys(&places, shown_count, limits)?;
        let shown = options.ranked.map_or(shown.keys.as_slice(), |ranked| ranked.groups.as_slice());
        let earlier = EarlierMeasures::new(compared, shown, options, has_other, limits)?;
        out.put_nested(response_tags::COMPARED, |out| earlier.put(out, &measures, columns, limits))?;
    }
    out.finish()
}

/// Checks that the parts of an answer fit each other.
fn check(partials: &TrafficPartials, rest: Option<&TrafficPartials>, options: &TrafficOptions<'_>) -> Result<()> {
    if options.covered_us.len() != options.calendar_us.len().saturating_sub(1) {
        return Err(invalid("the bins have other edges than the calendar"));
    }
    check_measures(partials, rest, options.bin_count(), options.columns)?;
    options.compared.as_ref().map_or(Ok(()), |compared| compared.check(partials, options))
}

/// Checks that measures are those of bins and columns, and that the other groups have the same.
fn check_measures(
    partials: &TrafficPartials, rest: Option<&TrafficPartials>, bin_count: usize, columns: &[TrafficColumn],
) -> Result<()> {
    if rest.is_some_and(|rest| !rest.keys.is_empty()) {
        return Err(invalid("the other groups have keys"));
    }
    if rest.is_some_and(|rest| rest.measures.len() != partials.measures.len()) {
        return Err(invalid("the other groups have other measures"));
    }
    for partials in [Some(partials), rest].into_iter().flatten() {
        partials.check(bin_count)?;
        columns.iter().try_for_each(|column| column.figure.check(partials))?;
    }
    Ok(())
}

impl TrafficOptions<'_> {
    fn bin_count(&self) -> usize {
        self.covered_us.len()
    }

    /// Checks the number of values before there is memory for them.
    fn check_value_count(&self, group_count: usize) -> Result<()> {
        let range_count = 1 + usize::from(self.compared.is_some());
        let asked = group_count.saturating_mul(self.bin_count()).saturating_mul(self.columns.len().max(1) * range_count);
        let allowed = self.value_count_max;
        if asked > allowed { Err(Error::ValueLimit { asked, allowed }) } else { Ok(()) }
    }
}

/// Appends the groups in order: as they are ranked, or by their keys. Returns the place of each group.
fn put_groups(
    out: &mut AnswerWriter<'_>, groups: &CellGroups<'_>, ranked: Option<&RankedGroups>, limits: AnswerLimits<'_>,
) -> Result<Vec<u32>> {
    if let Some(ranked) = ranked {
        ranked.groups.iter().try_for_each(|keys| put_group(out, keys.iter()))?;
        return Ok(groups.places(&ranked.groups));
    }
    let order = groups.first(Vec::new(), usize::MAX, limits)?;
    let mut places = vec![0; order.len()];
    for (&id, place) in order.iter().zip(0..) {
        places[id as usize] = place;
        put_group(out, groups.keys(id as usize))?;
    }
    Ok(places)
}

fn put_group<'k>(out: &mut AnswerWriter<'_>, keys: impl Iterator<Item = impl Borrow<KeyValue<'k>>>) -> Result<()> {
    out.put_message(response_tags::GROUPS, |out| {
        for key in keys {
            put_message(group_tags::KEYS, out, |out| match key.borrow() {
                KeyValue::Absent => {}
                KeyValue::Int(value) => put_int64(key_tags::INTEGER, *value, out),
                KeyValue::Text(text) => put_bytes(key_tags::TEXT, text.as_bytes(), out),
            });
        }
    })
}

/// Appends the start of each calendar bin, the microseconds that it covers, and whether it is over.
fn put_bins(
    out: &mut AnswerWriter<'_>, measures: &AnswerMeasures<'_>, options: &TrafficOptions<'_>, limits: AnswerLimits<'_>,
) -> Result<()> {
    let count = measures.bin_count();
    let _held = limits.memory.reserve(count * BIN_BYTES_HELD)?;
    let (starts, ends) = (&options.calendar_us[..count], options.calendar_us.get(1..).unwrap_or_default());
    let mut columns = ColumnWriter::after(Vec::new());
    columns.put_packed_int64s(response_tags::T, starts.iter().map(|us| us.div_euclid(1_000_000)));
    columns.put_packed_int64s(response_tags::COVERED_US, (0..count).map(|bin| measures.covered_us(bin)));
    columns.put_packed_int64s(response_tags::COMPLETE, ends.iter().map(|&us| (us <= options.now_us).into()));
    let bytes = columns.into_bytes();
    out.expect_messages(1, bytes.len(), bytes.len())?;
    out.put_fields(|out| out.extend_from_slice(&bytes));
    Ok(())
}

/// Appends the columns by group and bin, by group, and of all groups.
fn put_columns(
    out: &mut AnswerWriter<'_>, measures: &AnswerMeasures<'_>, columns: &[TrafficColumn], limits: AnswerLimits<'_>,
) -> Result<()> {
    let (group_count, bin_count) = (measures.group_count(), measures.bin_count());
    let bytes_min: usize = columns.iter().map(|column| column.figure.class().bytes_min()).sum();
    out.expect_messages(group_count * (bin_count + 1), bytes_min, bytes_min)?;
    for column in columns {
        let value = |number: usize| measures.value(column, number / bin_count, number % bin_count);
        put_column(out, response_tags::COLUMNS, column, group_count * bin_count, value, limits)?;
    }
    for column in columns {
        let value = |group| measures.group_total(column, group);
        put_column(out, response_tags::GROUP_TOTALS, column, group_count, value, limits)?;
    }
    columns.iter().try_for_each(|column| put_column(out, response_tags::TOTALS, column, 1, |_| measures.total(column), limits))
}

fn invalid(problem: &str) -> Error {
    Error::InvalidPartials(problem.to_owned())
}
