//! The rows of a source as they are written: without the numbers to erase, and masked.
//!
//! Of a dictionary, each entry is scrubbed once, as it is and as masked; rows of several days may share it.

use std::collections::HashMap;

use super::scrubbing::scrubbed_state;
use super::segment::RowSource;
use crate::cancellation::CancelToken;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE};
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::columns::text::TextColumn;
use crate::error::Result;
use crate::record::US_PER_DAY;
use crate::record::schema::DICTIONARY_COUNT;
use crate::record::scrubbing::{SCRUBBED_SLOTS, Scrubbing};
use crate::wire::versions::{Versions, first_day};

/// A source, and what scrubbing changes of it.
pub struct ScrubbedSource<'s, 'a> {
    source: &'s RowSource<'a>,
    /// Columns in place of those of the source, by slot.
    texts: Vec<(usize, TextColumn)>,
    dictionaries: Vec<(usize, OwnedDictionary)>,
    /// Encoded versions in place of those of the source, by row.
    versions: HashMap<usize, Option<Vec<u8>>>,
}

/// A dictionary column; an erased entry is empty.
struct OwnedDictionary {
    codes: Vec<i32>,
    entries: Vec<Box<str>>,
}

impl<'s, 'a> ScrubbedSource<'s, 'a> {
    /// Scrubs all rows of a source.
    pub fn of(source: &'s RowSource<'a>, scrubbing: &Scrubbing) -> Self {
        let mut scrubbed = Self { source, texts: Vec::new(), dictionaries: Vec::new(), versions: HashMap::new() };
        if scrubbing.is_idle() {
            return scrubbed;
        }
        let rows = RowScrubbing::new(source, scrubbing);
        for &slot in &rows.text_slots {
            scrubbed.texts.extend(rows.scrubbed_texts(slot).map(|texts| (slot - DICTIONARY_COUNT, texts)));
        }
        scrubbed.dictionaries = rows.entries.iter().map(|entries| (entries.slot, rows.scrubbed_dictionary(entries))).collect();
        for row in source.slice.rows.clone() {
            if let Some(state) = rows.scrubbed_versions(row) {
                scrubbed.versions.insert(row, state.with_merged(|merged| state.to_bytes(merged)));
            }
        }
        scrubbed
    }

    /// The rows.
    pub fn slice(&self) -> RecordSlice<'_> {
        let mut slice = self.source.slice.clone();
        for (slot, texts) in &self.texts {
            slice.fields.texts[*slot] = texts;
        }
        for (slot, OwnedDictionary { codes, entries }) in &self.dictionaries {
            slice.fields.dictionaries[*slot] =
                DictionaryColumn { codes: DictionaryCodes::I32(codes), entries, order: EntryOrder::Any };
        }
        slice
    }

    /// Encoded versions of a row; `None` for a record of one version.
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        match self.versions.get(&row) {
            Some(versions) => versions.as_deref(),
            None => (self.source.versions)(row),
        }
    }
}

/// Returns the rows of a source that scrubbing has to change: those of records that are set up on a day to mask. It may
/// mask more, if a version of a record was set up before the others.
///
/// # Errors
/// `Cancelled` or `DeadlinePassed`.
pub fn changed_rows(source: &RowSource<'_>, scrubbing: &Scrubbing, cancel: &CancelToken) -> Result<RowSet> {
    let mut changed = RowSet::default();
    if scrubbing.is_idle() {
        return Ok(changed);
    }
    let rows = RowScrubbing { masks_by_first_day: false, ..RowScrubbing::new(source, scrubbing) };
    for row in source.slice.rows.clone() {
        cancel.check_at(row)?;
        if rows.changes_fields(row) || rows.scrubbed_versions(row).is_some() {
            changed.insert(row);
        }
    }
    Ok(changed)
}

/// Returns the rows without tombstone of a source that have a number to erase, in any version.
///
/// # Errors
/// `Cancelled` or `DeadlinePassed`.
pub fn rows_with_erased(source: &RowSource<'_>, scrubbing: &Scrubbing, cancel: &CancelToken) -> Result<RowSet> {
    let (mut found, rows) = (RowSet::default(), RowScrubbing::new(source, scrubbing));
    for row in source.slice.rows.clone().filter(|&row| !source.slice.tombstones.contains(row)) {
        cancel.check_at(row)?;
        let has_version = || rows.state(row).is_some_and(|state| state.has_erased(scrubbing));
        if rows.changes_fields(row) || has_version() {
            found.insert(row);
        }
    }
    Ok(found)
}

/// What scrubbing makes of the rows of a source.
struct RowScrubbing<'s, 'a> {
    source: &'s RowSource<'a>,
    scrubbing: &'s Scrubbing,
    /// Whether a record is masked once its first version is, and not only once the record is.
    masks_by_first_day: bool,
    /// Dictionaries of which an entry changes.
    entries: Vec<ScrubbedEntries>,
    /// String slots of plain texts that may change.
    text_slots: Vec<usize>,
}

