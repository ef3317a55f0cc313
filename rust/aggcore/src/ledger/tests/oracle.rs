//! The records of a store in few lines: versions are taken one after the other, and all records of a key are searched.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use crate::record::data_scope::DataScope;
use crate::record::deletion::Deletion;
use crate::record::scrubbing::Scrubbing;
use crate::record::{Record, RejectReason, US_PER_DAY};
use crate::storage::{BatchOutcome, join_correction, join_version};
use crate::wire::encode_record;
use crate::wire::versions::Versions;

/// The rules that a test sets.
#[derive(Clone, Default)]
pub struct TestRules {
    pub scrubbing: Scrubbing,
    pub deletions: Vec<Arc<Deletion>>,
    pub oldest_us: i64,
}

/// A row as a report sees it: record, home day, setup days, encoded versions, `received_time`.
pub type Shown = (Vec<u8>, i64, (i64, i64), Vec<u8>, i64);

#[derive(Clone)]
struct Session {
    versions: Versions,
    home_day: i64,
    received_us: i64,
    /// Of the records before the present batch that it has: whether they were active, and outside of its scope.
    before: Vec<(bool, bool)>,
}

#[derive(Default)]
pub struct Oracle(BTreeMap<(String, String), Vec<Session>>);

impl Oracle {
    /// Takes a batch, and returns the outcome and the rejected records.
    pub fn write(
        &mut self, versions: &[Record<'_>], corrects: bool, writer: Option<&DataScope>, rules: &TestRules, received_us: i64,
    ) -> (BatchOutcome, Vec<(usize, RejectReason)>) {
        for session in self.0.values_mut().flatten() {
            let facts =
                |record: &Record<'_>| (!record.is_finished(), writer.is_some_and(|scope| scope.outside(record).is_some()));
            session.before = vec![session.versions.with_merged(facts)];
        }
        let (mut outcome, mut rejected) = (BatchOutcome::default(), Vec::new());
        for (index, version) in versions.iter().enumerate() {
            match self.add(version, corrects, rules, received_us) {
                Ok(one) => outcome += one,
                Err(reason) => rejected.push((index, reason)),
            }
        }
        (outcome, rejected)
    }

    fn add(&mut self, version: &Record<'_>, corrects: bool, rules: &TestRules, now: i64) -> Result<BatchOutcome, RejectReason> {
        if rules.deletions.iter().any(|deletion| deletion.covers(version)) {
            return Err(RejectReason::Deleted);
        }
        let sessions = self.0.entry((version.source().to_owned(), version.session_id().to_owned())).or_default();
        let is_joined = |session: &mut Session| session.versions.joinable_days().contains(&version.day());
        let joined: Vec<Session> = sessions.iter().filter(|session| is_joined(&mut (*session).clone())).cloned().collect();
        let before: Vec<(bool, bool)> = joined.iter().flat_map(|session| session.before.clone()).collect();
        if version.setup_us() < rules.oldest_us && before.iter().all(|(is_active, _)| !is_active) {
            return Err(RejectReason::BeforeRetention);
        }
        if before.iter().any(|(_, is_outside)| *is_outside) {
            return Err(RejectReason::OutsideDataScope);
        }
        let is_masked = joined.iter().map(|one| one.versions.first_day()).chain([version.day()]).min().unwrap();
        let is_masked = rules.scrubbing.masks_day(is_masked);
        let scrubbed = |mut versions: Versions| {
            versions.scrub_as(&rules.scrubbing, is_masked);
            versions
        };
        let (added, states) =
            (scrubbed(Versions::of(version)), joined.iter().map(|one| scrubbed(one.versions.clone())).collect::<Vec<_>>());
        let (merged, counts) = if corrects {
            join_correction(states, &added).map_err(|rejection| rejection.reason)?
        } else {
            join_version(states, &added)
        };
        if counts.duplicates == 0 {
            sessions.retain_mut(|session| !is_joined(session));
            let home_day = joined.iter().map(|one| one.home_day).min().unwrap_or(version.day());
            sessions.push(Session { versions: merged, home_day, received_us: now, before });
        }
        Ok(counts)
    }

    /// Deletes what a deletion covers; returns how many records that are.
    pub fn delete(&mut self, deletion: &Deletion) -> usize {
        let count = |all: &Self| all.0.values().map(Vec::len).sum::<usize>();
        let before = count(self);
        for sessions in self.0.values_mut() {
            sessions.retain(|session| !session.versions.with_merged(|record| deletion.covers(record)));
        }
        before - count(self)
    }

    /// Scrubs all records; returns how many change.
    pub fn scrub(&mut self, scrubbing: &Scrubbing) -> usize {
        let mut changed = 0;
        for session in self.0.values_mut().flatten() {
            let before = session.versions.clone();
            session.versions.scrub(scrubbing);
            changed += usize::from(before != session.versions);
        }
        changed
    }

    /// The rows that should be live.
    pub fn shown(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = self.0.values().flatten().map(Session::shown).collect();
        all.sort();
        all
    }
}

impl Session {
    fn shown(&self) -> Shown {
        self.versions.with_merged(|record| {
            let (first, last) = self.versions.joinable_days().into_inner();
            let mut bytes = Vec::new();
            encode_record(record, &mut bytes);
            let versions = self.versions.to_bytes(record).unwrap_or_default();
            (bytes, self.home_day, (first + 1, last - 1), versions, self.received_us)
        })
    }
}

/// A merged record, its first and last day, and its encoded versions.
pub type Merged = (Vec<u8>, (i64, i64), Vec<u8>);

/// What the versions of all keys merge to, whatever their order: without home days and times.
pub fn merged(versions: &[Record<'_>]) -> Vec<Merged> {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Record<'_>>> = BTreeMap::new();
    versions.iter().for_each(|version| by_key.entry((version.source(), version.session_id())).or_default().push(version));
    let mut all = Vec::new();
    for mut versions in by_key.into_values() {
        versions.sort_by_key(|version| version.setup_us());
        for near in versions.chunk_by(|one, next| next.setup_us() / US_PER_DAY - one.setup_us() / US_PER_DAY <= 1) {
            let states = near.iter().map(|version| Versions::of(version)).reduce(|one, other| one.join(&other));
            let versions = states.unwrap();
            let session = Session { versions, home_day: 0, received_us: 0, before: Vec::new() };
            let (record, _, days, versions, _) = session.shown();
            all.push((record, days, versions));
        }
    }
    all.sort();
    all
}

/// The live rows of all shards of a world, as a report sees them.
pub fn shown(world: &World) -> Vec<Shown> {
    let mut all = Vec::new();
    for shard in &world.shards {
        let bytes = shard.select(|_| true);
        let rows = crate::ledger::live_rows::LiveRows::read(&bytes).unwrap();
        for row in rows.rows() {
            let row = row.unwrap();
            let (record, mut bytes) = (row.record().unwrap(), Vec::new());
            row.state(&record).unwrap();
            encode_record(&record, &mut bytes);
            all.push((bytes, row.day(), row.days(), row.versions().unwrap_or_default().to_vec(), row.received_us()));
        }
    }
    all.sort();
    all
}
