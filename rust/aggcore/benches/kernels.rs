//! Measures the scan kernels on one thread over one flushed day of 1,000,000 calls, and the responses built
//! from synthetic sums.

#![allow(clippy::unwrap_used, clippy::panic)] // A bench may panic.

mod day;
mod sums;

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::Duration;

use aggcore::testing::{QueryAsrUsageResponse, QueryFolderStatsResponse, QueryOriginationQualityResponse, RecordSlice};
use aggcore::{CancelToken, Partials, RowSet};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use day::predicates::{MASKING, is_of_account, of_account, predicate_case, predicate_cases};
use day::{Call, Day, work};
use prost::Message;

const ROWS: u64 = 1_000_000;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn kernels(c: &mut Criterion) {
    let (day, no_tombstones) = (Day::flushed(ROWS), RowSet::default());
    let slice = day.segment.verified_slice(&no_tombstones).unwrap();
    bin(&mut group(c, "bin", ROWS), &day, &slice);
    filter(&mut group(c, "filter", ROWS), &day, &slice);
    by_folder_and_agent(&mut group(c, "group", ROWS), &day, &slice);
    let calls_of_account = day.calls().filter(Call::is_of_largest_account).count();
    account(&mut group(c, "account", calls_of_account as u64), &day);
}

fn group<'a>(c: &'a mut Criterion, name: &str, elements: u64) -> Group<'a> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(elements));
    group
}

/// Checks the result of `work` once, then times it.
fn time<T: Debug + PartialEq>(group: &mut Group<'_>, name: &str, expected: &T, work: impl Fn() -> T) {
    assert_eq!(&work(), expected, "{name}");
    group.bench_function(name, |bencher| bencher.iter(&work));
}

fn bin(group: &mut Group<'_>, day: &Day, slice: &RecordSlice<'_>) {
    let (minutes, odd) = (work::minute_edges(), work::odd_edges());
    let by_minute = work::sums_of(day.calls(), &minutes);
    time(group, "minutes", &by_minute, || work::slice_partials(slice, &minutes, &[], &[]).sums);
    time(group, "minutes, sums known before", &by_minute, || work::store_partials(day, &minutes, &[]).sums);
    let masking = predicate_case(MASKING);
    let selected = work::sums_of(day.calls().filter(masking.holds), &minutes);
    let predicates = [masking.predicate];
    time(group, "minutes, masked", &selected, || work::slice_partials(slice, &minutes, &predicates, &[]).sums);
    let by_search = work::sums_of(day.calls(), &odd);
    time(group, "odd edges, by search", &by_search, || work::slice_partials(slice, &odd, &[], &[]).sums);
}

fn filter(group: &mut Group<'_>, day: &Day, slice: &RecordSlice<'_>) {
    for case in predicate_cases() {
        let expected = day.calls().filter(case.holds).count();
        assert_eq!(work::selected_count(slice, &case.predicate), expected, "{}", case.name);
        group.bench_function(case.name, |bencher| bencher.iter(|| work::select(slice, &case.predicate)));
    }
}

fn by_folder_and_agent(group: &mut Group<'_>, day: &Day, slice: &RecordSlice<'_>) {
    let (edges, keys) = (work::day_edges(), work::folder_and_agent());
    let expected: HashSet<(u64, u64)> = day.calls().map(|call| (call.folder, call.agent)).collect();
    let calls_and_cells = |cells: Partials| (cells.sums.iter().map(|sums| sums[0]).sum::<i64>(), cells.sums.len());
    let expected = (ROWS as i64, expected.len());
    time(group, "folder and agent", &expected, || calls_and_cells(work::slice_partials(slice, &edges, &[], &keys)));
    time(group, "folder and agent, sums known before", &expected, || calls_and_cells(work::store_partials(day, &edges, &keys)));
}

/// Times the scan of an origination quality report: one account and routing prefix, whose rows the store
/// finds by the order of its segment.
fn account(group: &mut Group<'_>, day: &Day) {
    let (edges, predicates, cancel) = (work::minute_edges(), of_account(), CancelToken::with_limit(None));
    let memory = day.store.resources().memory.begin_query();
    let scan = work::scan_of_calls(&edges, &predicates, &[], &cancel, &memory, day.store.resources());
    let expected = work::sums_of(day.calls().filter(is_of_account), &edges);
    time(group, "minutes of some prefixes", &expected, || day.store.partials(&scan).unwrap().sums);
}

fn responses(c: &mut Criterion) {
    let mut group = c.benchmark_group("finish");
    for bin_count in [1_440, 105_120] {
        let sums = sums::in_bins(bin_count);
        let response = QueryOriginationQualityResponse::decode(sums.quality().as_slice()).unwrap();
        assert_eq!((response.rows, response.totals.unwrap().total_calls), (Some(bin_count), Some(sums.call_count())));
        group.throughput(Throughput::Elements(bin_count as u64));
        group.bench_function(format!("quality, {bin_count} bins"), |bencher| bencher.iter(|| sums.quality()));
    }
    let (bins, folders) = (sums::in_bins(8_640), sums::of_folders(30, 64, 16));
    let response = QueryAsrUsageResponse::decode(bins.usage().as_slice()).unwrap();
    assert_eq!((response.bins.len(), response.totals.unwrap().session_count), (8_640, Some(bins.call_count())));
    group.throughput(Throughput::Elements(8_640));
    group.bench_function("usage, 8640 bins", |bencher| bencher.iter(|| bins.usage()));

    let response = QueryFolderStatsResponse::decode(folders.folders().as_slice()).unwrap();
    assert_eq!((response.rows.len(), response.totals.unwrap().call_count), (30 * 64, Some(folders.call_count())));
    assert!(response.rows.iter().all(|row| row.agents.len() == 16));
    group.throughput(Throughput::Elements(30 * 64 * 16));
    group.bench_function("folders, 64 of 16 agents, 30 days", |bencher| bencher.iter(|| folders.folders()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
    targets = kernels, responses
}
criterion_main!(benches);
