//! Traffic scans of intervals compared with a naive loop over records, bins and instants.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;
#[path = "common/naive_intervals.rs"]
mod naive_intervals;
#[path = "common/naive_traffic.rs"]
#[allow(dead_code)] // The tests of instants use all of it.
mod naive_traffic;
#[path = "common/predicate_pairs.rs"]
mod predicate_pairs;

use aggcore::{
    CancelToken, CodeDeck, CodeDeckEntry, Error, Key, MeasureValues, MemoryLimits, Occupancy, Predicate, Store, TrafficMeasure,
    TrafficPartials, TrafficScan, Tuning,
};
use common::{OwnedRecord, batch, distinct_records};
use naive_intervals::{INTERVAL_MEASURES, interval_measure, naive_intervals};
use naive_traffic::{Cells, Measured, PREDICATE_COUNT, cells, key, measure, naive, predicate};
use proptest::prelude::*;

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1_440 * MINUTE_US;
/// Keys of columns, prefixes, codes and quotients. The others are of local times, which no scan of intervals has.
const KEYS: [usize; 7] = [0, 1, 2, 3, 6, 7, 8];

fn deck() -> CodeDeck {
    [("1", "one"), ("12", "two"), ("211", "")].iter().map(|(code, name)| CodeDeckEntry { code, name, country: name }).collect()
}

/// What a test asks of a store.
struct Asked<'a> {
    edges: &'a [i64],
    predicates: &'a [Predicate],
    occupancy: &'a [Predicate],
    now_us: i64,
    keys: &'a [Key],
    measures: &'a [TrafficMeasure],
    cell_count_max: usize,
}

impl Asked<'_> {
    fn of(&self, store: &Store) -> aggcore::Result<TrafficPartials> {
        self.with(store, &CancelToken::with_limit(None), false)
    }

    fn with(&self, store: &Store, cancel: &CancelToken, only_peaks: bool) -> aggcore::Result<TrafficPartials> {
        let scan = TrafficScan {
            edges: Some(self.edges),
            predicates: self.predicates,
            keys: self.keys,
            measure: self.measures,
            deck: Some(&deck()),
            cell_count_max: self.cell_count_max,
            cancel,
            memory: &store.resources().memory.begin_query(),
            resources: store.resources(),
        };
        store.traffic_partials(&scan, &Occupancy { predicates: self.occupancy, now_us: self.now_us, only_peaks })
    }
}

/// Asks for measures of intervals, of all records and without keys.
fn plain<'a>(edges: &'a [i64], now_us: i64, measures: &'a [TrafficMeasure]) -> Asked<'a> {
    Asked { edges, predicates: &[], occupancy: &[], now_us, keys: &[], measures, cell_count_max: 0 }
}

/// Records with calls of seconds, hours and days, and some that touch.
fn calls(count: usize) -> impl Strategy<Value = Vec<OwnedRecord>> {
    let lengths = prop_oneof![Just(0i64), 0..90_000_000i64, (0..5i64).prop_map(|hours| hours * 3_600_000_000), 0..3 * DAY_US];
    (distinct_records(count), prop::collection::vec((lengths, 0..9i64), count)).prop_map(|(records, drawn)| {
        let longer = records.into_iter().zip(drawn).map(|(record, (length, minute))| match record.int("end_time") {
            aggcore::testing::ABSENT => record,
            _ if minute == 0 => {
                let start = record.int("setup_time").div_euclid(DAY_US / 4) * (DAY_US / 4);
                let answered = record.int("answer_time") != aggcore::testing::ABSENT;
                let record = record.with("setup_time", start).with("alert_time", aggcore::testing::ABSENT);
                let record = if answered { record.with("answer_time", start) } else { record };
                record.with("end_time", start + length)
            }
            end => record.with("end_time", end + length),
        });
        longer.collect()
    })
}

/// Edges of bins of one width within four days.
fn edges() -> impl Strategy<Value = Vec<i64>> {
    let width = prop_oneof![Just(MINUTE_US), Just(15 * MINUTE_US), Just(DAY_US / 4), Just(DAY_US), Just(3 * DAY_US + 1)];
    (0..3 * DAY_US, width, 1..30i64).prop_map(|(from, width, count)| {
        let to = (from + count * width).min(from + 4 * DAY_US);
        (0..=count).map(|number| from + number * width).filter(|edge| *edge <= to).collect()
    })
}

