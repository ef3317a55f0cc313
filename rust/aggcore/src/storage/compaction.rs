//! Compaction: rewrites segments of one UTC day as one.

use std::path::Path;

use super::Store;
use super::segment::RowSource;
use super::segment_edit::{ReplacedSources, SegmentEdit, write_segments_by_day};
use super::state::SegmentEntry;
use crate::error::Result;

/// Segments of like size that are worth making one.
const SEGMENTS_MIN: usize = 3;
/// Of segments with so few rows together, two are enough.
const SMALL_ROWS_MAX: usize = 1 << 14;

impl Store {
    /// Segments of one UTC day that are worth making one, by name; empty where there are none. `row_max` limits the rows
    /// of the new one.
    pub fn pick_compaction(&self, row_max: usize) -> Vec<String> {
        let state = self.read();
        let candidates = state.segments.values().map(|segments| pick_compaction(segments, row_max));
        candidates.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Writes the living rows of segments of one UTC day into new ones.
    ///
    /// # Errors
    /// As [`Store::write_flush`], and `Damaged` for a segment that cannot be read.
    pub fn compact(&self, directory: &Path, sequence: u64, row_max: usize, names: &[String]) -> Result<SegmentEdit> {
        let is_named = |entry: &&SegmentEntry| names.contains(&entry.segment.name);
        let merged: Vec<SegmentEntry> = self.read().segments.values().flatten().filter(is_named).cloned().collect();
        let versions: Vec<_> = merged.iter().map(|entry| |row| entry.segment.versions(row)).collect();
        let mut sources = Vec::new();
        for (entry, versions) in merged.iter().zip(&versions) {
            sources.push(RowSource { slice: entry.segment.verified_slice(&entry.recorded_tombstones)?, versions });
        }
        let segments = write_segments_by_day(directory, sequence, row_max, &sources)?;
        let replaced = ReplacedSources::Segments(merged.iter().map(|entry| entry.segment.name.clone()).collect());
        Ok(SegmentEdit { segments, tombstones: Vec::new(), replaced })
    }
}

/// The longest run of a day's segments, by size, of which each is no larger than twice those before it together, if there
/// are enough of them; or one of which many rows were replaced. One known to be damaged is left alone.
fn pick_compaction(segments: &[SegmentEntry], row_max: usize) -> Vec<String> {
    let mut by_size: Vec<&SegmentEntry> = segments.iter().filter(|entry| !entry.segment.is_damaged()).collect();
    by_size.sort_by_key(|entry| entry.live_rows());
    let runs = (0..by_size.len()).map(|first| run_of_similar_size(&by_size[first..], row_max));
    if let Some(run) = runs.filter(|run| is_enough(run)).max_by_key(|run| run.len()) {
        return run.iter().map(|entry| entry.segment.name.clone()).collect();
    }
    let worn = by_size.iter().find(|entry| entry.recorded_tombstones.len() * 4 > entry.segment.rows());
    worn.map(|entry| vec![entry.segment.name.clone()]).unwrap_or_default()
}

/// The first of segments by size that are of like size and together have no more rows than allowed.
fn run_of_similar_size<'a>(by_size: &'a [&'a SegmentEntry], row_max: usize) -> &'a [&'a SegmentEntry] {
    let mut rows = 0;
    let fits = |(number, entry): (usize, &&SegmentEntry)| {
        let is_like = number <= 1 || entry.live_rows() <= rows * 2;
        rows += entry.live_rows();
        is_like && rows <= row_max
    };
    let end = by_size.iter().enumerate().map(fits).position(|fits| !fits).unwrap_or(by_size.len());
    &by_size[..end]
}

/// Whether so many segments are worth the writing; small ones cost each report more than that.
fn is_enough(run: &[&SegmentEntry]) -> bool {
    let rows: usize = run.iter().map(|entry| entry.live_rows()).sum();
    run.len() >= if rows <= SMALL_ROWS_MAX { 2 } else { SEGMENTS_MIN }
}
