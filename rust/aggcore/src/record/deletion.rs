//! Deletions: which records they cover, and an index of those that still apply, for the check of new records.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{Record, RejectReason, Rejection};

/// Which records a deletion covers: those that satisfy all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Number of the rule that rejects later records; `None` if none stays.
    pub rule_id: Option<u64>,
    /// Source of the records; "" is the unnamed one, `None` any.
    pub source: Option<Box<str>>,
    /// Setup times, [from, to), microseconds UTC; `None` any.
    pub from_us: Option<i64>,
    /// End of the setup times, exclusive, microseconds UTC; `None` any.
    pub to_us: Option<i64>,
    /// Session ids, shared with the index; `None` any.
    pub session_ids: Option<HashSet<Arc<str>>>,
}

/// The deletions that apply to new records. To check a record takes the same time for one deletion and for many.
#[derive(Debug, Default)]
pub struct DeletionRules {
    any_source: SourceRules,
    by_source: HashMap<Box<str>, SourceRules>,
    /// Whether some rule covers any session id.
    has_any_session: bool,
    ids: IdFilter,
    /// The deletion that is at work, which rejects versions of the records that it deletes too.
    in_progress: Option<Arc<Deletion>>,
}

/// The deletions of one source, or of any.
#[derive(Debug, Default)]
struct SourceRules {
    any_session: Spans,
    by_session_id: HashMap<Arc<str>, Spans>,
}

/// Bits of the hashes of all session ids: most records need no other look.
///
/// (Tried: the hash maps alone. They miss the caches of the processor, and with 100,000 ids an ingest took 20 % more
/// processor time.)
#[derive(Debug, Default)]
struct IdFilter {
    /// A power of two of words, or none.
    words: Vec<u64>,
}

/// Ranges of setup times, each with the number of its rule.
#[derive(Clone, Debug, Default)]
struct Spans {
    added: Vec<(i64, i64, Option<u64>)>,
    /// Where the rule changes, ascending, and the first rule that covers the times from there on.
    changes: Vec<(i64, Option<Option<u64>>)>,
}

impl Deletion {
    /// Range of the setup times, [from, to), microseconds UTC.
    pub fn range(&self) -> (i64, i64) {
        (self.from_us.unwrap_or(i64::MIN), self.to_us.unwrap_or(i64::MAX))
    }

    /// Whether records of this key may be covered.
    pub fn covers_key(&self, source: &str, session_id: &str) -> bool {
        self.source.as_deref().is_none_or(|wanted| wanted == source)
            && self.session_ids.as_ref().is_none_or(|ids| ids.contains(session_id))
    }

    /// Whether a setup time, microseconds UTC, is covered.
    pub fn covers_setup(&self, setup_us: i64) -> bool {
        let (from, to) = self.range();
        (from..to).contains(&setup_us)
    }

    /// Whether a record is covered.
    pub fn covers(&self, record: &Record<'_>) -> bool {
        self.covers_setup(record.setup_us()) && self.covers_key(record.source(), record.session_id())
    }
}

impl DeletionRules {
    /// Indexes deletions, of which one may be at work. Takes time for the square of the rules of one source.
    pub fn new(rules: &[Arc<Deletion>], in_progress: Option<Arc<Deletion>>) -> Self {
        let mut index = Self { in_progress: in_progress.clone(), ..Self::default() };
        let id_count = rules.iter().chain(&in_progress).filter_map(|rule| rule.session_ids.as_ref()).map(HashSet::len).sum();
        index.ids = IdFilter::with_room(id_count);
        for rule in rules.iter().chain(&in_progress) {
            index.has_any_session |= rule.session_ids.is_none();
            rule.session_ids.iter().flatten().for_each(|id| index.ids.insert(id));
            let of_source = match &rule.source {
                Some(source) => index.by_source.entry(source.clone()).or_default(),
                None => &mut index.any_source,
            };
            of_source.add(rule);
        }
        index.by_source.values_mut().chain([&mut index.any_source]).for_each(SourceRules::finish);
        index
    }

    /// Why a record is not taken, if a deletion covers it.
    pub fn rejection(&self, record: &Record<'_>) -> Option<Rejection> {
        if !self.has_any_session && !self.ids.may_have(record.session_id()) {
            return None;
        }
        let of_source = self.by_source.get(record.source()).and_then(|rules| rules.rule_of(record));
        let rule = of_source.or_else(|| self.any_source.rule_of(record))?;
        Some(rejection_by(rule))
    }

    /// The deletion that is at work.
    pub fn in_progress(&self) -> Option<&Deletion> {
        self.in_progress.as_deref()
    }
}

/// The rejection of a record that a deletion covers; `rule` is its number, if it has one.
pub fn rejection_by(rule: Option<u64>) -> Rejection {
    let description = match rule {
        Some(number) => format!(
            "rule {number} of a deletion covers the record; LiftDeletion, or `pegcount delete --lift {number}`, ends the rule"
        ),
        None => "a deletion that is at work covers the record; write it again afterwards".to_owned(),
    };
    Rejection::new(RejectReason::Deleted, description)
}

impl IdFilter {
    /// Has 16 bits for each id, so that it takes one in 16 others for one of them.
    fn with_room(id_count: usize) -> Self {
        let words = if id_count == 0 { 0 } else { (id_count / 4).next_power_of_two() };
        Self { words: vec![0; words] }
    }

