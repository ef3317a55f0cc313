//! Dense ids: distinct values get the numbers 0, 1, 2 … in order of first appearance, so that their sums are
//! in an array indexed by the id instead of a hash table.
//!
//! [`DenseIds`] numbers integers, [`TextIds`] texts. Integers below a bound (`direct_id_slot_count_max`) are
//! looked up in a table with a slot per possible value, others in an open-addressing hash table with linear
//! probing.
//!
//! Tried: the hash table wherever the direct table takes more than 512 KiB. The active-sessions report became
//! a third slower and the folder report a quarter, though their direct tables take 4.5 MB.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::cancellation::CancelToken;
use crate::columns::interner::Interner;
use crate::error::Result;
use crate::tuning::Tuning;

/// Slots of a new hash table, 4 bytes each; a power of two.
const HASHED_SLOTS_MIN: usize = 1 << 10;

/// Zeroed direct tables of dropped [`DenseIds`], for the next ones of the same store.
///
/// When a table is returned, only the used slots are cleared. A scan with 10,000 groups in a table of 4.5 MB
/// would otherwise spend more time on zeroing the table than on filling it.
#[derive(Debug, Default)]
pub struct IdTablePool {
    tables: Mutex<Vec<Vec<u32>>>,
    tuning: Arc<Tuning>,
}

impl IdTablePool {
    /// Creates an empty pool.
    pub fn new(tuning: &Arc<Tuning>) -> Self {
        Self { tables: Mutex::default(), tuning: Arc::clone(tuning) }
    }

    /// Whether values below `bound` in about `row_count` rows are looked up in a direct table.
    fn prefers_direct(&self, bound: u64, row_count: usize) -> bool {
        let slots_of_rows = row_count.saturating_mul(self.tuning.direct_id_slots_per_row_max);
        bound <= self.tuning.direct_id_slot_count_max.min(slots_of_rows) as u64
    }

    /// Returns a zeroed table of at least `slot_count` slots, from the pool if it is a large one.
    fn take(&self, slot_count: usize) -> Vec<u32> {
        let is_pooled = slot_count >= self.tuning.pooled_id_slot_count_min;
        let mut slots = if is_pooled { self.tables.lock().pop() } else { None }.unwrap_or_default();
        if slots.len() < slot_count {
            slots.resize(slot_count, 0);
        }
        slots
    }

    /// Takes a table back, `used` are its nonzero slots, which are cleared first.
    fn put_back(&self, mut slots: Vec<u32>, used: &[u64]) {
        if slots.len() < self.tuning.pooled_id_slot_count_min {
            return;
        }
        used.iter().for_each(|&value| slots[value as usize] = 0);
        let mut tables = self.tables.lock();
        if tables.len() < self.tuning.pooled_id_table_count_max {
            tables.push(slots);
        }
    }
}

/// Dense ids of integers.
pub struct DenseIds {
    /// The integers by id.
    values: Vec<u64>,
    lookup: IdLookup,
    /// Slots of a direct table that the values need; one from the pool may have more.
    direct_slot_count: usize,
    pool: Arc<IdTablePool>,
}

enum IdLookup {
    /// Slot `v` has the id of the value `v`, plus 1; 0 if the value has not appeared.
    Direct(Vec<u32>),
    /// The same in a hash table with linear probing. The number of slots is a power of two; at most half are
    /// used.
    Hashed(Vec<u32>),
}

impl DenseIds {
    /// Ids for values below `bound` in about `row_count` rows.
    pub fn with_bound(bound: u64, row_count: usize, pool: &Arc<IdTablePool>) -> Self {
        let direct_slot_count = if pool.prefers_direct(bound, row_count) { bound as usize } else { 0 };
        let lookup = match direct_slot_count {
            0 => IdLookup::Hashed(vec![0; HASHED_SLOTS_MIN]),
            _ => IdLookup::Direct(pool.take(direct_slot_count)),
        };
        Self { values: Vec::new(), lookup, direct_slot_count, pool: Arc::clone(pool) }
    }

