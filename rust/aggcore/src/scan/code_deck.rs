//! Code decks: the destination of a number is that of the longest code that begins it.

use crate::columns::dictionary::Texts;

/// Code, name and country of one destination; an empty name or country is absent.
pub type CodeDeckEntry = (String, String, String);

/// An imported code deck: a tree of digits.
pub struct Deck {
    entries: Vec<CodeDeckEntry>,
    /// Node 0 is the root; no node has it as a child, so 0 stands for "none".
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    next: [u32; 10],
    entry: Option<u32>,
}

/// One of the three texts of the entries.
pub struct CodeDeckColumn<'a> {
    entries: &'a [CodeDeckEntry],
    pick: fn(&CodeDeckEntry) -> &String,
}

impl Deck {
    /// A deck of entries with distinct codes, each of digits.
    pub fn new(entries: Vec<CodeDeckEntry>) -> Self {
        let mut nodes = vec![Node::default()];
        for (number, (code, _, _)) in (0u32..).zip(&entries) {
            let mut node = 0;
            for digit in digits(code) {
                if nodes[node].next[digit] == 0 {
                    nodes[node].next[digit] = nodes.len() as u32;
                    nodes.push(Node::default());
                }
                node = nodes[node].next[digit] as usize;
            }
            nodes[node].entry = Some(number);
        }
        Self { entries, nodes }
    }

    /// Number of the entry whose code is the longest that begins a number, its leading `+` ignored.
    pub fn find(&self, number: &str) -> Option<usize> {
        let (mut node, mut found) = (0, None);
        for digit in digits(number.strip_prefix('+').unwrap_or(number)) {
            node = self.nodes[node].next[digit] as usize;
            if node == 0 {
                break;
            }
            found = self.nodes[node].entry.or(found);
        }
        found.map(|entry| entry as usize)
    }

    /// The column of the entries that stands for `*_rates_code`, `*_rates_code_name` or `*_rates_country`.
    pub fn column(&self, name: &str) -> CodeDeckColumn<'_> {
        let pick: fn(&CodeDeckEntry) -> &String = match name {
            "rates_code" => |entry| &entry.0,
            "rates_code_name" => |entry| &entry.1,
            _ => |entry| &entry.2,
        };
        CodeDeckColumn { entries: &self.entries, pick }
    }
}

impl Texts for CodeDeckColumn<'_> {
    fn count(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, number: usize) -> &str {
        (self.pick)(&self.entries[number])
    }
}

/// The digits that a text begins with.
fn digits(text: &str) -> impl Iterator<Item = usize> {
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
        fn the_longest_prefix_is_found(codes in proptest::collection::btree_set("[123]{1,5}", 0..40), number in "\\+?[123]{0,8}") {
            let codes: Vec<String> = codes.into_iter().collect();
            let deck = Deck::new(codes.iter().map(|code| (code.clone(), String::new(), String::new())).collect());
            let found = deck.find(&number).map(|entry| deck.column("rates_code").get(entry).to_owned());
            proptest::prop_assert_eq!(found, longest_by_trying_all(&codes, &number));
        }
    }
}
