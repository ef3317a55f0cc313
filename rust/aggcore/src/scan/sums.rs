//! The sums of calls: three integers, or packed into two words.
//!
//! [`PackedSums`] have this layout. A user sums fewer than 2^31 calls into it, each shorter than 2^31 ms,
//! so no field can overflow into its neighbour; adding two packed sums is two 64-bit additions without a
//! check.
//!
//! | word | bits  | sum                         |
//! |------|-------|-----------------------------|
//! | 0    | 0-30  | calls                       |
//! | 0    | 31-63 | answered calls              |
//! | 1    | 0-63  | call durations, milliseconds |

use crate::error::{Error, Result};

/// Sums of one cell, as the measure of the scan defines them; for calls: calls, answered calls, call
/// durations in milliseconds.
pub type Sums = [i64; 3];

/// [`Sums`] of fewer than 2^31 calls, in the layout above.
pub type PackedSums = [u64; 2];

/// Lowest bit of the number of answered calls in word 0.
pub const ANSWERED_SHIFT: u32 = 31;

/// Returns the packed sums of one call, without a branch.
///
/// `ms` is as in [`CallDurations::Milliseconds`](crate::columns::call_duration::CallDurations::Milliseconds): -1 if
/// unanswered.
#[inline]
pub fn packed_call(ms: i32) -> PackedSums {
    [1 | u64::from(ms >= 0) << ANSWERED_SHIFT, ms.max(0) as u64]
}

/// Packs sums that fit the layout.
pub fn packed_sums([calls, answered, ms]: Sums) -> PackedSums {
    [calls as u64 | (answered as u64) << ANSWERED_SHIFT, ms as u64]
}

/// Drops all but the number of calls.
#[inline]
pub fn call_count_only([counts, _]: PackedSums) -> PackedSums {
    [counts & ((1 << ANSWERED_SHIFT) - 1), 0]
}

/// Unpacks sums.
pub fn unpacked_sums([counts, ms]: PackedSums) -> Sums {
    [(counts & ((1 << ANSWERED_SHIFT) - 1)) as i64, (counts >> ANSWERED_SHIFT) as i64, ms as i64]
}

/// Adds `added` to `sums`.
///
/// # Errors
/// `SumOverflow` if a sum exceeds `i64`; `sums` is then wrapped and must not be used.
#[inline]
pub fn add(sums: &mut Sums, added: Sums) -> Result<()> {
    // One branch for all three sums.
    let mut is_over = false;
    for (sum, added) in sums.iter_mut().zip(added) {
        let (now, over) = sum.overflowing_add(added);
        (*sum, is_over) = (now, is_over | over);
    }
    if is_over { Err(Error::SumOverflow) } else { Ok(()) }
}
