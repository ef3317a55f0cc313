//! Traffic scans compared with a naive loop over the records.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;
#[path = "common/naive_traffic.rs"]
mod naive_traffic;
#[path = "common/predicate_pairs.rs"]
mod predicate_pairs;

use aggcore::{
    CancelToken, CodeDeck, CodeDeckEntry, Error, Key, KeyValue, MeasureValues, MemoryLimits, Occupancy, Predicate, Store,
    TrafficMeasure, TrafficPartials, TrafficScan, Tuning,
};
use common::{OwnedRecord, batch, distinct_records};
use naive_traffic::{Cells, KEY_COUNT, MEASURES, PREDICATE_COUNT, cells, key, measure, naive, predicate};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;
const CODES: [(&str, &str); 4] = [("1", "one"), ("12", "two"), ("2", "two"), ("211", "")];

fn deck() -> CodeDeck {
    CODES.iter().map(|(code, country)| CodeDeckEntry { code, name: country, country }).collect()
}

/// Records with the fields of the traffic question.
fn calls(count: usize) -> impl Strategy<Value = Vec<OwnedRecord>> {
    (distinct_records(count), any::<u64>()).prop_map(|(records, seed)| {
        let seeded = records.into_iter().enumerate().map(|(row, record)| {
            let draw =
                |salt: u64, bound: u64| (seed ^ row as u64 ^ salt << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 & (bound - 1);
            let record = if draw(3, 4) > 0 { record.with("disconnect_cause", 14 + draw(4, 8) as i64 * 3) } else { record };
            let record = if draw(5, 4) > 0 { record.with("vendor_price", draw(6, 1 << 20) as i64 - 9_999) } else { record };
            let currency = |salt| ["", "EUR", "USD", "EUR"][draw(salt, 4) as usize];
            record.with_text("currency", currency(7)).with_text("vendor_currency", currency(8))
        });
        seeded.collect()
    })
}

fn scan(
    store: &Store, edges: &[i64], predicates: &[Predicate], keys: &[Key], measures: &[TrafficMeasure], cell_count_max: usize,
) -> aggcore::Result<TrafficPartials> {
    let scan = TrafficScan {
        edges: Some(edges),
        predicates,
        keys,
        measure: measures,
        deck: Some(&deck()),
        cell_count_max,
        cancel: &CancelToken::with_limit(None),
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    store.traffic_partials(&scan, &Occupancy::default())
}

/// Stores with the records in one memtable, and in segments, memtables and with tombstones.
fn stores(directory: &std::path::Path, records: &[OwnedRecord], tuning: &Tuning) -> [Store; 2] {
    let [whole, parts] = [0, 1].map(|_| Store::new(tuning.clone(), MemoryLimits::default()));
    whole.apply(&batch(records), 0);
    common::apply_in_parts(&parts, directory, records);
    [whole, parts]
}

proptest! {
    #[test]
    fn a_traffic_scan_equals_a_loop_over_the_records(
        records in calls(70), edges in prop::collection::btree_set(0..3 * DAY_US, 2..6),
        keys in prop::sample::subsequence((0..KEY_COUNT).collect::<Vec<_>>(), 0..5),
        measures in prop::sample::subsequence(MEASURES.to_vec(), 1..9).prop_shuffle(),
        conditions in prop::sample::subsequence((0..PREDICATE_COUNT).collect::<Vec<_>>(), 0..3), parallel in any::<bool>(),
    ) {
        let edges: Vec<i64> = edges.into_iter().collect();
        let asked: Vec<Key> = keys.iter().map(|&number| key(number)).collect();
        let sums: Vec<TrafficMeasure> = measures.iter().map(|name| measure(name)).collect();
        let predicates: Vec<Predicate> = conditions.iter().map(|&number| predicate(number)).collect();
        let expected = naive(&records, &edges, &conditions, &keys, &measures, &deck());
        let directory = tempfile::tempdir().unwrap();
        let tuning = if parallel {
            Tuning { parallel_row_count_min: 1, task_row_count_max: 9, helper_thread_count: 2, ..Tuning::default() }
        } else {
            Tuning::default()
        };
        for store in stores(directory.path(), &records, &tuning) {
            let result = scan(&store, &edges, &predicates, &asked, &sums, 1_000).unwrap();
            prop_assert_eq!(cells(&result), expected.clone());
            let cell_count = result.bins.len();
            prop_assert_eq!(cell_count, expected.len(), "no cell is there twice");
            if !keys.is_empty() && cell_count > 0 {
                let limited = scan(&store, &edges, &predicates, &asked, &sums, cell_count - 1);
                let refused = matches!(limited, Err(Error::CellLimit { asked, .. }) if asked == cell_count);
                prop_assert!(refused, "{:?}", limited);
            }
        }
    }
}

/// A question: edges in hours, and the numbers of keys and conditions.
#[derive(Clone, Debug)]
struct Question {
    hours: Vec<i64>,
    keys: Vec<usize>,
    conditions: Vec<usize>,
    measures: Vec<&'static str>,
}

fn question() -> impl Strategy<Value = Question> {
    // Those of a group by a code of the code deck, and those that list values, have no rollup.
    let keys = prop::sample::subsequence((0..KEY_COUNT).collect::<Vec<_>>(), 0..3);
    let measures = prop::sample::subsequence(MEASURES[..17].to_vec(), 1..5);
    let conditions = prop::sample::subsequence((0..PREDICATE_COUNT).collect::<Vec<_>>(), 0..3);
    (prop::collection::btree_set(0..73i64, 2..5), keys, conditions, measures).prop_map(|(hours, keys, conditions, measures)| {
        Question { hours: hours.into_iter().collect(), keys, conditions, measures }
    })
}

fn answer(store: &Store, question: &Question) -> Cells {
    let edges: Vec<i64> = question.hours.iter().map(|hour| hour * DAY_US / 24).collect();
    let keys: Vec<Key> = question.keys.iter().map(|&number| key(number)).collect();
    let predicates: Vec<Predicate> = question.conditions.iter().map(|&number| predicate(number)).collect();
    let measures: Vec<TrafficMeasure> = question.measures.iter().map(|name| measure(name)).collect();
    cells(&scan(store, &edges, &predicates, &keys, &measures, 1_000).unwrap())
}

fn naive_answer(records: &[OwnedRecord], question: &Question) -> Cells {
    let edges: Vec<i64> = question.hours.iter().map(|hour| hour * DAY_US / 24).collect();
    naive(records, &edges, &question.conditions, &question.keys, &question.measures, &deck())
}

proptest! {
    #[test]
    fn rollups_answer_as_the_records_do(
        records in calls(90), questions in prop::collection::vec(question(), 1..5), replaced in 0usize..3,
        bytes_max in prop_oneof![Just(0usize), Just(3_000), Just(1 << 20)],
    ) {
        let tuning = Tuning { rollup_rows_per_row_min: 1, traffic_rollup_bytes_max: bytes_max, ..Tuning::default() };
        let (store, directory) = (Store::new(tuning, MemoryLimits::default()), tempfile::tempdir().unwrap());
        store.apply(&batch(&records), 0);
        let flush = store.begin_flush(false);
        store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
        let narrowed = |question: &Question| Question { conditions: Vec::new(), keys: question.keys[..question.keys.len() / 2].to_vec(), ..question.clone() };
        for _ in 0..3 {
            for question in questions.iter().flat_map(|question| [question.clone(), narrowed(question)]) {
                prop_assert_eq!(answer(&store, &question), naive_answer(&records, &question), "{:?}", question);
            }
        }
        let again: Vec<OwnedRecord> = records.iter().take(replaced).map(|record| record.clone().with("revision", 1)).collect();
        store.apply(&batch(&again), 0);
        for question in &questions {
            prop_assert_eq!(answer(&store, question), naive_answer(&records, question), "after a replacement: {:?}", question);
        }
    }
}

#[test]
fn the_third_question_is_answered_by_a_rollup_and_so_are_smaller_ones() {
    let store = Store::default();
    let call = |n: i64| {
        let record = OwnedRecord::new(&n.to_string(), n * DAY_US / 1_000).with("end_time", DAY_US).with("is_last_attempt", n % 2);
        record.with_text("company", ["a", "bb"][n as usize % 2]).with_text("folder", ["x", "y", "z"][n as usize % 3])
    };
    let records: Vec<OwnedRecord> = (0..1_000).map(call).collect();
    store.apply(&batch(&records), 0);
    let directory = tempfile::tempdir().unwrap();
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 10_000, &flush).unwrap());
    let whole =
        Question { hours: vec![0, 24], keys: vec![0, 6], conditions: vec![3], measures: vec!["all", "answered", "pdd_ms"] };
    let hits = || store.scan_counts().rollup_hits;
    for (count, question) in (1..).zip(std::iter::repeat_n(&whole, 3)) {
        assert_eq!(answer(&store, question), naive_answer(&records, question));
        assert_eq!(hits(), u64::from(count == 3));
    }
    let smaller = [
        Question { keys: vec![6], ..whole.clone() },
        Question { keys: vec![], measures: vec!["pdd_ms"], ..whole.clone() },
        Question { conditions: vec![4], ..whole.clone() },
        Question { hours: vec![0, 48], conditions: vec![3 + predicate_pairs::PAIR_COUNT], ..whole.clone() },
    ];
    for (count, question) in (2..).zip(&smaller) {
        assert_eq!(answer(&store, question), naive_answer(&records, question));
        assert_eq!(hits(), count, "{question:?}");
    }
    // By the hour, it has too few sums.
    let finer = Question { hours: vec![0, 7], ..whole };
    assert_eq!(answer(&store, &finer), naive_answer(&records, &finer));
    assert_eq!(hits(), 5);
}

