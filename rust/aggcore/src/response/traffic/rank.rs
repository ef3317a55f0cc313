//! Which groups come first by a figure.

use super::added_cells::{AddedCells, Term};
use super::figure::Figure;
use super::groups::{CellGroups, RankedGroups};
use crate::error::Result;
use crate::record::schema::ABSENT;
use crate::response::answer::AnswerLimits;
use crate::response::sort_keys::{SortColumn, SortOrder, SortValues};
use crate::scan::ScanResources;
use crate::scan::traffic::TrafficPartials;

/// The lowest bit of each sort column that a value is split into; each has the bits up to the one before it. ABSENT is not among
/// their values, as it is among those of 64 bits.
const LOWEST_BITS: [u32; 3] = [96, 48, 0];

/// Returns the first `limit` groups by the value of a figure over all bins, which cover `covered_us`: the greatest ones, or, with
/// `ascending`, the least ones. Groups without a value come last, equal ones by their keys.
///
/// # Errors
/// `InvalidPartials` if the partials lack a measure of the figure or a figure leaves its range; a memory limit, `Cancelled` or
/// `DeadlinePassed`.
pub fn rank_groups(
    partials: &TrafficPartials, figure: &Figure, covered_us: i64, limit: usize, ascending: bool, resources: &ScanResources,
    limits: AnswerLimits<'_>,
) -> Result<RankedGroups> {
    let bin_count = partials.bins.iter().max().map_or(0, |&bin| bin as usize + 1);
    partials.check(bin_count)?;
    figure.check(partials)?;
    let groups = CellGroups::new(partials, resources, limits)?;
    let _held = limits.memory.reserve(groups.ids.count * size_of::<Option<i128>>())?;
    let values = &values(partials, &groups, figure, covered_us, bin_count, limits)?;
    let order = if ascending { SortOrder::Ascending } else { SortOrder::Descending };
    let columns = LOWEST_BITS.map(|lowest| {
        let part = move |value: i128| if lowest == 96 { value >> 96 } else { value >> lowest & ((1 << 48) - 1) };
        let of_group = move |id: u32| values[id as usize].map_or(ABSENT, |value| part(value) as i64);
        SortColumn::new(SortValues::Ints(Box::new(of_group)), order)
    });
    let ids = groups.first(columns.into(), limit, limits)?;
    Ok(groups.ranked(&ids))
}

/// Returns the value of each group, as integers that compare as the values do.
fn values(
    partials: &TrafficPartials, groups: &CellGroups<'_>, figure: &Figure, covered_us: i64, bin_count: usize,
    limits: AnswerLimits<'_>,
) -> Result<Vec<Option<i128>>> {
    let (measures, places): (_, Vec<u32>) = (&partials.measures, (0..groups.ids.count as u32).collect());
    let grid = groups.grid(&places, places.len(), bin_count, limits)?;
    let mut sums = AddedCells::new(measures.len(), std::iter::once(figure), limits);
    let value = |group: usize| {
        if figure.is_of_greatest_bin() {
            return figure.of_greatest_bin(grid.of_group(group).map(|cell| (measures.as_slice(), Some(cell))));
        }
        sums.push(grid.of_group(group).map(|cell| Term { measures, cell }))?;
        figure.value(&sums.measures, Some(group), covered_us)
    };
    (0..places.len()).map(value).map(|value| Ok(value?.order())).collect()
}
