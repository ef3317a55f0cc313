//! Keys: what records are grouped by, a column or a value that is derived from one.
//!
//! A derived key becomes a [`Column`] of the slice, so that the steps after it do not know where its values come from. A
//! text that follows from a dictionary-encoded one has the codes of that one and entries of its own, which are found when
//! the first row has their code. A number is computed for each row.

use super::code_deck::CodeDeck;
use super::column::Column;
use crate::columns::dictionary::{DictionaryColumn, EntryOrder, Texts};
use crate::columns::integer::{ColumnStats, IntValues};
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, ColumnKind, field};

const US_PER_HOUR: i64 = 3_600_000_000;
const HOURS_PER_DAY: i64 = 24;
const DAYS_PER_WEEK: i64 = 7;
/// Days from a Monday to 1970-01-01, a Thursday.
const EPOCH_WEEKDAY: i64 = 3;

/// What records are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Key {
    /// The value of a column.
    Column(String),
    /// The first `length` characters of a text, after one leading `+` is dropped.
    Prefix { column: String, length: usize },
    /// The longest code of the scan's code deck that a text begins with, after one leading `+`.
    DeckCode { column: String },
    /// A whole number divided by a positive one and rounded down.
    Quotient { column: String, divisor: i64 },
    /// A part of the local setup time.
    LocalTime { part: LocalPart, offsets: LocalOffsets },
}

/// A part of a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPart {
    /// 0 to 23.
    Hour,
    /// 1 (Monday) to 7.
    Weekday,
}

/// From when on a local clock is how far ahead of UTC, in microseconds. Before the first instant it is as from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalOffsets {
    from_us: Vec<i64>,
    offset_us: Vec<i64>,
}

impl Key {
    /// The keys of columns, given by their names.
    pub fn columns(names: &[impl AsRef<str>]) -> Vec<Self> {
        names.iter().map(|name| Self::Column(name.as_ref().to_owned())).collect()
    }

    /// The key by the first `length` characters of a column of texts.
    ///
    /// # Errors
    /// `Unknown` if records do not have such a column of texts.
    pub fn prefix(column: String, length: usize) -> Result<Self> {
        require_kind(&column, |kind| kind != ColumnKind::Int, "text column")?;
        Ok(Self::Prefix { column, length })
    }

    /// The key by the code of the code deck that a column of texts begins with.
    ///
    /// # Errors
    /// As [`Key::prefix`].
    pub fn deck_code(column: String) -> Result<Self> {
        require_kind(&column, |kind| kind != ColumnKind::Int, "text column")?;
        Ok(Self::DeckCode { column })
    }

    /// The key by a column of integers, or by `received_time`, divided by `divisor`.
    ///
    /// # Errors
    /// `Unknown` if records do not have such a column of integers, or the divisor is not positive.
    pub fn quotient(column: String, divisor: i64) -> Result<Self> {
        if column != "received_time" {
            require_kind(&column, |kind| kind == ColumnKind::Int, "integer column")?;
        }
        if divisor < 1 {
            return Err(Error::Unknown { what: "divisor", name: divisor.to_string() });
        }
        Ok(Self::Quotient { column, divisor })
    }

    /// The key that has the same values for all records that were set up in a range, both ends inclusive, and does not depend
    /// on what is beyond.
    pub fn within(&self, range: (i64, i64)) -> Self {
        match self {
            Self::LocalTime { part, offsets } => Self::LocalTime { part: *part, offsets: offsets.within(range) },
            Self::Column(_) | Self::Prefix { .. } | Self::DeckCode { .. } | Self::Quotient { .. } => self.clone(),
        }
    }

    /// Name of the column that the key is read from.
    pub fn source(&self) -> &str {
        match self {
            Self::Column(column) | Self::Prefix { column, .. } | Self::DeckCode { column } | Self::Quotient { column, .. } => {
                column
            }
            Self::LocalTime { .. } => "setup_time",
        }
    }

