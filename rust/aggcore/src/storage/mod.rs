//! Storage: the records of one store, in memory and in segments, behind one handle.
//!
//! It is a small log-structured merge tree, partitioned by UTC day: `memtable.rs` takes new records,
//! `flush.rs` writes them into immutable files (`segment/`), `compaction.rs` rewrites several of these as
//! one, and `segment_edit.rs` installs the results. `late_versions.rs` replaces records that are stored
//! already, `corrections.rs` finds the versions that corrections are, `damage.rs` looks after segments that can no longer be read, `parallel_scan.rs` and `task_scanner.rs` read all of it
//! (`interval_partials.rs` for two scans at once, `state_snapshot.rs` copies mutable memtables for it), `estimate.rs` says beforehand about how much,
//! `rollup_cache.rs` and `traffic_rollups.rs` shorten scans of segments, and `retention.rs` drops old days and `deletion.rs` single records.
//! `scrubbing.rs` erases and masks numbers of parties, and `moving.rs` moves records from one store to another.

pub mod export;
pub mod memtable;
pub mod rollup;
pub mod rollup_cache;
pub mod segment;

mod batch_outcome;
mod compaction;
mod copied_columns;
mod copied_rows;
mod copier;
mod corrections;
mod damage;
mod deletion;
mod estimate;
mod flush;
mod full_records;
mod gauges;
mod helper_threads;
mod interval_partials;
mod late_versions;
mod memtable_copy;
mod moving;
mod niceness;
mod parallel_scan;
mod retention;
mod row_watchers;
mod scan_counters;
mod scrubbed_source;
mod scrubbing;
mod segment_edit;
mod snapshot_progress;
mod source_counters;
mod state;
mod state_snapshot;
mod task_queue;
mod task_scanner;
mod traffic_rollup;
mod traffic_rollups;
mod traffic_shape;

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::columns::integer::ColumnStats;
use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::memory::MemoryLimits;
use crate::record::schema::int_slot;
use crate::record::{Record, US_PER_DAY};
use crate::scan::ScanResources;
use crate::tuning::Tuning;
use crate::wire::columnar_batch::ColumnarBatch;
use copier::Copier;
use full_records::FullRecords;
use helper_threads::HelperThreads;
use memtable::RowMetadata;
use scan_counters::ScanCounters;
use scrubbed_source::ScrubbedSource;
use segment::{FileWatch, ManifestEntry, RowSource, Segment, guard};
use state::{RollupBudgets, SegmentEntry, State, UnreadableSegment, key_of};

pub use batch_outcome::{BatchOutcome, SourceOutcome, SourceTally};
pub use corrections::{CORRECTIONS_OF_RECORD_MAX, ResolvedVersion, join_correction};
pub use flush::Flush;
pub use gauges::StoreGauges;
pub use late_versions::{join_version, joined_versions};
pub use moving::StoredStep;
pub use scan_counters::ScanCounts;
pub use scrubbing::scrubbed_state;
pub use segment_edit::SegmentEdit;
pub use source_counters::{SourceCounters, SourceCounts};

/// Memtables, and segments by UTC day, under one readers-writer lock.
///
/// A scan reads all batches that were applied before an instant after it began, and none applied later. Only a scan of few
/// values reads the mutable memtables under the lock, which blocks writers; others copy these first, in short steps
/// (`state_snapshot.rs`). Immutable memtables and segments are read without the lock.
pub struct Store {
    state: RwLock<State>,
    resources: Arc<ScanResources>,
    helpers: HelperThreads,
    locked_scan_threads: HelperThreads,
    copier: Copier,
    rollup_budgets: RollupBudgets,
    file_watch: Arc<FileWatch>,
    full_records: Arc<FullRecords>,
    scan_counters: ScanCounters,
    /// The last values of [`Store::gauges`].
    gauges: Mutex<StoreGauges>,
}

impl Default for Store {
    /// An empty store of the default tuning, without memory limits.
    fn default() -> Self {
        Self::new(Tuning::default(), MemoryLimits::default())
    }
}

/// Size and extent of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Records; all versions of a record count once.
    pub records: usize,
    /// Records in memory.
    pub unsealed_records: usize,
    /// Active sessions.
    pub active_records: usize,
    /// Segments, unreadable ones included.
    pub segments: usize,
    /// Bytes of the segments.
    pub segment_bytes: u64,
    /// Earliest and latest setup time, microseconds UTC; `None` for an empty store.
    pub setup_range: Option<(i64, i64)>,
}

/// UTC days that overlap [from, to); the day of `from` if the range is empty.
fn days_of(from: i64, to: i64) -> std::ops::RangeInclusive<i64> {
    from.div_euclid(US_PER_DAY)..=to.saturating_sub(1).max(from).div_euclid(US_PER_DAY)
}

