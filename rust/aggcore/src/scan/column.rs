//! Columns by name: those of the records, and those that follow from them.

use super::code_deck::{Deck, DeckColumn};
use crate::columns::call_duration::Talk;
use crate::columns::dictionary::{Category, Codes, NO_CODE, Order, Strings};
use crate::columns::integer::{ANY_VALUES, Ints, Zone};
use crate::columns::slice::Part;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, Kept, category_slot, default_of, field, text_slot};

/// One column of a part.
#[derive(Clone, Copy)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Column<'a> {
    /// Integers; an absent one counts as `default`, which may be absent too.
    Int { values: Ints<'a>, zone: Zone, default: i64 },
    /// `duration_ms`, which follows from two times.
    Duration(Talk<'a>),
    /// Texts by code.
    Category(Category<'a>),
    /// Texts by row.
    Text(&'a dyn Strings),
}

/// The columns of one part, with a code deck in place of the rates that the records carry.
pub struct Columns<'a> {
    part: &'a Part<'a>,
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
    pub fn new(part: &'a Part<'a>, deck: Option<&'a Deck>) -> Self {
        let deck = deck.map(|deck| DeckColumns {
            orig_codes: entries(part, text_slot::ORIG_DST_PARTY_ID, deck),
            term_codes: entries(part, text_slot::TERM_DST_PARTY_ID, deck),
            texts: ["rates_code", "rates_code_name", "rates_country"].map(|name| (name, deck.column(name))),
        });
        Self { part, deck }
    }

    /// The account that all rows are of, if it is known.
    pub fn account(&self) -> Option<&'a str> {
        self.part.account.map(|code| self.part.fields.categories[category_slot::ACCOUNT_ID].entries.get(code))
    }

    /// The column of a name.
    ///
    /// # Errors
    /// `Unknown` where there is none.
    pub fn get(&self, name: &str) -> Result<Column<'_>> {
        let part = self.part;
        match name {
            "duration_ms" => return Ok(Column::Duration(part.talk)),
            "received_time" => {
                return Ok(Column::Int { values: Ints::Wide(part.received_us), zone: part.received_zone, default: ABSENT });
            }
            _ => {}
        }
        if let Some(column) = self.deck.as_ref().and_then(|deck| deck.get(name)) {
            return Ok(Column::Category(column));
        }
        let field = field(name).ok_or_else(|| Error::Unknown { what: "column", name: name.to_owned() })?;
        Ok(match field.shape.kept() {
            Kept::Category => Column::Category(part.fields.categories[field.slot]),
            Kept::Text => Column::Text(part.fields.texts[field.slot]),
            Kept::Int => Column::Int {
                values: part.fields.ints[field.slot],
                zone: part.zones.map_or(ANY_VALUES, |zones| zones[field.slot]),
                default: default_of(field.slot),
            },
        })
    }
}

impl DeckColumns<'_> {
    fn get(&self, name: &str) -> Option<Category<'_>> {
        let (codes, rest) = match name.split_at_checked(5)? {
            ("orig_", rest) => (&self.orig_codes, rest),
            ("term_", rest) => (&self.term_codes, rest),
            _ => return None,
        };
        let (_, entries) = self.texts.iter().find(|(name, _)| *name == rest)?;
        Some(Category { codes: Codes::Wide(codes), entries, order: Order::Any })
    }
}

/// Entry of the deck by row; of the rows that may be looked at.
fn entries(part: &Part<'_>, slot: usize, deck: &Deck) -> Vec<i32> {
    let numbers = part.fields.texts[slot];
    let entry = |row| deck.find(numbers.get(row)).map_or(NO_CODE, |entry| entry as i32);
    (0..part.rows.end).map(|row| if row < part.rows.start { NO_CODE } else { entry(row) }).collect()
}
