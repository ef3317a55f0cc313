//! Normalized sort keys: a column becomes unsigned integers that compare as its values do, in as few bits as its range
//! of values needs.
//!
//! Normalized keys: Graefe, "Implementing Sorting in Database Systems", ACM Computing Surveys 38(3), 2006.
//! DuckDB sorts in the same way: <https://duckdb.org/2021/08/27/external-sorting>.

use std::cell::OnceCell;

use super::answer::AnswerLimits;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;
use crate::record::schema::ABSENT;
use crate::scan::KeyValues;

/// A column that rows are sorted by.
pub struct SortColumn<'a> {
    values: SortValues<'a>,
    order: SortOrder,
}

/// The values of a column, by row.
pub enum SortValues<'a> {
    /// Integers, absent ones as [`ABSENT`].
    Ints(Box<dyn Fn(u32) -> i64 + 'a>),
    /// Codes of texts; code 0 is the absent text.
    Texts(Box<dyn Fn(u32) -> u32 + 'a>, &'a TextRanks<'a>),
}

/// The order of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Ascending, absent values last.
    Ascending,
    /// Descending, absent values last.
    Descending,
    /// Ascending, absent values first.
    AbsentFirst,
}

/// Keys of some rows: integers that compare as the values of the column do.
pub struct SortKeys {
    /// Keys, one for each row asked for.
    pub values: Vec<u64>,
    /// Inclusive upper bound of the keys.
    max: u64,
}

/// A group key that rows may be sorted by, by cell.
pub enum KeyColumn<'a> {
    Ints(&'a [i64]),
    Texts { codes: &'a [u32], ranks: TextRanks<'a> },
}

/// The ranks of a dictionary's texts in code point order.
pub struct TextRanks<'a> {
    entries: &'a [String],
    /// Rank by code, computed when many of the texts must be sorted.
    of_all: OnceCell<Vec<u32>>,
}

impl<'a> KeyColumn<'a> {
    /// The column of a group key.
    pub fn new(values: &'a KeyValues) -> Self {
        match values {
            KeyValues::Ints(values) => Self::Ints(values),
            KeyValues::Texts { codes, entries } => Self::Texts { codes, ranks: TextRanks::new(entries) },
        }
    }

    /// The values by row; `cell` returns the cell of a row.
    pub fn by_row<'r>(&'r self, cell: impl Fn(u32) -> usize + 'r) -> SortValues<'r> {
        match self {
            Self::Ints(values) => SortValues::Ints(Box::new(move |row| values[cell(row)])),
            Self::Texts { codes, ranks } => SortValues::Texts(Box::new(move |row| codes[cell(row)]), ranks),
        }
    }
}

impl SortColumn<'_> {
    /// A column with its order.
    pub fn new(values: SortValues<'_>, order: SortOrder) -> SortColumn<'_> {
        SortColumn { values, order }
    }

    /// Returns the keys of some rows.
    ///
    /// # Errors
    /// A memory limit, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn keys(&self, rows: &[u32], limits: AnswerLimits<'_>) -> Result<SortKeys> {
        limits.cancel.check()?;
        // Present values have keys below `absent`, from 0; absent values have the key `absent`.
        let (mut values, absent) = match &self.values {
            SortValues::Ints(value) => keys_of_ints(rows.iter().map(|&row| value(row))),
            SortValues::Texts(code, ranks) => ranks.keys(rows.iter().map(|&row| code(row)), limits)?,
        };
        match self.order {
            SortOrder::Ascending => {}
            SortOrder::Descending => values.iter_mut().filter(|key| **key != absent).for_each(|key| *key = absent - 1 - *key),
            SortOrder::AbsentFirst => values.iter_mut().for_each(|key| *key = if *key == absent { 0 } else { *key + 1 }),
        }
        Ok(SortKeys { values, max: absent })
    }
}

impl SortKeys {
    /// Returns the bits that every key fits in.
    pub fn bits(&self) -> u32 {
        u64::BITS - self.max.leading_zeros()
    }
}

