//! Merges versions of one key with its live rows.

use std::slice;

use super::live_rows::LiveRow;
use super::rules::LedgerRules;
use super::standing::{Fate, Standing};
use crate::error::Result;
use crate::record::data_scope::DataScope;
use crate::record::{Record, Rejection};
use crate::storage::{BatchOutcome, CORRECTIONS_OF_RECORD_MAX, joined_versions};
use crate::wire::corrections::{Held, corrected};
use crate::wire::stored_records::StoredState;
use crate::wire::versions::Versions;

/// One version.
pub struct Arrived<'r> {
    /// Its number in the group.
    pub number: usize,
    /// Number of its batch.
    pub batch: usize,
    /// Its fields.
    pub record: Record<'r>,
    /// Whether it is a correction.
    pub corrects: bool,
    /// What its writer reaches, if not everything.
    pub writer: Option<&'r DataScope>,
    /// Bytes of the versions of a record beyond which it is not taken.
    pub versions_bytes_max: usize,
    /// All its versions, if it is a record of another store.
    pub stored: Option<&'r StoredState>,
}

/// What all versions of a plan are held to.
pub struct PlanRules<'p> {
    /// Scrubbing and deletions.
    pub rules: &'p LedgerRules,
    /// Versions set up before it, microseconds UTC, are rejected unless their session is active.
    pub oldest_us: i64,
}

/// The records of a key, which take versions in the order of their arrival.
pub struct KeyMerge<'r, 'p> {
    /// The records as they stand.
    pub records: Vec<Standing<'r>>,
    /// The versions whose fate depends on no commit, by their numbers.
    pub settled: Vec<(usize, Fate)>,
    rules: &'p PlanRules<'p>,
    /// Number of a batch, and the corrections that it had so far.
    corrections: (usize, usize),
}

impl<'r, 'p> KeyMerge<'r, 'p> {
    /// Begins with the live rows of a key.
    ///
    /// Rows that are neighbours are one record: the commit that removes the one after the other was extended may have
    /// failed, and two writers may have added them at the same time.
    ///
    /// # Errors
    /// `Damaged` if rows contradict each other.
    pub fn of(held: Vec<LiveRow<'r>>, rules: &'p PlanRules<'p>) -> Result<Self> {
        let covered = |record: &Record<'_>| rules.rules.deletions.rejection(record);
        let mut records = held.into_iter().map(|row| Standing::of_row(row, covered)).collect::<Result<Vec<_>>>()?;
        records.sort_by_key(|record| record.home_day);
        if let Some(same) = records.windows(2).find(|pair| pair[0].home_day == pair[1].home_day) {
            return Err(same[1].rows[0].damaged("its key has another row with this home day"));
        }
        records.sort_by_key(|record| record.days);
        let mut merge = Self { records: Vec::with_capacity(records.len()), settled: Vec::new(), rules, corrections: (0, 0) };
        for record in records {
            match merge.records.last_mut() {
                Some(last) if record.days.0 <= last.days.1 + 1 => merge.rules.heal(last, record),
                _ => merge.records.push(record),
            }
        }
        Ok(merge)
    }

    /// Takes a version.
    pub fn take(&mut self, arrived: &Arrived<'r>) {
        let day = arrived.record.day();
        let days = arrived.stored.map_or((day, day), |stored| stored.versions.days());
        let mut joined: Vec<Standing<'r>> = self.records.extract_if(.., |record| record.is_joined_on(days)).collect();
        let fate = match (self.rejection(arrived, &mut joined), arrived.stored) {
            (Some(rejection), _) => Fate::Rejected(rejection),
            (None, Some(stored)) => self.rules.join_stored(&arrived.record, stored, &mut joined),
            (None, None) => self.rules.join(arrived, &mut joined),
        };
        match joined.iter_mut().find(|record| record.is_changed) {
            Some(record) => record.waiting.push((arrived.number, fate)),
            None => self.settled.push((arrived.number, fate)),
        }
        self.records.append(&mut joined);
    }

    fn rejection(&mut self, arrived: &Arrived<'r>, joined: &mut [Standing<'r>]) -> Option<Rejection> {
        let version = &arrived.record;
        if let Some(rejection) = self.rules.rules.deletions.rejection(version) {
            return Some(rejection);
        }
        if let Some(rejection) = joined.iter().find_map(|record| record.covered.clone()) {
            return Some(rejection);
        }
        let before: Vec<_> = joined.iter_mut().map(|record| record.before_batch(arrived.batch, arrived.writer)).collect();
        let is_active = arrived.stored.is_some() && !version.is_finished() || before.iter().any(|record| record.is_active);
        if version.setup_us() < self.rules.oldest_us && !is_active {
            return Some(Rejection::before_retention());
        }
        let limit = arrived.versions_bytes_max;
        if joined.iter().any(|record| record.versions_bytes > limit) {
            return Some(Rejection::too_many_parts(limit));
        }
        if before.iter().any(|record| record.is_outside) {
            return Some(Rejection::outside_data_scope());
        }
        (arrived.corrects && self.count_correction(arrived.batch) > CORRECTIONS_OF_RECORD_MAX)
            .then(|| Rejection::too_many_corrections(CORRECTIONS_OF_RECORD_MAX))
    }

    fn count_correction(&mut self, batch: usize) -> usize {
        let before = if self.corrections.0 == batch { self.corrections.1 } else { 0 };
        self.corrections = (batch, before + 1);
        before + 1
    }
}

