//! Measures the active sessions report: the scan of 500,000 sessions into groups of three fields, and the
//! response with subtotals and 20 or all rows.

#![allow(clippy::unwrap_used, clippy::panic)] // A bench may panic.

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::HashSet;

use aggcore::testing::{QueryActiveSessionsResponse, Unlimited};
use aggcore::{
    ActiveOptions, CancelToken, Key, Measure, OrderTerm, Partials, Predicate, Scan, ScanResources, Store, UtcOffsets,
    build_active_response,
};
use common::{OwnedRecord, batch};
use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message;

const SESSIONS: u64 = 500_000;
const CLIENTS: usize = 500;
const RECEIVED_US: i64 = 1_790_000_000_000_000;

/// Each client uses few switches and vendors: some 10,000 groups.
const FEW: [&str; 3] = ["orig_clients_name", "equipment_id", "term_clients_name"];
/// Accounts are independent of the other fields: some 300,000 groups.
const MANY: [&str; 3] = ["orig_accounts_id", "equipment_id", "term_clients_name"];

/// Returns a pseudo-random number for `n`, from a step of a linear congruential generator: the same in every
/// run.
fn scrambled(n: u64) -> u64 {
    n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33
}

/// Returns the cumulative shares of traffic of the clients, by Zipf's law: for client i the sum of 1/1 to
/// 1/(i + 1).
fn cumulative_shares() -> Vec<f64> {
    let shares = (1..=CLIENTS).scan(0.0, |sum, rank| {
        *sum += 1.0 / rank as f64;
        Some(*sum)
    });
    shares.collect()
}

fn session(n: u64, shares: &[f64]) -> OwnedRecord {
    let random = scrambled(scrambled(n) ^ n << 20);
    let share = (random % 1_000_003) as f64 / 1_000_003.0 * shares.last().copied().unwrap_or_default();
    let client = shares.partition_point(|&end| end <= share) as u64;
    let other = scrambled(random + n);
    let setup_us = RECEIVED_US - 1 - (other % 3_600_000_000) as i64;
    let answered = if other.is_multiple_of(3) { aggcore::testing::ABSENT } else { setup_us + 5_000_000 };
    OwnedRecord::new(&format!("session-{n}"), setup_us)
        .with("kind", 1)
        .with("answer_time", answered)
        .with("equipment_id", ((client * 7 + other % 5) % 40) as i64)
        .with("orig_accounts_id", 10_000 + (other / 100 % 1_500) as i64)
        .with_text("orig_clients_name", &format!("client {client}"))
        .with_text("term_clients_name", &format!("vendor {}", (client * 3 + other / 10 % 4) % 50))
}

fn sessions() -> Vec<OwnedRecord> {
    let shares = cumulative_shares();
    (0..SESSIONS).map(|n| session(n, &shares)).collect()
}

fn group_count(sessions: &[OwnedRecord], keys: [&str; 3]) -> usize {
    let value = |session: &OwnedRecord, name: &str| match name {
        "orig_clients_name" | "term_clients_name" => session.text(name).to_owned(),
        _ => session.int(name).to_string(),
    };
    sessions.iter().map(|session| keys.map(|name| value(session, name))).collect::<HashSet<_>>().len()
}

/// Scans as a request for the active sessions does: without end, and received within a day.
fn scan(store: &Store, keys: &[String]) -> Partials {
    let predicates = [
        Predicate::OneOfInts { column: "kind".into(), values: vec![1], or_absent: false },
        Predicate::Present { column: "end_time".into(), wanted: false },
        Predicate::Between { column: "received_time".into(), low: RECEIVED_US - 86_400_000_000, high: i64::MAX },
    ];
    let (measure, cancel) = (Measure::Elapsed { as_of_us: RECEIVED_US }, CancelToken::with_limit(None));
    let scan = Scan {
        edges: None,
        predicates: &predicates,
        keys: &Key::columns(keys),
        measure,
        deck: None,
        cell_count_max: 1_000_000,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    store.partials(&scan).unwrap()
}

fn response(partials: &Partials, keys: &[String], limit: Option<usize>, resources: &ScanResources) -> Vec<u8> {
    let fields: Vec<String> = keys.iter().cloned().chain(["quantity".into(), "duration".into()]).collect();
    let order = [OrderTerm { name: "quantity".into(), descending: true }];
    let offsets = UtcOffsets { change_us: &[], offset_s: &[0] };
    let options =
        ActiveOptions { fields: &fields, order: &order, limit, rollup: true, subtotal_count_max: usize::MAX, offsets, resources };
    build_active_response(partials, &options, Unlimited::default().limits()).unwrap()
}

fn check(bytes: &[u8], group_count: usize, limit: Option<usize>) {
    let response = QueryActiveSessionsResponse::decode(bytes).unwrap();
    assert_eq!(response.row_count, Some(group_count as i64));
    assert_eq!(response.rows.len(), limit.unwrap_or(group_count));
    assert!(response.rows.is_sorted_by(|a, b| a.quantity >= b.quantity));
    assert_eq!(response.total.unwrap().quantity, Some(SESSIONS as i64));
    for level in 1..=2 {
        let subtotals = response.subtotals.iter().filter(|row| row.level == Some(level));
        assert_eq!(subtotals.filter_map(|row| row.quantity).sum::<i64>(), SESSIONS as i64);
    }
}

fn active(c: &mut Criterion) {
    if cfg!(debug_assertions) {
        panic!("a debug build is not measured");
    }
    let (sessions, store) = (sessions(), Store::default());
    sessions.chunks(10_000).for_each(|sessions| assert_eq!(store.apply(&batch(sessions), RECEIVED_US).accepted, sessions.len()));
    for keys in [FEW, MANY] {
        let group_count = group_count(&sessions, keys);
        let keys = keys.map(str::to_owned);
        c.bench_function(&format!("scan of 500,000 sessions into {group_count} groups"), |bencher| {
            bencher.iter(|| assert_eq!(scan(&store, &keys).sums.len(), group_count));
        });
        let partials = scan(&store, &keys);
        for limit in [Some(20), None] {
            check(&response(&partials, &keys, limit, store.resources()), group_count, limit);
            let shown = limit.map_or("all".to_owned(), |limit| limit.to_string());
            c.bench_function(&format!("rollup of {group_count} groups, {shown} shown"), |bencher| {
                bencher.iter(|| response(&partials, &keys, limit, store.resources()));
            });
        }
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = active }
criterion_main!(benches);
