//! The records of one key in the course of a plan.

use super::block_rows::{BlockRows, RowOrigin};
use super::live_rows::LiveRow;
use crate::error::Result;
use crate::record::data_scope::DataScope;
use crate::record::scrubbing::{ScrubbedTexts, Scrubbing};
use crate::record::{Record, Rejection};
use crate::storage::BatchOutcome;
use crate::wire::versions::Versions;

/// What became of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Counted(BatchOutcome),
    /// It was not.
    Rejected(Rejection),
}

/// A record as it stands.
pub struct Standing<'r> {
    /// The live rows that it takes the place of.
    pub rows: Vec<LiveRow<'r>>,
    /// Its home day.
    pub home_day: i64,
    /// First and last setup day of its versions.
    pub days: (i64, i64),
    /// Whether it differs from what is live.
    pub is_changed: bool,
    /// Bytes that its versions take in the rows.
    pub versions_bytes: usize,
    /// Why versions may not join it, if a deletion covers it.
    pub covered: Option<Rejection>,
    /// The versions whose fate depends on its commit, by their numbers.
    pub waiting: Vec<(usize, Fate)>,
    before: Option<BeforeBatch>,
    /// When its last change was received, if that came from another store; otherwise, it is the time of the plan.
    moved_us: Option<i64>,
    scrubbed: Scrubbed,
    state: State<'r>,
}

/// How far the state is scrubbed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scrubbed {
    NotYet,
    Erased,
    Masked,
}

/// What a record was before a batch: the batch is held to that.
#[derive(Clone, Copy)]
pub struct BeforeBatch {
    /// Number of the batch.
    batch: usize,
    /// Whether the session had not ended.
    pub is_active: bool,
    /// Whether the writer of the batch does not reach it.
    pub is_outside: bool,
}

