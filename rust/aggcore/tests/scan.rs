//! Scans compared with a naive loop over the records, mostly as property tests.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;
#[path = "common/predicate_pairs.rs"]
mod predicate_pairs;

use std::collections::{BTreeMap, BTreeSet};

use aggcore::testing::{ABSENT, ColumnKind, field};
use aggcore::{CancelToken, CodeDeck, CodeDeckEntry, Error, Key, Measure, Partials, Predicate, Scan, Store};
use common::{OwnedRecord, batch, distinct_records};
use predicate_pairs::{PAIR_COUNT, duration_ms, ints, predicate_pairs, text_pairs, texts};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

fn store_of(records: &[OwnedRecord]) -> Store {
    let store = Store::default();
    store.apply(&batch(records), 0);
    store
}

fn partials(store: &Store, edges: Option<&[i64]>, predicates: &[Predicate], keys: &[String], measure: Measure) -> Partials {
    let cancel = CancelToken::with_limit(None);
    store
        .partials(&Scan {
            edges,
            predicates,
            keys: &Key::columns(keys),
            measure,
            deck: None,
            cell_count_max: 1_000,
            cancel: &cancel,
            memory: &store.resources().memory.begin_query(),
            resources: store.resources(),
        })
        .unwrap()
}

/// Returns the sums of a result by bin and group key, without cells that count nothing.
fn cells(partials: &Partials) -> BTreeMap<(u32, Vec<String>), [i64; 3]> {
    common::cells(partials).into_iter().filter(|(_, sums)| sums[0] > 0).collect()
}

/// Returns the value that a scan sees in a column of a record, as [`cells`] prints it.
fn visible_value(record: &OwnedRecord, column: &str) -> String {
    match (column, field(column).map(|field| field.field_type.column_kind())) {
        ("duration_ms", _) => duration_ms(record).to_string(),
        // An absent kind means CALL, and an absent `is_last_attempt` means yes.
        ("kind" | "is_last_attempt", _) if record.int(column) == ABSENT => "1".to_owned(),
        (_, Some(ColumnKind::Int)) => record.int(column).to_string(),
        (_, _) => record.text(column).to_owned(),
    }
}

/// Returns the expected cells: every record is compared with every bin.
fn naive(
    records: &[OwnedRecord], edges: &[i64], keys: &[String], keep: impl Fn(&OwnedRecord) -> bool,
) -> BTreeMap<(u32, Vec<String>), [i64; 3]> {
    let mut cells = BTreeMap::new();
    for record in records.iter().filter(|record| keep(record)) {
        let setup = record.int("setup_time");
        for (bin, edge) in edges.windows(2).enumerate() {
            if edge[0] <= setup && setup < edge[1] {
                let key = keys.iter().map(|column| visible_value(record, column)).collect();
                let sums: &mut [i64; 3] = cells.entry((bin as u32, key)).or_default();
                sums[0] += 1;
                sums[1] += i64::from(record.int("answer_time") != ABSENT);
                sums[2] += duration_ms(record);
            }
        }
    }
    cells
}

/// Values of an integer column whose span fits a few bits, just fits or exceeds 31 bits, or takes 64 bits.
fn pool() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        Just(vec![ABSENT]),
        Just(vec![ABSENT, -1, 0, 1, 2]),
        Just(vec![7, 1 << 30, (1 << 31) + 6]),
        Just(vec![ABSENT, -(1 << 30), (1 << 30) - 1]),
        Just(vec![ABSENT, i64::from(i32::MIN), 0, 1 << 31]),
        Just(vec![ABSENT, ABSENT + 1, -1, 1 << 40, i64::MAX]),
    ]
}

const POOLED: [&str; 5] = ["equipment_id", "orig_clients_id", "orig_accounts_id", "term_clients_id", "tenant_id"];

