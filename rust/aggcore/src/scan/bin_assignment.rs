//! Bin assignment: which bin the setup time of a row falls in.
//!
//! Rows that reach this module are within the edges of the scan; the selector dropped the others.

use std::ops::Range;

use super::Scan;
use super::dense_ids::GroupCode;
use crate::columns::slice::RecordSlice;

impl<M> Scan<'_, M> {
    pub(super) fn bin_count(&self) -> usize {
        self.edges.map_or(1, |edges| edges.len().saturating_sub(1))
    }

    /// The bins that the rows of a slice may fall in, at least one.
    pub(super) fn bins_of(&self, slice: &RecordSlice<'_>) -> Range<usize> {
        let Some(edges) = self.edges else { return 0..1 };
        let (low, high) = slice.setup_range;
        let first = edges.partition_point(|&edge| edge <= low).saturating_sub(1);
        let first = first.min(edges.len() - 2);
        first..edges.partition_point(|&edge| edge <= high).clamp(first + 1, edges.len() - 1)
    }

    /// Overwrites `bins` with the bin of each row, counted from the bin `first`.
    pub(super) fn assign_bins<P: GroupCode>(&self, slice: &RecordSlice<'_>, rows: &[u32], first: usize, bins: &mut Vec<P>) {
        bins.clear();
        let Some(edges) = self.edges else {
            bins.resize(rows.len(), P::of(0));
            return;
        };
        let mut bin = first;
        bins.extend(rows.iter().map(|&row| {
            let setup = slice.setup_us[row as usize];
            // Rows are often sorted by setup time, so that most of them are in the bin of the row before.
            if setup < edges[bin] || setup >= edges[bin + 1] {
                bin = edges.partition_point(|&edge| edge <= setup) - 1;
            }
            P::of((bin - first) as u64)
        }));
    }
}