    fn insert(&mut self, id: &str) {
        let (word, bit) = self.place(id);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, id: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let (word, bit) = self.place(id);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(&self, id: &str) -> (usize, u64) {
        let hash = xxhash_rust::xxh3::xxh3_64(id.as_bytes());
        ((hash >> 6) as usize & self.words.len().saturating_sub(1), 1 << (hash & 63))
    }
}

impl SourceRules {
    fn add(&mut self, rule: &Deletion) {
        let (from, to) = rule.range();
        let span = (from, to, rule.rule_id);
        match &rule.session_ids {
            None => self.any_session.added.push(span),
            Some(ids) => {
                for id in ids {
                    self.by_session_id.entry(Arc::clone(id)).or_default().added.push(span);
                }
            }
        }
    }

    fn finish(&mut self) {
        self.by_session_id.values_mut().chain([&mut self.any_session]).for_each(Spans::finish);
    }

    fn rule_of(&self, record: &Record<'_>) -> Option<Option<u64>> {
        let setup_us = record.setup_us();
        let of_session = || self.by_session_id.get(record.session_id())?.rule_at(setup_us);
        self.any_session.rule_at(setup_us).or_else(of_session)
    }
}

impl Spans {
    fn finish(&mut self) {
        let times: BTreeSet<i64> = self.added.iter().flat_map(|&(from, to, _)| [from, to]).collect();
        let covering = |us: i64| self.added.iter().find(|(from, to, _)| (*from..*to).contains(&us)).map(|&(.., rule)| rule);
        self.changes = times.into_iter().map(|us| (us, covering(us))).collect();
        self.added = Vec::new();
    }

    fn rule_at(&self, setup_us: i64) -> Option<Option<u64>> {
        let next = self.changes.partition_point(|(from, _)| *from <= setup_us);
        self.changes[..next].last()?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{DICTIONARY_COUNT, dictionary_slot, int_slot, text_slot};

    fn record(source: &'static str, session_id: &'static str, setup_us: i64) -> Record<'static> {
        let mut record = Record::default();
        record.strings[dictionary_slot::SOURCE] = source;
        record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = session_id;
        record.ints[int_slot::SETUP_TIME] = setup_us;
        record
    }

    fn rule(number: u64, source: Option<&str>, from_us: Option<i64>, to_us: Option<i64>, ids: &[&str]) -> Arc<Deletion> {
        let session_ids = (!ids.is_empty()).then(|| ids.iter().map(|&id| Arc::from(id)).collect());
        Arc::new(Deletion { rule_id: Some(number), source: source.map(Into::into), from_us, to_us, session_ids })
    }

    #[test]
    fn the_index_finds_what_the_deletions_cover() {
        let rules = [
            rule(1, Some("a"), Some(10), Some(20), &[]),
            rule(2, Some("a"), Some(15), Some(30), &[]),
            rule(3, None, Some(40), None, &["x", "y"]),
            rule(4, Some(""), None, Some(5), &[]),
            rule(5, Some("a"), None, None, &["z"]),
        ];
        let index = DeletionRules::new(&rules, None);
        for source in ["", "a", "b"] {
            for id in ["x", "y", "z", "other"] {
                for setup_us in 0..50 {
                    let record = record(source, id, setup_us);
                    let is_covered = rules.iter().any(|rule| rule.covers(&record));
                    assert_eq!(index.rejection(&record).is_some(), is_covered, "{source:?} {id} {setup_us}");
                }
            }
        }
        let text = |record| index.rejection(&record).map(|rejection| rejection.description);
        assert_eq!(
            text(record("a", "other", 17)),
            Some("rule 1 of a deletion covers the record; LiftDeletion, or `pegcount delete --lift 1`, ends the rule".to_owned())
        );
        assert_eq!(
            text(record("a", "other", 20)),
            Some("rule 2 of a deletion covers the record; LiftDeletion, or `pegcount delete --lift 2`, ends the rule".to_owned())
        );
        assert_eq!(text(record("a", "other", 30)), None);
    }

    #[test]
    fn the_filter_knows_all_ids_and_few_others() {
        let mut filter = IdFilter::with_room(1_000);
        assert!(!IdFilter::default().may_have("id") && !filter.may_have("id"));
        (0..1_000).for_each(|number| filter.insert(&format!("id {number}")));
        let known = (0..10_000).filter(|number| filter.may_have(&format!("id {number}")));
        let known: Vec<i32> = known.collect();
        assert_eq!(known.iter().filter(|number| **number < 1_000).count(), 1_000);
        assert!(known.len() < 2_500, "{}", known.len());
    }

    #[test]
    fn a_deletion_at_work_rejects_too() {
        let at_work = Arc::new(Deletion { source: Some("a".into()), ..Deletion::default() });
        let index = DeletionRules::new(&[], Some(Arc::clone(&at_work)));
        assert_eq!(index.in_progress(), Some(&*at_work));
        let rejection = index.rejection(&record("a", "x", 1));
        assert_eq!(rejection.map(|rejection| rejection.reason), Some(RejectReason::Deleted));
        assert_eq!(index.rejection(&record("b", "x", 1)), None);
    }
}