/// Which records a scan reads, by their times in microseconds UTC.
#[derive(Clone, Copy)]
struct ReadTimes {
    /// Setup times, the end exclusive.
    setup: (i64, i64),
    /// Records that ended at or before this instant do not count; `None` if all do.
    ends_after: Option<i64>,
}

impl ReadTimes {
    /// Records set up in [from, to).
    fn of_setup(setup: (i64, i64)) -> Self {
        Self { setup, ends_after: None }
    }

    /// Whether records may count of which this is known: bounds of the setup times, and of the end times.
    fn may_include(&self, setup_range: (i64, i64), end_stats: ColumnStats) -> bool {
        overlaps(setup_range, self.setup) && self.may_end_later(end_stats)
    }

    fn may_include_segment(&self, segment: &Segment) -> bool {
        self.may_include(segment.summary.setup_range, segment.summary.column_stats[int_slot::END_TIME])
    }

    fn may_end_later(&self, end_stats: ColumnStats) -> bool {
        self.ends_after.is_none_or(|us| end_stats.has_absent || end_stats.high > us)
    }
}

/// Whether setup times between `first` and `last`, both inclusive, may lie in [from, to).
fn overlaps((first, last): (i64, i64), (from, to): (i64, i64)) -> bool {
    first < to && from <= last
}

impl Store {
    /// Creates an empty store. It shares nothing with other stores of the process: helper threads, pooled tables and the
    /// memory budgets are its own.
    pub fn new(tuning: Tuning, memory: MemoryLimits) -> Self {
        let tuning = Arc::new(tuning);
        let state = State::new(&tuning);
        Self {
            locked_scan_threads: HelperThreads::started(&tuning),
            full_records: Arc::clone(&state.full_records),
            state: RwLock::new(state),
            resources: Arc::new(ScanResources::new(&tuning, memory)),
            helpers: HelperThreads::default(),
            copier: Copier::start(helper_threads::thread_count(&tuning)),
            rollup_budgets: RollupBudgets::new(&tuning),
            file_watch: Arc::new(FileWatch::new(tuning.watched_directory_count_max)),
            scan_counters: ScanCounters::default(),
            gauges: Mutex::default(),
        }
    }

    /// The tuning of the store.
    pub fn tuning(&self) -> &Arc<Tuning> {
        &self.resources.tuning
    }

    /// What the scans of this store share.
    pub fn resources(&self) -> &Arc<ScanResources> {
        &self.resources
    }

    /// Applies a batch atomically: scans that begin later see all of it, earlier ones nothing.
    pub fn apply(&self, batch: &ColumnarBatch, received_us: i64) -> BatchOutcome {
        self.apply_by_source(batch, received_us).0
    }