const KEYS: [&str; 14] = [
    "equipment_id",
    "orig_clients_id",
    "orig_accounts_id",
    "term_clients_id",
    "tenant_id",
    "folder",
    "company",
    "kind",
    "is_last_attempt",
    "duration_ms",
    "setup_time",
    "term_dst_party_id",
    "session_id",
    "agent_id",
];

/// Records whose [`POOLED`] columns have wide, narrow and absent integers.
fn wide_records(count: usize) -> impl Strategy<Value = Vec<OwnedRecord>> {
    (distinct_records(count), prop::collection::vec(pool(), POOLED.len()), any::<u64>()).prop_map(|(records, pools, seed)| {
        let value = |pool: &[i64], n: usize| pool[(seed as usize).wrapping_mul(2 * n + 1) % 9_973 % pool.len()];
        let records = records.into_iter().enumerate().map(|(row, record)| {
            let columns = POOLED.iter().zip(&pools).enumerate();
            columns.fold(record, |record, (column, (name, pool))| record.with(name, value(pool, row * 5 + column)))
        });
        records.collect()
    })
}

/// A store with records in segments and memtables; see [`common::apply_in_parts`].
fn store_of_segments_and_memtables(directory: &std::path::Path, records: &[OwnedRecord]) -> Store {
    let store = Store::default();
    common::apply_in_parts(&store, directory, records);
    store
}

/// Returns ascending edges, one of them the setup time of a record, which belongs to the bin that begins
/// there.
fn edges_of(edges: Vec<i64>, records: &[OwnedRecord]) -> Vec<i64> {
    let on_edge = records.first().map(|record| record.int("setup_time"));
    edges.into_iter().chain(on_edge).collect::<BTreeSet<_>>().into_iter().collect()
}

proptest! {
    #[test]
    fn predicates_select_the_rows_of_a_naive_loop(
        records in distinct_records(60), edges in prop::collection::vec(0..3 * DAY_US, 2..6),
        which in 0..PAIR_COUNT, also in 0..PAIR_COUNT,
        is_flushed in any::<bool>(),
    ) {
        let edges = edges_of(edges, &records);
        let pairs = predicate_pairs();
        prop_assert_eq!(pairs.len(), PAIR_COUNT);
        let ((first, keep_first), (second, keep_second)) = (&pairs[which], &pairs[also]);
        let store = store_of(&records);
        let directory = tempfile::tempdir().unwrap();
        if is_flushed {
            let flush = store.begin_flush(false);
            store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
        }
        let keys = ["folder".to_owned(), "app_id".to_owned()];
        let result = partials(&store, Some(&edges), &[first.clone(), second.clone()], &keys, Measure::Calls);
        prop_assert_eq!(cells(&result), naive(&records, &edges, &keys, |r| keep_first(r) && keep_second(r)));
    }

    #[test]
    fn groups_by_any_columns_equal_those_of_a_naive_loop(
        records in wide_records(90), edges in prop::collection::vec(0..3 * DAY_US, 2..9),
        keys in prop::sample::subsequence(KEYS.to_vec(), 1..9),
    ) {
        let edges = edges_of(edges, &records);
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let directory = tempfile::tempdir().unwrap();
        let store = store_of_segments_and_memtables(directory.path(), &records);
        let result = partials(&store, Some(&edges), &[], &keys, Measure::Calls);
        let expected = naive(&records, &edges, &keys, |_| true);
        prop_assert_eq!(result.sums.len(), expected.len());
        prop_assert_eq!(cells(&result), expected.clone());
        let cancel = CancelToken::with_limit(None);
        let limited = |cell_count_max| {
            let (edges, measure) = (Some(edges.as_slice()), Measure::Calls);
            store.partials(&Scan { edges, predicates: &[], keys: &Key::columns(&keys), measure, deck: None, cell_count_max, cancel: &cancel, memory: &store.resources().memory.begin_query(), resources: store.resources() })
        };
        prop_assert!(limited(expected.len()).is_ok());
        if let Some(allowed) = expected.len().checked_sub(1) {
            let limit = limited(allowed);
            prop_assert!(matches!(limit, Err(Error::CellLimit { asked, .. }) if asked == allowed + 1), "{limit:?}");
        }
    }
}

