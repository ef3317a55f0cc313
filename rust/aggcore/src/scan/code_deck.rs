//! Code decks: destinations by dial code, found by the longest code that a dialled number begins with.
//!
//! The deck is a [trie](https://en.wikipedia.org/wiki/Trie) over decimal digits. It is our own because the
//! crates for tries and ordered maps of texts (`fst`, `qp-trie`) look up whole keys and ranges of keys, and
//! leave the search for the longest matching prefix, which is all that a deck does, to the caller.

use crate::columns::dictionary::Texts;

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeDeckEntry {
    /// The dial code: digits, without a leading `+`.
    pub code: String,
    /// Name of the destination; empty if it is absent.
    pub name: String,
    /// Country of the destination; empty if it is absent.
    pub country: String,
}

/// A code deck: entries and a trie of their codes.
pub struct CodeDeck {
    entries: Vec<CodeDeckEntry>,
    /// Node 0 is the root. It is never a child, so 0 also marks a missing child.
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    /// Child nodes by digit, 0 if missing.
    children: [u32; 10],
    /// The entry whose code ends at this node.
    entry: Option<u32>,
}

/// One of the three texts of each entry, as a column.
pub struct CodeDeckColumn<'a> {
    entries: &'a [CodeDeckEntry],
    text_of: fn(&CodeDeckEntry) -> &String,
}

impl CodeDeck {
    /// Builds the trie of entries with distinct codes.
    pub fn new(entries: Vec<CodeDeckEntry>) -> Self {
        let mut nodes = vec![Node::default()];
        for (index, entry) in (0u32..).zip(&entries) {
            let mut node = 0;
            for digit in leading_digits(&entry.code) {
                if nodes[node].children[digit] == 0 {
                    nodes[node].children[digit] = nodes.len() as u32;
                    nodes.push(Node::default());
                }
                node = nodes[node].children[digit] as usize;
            }
            nodes[node].entry = Some(index);
        }
        Self { entries, nodes }
    }

    /// Returns the index of the entry with the longest code that `number` begins with, after its optional
    /// `+`.
    pub fn find(&self, number: &str) -> Option<usize> {
        let (mut node, mut longest) = (0, None);
        for digit in leading_digits(number.strip_prefix('+').unwrap_or(number)) {
            node = self.nodes[node].children[digit] as usize;
            if node == 0 {
                break;
            }
            longest = self.nodes[node].entry.or(longest);
        }
        longest.map(|entry| entry as usize)
    }

    /// The texts of the entries that the column `*_rates_code`, `*_rates_code_name` or `*_rates_country` of a
    /// record refers to, by index. `name` is the column's name without `orig_` or `term_`.
    pub fn column(&self, name: &str) -> CodeDeckColumn<'_> {
        let text_of: fn(&CodeDeckEntry) -> &String = match name {
            "rates_code" => |entry| &entry.code,
            "rates_code_name" => |entry| &entry.name,
            _ => |entry| &entry.country,
        };
        CodeDeckColumn { entries: &self.entries, text_of }
    }
}

impl Texts for CodeDeckColumn<'_> {
    fn count(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, index: usize) -> &str {
        (self.text_of)(&self.entries[index])
    }
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
            let entry = |code: &String| CodeDeckEntry { code: code.clone(), name: String::new(), country: String::new() };
            let deck = CodeDeck::new(codes.iter().map(entry).collect());
            let found = deck.find(&number).map(|entry| deck.column("rates_code").get(entry).to_owned());
            proptest::prop_assert_eq!(found, longest_by_trying_all(&codes, &number));
        }
    }
}