/// All cells of both parts; where one lacks a cell, its measures are empty.
fn united(instants: Cells, intervals: Cells, measures: &[&str]) -> Cells {
    let empty = |name: &&str| match *name {
        name if name.ends_with("occupancy") => Measured::Steps(Vec::new()),
        name if name.ends_with("values") => Measured::Values(Vec::new()),
        _ => Measured::Sum(0),
    };
    let is_of_interval = |name: &str| INTERVAL_MEASURES.contains(&name);
    let places: std::collections::BTreeSet<_> = instants.keys().chain(intervals.keys()).cloned().collect();
    let cell = |place: &(u32, Vec<String>)| {
        let (mut left, mut right) = (instants.get(place).into_iter().flatten(), intervals.get(place).into_iter().flatten());
        let value = |name: &&str| if is_of_interval(name) { right.next() } else { left.next() };
        let mut value = value;
        measures.iter().map(|name| value(name).cloned().unwrap_or_else(|| empty(name))).collect()
    };
    places.iter().map(|place| (place.clone(), cell(place))).collect()
}

/// Cells with the greatest value of each function, and the first instant of it, in its place.
fn with_peaks(mut cells: Cells) -> Cells {
    for steps in cells.values_mut().flatten() {
        if let Measured::Steps(changes) = steps {
            let counts = changes.iter().scan(0, |count, &(at_us, change)| {
                *count += change;
                Some((*count, std::cmp::Reverse(at_us)))
            });
            *changes = counts.max().map(|(count, at_us)| (at_us.0, count)).into_iter().collect();
        }
    }
    cells
}

proptest! {
    #[test]
    fn a_scan_of_intervals_equals_a_loop_over_records_and_instants(
        records in calls(60), edges in edges(), now_us in 0..5 * DAY_US,
        keys in prop::sample::subsequence(KEYS.to_vec(), 0..4),
        of_intervals in prop::sample::subsequence(INTERVAL_MEASURES.to_vec(), 1..5),
        of_instants in prop::sample::subsequence(vec!["all", "duration_ms", "pdd_ms values"], 0..3),
        conditions in prop::sample::subsequence((0..PREDICATE_COUNT).collect::<Vec<_>>(), 0..2),
        occupied in prop::sample::subsequence((0..PREDICATE_COUNT).collect::<Vec<_>>(), 0..2), parallel in any::<bool>(),
    ) {
        let names: Vec<&str> = of_instants.iter().chain(&of_intervals).copied().collect();
        let (asked_keys, predicates, occupancy): (Vec<Key>, Vec<Predicate>, Vec<Predicate>) = (
            keys.iter().map(|&number| key(number)).collect(),
            conditions.iter().map(|&number| predicate(number)).collect(),
            occupied.iter().map(|&number| predicate(number)).collect(),
        );
        let of_name = |name: &&str| if INTERVAL_MEASURES.contains(name) { interval_measure(name) } else { measure(name) };
        let measures: Vec<TrafficMeasure> = names.iter().map(of_name).collect();
        let intervals = naive_intervals(&records, &edges, &occupied, &keys, &of_intervals, now_us, &deck());
        let instants = naive(&records, &edges, &conditions, &keys, &of_instants, &deck());
        let instants = if of_instants.is_empty() { Cells::new() } else { instants };
        let expected = united(instants, intervals, &names);
        let directory = tempfile::tempdir().unwrap();
        let tuning = if parallel {
            Tuning { parallel_row_count_min: 1, task_row_count_max: 9, helper_thread_count: 2, ..Tuning::default() }
        } else {
            Tuning { locked_scan_value_count_max: if now_us % 2 == 0 { 0 } else { usize::MAX }, ..Tuning::default() }
        };
        let [whole, parts] = [0, 1].map(|_| Store::new(tuning.clone(), MemoryLimits::default()));
        whole.apply(&batch(&records), 0);
        common::apply_in_parts(&parts, directory.path(), &records);
        for store in [&whole, &parts] {
            let asked = Asked {
                edges: &edges, predicates: &predicates, occupancy: &occupancy, now_us, keys: &asked_keys, measures: &measures,
                cell_count_max: 100_000,
            };
            let result = asked.of(store).unwrap();
            prop_assert_eq!(cells(&result), expected.clone());
            prop_assert_eq!(result.bins.len(), expected.len(), "no cell is there twice");
            prop_assert!(result.check(edges.len() - 1).is_ok());
            let peaks = asked.with(store, &CancelToken::with_limit(None), true).unwrap();
            prop_assert!(peaks.check(edges.len() - 1).is_ok());
            if keys.is_empty() {
                prop_assert_eq!(with_peaks(cells(&peaks)), with_peaks(expected.clone()));
            } else {
                prop_assert_eq!(cells(&peaks), expected.clone(), "groups are added to totals");
            }
            if !keys.is_empty() && !expected.is_empty() {
                let limited = Asked { cell_count_max: expected.len() - 1, ..asked }.of(store);
                prop_assert!(matches!(limited, Err(Error::CellLimit { .. })), "{:?}", limited);
            }
            prop_assert_eq!(store.resources().memory.used(), 0);
        }
    }
}

