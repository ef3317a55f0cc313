//! Code decks: destinations by dial code, found by the longest code that a dialled number begins with.
//!
//! Codes are integers of 4 bits per digit, in ascending order, so that a binary search finds the greatest code that is
//! not above a number. If a code is a prefix of the number, all codes between the two begin with it: the search
//! therefore ends at that code or at one which begins with it, and the longest code that is a prefix of each other
//! code is known. A [trie](https://en.wikipedia.org/wiki/Trie) took 48 bytes per digit that codes do not share, for
//! 500,000 codes of 29 digits 550 MB, and 2 s to build. The crates for ordered maps of texts (`fst`, `qp-trie`) look up
//! whole keys and ranges of keys, and leave the search for the longest prefix, which is all that a deck does, to the
//! caller.

use crate::columns::dictionary::Texts;
pub use crate::wire::code_deck::CodeDeckEntry;

/// Longest dial code in digits.
pub const CODE_LEN_MAX: usize = 32;
/// Texts of an entry: code, name, country.
const PART_COUNT: usize = 3;
const DIGIT_BITS: u32 = 4;

/// A code deck: entries, and an index of their codes.
#[derive(Default)]
pub struct CodeDeck {
    /// The texts of all entries, one after the other. As a text each, 500,000 entries would take 30 ms to drop,
    /// while the thread that drops them holds the GIL.
    text: String,
    /// The end of each text in `text`, by entry.
    ends: Vec<[usize; PART_COUNT]>,
    /// The codes in ascending order, as [`code_key`].
    keys: Vec<u128>,
    /// The same codes.
    codes: Vec<Code>,
}

#[derive(Clone, Copy)]
struct Code {
    /// Index of its entry.
    entry: u32,
    /// Place in `codes` of the longest other code that is a prefix of this one.
    prefix: Option<u32>,
}

/// One of the three texts of each entry, as a column.
pub struct CodeDeckColumn<'a> {
    deck: &'a CodeDeck,
    part: usize,
}

impl<'a> FromIterator<CodeDeckEntry<'a>> for CodeDeck {
    /// Builds the deck of entries with distinct codes of 1 to [`CODE_LEN_MAX`] digits.
    fn from_iter<T: IntoIterator<Item = CodeDeckEntry<'a>>>(entries: T) -> Self {
        let (mut deck, mut keys) = (Self::default(), Vec::new());
        for (index, entry) in (0..).zip(entries) {
            keys.push((code_key(entry.code), index));
            let ends = [entry.code, entry.name, entry.country].map(|text| {
                deck.text.push_str(text);
                deck.text.len()
            });
            deck.ends.push(ends);
        }
        keys.sort_unstable();
        deck.index(&keys);
        deck
    }
}

impl CodeDeck {
    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether the deck lacks entries.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns an entry by its index.
    pub fn entry(&self, index: usize) -> CodeDeckEntry<'_> {
        let [code, name, country] = [0, 1, 2].map(|part| self.text(index, part));
        CodeDeckEntry { code, name, country }
    }

    /// Returns the index of the entry with the longest code that `number` begins with, after its optional
    /// `+`.
    pub fn find(&self, number: &str) -> Option<usize> {
        let number = code_key(number.strip_prefix('+').unwrap_or(number));
        let mut place = self.keys.partition_point(|&key| key <= number).checked_sub(1)?;
        while !is_prefix(self.keys[place], number) {
            place = self.codes[place].prefix? as usize;
        }
        Some(self.codes[place].entry as usize)
    }

    /// The texts of the entries that the column `*_rates_code`, `*_rates_code_name` or `*_rates_country` of a
    /// record refers to, by index. `name` is the column's name without `orig_` or `term_`.
    pub fn column(&self, name: &str) -> CodeDeckColumn<'_> {
        let part = match name {
            "rates_code" => 0,
            "rates_code_name" => 1,
            _ => 2,
        };
        CodeDeckColumn { deck: self, part }
    }

    fn text(&self, index: usize, part: usize) -> &str {
        let start = match (index, part) {
            (0, 0) => 0,
            (_, 0) => self.ends[index - 1][PART_COUNT - 1],
            _ => self.ends[index][part - 1],
        };
        &self.text[start..self.ends[index][part]]
    }

    /// Sets the index to ascending keys and the entries that have them.
    fn index(&mut self, keys: &[(u128, u32)]) {
        self.keys = keys.iter().map(|&(key, _)| key).collect();
        self.codes.reserve_exact(keys.len());
        for (place, &(key, entry)) in keys.iter().enumerate() {
            // The codes that are prefixes of this one are the one before it, or prefixes of that.
            let mut prefix = place.checked_sub(1).map(|place| place as u32);
            while let Some(place) = prefix
                && !is_prefix(self.keys[place as usize], key)
            {
                prefix = self.codes[place as usize].prefix;
            }
            self.codes.push(Code { entry, prefix });
        }
    }
}