    /// Whether the values are texts.
    pub fn is_text(&self) -> bool {
        match self {
            Self::Column(name) => field(name).is_some_and(|field| field.field_type.column_kind() != ColumnKind::Int),
            Self::Prefix { .. } | Self::DeckCode { .. } => true,
            Self::Quotient { .. } | Self::LocalTime { .. } => false,
        }
    }

    /// Whether the value of a record follows from the value of its column, which the key shares with others.
    pub(super) fn is_derived(&self) -> bool {
        !matches!(self, Self::Column(_))
    }
}

impl LocalOffsets {
    /// Returns offsets.
    ///
    /// # Errors
    /// `Unknown` unless there is at least one, as many as instants, and the instants ascend.
    pub fn new(from_us: Vec<i64>, offset_us: Vec<i64>) -> Result<Self> {
        if from_us.is_empty() || from_us.len() != offset_us.len() || !from_us.is_sorted() {
            return Err(Error::Unknown { what: "offsets of local time", name: format!("{from_us:?}, {offset_us:?}") });
        }
        Ok(Self { from_us, offset_us })
    }

    /// The offsets that hold in a range of time, both ends inclusive.
    fn within(&self, (first, last): (i64, i64)) -> Self {
        let begin = self.from_us.partition_point(|&from| from <= first).saturating_sub(1);
        let end = self.from_us.partition_point(|&from| from <= last).max(begin + 1);
        // The first offset holds before its instant, too.
        let from_us = std::iter::once(i64::MIN).chain(self.from_us[begin + 1..end].iter().copied());
        Self { from_us: from_us.collect(), offset_us: self.offset_us[begin..end].to_vec() }
    }

    /// Returns the first and the last instant from which on, and before which, the offset of `us` holds, and the offset.
    fn period_of(&self, us: i64) -> (i64, i64, i64) {
        let next = self.from_us.partition_point(|&from| from <= us).max(1);
        let from = if next == 1 { i64::MIN } else { self.from_us[next - 1] };
        (from, self.from_us.get(next).copied().unwrap_or(i64::MAX), self.offset_us[next - 1])
    }
}

fn require_kind(column: &str, is_right: impl Fn(ColumnKind) -> bool, what: &'static str) -> Result<()> {
    match field(column) {
        Some(field) if is_right(field.field_type.column_kind()) => Ok(()),
        _ => Err(Error::Unknown { what, name: column.to_owned() }),
    }
}

/// The values of a derived key in one slice.
pub(super) enum DerivedValues<'a> {
    /// The codes of a dictionary-encoded text, with other entries.
    Entries(DictionaryColumn<'a>, DerivedTexts<'a>),
    /// Texts by row.
    Texts(DerivedTexts<'a>),
    /// Integers by row. Those of rows before the slice are unspecified.
    Ints(Vec<i64>, ColumnStats),
}

impl<'a> DerivedValues<'a> {
    /// Derives the values of a key that [`Key::is_derived`] for the rows of a slice from its column `source`.
    ///
    /// # Errors
    /// `Unknown` if the column is of the wrong kind, or the scan lacks the code deck of the key.
    pub(super) fn new(key: &'a Key, slice: &'a RecordSlice<'a>, deck: Option<&'a CodeDeck>, source: Column<'a>) -> Result<Self> {
        match (key, source) {
            (Key::Prefix { length, .. }, source) => Self::texts(source, TextRule::Prefix(*length), key),
            (Key::DeckCode { .. }, source) => {
                let deck = deck.ok_or_else(|| Error::Unknown { what: "code deck of the key", name: key.source().to_owned() })?;
                Self::texts(source, TextRule::DeckCode(deck), key)
            }
            (Key::Quotient { divisor, .. }, Column::Int { values, default, .. }) => {
                Ok(Self::ints(slice, |row| quotient(values.get(row), default, *divisor)))
            }
            (Key::LocalTime { part, offsets }, _) => Ok(Self::ints(slice, local_part(*part, offsets, slice.setup_us))),
            (Key::Quotient { column: name, .. } | Key::Column(name), _) => {
                Err(Error::Unknown { what: "integer column", name: name.clone() })
            }
        }
    }