#[test]
fn a_scan_without_keys_has_a_cell_for_each_bin() {
    let store = Store::default();
    let measures = [measure("all"), measure("pdd_ms values")];
    let empty = scan(&store, &[0, 5, 9], &[], &[], &measures, 0).unwrap();
    assert_eq!(empty.bins, [0, 1]);
    assert_eq!(empty.measures[0], MeasureValues::Sums(vec![0, 0]));
    store.apply(&batch(&[OwnedRecord::new("a", 7)]), 0);
    assert_eq!(cells(&scan(&store, &[0, 5, 9], &[], &[], &measures[..1], 0).unwrap()).len(), 2);
    assert!(scan(&store, &[], &[], &[], &measures, 0).unwrap().bins.is_empty());
    assert!(scan(&store, &[], &[], &[key(0)], &measures, 0).unwrap().bins.is_empty());
}

#[test]
fn values_beyond_the_memory_of_a_query_are_refused() {
    let limits = MemoryLimits { query_bytes_max: 40_000, total_bytes_max: usize::MAX };
    let store = Store::new(Tuning::default(), limits);
    let calls: Vec<_> = (0..6_000).map(|n| OwnedRecord::new(&n.to_string(), n * 1_000_000)).collect();
    store.apply(&batch(&calls), 0);
    let of = |name| scan(&store, &[0, DAY_US], &[], &[], &[measure(name)], 0);
    assert!(of("all").is_ok());
    assert!(matches!(of("setup_second values"), Err(Error::QueryMemoryLimit { allowed: 40_000, .. })));
    assert_eq!(store.resources().memory.used(), 0);
}

