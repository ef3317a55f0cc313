//! The instants at which the intervals of a scan begin, or end.
//!
//! Without keys, all are of one group. Each slice then adds an ascending run, which the thread that reads the slice sorts; slices
//! are mostly of one day each, so that their runs hardly overlap, and merging takes little more than a copy.

use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;

/// Bits of an instant that a pass of the radix sort looks at: its counters stay in the L1 cache.
const DIGIT_BITS: u32 = 11;
/// Instants from which a radix sort is faster than one that compares.
const RADIX_COUNT_MIN: usize = 1 << 10;

/// Instants, microseconds UTC, in any order.
pub(super) enum Instants {
    /// Those of the only group, as ascending runs.
    Runs(Vec<Vec<i64>>),
    /// Those of several groups, each with its group.
    Grouped { groups: Vec<u32>, at_us: Vec<i64> },
}

impl Instants {
    /// No instants: of groups, or else of the only group.
    pub(super) fn new(has_groups: bool) -> Self {
        if has_groups { Self::Grouped { groups: Vec::new(), at_us: Vec::new() } } else { Self::Runs(Vec::new()) }
    }

    /// No instants of the same kind.
    pub(super) fn emptied(&self) -> Self {
        Self::new(matches!(self, Self::Grouped { .. }))
    }

    /// Adds the instants of a slice, with their groups.
    pub(super) fn push_all(&mut self, instants: &[(u32, i64)]) {
        match self {
            Self::Runs(runs) => {
                if runs.is_empty() {
                    runs.push(Vec::new());
                }
                runs[0].extend(instants.iter().map(|(_, at_us)| at_us));
            }
            Self::Grouped { groups, at_us } => {
                groups.extend(instants.iter().map(|(group, _)| group));
                at_us.extend(instants.iter().map(|(_, at_us)| at_us));
            }
        }
    }

    /// Sorts what a slice added; a group of several is sorted later.
    pub(super) fn finish_slice(&mut self) {
        if let Self::Runs(runs) = self {
            runs.iter_mut().for_each(sort_run);
        }
    }

    /// Adds the instants of other slices: of group number i there, which is `groups[i]` here.
    pub(super) fn add_all(&mut self, groups_here: &[usize], added: Self) {
        match (self, added) {
            (Self::Runs(runs), Self::Runs(added)) => runs.extend(added),
            (Self::Grouped { groups, at_us }, Self::Grouped { groups: added, at_us: added_us }) => {
                groups.extend(added.iter().map(|&group| groups_here[group as usize] as u32));
                at_us.extend(added_us);
            }
            // One scan has one kind.
            (Self::Runs(_), Self::Grouped { .. }) | (Self::Grouped { .. }, Self::Runs(_)) => {}
        }
    }

    /// Number of instants.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Runs(runs) => runs.iter().map(Vec::len).sum(),
            Self::Grouped { at_us, .. } => at_us.len(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Runs(runs) => runs.iter().map(|run| run.capacity() * size_of::<i64>()).sum(),
            Self::Grouped { groups, at_us } => groups.capacity() * size_of::<u32>() + at_us.capacity() * size_of::<i64>(),
        }
    }

    /// Returns the instants of each of `group_count` groups, ascending, one group after the other, and where those of each end.
    /// Takes twice the bytes of the instants, which the caller reserves.
    ///
    /// # Errors
    /// Those of [`CancelToken::check`].
    pub(super) fn into_sorted(self, group_count: usize, cancel: &CancelToken) -> Result<(Vec<usize>, Vec<i64>)> {
        match self {
            Self::Runs(runs) => {
                let at_us = merged(runs, cancel)?;
                Ok((vec![at_us.len(); group_count], at_us))
            }
            Self::Grouped { groups, at_us } => sorted_by_group(&groups, &at_us, group_count, cancel),
        }
    }
}

/// Sorts a run: if it is long, by its first two digits, and then those that share them.
fn sort_run(run: &mut Vec<i64>) {
    let (Some(&least), Some(&greatest)) = (run.iter().min(), run.iter().max()) else { return };
    if run.len() < RADIX_COUNT_MIN {
        return run.sort_unstable();
    }
    let offset = |at_us: i64| at_us.wrapping_sub(least) as u64;
    let bits = u64::BITS - offset(greatest).leading_zeros();
    let shift = bits.saturating_sub(2 * DIGIT_BITS);
    let mut sorted = vec![0; run.len()];
    for shift in [shift, shift + DIGIT_BITS] {
        sort_by_digit(run, &mut sorted, |at_us| (offset(at_us) >> shift) as usize & ((1 << DIGIT_BITS) - 1));
        std::mem::swap(run, &mut sorted);
    }
    // Those of a day that share 22 bits lie within 33 ms.
    run.chunk_by_mut(|&one, &next| offset(one) >> shift == offset(next) >> shift).for_each(<[i64]>::sort_unstable);
}

