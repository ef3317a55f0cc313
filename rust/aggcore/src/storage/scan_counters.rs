//! Counts what scans read, by slice and by segment: a count per row would cost as much as a predicate.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of the scans of one store. They never fall.
#[derive(Debug, Default)]
pub struct ScanCounters {
    rows: AtomicU64,
    cells: AtomicU64,
    rollup_hits: AtomicU64,
    rollup_misses: AtomicU64,
}

/// What [`ScanCounters`] have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Rows that were read, those of rollups and those from which rollups were built included.
    pub rows: u64,
    /// Cells of the results.
    pub cells: u64,
    /// Scans of a segment, or of one account in it, that a rollup answered.
    pub rollup_hits: u64,
    /// Scans of a segment, or of one account in it, that read its rows, also to build a rollup.
    pub rollup_misses: u64,
}

impl ScanCounters {
    /// Counts rows that were read.
    pub fn note_rows(&self, count: usize) {
        self.rows.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts the cells of a result.
    pub fn note_result(&self, cell_count: usize) {
        self.cells.fetch_add(cell_count as u64, Ordering::Relaxed);
    }

    /// Counts a scan of a segment.
    pub fn note_segment(&self, is_rollup_hit: bool) {
        let counter = if is_rollup_hit { &self.rollup_hits } else { &self.rollup_misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts.
    pub fn counts(&self) -> ScanCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ScanCounts {
            rows: count(&self.rows),
            cells: count(&self.cells),
            rollup_hits: count(&self.rollup_hits),
            rollup_misses: count(&self.rollup_misses),
        }
    }
}