/// Edges at whole minutes, and in a third of the cases one more edge within a minute.
fn minutes() -> impl Strategy<Value = Vec<i64>> {
    let odd = prop_oneof![2 => Just(None), 1 => (0..3 * DAY_US).prop_map(Some)];
    (prop::collection::btree_set(0..3 * 1_440i64, 2..30), odd).prop_map(|(minutes, odd)| {
        let edges = minutes.into_iter().map(|minute| minute * 60_000_000).chain(odd);
        edges.collect::<BTreeSet<_>>().into_iter().collect()
    })
}

proptest! {
    #[test]
    fn bins_of_whole_minutes_equal_those_of_a_naive_loop(
        records in distinct_records(90), edges in minutes(), which in 0..PAIR_COUNT, counts_only in any::<bool>(),
        accounts in prop::option::of(prop::sample::subsequence(vec!["", "a", "ab", "b", "c"], 0..4)), or_absent in any::<bool>(),
    ) {
        let records: Vec<OwnedRecord> =
            records.into_iter().map(|record| record.clone().with_text("account_id", record.text("company"))).collect();
        let directory = tempfile::tempdir().unwrap();
        let store = store_of_segments_and_memtables(directory.path(), &records);
        let (predicate, keep) = predicate_pairs().swap_remove(which);
        let of_accounts = accounts.clone().map(|accounts| texts("account_id", &accounts, or_absent));
        let has_account = |r: &OwnedRecord| accounts.as_ref().is_none_or(|accounts| match r.text("account_id") {
            "" => or_absent,
            account => accounts.contains(&account),
        });
        let measure = if counts_only { Measure::Sessions } else { Measure::Calls };
        // The first scan without a predicate builds the rollups of the segments; the second one reads them.
        for predicates in [vec![predicate], Vec::new(), Vec::new()] {
            let is_selected = |r: &OwnedRecord| has_account(r) && (predicates.is_empty() || keep(r));
            let expected = naive(&records, &edges, &[], is_selected);
            let expected = expected.into_iter().map(|(bin, sums)| (bin, if counts_only { [sums[0], 0, 0] } else { sums }));
            let all_predicates: Vec<Predicate> = predicates.iter().cloned().chain(of_accounts.clone()).collect();
            let result = partials(&store, Some(&edges), &all_predicates, &[], measure);
            prop_assert_eq!(cells(&result), expected.collect::<BTreeMap<_, _>>(), "{:?}", all_predicates);
        }
    }
}

#[test]
fn helper_threads_scan_many_segments() {
    let names = ["", "a", "b"];
    let record = |n: i64| {
        let setup_us = n % 7 * DAY_US + n * 1_000_003 % DAY_US;
        let answer_us = if n % 3 == 0 { ABSENT } else { setup_us };
        OwnedRecord::new(&format!("s{n}"), setup_us)
            .with("answer_time", answer_us)
            .with("end_time", setup_us + n)
            .with("app_id", n % 5)
            .with_text("folder", names[n as usize % 3])
    };
    let records: Vec<OwnedRecord> = (0..70_000).map(record).collect();
    let (store, directory) = (store_of(&records), tempfile::tempdir().unwrap());
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
    let edges: Vec<i64> = (0..=8).map(|day| day * DAY_US).collect();
    for keys in [vec![], vec!["folder".to_owned(), "app_id".to_owned()]] {
        let result = cells(&partials(&store, Some(&edges), &[], &keys, Measure::Calls));
        assert_eq!(result, naive(&records, &edges, &keys, |_| true));
    }
    let memory = store.resources().memory.begin_query();
    let (cancel, scan) = (CancelToken::with_limit(None), |cancel| Scan {
        edges: Some(&edges),
        predicates: &[],
        keys: &[],
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 1_000,
        cancel,
        memory: &memory,
        resources: store.resources(),
    });
    cancel.cancel();
    let odd = [1, 3 * DAY_US + 5];
    let odd = Scan { edges: Some(&odd), ..scan(&cancel) };
    assert!(matches!(store.partials(&odd), Err(Error::Cancelled)));
}

