//! The records of a store and how a version finds its record among them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::BatchOutcome;
use super::memtable::{Memtable, RowMetadata};
use super::rollup_cache::RollupCache;
use super::segment::Segment;
use crate::columns::RecordColumns;
use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, int_slot};
use crate::record::{Record, US_PER_DAY};
use crate::wire::columnar_batch::ColumnarBatch;
use crate::wire::versions::Versions;

/// Where all records are. A record is in one location: replaced rows of what cannot change are marked tombstones.
#[derive(Default)]
pub struct State {
    /// Sessions that have not ended.
    pub active: Memtable,
    /// Finished records that no seal has taken up yet.
    pub memtable: Memtable,
    /// Finished records that a seal has taken up.
    pub immutable: Vec<ImmutableMemtable>,
    /// SegmentEntry records by UTC day.
    pub segments: BTreeMap<i64, Vec<SegmentEntry>>,
    /// Segments that could not be opened.
    pub unreadable: Vec<UnreadableSegment>,
    /// Days with records whose versions lie on more days than one: a version may find its record further away
    /// than on the neighbouring day.
    pub multi_day_key_days: BTreeSet<i64>,
    /// Whether a sealed record became active again: its next seal must come with a copy of the active ones,
    /// as the journal alone would not bring it back.
    pub reactivated: bool,
}

/// What a seal took out of [`State::memtable`].
#[derive(Clone)]
pub struct ImmutableMemtable {
    /// The records; they change no more.
    pub table: Arc<Memtable>,
    /// Rows replaced since.
    pub tombstones: Arc<RowSet>,
}

/// A segment and its replaced rows.
#[derive(Clone)]
pub struct SegmentEntry {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Sums of its records.
    pub rollups: Arc<RollupCache>,
    /// Rows that a later version replaced elsewhere.
    pub tombstones: Arc<RowSet>,
    /// Those of them that the catalogue knows of. The journal brings the others back, and needs their rows
    /// for that: only these may be left out when the segment is rewritten.
    pub recorded_tombstones: Arc<RowSet>,
}

/// A segment that could not be opened: no report of its day can be right.
#[derive(Clone)]
pub struct UnreadableSegment {
    /// UTC day of its records.
    pub day: i64,
    /// Its name.
    pub name: String,
    /// Records that it had when it was written.
    pub rows: usize,
    /// Its size then.
    pub bytes: u64,
    /// The file, and why it could not be opened.
    pub problem: (String, String),
}

impl UnreadableSegment {
    /// What a report that needs the segment says.
    pub fn error(&self) -> Error {
        Error::Damaged { file: self.problem.0.clone(), problem: self.problem.1.clone() }
    }
}

/// What a version finds its record by.
pub struct RecordKey<'a> {
    /// Hash of source and session id.
    pub hash: u64,
    /// The switch or feed.
    pub source: &'a str,
    /// The source's own id of the session.
    pub session_id: &'a str,
    /// UTC day of its setup time.
    pub day: i64,
}

/// The key of a row of a batch.
pub fn key_of<'a>(batch: &ColumnarBatch, fields: &RecordColumns<'a>, row: usize) -> RecordKey<'a> {
    let (source, session_id) = fields.key(row);
    let day = fields.ints[int_slot::SETUP_TIME].get(row).div_euclid(US_PER_DAY);
    RecordKey { hash: batch.key_hash[row], source, session_id, day }
}

/// Where a version's record was found.
enum RowLocation {
    Active(usize),
    Memtable(usize),
    Immutable { number: usize, row: usize },
    Segment { day: i64, number: usize, row: usize },
}

impl SegmentEntry {
    /// A segment of which the catalogue knows these replaced rows.
    pub fn new(segment: Segment, tombstones: RowSet) -> Self {
        let tombstones = Arc::new(tombstones);
        Self { segment: Arc::new(segment), rollups: Arc::default(), recorded_tombstones: Arc::clone(&tombstones), tombstones }
    }

    /// Rows that count, as far as the catalogue knows.
    pub fn living(&self) -> usize {
        self.segment.rows() - self.recorded_tombstones.len()
    }

    /// Earliest and latest setup time of the rows that count.
    ///
    /// # Errors
    /// `Damaged` where rows were replaced and the setup times cannot be read.
    pub fn setup_range(&self) -> Result<Option<(i64, i64)>> {
        if self.tombstones.is_empty() {
            return Ok(Some(self.segment.summary.setup_range));
        }
        Ok(self.segment.slice(&[], &self.tombstones)?.live_setup_range())
    }
}

