//! Counts commits, and how long the disk took for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of a histogram, in seconds, inclusive. A disk with a cache that survives power cuts syncs in
/// less than the first; the last ones are faults.
pub const SYNC_BOUNDS_S: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How long events took, in fixed buckets.
#[derive(Debug, Default)]
struct DurationHistogram {
    /// One more than there are bounds.
    counts: [AtomicU64; SYNC_BOUNDS_S.len() + 1],
    nanoseconds: AtomicU64,
}

impl DurationHistogram {
    fn note(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = SYNC_BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// Counters of the commits of one store. They never fall.
#[derive(Debug, Default)]
pub struct CommitCounters {
    batches: AtomicU64,
    syncs: DurationHistogram,
}

/// What [`CommitCounters`] have counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommitCounts {
    /// Groups that were written and synced.
    pub commits: u64,
    /// Batches in them.
    pub batches: u64,
    /// Syncs by bucket of [`SYNC_BOUNDS_S`]; the last bucket has no bound.
    pub syncs: [u64; SYNC_BOUNDS_S.len() + 1],
    /// Seconds of all syncs together.
    pub sync_seconds: f64,
}

impl CommitCounters {
    /// Counts a group of batches that is durable.
    pub fn note(&self, batch_count: usize, sync_time: Duration) {
        self.batches.fetch_add(batch_count as u64, Ordering::Relaxed);
        self.syncs.note(sync_time);
    }

    /// Returns the counts.
    pub fn counts(&self) -> CommitCounts {
        let syncs = std::array::from_fn(|bucket| self.syncs.counts[bucket].load(Ordering::Relaxed));
        CommitCounts {
            // Each commit syncs once.
            commits: syncs.iter().sum(),
            batches: self.batches.load(Ordering::Relaxed),
            syncs,
            sync_seconds: Duration::from_nanos(self.syncs.nanoseconds.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_whose_bound_is_not_below_it() {
        let counters = CommitCounters::default();
        // The bounds themselves, a little more than each, and far more than the last.
        for seconds in SYNC_BOUNDS_S {
            counters.note(2, Duration::from_secs_f64(seconds));
            counters.note(1, Duration::from_secs_f64(seconds * 1.001));
        }
        counters.note(0, Duration::ZERO);
        counters.note(0, Duration::from_secs(3_600));
        let counts = counters.counts();
        let mut expected = [2; SYNC_BOUNDS_S.len() + 1];
        // At 0 and the first bound; beyond the last bound twice.
        assert_eq!((counts.syncs[0], counts.syncs[SYNC_BOUNDS_S.len()]), (2, 2));
        expected[0] = 2;
        assert_eq!((counts.syncs, counts.commits, counts.batches), (expected, 30, 42));
        let seconds = SYNC_BOUNDS_S.iter().sum::<f64>() * 2.001 + 3_600.0;
        assert!((counts.sync_seconds - seconds).abs() < 1e-6, "{}", counts.sync_seconds);
    }
}