/// Copies values in the order of their digits; those of one digit stay in their order.
fn sort_by_digit(values: &[i64], sorted: &mut [i64], digit_of: impl Fn(i64) -> usize) {
    let mut places = [0usize; 1 << DIGIT_BITS];
    values.iter().for_each(|&value| places[digit_of(value)] += 1);
    let mut start = 0;
    places.iter_mut().for_each(|count| start += std::mem::replace(count, start));
    for &value in values {
        let place = &mut places[digit_of(value)];
        sorted[*place] = value;
        *place += 1;
    }
}

/// Merges ascending runs: each joins the end of those that begin before it. If runs overlap so far that instants would move
/// more than once, the rest is sorted as a whole.
fn merged(mut runs: Vec<Vec<i64>>, cancel: &CancelToken) -> Result<Vec<i64>> {
    runs.retain(|run| !run.is_empty());
    runs.sort_unstable_by_key(|run| run[0]);
    let count = runs.iter().map(Vec::len).sum();
    let (mut all, mut moved_count) = (Vec::with_capacity(count), 0);
    for run in runs {
        cancel.check()?;
        if moved_count > count {
            all.extend(run);
            continue;
        }
        let overlap = all.len() - all.partition_point(|&at_us| at_us <= run[0]);
        moved_count += overlap;
        join(&mut all, overlap, &run);
    }
    if moved_count > count {
        sort_interruptibly(&mut all, cancel)?;
    }
    Ok(all)
}

/// Merges an ascending run with the last `overlap` of ascending instants.
fn join(all: &mut Vec<i64>, overlap: usize, run: &[i64]) {
    let tail = all.split_off(all.len() - overlap);
    let mut rest = run;
    for at_us in tail {
        let (before, after) = rest.split_at(rest.iter().take_while(|&&us| us < at_us).count());
        all.extend_from_slice(before);
        all.push(at_us);
        rest = after;
    }
    all.extend_from_slice(rest);
}

fn sorted_by_group(
    groups: &[u32], unsorted_us: &[i64], group_count: usize, cancel: &CancelToken,
) -> Result<(Vec<usize>, Vec<i64>)> {
    let mut places = vec![0; group_count];
    groups.iter().for_each(|&group| places[group as usize] += 1);
    let mut start = 0;
    places.iter_mut().for_each(|count| start += std::mem::replace(count, start));
    let mut at_us = vec![0; unsorted_us.len()];
    for (&group, &us) in groups.iter().zip(unsorted_us) {
        let place = &mut places[group as usize];
        at_us[*place] = us;
        *place += 1;
    }
    let mut start = 0;
    for &end in &places {
        let mut of_group = at_us[start..end].to_vec();
        sort_interruptibly(&mut of_group, cancel)?;
        at_us[start..end].copy_from_slice(&of_group);
        start = end;
    }
    Ok((places, at_us))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    /// Numbers that look random, the same in each run.
    fn scattered(count: usize, seed: u64, span: u64) -> Vec<i64> {
        let number = |i: usize| (i as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % span;
        (0..count).map(|i| number(i) as i64 - 1_000).collect()
    }

    #[test]
    fn runs_are_sorted_whatever_their_length_and_span() {
        for count in [0, 1, 2, RADIX_COUNT_MIN - 1, RADIX_COUNT_MIN, 5_000] {
            for span in [1, 2, 2_047, 2_048, 1 << 40, u64::MAX >> 2] {
                let mut run = scattered(count, 7, span);
                let mut expected = run.clone();
                expected.sort_unstable();
                sort_run(&mut run);
                assert!(run == expected, "{count} instants within {span}");
            }
        }
        let mut extremes = vec![i64::MAX; RADIX_COUNT_MIN];
        extremes.push(i64::MIN);
        sort_run(&mut extremes);
        assert_eq!(extremes[..2], [i64::MIN, i64::MAX]);
    }

    #[test]
    fn runs_merge_to_all_instants() {
        let days = |overlap: i64| (0..9).map(move |day| (0..500).map(|i| (day * 500 - overlap) + i).collect());
        let others = (0..9).map(|seed| scattered(400, seed * 400, 10_000));
        for runs in [days(0).collect(), days(3).rev().collect(), others.chain([Vec::new()]).collect::<Vec<Vec<i64>>>()] {
            let mut instants = Instants::new(false);
            for run in &runs {
                let mut of_slice = Instants::new(false);
                of_slice.push_all(&run.iter().map(|&at_us| (0, at_us)).collect::<Vec<_>>());
                of_slice.finish_slice();
                instants.add_all(&[0], of_slice);
            }
            let mut expected = runs.concat();
            expected.sort_unstable();
            let (ends, at_us) = instants.into_sorted(1, &CancelToken::with_limit(None)).unwrap();
            assert!(ends == [expected.len()] && at_us == expected);
        }
    }

    #[test]
    fn groups_follow_each_other() {
        let mut instants = Instants::new(true);
        instants.push_all(&[(1, 5), (0, 9)]);
        let mut added = Instants::new(true);
        added.push_all(&[(0, 3), (1, 4), (1, 2)]);
        instants.add_all(&[1, 2], added);
        let (ends, at_us) = instants.into_sorted(4, &CancelToken::with_limit(None)).unwrap();
        assert_eq!((ends, at_us), (vec![1, 3, 5, 5], vec![9, 3, 5, 2, 4]));
    }
}
