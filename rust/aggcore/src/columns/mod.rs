//! Columns of records: owned ones of the memtable, Arrow arrays of batches and segments, and borrowed views
//! of either.
//!
//! A column is as narrow as its values allow, and each width reserves one value for "absent" (see [`integer`]
//! and [`dictionary`]). [`RecordColumns`] borrows all columns, wherever they are stored; a scan sees nothing
//! else.

pub mod arrow;
pub mod call_duration;
pub mod dictionary;
pub mod integer;
pub mod interner;
pub mod row_set;
pub mod slice;
pub mod text;
pub mod touched;

use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, STRING_COUNT, TEXT_COUNT, dictionary_slot, text_slot};
use crate::record::{Record, key_hash};
use dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NoTexts, Texts};
use integer::IntValues;

/// Borrowed columns of all fields. All have the same rows; a column in which every row is absent has no
/// storage.
#[derive(Clone)]
pub struct RecordColumns<'a> {
    /// Integer columns by slot.
    pub ints: [IntValues<'a>; INT_COUNT],
    /// Dictionary-encoded columns by slot.
    pub dictionaries: [DictionaryColumn<'a>; DICTIONARY_COUNT],
    /// Plain text columns by slot; the number of a text is its row.
    pub texts: [&'a dyn Texts; TEXT_COUNT],
}

impl Default for RecordColumns<'_> {
    /// Columns in which every field of every row is absent.
    fn default() -> Self {
        Self {
            ints: [IntValues::Absent; INT_COUNT],
            dictionaries: [DictionaryColumn { codes: DictionaryCodes::Absent, entries: &NoTexts, order: EntryOrder::Any };
                DICTIONARY_COUNT],
            texts: [&NoTexts; TEXT_COUNT],
        }
    }
}

impl<'a> RecordColumns<'a> {
    /// Returns columns of one row, row 0, that borrow from a record.
    pub fn from_record(record: &'a Record<'a>) -> Self {
        let one_entry = |slot: usize| DictionaryColumn {
            codes: DictionaryCodes::I32(&[0]),
            entries: &record.strings[slot],
            order: EntryOrder::Any,
        };
        Self {
            ints: std::array::from_fn(|slot| IntValues::I64(std::slice::from_ref(&record.ints[slot]))),
            dictionaries: std::array::from_fn(one_entry),
            texts: std::array::from_fn(|slot| &record.strings[DICTIONARY_COUNT + slot] as &dyn Texts),
        }
    }

    /// Returns the key of a row: source and session id.
    pub fn key(&self, row: usize) -> (&'a str, &'a str) {
        (self.dictionaries[dictionary_slot::SOURCE].text(row), self.texts[text_slot::SESSION_ID].get(row))
    }

    /// Returns the hash of the key of a row.
    pub fn key_hash(&self, row: usize) -> u64 {
        let (source, session_id) = self.key(row);
        key_hash(source, session_id)
    }

    /// Returns a row as a record.
    pub fn record(&self, row: usize) -> Record<'a> {
        let mut strings = [""; STRING_COUNT];
        for (text, column) in strings.iter_mut().zip(&self.dictionaries) {
            *text = column.text(row);
        }
        for (text, column) in strings[DICTIONARY_COUNT..].iter_mut().zip(&self.texts) {
            *text = column.get(row);
        }
        Record { ints: std::array::from_fn(|slot| self.ints[slot].get(row)), strings }
    }
}
