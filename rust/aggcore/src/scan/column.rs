//! SliceColumns by name: those of the records, and those that follow from them.

use super::code_deck::{CodeDeckColumn, Deck};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, ColumnKind, default_of, dictionary_slot, field, text_slot};

/// One column of a slice.
#[derive(Clone, Copy)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Column<'a> {
    /// Integers; an absent one counts as `default`, which may be absent too.
    Int { values: IntValues<'a>, stats: ColumnStats, default: i64 },
    /// `duration_ms`, which follows from two times.
    Duration(CallDurations<'a>),
    /// Texts by code.
    Dictionary(DictionaryColumn<'a>),
    /// Texts by row.
    Text(&'a dyn Texts),
}

/// The columns of one slice, with a code deck in place of the rates that the records carry.
pub struct SliceColumns<'a> {
    slice: &'a RecordSlice<'a>,
    deck: Option<CodeDeckColumns<'a>>,
}

/// Entry of the deck by row and leg, and the texts of the entries.
struct CodeDeckColumns<'a> {
    orig_entries: Vec<i32>,
    term_entries: Vec<i32>,
    texts: [(&'static str, CodeDeckColumn<'a>); 3],
}

impl<'a> SliceColumns<'a> {
    /// The columns of a slice.
    pub fn new(slice: &'a RecordSlice<'a>, deck: Option<&'a Deck>) -> Self {
        let deck = deck.map(|deck| CodeDeckColumns {
            orig_entries: entries_of_rows(slice, text_slot::ORIG_DST_PARTY_ID, deck),
            term_entries: entries_of_rows(slice, text_slot::TERM_DST_PARTY_ID, deck),
            texts: ["rates_code", "rates_code_name", "rates_country"].map(|name| (name, deck.column(name))),
        });
        Self { slice, deck }
    }

    /// The account that all rows are of, if it is known.
    pub fn account(&self) -> Option<&'a str> {
        self.slice.account.map(|code| self.slice.fields.dictionaries[dictionary_slot::ACCOUNT_ID].entries.get(code))
    }

    /// The column of a name.
    ///
    /// # Errors
    /// `Unknown` where there is none.
    pub fn get(&self, name: &str) -> Result<Column<'_>> {
        let slice = self.slice;
        match name {
            "duration_ms" => return Ok(Column::Duration(slice.durations)),
            "received_time" => {
                return Ok(Column::Int {
                    values: IntValues::I64(slice.received_us),
                    stats: slice.received_stats,
                    default: ABSENT,
                });
            }
            _ => {}
        }
        if let Some(column) = self.deck.as_ref().and_then(|deck| deck.get(name)) {
            return Ok(Column::Dictionary(column));
        }
        let field = field(name).ok_or_else(|| Error::Unknown { what: "column", name: name.to_owned() })?;
        Ok(match field.field_type.column_kind() {
            ColumnKind::Dictionary => Column::Dictionary(slice.fields.dictionaries[field.slot]),
            ColumnKind::Text => Column::Text(slice.fields.texts[field.slot]),
            ColumnKind::Int => Column::Int {
                values: slice.fields.ints[field.slot],
                stats: slice.column_stats.map_or(UNKNOWN_STATS, |column_stats| column_stats[field.slot]),
                default: default_of(field.slot),
            },
        })
    }
}

impl CodeDeckColumns<'_> {
    fn get(&self, name: &str) -> Option<DictionaryColumn<'_>> {
        let (entry_of_row, column) = match name.split_at_checked(5)? {
            ("orig_", column) => (&self.orig_entries, column),
            ("term_", column) => (&self.term_entries, column),
            _ => return None,
        };
        let (_, texts) = self.texts.iter().find(|(name, _)| *name == column)?;
        Some(DictionaryColumn { codes: DictionaryCodes::I32(entry_of_row), entries: texts, order: EntryOrder::Any })
    }
}

/// Entry of the deck by row; of the rows that may be looked at.
fn entries_of_rows(slice: &RecordSlice<'_>, slot: usize, deck: &Deck) -> Vec<i32> {
    let dialled = slice.fields.texts[slot];
    let entry = |row| deck.find(dialled.get(row)).map_or(NO_CODE, |entry| entry as i32);
    (0..slice.rows.end).map(|row| if row < slice.rows.start { NO_CODE } else { entry(row) }).collect()
}
