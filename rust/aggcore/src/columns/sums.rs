//! Sums of records: three integers, or packed into two words.

use crate::error::{Error, Result};

/// Sums of one cell.
pub type Sums = [i64; 3];

/// Two sums of a slice's rows, of which there are less than 2^31, in one word, the second above the lowest 31 bits; and a
/// sum of milliseconds of less than 2^31 each. So none of them runs over, and a row costs two additions without a look.
pub type PackedSums = [u64; 2];

/// Where the second of two sums in a word begins.
pub const ANSWERED_SHIFT: u32 = 31;

/// What one call adds: `ms` as [`CallDurations::Milliseconds`](super::call_duration::CallDurations::Milliseconds).
#[inline]
pub fn packed_call(ms: i32) -> PackedSums {
    [1 | u64::from(ms >= 0) << ANSWERED_SHIFT, ms.max(0) as u64]
}

/// The sums of calls as one word and milliseconds.
pub fn packed_sums([calls, answered, ms]: Sums) -> PackedSums {
    [calls as u64 | (answered as u64) << ANSWERED_SHIFT, ms as u64]
}

/// The sums of calls.
pub fn unpacked_calls([counts, ms]: PackedSums) -> Sums {
    [(counts & ((1 << ANSWERED_SHIFT) - 1)) as i64, (counts >> ANSWERED_SHIFT) as i64, ms as i64]
}

/// Adds to sums.
///
/// # Errors
/// `SumOverflow`.
#[inline]
pub fn add(sums: &mut Sums, added: Sums) -> Result<()> {
    let mut is_over = false;
    for (sum, added) in sums.iter_mut().zip(added) {
        let (now, over) = sum.overflowing_add(added);
        (*sum, is_over) = (now, is_over | over);
    }
    if is_over { Err(Error::SumOverflow) } else { Ok(()) }
}