/// A finished call of a day before 1970-01-30.
fn call(id: &str, answer_us: i64, end_us: i64) -> OwnedRecord {
    OwnedRecord::new(id, answer_us).with("answer_time", answer_us).with("end_time", end_us)
}

fn steps_of(result: &TrafficPartials, measure: usize, cell: usize) -> Vec<(i64, i64)> {
    let MeasureValues::Steps(steps) = &result.measures[measure] else { panic!() };
    let (at_us, changes) = steps.of(cell);
    at_us.iter().copied().zip(changes.iter().copied()).collect()
}

#[test]
fn calls_that_touch_are_no_peak_and_leave_no_change() {
    let store = Store::default();
    store.apply(&batch(&[call("a", 10, 20), call("b", 20, 30), call("c", 20, 20), call("d", 25, 35)]), 0);
    let measures = [interval_measure("talk occupancy"), interval_measure("talk occupied")];
    let result = plain(&[0, 25, 30, 40, 50], 100, &measures).of(&store).unwrap();
    let steps = |cell| steps_of(&result, 0, cell);
    assert_eq!([steps(0), steps(1)], [vec![(10, 1), (25, -1)], vec![(25, 2), (30, -2)]]);
    assert_eq!([steps(2), steps(3)], [vec![(30, 1), (35, -1)], vec![]]);
    assert_eq!(result.measures[1], MeasureValues::Sums(vec![15, 10, 5, 0]));
}

#[test]
fn a_call_that_began_long_before_the_range_counts_and_days_without_one_are_not_read() {
    let (store, directory) = (Store::default(), tempfile::tempdir().unwrap());
    for day in 0..20 {
        let end = if day == 3 { 18 * DAY_US + 5 } else { day * DAY_US + MINUTE_US };
        let calls: Vec<_> =
            (0..10).map(|n| call(&format!("{day} {n}"), day * DAY_US + n, if n == 0 { end } else { day * DAY_US + 9 })).collect();
        store.apply(&batch(&calls), 0);
        let flush = store.begin_flush(false);
        store.install(store.write_flush(directory.path(), day as u64 + 1, 100, &flush).unwrap());
    }
    let measures = [interval_measure("talk occupancy")];
    let result = plain(&[18 * DAY_US, 18 * DAY_US + 7], 30 * DAY_US, &measures).of(&store).unwrap();
    assert_eq!(steps_of(&result, 0, 0).first(), Some(&(18 * DAY_US, 2)));
    assert_eq!(result.row_count, 20, "those of two days");
}

/// A store of `day_count` segments, each with 2,000 calls of one day that last an hour.
fn days_of_calls(day_count: i64, limits: MemoryLimits, directory: &std::path::Path) -> Store {
    // One thread reads the days in their order.
    let store = Store::new(Tuning { parallel_row_count_min: usize::MAX, ..Tuning::default() }, limits);
    for day in 0..day_count {
        let start = |number: i64| day * DAY_US + number * (DAY_US / 2_000);
        let calls: Vec<_> = (0..2_000).map(|n| call(&format!("{day} {n}"), start(n), start(n) + 60 * MINUTE_US)).collect();
        store.apply(&batch(&calls), 0);
        let flush = store.begin_flush(false);
        store.install(store.write_flush(directory, day as u64 + 1, 100, &flush).unwrap());
    }
    store
}

