//! Counts written records by source and by what became of them.
//!
//! A batch adds what it found of each of its sources in one step, right before its caller learns its outcome; a batch that
//! could not be made durable adds nothing.
//!
//! Anybody who may write can make names in records that are rejected. Such names have few of the places, and give way to
//! those of sources with records in the store.
//!
//! Rejected records are also counted until somebody takes them, who keeps them for longer than a process lives.

use std::collections::{BTreeMap, HashMap};
use std::mem::take;

use parking_lot::Mutex;

use crate::record::RejectReason;
use crate::storage::SourceOutcome;
use crate::wire::Rejections;

/// Counters of the records of one store by source. Their sums over all sources never fall.
pub struct SourceCounters {
    /// No thread waits for another lock while it holds this one.
    by_source: Mutex<Counts>,
    source_count_max: usize,
}

type Counts = HashMap<Box<str>, SourceCounts>;

/// Part of the places, as its divisor, that may have names which only rejected records have.
const ONLY_REJECTED_SHARE: usize = 10;

/// The records of one source. Their times are microseconds UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// New records.
    pub accepted: u64,
    /// Records that changed a stored one.
    pub replaced: u64,
    /// Records without effect.
    pub duplicates: u64,
    /// Rejected records by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Of these, those that [`SourceCounters::take_rejected`] has not returned yet.
    pub untaken: BTreeMap<RejectReason, u64>,
    /// Alert times that were dropped, as they contradict the setup or the answer.
    pub dropped_alert_times: u64,
    /// When a record was last received that changed something; `None` if none was since the store was opened.
    pub last_write_us: Option<i64>,
    /// Latest setup time of these records, and of those that a start has read back into memory.
    pub last_setup_us: Option<i64>,
}

impl SourceCounts {
    /// Whether no record of the source is known to be stored.
    fn is_only_rejected(&self) -> bool {
        self.accepted + self.replaced + self.duplicates == 0 && self.last_setup_us.is_none()
    }
}

impl SourceCounters {
    /// Creates counters of at most `source_count_max` sources by name; further ones share the empty name. A tenth of these
    /// places may have names that only rejected records have.
    pub fn new(source_count_max: usize) -> Self {
        Self { by_source: Mutex::default(), source_count_max }
    }

    /// Counts records of a batch that was applied, received at `received_us`.
    pub fn note_written(&self, sources: &[SourceOutcome<'_>], received_us: i64) {
        let mut by_source = self.by_source.lock();
        for SourceOutcome { source, outcome, last_setup_us } in sources {
            let counts = self.of_stored(&mut by_source, source);
            counts.accepted += outcome.accepted as u64;
            counts.replaced += outcome.replaced as u64;
            counts.duplicates += outcome.duplicates as u64;
            if outcome.accepted + outcome.replaced > 0 {
                counts.last_write_us = Some(received_us);
            }
            counts.last_setup_us = counts.last_setup_us.max(*last_setup_us);
        }
    }

    /// Counts the rejected records and values of a batch.
    pub fn note_rejected(&self, rejections: &Rejections) {
        if rejections.counts.is_empty() && rejections.dropped_alert_times.is_empty() {
            return;
        }
        let mut by_source = self.by_source.lock();
        for (source, reasons) in &rejections.counts {
            let counts = self.of_rejected(&mut by_source, source);
            for (&reason, &count) in reasons {
                *counts.rejected.entry(reason).or_default() += count as u64;
                *counts.untaken.entry(reason).or_default() += count as u64;
            }
        }
        for (source, &count) in &rejections.dropped_alert_times {
            self.of_rejected(&mut by_source, source).dropped_alert_times += count as u64;
        }
    }

    /// Notes setup times of records that a start has read back into memory: they were counted when they were written.
    pub fn note_setups<'a>(&self, setups: impl IntoIterator<Item = (&'a str, Option<i64>)>) {
        let mut by_source = self.by_source.lock();
        for (source, setup_us) in setups {
            let counts = self.of_stored(&mut by_source, source);
            counts.last_setup_us = counts.last_setup_us.max(setup_us);
        }
    }

    /// Returns the rejected records of each source that it has not returned before, by reason.
    pub fn take_rejected(&self) -> Vec<(String, BTreeMap<RejectReason, u64>)> {
        let mut by_source = self.by_source.lock();
        let taken = by_source.iter_mut().map(|(source, counts)| (source.to_string(), take(&mut counts.untaken)));
        taken.filter(|(_, counts)| !counts.is_empty()).collect()
    }

    /// Returns the counts of each source.
    pub fn counts(&self) -> Vec<(String, SourceCounts)> {
        let by_source = self.by_source.lock();
        by_source.iter().map(|(source, counts)| (source.to_string(), counts.clone())).collect()
    }

    /// The counts of a source with records in the store, or, if there are too many, those of the empty name.
    fn of_stored<'a>(&self, by_source: &'a mut Counts, source: &str) -> &'a mut SourceCounts {
        if by_source.contains_key(source) || named_count(by_source) < self.source_count_max || give_way(by_source) {
            by_source.entry(source.into()).or_default()
        } else {
            by_source.entry("".into()).or_default()
        }
    }

    /// The counts of a source of rejected records, or, if it has no place, those of the empty name.
    fn of_rejected<'a>(&self, by_source: &'a mut Counts, source: &str) -> &'a mut SourceCounts {
        let is_named = by_source.contains_key(source)
            || named_count(by_source) < self.source_count_max
                && only_rejected(by_source).count() < self.source_count_max.div_ceil(ONLY_REJECTED_SHARE);
        by_source.entry(if is_named { source } else { "" }.into()).or_default()
    }
}

fn named_count(by_source: &Counts) -> usize {
    by_source.len() - usize::from(by_source.contains_key(""))
}

