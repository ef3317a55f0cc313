//! Scans by minute: how a scan without keys runs if its bins are whole minutes.
//!
//! Each selected row is added to its minute in a [`MinuteHistogram`]; the scanner later folds minutes into
//! bins. That costs one addition per row however many bins there are. A search for the bin of each row took
//! three times as long.

use std::ops::Range;

use super::Scan;
use super::minute_histogram::{MinuteHistogram, edges_lie_on_slots};
use super::plan::Plan;
use super::row_values::{CallValues, RowValues};
use super::selection::{CHUNK_ROWS, Selection};
use crate::error::Result;
use crate::record::US_PER_DAY;

/// Durations of a chunk of unanswered calls: a scan that only counts records need not read their durations.
static UNANSWERED_MS: [i32; CHUNK_ROWS] = [-1; CHUNK_ROWS];

/// The setup minutes of the rows of a slice, all of one UTC day, and the calls that they add.
#[derive(Clone, Copy)]
pub(super) struct MinutesOfDay<'a> {
    /// Start of the day, microseconds UTC.
    pub(super) day_us: i64,
    /// Minutes since the start of the day, by row.
    minute_of_row: &'a [u16],
    calls: CallValues<'a>,
}

impl Scan<'_> {
    /// The edges of the scan and the minutes of a plan, if sums by minute answer the scan: it has bins whose
    /// edges lie on whole minutes, the slice is of one day and not too short, and its rows have packed sums.
    pub(super) fn by_minute<'p>(&self, plan: &Plan<'p>) -> Option<(&[i64], MinutesOfDay<'p>)> {
        let (edges, minute_of_row) = (self.edges?, plan.slice.setup_minute?);
        let RowValues::Calls(calls) = plan.values else { return None };
        let day_us = plan.slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let answers =
            plan.slice.rows.len() >= self.resources.tuning.histogram_row_count_min && edges_lie_on_slots(day_us, edges, 1);
        answers.then_some((edges, MinutesOfDay { day_us, minute_of_row, calls }))
    }
}

/// Adds the selected rows of a plan to their minutes.
pub(super) fn add_minutes(
    scan: &Scan<'_>, plan: Plan<'_>, minutes: MinutesOfDay<'_>, histogram: &mut MinuteHistogram,
) -> Result<()> {
    let MinutesOfDay { minute_of_row, calls, .. } = minutes;
    let use_lanes = plan.slice.rows.len() >= scan.resources.tuning.lanes_row_count_min;
    let ms_of = |range: &Range<usize>| match calls {
        CallValues::Counted => Some(&UNANSWERED_MS[..range.len()]),
        CallValues::Milliseconds(ms) => Some(&ms[range.clone()]),
        CallValues::RollupCounted(_) | CallValues::Rollup(_) => None,
    };
    let mut rows = Vec::new();
    plan.selector.each_chunk(scan.cancel, |selection| {
        let range = match &selection {
            Selection::Range(range) => Some((range, None)),
            Selection::Mask(range, mask) => Some((range, Some(*mask))),
            Selection::Indices(_) => None,
        };
        match range.filter(|_| use_lanes).and_then(|(range, mask)| Some((&minute_of_row[range.clone()], ms_of(range)?, mask))) {
            Some((minutes, ms, mask)) => histogram.add_range(minutes, ms, mask),
            None => {
                let rows = selection.list(&mut rows).iter().map(|&row| row as usize);
                rows.for_each(|row| histogram.add_row(minute_of_row[row], calls.of_row(row)));
            }
        }
        Ok(())
    })
}
