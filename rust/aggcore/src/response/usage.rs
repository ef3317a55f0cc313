//! Session usage: sessions per bin, their moving average, and the busiest bin.

use std::ops::Range;

use prost::Message;

use super::answer::{AnswerLimits, AnswerWriter};
use super::moving_average::simple_moving_average;
use super::tags::{asr_usage_bin as bin_tags, query_asr_usage_response as response_tags};
use super::wire_writer::{put_bytes, put_double, put_int64};
use crate::error::Result;
use crate::scan::Partials;
use crate::time_text::UtcOffsets;
use crate::wire::v1::{AsrUsageTotals, QueryAsrUsageResponse};

/// Bytes of a bin in the response at least: the shortest time has 20 bytes.
const BIN_BYTES_MIN: usize = 28;
/// Estimated bytes of a bin, by which the buffer is sized.
const BIN_BYTES_ESTIMATE: usize = 48;

/// The request for usage, as far as the response depends on it.
pub struct UsageOptions<'a> {
    /// Edges of all scanned bins, ascending microseconds UTC: the warm-up bins, then those of the range.
    pub edges: &'a [i64],
    /// Number of bins before the range. They count for the moving average only and are not returned.
    pub warmup_bin_count: usize,
    /// Days of the moving average, which needs bins of a day; `None` omits it.
    pub sma_period: Option<usize>,
    /// The current time in microseconds UTC. A bin that ends at or before it is complete.
    pub now_us: i64,
    /// Offsets of the zone in which times print.
    pub offsets: UtcOffsets<'a>,
}

/// Returns a `QueryAsrUsageResponse` with bins and totals, encoded.
///
/// # Errors
/// `InvalidPartials` or `SumOverflow` if the partials are not those of the edges; `AnswerTooLarge`, a memory limit,
/// `Cancelled` or `DeadlinePassed`.
pub fn build_usage_response(partials: &Partials, options: &UsageOptions<'_>, limits: AnswerLimits<'_>) -> Result<Vec<u8>> {
    partials.check_by_bin(options.edges.len().saturating_sub(1))?;
    let counts: Vec<i64> = partials.sums.iter().map(|sums| sums[0]).collect();
    let bins = options.warmup_bin_count.min(counts.len())..counts.len();
    let mut out = AnswerWriter::new(limits);
    out.expect_messages(bins.len(), BIN_BYTES_MIN, BIN_BYTES_ESTIMATE)?;
    for bin in bins.clone() {
        out.put_message(response_tags::BINS, |out| put_bin(bin, &counts, options, out))?;
    }
    let rest = QueryAsrUsageResponse { totals: Some(totals(bins, &counts, options)), ..Default::default() };
    out.put_fields(|out| out.extend_from_slice(&rest.encode_to_vec()));
    out.finish()
}

/// Appends the fields of an `AsrUsageBin`.
fn put_bin(bin: usize, counts: &[i64], options: &UsageOptions<'_>, out: &mut Vec<u8>) {
    put_bytes(bin_tags::START_TIME, options.offsets.rfc3339(options.edges[bin]).as_bytes(), out);
    put_int64(bin_tags::SESSION_COUNT, counts[bin], out);
    put_double(bin_tags::SMA, options.sma_period.and_then(|period| simple_moving_average(counts, bin, period)), out);
    put_int64(bin_tags::COMPLETE, i64::from(options.edges[bin + 1] <= options.now_us), out);
}

fn totals(bins: Range<usize>, counts: &[i64], options: &UsageOptions<'_>) -> AsrUsageTotals {
    // `max_by_key` returns the last maximum, so the reversed order finds the earliest busiest bin.
    let busiest = bins.clone().rev().max_by_key(|&bin| counts[bin]).filter(|&bin| counts[bin] > 0);
    AsrUsageTotals {
        session_count: Some(counts[bins].iter().sum()),
        busiest_start_time: busiest.map(|bin| options.offsets.rfc3339(options.edges[bin])),
        busiest_count: busiest.map(|bin| counts[bin]),
    }
}
