//! DictionaryColumn columns: texts of few distinct values, as codes into a dictionary.

use std::convert::Infallible;
use std::ops::Range;

/// Texts by number: the entries of a dictionary, or the values of a text column by row.
pub trait Texts: Sync {
    /// How many there are.
    fn count(&self) -> usize;
    /// One of them, "" where it is absent.
    fn get(&self, number: usize) -> &str;
}

/// A text column in which no row has a text.
pub struct NoTexts;

impl Texts for NoTexts {
    fn count(&self) -> usize {
        0
    }

    fn get(&self, _: usize) -> &str {
        ""
    }
}

impl Texts for &str {
    fn count(&self) -> usize {
        1
    }

    fn get(&self, _: usize) -> &str {
        self
    }
}

impl Texts for Vec<Box<str>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, number: usize) -> &str {
        &self[number]
    }
}

/// Code of an absent category.
pub const NO_CODE: i32 = -1;

/// The codes of a category column by row.
#[derive(Clone, Copy)]
pub enum DictionaryCodes<'a> {
    /// No row has one.
    Absent,
    /// At most 256 dictionary entries.
    U8(&'a [u8]),
    /// At most 65,536.
    U16(&'a [u16]),
    /// Any number; [`NO_CODE`] where absent.
    I32(&'a [i32]),
}

/// A width of codes.
pub trait CodeWidth: Copy + Ord + 'static {
    /// 0 for [`NO_CODE`], else the code + 1.
    fn one_based(self) -> usize;
    /// A code that fits.
    fn of(code: usize) -> Self;
}

impl CodeWidth for u8 {
    #[inline]
    fn one_based(self) -> usize {
        usize::from(self) + 1
    }

    fn of(code: usize) -> Self {
        code as Self
    }
}

impl CodeWidth for u16 {
    #[inline]
    fn one_based(self) -> usize {
        usize::from(self) + 1
    }

    fn of(code: usize) -> Self {
        code as Self
    }
}

impl CodeWidth for i32 {
    #[inline]
    fn one_based(self) -> usize {
        (self + 1) as usize
    }

    fn of(code: usize) -> Self {
        code as Self
    }
}

/// Runs `$body` for the codes of a column of any width, or `$absent` where no row has one.
macro_rules! with_codes {
    ($codes:expr, $values:ident => $body:expr, $absent:expr) => {
        match $codes {
            $crate::columns::dictionary::DictionaryCodes::Absent => $absent,
            $crate::columns::dictionary::DictionaryCodes::U8($values) => $body,
            $crate::columns::dictionary::DictionaryCodes::U16($values) => $body,
            $crate::columns::dictionary::DictionaryCodes::I32($values) => $body,
        }
    };
}

pub(crate) use with_codes;

/// How the entries of a dictionary stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EntryOrder {
    /// They may repeat, and some may be empty.
    Any,
    /// They are distinct, and none is empty.
    Distinct,
    /// They are distinct and ascend, but for an empty one at the end.
    Sorted,
}

/// A category column: per row the number of a dictionary entry.
#[derive(Clone, Copy)]
pub struct DictionaryColumn<'a> {
    /// DictionaryCodes by row.
    pub codes: DictionaryCodes<'a>,
    /// The dictionary; an empty entry stands for an absent text.
    pub entries: &'a dyn Texts,
    /// How the entries stand to each other.
    pub order: EntryOrder,
}

impl<'a> DictionaryColumn<'a> {
    /// The code of a row.
    #[inline]
    pub fn code(&self, row: usize) -> i32 {
        with_codes!(self.codes, codes => codes[row].one_based() as i32 - 1, NO_CODE)
    }

    /// The text of a row, "" where it has none.
    pub fn text(&self, row: usize) -> &'a str {
        match self.code(row) {
            NO_CODE => "",
            code => self.entries.get(code as usize),
        }
    }

    /// Whether no two codes stand for the same text.
    pub fn has_distinct_codes(&self) -> bool {
        let ends_empty = || self.entries.count().checked_sub(1).is_some_and(|last| self.entries.get(last).is_empty());
        match self.order {
            EntryOrder::Any => false,
            EntryOrder::Distinct => true,
            // Narrow codes have none for an absent text but that of the empty entry.
            EntryOrder::Sorted => !matches!(self.codes, DictionaryCodes::I32(_)) || !ends_empty(),
        }
    }

    /// Of a sorted column the codes of the entries for which `is_before` does not hold, up to the first of these that
    /// is not `wanted`.
    pub fn codes_where(&self, is_before: impl Fn(&str) -> bool, wanted: impl Fn(&str) -> bool) -> Range<usize> {
        let mut end = self.entries.count();
        end -= usize::from(end > 0 && self.entries.get(end - 1).is_empty());
        let first = partition_point(0..end, |code| is_before(self.entries.get(code)));
        first..partition_point(first..end, |code| wanted(self.entries.get(code)))
    }
}

/// The first number of a range for which `holds` does not hold, which it does for all before it and none after.
pub fn partition_point(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let Ok(point) = try_partition_point(range, |number| Ok::<_, Infallible>(holds(number)));
    point
}

/// [`partition_point`] where a look may fail.
///
/// # Errors
/// What `holds` gives.
pub fn try_partition_point<E>(range: Range<usize>, holds: impl Fn(usize) -> Result<bool, E>) -> Result<usize, E> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
