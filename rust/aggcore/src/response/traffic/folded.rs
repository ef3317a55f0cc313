//! Bins of a scan that become those of an answer, and local times of the bins that become its keys.

use super::added_cells::{AddedCells, Term};
use super::invalid;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;
use crate::record::schema::ABSENT;
use crate::response::answer::AnswerLimits;
use crate::response::group_ids::GroupIds;
use crate::scan::traffic::TrafficPartials;
use crate::scan::{KeyValues, ScanResources};

/// How bins become others. A bin is left out, or goes into one other bin, and has one value of each new key.
pub struct Fold<'a> {
    /// By bin: the other bin, -1 if it is left out.
    pub bins: &'a [i64],
    /// Number of the other bins.
    pub bin_count: usize,
    /// New keys, by their numbers among all keys, which ascend: the value by bin.
    pub keys: &'a [(usize, Vec<i64>)],
}

/// Where a cell goes: the bin, the group, and the cell.
type Place = (u32, u64, u32);

/// Returns the measures of cells in other bins and with more keys: those of one bin and group are added up.
///
/// # Errors
/// `InvalidPartials` if the partials do not fit the fold, or a sum exceeds 128 bits; a memory limit, `Cancelled` or
/// `DeadlinePassed`.
pub fn folded(
    partials: &TrafficPartials, fold: &Fold<'_>, resources: &ScanResources, limits: AnswerLimits<'_>,
) -> Result<TrafficPartials> {
    fold.check(partials)?;
    let new_keys = fold.new_keys(partials);
    let keys = fold.all_keys(partials, &new_keys);
    // Those of the cells, and of the cells of the answer, which are at most as many.
    let held = limits.memory.reserve(2 * keys.iter().map(|key| key.len() * size_of::<i64>()).sum::<usize>())?;
    let mut ids = GroupIds::new(partials.cell_count(), resources, limits)?;
    keys.iter().try_for_each(|key| ids.refine(key))?;
    let _places_held = limits.memory.reserve(2 * partials.cell_count() * size_of::<Place>())?;
    let mut places: Vec<Place> = fold.places(partials, &ids.ids).collect();
    sort_interruptibly(&mut places, limits.cancel)?;

    let (mut bins, mut first_cells) = (Vec::new(), Vec::new());
    let mut added = AddedCells::of_all(&partials.measures, limits);
    let mut push = |bin: u32, places: &[Place]| {
        bins.push(bin);
        first_cells.extend(places.first().map(|place| place.2));
        added.push(places.iter().map(|place| Term { measures: &partials.measures, cell: place.2 as usize }))
    };
    let mut cells = places.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)).peekable();
    if keys.is_empty() {
        for bin in 0..fold.bin_count as u32 {
            push(bin, cells.next_if(|cell| cell[0].0 == bin).unwrap_or_default())?;
        }
    } else {
        cells.try_for_each(|cell| push(cell[0].0, cell))?;
    }
    let keys = keys.iter().map(|key| key.at(&first_cells)).collect();
    held.keep();
    Ok(TrafficPartials { bins, keys, measures: added.into_measures()?, row_count: partials.row_count })
}

