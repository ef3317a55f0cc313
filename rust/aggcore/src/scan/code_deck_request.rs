//! Validates the entries of a `PutCodeDeckRequest` while it builds the deck.

use hashbrown::HashSet;

use super::code_deck::{CODE_LEN_MAX, CodeDeck, code_key};
use crate::error::Result;
use crate::wire::code_deck::{CodeDeckEntry, CodeDeckMessage};

/// Characters of a bad code that a [`BadEntry`] keeps. Errors repeat fewer.
const KEPT_CHAR_COUNT_MAX: usize = 128;

/// Limits of a code deck.
#[derive(Clone, Copy, Debug)]
pub struct CodeDeckLimits {
    /// Most entries of a deck. With more, no entry is looked at.
    pub entry_count: usize,
    /// Most bytes of a name or a country.
    pub text_bytes: usize,
    /// Bad entries to keep; further ones are counted.
    pub bad_entry_count: usize,
}

/// The rule that an entry breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// The code is not 1 to 32 digits.
    Code,
    /// An earlier entry has the code.
    RepeatedCode,
    /// Name or country is too long.
    Text,
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// Position in the request, from 0.
    pub index: usize,
    /// Why.
    pub fault: EntryFault,
    /// Its code, of which a long one is cut.
    pub code: String,
}

/// A request that was decoded, and is valid if it has an id, entries within the limit, and no bad ones.
pub struct CodeDeckRequest {
    /// Id of the deck; `None` if it is absent.
    pub id: Option<i64>,
    /// Entries of the request.
    pub entry_count: usize,
    /// The first bad entries.
    pub bad_entries: Vec<BadEntry>,
    /// Number of all bad entries.
    pub bad_entry_count: usize,
    /// The deck; empty if there are bad entries, or more than allowed.
    pub deck: CodeDeck,
}

impl CodeDeckRequest {
    /// Decodes a `PutCodeDeckRequest` and builds its deck.
    ///
    /// # Errors
    /// `MalformedRequest` if the bytes are not a valid message.
    pub fn from_wire(bytes: &[u8], limits: CodeDeckLimits) -> Result<Self> {
        let message = CodeDeckMessage::new(bytes)?;
        let (id, entry_count) = (message.id, message.entry_count);
        let mut request = Self { id, entry_count, bad_entries: Vec::new(), bad_entry_count: 0, deck: CodeDeck::default() };
        if entry_count > limits.entry_count {
            return Ok(request);
        }
        let (mut entries, mut codes) = (Vec::with_capacity(entry_count), HashSet::with_capacity(entry_count));
        message.for_each_entry(|entry| {
            if let Some(fault) = fault(entry, limits.text_bytes, &mut codes) {
                request.take_bad(entries.len(), fault, entry.code, limits.bad_entry_count);
            }
            entries.push(entry);
        })?;
        if request.bad_entry_count == 0 {
            request.deck = entries.into_iter().collect();
        }
        Ok(request)
    }

    fn take_bad(&mut self, index: usize, fault: EntryFault, code: &str, count_max: usize) {
        self.bad_entry_count += 1;
        if self.bad_entries.len() < count_max {
            let code = code.chars().take(KEPT_CHAR_COUNT_MAX).collect();
            self.bad_entries.push(BadEntry { index, fault, code });
        }
    }
}

/// Returns the rule that an entry breaks. `codes` are those of the entries before it.
fn fault(entry: CodeDeckEntry<'_>, text_bytes: usize, codes: &mut HashSet<u128>) -> Option<EntryFault> {
    let is_code = (1..=CODE_LEN_MAX).contains(&entry.code.len()) && entry.code.bytes().all(|byte| byte.is_ascii_digit());
    if !is_code {
        return Some(EntryFault::Code);
    }
    if !codes.insert(code_key(entry.code)) {
        return Some(EntryFault::RepeatedCode);
    }
    let is_long = entry.name.len().max(entry.country.len()) > text_bytes;
    is_long.then_some(EntryFault::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CodeDeckLimits = CodeDeckLimits { entry_count: 6, text_bytes: 4, bad_entry_count: 3 };

    fn encode(entries: &[[&str; 3]]) -> Vec<u8> {
        let mut bytes = vec![0x08, 7];
        for entry in entries {
            let mut inner = Vec::new();
            for (number, text) in (1..).zip(entry) {
                prost::encoding::string::encode(number, &(*text).to_owned(), &mut inner);
            }
            prost::encoding::bytes::encode(2, &inner, &mut bytes);
        }
        bytes
    }

    fn request(entries: &[[&str; 3]]) -> Result<CodeDeckRequest> {
        CodeDeckRequest::from_wire(&encode(entries), LIMITS)
    }

    #[test]
    fn the_first_bad_entries_are_kept_and_all_are_counted() -> Result<()> {
        let long = "é".repeat(200);
        let bad =
            request(&[["49", "", ""], [&long, "", ""], ["49", "", ""], ["1", "12345", ""], ["2", "", "ééé"], ["", "", ""]])?;
        let found: Vec<_> = bad.bad_entries.iter().map(|bad| (bad.index, bad.fault, bad.code.chars().count())).collect();
        assert_eq!(found, [(1, EntryFault::Code, 128), (2, EntryFault::RepeatedCode, 2), (3, EntryFault::Text, 1)]);
        assert_eq!((bad.id, bad.entry_count, bad.bad_entry_count), (Some(7), 6, 5));
        Ok(())
    }

    #[test]
    fn codes_are_one_to_thirty_two_ascii_digits() -> Result<()> {
        let (longest, longer) = ("0".repeat(32), "0".repeat(33));
        let valid = request(&[["0", "", ""], [&longest, "four", "DE"]])?;
        assert_eq!((valid.bad_entry_count, valid.deck.len()), (0, 2));
        let bad = request(&[["+1", "", ""], ["1 ", "", ""], ["\u{ff11}", "", ""], [&longer, "", ""]])?;
        assert_eq!(bad.bad_entry_count, 4);
        Ok(())
    }

    #[test]
    fn beyond_the_limit_no_entry_is_looked_at() -> Result<()> {
        let malformed = [[0x12, 1, 0x07]; 7].concat();
        let refused = CodeDeckRequest::from_wire(&malformed, LIMITS)?;
        assert_eq!((refused.entry_count, refused.bad_entry_count, refused.deck.len()), (7, 0, 0));
        assert!(CodeDeckRequest::from_wire(&malformed[3..], LIMITS).is_err());
        Ok(())
    }
}
