//! A run of records as borrowed columns: what the kernels see, wherever the records are kept.

use std::ops::Range;

use arrow_array::{Array, StringArray};

use crate::batch::text_at;
use crate::ints::Ints;
use crate::record::Record;
use crate::schema::{CATEGORY_COUNT, INT_COUNT, STRING_COUNT, TEXT_COUNT};

/// Texts by number: the entries of a dictionary, or the values of a text column by row.
pub trait Strings: Sync {
    /// How many there are.
    fn count(&self) -> usize;
    /// One of them, "" where it is absent.
    fn get(&self, number: usize) -> &str;
}

/// A text column in which no row has a text.
pub struct NoStrings;

impl Strings for NoStrings {
    fn count(&self) -> usize {
        0
    }

    fn get(&self, _: usize) -> &str {
        ""
    }
}

impl Strings for Vec<Box<str>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, number: usize) -> &str {
        &self[number]
    }
}

impl Strings for StringArray {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, number: usize) -> &str {
        text_at(self, number)
    }
}

/// Code of an absent category.
pub const NO_CODE: i32 = -1;

/// A category column: per row the number of a dictionary entry, [`NO_CODE`] where absent.
#[derive(Clone, Copy)]
pub struct Category<'a> {
    /// Codes by row; empty where no row has one.
    pub codes: &'a [i32],
    /// The dictionary; entries may repeat.
    pub entries: &'a dyn Strings,
}

impl<'a> Category<'a> {
    /// The code of a row.
    #[inline]
    pub fn code(&self, row: usize) -> i32 {
        self.codes.get(row).copied().unwrap_or(NO_CODE)
    }

    /// The text of a row, "" where it has none.
    pub fn text(&self, row: usize) -> &'a str {
        match self.code(row) {
            NO_CODE => "",
            code => self.entries.get(code as usize),
        }
    }
}

/// A run of records.
pub struct Part<'a> {
    /// Setup times by row, microseconds UTC.
    pub setup_us: &'a [i64],
    /// Integer columns by slot.
    pub ints: [Ints<'a>; INT_COUNT],
    /// Category columns by slot.
    pub categories: [Category<'a>; CATEGORY_COUNT],
    /// Text columns by slot.
    pub texts: [&'a dyn Strings; TEXT_COUNT],
    /// When the last event with an effect was received, microseconds UTC.
    pub received_us: &'a [i64],
    /// Rows that a later version replaced elsewhere; they count no more.
    pub dead: &'a Bitmap,
}

impl Part<'_> {
    /// Number of rows, dead ones included.
    pub fn rows(&self) -> usize {
        self.setup_us.len()
    }

    /// One row as a record.
    pub fn record(&self, row: usize) -> Record<'_> {
        let mut strings = [""; STRING_COUNT];
        for (text, column) in strings.iter_mut().zip(&self.categories) {
            *text = column.text(row);
        }
        for (text, column) in strings[CATEGORY_COUNT..].iter_mut().zip(&self.texts) {
            *text = column.get(row);
        }
        Record { ints: std::array::from_fn(|slot| self.ints[slot].get(row)), strings }
    }

    /// Earliest and latest setup time of the rows that count, `None` without any.
    pub fn setup_range(&self) -> Option<(i64, i64)> {
        let alive = self.setup_us.iter().enumerate().filter(|(row, _)| !self.dead.contains(*row)).map(|(_, &us)| us);
        alive.fold(None, |range, us| Some(range.map_or((us, us), |(low, high): (i64, i64)| (low.min(us), high.max(us)))))
    }
}

/// The rows of an ascending list as a range, where it leaves none out.
pub fn run_of(rows: &[u32]) -> Option<Range<usize>> {
    let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
    (last - first + 1 == rows.len()).then_some(first..last + 1)
}

/// A set of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    count: usize,
}

impl Bitmap {
    /// Reads what [`Bitmap::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        let words: Vec<u64> = bytes.chunks(8).map(word).collect();
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, count }
    }

    /// The rows of the set, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let bits = |word: u64| (0..64).filter(move |bit| word >> bit & 1 == 1);
        self.words.iter().enumerate().flat_map(move |(i, &word)| bits(word).map(move |bit| i * 64 + bit))
    }

    /// The set as bytes, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Number of rows in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the set has no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a row is in the set.
    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Adds a row.
    pub fn insert(&mut self, row: usize) {
        if self.words.len() <= row / 64 {
            self.words.resize(row / 64 + 1, 0);
        }
        self.count += usize::from(!self.contains(row));
        self.words[row / 64] |= 1 << (row % 64);
    }
}