    fn texts(source: Column<'a>, rule: TextRule<'a>, key: &Key) -> Result<Self> {
        match source {
            Column::Dictionary(column) => Ok(Self::Entries(column, DerivedTexts { texts: column.entries, rule })),
            Column::Text(texts) => Ok(Self::Texts(DerivedTexts { texts, rule })),
            Column::Int { .. } | Column::Duration(_) => {
                Err(Error::Unknown { what: "text column", name: key.source().to_owned() })
            }
        }
    }

    /// Computes integers from row 0 on, so that they can be indexed by row.
    fn ints(slice: &RecordSlice<'_>, mut value: impl FnMut(usize) -> i64) -> Self {
        // Zeros, as the operating system has zeroed pages at hand, and those before the slice are never touched.
        let mut values = vec![0; slice.rows.end];
        slice.rows.clone().for_each(|row| values[row] = value(row));
        let stats = ColumnStats::of(&values[slice.rows.clone()]);
        Self::Ints(values, stats)
    }

    /// Bytes of memory that the values of a slice with this number of rows take at most.
    pub(super) fn bytes(key: &Key, rows: usize) -> usize {
        match key {
            Key::Quotient { .. } | Key::LocalTime { .. } => rows * size_of::<i64>(),
            Key::Column(_) | Key::Prefix { .. } | Key::DeckCode { .. } => 0,
        }
    }

    /// The values as a column.
    pub(super) fn column(&self) -> Column<'_> {
        match self {
            // Several entries may have the same beginning.
            Self::Entries(source, texts) => {
                Column::Dictionary(DictionaryColumn { codes: source.codes, entries: texts, order: EntryOrder::Any })
            }
            Self::Texts(texts) => Column::Text(texts),
            Self::Ints(values, stats) => Column::Int { values: IntValues::I64(values), stats: *stats, default: ABSENT },
        }
    }
}

/// Texts that follow from others.
pub(super) struct DerivedTexts<'a> {
    texts: &'a dyn Texts,
    rule: TextRule<'a>,
}

enum TextRule<'a> {
    Prefix(usize),
    DeckCode(&'a CodeDeck),
}

impl Texts for DerivedTexts<'_> {
    fn count(&self) -> usize {
        self.texts.count()
    }

    fn get(&self, number: usize) -> &str {
        let text = self.texts.get(number);
        match self.rule {
            TextRule::Prefix(length) => prefix(text.strip_prefix('+').unwrap_or(text), length),
            // The search drops the plus sign.
            TextRule::DeckCode(deck) => deck.find(text).map_or("", |entry| deck.entry(entry).code),
        }
    }
}

fn prefix(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

fn quotient(value: i64, default: i64, divisor: i64) -> i64 {
    let value = if value == ABSENT { default } else { value };
    if value == ABSENT { ABSENT } else { value.div_euclid(divisor) }
}

/// Returns the part of the local setup time by row. Rows near each other mostly have the same offset.
fn local_part(part: LocalPart, offsets: &LocalOffsets, setup_us: &[i64]) -> impl FnMut(usize) -> i64 {
    let (mut from, mut until, mut offset) = (0, 0, 0);
    move |row| {
        let us = setup_us[row];
        if us < from || until <= us {
            (from, until, offset) = offsets.period_of(us);
        }
        let hours = (us + offset).div_euclid(US_PER_HOUR);
        match part {
            LocalPart::Hour => hours.rem_euclid(HOURS_PER_DAY),
            LocalPart::Weekday => (hours.div_euclid(HOURS_PER_DAY) + EPOCH_WEEKDAY).rem_euclid(DAYS_PER_WEEK) + 1,
        }
    }
}