impl State {
    /// Takes in a batch. What is received depends on no order, so records of keys not known before go first, all at once.
    pub fn apply(&mut self, batch: &ColumnarBatch, received_us: i64) -> BatchOutcome {
        let fields = batch.fields();
        let (new, others) = self.new_rows(batch, &fields);
        let (finished, active): (Vec<_>, Vec<_>) =
            new.iter().partition(|&&row| fields.ints[int_slot::END_TIME].get(row) != ABSENT);
        let more = |row: usize| RowMetadata { key_hash: batch.key_hash[row], versions: None, received_us };
        self.memtable.append(&fields, &finished, more);
        self.active.append(&fields, &active, more);
        let mut outcome = BatchOutcome { accepted: new.len(), ..BatchOutcome::default() };
        for row in others {
            self.apply_version(&key_of(batch, &fields, row), &fields.record(row), received_us, &mut outcome);
        }
        outcome
    }

    /// The rows of a batch whose keys were not seen before, in the store or in an earlier row; and the others.
    fn new_rows(&self, batch: &ColumnarBatch, fields: &RecordColumns<'_>) -> (Vec<usize>, Vec<usize>) {
        let mut seen = HashSet::with_capacity(batch.rows());
        (0..batch.rows()).partition(|&row| {
            let key = key_of(batch, fields, row);
            seen.insert(key.hash) && self.find(&key).is_empty()
        })
    }

    /// Takes in one version.
    fn apply_version(&mut self, key: &RecordKey<'_>, version: &Record<'_>, received_us: i64, outcome: &mut BatchOutcome) {
        let locations = self.find(key);
        if let [location] = locations.as_slice()
            && self.is_only_version(location, version)
        {
            outcome.duplicates += 1;
            return;
        }
        let received = Versions::of(version);
        let known: Vec<(RowLocation, Versions)> = locations
            .into_iter()
            .filter_map(|location| self.versions(&location).map(|versions| (location, versions)))
            .filter(|(_, versions)| versions.joinable_days().contains(&key.day))
            .collect();
        let joined = known.iter().fold(received, |joined, (_, versions)| joined.join(versions));
        match known.as_slice() {
            [] => outcome.accepted += 1,
            [(_, before)] if *before == joined => {
                outcome.duplicates += 1;
                return;
            }
            _ => outcome.replaced += 1,
        }
        joined.with_merged(|record| {
            let versions = joined.to_bytes(record);
            let more = RowMetadata { key_hash: key.hash, versions: versions.as_deref(), received_us };
            self.put(known.into_iter().map(|(location, _)| location).collect(), record, more);
        });
    }

    /// Puts a record in location of what is known of it.
    fn put(&mut self, known: Vec<RowLocation>, record: &Record<'_>, more: RowMetadata<'_>) {
        match (known.as_slice(), record.is_finished()) {
            (&[RowLocation::Active(row)], false) => self.active.replace(row, record, more),
            (&[RowLocation::Memtable(row)], true) => self.memtable.replace(row, record, more),
            (_, finished) => {
                let was_sealed =
                    known.iter().any(|location| matches!(location, RowLocation::Segment { .. } | RowLocation::Immutable { .. }));
                self.reactivated |= was_sealed && !finished;
                self.remove(known.into_iter());
                let table = if finished { &mut self.memtable } else { &mut self.active };
                table.append(&RecordColumns::from_record(record), &[0], |_| more);
            }
        }
    }

    /// Adds a segment of a UTC day.
    pub fn add(&mut self, day: i64, entry: SegmentEntry) {
        if !entry.segment.summary.multi_day_keys.is_empty() {
            self.multi_day_key_days.insert(day);
        }
        self.segments.entry(day).or_default().push(entry);
    }

    /// Takes the segments out that `wanted` says yes to.
    pub fn take(&mut self, wanted: impl Fn(i64, &SegmentEntry) -> bool) -> Vec<SegmentEntry> {
        let mut taken = Vec::new();
        for (&day, segments) in &mut self.segments {
            taken.extend(segments.extract_if(.., |entry| wanted(day, entry)));
        }
        self.segments.retain(|_, segments| !segments.is_empty());
        self.multi_day_key_days.retain(|day| self.segments.contains_key(day));
        taken
    }

    /// Finished records in memory.
    pub fn unflushed_rows(&self) -> usize {
        self.memtable.rows()
            + self.immutable.iter().map(|immutable| immutable.table.rows() - immutable.tombstones.len()).sum::<usize>()
    }

    /// First UTC day that has a record, in days since 1970-01-01.
    pub fn first_day(&self) -> Option<i64> {
        let immutable = self.immutable.iter().filter_map(|immutable| immutable.table.first_day());
        let has_rows = |entry: &SegmentEntry| entry.tombstones.len() < entry.segment.rows();
        let entry = self.segments.iter().find(|(_, day)| day.iter().any(has_rows)).map(|(&day, _)| day);
        let unreadable = self.unreadable.iter().map(|unreadable| unreadable.day);
        [self.active.first_day(), self.memtable.first_day(), entry].into_iter().flatten().chain(immutable).chain(unreadable).min()
    }