impl Fold<'_> {
    fn check(&self, partials: &TrafficPartials) -> Result<()> {
        partials.check(self.bins.len())?;
        let fits = |&bin: &i64| bin == -1 || usize::try_from(bin).is_ok_and(|bin| bin < self.bin_count);
        if !self.bins.iter().all(fits) || u32::try_from(self.bin_count).is_err() {
            return Err(invalid("a bin goes into none of the bins"));
        }
        let key_count = partials.keys.len() + self.keys.len();
        if self.keys.iter().any(|(_, values)| values.len() != self.bins.len() || values.contains(&ABSENT)) {
            return Err(invalid("a new key does not have one value for each bin"));
        }
        let ascend = self.keys.is_sorted_by(|left, right| left.0 < right.0);
        match self.keys.last().is_none_or(|(number, _)| *number < key_count) && ascend {
            true => Ok(()),
            false => Err(invalid("the numbers of the new keys are not those of keys")),
        }
    }

    /// The new keys by cell.
    fn new_keys(&self, partials: &TrafficPartials) -> Vec<KeyValues> {
        let key =
            |(_, values): &(usize, Vec<i64>)| KeyValues::Ints(partials.bins.iter().map(|&bin| values[bin as usize]).collect());
        self.keys.iter().map(key).collect()
    }

    /// All keys by cell, each at its number.
    fn all_keys<'k>(&self, partials: &'k TrafficPartials, new_keys: &'k [KeyValues]) -> Vec<&'k KeyValues> {
        let mut keys: Vec<_> = partials.keys.iter().collect();
        for ((number, _), key) in self.keys.iter().zip(new_keys) {
            keys.insert(*number, key);
        }
        keys
    }

    /// Where cells go, those that are left out excepted.
    fn places(&self, partials: &TrafficPartials, ids: &[u64]) -> impl Iterator<Item = Place> {
        // A scan without keys has a cell for each bin, and one with keys only where there is something.
        let may_be_empty = partials.keys.is_empty() && !self.keys.is_empty();
        let cells = partials.bins.iter().zip(ids).zip(0..);
        cells.filter_map(move |((&bin, &id), cell)| {
            let bin = u32::try_from(self.bins[bin as usize]).ok()?;
            (!may_be_empty || !partials.is_empty_at(cell as usize)).then_some((bin, id, cell))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;
    use crate::response::answer::Unlimited;
    use crate::scan::traffic::{MeasureValues, StepChanges, ValueCounts};

    fn fold_of(partials: &TrafficPartials, fold: &Fold<'_>) -> Result<TrafficPartials> {
        let (unlimited, resources) = (Unlimited::default(), ScanResources::default());
        folded(partials, fold, &resources, unlimited.limits())
    }

    fn steps(cells: &[&[(i64, i64)]]) -> MeasureValues {
        MeasureValues::Steps(cells.iter().copied().collect::<StepChanges>())
    }

    fn values(cells: &[&[(i64, u64)]]) -> MeasureValues {
        MeasureValues::Values(cells.iter().copied().collect::<ValueCounts>())
    }

    #[test]
    fn an_interval_that_goes_on_in_the_next_bin_changes_nothing_at_its_edge() {
        let measures = vec![
            MeasureValues::Sums(vec![1, 2, 4]),
            steps(&[&[(0, 1), (10, -1)], &[(10, 1), (20, -1)], &[(20, 2), (25, -2)]]),
            values(&[&[(7, 1)], &[(5, 1), (7, 2)], &[]]),
        ];
        let partials = TrafficPartials::from_columns(3, &[0, 1, 2], vec![], measures).unwrap();
        let folded = fold_of(&partials, &Fold { bins: &[1, 1, -1], bin_count: 3, keys: &[] }).unwrap();
        assert_eq!(folded.bins, [0, 1, 2]);
        let expected =
            [MeasureValues::Sums(vec![0, 3, 0]), steps(&[&[], &[(0, 1), (20, -1)], &[]]), values(&[&[], &[(5, 1), (7, 3)], &[]])];
        assert_eq!(folded.measures, expected);
    }

    #[test]
    fn local_times_become_keys_where_there_is_something() {
        let measures = || vec![MeasureValues::Sums(vec![1, 0, 2])];
        let hours = [(0, vec![23, 0, 23])];
        let fold = Fold { bins: &[0, 0, 0], bin_count: 1, keys: &hours };
        let without_keys = TrafficPartials::from_columns(3, &[0, 1, 2], vec![], measures()).unwrap();
        let found = fold_of(&without_keys, &fold).unwrap();
        assert_eq!((found.keys, found.measures), (vec![KeyValues::Ints(vec![23])], vec![MeasureValues::Sums(vec![3])]));
        let vendors = vec![KeyValues::Ints(vec![5, 6, 6])];
        let with_keys = TrafficPartials::from_columns(3, &[0, 1, 2], vendors, measures()).unwrap();
        let found = fold_of(&with_keys, &fold).unwrap();
        let keys = vec![KeyValues::Ints(vec![23, 0, 23]), KeyValues::Ints(vec![5, 6, 6])];
        assert_eq!((found.bins, found.keys, found.measures), (vec![0; 3], keys, measures()));
    }

    #[test]
    fn a_fold_of_other_bins_is_refused() {
        let partials = TrafficPartials::from_columns(1, &[0], vec![], vec![]).unwrap();
        let keys = |number, values: &[i64]| [(number, values.to_vec())];
        for (bins, keys) in [
            (&[1][..], &[][..]),
            (&[-2], &[]),
            (&[0, 0], &[]),
            (&[0], &keys(1, &[1])),
            (&[0], &keys(0, &[])),
            (&[0], &[(0, vec![1]), (0, vec![1])]),
        ] {
            assert!(fold_of(&partials, &Fold { bins, bin_count: 1, keys }).is_err(), "{bins:?} {keys:?}");
        }
    }
}
