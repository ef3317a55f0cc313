//! Measures how long a batch of 100 events waits and works in `Store::apply`, 10,000 events a second into 500,000 active
//! sessions, alone and beside large reports on threads of low priority.

#![allow(clippy::unwrap_used, clippy::panic)] // A bench may panic.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aggcore::testing::{ColumnarBatch, FIELDS};
use aggcore::{CancelToken, Key, Measure, Predicate, Scan, Store};
use common::{OwnedRecord, batch};

const SESSIONS: u64 = 500_000;
const BATCH_EVENTS: u64 = 100;
const BATCH_INTERVAL: Duration = Duration::from_millis(10);
const BATCHES: u64 = 600;
const RECEIVED_US: i64 = 1_790_000_000_000_000;
const REPORT_NICENESS: i32 = 10;
const TWELVE_KEYS: [&str; 12] = [
    "orig_clients_id",
    "orig_clients_name",
    "orig_accounts_id",
    "equipment_id",
    "equipment_name",
    "term_clients_id",
    "term_clients_name",
    "orig_rates_code",
    "term_rates_code",
    "dst_country_id",
    "tenant_id",
    "auth_orig_ip",
];

/// A report that two threads repeat: its group keys, and the time after which it is cancelled.
struct Report {
    name: &'static str,
    keys: Vec<String>,
    limit: Option<Duration>,
}

fn main() {
    if cfg!(debug_assertions) {
        return;
    }
    let twelve: Vec<String> = TWELVE_KEYS.map(str::to_owned).to_vec();
    let all: Vec<String> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
    let reports = [
        Report { name: "nothing", keys: Vec::new(), limit: None },
        Report { name: "reports of 12 keys", keys: twelve, limit: None },
        Report { name: "reports of all keys", keys: all.clone(), limit: None },
        Report { name: "reports of all keys, cancelled after 100 ms", keys: all, limit: Some(Duration::from_millis(100)) },
    ];
    let store = Store::default();
    for first in (0..SESSIONS).step_by(5_000) {
        let sessions: Vec<OwnedRecord> = (first..first + 5_000).map(started).collect();
        assert_eq!(store.apply(&batch(&sessions), RECEIVED_US).accepted, sessions.len());
    }
    for (number, report) in (0..).zip(&reports) {
        let batches: Vec<ColumnarBatch> = (number * BATCHES..(number + 1) * BATCHES).map(events).collect();
        let (ended, report_count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut waits = thread::scope(|scope| {
            for _ in 0..2 * report.keys.len().min(1) {
                scope.spawn(|| repeat(&store, report, &ended, &report_count));
            }
            let waits = write(&store, &batches);
            ended.store(true, Ordering::Relaxed);
            waits
        });
        waits.sort_unstable();
        let at = |thousandth: usize| waits[waits.len() * thousandth / 1_000].as_secs_f64() * 1e3;
        println!(
            "beside {}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.1} ms; {} reports",
            report.name,
            at(500),
            at(990),
            at(999),
            waits[waits.len() - 1].as_secs_f64() * 1e3,
            report_count.into_inner(),
        );
    }
}

fn repeat(store: &Store, report: &Report, ended: &AtomicBool, count: &AtomicUsize) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), REPORT_NICENESS);
    let predicates = [
        Predicate::OneOfInts { column: "kind".into(), values: vec![1], or_absent: false },
        Predicate::Present { column: "end_time".into(), wanted: false },
    ];
    while !ended.load(Ordering::Relaxed) {
        let cancel = CancelToken::with_limit(report.limit);
        let scan = Scan {
            edges: None,
            predicates: &predicates,
            keys: &Key::columns(&report.keys),
            measure: Measure::Elapsed { as_of_us: RECEIVED_US },
            deck: None,
            cell_count_max: 1_000_000,
            cancel: &cancel,
            memory: &store.resources().memory.begin_query(),
            resources: store.resources(),
        };
        drop(store.partials(&scan));
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Applies the batches at the rate; returns the time that each took.
fn write(store: &Store, batches: &[ColumnarBatch]) -> Vec<Duration> {
    let mut due = Instant::now();
    let apply = |batch: &ColumnarBatch| {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += BATCH_INTERVAL;
        let begin = Instant::now();
        store.apply(batch, RECEIVED_US);
        begin.elapsed()
    };
    batches.iter().map(apply).collect()
}

/// New sessions, updates of random ones, and ends of the oldest ones.
fn events(number: u64) -> ColumnarBatch {
    let third = BATCH_EVENTS / 3;
    let new = (0..third).map(|event| started(SESSIONS + number * third + event));
    let ended = (0..third).map(|event| started(number * third + event).with("event", 3).with("end_time", RECEIVED_US));
    let random = |event: u64| (number * 7_919 + event) * 104_729 % (SESSIONS / 2) + SESSIONS / 2;
    let updated = (0..BATCH_EVENTS - 2 * third)
        .map(|event| started(random(event)).with("event", 2).with("revision", 1 + number as i64).with("app_id", number as i64));
    batch(&new.chain(updated).chain(ended).collect::<Vec<_>>())
}

fn started(n: u64) -> OwnedRecord {
    let (client, setup_us) = (n * 7_919 % 500, RECEIVED_US - 1 - (n % 3_600_000) as i64 * 1_000);
    OwnedRecord::new(&format!("{n:032x}"), setup_us)
        .with("kind", 1)
        .with("event", 1)
        .with("equipment_id", (n % 40) as i64)
        .with("orig_clients_id", client as i64)
        .with("orig_accounts_id", client as i64)
        .with("term_clients_id", (n % 50) as i64)
        .with("dst_country_id", (n % 200) as i64)
        .with("tenant_id", (n % 20) as i64)
        .with_text("equipment_name", &format!("gateway {}", n % 40))
        .with_text("orig_clients_name", &format!("client {client}"))
        .with_text("term_clients_name", &format!("vendor {}", n % 50))
        .with_text("orig_rates_code", &(n % 2_000).to_string())
        .with_text("term_rates_code", &(n % 1_000).to_string())
        .with_text("dst_prefix_routing", &(n % 20_000).to_string())
        .with_text("auth_orig_ip", &format!("198.51.100.{}", n % 250))
        .with_text("orig_src_party_id", &format!("+1555{:07}", n % 10_000_000))
        .with_text("term_dst_party_id", &format!("+1555{:07}", n * 7 % 10_000_000))
}