impl Texts for CodeDeckColumn<'_> {
    fn count(&self) -> usize {
        self.deck.len()
    }

    fn get(&self, index: usize) -> &str {
        self.deck.text(index, self.part)
    }
}

/// Returns the leading digits of a text, at most [`CODE_LEN_MAX`], as an integer: the first digit in its highest 4
/// bits, each digit plus one, so that zeros are beyond the last digit. Keys compare as the texts do.
pub fn code_key(text: &str) -> u128 {
    let digits = text.bytes().take(CODE_LEN_MAX).map_while(|byte| byte.is_ascii_digit().then(|| u128::from(byte - b'0' + 1)));
    let start = u128::BITS;
    digits.fold((0, start), |(key, place), digit| (key | digit << (place - DIGIT_BITS), place - DIGIT_BITS)).0
}

/// Returns whether a number begins with a code, both as [`code_key`].
fn is_prefix(code: u128, number: u128) -> bool {
    let digit_bits = u128::BITS - code.trailing_zeros() / DIGIT_BITS * DIGIT_BITS;
    (code ^ number).leading_zeros() >= digit_bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest_by_trying_all(codes: &[String], number: &str) -> Option<String> {
        let number = number.strip_prefix('+').unwrap_or(number);
        codes.iter().filter(|code| number.starts_with(code.as_str())).max_by_key(|code| code.len()).cloned()
    }

    proptest::proptest! {
        #[test]
        fn the_longest_matching_code_is_found(codes in proptest::collection::btree_set("[123]{1,5}", 0..40), number in "\\+?[123]{0,8}") {
            let codes: Vec<String> = codes.into_iter().collect();
            let deck: CodeDeck = codes.iter().map(|code| CodeDeckEntry { code, ..Default::default() }).collect();
            let found = deck.find(&number).map(|entry| deck.column("rates_code").get(entry).to_owned());
            proptest::prop_assert_eq!(found, longest_by_trying_all(&codes, &number));
        }
    }

    #[test]
    fn codes_of_up_to_32_digits_are_found() {
        let longest = "9".repeat(CODE_LEN_MAX);
        let codes = ["9", "0", "00", longest.as_str()];
        let deck: CodeDeck = codes.iter().map(|code| CodeDeckEntry { code, ..Default::default() }).collect();
        let found = |number: &str| deck.find(number).map(|entry| deck.entry(entry).code.len());
        assert_eq!([found(&longest), found(&format!("+{longest}1")), found(&longest[1..])], [Some(32), Some(32), Some(1)]);
        assert_eq!([found("0a0"), found("000"), found("1"), found(""), found("+")], [Some(1), Some(2), None, None, None]);
    }

    #[test]
    fn an_entry_keeps_its_texts() {
        let entry = |code, name, country| CodeDeckEntry { code, name, country };
        let entries = [entry("49", "Germany", "DE"), entry("4", "", "é"), entry("490", "", "")];
        let deck: CodeDeck = entries.into_iter().collect();
        assert_eq!((0..deck.len()).map(|index| deck.entry(index)).collect::<Vec<_>>(), entries);
        assert_eq!(deck.column("rates_country").get(1), "é");
        assert!(!deck.is_empty() && CodeDeck::default().is_empty());
    }
}