/// Call n of a busy day, with values from small pools.
fn busy(n: i64) -> OwnedRecord {
    let setup_us = n * 7_919_000_003 % DAY_US;
    let answer_us = if n % 3 == 0 { ABSENT } else { setup_us + n % 1_000 };
    OwnedRecord::new(&format!("s{n}"), setup_us)
        .with("answer_time", answer_us)
        .with("end_time", setup_us + 1_000 + n * 1_000)
        .with("app_id", n % 5)
        .with("comp_id", if n % 4 == 0 { ABSENT } else { n % 4 })
        .with_text("account_id", ["one", "other", "", "one"][n as usize % 4])
        .with_text("company", "acme")
        .with_text("organization", ["support", "sales", ""][n as usize % 3])
        .with_text("folder", ["", "a", "b"][n as usize % 3])
        .with_text("agent_id", ["1", "2"][n as usize % 2])
}

/// Predicates and group columns, and the predicates as one condition in Rust.
type RollupQuery = (Vec<Predicate>, Vec<String>, fn(&OwnedRecord) -> bool);

/// Queries that rollups answer, and some that they cannot.
fn rollup_queries() -> Vec<RollupQuery> {
    let by = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    vec![
        (vec![], by(&[]), |_| true),
        (vec![texts("account_id", &["one"], false)], by(&[]), |r| r.text("account_id") == "one"),
        (vec![texts("account_id", &["none"], false)], by(&[]), |_| false),
        (vec![texts("account_id", &["one", "none", "other"], false)], by(&[]), |r| !r.text("account_id").is_empty()),
        (vec![texts("account_id", &["one"], true)], by(&[]), |r| r.text("account_id") != "other"),
        (vec![Predicate::Present { column: "account_id".into(), wanted: false }], by(&[]), |r| r.text("account_id").is_empty()),
        (vec![ints("app_id", &[1, 4, 9], false)], by(&[]), |r| [1, 4].contains(&r.int("app_id"))),
        (vec![ints("app_id", &[7], false)], by(&[]), |_| false),
        (vec![ints("tenant_id", &[1], true)], by(&[]), |_| true),
        (vec![ints("comp_id", &[1], true)], by(&[]), |r| [ABSENT, 1].contains(&r.int("comp_id"))),
        (vec![ints("comp_id", &[1], false), ints("kind", &[1], false)], by(&[]), |r| r.int("comp_id") == 1),
        (vec![ints("app_id", &[1], false), ints("comp_id", &[1], false)], by(&[]), |r| {
            r.int("app_id") == 1 && r.int("comp_id") == 1
        }),
        (vec![texts("organization", &["sales"], false), texts("company", &["acme"], false)], by(&["folder", "agent_id"]), |r| {
            r.text("organization") == "sales"
        }),
        (vec![texts("company", &["acme"], false)], by(&["folder", "agent_id"]), |_| true),
        (vec![text_pairs("company", "organization", &[("acme", Some("sales")), ("bell", None)])], by(&["folder"]), |r| {
            r.text("organization") == "sales"
        }),
        (vec![text_pairs("company", "organization", &[("acme", None)])], by(&["folder", "agent_id"]), |_| true),
        // A rollup has one of the two columns.
        (vec![text_pairs("company", "account_id", &[("acme", Some("one"))])], by(&["folder"]), |r| r.text("account_id") == "one"),
        (vec![], by(&["app_id"]), |_| true),
    ]
}