/// The names of which every record was rejected, with the number of these records.
fn only_rejected(by_source: &Counts) -> impl Iterator<Item = (u64, &str)> {
    let named = by_source.iter().filter(|(source, counts)| !source.is_empty() && counts.is_only_rejected());
    named.map(|(source, counts)| (counts.rejected.values().sum(), &**source))
}

/// Frees a place, if one has a name of which every record was rejected, by adding its counts to those of the empty name.
fn give_way(by_source: &mut Counts) -> bool {
    let Some((_, source)) = only_rejected(by_source).min() else { return false };
    let source = Box::<str>::from(source);
    let counts = by_source.remove(&source).unwrap_or_default();
    let others = by_source.entry("".into()).or_default();
    others.dropped_alert_times += counts.dropped_alert_times;
    for (own, of_others) in [(counts.rejected, &mut others.rejected), (counts.untaken, &mut others.untaken)] {
        for (reason, count) in own {
            *of_others.entry(reason).or_default() += count;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::BatchOutcome;

    fn written(source: &str, accepted: usize, last_setup_us: i64) -> SourceOutcome<'_> {
        let outcome = BatchOutcome { accepted, ..BatchOutcome::default() };
        SourceOutcome { source, outcome, last_setup_us: Some(last_setup_us) }
    }

    fn accepted(counters: &SourceCounters) -> BTreeMap<String, (u64, Option<i64>)> {
        let counts = counters.counts().into_iter();
        counts.map(|(source, counts)| (source, (counts.accepted, counts.last_setup_us))).collect()
    }

    #[test]
    fn sources_beyond_the_limit_share_the_empty_name() {
        let counters = SourceCounters::new(2);
        counters.note_written(&[written("", 1, 9), written("a", 1, 3), written("b", 1, 1), written("c", 1, 20)], 7);
        counters.note_written(&[written("a", 2, 2), written("d", 5, 4)], 8);
        let expected = [("", (7, Some(20))), ("a", (3, Some(3))), ("b", (1, Some(1)))];
        assert_eq!(accepted(&counters), expected.map(|(source, counts)| (source.to_owned(), counts)).into());
    }

    fn rejected(source: &str, count: usize) -> Rejections {
        let reasons = BTreeMap::from([(RejectReason::TextTooLong, count)]);
        Rejections { counts: [(source.into(), reasons)].into(), ..Rejections::default() }
    }

    #[test]
    fn names_of_only_rejected_records_leave_the_places_to_sources() {
        let counters = SourceCounters::new(11);
        for (number, name) in ["x", "y", "z", "c"].into_iter().enumerate() {
            counters.note_rejected(&rejected(name, 5 - number));
        }
        let names: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
        for name in &names {
            counters.note_written(&[written(name, 1, 1)], 7);
        }
        let by_name = |name: &str| {
            let counts = counters.counts().into_iter().find(|(source, _)| source == name);
            counts.map(|(_, counts)| (counts.accepted, counts.rejected.values().sum::<u64>()))
        };
        assert_eq!(["x", "y", "z", "c", ""].map(by_name), [Some((0, 5)), None, None, None, Some((0, 9))]);
        assert_eq!(names.iter().filter(|name| by_name(name) == Some((1, 0))).count(), 10);
        // The last place that gives way is that of x.
        counters.note_written(&[written("c", 1, 1)], 7);
        counters.note_rejected(&rejected("c", 3));
        counters.note_rejected(&rejected("x", 1));
        counters.note_setups([("d", Some(3))]);
        assert_eq!(["x", "c", "d", ""].map(by_name), [None, Some((1, 3)), None, Some((0, 15))]);
    }

    #[test]
    fn each_rejected_record_is_taken_once() {
        let counters = SourceCounters::new(10);
        counters.note_rejected(&rejected("x", 3));
        let taken = |name: &str, count| vec![(name.to_owned(), BTreeMap::from([(RejectReason::TextTooLong, count)]))];
        assert_eq!(counters.take_rejected(), taken("x", 3));
        assert_eq!(counters.take_rejected(), []);
        counters.note_rejected(&rejected("x", 2));
        // The only place of a name that only rejected records have gives way, with what was not taken yet.
        (0..10).for_each(|number| counters.note_written(&[written(&format!("s{number}"), 1, 1)], 7));
        assert_eq!(counters.take_rejected(), taken("", 2));
        let total: u64 = counters.counts().iter().flat_map(|(_, counts)| counts.rejected.values()).sum();
        assert_eq!(total, 5);
    }

    #[test]
    fn dropped_alert_times_are_counted_by_source() {
        let counters = SourceCounters::new(1);
        let dropped = |source: &str| Rejections { dropped_alert_times: [(source.into(), 3)].into(), ..Rejections::default() };
        counters.note_written(&[written("a", 1, 1)], 7);
        ["a", "b", "a"].iter().for_each(|source| counters.note_rejected(&dropped(source)));
        let counts: BTreeMap<_, _> =
            counters.counts().into_iter().map(|(source, counts)| (source, counts.dropped_alert_times)).collect();
        assert_eq!(counts, [("".to_owned(), 3), ("a".to_owned(), 6)].into());
    }

    #[test]
    fn only_records_that_change_something_are_a_write() {
        let counters = SourceCounters::new(2);
        let outcome = BatchOutcome { duplicates: 4, ..BatchOutcome::default() };
        counters.note_written(&[SourceOutcome { source: "a", outcome, last_setup_us: None }], 7);
        counters.note_setups([("a", Some(5))]);
        let expected = SourceCounts { duplicates: 4, last_setup_us: Some(5), ..SourceCounts::default() };
        assert_eq!(counters.counts(), [("a".to_owned(), expected)]);
    }
}
