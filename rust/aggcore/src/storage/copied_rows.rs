//! Rows that a memtable snapshot copied: owned columns, with dictionary codes as the memtable has them.
//!
//! Steps copy them under the lock of the memtable, into memory that was touched before: page faults take longer than
//! copying, and wait for threads that unmap memory. A step then held the lock for some 100 ms.

use std::ops::Range;

use super::copied_columns::CopiedColumns;
use crate::columns::RecordColumns;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, with_codes};
use crate::columns::integer::{IntColumn, IntValues};
use crate::columns::row_set::RowSet;
use crate::columns::text::TextColumn;
use crate::columns::touched::make_room;
use crate::record::schema::{DICTIONARY_COUNT, INT_COUNT, TEXT_COUNT, int_slot};

/// Rows of some columns.
pub struct CopiedRows {
    setup_us: Vec<i64>,
    /// By slot; the slot of the setup time is empty.
    ints: [IntColumn; INT_COUNT],
    codes: [Vec<i32>; DICTIONARY_COUNT],
    texts: [TextColumn; TEXT_COUNT],
    received_us: Vec<i64>,
    /// Rows that do not count.
    pub tombstones: RowSet,
}

impl Default for CopiedRows {
    /// No rows.
    fn default() -> Self {
        Self {
            setup_us: Vec::new(),
            ints: std::array::from_fn(|_| IntColumn::default()),
            codes: std::array::from_fn(|_| Vec::new()),
            texts: std::array::from_fn(|_| TextColumn::new(usize::MAX)),
            received_us: Vec::new(),
            tombstones: RowSet::default(),
        }
    }
}

impl CopiedRows {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.setup_us.len()
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
    pub fn fields<'a>(&'a self, entries: &'a [TextColumn; DICTIONARY_COUNT]) -> RecordColumns<'a> {
        let int = |slot: usize| match slot {
            int_slot::SETUP_TIME => IntValues::I64(&self.setup_us),
            _ => self.ints[slot].values(),
        };
        let dictionary = |slot: usize| {
            let codes = self.codes[slot].as_slice();
            let codes = if codes.is_empty() { DictionaryCodes::Absent } else { DictionaryCodes::I32(codes) };
            DictionaryColumn { codes, entries: &entries[slot], order: EntryOrder::Distinct }
        };
        RecordColumns {
            ints: std::array::from_fn(int),
            dictionaries: std::array::from_fn(dictionary),
            texts: std::array::from_fn(|slot| &self.texts[slot] as _),
        }
    }

    /// Makes room for rows to append, in touched memory. Each step makes room for its own rows, and at first it allocates
    /// for `expected_count` rows, so that no column moves later.
    pub fn make_room(&mut self, layout: &RowLayout, row_count: usize, expected_count: usize) {
        let expected_count = if self.count() == 0 { expected_count.max(row_count) } else { row_count };
        make_room(&mut self.setup_us, row_count, expected_count);
        for (slot, column) in self.ints.iter_mut().enumerate() {
            match layout.int_bytes[slot] {
                0 => {}
                bytes => column.make_room(bytes, row_count, expected_count),
            }
        }
        for (codes, _) in self.codes.iter_mut().zip(layout.has_codes).filter(|(_, has_codes)| *has_codes) {
            make_room(codes, row_count, expected_count);
        }
        for (texts, bytes) in self.texts.iter_mut().zip(layout.text_bytes).filter(|(_, bytes)| *bytes > 0) {
            texts.make_room(row_count, row_count * bytes, expected_count);
        }
        if layout.received_time {
            make_room(&mut self.received_us, row_count, expected_count);
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
        if let IntValues::I64(setup_us) = fields.ints[int_slot::SETUP_TIME] {
            self.setup_us.extend_from_slice(&setup_us[rows]);
        } else {
            self.setup_us.extend(rows.map(|row| fields.ints[int_slot::SETUP_TIME].get(row)));
        }
    }
}

/// What a row of a copy takes in each column, as of the beginning of a snapshot.
pub struct RowLayout {
    /// Bytes of a value, by slot; 0 if the column is not copied or no row has a value.
    int_bytes: [usize; INT_COUNT],
    has_codes: [bool; DICTIONARY_COUNT],
    /// Mean bytes of a text, rounded up, by slot; 0 if the column is not copied or no row has a text.
    text_bytes: [usize; TEXT_COUNT],
    received_time: bool,
}

impl RowLayout {
    /// The layout of a copy of columns that have `row_count` rows and, by slot, these bytes of texts.
    pub fn new(
        fields: &RecordColumns<'_>, columns: &CopiedColumns, row_count: usize, text_bytes: impl Fn(usize) -> usize,
    ) -> Self {
        let int_bytes = |slot: usize| if columns.copies_int(slot) { bytes_of(fields.ints[slot]) } else { 0 };
        let has_codes =
            |slot: usize| columns.dictionaries[slot] && !matches!(fields.dictionaries[slot].codes, DictionaryCodes::Absent);
        let text_bytes = |slot: usize| if columns.texts[slot] { text_bytes(slot).div_ceil(row_count.max(1)) } else { 0 };
        Self {
            int_bytes: std::array::from_fn(int_bytes),
            has_codes: std::array::from_fn(has_codes),
            text_bytes: std::array::from_fn(text_bytes),
            received_time: columns.received_time,
        }
    }

    /// Bytes of a row in all columns.
    pub fn row_bytes(&self) -> usize {
        let codes = self.has_codes.iter().filter(|has_codes| **has_codes).count();
        let texts = self.text_bytes.iter().filter(|bytes| **bytes > 0).map(|bytes| bytes + TextColumn::BYTES_PER_ROW);
        size_of::<i64>() * (1 + usize::from(self.received_time))
            + self.int_bytes.iter().sum::<usize>()
            + codes * size_of::<i32>()
            + texts.sum::<usize>()
    }
}

/// Bytes of one row of an integer column of a memtable.
fn bytes_of(values: IntValues<'_>) -> usize {
    match values {
        IntValues::Absent => 0,
        IntValues::I8(_) | IntValues::I16(_) | IntValues::I32(_) => size_of::<i32>(),
        IntValues::I64(_) => size_of::<i64>(),
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