#[test]
fn sums_of_prices_exceed_64_bits() {
    let store = Store::default();
    let call =
        |n: i64| OwnedRecord::new(&n.to_string(), n).with("customer_price", i64::MAX - n).with("vendor_price", -i64::MAX + n);
    store.apply(&batch(&[call(0), call(1), call(2)]), 0);
    let result = scan(&store, &[0, 9], &[], &[], &[measure("customer_price"), measure("margin")], 0).unwrap();
    let sum = 3 * i128::from(i64::MAX) - 3;
    assert_eq!(result.measures, [MeasureValues::Sums(vec![sum]), MeasureValues::Sums(vec![2 * sum])]);
}

#[test]
fn a_key_that_does_not_fit_is_refused() {
    assert!(Key::prefix("disconnect_cause".to_owned(), 3).is_err());
    assert!(Key::deck_code("app_id".to_owned()).is_err());
    assert!(Key::quotient("folder".to_owned(), 3).is_err());
    assert!(Key::quotient("app_id".to_owned(), 0).is_err());
    assert!(Key::prefix("nonsense".to_owned(), 3).is_err());
    let store = Store::default();
    store.apply(&batch(&[OwnedRecord::new("a", 0)]), 0);
    let by_code = [Key::deck_code("dst_prefix_routing".to_owned()).unwrap()];
    let without_deck = TrafficScan {
        edges: Some(&[0, 9]),
        predicates: &[],
        keys: &by_code,
        measure: &[measure("all")],
        deck: None,
        cell_count_max: 9,
        cancel: &CancelToken::with_limit(None),
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    assert!(matches!(store.traffic_partials(&without_deck, &Occupancy::default()), Err(Error::Unknown { .. })));
}

/// The condition that a record has the values of one of these groups.
fn in_groups(columns: &[&str], groups: Vec<Vec<KeyValue<'static>>>) -> Predicate {
    Predicate::InGroups { keys: columns.iter().map(|column| Key::Column((*column).to_owned())).collect(), groups }
}

#[test]
fn groups_whose_values_have_more_combinations_than_64_bits_can_number() {
    const COLUMNS: [&str; 4] = ["customer_price", "vendor_price", "disconnect_cause", "app_id"];
    let store = Store::default();
    let call = |id: &str, last: i64| {
        let values = COLUMNS.iter().zip([7, 7, 7, last]);
        values.fold(OwnedRecord::new(id, 0), |record, (column, value)| record.with(column, value))
    };
    store.apply(&batch(&[call("a", 7), call("b", 8), call("c", 7)]), 0);
    let group = |number: i64| vec![KeyValue::Int(number); COLUMNS.len()];
    let winners = in_groups(&COLUMNS, (0..70_000).map(group).collect());
    let result = scan(&store, &[0, 9], &[winners], &[], &[measure("all")], 0).unwrap();
    assert_eq!(result.measures, [MeasureValues::Sums(vec![2])]);
}

#[test]
fn verdicts_on_the_texts_of_groups_are_memory_of_the_query() {
    let limits = MemoryLimits { query_bytes_max: 10_000, total_bytes_max: usize::MAX };
    let store = Store::new(Tuning::default(), limits);
    let call = |n: i64| OwnedRecord::new(&n.to_string(), n).with_text("folder", &n.to_string());
    store.apply(&batch(&(0..3_000).map(call).collect::<Vec<_>>()), 0);
    let of = |folder: &str| {
        let wanted = in_groups(&["folder"], vec![vec![KeyValue::Text(folder.to_owned().into())]]);
        scan(&store, &[0, 9], &[wanted], &[], &[measure("all")], 0)
    };
    assert!(matches!(of("7"), Err(Error::QueryMemoryLimit { allowed: 10_000, .. })));
    assert_eq!(store.resources().memory.used(), 0);
}
