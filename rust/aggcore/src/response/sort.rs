//! The first rows by several columns: a top-k sort over normalized keys.
//!
//! Each column becomes unsigned integers that compare as its values do ([`SortKeys`]), in as few bits as its
//! range of values needs. The integers of a row are then packed into one `u64`, the first column highest, so
//! that one comparison replaces a comparison per column. Columns that do not fit are compared one by one.
//!
//! Normalized keys: Graefe, "Implementing Sorting in Database Systems", ACM Computing Surveys 38(3), 2006.
//! DuckDB sorts in the same way: <https://duckdb.org/2021/08/27/external-sorting>.
//!
//! Absent values come last, ascending and descending: their key is greater than every other one, and
//! [`SortKeys::descending`] leaves it as it is.

use std::cmp::Ordering;

use crate::record::schema::ABSENT;
use crate::scan::KeyValues;

/// A column of normalized keys: integers that compare as the values of the column do.
///
/// Present values have keys below `absent`, from 0; absent values have the key `absent`.
pub struct SortKeys {
    /// Keys by row, or by cell of a scan's result.
    pub values: Vec<u64>,
    absent: u64,
}

impl SortKeys {
    /// Returns the sort keys of a group key column, by cell.
    ///
    /// The key of an integer is its distance from the least one, that of a text its rank in the dictionary.
    pub fn of_key(values: &KeyValues) -> Self {
        match values {
            KeyValues::Ints(values) => Self::of_ints(values.iter().copied()),
            KeyValues::Texts { codes, entries } => {
                let ranks = ranks(entries);
                Self { values: codes.iter().map(|&code| ranks[code as usize]).collect(), absent: ranks[0] }
            }
        }
    }

    /// Returns the sort keys of integers, of which [`ABSENT`] stands for absent values.
    pub fn of_ints(values: impl Iterator<Item = i64> + Clone) -> Self {
        let present = values.clone().filter(|&value| value != ABSENT);
        let range = present.fold(None, |range, value| Some(range.map_or((value, value), |(low, high)| widen(low, high, value))));
        // ABSENT is the least i64, so present values span less than 2^64 - 1, and adding 1 does not overflow.
        let (low, absent) = range.map_or((0, 0), |(low, high)| (low, high.wrapping_sub(low) as u64 + 1));
        let key = |value: i64| if value == ABSENT { absent } else { value.wrapping_sub(low) as u64 };
        Self { values: values.map(key).collect(), absent }
    }

    /// Returns the keys at the given indices, in the order of these.
    pub fn gather(&self, indices: impl Iterator<Item = usize>) -> Self {
        Self { values: indices.map(|index| self.values[index]).collect(), absent: self.absent }
    }

    /// Reverses the order of the present values; absent ones still come last.
    pub fn descending(mut self) -> Self {
        let absent = self.absent;
        self.values.iter_mut().filter(|key| **key != absent).for_each(|key| *key = absent - 1 - *key);
        self
    }

    /// Returns the exclusive upper bound of the keys, or `u64::MAX` if the bound does not fit in 64 bits.
    pub fn bound(&self) -> u64 {
        self.absent.saturating_add(1)
    }

    /// Returns the bits that every key of the column fits in.
    fn bits(&self) -> u32 {
        u64::BITS - self.absent.leading_zeros()
    }
}

/// Returns the numbers of the first `limit` rows, sorted by the first column, then the second, and so on.
///
/// Rows that are equal in all columns are sorted by row number.
pub fn first_rows(row_count: usize, columns: &[SortKeys], limit: usize) -> Vec<u32> {
    let PackedKeys { keys, bits, rest } = pack(row_count, columns);
    let row_bits = usize::BITS - row_count.leading_zeros();
    if rest.is_empty() && bits + row_bits <= u64::BITS {
        // With the row number in its low bits, the integer is the whole row: the standard library sorts plain
        // integers without a branch per comparison.
        let keys = keys.into_iter().zip(0..).map(|(key, row)| key << row_bits | row).collect();
        let row = |key: u64| (key & ((1 << row_bits) - 1)) as u32;
        return smallest(keys, limit, u64::cmp).into_iter().map(row).collect();
    }
    let rest_of = |row: u32| rest.iter().map(move |column| column.values[row as usize]);
    let rows: Vec<(u64, u32)> = keys.into_iter().zip(0..).collect();
    let order = |&(a, row_a): &(u64, u32), &(b, row_b): &(u64, u32)| {
        a.cmp(&b).then_with(|| rest_of(row_a).cmp(rest_of(row_b))).then(row_a.cmp(&row_b))
    };
    smallest(rows, limit, order).into_iter().map(|(_, row)| row).collect()
}

/// Returns the `limit` smallest values in ascending order: a partial sort by quickselect.
fn smallest<T>(mut values: Vec<T>, limit: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if limit < values.len() {
        values.select_nth_unstable_by(limit, &order);
        values.truncate(limit);
    }
    values.sort_unstable_by(order);
    values
}

/// The keys of the leading columns, packed into one integer per row.
struct PackedKeys<'a> {
    /// By row: the key of the first column in the highest bits, that of the last packed column in the lowest.
    keys: Vec<u64>,
    /// Bits of a packed key.
    bits: u32,
    /// The columns that did not fit.
    rest: &'a [SortKeys],
}

/// Packs the leading columns, up to the first one that would exceed 64 bits.
fn pack(row_count: usize, columns: &[SortKeys]) -> PackedKeys<'_> {
    let (mut keys, mut bits) = (vec![0; row_count], 0);
    for (index, column) in columns.iter().enumerate() {
        if bits + column.bits() > u64::BITS {
            return PackedKeys { keys, bits, rest: &columns[index..] };
        }
        bits += column.bits();
        // A column of 64 bits can only follow columns of 0 bits, over keys of 0: `checked_shl` rejects a
        // shift by 64.
        let shift = |key: u64| key.checked_shl(column.bits()).unwrap_or(0);
        keys.iter_mut().zip(&column.values).for_each(|(key, value)| *key = shift(*key) | value);
    }
    PackedKeys { keys, bits, rest: &[] }
}

fn widen(low: i64, high: i64, value: i64) -> (i64, i64) {
    (low.min(value), high.max(value))
}

/// Returns the rank of each dictionary entry, in code point order.
///
/// Entry 0 is the empty text, which stands for absent values; its rank is the last one.
fn ranks(entries: &[String]) -> Vec<u64> {
    // Comparing prefixes as integers decides most comparisons without following the pointers to the texts.
    let mut order: Vec<(u64, &str, usize)> =
        entries.iter().enumerate().skip(1).map(|(code, text)| (prefix(text), text.as_str(), code)).collect();
    order.sort_unstable();
    let mut ranks = vec![order.len() as u64; entries.len().max(1)];
    (0..).zip(order).for_each(|(rank, (_, _, code))| ranks[code] = rank);
    ranks
}

/// Returns the first eight bytes of a text, padded with zeros, as an integer that compares as these bytes do.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_the_values_with_absent_last() {
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
        fn first_rows_equal_those_of_a_full_sort(
            rows in proptest::collection::vec([0..3i64, 0..2i64, 0..3i64], 0..30),
            wide in proptest::bits::u8::masked(7), limit in 0usize..40,
        ) {
            // A column that spans almost 64 bits leaves no room to pack the columns after it.
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
