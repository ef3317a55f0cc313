//! Session usage: sessions per bin, their moving average, and the busiest bin.

use prost::Message;

use super::moving_average::simple_moving_average;
use crate::scan::Partials;
use crate::time_text::UtcOffsets;
use crate::wire::v1::{AsrUsageBin, AsrUsageTotals, QueryAsrUsageResponse};

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
pub fn build_usage_response(partials: &Partials, options: &UsageOptions<'_>) -> Vec<u8> {
    let counts: Vec<i64> = partials.sums.iter().map(|sums| sums[0]).collect();
    let bins: Vec<AsrUsageBin> = (options.warmup_bin_count..counts.len()).map(|bin| usage_bin(bin, &counts, options)).collect();
    let totals = totals(&bins);
    QueryAsrUsageResponse { bins, totals: Some(totals), ..Default::default() }.encode_to_vec()
}

fn usage_bin(bin: usize, counts: &[i64], options: &UsageOptions<'_>) -> AsrUsageBin {
    AsrUsageBin {
        start_time: Some(options.offsets.rfc3339(options.edges[bin])),
        session_count: Some(counts[bin]),
        sma: options.sma_period.and_then(|period| simple_moving_average(counts, bin, period)),
        complete: Some(options.edges[bin + 1] <= options.now_us),
    }
}

fn totals(bins: &[AsrUsageBin]) -> AsrUsageTotals {
    let count = |bin: &AsrUsageBin| bin.session_count.unwrap_or(0);
    // `max_by_key` returns the last maximum, so the reversed order finds the earliest busiest bin.
    let busiest = bins.iter().rev().max_by_key(|bin| count(bin)).filter(|bin| count(bin) > 0);
    AsrUsageTotals {
        session_count: Some(bins.iter().map(count).sum()),
        busiest_start_time: busiest.and_then(|bin| bin.start_time.clone()),
        busiest_count: busiest.map(count),
    }
}