/// What becomes of the entries of a dictionary, by code: `None` if one stays.
struct ScrubbedEntries {
    slot: usize,
    unmasked: Vec<Option<String>>,
    masked: Vec<Option<String>>,
}

impl<'s, 'a> RowScrubbing<'s, 'a> {
    fn new(source: &'s RowSource<'a>, scrubbing: &'s Scrubbing) -> Self {
        let (dictionary_slots, text_slots): (Vec<usize>, Vec<usize>) =
            SCRUBBED_SLOTS.into_iter().partition(|&slot| slot < DICTIONARY_COUNT);
        let entries = dictionary_slots
            .into_iter()
            .filter_map(|slot| ScrubbedEntries::of(slot, &source.slice.fields.dictionaries[slot], scrubbing));
        Self { entries: entries.collect(), text_slots, source, scrubbing, masks_by_first_day: true }
    }

    /// Whether the record of a row is masked.
    fn is_masked(&self, row: usize) -> bool {
        let setup_day = self.source.slice.setup_us[row].div_euclid(US_PER_DAY);
        let first = if self.masks_by_first_day { (self.source.versions)(row).and_then(first_day) } else { None };
        self.scrubbing.masks_day(first.unwrap_or(setup_day))
    }

    fn changes_fields(&self, row: usize) -> bool {
        let (fields, is_masked) = (&self.source.slice.fields, self.is_masked(row));
        let text = |slot: usize| fields.texts[slot - DICTIONARY_COUNT].get(row);
        self.entries.iter().any(|entries| entries.changes(fields.dictionaries[entries.slot].code(row), is_masked))
            || self.text_slots.iter().any(|&slot| self.scrubbing.scrubbed_text(slot, text(slot), is_masked).is_some())
    }

    /// The scrubbed column of a string slot; `None` if it stays.
    fn scrubbed_texts(&self, slot: usize) -> Option<TextColumn> {
        let (texts, rows) = (self.source.slice.fields.texts[slot - DICTIONARY_COUNT], &self.source.slice.rows);
        let scrubbed = |row: usize| self.scrubbing.scrubbed_text(slot, texts.get(row), self.is_masked(row));
        let first = rows.clone().find(|&row| scrubbed(row).is_some())?;
        let mut column = TextColumn::new(usize::MAX);
        for row in 0..rows.end {
            let scrubbed = if row < first { None } else { scrubbed(row) };
            column.push(scrubbed.as_deref().unwrap_or_else(|| texts.get(row)), row);
        }
        Some(column)
    }

    /// The scrubbed column of a dictionary.
    fn scrubbed_dictionary(&self, entries: &ScrubbedEntries) -> OwnedDictionary {
        let column = &self.source.slice.fields.dictionaries[entries.slot];
        let count = entries.unmasked.len();
        let code = |row: usize| match column.code(row) {
            NO_CODE => NO_CODE,
            code if self.is_masked(row) => code + count as i32,
            code => code,
        };
        let scrubbed = entries.unmasked.iter().chain(&entries.masked).enumerate();
        let text = |(code, scrubbed): (usize, &Option<String>)| -> Box<str> {
            scrubbed.as_deref().unwrap_or_else(|| column.entries.get(code % count)).into()
        };
        OwnedDictionary { codes: (0..self.source.slice.rows.end).map(code).collect(), entries: scrubbed.map(text).collect() }
    }

    /// The scrubbed versions of a row that has several; `None` if they stay.
    fn scrubbed_versions(&self, row: usize) -> Option<Versions> {
        let encoded = (self.source.versions)(row)?;
        scrubbed_state(self.scrubbing, &self.source.slice.fields.record(row), Some(encoded), self.is_masked(row))
    }

    /// The versions of a row that has several.
    fn state(&self, row: usize) -> Option<Versions> {
        let encoded = (self.source.versions)(row)?;
        Versions::of_row(&self.source.slice.fields.record(row), Some(encoded))
    }
}

impl ScrubbedEntries {
    /// `None` if no entry changes.
    fn of(slot: usize, column: &DictionaryColumn<'_>, scrubbing: &Scrubbing) -> Option<Self> {
        let scrubbed = |is_masked: bool| {
            let text = |code: usize| scrubbing.scrubbed_text(slot, column.entries.get(code), is_masked);
            (0..column.entries.count()).map(text).collect::<Vec<_>>()
        };
        let entries = Self { slot, unmasked: scrubbed(false), masked: scrubbed(true) };
        entries.unmasked.iter().chain(&entries.masked).any(Option::is_some).then_some(entries)
    }

    fn changes(&self, code: i32, is_masked: bool) -> bool {
        let entries = if is_masked { &self.masked } else { &self.unmasked };
        usize::try_from(code).is_ok_and(|code| entries[code].is_some())
    }
}
