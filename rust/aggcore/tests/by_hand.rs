//! Scans of a few records whose answers can be checked by eye, in memory and in a segment: a segment has sorted
//! dictionaries, narrow integers and min/max statistics, by which it decides predicates without reading rows.
#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use aggcore::testing::ABSENT;
use aggcore::{CancelToken, Key, Measure, Partials, Predicate, Scan, Store, TextMatch};
use common::{OwnedRecord, batch};

const DAY_US: i64 = 86_400_000_000;

fn partials(store: &Store, predicates: &[Predicate], keys: &[String], measure: Measure) -> Partials {
    let scan = Scan {
        edges: None,
        predicates,
        keys: &Key::columns(keys),
        measure,
        deck: None,
        cell_count_max: 100,
        cancel: &CancelToken::with_limit(None),
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    store.partials(&scan).unwrap()
}

fn ended(id: &str, kind: i64, price: i64, company: &str) -> OwnedRecord {
    OwnedRecord::new(id, 0)
        .with("end_time", 1)
        .with("kind", kind)
        .with("customer_price", price)
        .with_text("company", company)
        .with_text("dst_prefix_routing", company)
}

/// Six records; an absent kind means 1.
fn records() -> [OwnedRecord; 6] {
    [
        ended("a", ABSENT, 10, "acme"),
        ended("b", 1, 20, "acme east"),
        ended("c", 2, 30, "bell"),
        ended("d", 3, 40, ""),
        ended("e", 2, ABSENT, "bell"),
        ended("f", 1, 50, "zeta"),
    ]
}

/// Asserts which of the records satisfy all predicates, given as their session ids in one text.
fn check(predicates: &[Predicate], expected: &str) {
    let (store, directory) = (Store::default(), tempfile::tempdir().unwrap());
    store.apply(&batch(&records()), 0);
    let selected = || {
        let cells = common::cells(&partials(&store, predicates, &["session_id".to_owned()], Measure::Sessions));
        cells.into_keys().map(|(_, key)| key.concat()).collect::<String>()
    };
    assert_eq!(selected(), expected, "in memory: {predicates:?}");
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
    assert_eq!(selected(), expected, "in a segment: {predicates:?}");
}

fn between(column: &str, low: i64, high: i64) -> Predicate {
    Predicate::Between { column: column.to_owned(), low, high }
}

fn one_of(column: &str, values: &[i64]) -> Predicate {
    Predicate::one_of_ints(column.to_owned(), values.to_vec(), false)
}

#[test]
fn integers_are_compared_with_bounds_and_with_lists() {
    check(&[between("customer_price", 0, 9)], "");
    check(&[between("customer_price", 0, 10)], "a");
    check(&[between("customer_price", 11, 39)], "bc");
    check(&[between("customer_price", 50, 99)], "f");
    check(&[between("customer_price", 51, 99)], "");
    check(&[between("customer_price", 10, 50)], "abcdf");
    check(&[between("customer_price", 1 << 40, 1 << 41)], "");
    check(&[one_of("customer_price", &[30])], "c");
    check(&[one_of("customer_price", &[30, 10])], "ac");
    check(&[one_of("customer_price", &[9, 51])], "");
    // More values than a row is compared with one by one.
    check(&[one_of("customer_price", &[9, 10, 20, 40, 50])], "abdf");
}

#[test]
fn an_absent_kind_is_a_call() {
    check(&[one_of("kind", &[1])], "abf");
    check(&[one_of("kind", &[2])], "ce");
    check(&[between("kind", 2, 3)], "cde");
    check(&[one_of("kind", &[1, 2])], "abcef");
    check(&[one_of("kind", &[1, 2, 4, 5, 6])], "abcef");
    check(&[one_of("kind", &[2, 3, 4, 5, 6])], "cde");
}

#[test]
fn texts_are_found_at_any_place_of_a_dictionary() {
    let is = |text: &str| Predicate::one_of_texts("company".to_owned(), vec![text.to_owned()], false);
    for (text, expected) in [("acme", "a"), ("acme east", "b"), ("bell", "ce"), ("zeta", "f"), ("aa", ""), ("b", ""), ("zz", "")]
    {
        check(&[is(text)], expected);
    }
    check(&[Predicate::one_of_texts("company".to_owned(), vec!["zeta".to_owned(), "acme".to_owned()], false)], "af");
    let matches = |how, text: &str| Predicate::Text { column: "dst_prefix_routing".to_owned(), how, text: text.to_owned() };
    for (how, text, expected) in [
        (TextMatch::Eq, "bell", "ce"),
        (TextMatch::Eq, "bel", ""),
        (TextMatch::StartsWith, "acme", "ab"),
        (TextMatch::StartsWith, "b", "ce"),
        (TextMatch::StartsWith, "zeta", "f"),
        (TextMatch::StartsWith, "c", ""),
        (TextMatch::EndsWith, "a", "f"),
        (TextMatch::Contains, "me", "ab"),
    ] {
        check(&[matches(how, text)], expected);
    }
}

#[test]
fn pairs_of_texts_are_told_apart() {
    let pairs = |pairs: &[(&str, Option<&str>)]| {
        let owned = pairs.iter().map(|(first, second)| ((*first).to_owned(), second.map(str::to_owned)));
        Predicate::text_pairs(["company".to_owned(), "dst_prefix_routing".to_owned()], owned.collect())
    };
    check(&[pairs(&[("bell", None)])], "ce");
    check(&[pairs(&[("bell", Some("bell")), ("acme", Some("bell"))])], "ce");
    check(&[pairs(&[("bell", Some("acme")), ("acme", None), ("zeta", Some("zeta"))])], "af");
    check(&[pairs(&[("acme", Some("acme east")), ("acme east", Some("acme"))])], "");
    // A pair never has an empty text, so that an absent text fits none.
    check(&[pairs(&[("aa", None), ("zz", Some("zz"))])], "");
    check(&[pairs(&[])], "");
}

#[test]
fn all_predicates_must_hold() {
    let bell = || Predicate::one_of_texts("company".to_owned(), vec!["bell".to_owned()], false);
    check(&[one_of("customer_price", &[9, 10, 20, 40, 50]), one_of("kind", &[1])], "abf");
    check(&[one_of("kind", &[1]), one_of("customer_price", &[20, 30, 40, 50, 99])], "bf");
    check(&[bell(), between("customer_price", 0, 99)], "c");
    check(&[Predicate::Present { column: "customer_price".to_owned(), wanted: false }, bell()], "e");
}

#[test]
fn elapsed_time_of_any_length_adds_up() {
    let answered = |id: &str, answer_us: i64| OwnedRecord::new(id, 0).with("answer_time", answer_us);
    let store = Store::default();
    store.apply(&batch(&[answered("a", 0), answered("b", DAY_US), OwnedRecord::new("c", 0)]), 0);
    for keys in [[].as_slice(), &["kind".to_owned()]] {
        let elapsed = |as_of_us| partials(&store, &[], keys, Measure::Elapsed { as_of_us }).sums;
        // Before 2^31 ms, which is in the 25th day, after it, and after 2^32 ms.
        for days in [2, 24, 25, 30, 60] {
            assert_eq!(elapsed(days * DAY_US), [[3, (2 * days - 1) * 86_400_000, 0]], "{days} days");
        }
        // Before 1970 none has been answered.
        assert_eq!(elapsed(-1), [[3, 0, 0]]);
    }
}