    /// As [`Store::apply`]; returns the outcome of each source too. A source may be listed several times.
    pub fn apply_by_source<'a>(&self, batch: &'a ColumnarBatch, received_us: i64) -> (BatchOutcome, Vec<SourceOutcome<'a>>) {
        self.prefetch_bloom_filters(batch);
        let outcomes = self.write().apply(batch, received_us);
        self.check_searches(batch);
        outcomes
    }

    /// Opens a segment that the catalogue names. If it cannot be opened, or was marked `damaged` before,
    /// scans of its day fail and those of other days go on.
    pub fn open_segment(&self, directory: &Path, day: i64, written: &ManifestEntry, tombstones: RowSet, damaged: bool) {
        let path = directory.join(&written.name);
        let opened = if damaged {
            Err(Error::damaged(&path, "records were taken for its day while it could not be read"))
        } else {
            Segment::open(directory, written)
        };
        match opened {
            Ok(segment) => {
                segment.watch(&self.file_watch);
                self.write().add_segment(day, SegmentEntry::new(segment, tombstones, &self.rollup_budgets));
            }
            Err(error) => {
                let problem = (written.name.clone(), error.to_string());
                let rows = written.rows - tombstones.len().min(written.rows);
                let name = written.name.clone();
                let end_stats = written.summary.column_stats[int_slot::END_TIME];
                let unreadable = UnreadableSegment { day, name, rows, bytes: written.bytes, end_stats, problem };
                self.write().unreadable.push(unreadable);
            }
        }
    }

    /// Loads a file of the active snapshot into memory.
    ///
    /// # Errors
    /// `Io` if the file cannot be read, `Damaged` if it is corrupt.
    pub fn open_active_snapshot(&self, directory: &Path, written: &ManifestEntry) -> Result<()> {
        let (segment, no_tombstones) = (Segment::open(directory, written)?, RowSet::default());
        guard([&segment], || {
            let versions = |row| segment.versions(row);
            let source = RowSource { slice: segment.verified_slice(&no_tombstones)?, versions: &versions };
            let scrubbing = self.scrubbing();
            let scrubbed = ScrubbedSource::of(&source, &scrubbing);
            let slice = scrubbed.slice();
            let metadata = |row: usize| RowMetadata {
                key_hash: slice.fields.key_hash(row),
                versions: scrubbed.versions(row),
                received_us: slice.received_us[row],
            };
            self.write().active.append(&slice.fields, &slice.rows.clone().collect::<Vec<_>>(), metadata);
            Ok(())
        })
    }

    /// Whether the session of a record is active: stored without an end time.
    pub fn is_active(&self, record: &Record<'_>) -> bool {
        let state = self.read();
        state.active.find(record.key_hash(), record.source(), record.session_id()).next().is_some()
    }

    /// The limit, in bytes, of the versions of one record, if a version would join a record that exceeds it.
    pub fn exceeded_versions_limit(&self, version: &Record<'_>) -> Option<usize> {
        self.full_records.exceeded_limit(version)
    }

    /// Returns size and extent of the store.
    ///
    /// # Errors
    /// `Damaged` if a segment with tombstones has corrupt setup times.
    pub fn info(&self) -> Result<StoreInfo> {
        let state = self.read();
        let mut info = StoreInfo {
            unsealed_records: state.active.rows() + state.unflushed_rows(),
            active_records: state.active.rows(),
            ..StoreInfo::default()
        };
        info.records = info.unsealed_records;
        let mut ranges = vec![state.active.setup_range(), state.memtable.setup_range()];
        for unreadable in &state.unreadable {
            info.records += unreadable.rows;
            info.segments += 1;
            info.segment_bytes += unreadable.bytes;
        }
        for entry in state.segments.values().flatten() {
            info.records += entry.segment.rows() - entry.tombstones.len();
            info.segments += 1;
            info.segment_bytes += entry.segment.bytes;
        }
        let immutable = state.immutable.clone();
        let entries: Vec<SegmentEntry> = state.segments.values().flatten().cloned().collect();
        // The rest is read without the lock: setup times of a segment may have to be read from disk.
        drop(state);
        ranges.extend(immutable.iter().map(|immutable| immutable.table.slice(&immutable.tombstones).live_setup_range()));
        for entry in &entries {
            ranges.push(entry.setup_range()?);
        }
        info.setup_range = ranges.into_iter().flatten().reduce(|(low, high), (from, to)| (low.min(from), high.max(to)));
        Ok(info)
    }

    /// First UTC day that has a record, in days since 1970-01-01; `None` for an empty store.
    pub fn first_day(&self) -> Option<i64> {
        self.read().first_day()
    }

    /// Like [`Store::first_day`], but returns `None` instead of waiting for a writer.
    pub fn try_first_day(&self) -> Option<Option<i64>> {
        self.state.try_read().map(|state| state.first_day())
    }

    /// What the scans of this store have read.
    pub fn scan_counts(&self) -> ScanCounts {
        self.scan_counters.counts()
    }

    /// Present bytes of all rollups.
    pub fn rollup_bytes(&self) -> usize {
        self.rollup_budgets.bytes_used()
    }

    /// Number of active sessions, and of finished records in memory.
    pub fn rows_in_memory(&self) -> (usize, usize) {
        let state = self.read();
        (state.active.rows(), state.unflushed_rows())
    }

    /// Names, UTC days and bytes of all segments, by day; unreadable ones last.
    pub fn segments(&self) -> Vec<(String, i64, u64)> {
        let state = self.read();
        let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |entry| (day, entry)));
        let readable = days.map(|(day, entry)| (entry.segment.name.clone(), day, entry.segment.bytes));
        readable.chain(state.unreadable.iter().map(|u| (u.name.clone(), u.day, u.bytes))).collect()
    }

    /// Reads the Bloom filters that a batch needs from disk, before [`Store::apply`] takes the writer's lock.
    fn prefetch_bloom_filters(&self, batch: &ColumnarBatch) {
        let unread: Vec<(i64, SegmentEntry)> = {
            let state = self.read();
            let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |entry| (day, entry)));
            days.filter(|(_, entry)| !entry.segment.has_read_bloom_filter()).map(|(day, entry)| (day, entry.clone())).collect()
        };
        if unread.is_empty() {
            return;
        }
        let fields = batch.fields();
        for row in 0..batch.rows() {
            let key = key_of(batch, &fields, row);
            for (_, entry) in unread.iter().filter(|(day, _)| (day - key.day).abs() <= 1) {
                // Ignores an error: the segment is marked as damaged, and the next scan of its day fails.
                drop(entry.segment.find(key.hash, key.source, key.session_id));
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }
}
