//! Origination quality: calls, ACD, ASR and CPS per bin, and their totals.

use prost::Message;

use super::ratio::{QuotientSum, answer_seizure_percent, calls_per_second, seconds_per_call};
use crate::scan::{Partials, Sums};
use crate::wire::v1::{OriginationQualityData, OriginationQualityTotals, QueryOriginationQualityResponse};

/// Bytes of a `QueryOriginationQualityResponse` with data, rows and totals.
///
/// `clipped_us` are the edges scanned, `calendar_us` those of the whole calendar bins; both have one more entry
/// than there are bins, or none.
pub fn finish_quality(partials: &Partials, clipped_us: &[i64], calendar_us: &[i64]) -> Vec<u8> {
    let covered: Vec<i64> = clipped_us.windows(2).map(|edges| edges[1] - edges[0]).collect();
    let whole: Vec<bool> =
        clipped_us.windows(2).zip(calendar_us.windows(2)).map(|(clipped, calendar)| clipped == calendar).collect();
    let sums = &partials.sums;
    let column = |of: fn(&Sums) -> i64| sums.iter().map(of).collect();
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let cps: Vec<f64> = sums.iter().zip(&covered).map(|(sums, &us)| or_nan(calls_per_second(sums[0], us))).collect();
    let data = OriginationQualityData {
        t: calendar_us.iter().take(sums.len()).map(|us| us.div_euclid(1_000_000)).collect(),
        total_calls: column(|sums| sums[0]),
        answered_calls: column(|sums| sums[1]),
        duration_ms: column(|sums| sums[2]),
        acd: sums.iter().map(|sums| or_nan(seconds_per_call(sums[2], sums[1]))).collect(),
        asr: sums.iter().map(|sums| or_nan(answer_seizure_percent(sums[1], sums[0]))).collect(),
        cps: cps.clone(),
    };
    let totals = totals(sums, &covered, &whole, &cps);
    let rows = Some(sums.len() as i64);
    QueryOriginationQualityResponse { data: Some(data), rows, totals: Some(totals), ..Default::default() }.encode_to_vec()
}

fn totals(sums: &[Sums], covered: &[i64], whole: &[bool], cps: &[f64]) -> OriginationQualityTotals {
    let [total, answered, duration_ms] = [0, 1, 2].map(|i| sums.iter().map(|sums| sums[i]).sum::<i64>());
    let any_whole = whole.contains(&true);
    let peak = cps.iter().zip(whole).filter(|(_, whole)| **whole || !any_whole).map(|(cps, _)| *cps).reduce(f64::max);
    let mut cps_sum = QuotientSum::default();
    sums.iter().zip(covered).for_each(|(sums, &us)| cps_sum.add(sums[0].saturating_mul(1_000_000), us));
    OriginationQualityTotals {
        total_calls: Some(total),
        answered_calls: Some(answered),
        duration_ms: Some(duration_ms),
        acd: seconds_per_call(duration_ms, answered),
        asr: answer_seizure_percent(answered, total),
        cps_mean: calls_per_second(total, covered.iter().sum()),
        cps_peak: peak,
        cps_sum: (!sums.is_empty()).then(|| cps_sum.value()),
    }
}