#[test]
fn the_peaks_of_many_days_take_the_memory_of_some() {
    let directory = tempfile::tempdir().unwrap();
    let limits = MemoryLimits { query_bytes_max: 600_000, total_bytes_max: 600_000 };
    let store = days_of_calls(40, limits, directory.path());
    let edges: Vec<i64> = (0..=40 * 24).map(|hour| hour * 60 * MINUTE_US).collect();
    let measures = [interval_measure("talk occupancy")];
    // Their instants take 1,280,000 bytes.
    let asked = plain(&edges, 50 * DAY_US, &measures);
    let result = asked.with(&store, &CancelToken::with_limit(None), true).unwrap();
    // Of calls that begin each 43.2 s and last an hour, the 84th begins before the first one ends.
    assert_eq!(steps_of(&result, 0, 30).first().map(|(_, peak)| *peak), Some(84));
    assert_eq!(result.row_count, 80_000);
}

#[test]
fn an_active_session_ends_now() {
    let store = Store::default();
    store.apply(&batch(&[OwnedRecord::new("a", 10).with("answer_time", 20)]), 7);
    let measures = INTERVAL_MEASURES.map(interval_measure);
    let sums = |now_us| plain(&[0, 30, 40], now_us, &measures).of(&store).unwrap();
    assert_eq!(sums(35).measures[0], MeasureValues::Sums(vec![10, 5]));
    assert_eq!(sums(35).measures[2], MeasureValues::Sums(vec![20, 5]));
    assert_eq!(sums(15).measures[0], MeasureValues::Sums(vec![0, 0]));
    let abandoned = [Predicate::Between { column: "received_time".to_owned(), low: 8, high: i64::MAX }];
    let none = Asked { occupancy: &abandoned, ..plain(&[0, 30, 40], 35, &measures) }.of(&store).unwrap();
    assert_eq!(none.measures[2], MeasureValues::Sums(vec![0, 0]));
}

#[test]
fn calls_that_span_all_of_many_bins_take_one_step_for_each_bin() {
    let store = Store::default();
    let calls: Vec<_> = (0..2_000).map(|n| call(&n.to_string(), n, 30 * DAY_US - n)).collect();
    store.apply(&batch(&calls), 0);
    let edges: Vec<i64> = (0..=30 * 1_440).map(|minute| minute * MINUTE_US).collect();
    for name in INTERVAL_MEASURES {
        let measures = [interval_measure(name)];
        let result = plain(&edges, 40 * DAY_US, &measures).of(&store).unwrap();
        match &result.measures[0] {
            MeasureValues::Sums(sums) => assert_eq!(sums[1_000], 2_000 * i128::from(MINUTE_US)),
            MeasureValues::Values(_) | MeasureValues::Steps(_) => {
                assert_eq!(steps_of(&result, 0, 1_000), [(edges[1_000], 2_000), (edges[1_001], -2_000)])
            }
        }
    }
}

#[test]
fn changes_beyond_the_memory_of_a_query_are_refused() {
    let limits = MemoryLimits { query_bytes_max: 100_000, total_bytes_max: usize::MAX };
    let store = Store::new(Tuning::default(), limits);
    store.apply(&batch(&(0..6_000).map(|n| call(&n.to_string(), n, 2 * n + 1)).collect::<Vec<_>>()), 0);
    let of = |name| plain(&[0, DAY_US], DAY_US, &[interval_measure(name)]).of(&store);
    assert!(of("talk occupied").is_ok());
    assert!(matches!(of("talk occupancy"), Err(Error::QueryMemoryLimit { allowed: 100_000, .. })));
    let minutes: Vec<i64> = (0..=30 * 1_440).map(|minute| minute * MINUTE_US).collect();
    store.apply(&batch(&[call("long", 0, 30 * DAY_US)]), 0);
    let spread = [interval_measure("talk occupied")];
    let by_folder = Asked { keys: &[key(0)], cell_count_max: usize::MAX, ..plain(&minutes, 0, &spread) };
    assert!(matches!(by_folder.of(&store), Err(Error::QueryMemoryLimit { allowed: 100_000, .. })));
    assert_eq!(store.resources().memory.used(), 0);
}

#[test]
fn a_cancelled_scan_of_intervals_ends() {
    let store = Store::default();
    store.apply(&batch(&[call("a", 0, 9)]), 0);
    let cancel = CancelToken::with_limit(None);
    cancel.cancel();
    let measures = [interval_measure("talk occupancy")];
    assert!(matches!(plain(&[0, DAY_US], DAY_US, &measures).with(&store, &cancel, false), Err(Error::Cancelled)));
}
