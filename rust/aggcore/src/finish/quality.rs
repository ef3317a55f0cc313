//! Origination quality: calls, ACD, ASR and CPS per bin, and their totals.

use prost::Message;

use super::packed::{Ints, floats_field_len, put_floats, put_message_head};
use super::ratio::{QuotientSum, answer_seizure_percent, calls_per_second, seconds_per_call};
use crate::scan::{Partials, Sums};
use crate::wire::v1::{OriginationQualityTotals, QueryOriginationQualityResponse};

/// Tag of `QueryOriginationQualityResponse.data`.
const DATA: u32 = 3;
/// Room for the head of the data.
const HEAD_LEN_MAX: usize = 16;

/// A bin: its sums, the microseconds that are scanned of it, and whether that is all of it.
struct Bin<'a> {
    sums: &'a Sums,
    covered_us: i64,
    is_whole: bool,
}

impl Bin<'_> {
    fn cps(&self) -> Option<f64> {
        calls_per_second(self.sums[0], self.covered_us)
    }
}

/// Bytes of a `QueryOriginationQualityResponse` with data, rows and totals.
///
/// `clipped_us` are the edges scanned, `calendar_us` those of the whole calendar bins; both have one more entry
/// than there are bins, or none.
pub fn finish_quality(partials: &Partials, clipped_us: &[i64], calendar_us: &[i64]) -> Vec<u8> {
    let edges = clipped_us.windows(2).zip(calendar_us.windows(2));
    let bins = partials.sums.iter().zip(edges).map(|(sums, (clipped, calendar))| Bin {
        sums,
        covered_us: clipped[1] - clipped[0],
        is_whole: clipped == calendar,
    });
    let (rows, totals) = (Some(bins.len() as i64), Some(totals(bins.clone())));
    let rest = QueryOriginationQualityResponse { rows, totals, ..Default::default() }.encode_to_vec();
    with_columns(bins, calendar_us, &rest)
}

/// The columns, an `OriginationQualityData`, and after it the rest of the answer.
fn with_columns<'a>(bins: impl ExactSizeIterator<Item = Bin<'a>> + Clone, calendar_us: &[i64], rest: &[u8]) -> Vec<u8> {
    let starts = Ints::new(calendar_us.iter().take(bins.len()).map(|us| us.div_euclid(1_000_000)));
    let sums = [0, 1, 2].map(|i| Ints::new(bins.clone().map(move |bin| bin.sums[i])));
    let ints_len = starts.field_len() + sums.iter().map(Ints::field_len).sum::<usize>();
    let data_len = ints_len + 3 * floats_field_len(bins.len());
    let mut out = Vec::with_capacity(HEAD_LEN_MAX + data_len + rest.len());
    put_message_head(DATA, data_len, &mut out);
    starts.put(1, &mut out);
    (2..).zip(sums).for_each(|(tag, column)| column.put(tag, &mut out));
    put_floats(5, bins.clone().map(|bin| seconds_per_call(bin.sums[2], bin.sums[1])), &mut out);
    put_floats(6, bins.clone().map(|bin| answer_seizure_percent(bin.sums[1], bin.sums[0])), &mut out);
    put_floats(7, bins.map(|bin| bin.cps()), &mut out);
    out.extend_from_slice(rest);
    out
}

fn totals<'a>(bins: impl ExactSizeIterator<Item = Bin<'a>> + Clone) -> OriginationQualityTotals {
    let [total, answered, duration_ms] = [0, 1, 2].map(|i| bins.clone().map(|bin| bin.sums[i]).sum::<i64>());
    let any_whole = bins.clone().any(|bin| bin.is_whole);
    let in_peak = bins.clone().filter(|bin| bin.is_whole || !any_whole);
    let mut cps_sum = QuotientSum::default();
    bins.clone().for_each(|bin| cps_sum.add(bin.sums[0].saturating_mul(1_000_000), bin.covered_us));
    OriginationQualityTotals {
        total_calls: Some(total),
        answered_calls: Some(answered),
        duration_ms: Some(duration_ms),
        acd: seconds_per_call(duration_ms, answered),
        asr: answer_seizure_percent(answered, total),
        cps_mean: calls_per_second(total, bins.clone().map(|bin| bin.covered_us).sum()),
        cps_peak: in_peak.filter_map(|bin| bin.cps()).reduce(f64::max),
        cps_sum: (bins.len() > 0).then(|| cps_sum.value()),
    }
}
