//! Dictionary-encoded columns: per row a code, the index of an entry in the dictionary of the column.
//!
//! Codes are 8, 16 or 32 bits wide. Only 32-bit codes can be [`NO_CODE`]; for an absent text the narrow ones
//! refer to an empty entry at the end of the dictionary.

use std::convert::Infallible;
use std::ops::Range;

/// Texts by number: the entries of a dictionary by code, or the values of a plain text column by row.
pub trait Texts: Sync {
    /// Returns the number of texts.
    fn count(&self) -> usize;
    /// Returns a text, "" if it is absent.
    fn get(&self, number: usize) -> &str;
    /// Returns the bytes of a text. Takes less time than [`Texts::get`] where it is not known to be UTF-8.
    fn bytes(&self, number: usize) -> &[u8] {
        self.get(number).as_bytes()
    }
}

/// The texts of a column in which every row is absent; its count is 0, and any number returns "".
pub struct NoTexts;

impl Texts for NoTexts {
    fn count(&self) -> usize {
        0
    }

    fn get(&self, _: usize) -> &str {
        ""
    }
}

/// One text, number 0.
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

/// Code of an absent text.
pub const NO_CODE: i32 = -1;

/// The codes of a dictionary-encoded column by row.
#[derive(Clone, Copy)]
pub enum DictionaryCodes<'a> {
    /// Every row is absent.
    Absent,
    /// At most 256 dictionary entries.
    U8(&'a [u8]),
    /// At most 65,536 dictionary entries.
    U16(&'a [u16]),
    /// Any number of entries; [`NO_CODE`] if absent.
    I32(&'a [i32]),
}

/// An integer type of codes.
pub trait CodeWidth: Copy + Ord + 'static {
    /// Returns the code + 1, and 0 for [`NO_CODE`]: an index into a table whose slot 0 is for absent texts.
    fn one_based(self) -> usize;
    /// Converts a code, which must fit.
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

/// Evaluates `$body` with `$values` bound to the slice of codes, compiled for each width; `$absent` if every
/// row is absent.
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

/// What a dictionary guarantees about its entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EntryOrder {
    /// Nothing: entries may repeat or be empty.
    Any,
    /// Entries are distinct and not empty.
    Distinct,
    /// Entries are distinct and ascend, except that the last one may be empty.
    Sorted,
}

/// A borrowed dictionary-encoded column.
#[derive(Clone, Copy)]
pub struct DictionaryColumn<'a> {
    /// Codes by row.
    pub codes: DictionaryCodes<'a>,
    /// The dictionary; an empty entry stands for an absent text.
    pub entries: &'a dyn Texts,
    /// What the dictionary guarantees about its entries.
    pub order: EntryOrder,
}

impl<'a> DictionaryColumn<'a> {
    /// Returns the code of a row, [`NO_CODE`] if it is absent.
    #[inline]
    pub fn code(&self, row: usize) -> i32 {
        with_codes!(self.codes, codes => codes[row].one_based() as i32 - 1, NO_CODE)
    }

    /// Returns the text of a row, "" if it is absent.
    pub fn text(&self, row: usize) -> &'a str {
        match self.code(row) {
            NO_CODE => "",
            code => self.entries.get(code as usize),
        }
    }

    /// Returns whether different codes always mean different texts, so that codes can be compared instead of
    /// texts.
    pub fn has_distinct_codes(&self) -> bool {
        let ends_empty = || self.entries.count().checked_sub(1).is_some_and(|last| self.entries.get(last).is_empty());
        match self.order {
            EntryOrder::Any => false,
            EntryOrder::Distinct => true,
            // 32-bit codes would have two codes for an absent text: NO_CODE and that of the empty entry.
            // Narrow codes have only the latter.
            EntryOrder::Sorted => !matches!(self.codes, DictionaryCodes::I32(_)) || !ends_empty(),
        }
    }

    /// Returns the codes of the entries that are `wanted`, by two binary searches over the sorted entries.
    ///
    /// `is_before` must hold for exactly the entries before the first wanted one, and wanted entries must be
    /// adjacent. The empty entry at the end is never wanted.
    pub fn codes_where(&self, is_before: impl Fn(&str) -> bool, wanted: impl Fn(&str) -> bool) -> Range<usize> {
        let mut end = self.entries.count();
        end -= usize::from(end > 0 && self.entries.get(end - 1).is_empty());
        let first = partition_point(0..end, |code| is_before(self.entries.get(code)));
        first..partition_point(first..end, |code| wanted(self.entries.get(code)))
    }
}

/// Returns the first number of a range for which `holds` is false, the end of the range if it is true for
/// all.
///
/// `holds` must be true for all numbers before that one and false for all after, as for
/// [`slice::partition_point`].
pub fn partition_point(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let Ok(point) = try_partition_point(range, |number| Ok::<_, Infallible>(holds(number)));
    point
}

/// [`partition_point`] with a fallible predicate.
///
/// # Errors
/// Returns the first error of `holds`.
pub fn try_partition_point<E>(range: Range<usize>, holds: impl Fn(usize) -> Result<bool, E>) -> Result<usize, E> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
