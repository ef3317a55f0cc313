//! Filters that are asked for again and again, of a segment that keeps their verdicts: by turns, with and without a code deck,
//! and by several threads. Each answer is compared with a loop over the records.
#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use aggcore::{CancelToken, CodeDeck, CodeDeckEntry, Measure, Network, Predicate, Scan, Store, TextMatch};
use common::{OwnedRecord, batch, cells};
use proptest::prelude::*;

const NAME: &str = "term_rates_code_name";
const ROW_COUNT: usize = 400;
const DECK: [(&str, &str); 3] = [("1", "north"), ("12", "south"), ("2", "")];

/// Records with few texts each, which is when verdicts are kept.
fn records() -> Vec<OwnedRecord> {
    let record = |number: usize| {
        OwnedRecord::new(&number.to_string(), 0)
            .with("end_time", 1)
            .with_text("term_dst_party_id", ["11", "12", "2", "3"][number % 4])
            .with_text(NAME, ["north", "southern", "", "east"][number / 4 % 4])
            .with_text("auth_orig_ip", ["10.0.0.1", "10.0.1.1", "no address", ""][number / 16 % 4])
    };
    (0..ROW_COUNT).map(record).collect()
}

/// The name of a record, or that of its number in the deck.
fn name_of(record: &OwnedRecord, with_deck: bool) -> String {
    if !with_deck {
        return record.text(NAME).to_owned();
    }
    let number = record.text("term_dst_party_id");
    let found = DECK.iter().filter(|(code, _)| number.starts_with(code)).max_by_key(|(code, _)| code.len());
    found.map_or_else(String::new, |(_, name)| (*name).to_owned())
}

const CONDITION_COUNT: usize = 7;

/// A condition and what it says of a record; there are more of them than a segment keeps.
fn condition(number: usize, with_deck: bool) -> (Predicate, impl Fn(&OwnedRecord) -> bool) {
    let text = |how, text: &str| Predicate::Text { column: NAME.to_owned(), how, text: text.to_owned() };
    let predicate = match number {
        0 => text(TextMatch::Contains, "th"),
        1 => text(TextMatch::EndsWith, "th"),
        2 => Predicate::Present { column: NAME.to_owned(), wanted: false },
        3 => Predicate::one_of_texts(NAME.to_owned(), vec!["north".to_owned()], true),
        4 => Predicate::Not(Box::new(text(TextMatch::Contains, "o"))),
        5 => Predicate::InNetwork { column: "auth_orig_ip".to_owned(), network: Network::parse("10.0.0.0/24").unwrap() },
        _ => Predicate::AnyOf(vec![text(TextMatch::EndsWith, "t"), text(TextMatch::Contains, "rth")]),
    };
    let holds = move |record: &OwnedRecord| {
        let name = name_of(record, with_deck);
        match number {
            0 => name.contains("th"),
            1 => name.ends_with("th"),
            2 => name.is_empty(),
            3 => name == "north" || name.is_empty(),
            4 => !name.contains('o'),
            5 => record.text("auth_orig_ip") == "10.0.0.1",
            _ => name.ends_with('t') || name.contains("rth"),
        }
    };
    (predicate, holds)
}

fn count(store: &Store, predicate: Predicate, with_deck: bool) -> i64 {
    let deck: CodeDeck = DECK.iter().map(|(code, name)| CodeDeckEntry { code, name, country: "" }).collect();
    let scan = Scan {
        edges: None,
        predicates: &[predicate],
        keys: &[],
        measure: Measure::Sessions,
        deck: with_deck.then_some(&deck),
        cell_count_max: 9,
        cancel: &CancelToken::with_limit(None),
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    cells(&store.partials(&scan).unwrap()).values().map(|sums| sums[0]).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn repeated_filters_select_the_same_records(
        asked in prop::collection::vec((0..CONDITION_COUNT, any::<bool>()), 30),
    ) {
        let (store, directory, records) = (Store::default(), tempfile::tempdir().unwrap(), records());
        store.apply(&batch(&records), 0);
        let flush = store.begin_flush(false);
        store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
        let check = || {
            for &(number, with_deck) in &asked {
                let (predicate, holds) = condition(number, with_deck);
                let expected = records.iter().filter(|record| holds(record)).count() as i64;
                assert_eq!(count(&store, predicate, with_deck), expected, "condition {number}, with a deck: {with_deck}");
            }
        };
        std::thread::scope(|threads| {
            threads.spawn(check);
            check();
        });
    }
}
