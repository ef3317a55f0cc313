//! Origination quality: calls, ACD, ASR and CPS per bin, and their totals.
//!
//! The columns are encoded while they are computed ([`super::wire_writer`]); the rest of the message goes
//! through prost. Bins at the ends of the range may be clipped: they cover less time than their calendar bin.

use std::ops::Range;

use prost::Message;

use super::answer::{AnswerLimits, AnswerWriter};
use super::figures::Figures;
use super::ratio::{QuotientSum, answer_seizure_percent, calls_per_second, seconds_per_call};
use super::tags::{origination_quality_data as data_tags, query_origination_quality_response as response_tags};
use super::wire_writer::{ColumnWriter, VARINT_LEN_MAX, put_bytes};
use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::scan::{Partials, Sums};
use crate::wire::v1::{OriginationQualityTotals, QueryOriginationQualityResponse};

/// Estimated bytes of a bin in the response, by which buffers are sized.
const BIN_BYTES_ESTIMATE: usize = 40;
/// Bytes of a bin in the response at least: a double and two integers.
const BIN_BYTES_MIN: usize = 10;
/// Bytes that answers, and that durations, add to them: a double and an integer each.
const FIGURE_BYTES_MIN: usize = 9;
/// Bytes of memory per bin beside the response: the column under construction.
const BIN_BYTES_HELD: usize = BIN_BYTES_ESTIMATE + VARINT_LEN_MAX;

/// Consecutive bins that cover the same length of time, all of them whole or all of them clipped.
struct BinRun {
    bins: Range<usize>,
    /// Microseconds that each bin covers.
    covered_us: i64,
    is_whole: bool,
}

/// Returns a `QueryOriginationQualityResponse` with data, rows and totals, encoded, of which it has only the wanted figures.
///
/// `clipped_us` are the edges of the scanned bins, `calendar_us` those of the whole calendar bins, in
/// microseconds UTC. Both have one entry more than there are bins, or are empty.
///
/// # Errors
/// `InvalidPartials` or `SumOverflow` if the partials are not those of the edges; `AnswerTooLarge`, a memory limit,
/// `Cancelled` or `DeadlinePassed`.
pub fn build_quality_response(
    partials: &Partials, clipped_us: &[i64], calendar_us: &[i64], figures: Figures, limits: AnswerLimits<'_>,
) -> Result<Vec<u8>> {
    partials.check_by_bin(clipped_us.len().min(calendar_us.len()).saturating_sub(1))?;
    let sums = &partials.sums;
    let mut out = AnswerWriter::new(limits);
    let shown_count = usize::from(figures.answers) + usize::from(figures.durations);
    out.expect_messages(sums.len(), BIN_BYTES_MIN + shown_count * FIGURE_BYTES_MIN, BIN_BYTES_ESTIMATE)?;
    let _held = limits.memory.reserve(sums.len() * BIN_BYTES_HELD)?;
    let columns = columns(sums, clipped_us, calendar_us, figures, limits.cancel)?;
    out.put_fields(|out| put_bytes(response_tags::DATA, &columns, out));
    let (rows, totals) = (Some(sums.len() as i64), Some(totals(sums, &runs(sums.len(), clipped_us, calendar_us), figures)));
    let rest = QueryOriginationQualityResponse { rows, totals, ..Default::default() };
    out.put_fields(|out| out.extend_from_slice(&rest.encode_to_vec()));
    out.finish()
}

/// Returns an `OriginationQualityData`, encoded.
fn columns(sums: &[Sums], clipped_us: &[i64], calendar_us: &[i64], figures: Figures, cancel: &CancelToken) -> Result<Vec<u8>> {
    let mut columns = ColumnWriter::with_capacity(sums.len() * BIN_BYTES_ESTIMATE);
    columns.put_packed_int64s(data_tags::T, calendar_us[..sums.len()].iter().map(|us| us.div_euclid(1_000_000)));
    columns.put_packed_int64s(data_tags::TOTAL_CALLS, sums.iter().map(|sums| sums[0]));
    if figures.answers {
        columns.put_packed_int64s(data_tags::ANSWERED_CALLS, sums.iter().map(|sums| sums[1]));
    }
    if figures.durations {
        columns.put_packed_int64s(data_tags::DURATION_MS, sums.iter().map(|sums| sums[2]));
    }
    cancel.check()?;
    if figures.durations {
        columns.put_packed_doubles(data_tags::ACD, sums.iter().map(|sums| seconds_per_call(sums[2], sums[1])));
    }
    if figures.answers {
        columns.put_packed_doubles(data_tags::ASR, sums.iter().map(|sums| answer_seizure_percent(sums[1], sums[0])));
    }
    let bins = sums.iter().zip(clipped_us.windows(2));
    columns.put_packed_doubles(data_tags::CPS, bins.map(|(sums, edges)| calls_per_second(sums[0], edges[1] - edges[0])));
    cancel.check()?;
    Ok(columns.into_bytes())
}

/// Returns the bins as runs: bins of a fixed width form one run, clipped bins at the ends runs of their own.
fn runs(bin_count: usize, clipped_us: &[i64], calendar_us: &[i64]) -> Vec<BinRun> {
    let coverage = |bin: usize| {
        let is_whole = clipped_us[bin..bin + 2] == calendar_us[bin..bin + 2];
        (clipped_us[bin + 1] - clipped_us[bin], is_whole)
    };
    let mut runs: Vec<BinRun> = Vec::new();
    for bin in 0..bin_count {
        let (covered_us, is_whole) = coverage(bin);
        match runs.last_mut() {
            Some(run) if (run.covered_us, run.is_whole) == (covered_us, is_whole) => run.bins.end = bin + 1,
            _ => runs.push(BinRun { bins: bin..bin + 1, covered_us, is_whole }),
        }
    }
    runs
}

/// Returns the totals of all bins.
///
/// The bins of a run cover the same time, so their rates compare and add up as calls do: a run costs one
/// division, and the sum is not rounded per bin. The peak is that of whole bins, or of clipped ones if all
/// are clipped.
fn totals(sums: &[Sums], runs: &[BinRun], figures: Figures) -> OriginationQualityTotals {
    let [total, answered, duration_ms] = [0, 1, 2].map(|i| sums.iter().map(|sums| sums[i]).sum::<i64>());
    let any_whole = runs.iter().any(|run| run.is_whole);
    let mut cps_sum = QuotientSum::default();
    let (mut peak, mut covered_us) = (None, 0);
    for run in runs {
        let calls = sums[run.bins.clone()].iter().map(|sums| sums[0]);
        if run.is_whole || !any_whole {
            let highest = calls.clone().max().and_then(|calls| calls_per_second(calls, run.covered_us));
            peak = [peak, highest].into_iter().flatten().reduce(f64::max);
        }
        cps_sum.add(calls.sum::<i64>().saturating_mul(1_000_000), run.covered_us);
        covered_us += run.covered_us * run.bins.len() as i64;
    }
    OriginationQualityTotals {
        total_calls: Some(total),
        answered_calls: figures.answers.then_some(answered),
        duration_ms: figures.durations.then_some(duration_ms),
        acd: seconds_per_call(duration_ms, answered).filter(|_| figures.durations),
        asr: answer_seizure_percent(answered, total).filter(|_| figures.answers),
        cps_mean: calls_per_second(total, covered_us),
        cps_peak: peak,
        cps_sum: (!sums.is_empty()).then(|| cps_sum.value()),
    }
}