/// Returns the keys of integers, and the key of absent ones.
fn keys_of_ints(values: impl Iterator<Item = i64> + Clone) -> (Vec<u64>, u64) {
    let present = values.clone().filter(|&value| value != ABSENT);
    let range = present.fold(None, |range: Option<(i64, i64)>, value| {
        Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    // ABSENT is the least i64, so present values span less than 2^64 - 1, and adding 1 does not overflow.
    let (low, absent) = range.map_or((0, 0), |(low, high)| (low, high.wrapping_sub(low) as u64 + 1));
    let key = |value: i64| if value == ABSENT { absent } else { value.wrapping_sub(low) as u64 };
    (values.map(key).collect(), absent)
}

impl<'a> TextRanks<'a> {
    /// Ranks of the texts of a dictionary, of which entry 0 is the absent text.
    pub fn new(entries: &'a [String]) -> Self {
        Self { entries, of_all: OnceCell::new() }
    }

    /// Returns the keys of codes, and the key of absent texts.
    fn keys(&self, codes: impl ExactSizeIterator<Item = u32> + Clone, limits: AnswerLimits<'_>) -> Result<(Vec<u64>, u64)> {
        // Few texts are ranked among themselves.
        if self.of_all.get().is_none() && codes.len() * 4 < self.entries.len() {
            return self.keys_of_few(codes, limits);
        }
        let ranks = match self.of_all.get() {
            Some(ranks) => ranks,
            None => {
                let ranks = self.ranks(limits)?;
                self.of_all.get_or_init(|| ranks)
            }
        };
        let absent = self.entries.len().saturating_sub(1) as u64;
        let key = |code: u32| if code == 0 { absent } else { u64::from(ranks[code as usize]) };
        Ok((codes.map(key).collect(), absent))
    }

    fn keys_of_few(&self, codes: impl Iterator<Item = u32> + Clone, limits: AnswerLimits<'_>) -> Result<(Vec<u64>, u64)> {
        let mut distinct: Vec<u32> = codes.clone().filter(|&code| code != 0).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let by_text = self.sorted(&distinct, limits)?;
        let absent = by_text.len() as u64;
        let mut rank_of_code: Vec<(u32, u32)> = by_text.into_iter().zip(0..).collect();
        rank_of_code.sort_unstable();
        let rank = |code: u32| rank_of_code.binary_search_by_key(&code, |&(code, _)| code).map(|found| rank_of_code[found].1);
        // Code 0, the absent text, is not among the distinct codes.
        Ok((codes.map(|code| rank(code).map_or(absent, u64::from)).collect(), absent))
    }

    /// Returns the ranks by code of all texts but the absent one.
    fn ranks(&self, limits: AnswerLimits<'_>) -> Result<Vec<u32>> {
        let codes: Vec<u32> = (1..self.entries.len() as u32).collect();
        let sorted = self.sorted(&codes, limits)?;
        limits.memory.reserve(self.entries.len() * size_of::<u32>())?.keep();
        let mut ranks = vec![0; self.entries.len()];
        (0..).zip(sorted).for_each(|(rank, code)| ranks[code as usize] = rank);
        Ok(ranks)
    }

    /// Returns codes in the order of their texts.
    fn sorted(&self, codes: &[u32], limits: AnswerLimits<'_>) -> Result<Vec<u32>> {
        // Twice, as runs are merged into a copy.
        let _held = limits.memory.reserve(2 * codes.len() * size_of::<(u64, &str, u32)>())?;
        // Comparing prefixes as integers decides most comparisons without following the pointers to the texts.
        let text = |code: u32| self.entries[code as usize].as_str();
        let mut texts: Vec<(u64, &str, u32)> = codes.iter().map(|&code| (prefix(text(code)), text(code), code)).collect();
        sort_interruptibly(&mut texts, limits.cancel)?;
        Ok(texts.into_iter().map(|(_, _, code)| code).collect())
    }
}

/// Returns the first eight bytes of a text, padded with zeros, as an integer that compares as these bytes do.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use std::sync::Arc;

    use super::super::answer::Unlimited;
    use super::*;
    use crate::memory::MemoryBudget;

    fn keys_of(values: &[i64], order: SortOrder) -> Vec<u64> {
        let column = SortColumn::new(SortValues::Ints(Box::new(|row| values[row as usize])), order);
        let rows: Vec<u32> = (0..values.len() as u32).collect();
        column.keys(&rows, Unlimited::default().limits()).unwrap().values
    }

    #[test]
    fn keys_compare_as_the_values_with_absent_first_or_last() {
        for values in [vec![3, ABSENT, -1, 3], vec![i64::MAX, ABSENT + 1, ABSENT, 0], vec![ABSENT], vec![i64::MAX, ABSENT]] {
            let last = |value: i64| (value == ABSENT, value);
            let orders = [SortOrder::Ascending, SortOrder::Descending, SortOrder::AbsentFirst];
            let [ascending, descending, absent_first] = orders.map(|order| keys_of(&values, order));
            for (i, &a) in values.iter().enumerate() {
                for (j, &b) in values.iter().enumerate() {
                    assert_eq!(ascending[i].cmp(&ascending[j]), last(a).cmp(&last(b)), "{a} {b}");
                    let reversed = if a == ABSENT || b == ABSENT { last(a).cmp(&last(b)) } else { b.cmp(&a) };
                    assert_eq!(descending[i].cmp(&descending[j]), reversed, "{a} {b}");
                    // ABSENT is the least integer.
                    assert_eq!(absent_first[i].cmp(&absent_first[j]), a.cmp(&b), "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn texts_rank_by_code_point_among_many_and_among_few() {
        let entries = ["", "b", "a\0", "a", "abcdefgh\0", "abcdefgh", "é", "Z"].map(str::to_owned);
        let ranks = TextRanks::new(&entries);
        let column = SortColumn::new(SortValues::Texts(Box::new(|row| row), &ranks), SortOrder::Ascending);
        let keys = |rows: &[u32]| column.keys(rows, Unlimited::default().limits()).unwrap().values;
        assert_eq!(keys(&[5]), [0]);
        assert_eq!(keys(&[0]), [0]);
        assert_eq!(keys(&[0, 1, 2, 3, 4, 5, 6, 7]), [7, 5, 2, 1, 4, 3, 6, 0]);
        // Once the ranks of all are known, they serve few rows, too.
        assert_eq!(keys(&[5]), [3]);
    }

    #[test]
    fn the_memory_of_ranks_is_held_until_the_query_ends() {
        let budget = Arc::new(MemoryBudget::default());
        let memory = budget.begin_query();
        let entries: Vec<String> =
            (0..1_000).map(|number| if number == 0 { String::new() } else { number.to_string() }).collect();
        let ranks = TextRanks::new(&entries);
        let column = SortColumn::new(SortValues::Texts(Box::new(|row| row), &ranks), SortOrder::Ascending);
        let unlimited = Unlimited::default();
        let rows: Vec<u32> = (0..1_000).collect();
        column.keys(&rows, AnswerLimits { memory: &memory, ..unlimited.limits() }).unwrap();
        // The 999 present texts are sorted as a prefix of 8 bytes, a reference of 16 and a code in 8, and merged into a copy.
        assert_eq!(memory.peak(), 2 * 999 * (8 + 16 + 8));
        // A rank of 4 bytes is left of each text.
        assert_eq!(budget.used(), 1_000 * 4);
    }
}
