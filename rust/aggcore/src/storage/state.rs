//! The state of a store: where each record is stored at the moment.
//!
//! Records move from memtables to segments:
//!
//! - the memtable of active sessions, then the memtable of finished records, both mutable;
//! - immutable memtables, which a flush is writing;
//! - segments by UTC day of the setup time.
//!
//! Invariant: each record has exactly one live row. If it moves out of an immutable memtable or a segment,
//! its row there gets a tombstone (see `late_versions.rs`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::batch_outcome::{BatchOutcome, SourceOutcome, SourceTally};
use super::full_records::FullRecords;
use super::memtable::{Memtable, RowMetadata};
use super::rollup::RollupBudget;
use super::rollup_cache::RollupCache;
use super::segment::{Segment, guard};
use super::traffic_rollups::{TrafficBudget, TrafficRollups};
use crate::columns::RecordColumns;
use crate::columns::integer::ColumnStats;
use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::record::US_PER_DAY;
use crate::record::schema::{ABSENT, int_slot};
use crate::record::scrubbing::Scrubbing;
use crate::scan::KeptVerdicts;
use crate::tuning::Tuning;
use crate::wire::columnar_batch::ColumnarBatch;

/// All records of a store.
pub struct State {
    /// Sessions that have not ended.
    pub active: Memtable,
    /// Finished records that no flush has begun to write.
    pub memtable: Memtable,
    /// Finished records that a flush is writing, or that a failed flush has left.
    pub immutable: Vec<ImmutableMemtable>,
    /// Segments by UTC day.
    pub segments: BTreeMap<i64, Vec<SegmentEntry>>,
    /// Segments that could not be opened; scans of their days fail.
    pub unreadable: Vec<UnreadableSegment>,
    /// Days of segments with records whose versions have setup times on several UTC days. A version looks for
    /// its record on these too, not just on its own and the neighbouring days.
    pub multi_day_key_days: BTreeSet<i64>,
    /// Whether a record of a segment or an immutable memtable became active again. The next flush records its
    /// tombstone, and must then write an active snapshot too: the journal has the new version of the record,
    /// not its older ones.
    pub reactivated: bool,
    /// Records that take no more versions.
    pub full_records: Arc<FullRecords>,
    /// The numbers to erase and mask.
    pub scrubbing: Arc<Scrubbing>,
}

/// A memtable that a flush took out of [`State::memtable`].
#[derive(Clone)]
pub struct ImmutableMemtable {
    /// The records; immutable.
    pub table: Arc<Memtable>,
    /// Rows that a later version replaced elsewhere.
    pub tombstones: Arc<RowSet>,
}

/// The memory that the rollups of a store may take.
pub struct RollupBudgets {
    /// Of those that reports use.
    pub reports: Arc<RollupBudget>,
    /// Of those that traffic scans use.
    pub traffic: Arc<TrafficBudget>,
}

impl RollupBudgets {
    /// Budgets of which nothing is used.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            reports: Arc::new(RollupBudget::new(tuning.rollup_bytes_max)),
            traffic: Arc::new(TrafficBudget::new(tuning.traffic_rollup_bytes_max)),
        }
    }

    /// Bytes of all rollups.
    pub fn bytes_used(&self) -> usize {
        self.reports.bytes_used() + self.traffic.bytes_used()
    }
}

/// A segment, its tombstones and its rollups.
#[derive(Clone)]
pub struct SegmentEntry {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Rollups built from it so far.
    pub rollups: Arc<RollupCache>,
    /// Traffic rollups built from it so far.
    pub traffic_rollups: Arc<TrafficRollups>,
    /// Verdicts on its texts of the conditions asked for lately.
    pub verdicts: Arc<KeptVerdicts>,
    /// Rows that a later version replaced elsewhere.
    pub tombstones: Arc<RowSet>,
    /// Tombstones that the catalogue has recorded. A compaction may drop only these rows: after a crash, the
    /// journal replays the versions that caused the other tombstones, and needs the old rows to merge with.
    pub recorded_tombstones: Arc<RowSet>,
}