#[test]
fn rollups_equal_a_naive_loop_before_and_after_replacements() {
    let mut records: Vec<OwnedRecord> = (0..40_000).map(busy).collect();
    let (store, directory) = (store_of(&records), tempfile::tempdir().unwrap());
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 100_000, &flush).unwrap());
    let minutes = |minutes: &[i64]| minutes.iter().map(|minute| minute * 60_000_000).collect::<Vec<i64>>();
    let all_edges = [minutes(&[0, 1_440]), minutes(&[-60, 45, 60, 600]), minutes(&[7, 8, 1_000]), vec![1, 60_000_000]];
    for round in 0..3 {
        for ((predicates, keys, keep), edges) in
            rollup_queries().iter().flat_map(|query| all_edges.iter().map(move |edges| (query, edges)))
        {
            let result = cells(&partials(&store, Some(edges), predicates, keys, Measure::Calls));
            assert_eq!(result, naive(&records, edges, keys, keep), "round {round}, {predicates:?}, {edges:?}");
        }
        for record in records.iter_mut().skip(round).step_by(1_000) {
            *record = record.clone().with("revision", round as i64 + 1).with("app_id", 1).with_text("folder", "new");
        }
        let changed: Vec<OwnedRecord> = records.iter().skip(round).step_by(1_000).cloned().collect();
        assert_eq!(store.apply(&batch(&changed), 0).replaced, 40);
    }
}

#[test]
fn calls_of_several_weeks_equal_those_of_a_naive_loop() {
    let long = |n: i64| {
        let setup_us = n * 7_919_003 % DAY_US;
        let duration_us = if n < 4_000 { 1_000_000 } else { i64::from(i32::MAX) * 1_000 };
        OwnedRecord::new(&format!("s{n}"), setup_us).with("answer_time", setup_us).with("end_time", setup_us + duration_us)
    };
    let records: Vec<OwnedRecord> = (0..20_000).map(long).collect();
    let (store, directory) = (store_of(&records), tempfile::tempdir().unwrap());
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 100_000, &flush).unwrap());
    let edges: Vec<i64> = (0..=1_440).map(|minute| minute * 60_000_000).collect();
    let short = Predicate::Between { column: "duration_ms".into(), low: 0, high: 1_000 };
    assert_eq!(cells(&partials(&store, Some(&edges), &[], &[], Measure::Calls)), naive(&records, &edges, &[], |_| true));
    let is_short = |r: &OwnedRecord| r.int("end_time") - r.int("answer_time") <= 1_000_000;
    assert_eq!(cells(&partials(&store, Some(&edges), &[short], &[], Measure::Calls)), naive(&records, &edges, &[], is_short));
}

#[test]
fn rows_of_different_chunks_share_a_group() {
    let names = ["", "a", "b"];
    let records: Vec<OwnedRecord> = (0..10_000)
        .map(|n| OwnedRecord::new(&format!("s{n}"), n as i64).with_text("folder", names[n % 3]).with("app_id", n as i64 % 2))
        .collect();
    let (store, keys) = (store_of(&records), ["folder".to_owned(), "app_id".to_owned()]);
    let result = cells(&partials(&store, Some(&[0, 20_000]), &[], &keys, Measure::Calls));
    assert_eq!(result, naive(&records, &[0, 20_000], &keys, |_| true));
}

#[test]
fn without_group_columns_every_bin_has_a_cell_and_without_edges_there_is_one() {
    let store = store_of(&[OwnedRecord::new("a", 10)]);
    let counts = |edges: Option<&[i64]>| -> Vec<i64> {
        partials(&store, edges, &[], &[], Measure::Sessions).sums.iter().map(|sums| sums[0]).collect()
    };
    assert_eq!(counts(Some(&[0, 10, 11, 20])), [0, 1, 0]);
    assert_eq!(counts(Some(&[11, 20])), [0]);
    assert_eq!(counts(Some(&[])), [0i64; 0]);
    assert_eq!(counts(None), [1]);
}

