//! The result of a traffic scan: the measures by cell.

use std::ops::Range;

use super::step_changes::StepChanges;
use crate::error::Result;
use crate::scan::KeyValues;
use crate::scan::cell_places::{CellPlaces, check_length, invalid, numbers_below};

/// The measures of a traffic scan by cell.
///
/// A scan without keys has one cell per bin, in order. A scan with keys has one cell per (bin, group) that has a
/// record, in unspecified order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficPartials {
    /// Bin by cell.
    pub bins: Vec<u32>,
    /// Key columns, each by cell.
    pub keys: Vec<KeyValues>,
    /// Measures in the order of the scan, each by cell.
    pub measures: Vec<MeasureValues>,
    /// Rows that the scan read; 0 if another store supplied the measures.
    pub row_count: usize,
}

/// One measure by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasureValues {
    /// Counts or sums.
    Sums(Vec<i128>),
    /// Distinct values, each with the number of its records.
    Values(ValueCounts),
    /// The number of intervals that hold an instant.
    Steps(StepChanges),
}

/// Distinct values of the records of each cell, ascending, with the number of records that have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueCounts {
    /// By cell: where its values end; they begin where those of the cell before it end, the first at 0.
    pub ends: Vec<usize>,
    /// The values of all cells.
    pub values: Vec<i64>,
    /// Records by value, each 1 or more.
    pub counts: Vec<u64>,
}

impl TrafficPartials {
    /// Returns the partials of a scan with `bin_count` bins, from values that another store supplies.
    ///
    /// # Errors
    /// `InvalidPartials` unless they are what a scan returns, see [`TrafficPartials`].
    pub fn from_columns(bin_count: usize, bins: &[i64], keys: Vec<KeyValues>, measures: Vec<MeasureValues>) -> Result<Self> {
        let partials = Self { bins: numbers_below(bins, bin_count, "bin")?, keys, measures, row_count: 0 };
        partials.check(bin_count)?;
        if !partials.keys.is_empty() {
            partials.places().check_distinct()?;
        }
        partials.measures.iter().try_for_each(MeasureValues::check_order)?;
        Ok(partials)
    }

    /// Number of cells.
    pub fn cell_count(&self) -> usize {
        self.bins.len()
    }

    /// Checks what every answer relies on: as many values of keys and measures as cells, bins below `bin_count` (without keys,
    /// one cell for each), codes that have an entry, sums whose amounts add up to less than 2^127, and counts and
    /// changes to less than 2^63.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check(&self, bin_count: usize) -> Result<()> {
        self.places().check_lengths(self.cell_count())?;
        self.places().check_bounds(bin_count)?;
        if self.keys.is_empty() {
            self.places().check_by_bin(bin_count)?;
        }
        self.measures.iter().try_for_each(|measure| measure.check(self.cell_count()))
    }

    /// Whether all measures are 0, or without values or changes.
    pub fn is_empty(&self) -> bool {
        (0..self.cell_count()).all(|cell| self.is_empty_at(cell))
    }

    /// The same of one cell.
    pub fn is_empty_at(&self, cell: usize) -> bool {
        self.measures.iter().all(|measure| match measure {
            MeasureValues::Sums(sums) => sums[cell] == 0,
            MeasureValues::Values(values) => values.of(cell).0.is_empty(),
            MeasureValues::Steps(steps) => steps.of(cell).0.is_empty(),
        })
    }

    fn places(&self) -> CellPlaces<'_> {
        CellPlaces { bins: &self.bins, keys: &self.keys }
    }
}

impl MeasureValues {
    fn check(&self, cell_count: usize) -> Result<()> {
        match self {
            Self::Sums(sums) => {
                check_length(sums.len(), cell_count)?;
                let bound = sums.iter().try_fold(0i128, |bound, sum| bound.checked_add(sum.checked_abs()?));
                bound.map(|_| ()).ok_or_else(|| invalid("a sum exceeds 128 bits"))
            }
            Self::Values(values) => values.check(cell_count),
            Self::Steps(steps) => steps.check(cell_count),
        }
    }

    /// Checks that the values of each cell ascend, and that its changes are those of a number of intervals.
    fn check_order(&self) -> Result<()> {
        match self {
            Self::Sums(_) => Ok(()),
            Self::Values(values) => values.check_order(),
            Self::Steps(steps) => steps.check_cells(),
        }
    }
}

impl ValueCounts {
    /// Values of a cell, ascending, and the records of each.
    pub fn of(&self, cell: usize) -> (&[i64], &[u64]) {
        let range = self.range(cell);
        (&self.values[range.clone()], &self.counts[range])
    }

    /// Where the values of a cell are.
    fn range(&self, cell: usize) -> Range<usize> {
        let start = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[cell]
    }