/// A segment that could not be opened. A scan of its day fails, as its sums would be incomplete.
#[derive(Clone)]
pub struct UnreadableSegment {
    /// UTC day of its records.
    pub day: i64,
    /// Name of the file within the data directory.
    pub name: String,
    /// Live rows according to the catalogue.
    pub rows: usize,
    /// Bytes of the file according to the catalogue.
    pub bytes: u64,
    /// Statistics of the end times of its records according to the catalogue.
    pub end_stats: ColumnStats,
    /// Path of the file, and why it could not be opened.
    pub problem: (String, String),
}

impl UnreadableSegment {
    /// The error of a scan that needs the segment.
    pub fn error(&self) -> Error {
        Error::Damaged { file: self.problem.0.clone(), problem: self.problem.1.clone() }
    }
}

/// Key of a record, with the day of the version that looks for it.
#[derive(PartialEq, Eq)]
pub struct RecordKey<'a> {
    /// Hash of source and session id.
    pub hash: u64,
    /// Switch or feed that sent the record.
    pub source: &'a str,
    /// Session id, unique within the source.
    pub session_id: &'a str,
    /// UTC day of the version's setup time, in days since 1970-01-01.
    pub day: i64,
}

/// Returns the key of a row of a batch.
pub fn key_of<'a>(batch: &ColumnarBatch, fields: &RecordColumns<'a>, row: usize) -> RecordKey<'a> {
    let (source, session_id) = fields.key(row);
    let day = fields.ints[int_slot::SETUP_TIME].get(row).div_euclid(US_PER_DAY);
    RecordKey { hash: batch.key_hash[row], source, session_id, day }
}

/// Groups rows by the keys of their records: to merge versions takes time for all that their record has, once for each
/// group. The rows of a record stay in order, as they decide what counts as new.
fn versions_by_key(batch: &ColumnarBatch, fields: &RecordColumns<'_>, mut rows: Vec<usize>) -> Vec<Vec<usize>> {
    let key = |row: usize| key_of(batch, fields, row);
    rows.sort_by_key(|&row| batch.key_hash[row]);
    rows.chunk_by(|&one, &next| key(one) == key(next)).map(<[usize]>::to_vec).collect()
}

impl SegmentEntry {
    /// Creates the entry of a segment with the tombstones that the catalogue has recorded.
    pub fn new(segment: Segment, tombstones: RowSet, budgets: &RollupBudgets) -> Self {
        let tombstones = Arc::new(tombstones);
        Self {
            verdicts: Arc::new(KeptVerdicts::new(segment.rows())),
            segment: Arc::new(segment),
            rollups: Arc::new(RollupCache::new(&budgets.reports)),
            traffic_rollups: Arc::new(TrafficRollups::new(&budgets.traffic)),
            recorded_tombstones: Arc::clone(&tombstones),
            tombstones,
        }
    }

    /// Number of rows without a recorded tombstone: what a compaction would write.
    pub fn rows_to_rewrite(&self) -> usize {
        self.segment.rows() - self.recorded_tombstones.len()
    }

    /// Earliest and latest setup time of the rows without tombstone, microseconds UTC.
    ///
    /// # Errors
    /// `Damaged` if the segment has tombstones and its setup times are corrupt.
    pub fn setup_range(&self) -> Result<Option<(i64, i64)>> {
        if self.tombstones.is_empty() {
            return Ok(Some(self.segment.summary.setup_range));
        }
        guard([&*self.segment], || Ok(self.segment.slice(&[], &self.tombstones)?.live_setup_range()))
    }
}

