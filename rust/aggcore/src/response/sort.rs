//! Rows in order: what they are compared by becomes integers, and these one integer where they fit.

use std::cmp::Ordering;

use crate::record::schema::ABSENT;
use crate::scan::KeyValues;

/// Values by cell or row as integers that compare as the values do; `absent`, the greatest, stands for absent ones.
pub struct SortKeys {
    /// The integers.
    pub values: Vec<u64>,
    absent: u64,
}

impl SortKeys {
    /// Of the values of a key.
    pub fn of_key(values: &KeyValues) -> Self {
        match values {
            KeyValues::Ints(values) => Self::of_ints(values.iter().copied()),
            KeyValues::Texts { codes, entries } => {
                let ranks = ranks(entries);
                Self { values: codes.iter().map(|&code| ranks[code as usize]).collect(), absent: ranks[0] }
            }
        }
    }

    /// Of integers, absent ones as [`ABSENT`].
    pub fn of_ints(values: impl Iterator<Item = i64> + Clone) -> Self {
        let present = values.clone().filter(|&value| value != ABSENT);
        let range = present.fold(None, |range, value| Some(range.map_or((value, value), |(low, high)| widen(low, high, value))));
        // No difference is 2^64 - 1, as ABSENT is the least integer, so that one more fits.
        let (low, absent) = range.map_or((0, 0), |(low, high)| (low, high.wrapping_sub(low) as u64 + 1));
        let ordinal = |value: i64| if value == ABSENT { absent } else { value.wrapping_sub(low) as u64 };
        Self { values: values.map(ordinal).collect(), absent }
    }

    /// The same values at other places.
    pub fn gather(&self, places: impl Iterator<Item = usize>) -> Self {
        Self { values: places.map(|place| self.values[place]).collect(), absent: self.absent }
    }

    /// The greatest first, absent ones last all the same.
    pub fn descending(mut self) -> Self {
        let absent = self.absent;
        self.values.iter_mut().filter(|value| **value != absent).for_each(|value| *value = absent - 1 - *value);
        self
    }

    /// What all values are below; the greatest of all integers where none is.
    pub fn bound(&self) -> u64 {
        self.absent.saturating_add(1)
    }

    fn bits(&self) -> u32 {
        u64::BITS - self.absent.leading_zeros()
    }
}

/// The rows with the least values of the first column, of equals those with the least of the second, and so on:
/// in order, as many as asked for.
pub fn first_rows(row_count: usize, columns: &[SortKeys], limit: usize) -> Vec<u32> {
    let (packed, bits, rest) = pack(row_count, columns);
    let row_bits = usize::BITS - row_count.leading_zeros();
    if rest.is_empty() && bits + row_bits <= u64::BITS {
        // With the row beneath it an integer says all, and integers alone are sorted without a branch.
        let keys = packed.into_iter().zip(0..).map(|(key, row)| key << row_bits | row).collect();
        let row = |key: u64| (key & ((1 << row_bits) - 1)) as u32;
        return smallest(keys, limit, u64::cmp).into_iter().map(row).collect();
    }
    let rest_of = |row: u32| rest.iter().map(move |column| column.values[row as usize]);
    let rows: Vec<(u64, u32)> = packed.into_iter().zip(0..).collect();
    let order = |&(a, row_a): &(u64, u32), &(b, row_b): &(u64, u32)| {
        a.cmp(&b).then_with(|| rest_of(row_a).cmp(rest_of(row_b))).then(row_a.cmp(&row_b))
    };
    smallest(rows, limit, order).into_iter().map(|(_, row)| row).collect()
}

/// The least of some values in order, as many as asked for.
fn smallest<T>(mut values: Vec<T>, limit: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if limit < values.len() {
        values.select_nth_unstable_by(limit, &order);
        values.truncate(limit);
    }
    values.sort_unstable_by(order);
    values
}

/// The leading columns, as many as fit, in one integer per row, and the bits that it takes; and the other columns.
fn pack(row_count: usize, columns: &[SortKeys]) -> (Vec<u64>, u32, &[SortKeys]) {
    let (mut packed, mut bits) = (vec![0; row_count], 0);
    for (number, column) in columns.iter().enumerate() {
        if bits + column.bits() > u64::BITS {
            return (packed, bits, &columns[number..]);
        }
        bits += column.bits();
        // Shifting out all 64 bits is no shift in Rust; there is nothing before such a column.
        let shift = |place: u64| place.checked_shl(column.bits()).unwrap_or(0);
        packed.iter_mut().zip(&column.values).for_each(|(place, value)| *place = shift(*place) | value);
    }
    (packed, bits, &[])
}

fn widen(low: i64, high: i64, value: i64) -> (i64, i64) {
    (low.min(value), high.max(value))
}

/// IdLookup of texts in the order of their code points; the first text stands for absent ones and comes last.
fn ranks(entries: &[String]) -> Vec<u64> {
    // Most texts differ in their first bytes, which compare faster without a look at the rest.
    let mut order: Vec<(u64, &str, usize)> =
        entries.iter().enumerate().skip(1).map(|(code, text)| (prefix(text), text.as_str(), code)).collect();
    order.sort_unstable();
    let mut ranks = vec![order.len() as u64; entries.len().max(1)];
    (0..).zip(order).for_each(|(rank, (_, _, code))| ranks[code] = rank);
    ranks
}

fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_compare_as_the_values_with_absent_last() {
        for values in [vec![3, ABSENT, -1, 3], vec![i64::MAX, ABSENT + 1, ABSENT, 0], vec![ABSENT], vec![i64::MAX, ABSENT]] {
            let key = |value: i64| (value == ABSENT, value);
            let (ascending, descending) =
                (SortKeys::of_ints(values.iter().copied()), SortKeys::of_ints(values.iter().copied()).descending());
            for (i, &a) in values.iter().enumerate() {
                for (j, &b) in values.iter().enumerate() {
                    assert_eq!(ascending.values[i].cmp(&ascending.values[j]), key(a).cmp(&key(b)), "{a} {b}");
                    let reversed = if a == ABSENT || b == ABSENT { key(a).cmp(&key(b)) } else { b.cmp(&a) };
                    assert_eq!(descending.values[i].cmp(&descending.values[j]), reversed, "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn texts_rank_by_code_point() {
        let entries = ["", "b", "a\0", "a", "abcdefgh\0", "abcdefgh", "é", "Z"].map(str::to_owned);
        assert_eq!(ranks(&entries), [7, 5, 2, 1, 4, 3, 6, 0]);
    }

    proptest::proptest! {
        #[test]
        fn first_rows_are_those_of_a_plain_sort(
            rows in proptest::collection::vec([0..3i64, 0..2i64, 0..3i64], 0..30), wide in proptest::bits::u8::masked(7), limit in 0usize..40,
        ) {
            // A factor that spreads a column over almost 64 bits leaves the columns after it to be compared one by one.
            let column = |number: usize| {
                let factor = if wide >> number & 1 == 1 { i64::MAX / 2 } else { 1 };
                SortKeys::of_ints(rows.iter().map(move |row| row[number] * factor))
            };
            let found = first_rows(rows.len(), &[column(0), column(1), column(2)], limit);
            let mut expected: Vec<u32> = (0..rows.len() as u32).collect();
            expected.sort_by_key(|&row| rows[row as usize]);
            expected.truncate(limit);
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