    /// The segments of a range of UTC days.
    pub fn entries_of(&self, days: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = &SegmentEntry> {
        self.segments.range(days).flat_map(|(_, segments)| segments)
    }

    fn find(&self, key: &RecordKey<'_>) -> Vec<RowLocation> {
        let &RecordKey { hash: key_hash, source, session_id, day } = key;
        let mut locations: Vec<RowLocation> = self.active.find(key_hash, source, session_id).map(RowLocation::Active).collect();
        locations.extend(self.memtable.find(key_hash, source, session_id).map(RowLocation::Memtable));
        for (number, immutable) in self.immutable.iter().enumerate() {
            let rows = immutable.table.find(key_hash, source, session_id);
            locations.extend(
                rows.filter(|&row| !immutable.tombstones.contains(row)).map(|row| RowLocation::Immutable { number, row }),
            );
        }
        for day in self.days_of(key_hash, day) {
            for (number, entry) in self.segments.get(&day).into_iter().flatten().enumerate() {
                // A damaged segment refuses every report of its day; what is received for it is kept beside it.
                let Ok(rows) = entry.segment.find(key_hash, source, session_id) else { continue };
                let living = rows.into_iter().filter(|&row| !entry.tombstones.contains(row));
                locations.extend(living.map(|row| RowLocation::Segment { day, number, row }));
            }
        }
        locations
    }

    /// UTC days whose segments may have a version's record.
    fn days_of(&self, key_hash: u64, day: i64) -> impl Iterator<Item = i64> {
        let has_multi_day_key = move |far_day: &&i64| {
            self.segments.get(far_day).into_iter().flatten().any(|entry| entry.segment.has_multi_day_key(key_hash))
        };
        let multi_day_key_days = self.multi_day_key_days.iter().filter(move |far_day| (**far_day - day).abs() > 1);
        (day - 1..=day + 1).chain(multi_day_key_days.filter(has_multi_day_key).copied())
    }

    fn versions(&self, location: &RowLocation) -> Option<Versions> {
        let no_tombstones = RowSet::default();
        let of_table = |table: &Memtable, row| Versions::of_row(&table.fields().record(row), table.versions(row));
        match *location {
            RowLocation::Active(row) => of_table(&self.active, row),
            RowLocation::Memtable(row) => of_table(&self.memtable, row),
            RowLocation::Immutable { number, row } => of_table(&self.immutable.get(number)?.table, row),
            RowLocation::Segment { day, number, row } => {
                let (slice, versions) = self.segments.get(&day)?.get(number)?.segment.row(row, &no_tombstones).ok()?;
                Versions::of_row(&slice.fields.record(row), versions)
            }
        }
    }

    /// Whether a location has this version and no other: what a replay mostly finds.
    fn is_only_version(&self, location: &RowLocation, version: &Record<'_>) -> bool {
        let no_tombstones = RowSet::default();
        let in_table = |table: &Memtable, row| table.versions(row).is_none() && table.fields().record(row) == *version;
        match *location {
            RowLocation::Active(row) => in_table(&self.active, row),
            RowLocation::Memtable(row) => in_table(&self.memtable, row),
            RowLocation::Immutable { number, row } => {
                self.immutable.get(number).is_some_and(|immutable| in_table(&immutable.table, row))
            }
            RowLocation::Segment { day, number, row } => {
                self.segments.get(&day).and_then(|segments| segments.get(number)).is_some_and(|entry| {
                    let found = entry.segment.row(row, &no_tombstones);
                    found.is_ok_and(|(slice, versions)| slice.fields.record(row) == *version && versions.is_none())
                })
            }
        }
    }

    fn remove(&mut self, locations: impl Iterator<Item = RowLocation>) {
        let (mut active, mut hot) = (Vec::new(), Vec::new());
        for location in locations {
            match location {
                RowLocation::Active(row) => active.push(row),
                RowLocation::Memtable(row) => hot.push(row),
                RowLocation::Immutable { number, row } => {
                    if let Some(immutable) = self.immutable.get_mut(number) {
                        Arc::make_mut(&mut immutable.tombstones).insert(row);
                    }
                }
                RowLocation::Segment { day, number, row } => {
                    if let Some(entry) = self.segments.get_mut(&day).and_then(|segments| segments.get_mut(number)) {
                        Arc::make_mut(&mut entry.tombstones).insert(row);
                    }
                }
            }
        }
        for (table, mut rows) in [(&mut self.active, active), (&mut self.memtable, hot)] {
            // From the last, as removing a row renumbers the last one.
            rows.sort_unstable();
            rows.into_iter().rev().for_each(|row| table.swap_remove(row));
        }
    }
}
