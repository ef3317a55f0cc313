//! The fields of records as borrowed columns, wherever the records are kept.

pub mod arrow;
pub mod call_duration;
pub mod dictionary;
pub mod integer;
pub mod interner;
pub mod row_set;
pub mod slice;
pub mod sums;
pub mod text;

use crate::record::schema::{CATEGORY_COUNT, INT_COUNT, STRING_COUNT, TEXT_COUNT, category_slot, text_slot};
use crate::record::{Record, key_hash};
use dictionary::{Category, Codes, NoStrings, Order, Strings};
use integer::Ints;

/// The fields of records, by row.
#[derive(Clone)]
pub struct Fields<'a> {
    /// Integer columns by slot.
    pub ints: [Ints<'a>; INT_COUNT],
    /// Category columns by slot.
    pub categories: [Category<'a>; CATEGORY_COUNT],
    /// Text columns by slot.
    pub texts: [&'a dyn Strings; TEXT_COUNT],
}

impl Default for Fields<'_> {
    /// Those of records that have none.
    fn default() -> Self {
        Self {
            ints: [Ints::Absent; INT_COUNT],
            categories: [Category { codes: Codes::Absent, entries: &NoStrings, order: Order::Any }; CATEGORY_COUNT],
            texts: [&NoStrings; TEXT_COUNT],
        }
    }
}

impl<'a> Fields<'a> {
    /// The fields of one record, as row 0.
    pub fn of(record: &'a Record<'a>) -> Self {
        let category = |slot: usize| Category { codes: Codes::Wide(&[0]), entries: &record.strings[slot], order: Order::Any };
        Self {
            ints: std::array::from_fn(|slot| Ints::Wide(std::slice::from_ref(&record.ints[slot]))),
            categories: std::array::from_fn(category),
            texts: std::array::from_fn(|slot| &record.strings[CATEGORY_COUNT + slot] as &dyn Strings),
        }
    }

    /// The key of a row: source and session id.
    pub fn key(&self, row: usize) -> (&'a str, &'a str) {
        (self.categories[category_slot::SOURCE].text(row), self.texts[text_slot::SESSION_ID].get(row))
    }

    /// Hash of the key of a row.
    pub fn key_hash(&self, row: usize) -> u64 {
        let (source, session_id) = self.key(row);
        key_hash(source, session_id)
    }

    /// One row as a record.
    pub fn record(&self, row: usize) -> Record<'a> {
        let mut strings = [""; STRING_COUNT];
        for (text, column) in strings.iter_mut().zip(&self.categories) {
            *text = column.text(row);
        }
        for (text, column) in strings[CATEGORY_COUNT..].iter_mut().zip(&self.texts) {
            *text = column.get(row);
        }
        Record { ints: std::array::from_fn(|slot| self.ints[slot].get(row)), strings }
    }
}