    /// The values by id.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Bytes of memory that the ids take.
    pub fn bytes(&self) -> usize {
        let slot_count = match &self.lookup {
            IdLookup::Direct(_) => self.direct_slot_count,
            IdLookup::Hashed(slots) => slots.capacity(),
        };
        self.values.capacity() * size_of::<u64>() + slot_count * size_of::<u32>()
    }

    /// Replaces each value by its id.
    pub fn replace_with_ids<P: GroupCode>(&mut self, values: &mut [P]) {
        let distinct = &mut self.values;
        match &mut self.lookup {
            IdLookup::Direct(slots) => {
                let slots = slots.as_mut_slice();
                values.iter_mut().for_each(|value| *value = P::of(id_direct(distinct, slots, value.wide())));
            }
            IdLookup::Hashed(slots) => {
                values.iter_mut().for_each(|value| *value = P::of(id_hashed(distinct, slots, value.wide())));
            }
        }
    }
}

/// An integer type for packed group codes: `u32` if all codes of a slice fit, because a vector instruction
/// processes twice the number of codes, else `u64`.
pub trait GroupCode: Copy {
    /// Converts a value that fits.
    fn of(value: u64) -> Self;
    /// The value in 64 bits.
    fn wide(self) -> u64;
    /// Appends a digit to a mixed-radix number: `self * radix + digit`.
    fn push_digit(self, radix: Self, digit: Self) -> Self;
}

macro_rules! group_code {
    ($($width:ty),*) => {$(
        impl GroupCode for $width {
            #[inline]
            fn of(value: u64) -> Self {
                value as Self
            }

            #[inline]
            fn wide(self) -> u64 {
                self.into()
            }

            #[inline]
            fn push_digit(self, radix: Self, digit: Self) -> Self {
                self * radix + digit
            }
        }
    )*};
}

group_code!(u32, u64);

impl Drop for DenseIds {
    /// Returns a large direct table to the pool.
    fn drop(&mut self) {
        if let IdLookup::Direct(slots) = &mut self.lookup {
            self.pool.put_back(std::mem::take(slots), &self.values);
        }
    }
}

/// The id of a value below the number of slots.
#[inline]
fn id_direct(distinct: &mut Vec<u64>, slots: &mut [u32], value: u64) -> u64 {
    let slot = &mut slots[value as usize];
    if *slot == 0 {
        *slot = assign_next(distinct, value);
    }
    u64::from(*slot - 1)
}

/// Adds a new value and returns the number of values, which is its id plus 1. Out of line so that the loop
/// over rows stays small: most rows have a value that was seen before.
#[cold]
#[inline(never)]
fn assign_next(distinct: &mut Vec<u64>, value: u64) -> u32 {
    distinct.push(value);
    distinct.len() as u32
}

/// The id of any value. Doubles the table when more than half of its slots are used.
fn id_hashed(distinct: &mut Vec<u64>, slots: &mut Vec<u32>, value: u64) -> u64 {
    let slot = probe(distinct, slots, value);
    if slots[slot] != 0 {
        return u64::from(slots[slot] - 1);
    }
    distinct.push(value);
    slots[slot] = distinct.len() as u32;
    if distinct.len() * 2 > slots.len() {
        *slots = vec![0; slots.len() * 2];
        for (number, &value) in (1..).zip(distinct.iter()) {
            let slot = probe(distinct, slots, value);
            slots[slot] = number;
        }
    }
    distinct.len() as u64 - 1
}

/// The slot of a value, or the empty one where it is to be inserted.
#[inline]
fn probe(distinct: &[u64], slots: &[u32], value: u64) -> usize {
    let mut slot = hash_words([value]) as usize & (slots.len() - 1);
    while slots[slot] != 0 && distinct[slots[slot] as usize - 1] != value {
        slot = (slot + 1) & (slots.len() - 1);
    }
    slot
}

