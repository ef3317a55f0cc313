//! Which columns of a memtable a snapshot copies.

use crate::record::Record;
use crate::record::schema::{ABSENT, ColumnKind, DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, field, int_slot, segment_column};

/// Copying a text takes about as long as copying this number of integers.
pub const VALUES_PER_TEXT: usize = 8;

/// The columns that a snapshot copies, by slot; it always copies the setup times.
#[derive(Clone)]
pub struct CopiedColumns {
    pub ints: [bool; INT_COUNT],
    pub dictionaries: [bool; DICTIONARY_COUNT],
    pub texts: [bool; TEXT_COUNT],
    pub received_time: bool,
    pub versions: bool,
}

impl CopiedColumns {
    /// All columns, as the active snapshot needs them.
    pub fn all() -> Self {
        Self {
            ints: [true; INT_COUNT],
            dictionaries: [true; DICTIONARY_COUNT],
            texts: [true; TEXT_COUNT],
            received_time: true,
            versions: true,
        }
    }

    /// The columns that a scan names.
    pub fn of_names(names: &[&str]) -> Self {
        let mut columns = Self {
            ints: [false; INT_COUNT],
            dictionaries: [false; DICTIONARY_COUNT],
            texts: [false; TEXT_COUNT],
            received_time: false,
            versions: false,
        };
        columns.ints[int_slot::SETUP_TIME] = true;
        names.iter().for_each(|name| columns.add(name));
        columns
    }

    /// Whether an integer column besides the setup times is copied.
    pub fn copies_int(&self, slot: usize) -> bool {
        self.ints[slot] && slot != int_slot::SETUP_TIME
    }

    /// Copying a row takes about as long as copying this number of integers.
    pub fn values_per_row(&self) -> usize {
        let ints = self.ints.iter().chain(&self.dictionaries).filter(|copied| **copied).count();
        let texts = self.texts.iter().filter(|copied| **copied).count();
        ints + texts * VALUES_PER_TEXT + usize::from(self.received_time) + usize::from(self.versions) * VALUES_PER_TEXT
    }

    /// A record without the fields that are not copied.
    pub fn restrict<'a>(&self, record: &Record<'a>) -> Record<'a> {
        let strings = || self.dictionaries.iter().chain(&self.texts);
        let mut restricted = record.clone();
        restricted.ints.iter_mut().zip(self.ints).filter(|(_, copied)| !copied).for_each(|(value, _)| *value = ABSENT);
        restricted.strings.iter_mut().zip(strings()).filter(|(_, copied)| !**copied).for_each(|(text, _)| *text = "");
        restricted
    }

    fn add(&mut self, name: &str) {
        match (name, field(name)) {
            ("received_time", _) => self.received_time = true,
            ("duration_ms" | segment_column::NAME_OF_DURATION, _) => {
                self.ints[int_slot::ANSWER_TIME] = true;
                self.ints[int_slot::END_TIME] = true;
            }
            (_, Some(field)) => match field.field_type.column_kind() {
                ColumnKind::Int => self.ints[field.slot] = true,
                ColumnKind::Dictionary => self.dictionaries[field.slot] = true,
                ColumnKind::Text => self.texts[field.slot] = true,
            },
            // Columns that only segments have, and unknown ones, which the scan refuses.
            (_, None) => {}
        }
    }
}
