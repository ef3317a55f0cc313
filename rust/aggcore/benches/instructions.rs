//! Counts the instructions of the scan kernels over one flushed day of 100,000 calls, with callgrind: unlike
//! times, they do not vary from run to run.
//!
//! One instruction per row shows as 100,000. Valgrind emulates a processor without AVX-512, so libraries that
//! select kernels by CPU feature at run time may select others than on the real machine.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)] // The macros generate items without comments; a bench may panic.

mod day;
mod sums;

use std::hint::black_box;

use aggcore::testing::{QueryOriginationQualityResponse, RecordSlice};
use aggcore::{Key, Partials, Predicate, RowSet};
use day::predicates::{MASKING, PredicateCase, predicate_case};
use day::{Call, Day, work};
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use prost::Message;
use sums::{Sums, in_bins};

const ROWS: u64 = 100_000;

#[library_benchmark(setup = slice_and_edges, teardown = check_minutes)]
#[bench::of_all_rows()]
fn minutes((slice, edges): (RecordSlice<'static>, Vec<i64>)) -> Partials {
    work::slice_partials(black_box(&slice), &edges, &[], &[])
}

// Includes the predicate, which `filter` counts on its own.
#[library_benchmark(setup = slice_and_masking, teardown = check_masked_minutes)]
#[bench::of_rows_between_8_bits()]
fn minutes_masked((slice, edges, predicate): (RecordSlice<'static>, Vec<i64>, Predicate)) -> Partials {
    work::slice_partials(black_box(&slice), &edges, &[predicate], &[])
}

#[library_benchmark(setup = slice_and_case)]
#[bench::between_8_bits("between, 8 bits")]
#[bench::between_16_bits("between, 16 bits")]
#[bench::between_32_bits("between, 32 bits")]
#[bench::between_64_bits("between, 64 bits")]
#[bench::one_of_2("one of 2, 16 bits")]
#[bench::one_of_20("one of 20, 16 bits")]
#[bench::duration("duration")]
#[bench::sorted_entries("starts with, 10,000 sorted entries")]
fn filter((slice, case): (RecordSlice<'static>, PredicateCase)) {
    work::select(black_box(&slice), black_box(&case.predicate));
}

#[library_benchmark(setup = slice_and_keys, teardown = check_groups)]
#[bench::folder_and_agent()]
fn group((slice, edges, keys): (RecordSlice<'static>, Vec<i64>, Vec<Key>)) -> Partials {
    work::slice_partials(black_box(&slice), &edges, &[], &keys)
}

#[library_benchmark(setup = in_bins, teardown = check_quality)]
#[bench::of_1440_bins(1_440)]
fn quality(sums: Sums) -> Vec<u8> {
    black_box(&sums).quality()
}

/// Returns the rows of a day. Leaks the segment: each benchmark is a process that runs one kernel.
fn slice() -> RecordSlice<'static> {
    let (segment, no_tombstones) = (Box::leak(Box::new(Day::flushed(ROWS).segment)), Box::leak(Box::<RowSet>::default()));
    segment.verified_slice(no_tombstones).unwrap()
}

fn slice_and_edges() -> (RecordSlice<'static>, Vec<i64>) {
    (slice(), work::minute_edges())
}

fn slice_and_masking() -> (RecordSlice<'static>, Vec<i64>, Predicate) {
    (slice(), work::minute_edges(), predicate_case(MASKING).predicate)
}

fn slice_and_case(name: &str) -> (RecordSlice<'static>, PredicateCase) {
    let (slice, case) = (slice(), predicate_case(name));
    assert_eq!(work::selected_count(&slice, &case.predicate), calls().filter(case.holds).count());
    (slice, case)
}

fn slice_and_keys() -> (RecordSlice<'static>, Vec<i64>, Vec<Key>) {
    (slice(), work::day_edges(), work::folder_and_agent())
}

fn calls() -> impl Iterator<Item = Call> {
    (0..ROWS).map(Call::new)
}

fn check_minutes(bins: Partials) {
    assert_eq!(bins.sums, work::sums_of(calls(), &work::minute_edges()));
}

fn check_masked_minutes(bins: Partials) {
    assert_eq!(bins.sums, work::sums_of(calls().filter(predicate_case(MASKING).holds), &work::minute_edges()));
}

fn check_groups(cells: Partials) {
    assert_eq!(cells.sums.iter().map(|sums| sums[0]).sum::<i64>(), ROWS as i64);
}

fn check_quality(response: Vec<u8>) {
    let response = QueryOriginationQualityResponse::decode(response.as_slice()).unwrap();
    assert_eq!(response.totals.unwrap().total_calls, Some(in_bins(1_440).call_count()));
}

library_benchmark_group!(name = kernels, benchmarks = [minutes, minutes_masked, filter, group, quality]);

main!(
    // Instructions only: the simulated caches say less than the times of the bench `kernels`.
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"]).format([EventKind::Ir])),
    library_benchmark_groups = kernels
);
