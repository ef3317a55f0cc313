//! Ascending runs of instants: sorting one, and merging several.
//!
//! A slice is mostly of one day, so that its runs hardly overlap those of others, and merging takes little more than a copy.

use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;

/// Bits of an instant that a pass of the radix sort looks at: its counters stay in the L1 cache.
const DIGIT_BITS: u32 = 11;
/// Instants from which a radix sort is faster than one that compares.
const RADIX_COUNT_MIN: usize = 1 << 10;

/// Sorts a run: if it is long, by its first two digits, and then those that share them. (Tried: one pass into buckets of four
/// instants, which are then sorted by insertion. Mispredicted branches made PEAK a quarter slower.)
pub(super) fn sort_run(run: &mut Vec<i64>) {
    let (Some(&least), Some(&greatest)) = (run.iter().min(), run.iter().max()) else { return };
    if run.len() < RADIX_COUNT_MIN || run.is_sorted() {
        return run.sort_unstable();
    }
    let offset = |at_us: i64| at_us.wrapping_sub(least) as u64;
    let bits = u64::BITS - offset(greatest).leading_zeros();
    let shift = bits.saturating_sub(2 * DIGIT_BITS);
    let digits = |at_us: i64| {
        let both = (offset(at_us) >> shift) as usize;
        [both & ((1 << DIGIT_BITS) - 1), both >> DIGIT_BITS]
    };
    let mut places = [[0u32; 1 << DIGIT_BITS]; 2];
    for &at_us in run.iter() {
        let [low, high] = digits(at_us);
        places[0][low] += 1;
        places[1][high] += 1;
    }
    let mut sorted = vec![0; run.len()];
    for (number, places) in places.iter_mut().enumerate() {
        let mut start = 0;
        places.iter_mut().for_each(|count| start += std::mem::replace(count, start));
        for &at_us in run.iter() {
            let place = &mut places[digits(at_us)[number]];
            sorted[*place as usize] = at_us;
            *place += 1;
        }
        std::mem::swap(run, &mut sorted);
    }
    // Those of a day that share 22 bits lie within 33 ms.
    run.chunk_by_mut(|&one, &next| offset(one) >> shift == offset(next) >> shift).for_each(<[i64]>::sort_unstable);
}

/// Merges ascending runs: each joins the end of those that begin before it. If runs overlap so far that instants would move
/// more than once, the rest is sorted as a whole.
pub(super) fn merged(mut runs: Vec<Vec<i64>>, cancel: &CancelToken) -> Result<Vec<i64>> {
    runs.retain(|run| !run.is_empty());
    runs.sort_unstable_by_key(|run| run[0]);
    let count: usize = runs.iter().map(Vec::len).sum();
    let mut runs = runs.into_iter();
    let (mut all, mut moved_count) = (runs.next().unwrap_or_default(), 0);
    all.reserve(count - all.len());
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
            for span in [1, 2, 2_047, 2_048, 1 << 22, (1 << 22) + 1, 1 << 40, u64::MAX >> 2] {
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
            let mut expected = runs.concat();
            expected.sort_unstable();
            let mut ascending = runs;
            ascending.iter_mut().for_each(sort_run);
            assert!(merged(ascending, &CancelToken::with_limit(None)).unwrap() == expected);
        }
    }
}