#[test]
fn elapsed_time_is_floored_per_session_and_never_negative() {
    let answered = |id: &str, us: i64| OwnedRecord::new(id, 0).with("answer_time", us);
    let store = store_of(&[answered("a", 1), answered("b", 1_001), answered("c", 9_000_000), OwnedRecord::new("d", 0)]);
    let sums = partials(&store, None, &[], &[], Measure::Elapsed { as_of_us: 3_000 }).sums;
    assert_eq!(sums, [[4, 2 + 1, 0]]);
}

#[test]
fn a_scan_fails_beyond_its_cell_limit() {
    let records: Vec<OwnedRecord> = (0..5).map(|n| OwnedRecord::new(&format!("s{n}"), n).with("app_id", n)).collect();
    let (store, cancel, keys) = (store_of(&records), CancelToken::with_limit(None), Key::columns(&["app_id"]));
    let memory = store.resources().memory.begin_query();
    let scan = |cell_count_max| Scan {
        edges: None,
        predicates: &[],
        keys: &keys,
        measure: Measure::Sessions,
        deck: None,
        cell_count_max,
        cancel: &cancel,
        memory: &memory,
        resources: store.resources(),
    };
    assert!(store.partials(&scan(5)).is_ok());
    assert!(matches!(store.partials(&scan(4)), Err(Error::CellLimit { asked: 5, allowed: 4 })));
}

#[test]
fn a_cancelled_or_late_scan_ends() {
    let store = store_of(&[OwnedRecord::new("a", 0)]);
    let memory = store.resources().memory.begin_query();
    let scan = |cancel| Scan {
        edges: None,
        predicates: &[],
        keys: &[],
        measure: Measure::Sessions,
        deck: None,
        cell_count_max: 1,
        cancel,
        memory: &memory,
        resources: store.resources(),
    };
    let (cancelled, late) = (CancelToken::with_limit(None), CancelToken::with_limit(Some(std::time::Duration::ZERO)));
    cancelled.cancel();
    assert!(matches!(store.partials(&scan(&cancelled)), Err(Error::Cancelled)));
    assert!(matches!(store.partials(&scan(&late)), Err(Error::DeadlinePassed)));
}

#[test]
fn the_longest_durations_add_up() {
    let long = |id: &str| OwnedRecord::new(id, 0).with("answer_time", 0).with("end_time", 7_258_118_399_999_999);
    let store = store_of(&[long("a"), long("b")]);
    let sums = partials(&store, None, &[], &[], Measure::Calls).sums;
    assert_eq!(sums, [[2, 2, 2 * 7_258_118_399_999]]);
}

#[test]
fn a_code_deck_replaces_the_destination_names_of_the_records() {
    let call = |id: &str, number: &str| {
        OwnedRecord::new(id, 0).with_text("term_dst_party_id", number).with_text("term_rates_code", "carried")
    };
    let store = store_of(&[call("a", "+1202"), call("b", "1203"), call("c", "44"), call("d", "")]);
    let codes = [("1", "one"), ("1202", "capital"), ("12", "one")];
    let deck: CodeDeck = codes.iter().map(|(code, name)| CodeDeckEntry { code, name, country: "" }).collect();
    let (cancel, keys) = (CancelToken::with_limit(None), Key::columns(&["term_rates_code_name"]));
    let scan = Scan {
        edges: None,
        predicates: &[],
        keys: &keys,
        measure: Measure::Sessions,
        deck: Some(&deck),
        cell_count_max: 9,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    let names: BTreeMap<String, i64> =
        cells(&store.partials(&scan).unwrap()).into_iter().map(|((_, key), sums)| (key.concat(), sums[0])).collect();
    assert_eq!(names, BTreeMap::from([("capital".into(), 1), ("one".into(), 1), (String::new(), 2)]));
}