enum State<'r> {
    /// What a row has, without further versions.
    Row(Record<'r>),
    /// One new version, with texts in place of its own.
    Version(Record<'r>, Option<ScrubbedTexts>),
    Versions(Versions),
}

impl<'r> Standing<'r> {
    /// The record of a live row.
    ///
    /// # Errors
    /// `Damaged` if its versions are malformed.
    pub fn of_row(row: LiveRow<'r>, covered: impl FnOnce(&Record<'_>) -> Option<Rejection>) -> Result<Self> {
        let record = row.record()?;
        let covered = covered(&record);
        let state = match row.versions() {
            None => State::Row(record),
            Some(_) => State::Versions(row.state(&record)?),
        };
        let versions_bytes = row.versions().map_or(0, <[u8]>::len);
        Ok(Self { rows: vec![row], versions_bytes, covered, ..Self::new(row.day(), row.days(), state) })
    }

    /// The record of a version that joins no other.
    pub fn of_version(version: Record<'r>, texts: Option<ScrubbedTexts>, is_masked: bool, batch: usize) -> Self {
        let day = version.day();
        let before = Some(BeforeBatch { batch, is_active: false, is_outside: false });
        let scrubbed = Scrubbed::by(is_masked);
        Self { is_changed: true, before, scrubbed, ..Self::new(day, (day, day), State::Version(version, texts)) }
    }

    fn new(home_day: i64, days: (i64, i64), state: State<'r>) -> Self {
        Self {
            rows: Vec::new(),
            home_day,
            days,
            is_changed: false,
            versions_bytes: 0,
            covered: None,
            waiting: Vec::new(),
            before: None,
            moved_us: None,
            scrubbed: Scrubbed::NotYet,
            state,
        }
    }

    /// The record of another store that joins no other.
    pub fn of_state(state: Versions, home_day: i64, received_us: i64, is_masked: bool) -> Self {
        let days = state.days();
        let (scrubbed, moved_us) = (Scrubbed::by(is_masked), Some(received_us));
        Self { is_changed: true, scrubbed, moved_us, ..Self::new(home_day, days, State::Versions(state)) }
    }

    /// Whether versions that were first and last set up on two UTC days belong to it.
    pub fn is_joined_on(&self, (first, last): (i64, i64)) -> bool {
        first <= self.days.1 + 1 && last >= self.days.0 - 1
    }

    /// Notes that a record of another store has changed it, which that had received at a time, microseconds UTC.
    pub fn change_as_of(&mut self, received_us: i64) {
        self.is_changed = true;
        let held = self.rows.iter().map(|row| row.received_us()).chain(self.moved_us);
        self.moved_us = held.chain([received_us]).max();
    }

    /// Whether it is a row with exactly this version.
    pub fn is_only(&self, version: &Record<'_>) -> bool {
        matches!(&self.state, State::Row(record) if record == version)
    }

    /// What it was before a batch, of which it may have taken versions.
    pub fn before_batch(&mut self, batch: usize, writer: Option<&DataScope>) -> BeforeBatch {
        if let Some(before) = self.before.filter(|before| before.batch == batch) {
            return before;
        }
        let of_record = |record: &Record<'_>| BeforeBatch {
            batch,
            is_active: !record.is_finished(),
            is_outside: writer.is_some_and(|writer| writer.outside(record).is_some()),
        };
        *self.before.insert(self.with_record(of_record))
    }

    /// Takes the state out, as scrubbing leaves it; it has to be put back by [`Standing::set_state`].
    pub fn take_state(&mut self, scrubbing: &Scrubbing, is_masked: bool) -> Versions {
        let mut versions = match std::mem::replace(&mut self.state, State::Row(Record::default())) {
            State::Versions(versions) => versions,
            State::Row(record) => Versions::of(&record),
            State::Version(record, None) => Versions::of(&record),
            State::Version(record, Some(texts)) => Versions::of(&texts.in_place(&record)),
        };
        if self.scrubbed < Scrubbed::by(is_masked) {
            self.scrubbed = Scrubbed::by(is_masked);
            versions.scrub_as(scrubbing, is_masked);
        }
        versions
    }

    /// Puts a state in.
    pub fn set_state(&mut self, state: Versions) {
        let (first, last) = state.joinable_days().into_inner();
        (self.days, self.state) = ((first + 1, last - 1), State::Versions(state));
    }

    /// Takes over what another record of the key is, but for its state.
    pub fn absorb(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.waiting.extend(other.waiting);
        self.home_day = self.home_day.min(other.home_day);
        self.versions_bytes = self.versions_bytes.max(other.versions_bytes);
        self.covered = self.covered.take().or(other.covered);
        self.scrubbed = self.scrubbed.min(other.scrubbed);
        self.moved_us = self.moved_us.max(other.moved_us);
        self.before = self.before.zip(other.before).filter(|(one, other)| one.batch == other.batch).map(|(one, other)| {
            let (is_active, is_outside) = (one.is_active || other.is_active, one.is_outside || other.is_outside);
            BeforeBatch { batch: one.batch, is_active, is_outside }
        });
        self.is_changed = true;
    }

    /// Adds its row to the block of its home day; `received_us` is the time of the plan.
    pub fn add_to(&self, rows: &mut BlockRows, key_hash: u64, seq: u64, received_us: i64) {
        let received_us = self.moved_us.unwrap_or(received_us);
        let mut add = |record: &Record<'_>, versions: &[u8]| {
            let origin = RowOrigin { day: self.home_day, days: self.days, key_hash, seq, received_us, versions };
            rows.add(record, &origin);
        };
        match &self.state {
            State::Versions(state) => {
                state.with_merged(|record| add(record, &state.to_bytes(record).unwrap_or_default()));
            }
            State::Row(record) | State::Version(record, None) => add(record, &[]),
            State::Version(record, Some(texts)) => add(&texts.in_place(record), &[]),
        }
    }

    fn with_record<T>(&self, use_record: impl FnOnce(&Record<'_>) -> T) -> T {
        match &self.state {
            State::Versions(state) => state.with_merged(use_record),
            State::Row(record) | State::Version(record, _) => use_record(record),
        }
    }
}

impl Scrubbed {
    fn by(is_masked: bool) -> Self {
        if is_masked { Self::Masked } else { Self::Erased }
    }
}