impl State {
    /// Creates the state of an empty store.
    pub fn new(tuning: &Arc<Tuning>) -> Self {
        Self {
            active: Memtable::new(tuning),
            memtable: Memtable::new(tuning),
            immutable: Vec::new(),
            segments: BTreeMap::new(),
            unreadable: Vec::new(),
            multi_day_key_days: BTreeSet::new(),
            reactivated: false,
            full_records: Arc::new(FullRecords::new(tuning.record_versions_bytes_max)),
            scrubbing: Arc::default(),
        }
    }

    /// Applies a batch: appends the records with new keys column by column, then merges the versions of
    /// stored records. The order within a batch does not matter, as the merge is commutative (see
    /// `wire/versions.rs`). Returns the outcome of all records, and that of each source.
    pub fn apply<'a>(&mut self, batch: &'a ColumnarBatch, received_us: i64) -> (BatchOutcome, Vec<SourceOutcome<'a>>) {
        let fields = batch.fields();
        let (new, versions) = self.split_new_keys(batch, &fields);
        let (finished, active): (Vec<_>, Vec<_>) =
            new.iter().partition(|&&row| fields.ints[int_slot::END_TIME].get(row) != ABSENT);
        let metadata = |row: usize| RowMetadata { key_hash: batch.key_hash[row], versions: None, received_us };
        self.memtable.append(&fields, &finished, metadata);
        self.active.append(&fields, &active, metadata);
        let mut tally = SourceTally::new(batch.fields());
        new.iter().for_each(|&row| tally.add(&[row], BatchOutcome { accepted: 1, ..BatchOutcome::default() }));
        for rows in versions_by_key(batch, &fields, versions) {
            let versions: Vec<_> = rows.iter().map(|&row| fields.record(row)).collect();
            let mut outcome = BatchOutcome::default();
            self.apply_versions(&key_of(batch, &fields, rows[0]), &versions, received_us, &mut outcome);
            tally.add(&rows, outcome);
        }
        tally.finish()
    }

    /// Splits the rows of a batch into those with new keys, and versions of a stored record or of an earlier
    /// row.
    pub(super) fn split_new_keys(&self, batch: &ColumnarBatch, fields: &RecordColumns<'_>) -> (Vec<usize>, Vec<usize>) {
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

    /// Removes and returns the segments that `wanted` selects by UTC day and entry.
    pub fn remove_segments(&mut self, wanted: impl Fn(i64, &SegmentEntry) -> bool) -> Vec<SegmentEntry> {
        let mut removed = Vec::new();
        for (&day, segments) in &mut self.segments {
            removed.extend(segments.extract_if(.., |entry| wanted(day, entry)));
        }
        // Scans that began before may still read them while their files are removed.
        removed.iter().for_each(|entry| entry.segment.retire());
        self.segments.retain(|_, segments| !segments.is_empty());
        self.multi_day_key_days.retain(|day| self.segments.contains_key(day));
        removed
    }

    /// Number of finished records in memory.
    pub fn unflushed_rows(&self) -> usize {
        self.memtable.rows()
            + self.immutable.iter().map(|immutable| immutable.table.rows() - immutable.tombstones.len()).sum::<usize>()
    }

    /// First UTC day that has a record, in days since 1970-01-01; `None` for an empty store.
    pub fn first_day(&self) -> Option<i64> {
        let has_rows = |entry: &SegmentEntry| entry.tombstones.len() < entry.segment.rows();
        let segment_day = self.segments.iter().find(|(_, segments)| segments.iter().any(has_rows)).map(|(&day, _)| day);
        let mut days = vec![self.active.first_day(), self.memtable.first_day(), segment_day];
        days.extend(self.immutable.iter().map(|immutable| immutable.table.first_day()));
        days.extend(self.unreadable.iter().map(|unreadable| Some(unreadable.day)));
        days.into_iter().flatten().min()
    }

    /// Iterates over the segments of a range of UTC days.
    pub fn segments_of_days(&self, days: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = &SegmentEntry> {
        self.segments.range(days).flat_map(|(_, segments)| segments)
    }
}
