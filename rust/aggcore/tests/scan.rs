//! The scan against a loop that anyone can check by eye.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use std::collections::BTreeMap;

use aggcore::deck::Deck;
use aggcore::error::Error;
use aggcore::filter::{Network, Predicate, TextMatch};
use aggcore::scan::{KeyValues, Measure, Partials, Scan};
use aggcore::schema::ABSENT;
use aggcore::stop::Stop;
use aggcore::store::Store;
use common::{Owned, batch, distinct};
use proptest::prelude::*;

fn store_of(records: &[Owned]) -> Store {
    let store = Store::default();
    store.apply(&batch(records), 0);
    store
}

fn ask(store: &Store, edges: Option<&[i64]>, predicates: &[Predicate], keys: &[String], measure: Measure) -> Partials {
    let stop = Stop::after(None);
    store.partials(&Scan { edges, predicates, keys, measure, deck: None, cell_count_max: 1_000, stop: &stop }).unwrap()
}

/// Cells of an answer by bin and key, those without records left out.
fn cells(partials: &Partials) -> BTreeMap<(u32, Vec<String>), [i64; 3]> {
    let key = |cell: usize| {
        let value = |column: &KeyValues| match column {
            KeyValues::Ints(values) => values[cell].to_string(),
            KeyValues::Texts(values) => values[cell].clone(),
        };
        partials.keys.iter().map(value).collect()
    };
    let cells = partials.sums.iter().enumerate().map(|(cell, sums)| ((partials.bins[cell], key(cell)), *sums));
    cells.filter(|(_, sums)| sums[0] > 0).collect()
}

fn naive(records: &[Owned], edges: &[i64], keep: impl Fn(&Owned) -> bool) -> BTreeMap<(u32, Vec<String>), [i64; 3]> {
    let mut cells = BTreeMap::new();
    for record in records.iter().filter(|record| keep(record)) {
        let setup = record.int("setup_time");
        for (bin, edge) in edges.windows(2).enumerate() {
            if edge[0] <= setup && setup < edge[1] {
                let key = vec![record.text("folder").to_owned(), record.int("app_id").to_string()];
                let sums: &mut [i64; 3] = cells.entry((bin as u32, key)).or_default();
                let (answer, end) = (record.int("answer_time"), record.int("end_time"));
                let talked = answer != ABSENT && end != ABSENT;
                sums[0] += 1;
                sums[1] += i64::from(answer != ABSENT);
                sums[2] += if talked { (end - answer) / 1_000 } else { 0 };
            }
        }
    }
    cells
}

/// A condition, and the same one as a person would write it.
type Pair = (Predicate, fn(&Owned) -> bool);

fn conditions() -> Vec<Pair> {
    let column = |name: &str| name.to_owned();
    vec![
        (Predicate::Between { column: column("customer_price"), low: -1, high: 1 }, |r| {
            (-1..=1).contains(&r.int("customer_price"))
        }),
        (Predicate::Between { column: column("duration_ms"), low: 1, high: 2_000 }, |r| {
            let (answer, end) = (r.int("answer_time"), r.int("end_time"));
            answer != ABSENT && end != ABSENT && (1..=2_000).contains(&((end - answer) / 1_000))
        }),
        (Predicate::OneOfInts { column: column("kind"), values: vec![1, 3] }, |r| matches!(r.int("kind"), ABSENT | 1 | 3)),
        (Predicate::OneOfInts { column: column("is_last_attempt"), values: vec![1] }, |r| r.int("is_last_attempt") != 0),
        (Predicate::OneOfTexts { column: column("company"), values: vec!["a".into(), "bb".into()] }, |r| {
            ["a", "bb"].contains(&r.text("company"))
        }),
        (Predicate::Present { column: column("end_time"), wanted: true }, |r| r.int("end_time") != ABSENT),
        (Predicate::Present { column: column("company"), wanted: false }, |r| r.text("company").is_empty()),
        (Predicate::Text { column: column("dst_prefix_routing"), how: TextMatch::StartsWith, text: "1".into() }, |r| {
            r.text("dst_prefix_routing").starts_with('1')
        }),
        (Predicate::Text { column: column("dst_prefix_routing"), how: TextMatch::EndsWith, text: "12".into() }, |r| {
            r.text("dst_prefix_routing").ends_with("12")
        }),
        (Predicate::Text { column: column("term_dst_party_id"), how: TextMatch::Contains, text: "21".into() }, |r| {
            r.text("term_dst_party_id").contains("21")
        }),
        (Predicate::Text { column: column("term_dst_party_id"), how: TextMatch::Eq, text: "1".into() }, |r| {
            r.text("term_dst_party_id") == "1"
        }),
        (Predicate::InNetwork { column: column("company"), network: Network::parse("::/0").unwrap() }, |_| false),
    ]
}

