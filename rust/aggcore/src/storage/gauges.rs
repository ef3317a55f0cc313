//! Present values of a store for its metrics, which must wait for no writer.

use std::time::Duration;

use super::Store;

/// Time for which [`Store::gauges`] waits for the lock: longer than most batches take to apply, and shorter than a person
/// notices.
const LOCK_WAIT: Duration = Duration::from_millis(5);

/// Present values of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreGauges {
    /// Finished records in memory.
    pub unsealed_records: usize,
    /// Active sessions of which nothing new was received since an instant.
    pub abandoned_sessions: usize,
    /// Segments that a compaction is due to rewrite.
    pub compaction_backlog: usize,
}

impl Store {
    /// Returns the present values: sessions count as abandoned if nothing new of them was received after
    /// `abandoned_until_us`, microseconds UTC, and a compaction writes segments of at most `row_max` rows.
    ///
    /// While a writer has the lock for long, it returns the values of the last call.
    pub fn gauges(&self, abandoned_until_us: i64, row_max: usize) -> StoreGauges {
        let mut last = self.gauges.lock();
        if let Some(state) = self.state.try_read_for(LOCK_WAIT) {
            *last = StoreGauges {
                unsealed_records: state.unflushed_rows(),
                abandoned_sessions: state.active.count_received_until(abandoned_until_us),
                compaction_backlog: state.compaction_backlog(row_max, self.tuning()),
            };
        }
        *last
    }

    /// Sources of the active sessions, and the latest setup time of each, microseconds UTC.
    pub fn latest_active_setups(&self) -> Vec<(Box<str>, i64)> {
        self.read().active.latest_setups()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_a_writer_has_the_lock_the_last_values_are_returned() {
        let store = Store::default();
        let known = StoreGauges { unsealed_records: 7, ..StoreGauges::default() };
        *store.gauges.lock() = known;
        let writer = store.write();
        assert_eq!(store.gauges(0, 1), known);
        drop(writer);
        assert_eq!(store.gauges(0, 1), StoreGauges::default());
    }
}
