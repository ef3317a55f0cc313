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
use crate::record::US_PER_DAY;
use crate::record::schema::{ABSENT, int_slot};
use crate::wire::columnar_batch::ColumnarBatch;

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

impl SegmentEntry {
    /// A segment of which the catalogue knows these replaced rows.
    pub fn new(segment: Segment, tombstones: RowSet) -> Self {
        let tombstones = Arc::new(tombstones);
        Self { segment: Arc::new(segment), rollups: Arc::default(), recorded_tombstones: Arc::clone(&tombstones), tombstones }
    }

    /// Rows that count, as far as the catalogue knows.
    pub fn live_rows(&self) -> usize {
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

    /// Adds a segment of a UTC day.
    pub fn add_segment(&mut self, day: i64, entry: SegmentEntry) {
        if !entry.segment.summary.multi_day_keys.is_empty() {
            self.multi_day_key_days.insert(day);
        }
        self.segments.entry(day).or_default().push(entry);
    }

    /// Takes the segments out that `wanted` says yes to.
    pub fn remove_segments(&mut self, wanted: impl Fn(i64, &SegmentEntry) -> bool) -> Vec<SegmentEntry> {
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
    pub fn segments_of_days(&self, days: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = &SegmentEntry> {
        self.segments.range(days).flat_map(|(_, segments)| segments)
    }
}
