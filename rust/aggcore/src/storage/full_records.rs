//! Records that have as many versions and parts as one may have.
//!
//! Each version that joins a record costs time for all that the record has, under the lock of the writers. A source that
//! sends the same id for all its calls, each as another part, would slow down every writer more and more.
//!
//! A record is full once its stored versions exceed the limit. Batches look here before they are journaled, so that the
//! last batch before may exceed it; what is journaled is always applied. After a restart, the next batch notices again
//! that the record is full.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use parking_lot::RwLock;

use crate::record::Record;

/// The full records of a store.
pub struct FullRecords {
    versions_bytes_max: usize,
    /// UTC days on which a version would join the record, by the hash of its key.
    days_by_key: RwLock<HashMap<u64, Vec<RangeInclusive<i64>>>>,
}

impl FullRecords {
    /// Creates an empty set; a record is full when its versions take more than `versions_bytes_max` bytes.
    pub fn new(versions_bytes_max: usize) -> Self {
        Self { versions_bytes_max, days_by_key: RwLock::default() }
    }

    /// Notes how many bytes the versions of a record take, and on which UTC days others would join it.
    pub fn note(&self, key_hash: u64, joinable_days: RangeInclusive<i64>, versions_bytes: usize) {
        if versions_bytes > self.versions_bytes_max {
            // A source may use an id again on far days.
            let mut days_by_key = self.days_by_key.write();
            let full_days = days_by_key.entry(key_hash).or_default();
            full_days.retain(|days| days.end() < joinable_days.start() || joinable_days.end() < days.start());
            full_days.push(joinable_days);
        }
    }

    /// Forgets all records; the next batch notices again which ones are full.
    pub fn clear(&self) {
        self.days_by_key.write().clear();
    }

    /// Returns the limit in bytes if a version would join a full record.
    pub fn exceeded_limit(&self, version: &Record<'_>) -> Option<usize> {
        let days_by_key = self.days_by_key.read();
        if days_by_key.is_empty() {
            return None;
        }
        let mut full_days = days_by_key.get(&version.key_hash())?.iter();
        full_days.any(|days| days.contains(&version.day())).then_some(self.versions_bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::US_PER_DAY;
    use crate::record::schema::int_slot;

    #[test]
    fn a_record_is_full_on_its_days_only() {
        let version = |day: i64| {
            let mut record = Record::default();
            record.ints[int_slot::SETUP_TIME] = day * US_PER_DAY;
            record
        };
        let full = FullRecords::new(100);
        full.note(version(5).key_hash(), 4..=6, 100);
        assert_eq!(full.exceeded_limit(&version(5)), None);
        full.note(version(5).key_hash(), 4..=6, 101);
        assert_eq!([3, 4, 6, 7].map(|day| full.exceeded_limit(&version(day))), [None, Some(100), Some(100), None]);
        full.note(version(5).key_hash(), 4..=7, 200);
        full.note(version(15).key_hash(), 14..=16, 200);
        assert_eq!([5, 7, 10, 15].map(|day| full.exceeded_limit(&version(day)).is_some()), [true, true, false, true]);
    }
}
