//! Code decks: destinations by dial code, found by the longest code that a dialled number begins with.
//!
//! The deck is a [trie](https://en.wikipedia.org/wiki/Trie) over decimal digits. It is our own because the
//! crates for tries and ordered maps of texts (`fst`, `qp-trie`) look up whole keys and ranges of keys, and
//! leave the search for the longest matching prefix, which is all that a deck does, to the caller.
//!
//! It is built from the codes in ascending order, and ends where a single code is left: 500,000 codes of 10 digits
//! took 1.9 s and 120 MB with a node per digit, inserted in the order of a request. (Tried: binary search in the
//! ascending codes. It takes 14 MB, and a look-up 93 ns in place of 14.)

use crate::columns::dictionary::Texts;
pub use crate::wire::code_deck::CodeDeckEntry;

/// Longest dial code in digits.
pub const CODE_LEN_MAX: usize = 32;
/// Texts of an entry: code, name, country.
const PART_COUNT: usize = 3;
const DIGIT_BITS: u32 = 4;

/// A code deck: entries, and a trie of their codes.
pub struct CodeDeck {
    /// The texts of all entries, one after the other. As a text each, 500,000 entries would take 30 ms to drop,
    /// while the thread that drops them holds the GIL.
    text: String,
    /// The end of each text in `text`, by entry.
    ends: Vec<[usize; PART_COUNT]>,
    /// Node 0 is the root. It is never a child, so 0 also marks a missing child.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    /// Child nodes by digit, 0 if missing.
    children: [u32; 10],
    /// The entry whose code ends at this node, or below it if `is_tail`.
    entry: Option<u32>,
    /// Whether the node stands for all further digits of its code.
    is_tail: bool,
}

/// A code as [`code_key`], with the index of its entry.
type Code = (u128, u32);

/// One of the three texts of each entry, as a column.
pub struct CodeDeckColumn<'a> {
    deck: &'a CodeDeck,
    part: usize,
}

impl Default for CodeDeck {
    fn default() -> Self {
        Self { text: String::new(), ends: Vec::new(), nodes: vec![Node::default()] }
    }
}

impl<'a> FromIterator<CodeDeckEntry<'a>> for CodeDeck {
    /// Builds the deck of entries with codes of 1 to [`CODE_LEN_MAX`] digits. Of equal codes, the first one counts.
    fn from_iter<T: IntoIterator<Item = CodeDeckEntry<'a>>>(entries: T) -> Self {
        let (mut deck, mut codes) = (Self::default(), Vec::new());
        for (index, entry) in (0..).zip(entries) {
            codes.push((code_key(entry.code), index));
            let ends = [entry.code, entry.name, entry.country].map(|text| {
                deck.text.push_str(text);
                deck.text.len()
            });
            deck.ends.push(ends);
        }
        codes.sort_unstable();
        codes.dedup_by_key(|(key, _)| *key);
        deck.nodes = trie(&codes);
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
    ///
    /// ```
    /// use aggcore::{CodeDeck, CodeDeckEntry};
    /// let entry = |code| CodeDeckEntry { code, ..CodeDeckEntry::default() };
    /// let deck: CodeDeck = [entry("49"), entry("4930"), entry("49")].into_iter().collect();
    /// assert_eq!(deck.find("+4930123"), Some(1), "the longest code");
    /// assert_eq!(deck.find("4939"), Some(0), "of equal codes the first one");
    /// assert_eq!(deck.find("004930"), None, "no international prefix is taken off");
    /// assert_eq!(deck.find("49-30"), Some(0), "digits count up to the first other character");
    /// ```
    pub fn find(&self, number: &str) -> Option<usize> {
        let number = number.strip_prefix('+').unwrap_or(number);
        let (mut node, mut longest) = (&self.nodes[0], None);
        for digit in leading_digits(number) {
            let child = node.children[digit] as usize;
            if child == 0 {
                break;
            }
            node = &self.nodes[child];
            let is_match = |entry: &u32| !node.is_tail || number.starts_with(self.text(*entry as usize, 0));
            longest = node.entry.filter(is_match).or(longest);
        }
        longest.map(|entry| entry as usize)
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
}

impl Texts for CodeDeckColumn<'_> {
    fn count(&self) -> usize {
        self.deck.len()
    }

    fn get(&self, index: usize) -> &str {
        self.deck.text(index, self.part)
    }
}

/// Returns the nodes of ascending codes.
fn trie(codes: &[Code]) -> Vec<Node> {
    let (mut nodes, mut below) = (vec![Node::default()], vec![(codes, 0)]);
    let mut place = 0;
    while let Some(&(mut codes, depth)) = below.get(place) {
        let ending = codes.first().filter(|(key, _)| digit_of(*key, depth) == 0);
        if let Some((_, entry)) = ending {
            nodes[place].entry = Some(*entry);
            codes = &codes[1..];
        }
        match codes {
            // The root stands for no digit, so that it cannot be the tail of a code.
            [(_, entry)] if ending.is_none() && place > 0 => {
                (nodes[place].entry, nodes[place].is_tail) = (Some(*entry), true);
            }
            _ => {
                for codes in codes.chunk_by(|one, other| digit_of(one.0, depth) == digit_of(other.0, depth)) {
                    let digit = digit_of(codes[0].0, depth);
                    nodes[place].children[digit - 1] = nodes.len() as u32;
                    nodes.push(Node::default());
                    below.push((codes, depth + 1));
                }
            }
        }
        place += 1;
    }
    nodes
}

/// Returns the digit of a key at a depth from 0, plus one; 0 beyond the last digit.
fn digit_of(key: u128, depth: u32) -> usize {
    let place = u128::BITS.saturating_sub((depth + 1) * DIGIT_BITS);
    if depth < CODE_LEN_MAX as u32 { (key >> place) as usize & 0xf } else { 0 }
}

/// Returns the leading digits of a text, at most [`CODE_LEN_MAX`], as an integer: the first digit in its highest 4
/// bits, each digit plus one, so that zeros are beyond the last digit. Keys compare as the texts do.
pub fn code_key(text: &str) -> u128 {
    let places = (0..CODE_LEN_MAX as u32).map(|depth| u128::BITS - (depth + 1) * DIGIT_BITS);
    places.zip(leading_digits(text)).fold(0, |key, (place, digit)| key | (digit as u128 + 1) << place)
}

fn leading_digits(text: &str) -> impl Iterator<Item = usize> {
    text.bytes().map_while(|byte| byte.is_ascii_digit().then(|| usize::from(byte - b'0')))
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
