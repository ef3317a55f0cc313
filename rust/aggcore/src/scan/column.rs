//! Columns by name: those of the records, and those that follow from them.

use super::code_deck::{Deck, DeckColumn};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, ColumnKind, default_of, dictionary_slot, field, text_slot};

/// One column of a part.
#[derive(Clone, Copy)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Column<'a> {
    /// Integers; an absent one counts as `default`, which may be absent too.
    Int { values: IntValues<'a>, stats: ColumnStats, default: i64 },
    /// `duration_ms`, which follows from two times.
    Duration(CallDurations<'a>),
    /// Texts by code.
    DictionaryColumn(DictionaryColumn<'a>),
    /// Texts by row.
    Text(&'a dyn Texts),
}

/// The columns of one part, with a code deck in place of the rates that the records carry.
pub struct Columns<'a> {
    part: &'a RecordSlice<'a>,
    deck: Option<DeckColumns<'a>>,
}

/// Entry of the deck by row and leg, and the texts of the entries.
struct DeckColumns<'a> {
    orig_codes: Vec<i32>,
    term_codes: Vec<i32>,
    texts: [(&'static str, DeckColumn<'a>); 3],
}

impl<'a> Columns<'a> {
    /// The columns of a part.
    pub fn new(part: &'a RecordSlice<'a>, deck: Option<&'a Deck>) -> Self {
        let deck = deck.map(|deck| DeckColumns {
            orig_codes: entries(part, text_slot::ORIG_DST_PARTY_ID, deck),
            term_codes: entries(part, text_slot::TERM_DST_PARTY_ID, deck),
            texts: ["rates_code", "rates_code_name", "rates_country"].map(|name| (name, deck.column(name))),
        });
        Self { part, deck }
    }

    /// The account that all rows are of, if it is known.
    pub fn account(&self) -> Option<&'a str> {
        self.part.account.map(|code| self.part.fields.dictionaries[dictionary_slot::ACCOUNT_ID].entries.get(code))
    }

    /// The column of a name.
    ///
    /// # Errors
    /// `Unknown` where there is none.
    pub fn get(&self, name: &str) -> Result<Column<'_>> {
        let part = self.part;
        match name {
            "duration_ms" => return Ok(Column::Duration(part.durations)),
            "received_time" => {
                return Ok(Column::Int {
                    values: IntValues::Wide(part.received_us),
                    stats: part.received_stats,
                    default: ABSENT,
                });
            }
            _ => {}
        }
        if let Some(column) = self.deck.as_ref().and_then(|deck| deck.get(name)) {
            return Ok(Column::DictionaryColumn(column));
        }
        let field = field(name).ok_or_else(|| Error::Unknown { what: "column", name: name.to_owned() })?;
        Ok(match field.field_type.column_kind() {
            ColumnKind::Dictionary => Column::DictionaryColumn(part.fields.dictionaries[field.slot]),
            ColumnKind::Text => Column::Text(part.fields.texts[field.slot]),
            ColumnKind::Int => Column::Int {
                values: part.fields.ints[field.slot],
                stats: part.column_stats.map_or(UNKNOWN_STATS, |column_stats| column_stats[field.slot]),
                default: default_of(field.slot),
            },
        })
    }
}

impl DeckColumns<'_> {
    fn get(&self, name: &str) -> Option<DictionaryColumn<'_>> {
        let (codes, rest) = match name.split_at_checked(5)? {
            ("orig_", rest) => (&self.orig_codes, rest),
            ("term_", rest) => (&self.term_codes, rest),
            _ => return None,
        };
        let (_, entries) = self.texts.iter().find(|(name, _)| *name == rest)?;
        Some(DictionaryColumn { codes: DictionaryCodes::Wide(codes), entries, order: EntryOrder::Any })
    }
}

/// Entry of the deck by row; of the rows that may be looked at.
fn entries(part: &RecordSlice<'_>, slot: usize, deck: &Deck) -> Vec<i32> {
    let numbers = part.fields.texts[slot];
    let entry = |row| deck.find(numbers.get(row)).map_or(NO_CODE, |entry| entry as i32);
    (0..part.rows.end).map(|row| if row < part.rows.start { NO_CODE } else { entry(row) }).collect()
}
