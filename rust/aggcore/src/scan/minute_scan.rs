//! Scans by minute: how a scan without keys runs if its bins are whole minutes.
//!
//! Each selected row is added to its minute in a [`MinuteHistogram`]; the scanner later folds minutes into
//! bins. That costs one addition per row however many bins there are. A search for the bin of each row took
//! three times as long.

use std::ops::Range;

use super::Scan;
use super::accumulate::Measure;
use super::minute_histogram::{MinuteHistogram, edges_lie_on_slots};
use super::selection::{CHUNK_ROWS, Selection, Selector};
use crate::columns::call_duration::CallDurations;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::packed_call;
use crate::error::Result;
use crate::record::US_PER_DAY;

/// Durations of a chunk of unanswered calls: a scan that only counts records need not read their durations.
static UNANSWERED_MS: [i32; CHUNK_ROWS] = [-1; CHUNK_ROWS];

/// The setup minutes of the rows of a slice, all of one UTC day.
#[derive(Clone, Copy)]
pub(super) struct MinutesOfDay<'a> {
    /// Start of the day, microseconds UTC.
    pub(super) day_us: i64,
    /// Minutes since the start of the day, by row.
    pub(super) minute_of_row: &'a [u16],
}

impl Scan<'_> {
    /// The edges of the scan and the minutes of a slice, if sums by minute answer the scan: it has bins whose
    /// edges lie on whole minutes, the slice is of one day and not too short, and its durations are known in
    /// milliseconds.
    pub(super) fn by_minute<'p>(&self, slice: &RecordSlice<'p>) -> Option<(&[i64], MinutesOfDay<'p>)> {
        let (edges, minute_of_row) = (self.edges?, slice.setup_minute?);
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let has_sums = match self.measure {
            _ if slice.rows.len() < self.resources.tuning.histogram_row_count_min => false,
            Measure::Sessions => true,
            Measure::Calls => slice.rollup_sums.is_some() || matches!(slice.durations, CallDurations::Milliseconds(_)),
            Measure::Elapsed { .. } => false,
        };
        (has_sums && edges_lie_on_slots(day_us, edges, 1)).then_some((edges, MinutesOfDay { day_us, minute_of_row }))
    }
}

/// Adds the selected rows of a slice to their minutes.
pub(super) fn add_minutes(
    scan: &Scan<'_>, slice: &RecordSlice<'_>, minutes: &[u16], selector: Selector<'_>, histogram: &mut MinuteHistogram,
) -> Result<()> {
    let counts_only = scan.measure == Measure::Sessions;
    let use_lanes = slice.rows.len() >= scan.resources.tuning.lanes_row_count_min && slice.rollup_sums.is_none();
    let ms_of = |range: &Range<usize>| match slice.durations {
        _ if counts_only => Some(&UNANSWERED_MS[..range.len()]),
        CallDurations::Milliseconds(ms) => Some(&ms[range.clone()]),
        CallDurations::Times { .. } => None,
    };
    let mut rows = Vec::new();
    selector.each_chunk(scan.cancel, |selection| {
        let range = match &selection {
            Selection::Range(range) => Some((range, None)),
            Selection::Mask(range, mask) => Some((range, Some(*mask))),
            Selection::Indices(_) => None,
        };
        match range.filter(|_| use_lanes).and_then(|(range, mask)| Some((&minutes[range.clone()], ms_of(range)?, mask))) {
            Some((minutes, ms, mask)) => histogram.add_range(minutes, ms, mask),
            None => {
                let sums_of_call = |row: usize| {
                    if let CallDurations::Milliseconds(ms) = slice.durations { packed_call(ms[row]) } else { [1, 0] }
                };
                let sums_of = |row: usize| slice.rollup_sums.map_or_else(|| sums_of_call(row), |rollup_sums| rollup_sums[row]);
                let rows = selection.list(&mut rows).iter().map(|&row| row as usize);
                rows.for_each(|row| histogram.add_row(minutes[row], sums_of(row)));
            }
        }
        Ok(())
    })
}