    fn check(&self, cell_count: usize) -> Result<()> {
        check_length(self.ends.len(), cell_count)?;
        let value_count = self.ends.last().copied().unwrap_or_default();
        if !self.ends.is_sorted() || [self.values.len(), self.counts.len()] != [value_count; 2] {
            return Err(invalid("the values of cells do not follow each other"));
        }
        if self.counts.contains(&0) {
            return Err(invalid("a value counts nothing"));
        }
        let total = self.counts.iter().try_fold(0u64, |total, &count| total.checked_add(count));
        match total.map(i64::try_from) {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(invalid("a count exceeds 64 bits")),
        }
    }

    fn check_order(&self) -> Result<()> {
        let ascends = |&cell: &usize| self.of(cell).0.is_sorted_by(|left, right| left < right);
        match (0..self.ends.len()).find(|cell| !ascends(cell)) {
            Some(cell) => Err(invalid(format!("the values of cell {cell} do not ascend"))),
            None => Ok(()),
        }
    }
}

impl<'a> FromIterator<&'a [(i64, u64)]> for ValueCounts {
    /// Collects the values of one cell after the other, each with the number of its records.
    fn from_iter<T: IntoIterator<Item = &'a [(i64, u64)]>>(cells: T) -> Self {
        let mut all = Self::default();
        for cell in cells {
            all.values.extend(cell.iter().map(|(value, _)| value));
            all.counts.extend(cell.iter().map(|(_, count)| count));
            all.ends.push(all.values.len());
        }
        all
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)] // A test may panic.
mod tests {
    use super::*;

    fn sums(values: &[i128]) -> MeasureValues {
        MeasureValues::Sums(values.to_vec())
    }

    /// A measure with these values and counts by cell.
    fn values(cells: &[&[(i64, u64)]]) -> MeasureValues {
        let end = |end: &mut usize, cell: &&[(i64, u64)]| {
            *end += cell.len();
            Some(*end)
        };
        let (values, counts) = cells.iter().copied().flatten().copied().unzip();
        MeasureValues::Values(ValueCounts { ends: cells.iter().scan(0, end).collect(), values, counts })
    }

    fn problem(bins: &[i64], keys: Vec<KeyValues>, measures: Vec<MeasureValues>) -> String {
        TrafficPartials::from_columns(2, bins, keys, measures).unwrap_err().to_string()
    }

    #[test]
    fn a_cell_per_bin_without_keys_and_a_cell_per_group_with_keys() {
        let measures = || vec![sums(&[i128::MAX, 0]), values(&[&[(-5, 1), (7, 2)], &[]])];
        let partials = TrafficPartials::from_columns(2, &[0, 1], vec![], measures()).unwrap();
        let MeasureValues::Values(found) = &partials.measures[1] else { panic!() };
        assert_eq!((found.of(0), found.of(1)), (([-5, 7].as_slice(), [1, 2].as_slice()), ([].as_slice(), [].as_slice())));
        assert!(TrafficPartials::from_columns(2, &[1, 1], vec![KeyValues::Ints(vec![4, 5])], measures()).is_ok());
        assert!(TrafficPartials::from_columns(2, &[], vec![KeyValues::Ints(vec![])], vec![sums(&[]), values(&[])]).is_ok());
    }

    #[test]
    fn what_no_scan_returns_is_refused() {
        let by_bin = |measure| problem(&[0, 1], vec![], vec![measure]);
        assert!(by_bin(sums(&[1])).contains("1 values, and there are 2 cells"));
        assert!(by_bin(sums(&[i128::MAX, -1])).contains("exceeds 128 bits"));
        assert!(by_bin(sums(&[i128::MIN, 0])).contains("exceeds 128 bits"));
        assert!(by_bin(values(&[&[]])).contains("1 values, and there are 2 cells"));
        assert!(by_bin(values(&[&[(1, 1)], &[(3, 1), (3, 1)]])).contains("of cell 1 do not ascend"));
        assert!(by_bin(values(&[&[(1, 0)], &[]])).contains("counts nothing"));
        assert!(by_bin(values(&[&[(1, 1 << 62)], &[(1, 1 << 62)]])).contains("exceeds 64 bits"));
        assert!(by_bin(values(&[&[(1, u64::MAX)], &[(1, 1)]])).contains("exceeds 64 bits"));
        let broken = ValueCounts { ends: vec![1, 0], values: vec![], counts: vec![] };
        assert!(by_bin(MeasureValues::Values(broken)).contains("do not follow each other"));
        assert!(problem(&[1, 0], vec![], vec![]).contains("in order"));
        assert!(problem(&[0, 2], vec![], vec![]).contains("cell 1 has bin 2, and there are 2"));
        assert!(problem(&[0, 0], vec![KeyValues::Ints(vec![5, 5])], vec![]).contains("the group of an earlier cell"));
        assert!(problem(&[0, 0], vec![KeyValues::Ints(vec![5])], vec![]).contains("1 values"));
    }
}
