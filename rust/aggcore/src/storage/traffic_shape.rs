//! The shape of a traffic rollup: what it has sums of, and so which scans it answers.

use crate::record::schema::{FieldType, field};
use crate::scan::minute_histogram::edges_lie_on_slots;
use crate::scan::predicate::Predicate;
use crate::scan::traffic::TrafficMeasure;
use crate::scan::{Key, Plan, TrafficScan};

use super::rollup_cache::RollupScope;

/// Lengths of slots of time, the longest first.
const SLOT_MINUTES: [i64; 4] = [1_440, 60, 15, 1];

/// What a rollup of a segment has sums of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficShape {
    /// The rows of the segment.
    pub scope: RollupScope,
    /// What its rows are grouped by, besides the slot.
    pub keys: Vec<Key>,
    /// The conditions that all its records satisfy.
    pub predicates: Vec<Predicate>,
    /// Length of its slots of time.
    pub slot_minutes: i64,
    /// The sums, none of which lists values.
    pub measures: Vec<TrafficMeasure>,
}

/// What a scan asks of one segment.
pub struct TrafficNeed<'a> {
    scope: RollupScope,
    /// The keys of the scan, each as a rollup of the segment has it.
    keys: Vec<Key>,
    /// The conditions that some record of the segment may not satisfy.
    predicates: &'a [&'a Predicate],
    slot_minutes: i64,
    measures: &'a [TrafficMeasure],
}

impl<'a> TrafficNeed<'a> {
    /// What a plan needs of the segment of its slice, if rollups may answer: its bins begin on slots of the day that begins at
    /// `day_us`, it lists no values, and it does not depend on a code deck.
    pub fn of<'s: 'a>(scan: &'s TrafficScan<'s>, plan: &'a Plan<'s, ()>, day_us: i64) -> Option<Self> {
        let (slice, edges) = (plan.slice(), scan.edges?);
        if scan.reads_deck() || scan.measure.iter().any(|measure| matches!(measure, TrafficMeasure::Values(_))) {
            return None;
        }
        Some(Self {
            scope: RollupScope::of(slice, scan.range())?,
            keys: scan.keys.iter().map(|key| key.within(slice.setup_range)).collect(),
            predicates: plan.residual(),
            slot_minutes: SLOT_MINUTES.into_iter().find(|&minutes| edges_lie_on_slots(day_us, edges, minutes))?,
            measures: scan.measure,
        })
    }

    /// The shapes of the rollups to build for it, in this order: the first answers more scans, but may have too many rows.
    pub fn shapes(&self) -> Vec<TrafficShape> {
        let with_own_keys = TrafficShape {
            scope: self.scope,
            keys: self.keys.clone(),
            predicates: self.predicates.iter().map(|&predicate| predicate.clone()).collect(),
            slot_minutes: self.slot_minutes,
            measures: self.measures.to_vec(),
        };
        let mut with_more_keys = with_own_keys.clone();
        with_more_keys.predicates.clear();
        for &predicate in self.predicates {
            match self.keys_to_evaluate(predicate) {
                Some(keys) => with_more_keys.add_keys(keys),
                None => with_more_keys.predicates.push(predicate.clone()),
            }
        }
        if with_more_keys == with_own_keys { vec![with_own_keys] } else { vec![with_more_keys, with_own_keys] }
    }

    /// The keys by which rows must be grouped to evaluate a predicate later; `None` if it has to be evaluated for records.
    fn keys_to_evaluate(&self, predicate: &Predicate) -> Option<Vec<Key>> {
        let keys = predicate.evaluated_keys()?;
        let is_cheap = |key: &Key| self.keys.contains(key) || has_few_values(key);
        keys.iter().all(is_cheap).then_some(keys)
    }

    /// The conditions that are left to be evaluated for the rows of a rollup, if the rollup answers.
    pub fn left_by(&self, shape: &TrafficShape) -> Option<Vec<&'a Predicate>> {
        let is_left = |predicate: &&'a Predicate| !shape.predicates.contains(*predicate);
        let left: Vec<&Predicate> = self.predicates.iter().copied().filter(is_left).collect();
        let is_known = |predicate: &&Predicate| {
            predicate.evaluated_keys().is_some_and(|keys| keys.iter().all(|key| shape.keys.contains(key)))
        };
        let answers = shape.scope == self.scope
            && self.slot_minutes % shape.slot_minutes == 0
            && self.keys.iter().all(|key| shape.keys.contains(key))
            && self.measures.iter().all(|measure| shape.measures.contains(measure))
            && shape.predicates.iter().all(|predicate| self.predicates.contains(&predicate))
            && left.iter().all(is_known);
        answers.then_some(left)
    }
}

impl TrafficShape {
    fn add_keys(&mut self, keys: Vec<Key>) {
        for key in keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }
}

/// Whether a key is a column that mostly has few values.
fn has_few_values(key: &Key) -> bool {
    let Key::Column(name) = key else { return false };
    let few = [FieldType::DictionaryText, FieldType::Integer, FieldType::Enum, FieldType::Flag];
    field(name).is_some_and(|field| few.contains(&field.field_type))
}