impl PlanRules<'_> {
    /// Joins two live records.
    fn heal<'r>(&self, one: &mut Standing<'r>, mut other: Standing<'r>) {
        let scrubbing = &self.rules.scrubbing;
        let is_masked = scrubbing.masks_day(one.days.0.min(other.days.0));
        let state = one.take_state(scrubbing, is_masked).join(&other.take_state(scrubbing, is_masked));
        one.absorb(other);
        one.set_state(state);
    }

    /// Joins a record of another store with those that it belongs to, which become one.
    fn join_stored<'r>(&self, record: &Record<'r>, stored: &StoredState, joined: &mut Vec<Standing<'r>>) -> Fate {
        let scrubbing = &self.rules.scrubbing;
        let first_day = joined.iter().map(|record| record.days.0).chain([stored.versions.first_day()]).min();
        let is_masked = first_day.is_some_and(|day| scrubbing.masks_day(day));
        let mut added = stored.versions.clone();
        added.scrub_as(scrubbing, is_masked);
        let states: Vec<Versions> = joined.iter_mut().map(|record| record.take_state(scrubbing, is_masked)).collect();
        let is_apart = states.len() > 1;
        let Some(held) = states.into_iter().reduce(|one, other| one.join(&other)) else {
            joined.push(Standing::of_state(added, record.day(), stored.received_us, is_masked));
            return Fate::Counted(BatchOutcome { accepted: 1, ..BatchOutcome::default() });
        };
        let state = held.join(&added);
        let is_change = is_apart || state != held;
        let others = joined.split_off(1);
        let record = &mut joined[0];
        others.into_iter().for_each(|other| record.absorb(other));
        record.set_state(state);
        if !is_change {
            return Fate::Counted(BatchOutcome { duplicates: 1, ..BatchOutcome::default() });
        }
        record.change_as_of(stored.received_us);
        Fate::Counted(BatchOutcome { replaced: 1, ..BatchOutcome::default() })
    }

    /// Adds a version to the records that it belongs to, which become one.
    fn join<'r>(&self, arrived: &Arrived<'r>, joined: &mut Vec<Standing<'r>>) -> Fate {
        let (version, scrubbing) = (&arrived.record, &self.rules.scrubbing);
        let first_day = joined.iter().map(|record| record.days.0).chain([version.day()]).min();
        let is_masked = first_day.is_some_and(|day| scrubbing.masks_day(day));
        let texts = scrubbing.scrubbed(version, is_masked);
        if joined.is_empty() {
            joined.push(Standing::of_version(version.clone(), texts, is_masked, arrived.batch));
            return Fate::Counted(BatchOutcome { accepted: 1, ..BatchOutcome::default() });
        }
        let scrubbed = texts.as_ref().map_or_else(|| version.clone(), |texts| texts.in_place(version));
        let duplicate = BatchOutcome { duplicates: 1, ..BatchOutcome::default() };
        if !arrived.corrects && matches!(joined.as_slice(), [record] if record.is_only(&scrubbed)) {
            return Fate::Counted(duplicate);
        }
        let states: Vec<Versions> = joined.iter_mut().map(|record| record.take_state(scrubbing, is_masked)).collect();
        let added =
            if arrived.corrects { corrected(Held::join(&states).as_ref(), &scrubbed) } else { Ok(Some(scrubbed.clone())) };
        let fate = match added {
            Ok(Some(added)) => return Fate::Counted(add(joined, states, &added)),
            Ok(None) => Fate::Counted(duplicate),
            Err(rejection) => Fate::Rejected(rejection),
        };
        joined.iter_mut().zip(states).for_each(|(record, state)| record.set_state(state));
        fate
    }
}

/// Makes records one that has a further version.
fn add(joined: &mut Vec<Standing<'_>>, states: Vec<Versions>, added: &Record<'_>) -> BatchOutcome {
    let mut outcome = BatchOutcome::default();
    if let Some((state, is_change)) = joined_versions(states, slice::from_ref(added), &mut outcome) {
        let others = joined.split_off(1);
        let record = &mut joined[0];
        others.into_iter().for_each(|other| record.absorb(other));
        record.is_changed |= is_change;
        record.set_state(state);
    }
    outcome
}
