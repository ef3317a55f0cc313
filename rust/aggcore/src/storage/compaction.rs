//! Size-tiered compaction: rewrites several segments of similar size of one UTC day as one, or one segment
//! that has many tombstones.
//!
//! Each record is rewritten about once per tier, so a record of a day with n records is rewritten about log n
//! times. The steps are those of a flush: [`Store::pick_compaction`], [`Store::compact`], a transaction of
//! the catalogue, then [`Store::install`](super::Store::install). An abandoned compaction leaves only
//! orphans.

use std::path::Path;

use super::Store;
use super::segment::{RowSource, guard};
use super::segment_edit::{NewSegment, ReplacedSources, SegmentEdit, write_segments_by_day};
use super::state::{SegmentEntry, State};
use crate::error::Result;
use crate::tuning::Tuning;

/// Segments of one compaction if they have few rows together: each costs every scan more than rewriting it once.
const SMALL_SEGMENT_COUNT_MIN: usize = 2;

impl Store {
    /// Picks the segments of one UTC day to compact next, by name; empty if no day needs it. The new segment
    /// has at most `row_max` rows.
    pub fn pick_compaction(&self, row_max: usize) -> Vec<String> {
        let state = self.read();
        let candidates = state.segments.values().map(|segments| pick_of_day(segments, row_max, self.tuning()));
        candidates.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Writes the rows of the named segments of one UTC day into new ones, without those that have a recorded
    /// tombstone.
    ///
    /// # Errors
    /// As for [`Store::write_flush`], and `Damaged` if a segment fails a checksum or its file changed.
    pub fn compact(&self, directory: &Path, sequence: u64, row_max: usize, names: &[String]) -> Result<SegmentEdit> {
        let is_named = |entry: &&SegmentEntry| names.contains(&entry.segment.name);
        let merged: Vec<SegmentEntry> = self.read().segments.values().flatten().filter(is_named).cloned().collect();
        // The sources are looked at once all of them were read: the caller removes them for what was written.
        let segments = guard(merged.iter().map(|entry| &*entry.segment), || self.rewrite(directory, sequence, row_max, &merged))?;
        let replaced = ReplacedSources::Segments(merged.iter().map(|entry| entry.segment.name.clone()).collect());
        Ok(SegmentEdit { segments, tombstones: Vec::new(), replaced })
    }

    /// Writes the rows of segments without a recorded tombstone into new segments.
    fn rewrite(&self, directory: &Path, sequence: u64, row_max: usize, merged: &[SegmentEntry]) -> Result<Vec<NewSegment>> {
        let versions: Vec<_> = merged.iter().map(|entry| |row| entry.segment.versions(row)).collect();
        let mut sources = Vec::new();
        for (entry, versions) in merged.iter().zip(&versions) {
            sources.push(RowSource { slice: entry.segment.verified_slice(&entry.recorded_tombstones)?, versions });
        }
        write_segments_by_day(directory, sequence, row_max, &sources, &self.scrubbing(), self.tuning())
    }
}

impl State {
    /// Number of segments of the compactions that are due, one of each UTC day.
    pub(super) fn compaction_backlog(&self, row_max: usize, tuning: &Tuning) -> usize {
        self.segments.values().map(|segments| pick_of_day(segments, row_max, tuning).len()).sum()
    }
}

/// Picks the longest tier of a day's segments if it has enough of them, else one with many tombstones. Skips
/// damaged segments, which cannot be read.
fn pick_of_day(segments: &[SegmentEntry], row_max: usize, tuning: &Tuning) -> Vec<String> {
    let mut by_size: Vec<&SegmentEntry> = segments.iter().filter(|entry| is_readable(entry)).collect();
    by_size.sort_by_key(|entry| entry.rows_to_rewrite());
    let tiers = (0..by_size.len()).map(|first| first_tier(&by_size[first..], row_max, tuning));
    if let Some(tier) = tiers.filter(|tier| is_large_enough(tier, tuning)).max_by_key(|tier| tier.len()) {
        return tier.iter().map(|entry| entry.segment.name.clone()).collect();
    }
    let worn = by_size.iter().find(|entry| has_many_tombstones(entry, tuning));
    worn.map(|entry| vec![entry.segment.name.clone()]).unwrap_or_default()
}

fn is_readable(entry: &SegmentEntry) -> bool {
    !entry.segment.is_damaged() && !entry.segment.is_missing()
}

fn has_many_tombstones(entry: &SegmentEntry, tuning: &Tuning) -> bool {
    entry.recorded_tombstones.len() * 100 > entry.segment.rows() * tuning.compaction_tombstone_percent_max
}

/// Returns the smallest segments that form one tier (see [`Tuning::compaction_size_ratio_max`]) and have at most `row_max` rows
/// together.
fn first_tier<'a>(by_size: &'a [&'a SegmentEntry], row_max: usize, tuning: &Tuning) -> &'a [&'a SegmentEntry] {
    let mut rows = 0;
    let fits = |(number, entry): (usize, &&SegmentEntry)| {
        let is_in_tier = number <= 1 || entry.rows_to_rewrite() <= rows * tuning.compaction_size_ratio_max;
        rows += entry.rows_to_rewrite();
        is_in_tier && rows <= row_max
    };
    let end = by_size.iter().enumerate().map(fits).position(|fits| !fits).unwrap_or(by_size.len());
    &by_size[..end]
}

/// Whether a tier has enough segments to justify rewriting them.
fn is_large_enough(tier: &[&SegmentEntry], tuning: &Tuning) -> bool {
    let rows: usize = tier.iter().map(|entry| entry.rows_to_rewrite()).sum();
    let is_small = rows <= tuning.compaction_small_row_count_max;
    tier.len() >= if is_small { SMALL_SEGMENT_COUNT_MIN } else { tuning.compaction_segment_count_min }
}
