//! A sort that notices cancellation: by runs, which are then merged.

use crate::cancellation::CancelToken;
use crate::error::Result;

/// Values that are sorted without a check of the cancellation token, which takes milliseconds.
const RUN_LEN: usize = 1 << 14;

/// Sorts values, with a check of the cancellation token every few milliseconds: by runs, which are then merged.
/// Takes a copy of `values`, whose memory the caller reserves.
///
/// # Errors
/// Those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
pub fn sort_interruptibly<T: Copy + Ord>(values: &mut Vec<T>, cancel: &CancelToken) -> Result<()> {
    for run in values.chunks_mut(RUN_LEN) {
        cancel.check()?;
        run.sort_unstable();
    }
    let (mut run_len, mut merged) = (RUN_LEN, Vec::new());
    while run_len < values.len() {
        merged.clear();
        merged.reserve(values.len());
        for pair in values.chunks(2 * run_len) {
            let (left, right) = pair.split_at(run_len.min(pair.len()));
            merge(left, right, &mut merged, cancel)?;
        }
        std::mem::swap(values, &mut merged);
        run_len *= 2;
    }
    Ok(())
}

/// Appends two sorted runs to `merged` as one.
fn merge<T: Copy + Ord>(left: &[T], right: &[T], merged: &mut Vec<T>, cancel: &CancelToken) -> Result<()> {
    let (mut from_left, mut from_right) = (0, 0);
    if left.last() <= right.first() {
        from_left = left.len();
        merged.extend_from_slice(left);
    }
    while from_left < left.len() && from_right < right.len() {
        cancel.check_at(from_left + from_right)?;
        let takes_right = right[from_right] < left[from_left];
        merged.push(if takes_right { right[from_right] } else { left[from_left] });
        from_right += usize::from(takes_right);
        from_left += usize::from(!takes_right);
    }
    merged.extend_from_slice(&left[from_left..]);
    merged.extend_from_slice(&right[from_right..]);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn runs_merge_to_a_sorted_whole() {
        for len in [0, 1, RUN_LEN, RUN_LEN + 1, 2 * RUN_LEN, 5 * RUN_LEN - 3] {
            let mut values: Vec<u64> = (0..len as u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            sort_interruptibly(&mut values, &CancelToken::with_limit(None)).unwrap();
            assert!(values == expected, "{len}");
        }
    }
}
