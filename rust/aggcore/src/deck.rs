//! Code decks: the destination of a number is that of the longest code that begins it.

use crate::part::Strings;

/// Code, name and country of one destination; an empty name or country is absent.
pub type Entry = (String, String, String);

/// An imported code deck.
pub struct Deck {
    /// By code.
    entries: Vec<Entry>,
    /// Entry whose code is the next shorter prefix of this one's.
    shorter: Vec<Option<u32>>,
}

/// One of the three texts of the entries.
pub struct DeckColumn<'a> {
    entries: &'a [Entry],
    pick: fn(&Entry) -> &String,
}

impl Deck {
    /// A deck of entries in any order, their codes distinct.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort();
        let mut shorter = Vec::with_capacity(entries.len());
        let mut open: Vec<u32> = Vec::new();
        for (number, (code, _, _)) in (0u32..).zip(&entries) {
            while open.last().is_some_and(|&top| !code.starts_with(&entries[top as usize].0)) {
                open.pop();
            }
            shorter.push(open.last().copied());
            open.push(number);
        }
        Self { entries, shorter }
    }

    /// Number of the entry for a number, its leading `+` ignored.
    ///
    /// Of sorted codes, those that begin a number and the greatest code not after it are linked as ever
    /// shorter prefixes, so one binary search finds the longest.
    pub fn find(&self, number: &str) -> Option<usize> {
        let number = number.strip_prefix('+').unwrap_or(number);
        let after = self.entries.partition_point(|(code, _, _)| code.as_str() <= number);
        let mut candidate = after.checked_sub(1);
        while let Some(entry) = candidate {
            if number.starts_with(&self.entries[entry].0) {
                return candidate;
            }
            candidate = self.shorter[entry].map(|shorter| shorter as usize);
        }
        None
    }

    /// The column of the entries that stands for `*_rates_code`, `*_rates_code_name` or `*_rates_country`.
    pub fn column(&self, name: &str) -> DeckColumn<'_> {
        let pick: fn(&Entry) -> &String = match name {
            "rates_code" => |entry| &entry.0,
            "rates_code_name" => |entry| &entry.1,
            _ => |entry| &entry.2,
        };
        DeckColumn { entries: &self.entries, pick }
    }
}

impl Strings for DeckColumn<'_> {
    fn count(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, number: usize) -> &str {
        (self.pick)(&self.entries[number])
    }
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
