//! Distinct values, numbered from 0 in order of appearance.

use parking_lot::Mutex;

use crate::columns::interner::Interner;

/// Bound up to which values are looked up by slot: 16 MiB of slots.
const DIRECT_SLOTS_MAX: u64 = 1 << 22;
/// RowMetadata slots than so many per row would cost more to clear than hashing costs.
const DIRECT_SLOTS_PER_ROW_MAX: u64 = 16;

const HASHED_SLOTS_MIN: usize = 1 << 10;

/// Slots of numbers that are no more, all 0 again: to clear those that were used takes less than to clear them all.
static SLOT_POOL: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());
const POOLED_TABLES_MAX: usize = 4;
/// Fewer slots are cleared as soon as they are got from there.
const POOLED_SLOTS_MIN: u64 = 1 << 12;

/// Integers that are numbered.
pub struct DenseIds {
    values: Vec<u64>,
    lookup: IdLookup,
}

enum IdLookup {
    /// Number + 1 by value, 0 where the value has not appeared.
    Direct(Vec<u32>),
    /// The same by hash of the value, or by what of the following is free: a power of two, no more than half of them taken.
    Hashed(Vec<u32>),
}

impl DenseIds {
    /// For values below `bound`, asked for about `row_count` times.
    pub fn with_bound(bound: u64, row_count: usize) -> Self {
        let is_direct = bound <= DIRECT_SLOTS_MAX.min(row_count as u64 * DIRECT_SLOTS_PER_ROW_MAX);
        let lookup = if is_direct { IdLookup::Direct(zeroed_slots(bound)) } else { IdLookup::Hashed(vec![0; HASHED_SLOTS_MIN]) };
        Self { values: Vec::new(), lookup }
    }

    /// The values by number.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Puts the number of each value in its slot.
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

/// An integer as wide as those of a grouping need to be: of the narrow ones twice as many are worked out at a time.
pub trait GroupCode: Copy {
    /// A value that fits.
    fn of(value: u64) -> Self;
    /// The value.
    fn wide(self) -> u64;
    /// What stands before a code of this radix, together with the code.
    fn push_digit(self, radix: Self, code: Self) -> Self;
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
            fn push_digit(self, radix: Self, code: Self) -> Self {
                self * radix + code
            }
        }
    )*};
}

group_code!(u32, u64);

impl Drop for DenseIds {
    fn drop(&mut self) {
        if let IdLookup::Direct(slots) = &mut self.lookup
            && slots.len() as u64 >= POOLED_SLOTS_MIN
        {
            let mut slots = std::mem::take(slots);
            self.values.iter().for_each(|&value| slots[value as usize] = 0);
            let mut pool = SLOT_POOL.lock();
            if pool.len() < POOLED_TABLES_MAX {
                pool.push(slots);
            }
        }
    }
}

/// So many slots or more, all 0.
fn zeroed_slots(count: u64) -> Vec<u32> {
    let mut slots = if count >= POOLED_SLOTS_MIN { SLOT_POOL.lock().pop() } else { None }.unwrap_or_default();
    if slots.len() < count as usize {
        slots.resize(count as usize, 0);
    }
    slots
}

#[inline]
fn id_direct(distinct: &mut Vec<u64>, slots: &mut [u32], value: u64) -> u64 {
    let slot = &mut slots[value as usize];
    if *slot == 0 {
        *slot = assign_next(distinct, value);
    }
    u64::from(*slot - 1)
}

/// Adds a value, and gives how many there are. ColumnKind out of the loops that look for distinct, as most rows have one that
/// is distinct.
#[cold]
#[inline(never)]
fn assign_next(distinct: &mut Vec<u64>, value: u64) -> u32 {
    distinct.push(value);
    distinct.len() as u32
}

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

/// Where a value is, or belongs.
#[inline]
fn probe(distinct: &[u64], slots: &[u32], value: u64) -> usize {
    let mut slot = hash_words([value]) as usize & (slots.len() - 1);
    while slots[slot] != 0 && distinct[slots[slot] as usize - 1] != value {
        slot = (slot + 1) & (slots.len() - 1);
    }
    slot
}

/// Ids of texts: 0 is the absent text "", the others follow in order of first appearance.
#[derive(Default)]
pub struct TextIds(Interner);

impl TextIds {
    /// Number of ids, that of the absent text included.
    pub fn count(&self) -> usize {
        1 + self.0.entries().len()
    }

    /// The id of a text; a text that has none gets the next one.
    pub fn id(&mut self, text: &str) -> u32 {
        // `NO_CODE`, the code of the absent text, is -1.
        (self.0.code(text) + 1) as u32
    }

    /// The ids here of the texts of `other`, by their ids there.
    pub fn ids_of(&mut self, other: &Self) -> Vec<i64> {
        let ids = other.0.entries().iter().map(|text| i64::from(self.id(text)));
        std::iter::once(0).chain(ids).collect()
    }

    /// The texts by id.
    pub fn into_texts(self) -> Vec<String> {
        let texts = self.0.into_entries().into_iter().map(String::from);
        std::iter::once(String::new()).chain(texts).collect()
    }
}

/// A hash of a few words, for tables that live as long as one scan: each word is folded in by the two halves of
/// a product.
#[inline]
pub fn hash_words(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0x243f_6a88_85a3_08d3, |hash, word| {
        let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
        product as u64 ^ (product >> 64) as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order_of_appearance_by_slot_and_by_hash() {
        // Of those by slot, some get slots that others had.
        for bound in [10, DIRECT_SLOTS_MAX, POOLED_SLOTS_MIN, DIRECT_SLOTS_MAX, u64::MAX] {
            let mut numbers = DenseIds::with_bound(bound, 1);
            let mut values: [u64; 6] = [7, 3, 7, 0, 9, 3];
            numbers.replace_with_ids(&mut values);
            assert_eq!(values, [0, 1, 0, 2, 3, 1]);
            numbers.replace_with_ids(&mut values[..1]);
            assert_eq!((values[0], numbers.values()), (2, [7, 3, 0, 9].as_slice()));
        }
    }

    #[test]
    fn the_absent_text_has_id_0() {
        let (mut ids, mut other) = (TextIds::default(), TextIds::default());
        assert_eq!((["b", "", "a", "b"].map(|text| ids.id(text)), ids.count()), ([1, 0, 2, 1], 3));
        assert_eq!((["", "c", "a"].map(|text| other.id(text)), other.count()), ([0, 1, 2], 3));
        assert_eq!(ids.ids_of(&other), [0, 3, 2]);
        assert_eq!(ids.into_texts(), ["", "b", "a", "c"]);
    }

    #[test]
    fn slots_are_as_many_as_the_rows_are_worth() {
        let by_slot = |bound, row_count| matches!(DenseIds::with_bound(bound, row_count).lookup, IdLookup::Direct(_));
        assert!(by_slot(16, 1) && !by_slot(17, 1));
        assert!(by_slot(DIRECT_SLOTS_MAX, 1 << 20) && !by_slot(DIRECT_SLOTS_MAX + 1, 1 << 20));
    }
}
