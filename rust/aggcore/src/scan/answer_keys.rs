//! The keys in the answers of servers: ids that are equal for equal values.

use std::ops::Range;
use std::sync::Arc;

use super::code_deck::CodeDeck;
use super::dense_ids::TextIds;
use super::partials::KeyValues;
use crate::columns::dictionary::Texts;
use crate::error::{Error, Result};
use crate::native::Block;
use crate::record::schema::{ColumnKind, field};

/// Columns of integers that are not fields of a record.
const DERIVED_INTEGERS: [&str; 2] = ["duration_ms", "received_time"];

/// A key of a scan.
pub struct Key {
    /// Its column in an answer.
    name: String,
    ids: KeyIds,
}

/// How the values of a key become integers, equal for equal values.
enum KeyIds {
    Integers,
    Texts(TextIds),
    Rates(RateIds),
}

/// The texts of a code deck that codes stand for.
struct RateIds {
    deck: Arc<CodeDeck>,
    /// Name of the column without `orig_` or `term_`.
    column: &'static str,
    codes: TextIds,
    /// Ids in `texts` by those in `codes`.
    text_of_code: Vec<i64>,
    texts: TextIds,
}

/// What the servers send for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Integers.
    Integer,
    /// Texts.
    Text,
    /// Codes of the code deck, which stand for their names.
    DeckName,
    /// Codes of the code deck, which stand for their countries.
    DeckCountry,
}

impl Key {
    /// Returns the key that is a column of records; with a code deck, the rates of a leg are codes of the deck.
    ///
    /// # Errors
    /// `Unknown` if there is not such a column.
    pub fn of_column(name: &str, deck: Option<&Arc<CodeDeck>>) -> Result<Self> {
        Ok(Self { name: name.to_owned(), ids: KeyIds::of_column(name, deck)? })
    }

    /// Returns the key of a type that a column of the answers has.
    ///
    /// # Errors
    /// `Unknown` for names and countries without a code deck.
    pub fn of_type(name: String, key_type: KeyType, deck: Option<&Arc<CodeDeck>>) -> Result<Self> {
        let rates = |column| match deck {
            Some(deck) => Ok(KeyIds::Rates(RateIds::new(deck, column))),
            None => Err(Error::Unknown { what: "column of a code deck", name: name.clone() }),
        };
        let ids = match key_type {
            KeyType::Integer => KeyIds::Integers,
            KeyType::Text => KeyIds::Texts(TextIds::default()),
            KeyType::DeckName => rates("rates_code_name")?,
            KeyType::DeckCountry => rates("rates_country")?,
        };
        Ok(Self { name, ids })
    }

    /// Puts the ids of some rows into places.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks the key, or has other values.
    pub fn put_ids<'p>(
        &mut self, block: &Block<'_>, rows: Range<usize>, places: impl Iterator<Item = &'p mut i64>,
    ) -> Result<()> {
        match &mut self.ids {
            KeyIds::Integers => {
                let values = &block.integers(&self.name)?[rows];
                places.zip(values).for_each(|(place, &value)| *place = value);
                Ok(())
            }
            KeyIds::Texts(texts) => put_text_ids(&block.strings(&self.name)?[rows], places, |text| Ok(texts.id(text).into())),
            KeyIds::Rates(rates) => put_text_ids(&block.strings(&self.name)?[rows], places, |code| rates.id(code)),
        }
    }

    /// Bytes of memory that the ids take.
    pub fn bytes(&self) -> usize {
        let code_bytes = match &self.ids {
            KeyIds::Integers | KeyIds::Texts(_) => 0,
            KeyIds::Rates(rates) => rates.codes.bytes() + rates.text_of_code.capacity() * size_of::<i64>(),
        };
        code_bytes + self.text_bytes()
    }

    /// Bytes of memory that the texts of the result take.
    pub fn text_bytes(&self) -> usize {
        self.texts().map_or(0, TextIds::bytes)
    }

    /// Bytes of memory that the values of `cell_count` cells take, apart from their texts.
    pub fn column_bytes(&self, cell_count: usize) -> usize {
        match self.texts() {
            None => cell_count * size_of::<i64>(),
            Some(texts) => cell_count * size_of::<u32>() + texts.count() * size_of::<String>(),
        }
    }

    /// Returns the values of ids.
    pub fn into_values(self, ids: impl Iterator<Item = i64>) -> KeyValues {
        match self.ids {
            KeyIds::Integers => KeyValues::Ints(ids.collect()),
            KeyIds::Texts(texts) | KeyIds::Rates(RateIds { texts, .. }) => {
                KeyValues::Texts { codes: ids.map(|id| id as u32).collect(), entries: texts.into_texts() }
            }
        }
    }

    fn texts(&self) -> Option<&TextIds> {
        match &self.ids {
            KeyIds::Integers => None,
            KeyIds::Texts(texts) | KeyIds::Rates(RateIds { texts, .. }) => Some(texts),
        }
    }
}

impl KeyIds {
    fn of_column(name: &str, deck: Option<&Arc<CodeDeck>>) -> Result<Self> {
        if DERIVED_INTEGERS.contains(&name) {
            return Ok(Self::Integers);
        }
        if let Some((deck, column)) = deck.zip(rate_column(name)) {
            return Ok(Self::Rates(RateIds::new(deck, column)));
        }
        match field(name).map(|field| field.field_type.column_kind()) {
            Some(ColumnKind::Int) => Ok(Self::Integers),
            Some(ColumnKind::Dictionary | ColumnKind::Text) => Ok(Self::Texts(TextIds::default())),
            None => Err(Error::Unknown { what: "column", name: name.to_owned() }),
        }
    }
}

impl RateIds {
    fn new(deck: &Arc<CodeDeck>, column: &'static str) -> Self {
        let (codes, texts) = (TextIds::default(), TextIds::default());
        Self { deck: Arc::clone(deck), column, codes, text_of_code: vec![0], texts }
    }

    /// Returns the id of the text that a code stands for, 0 if there is none.
    fn id(&mut self, code: &str) -> Result<i64> {
        let number = self.codes.id(code) as usize;
        if let Some(&id) = self.text_of_code.get(number) {
            return Ok(id);
        }
        let entry = self.deck.find(code).filter(|&entry| self.deck.entry(entry).code == code);
        let entry = entry.ok_or_else(|| malformed(format!("the code deck lacks the code {code:?}")))?;
        let id = self.texts.id(self.deck.column(self.column).get(entry)).into();
        self.text_of_code.push(id);
        Ok(id)
    }
}

/// Returns the name of a column of rates without `orig_` or `term_`.
fn rate_column(name: &str) -> Option<&'static str> {
    let rest = name.strip_prefix("orig_").or_else(|| name.strip_prefix("term_"))?;
    ["rates_code", "rates_code_name", "rates_country"].into_iter().find(|column| *column == rest)
}

fn put_text_ids<'p>(
    texts: &[&[u8]], places: impl Iterator<Item = &'p mut i64>, mut id: impl FnMut(&str) -> Result<i64>,
) -> Result<()> {
    for (place, bytes) in places.zip(texts) {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("a text is not UTF-8"))?;
        *place = id(text)?;
    }
    Ok(())
}

fn malformed(problem: impl Into<String>) -> Error {
    Error::MalformedBlock(problem.into())
}