/// Dense ids of texts. Id 0 is the absent text ""; other texts follow in order of first appearance.
#[derive(Default)]
pub struct TextIds(Interner);

impl TextIds {
    /// Number of ids, including that of the absent text.
    pub fn count(&self) -> usize {
        1 + self.0.entries().len()
    }

    /// Returns the id of a text, a new one if the text is new.
    pub fn id(&mut self, text: &str) -> u32 {
        // `NO_CODE`, the code of the absent text, is -1.
        (self.0.code(text) + 1) as u32
    }

    /// Makes room for `count` new texts.
    pub fn reserve(&mut self, count: usize) {
        self.0.reserve(count);
    }

    /// Bytes of memory that the texts take.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Interns the texts of `other`. Returns their ids in `self`, by their ids in `other`.
    ///
    /// # Errors
    /// As [`CancelToken::check`].
    pub fn ids_of(&mut self, other: &Self, cancel: &CancelToken) -> Result<Vec<i64>> {
        let ids = other.0.entries().iter().enumerate().map(|(number, text)| {
            cancel.check_at(number)?;
            Ok(i64::from(self.id(text)))
        });
        std::iter::once(Ok(0)).chain(ids).collect()
    }

    /// The texts by id.
    pub fn into_texts(self) -> Vec<String> {
        let texts = self.0.into_entries().into_iter().map(String::from);
        std::iter::once(String::new()).chain(texts).collect()
    }
}

/// Hashes a few words by folded multiplication, as [foldhash](https://github.com/orlp/foldhash) and
/// [wyhash](https://github.com/wangyi-fudan/wyhash) do: each word is XORed into the state, the state is
/// multiplied by an odd constant to 128 bits, and the upper half of the product is XORed into the lower one.
///
/// The hash is neither seeded nor stable across versions: it is for tables that live as long as one scan. The
/// constants are the first digits of pi, and 2^64 divided by the golden ratio.
#[inline]
pub fn hash_words(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0x243f_6a88_85a3_08d3, |hash, word| {
        let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
        product as u64 ^ (product >> 64) as u64
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_order_of_appearance_in_direct_and_hash_tables() {
        let pool = Arc::new(IdTablePool::default());
        let (pooled, greatest) = (pool.tuning.pooled_id_slot_count_min as u64, pool.tuning.direct_id_slot_count_max as u64);
        // Some of the direct tables come from the pool.
        for bound in [10, greatest, pooled, greatest, u64::MAX] {
            let mut ids = DenseIds::with_bound(bound, 1 << 20, &pool);
            let mut values: [u64; 6] = [7, 3, 7, 0, 9, 3];
            ids.replace_with_ids(&mut values);
            assert_eq!(values, [0, 1, 0, 2, 3, 1]);
            ids.replace_with_ids(&mut values[..1]);
            assert_eq!((values[0], ids.values()), (2, [7, 3, 0, 9].as_slice()));
        }
    }

    #[test]
    fn the_absent_text_has_id_0() {
        let (mut ids, mut other) = (TextIds::default(), TextIds::default());
        assert_eq!((["b", "", "a", "b"].map(|text| ids.id(text)), ids.count()), ([1, 0, 2, 1], 3));
        assert_eq!((["", "c", "a"].map(|text| other.id(text)), other.count()), ([0, 1, 2], 3));
        assert_eq!(ids.ids_of(&other, &CancelToken::with_limit(None)).unwrap(), [0, 3, 2]);
        assert_eq!(ids.into_texts(), ["", "b", "a", "c"]);
    }

    #[test]
    fn a_direct_table_has_at_most_16_slots_per_row() {
        let pool = IdTablePool::default();
        assert!(pool.prefers_direct(16, 1) && !pool.prefers_direct(17, 1));
        let greatest = pool.tuning.direct_id_slot_count_max as u64;
        assert!(pool.prefers_direct(greatest, 1 << 20) && !pool.prefers_direct(greatest + 1, 1 << 20));
    }
}