proptest! {
    #[test]
    fn sums_are_those_of_a_plain_loop(
        records in distinct(60), mut edges in prop::collection::vec(0..3 * 86_400_000_000i64, 2..6), which in 0usize..12, also in 0usize..12,
        sealed in any::<bool>(),
    ) {
        edges.sort_unstable();
        edges.dedup();
        // A record on an edge belongs to the bin that begins there.
        let edges: Vec<i64> = edges.into_iter().chain(records.first().map(|r| r.int("setup_time"))).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let conditions = conditions();
        let ((first, keep_first), (second, keep_second)) = (&conditions[which], &conditions[also]);
        let store = store_of(&records);
        let directory = tempfile::tempdir().unwrap();
        if sealed {
            let freeze = store.freeze(false);
            store.adopt(store.write_frozen(directory.path(), 1, 1_000, &freeze).unwrap());
        }
        let keys = ["folder".to_owned(), "app_id".to_owned()];
        let answer = ask(&store, Some(&edges), &[first.clone(), second.clone()], &keys, Measure::Calls);
        prop_assert_eq!(cells(&answer), naive(&records, &edges, |r| keep_first(r) && keep_second(r)));
    }
}

#[test]
fn every_bin_is_there_without_keys_and_none_without_edges() {
    let store = store_of(&[Owned::new("a", 10)]);
    let counts = |edges: Option<&[i64]>| -> Vec<i64> {
        ask(&store, edges, &[], &[], Measure::Sessions).sums.iter().map(|sums| sums[0]).collect()
    };
    assert_eq!(counts(Some(&[0, 10, 11, 20])), [0, 1, 0]);
    assert_eq!(counts(Some(&[11, 20])), [0]);
    assert_eq!(counts(Some(&[])), [0i64; 0]);
    assert_eq!(counts(None), [1]);
}

#[test]
fn elapsed_time_is_floored_per_session_and_never_negative() {
    let answered = |id: &str, us: i64| Owned::new(id, 0).with("answer_time", us);
    let store = store_of(&[answered("a", 1), answered("b", 1_001), answered("c", 9_000_000), Owned::new("d", 0)]);
    let sums = ask(&store, None, &[], &[], Measure::Elapsed { as_of_us: 3_000 }).sums;
    assert_eq!(sums, [[4, 2 + 1, 0]]);
}

#[test]
fn cells_are_limited_while_scanning() {
    let records: Vec<Owned> = (0..5).map(|n| Owned::new(&format!("s{n}"), n).with("app_id", n)).collect();
    let (store, stop, keys) = (store_of(&records), Stop::after(None), ["app_id".to_owned()]);
    let scan = |cell_count_max| Scan {
        edges: None,
        predicates: &[],
        keys: &keys,
        measure: Measure::Sessions,
        deck: None,
        cell_count_max,
        stop: &stop,
    };
    assert!(store.partials(&scan(5)).is_ok());
    assert!(matches!(store.partials(&scan(4)), Err(Error::CellLimit { asked: 5, allowed: 4 })));
}

#[test]
fn work_that_nobody_waits_for_ends() {
    let store = store_of(&[Owned::new("a", 0)]);
    let scan =
        |stop| Scan { edges: None, predicates: &[], keys: &[], measure: Measure::Sessions, deck: None, cell_count_max: 1, stop };
    let (cancelled, late) = (Stop::after(None), Stop::after(Some(std::time::Duration::ZERO)));
    cancelled.cancel();
    assert!(matches!(store.partials(&scan(&cancelled)), Err(Error::Cancelled)));
    assert!(matches!(store.partials(&scan(&late)), Err(Error::DeadlinePassed)));
}

#[test]
fn the_longest_durations_add_up() {
    let long = |id: &str| Owned::new(id, 0).with("answer_time", 0).with("end_time", 7_258_118_399_999_999);
    let store = store_of(&[long("a"), long("b")]);
    let sums = ask(&store, None, &[], &[], Measure::Calls).sums;
    assert_eq!(sums, [[2, 2, 2 * 7_258_118_399_999]]);
}

#[test]
fn a_code_deck_stands_in_place_of_the_rates_of_the_records() {
    let call =
        |id: &str, number: &str| Owned::new(id, 0).with_text("term_dst_party_id", number).with_text("term_rates_code", "carried");
    let store = store_of(&[call("a", "+1202"), call("b", "1203"), call("c", "44"), call("d", "")]);
    let entry = |code: &str, name: &str| (code.to_owned(), name.to_owned(), String::new());
    let deck = Deck::new(vec![entry("1", "one"), entry("1202", "capital"), entry("12", "one")]);
    let (stop, keys) = (Stop::after(None), ["term_rates_code_name".to_owned()]);
    let scan = Scan {
        edges: None,
        predicates: &[],
        keys: &keys,
        measure: Measure::Sessions,
        deck: Some(&deck),
        cell_count_max: 9,
        stop: &stop,
    };
    let names: BTreeMap<String, i64> =
        cells(&store.partials(&scan).unwrap()).into_iter().map(|((_, key), sums)| (key.concat(), sums[0])).collect();
    assert_eq!(names, BTreeMap::from([("capital".into(), 1), ("one".into(), 1), (String::new(), 2)]));
}
