//! The first rows by several columns, sorted: by integers, a few columns at a time.
//!
//! Each column becomes normalized keys (`sort_keys.rs`). The keys of a row are packed into one integer, the first column
//! highest, as far as they fit, so that one comparison replaces a comparison per column. Rows that are still equal (tied)
//! are then sorted by the next columns, whose keys are computed for these rows alone.
//!
//! With a limit, one column after the other is used to drop rows that are not among the first ones, before anything
//! is sorted. So a column whose order costs much, such as one of texts, is read for few rows.

use super::answer::AnswerLimits;
use super::sort_keys::SortColumn;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;
use crate::memory::Reservation;

/// Bytes of memory per row while rows are sorted: keys of one column, packed keys and a copy of these; the row, its index,
/// its tie; the row in sorted order.
const BYTES_PER_ROW: usize = 3 * size_of::<u64>() + 4 * size_of::<u32>() + size_of::<SortedRow>();

/// Returns the numbers of the first `limit` of `row_count` rows, sorted by the first column, then the second, and so on.
///
/// Rows that are equal in all columns are sorted by row number.
///
/// # Errors
/// A memory limit, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
pub fn first_rows(row_count: usize, columns: &[SortColumn<'_>], limit: usize, limits: AnswerLimits<'_>) -> Result<Vec<u32>> {
    let _held = limits.memory.reserve(row_count * BYTES_PER_ROW)?;
    let mut rows: Vec<u32> = (0..row_count as u32).collect();
    if limit < row_count {
        rows = without_later_rows(rows, columns, limit, limits)?;
    }
    sort_rows(&mut rows, columns, limits)?;
    rows.truncate(limit);
    Ok(rows)
}

/// Removes rows that are not among the first `limit` ones, which are fewer than all: by the first column, then, among the
/// rows that are tied with the last of the first ones, by the second, and so on.
fn without_later_rows(
    mut tied: Vec<u32>, columns: &[SortColumn<'_>], limit: usize, limits: AnswerLimits<'_>,
) -> Result<Vec<u32>> {
    let mut first: Vec<u32> = Vec::new();
    for column in columns {
        // Rows that are not tied with the last of the first ones precede it, so that they are fewer than `limit`; with the
        // tied ones they are `limit` or more.
        let Some(last) = (limit - first.len()).checked_sub(1) else { break };
        let keys = column.keys(&tied, limits)?.values;
        let bound = *keys.clone().select_nth_unstable(last).1;
        limits.cancel.check()?;
        let rows = || tied.iter().zip(&keys);
        first.extend(rows().filter(|(_, key)| **key < bound).map(|(row, _)| row));
        tied = rows().filter(|(_, key)| **key == bound).map(|(row, _)| *row).collect();
    }
    first.append(&mut tied);
    // Rows that are equal in all columns are sorted by number.
    first.sort_unstable();
    Ok(first)
}

/// Rows of which some are tied.
#[derive(Default)]
struct Ties {
    /// Indices of the tied rows, ascending.
    indices: Vec<u32>,
    /// By tied row, the number of its tie: rows that are equal so far have the same one. Ascending from 0.
    numbers: Vec<u32>,
}

/// Sorts rows, given in ascending order, by all columns.
fn sort_rows(rows: &mut [u32], columns: &[SortColumn<'_>], limits: AnswerLimits<'_>) -> Result<()> {
    let mut ties = Ties { indices: (0..rows.len() as u32).collect(), numbers: vec![0; rows.len()] };
    let mut rest = columns;
    while !rest.is_empty() && ties.indices.len() > 1 {
        let tied: Vec<u32> = ties.indices.iter().map(|&index| rows[index as usize]).collect();
        let (keys, used) = PackedKeys::new(&tied, &ties.numbers, rest, limits)?;
        rest = &rest[used..];
        let sorted = keys.sorted(limits)?;
        ties.indices.iter().zip(&sorted).for_each(|(&index, row)| rows[index as usize] = tied[row.index as usize]);
        ties = ties.remaining(&sorted);
    }
    Ok(())
}

impl Ties {
    /// Returns the rows that are still tied after they have been sorted.
    fn remaining(&self, sorted: &[SortedRow]) -> Self {
        let mut remaining = Self::default();
        let mut number = 0;
        for (position, &index) in self.indices.iter().enumerate() {
            let equals_next = sorted.get(position + 1).is_some_and(|next| next.equals_previous);
            if sorted[position].equals_previous || equals_next {
                number += u32::from(!sorted[position].equals_previous);
                remaining.indices.push(index);
                remaining.numbers.push(number - 1);
            }
        }
        remaining
    }
}

/// A row in sorted order.
struct SortedRow {
    /// Its index among the rows that were sorted.
    index: u32,
    /// Whether its packed key equals that of the row before it.
    equals_previous: bool,
}

/// Keys of rows, packed into one integer each: the number of its tie, then its keys.
enum PackedKeys {
    /// The lowest `index_bits` bits are the index of the row: sorting plain integers is fastest.
    Narrow { keys: Vec<u64>, index_bits: u32 },
    /// One column of up to 64 bits, the number of the tie above it, the index of the row in the lowest 32 bits.
    Wide { keys: Vec<u128>, _held: Reservation },
}

impl PackedKeys {
    /// Packs the keys of two rows or more, of as many leading columns as fit, at least of one; returns their number, too.
    /// (The index of a row takes a bit or more, so that no shift is by 64 bits.)
    fn new(rows: &[u32], ties: &[u32], columns: &[SortColumn<'_>], limits: AnswerLimits<'_>) -> Result<(Self, usize)> {
        let (index_bits, tie_bits) = (bits_of(rows.len() - 1), bits_of(ties.last().map_or(0, |&last| last as usize)));
        let (mut keys, mut bits) = (ties.iter().map(|&tie| u64::from(tie)).collect::<Vec<_>>(), tie_bits);
        for (used, column) in columns.iter().enumerate() {
            let column = column.keys(rows, limits)?;
            if bits + column.bits() + index_bits > u64::BITS {
                if used > 0 {
                    return Ok((Self::narrow(keys, index_bits), used));
                }
                return Ok((Self::wide(&column.values, ties, limits)?, 1));
            }
            bits += column.bits();
            keys.iter_mut().zip(&column.values).for_each(|(key, value)| *key = *key << column.bits() | value);
        }
        Ok((Self::narrow(keys, index_bits), columns.len()))
    }

    fn narrow(mut keys: Vec<u64>, index_bits: u32) -> Self {
        keys.iter_mut().zip(0..).for_each(|(key, index)| *key = *key << index_bits | index);
        Self::Narrow { keys, index_bits }
    }

    fn wide(keys: &[u64], ties: &[u32], limits: AnswerLimits<'_>) -> Result<Self> {
        let held = limits.memory.reserve(2 * keys.len() * size_of::<u128>())?;
        let packed = |((&key, &tie), index)| u128::from(tie) << 96 | u128::from(key) << u32::BITS | index;
        Ok(Self::Wide { keys: keys.iter().zip(ties).zip(0..).map(packed).collect(), _held: held })
    }

    fn sorted(self, limits: AnswerLimits<'_>) -> Result<Vec<SortedRow>> {
        match self {
            Self::Narrow { mut keys, index_bits } => {
                sort_interruptibly(&mut keys, limits.cancel)?;
                let index_mask = u64::MAX >> (u64::BITS - index_bits);
                Ok(sorted_rows(&keys, |key| ((key & index_mask) as u32, key & !index_mask)))
            }
            Self::Wide { mut keys, .. } => {
                sort_interruptibly(&mut keys, limits.cancel)?;
                Ok(sorted_rows(&keys, |key| (key as u32, key >> u32::BITS)))
            }
        }
    }
}

/// Splits sorted integers into index and key by `split`.
fn sorted_rows<T: Copy, K: PartialEq>(sorted: &[T], split: impl Fn(T) -> (u32, K)) -> Vec<SortedRow> {
    let mut previous = None;
    let row = |&packed: &T| {
        let (index, key) = split(packed);
        let equals_previous = previous.as_ref() == Some(&key);
        previous = Some(key);
        SortedRow { index, equals_previous }
    };
    sorted.iter().map(row).collect()
}

/// Returns the bits of an integer.
fn bits_of(value: usize) -> u32 {
    usize::BITS - value.leading_zeros()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::super::answer::Unlimited;
    use super::super::sort_keys::{SortOrder, SortValues, TextRanks};
    use super::*;

    proptest::proptest! {
        #[test]
        fn first_rows_equal_those_of_a_full_sort(
            rows in proptest::collection::vec([0..3i64, 0..2i64, 0..3i64], 0..30),
            wide in proptest::bits::u8::masked(7), limit in 0usize..40,
        ) {
            // Columns that span almost 64 bits leave no room to pack the columns after them.
            let column = |number: usize| {
                let (factor, rows) = (if wide >> number & 1 == 1 { i64::MAX / 2 } else { 1 }, &rows);
                let value = move |row: u32| rows[row as usize][number] * factor;
                SortColumn::new(SortValues::Ints(Box::new(value)), SortOrder::Ascending)
            };
            let columns = [column(0), column(1), column(2)];
            let found = first_rows(rows.len(), &columns, limit, Unlimited::default().limits()).unwrap();
            let mut expected: Vec<u32> = (0..rows.len() as u32).collect();
            expected.sort_by_key(|&row| rows[row as usize]);
            expected.truncate(limit);
            proptest::prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_memory_of_a_sort_is_held_meanwhile() {
        let peak = |factor: i64| {
            let unlimited = Unlimited::default();
            let value = move |row: u32| i64::from(row) * factor;
            let column = SortColumn::new(SortValues::Ints(Box::new(value)), SortOrder::Ascending);
            first_rows(1_000, &[column], usize::MAX, unlimited.limits()).unwrap();
            unlimited.limits().memory.peak()
        };
        // By row: three keys of 8 bytes, four numbers of 4, and a number with a flag in 8.
        assert_eq!(peak(1), 1_000 * (3 * 8 + 4 * 4 + 8));
        // Values that span 2^63 do not fit in 64 bits with the number of a row: twice 16 bytes more.
        assert_eq!(peak(i64::MAX / 999), 1_000 * (48 + 2 * 16));
    }

    #[test]
    fn first_rows_of_texts_equal_those_of_a_full_sort_among_many_rows() {
        // More rows than a run of the sort, texts that share their first eight bytes, and a few that are absent.
        let row_count = 3 << 14;
        let text = |row: u32| match row.wrapping_mul(2_654_435_761) % 30_011 {
            number if number % 97 == 0 => String::new(),
            number => format!("prefix {number}"),
        };
        let mut entries: Vec<String> = (0..row_count).map(text).chain([String::new()]).collect();
        entries.sort();
        entries.dedup();
        let code = |row: u32| entries.binary_search(&text(row)).unwrap() as u32;
        let codes: Vec<u32> = (0..row_count).map(code).collect();
        let mut expected: Vec<u32> = (0..row_count).collect();
        expected.sort_by_key(|&row| (row % 7, codes[row as usize] == 0, codes[row as usize], row));
        for limit in [1, 10, 5_000, row_count as usize - 1, usize::MAX] {
            let ranks = TextRanks::new(&entries);
            let columns = [
                SortColumn::new(SortValues::Ints(Box::new(|row| i64::from(row % 7))), SortOrder::Ascending),
                SortColumn::new(SortValues::Texts(Box::new(|row| codes[row as usize]), &ranks), SortOrder::Ascending),
            ];
            let found = first_rows(row_count as usize, &columns, limit, Unlimited::default().limits()).unwrap();
            assert!(found == expected[..limit.min(expected.len())], "{limit}");
        }
    }
}
