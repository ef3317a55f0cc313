//! Rows that a memtable snapshot copied: owned columns, with dictionary codes as the memtable has them.

use std::ops::Range;

use super::copied_columns::CopiedColumns;
use crate::columns::RecordColumns;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts, with_codes};
use crate::columns::integer::{IntColumn, IntValues};
use crate::columns::text::TextColumn;
use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, int_slot};

/// Rows of some columns, and dictionary entries.
pub struct CopiedRows {
    setup_us: Vec<i64>,
    /// By slot; the slot of the setup time is empty.
    ints: [IntColumn; INT_COUNT],
    codes: [Vec<i32>; DICTIONARY_COUNT],
    entries: [TextColumn; DICTIONARY_COUNT],
    texts: [TextColumn; TEXT_COUNT],
    received_us: Vec<i64>,
}

impl Default for CopiedRows {
    /// No rows.
    fn default() -> Self {
        let text = || TextColumn::new(usize::MAX);
        Self {
            setup_us: Vec::new(),
            ints: std::array::from_fn(|_| IntColumn::default()),
            codes: std::array::from_fn(|_| Vec::new()),
            entries: std::array::from_fn(|_| text()),
            texts: std::array::from_fn(|_| text()),
            received_us: Vec::new(),
        }
    }
}

impl CopiedRows {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.setup_us.len()
    }

    /// Number of entries of a dictionary.
    pub fn entry_count(&self, slot: usize) -> usize {
        self.entries[slot].count()
    }

    /// Setup times by row, microseconds UTC.
    pub fn setup_us(&self) -> &[i64] {
        &self.setup_us
    }

    /// Receive times by row, microseconds UTC; empty if they are not copied.
    pub fn received_us(&self) -> &[i64] {
        &self.received_us
    }

    /// The rows as columns; those that are not copied are absent.
    pub fn fields(&self) -> RecordColumns<'_> {
        let int = |slot: usize| match slot {
            int_slot::SETUP_TIME => IntValues::I64(&self.setup_us),
            _ => self.ints[slot].values(),
        };
        let dictionary = |slot: usize| {
            let codes = self.codes[slot].as_slice();
            let codes = if codes.is_empty() { DictionaryCodes::Absent } else { DictionaryCodes::I32(codes) };
            DictionaryColumn { codes, entries: &self.entries[slot], order: EntryOrder::Distinct }
        };
        RecordColumns {
            ints: std::array::from_fn(int),
            dictionaries: std::array::from_fn(dictionary),
            texts: std::array::from_fn(|slot| &self.texts[slot] as &dyn Texts),
        }
    }

    /// Appends a range of rows of other columns.
    pub fn append(&mut self, columns: &CopiedColumns, fields: &RecordColumns<'_>, received_us: &[i64], rows: Range<usize>) {
        let count = self.count();
        for (slot, column) in self.ints.iter_mut().enumerate().filter(|(slot, _)| columns.copies_int(*slot)) {
            column.append_range(fields.ints[slot], rows.clone(), count);
        }
        for (slot, codes) in self.codes.iter_mut().enumerate().filter(|(slot, _)| columns.dictionaries[*slot]) {
            append_codes(codes, fields.dictionaries[slot].codes, rows.clone(), count);
        }
        for (slot, column) in self.texts.iter_mut().enumerate().filter(|(slot, _)| columns.texts[*slot]) {
            rows.clone().zip(count..).for_each(|(row, new_row)| column.push(fields.texts[slot].get(row), new_row));
        }
        if columns.received_time {
            self.received_us.extend_from_slice(&received_us[rows.clone()]);
        }
        let setup_us = fields.ints[int_slot::SETUP_TIME];
        self.setup_us.extend(rows.map(|row| setup_us.get(row)));
    }

    /// Appends a range of the entries of a dictionary.
    pub fn append_entries(&mut self, slot: usize, entries: &dyn Texts, range: Range<usize>) {
        let column = &mut self.entries[slot];
        range.for_each(|code| column.push(entries.get(code), column.count()));
    }

    /// Removes all rows and entries, but keeps their memory.
    pub fn clear(&mut self) {
        self.setup_us.clear();
        self.ints.iter_mut().for_each(IntColumn::clear);
        self.codes.iter_mut().for_each(Vec::clear);
        self.entries.iter_mut().chain(&mut self.texts).for_each(TextColumn::clear);
        self.received_us.clear();
    }
}

/// Appends the codes of a range of rows to a column of `count` rows; a column in which no row has a text has no codes.
fn append_codes(codes: &mut Vec<i32>, copied: DictionaryCodes<'_>, rows: Range<usize>, count: usize) {
    with_codes!(copied, copied => {
        codes.resize(count, NO_CODE);
        codes.extend(copied[rows].iter().map(|code| code.one_based() as i32 - 1));
    }, {
        if !codes.is_empty() {
            codes.resize(count + rows.len(), NO_CODE);
        }
    });
}
