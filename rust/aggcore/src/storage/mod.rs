//! The records of one store, in memory and sealed, behind one handle.

pub mod export;
pub mod memtable;
pub mod rollup_cache;
pub mod segment;

mod compaction;
mod flush;
mod late_versions;
mod parallel_scan;
mod retention;
mod segment_edit;
mod state;

use std::path::Path;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::record::{Record, US_PER_DAY};
use crate::wire::columnar_batch::ColumnarBatch;
use memtable::RowMetadata;
use segment::{ManifestEntry, Segment};
use state::{SegmentEntry, State, UnreadableSegment, key_of};

pub use flush::Flush;
pub use segment_edit::SegmentEdit;

/// Records in memory and sealed segments by UTC day.
///
/// A report sees all batches that were applied before it began and none that came after. It holds up writers only
/// while it reads what is in memory; the segments it reads cannot change.
#[derive(Default)]
pub struct Store {
    state: RwLock<State>,
}

/// What became of the records of a batch that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// New records.
    pub accepted: usize,
    /// Records that changed one known before.
    pub replaced: usize,
    /// Records without effect.
    pub duplicates: usize,
}

/// What a store holds; times are setup times in microseconds UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Records, versions of one counted once.
    pub records: usize,
    /// Of these, the ones in memory.
    pub unsealed_records: usize,
    /// Of these, the sessions that have not ended.
    pub active_records: usize,
    /// SegmentEntry segments.
    pub segments: usize,
    /// Bytes of the sealed segments.
    pub segment_bytes: u64,
    /// Earliest and latest setup time.
    pub setup_range: Option<(i64, i64)>,
}

/// UTC days that have an instant of [from, to); the day of `from` where there is none.
fn days_of(from: i64, to: i64) -> std::ops::RangeInclusive<i64> {
    from.div_euclid(US_PER_DAY)..=to.saturating_sub(1).max(from).div_euclid(US_PER_DAY)
}

impl Store {
    /// Takes in a batch; every report shows it once this returns, and none shows a slice of it.
    pub fn apply(&self, batch: &ColumnarBatch, received_us: i64) -> BatchOutcome {
        self.read_filters(batch);
        self.write().apply(batch, received_us)
    }

    /// Adds a sealed segment of a data directory. One that cannot be opened as written, or that was `damaged` before,
    /// makes the reports of its day fail, and no others.
    pub fn open_segment(&self, directory: &Path, day: i64, written: &ManifestEntry, tombstones: RowSet, damaged: bool) {
        let path = directory.join(&written.name);
        let before = Error::damaged(&path, "records were taken for its day while it could not be read");
        match if damaged { Err(before) } else { Segment::open(directory, written) } {
            Ok(segment) => self.write().add_segment(day, SegmentEntry::new(segment, tombstones)),
            Err(error) => {
                let problem = (path.display().to_string(), error.to_string());
                let rows = written.rows - tombstones.len().min(written.rows);
                let name = written.name.clone();
                self.write().unreadable.push(UnreadableSegment { day, name, rows, bytes: written.bytes, problem });
            }
        }
    }

    /// Names of the segments found damaged since they were opened, and of those that could not be opened beside whose
    /// days a seal puts records now: these could not be compared with theirs.
    pub fn damaged(&self) -> Vec<String> {
        let state = self.read();
        let damaged = state.segments.values().flatten().filter(|entry| entry.segment.is_damaged());
        let is_near = |day: i64| state.immutable.iter().any(|immutable| immutable.table.has_days(day - 1..=day + 1));
        let unreadable = state.unreadable.iter().filter(|unreadable| is_near(unreadable.day));
        damaged.map(|entry| entry.segment.name.clone()).chain(unreadable.map(|unreadable| unreadable.name.clone())).collect()
    }

    /// Takes the sessions of a copy of the active ones back into memory.
    ///
    /// # Errors
    /// `Io` or `Damaged` where it cannot be read as written.
    pub fn open_active(&self, directory: &Path, written: &ManifestEntry) -> Result<()> {
        let (segment, no_tombstones) = (Segment::open(directory, written)?, RowSet::default());
        let slice = segment.verified_slice(&no_tombstones)?;
        let more = |row: usize| RowMetadata {
            key_hash: slice.fields.key_hash(row),
            versions: segment.versions(row),
            received_us: slice.received_us[row],
        };
        self.write().active.append(&slice.fields, &slice.rows.clone().collect::<Vec<_>>(), more);
        Ok(())
    }

    /// Whether a record is of a session that has not ended.
    pub fn is_active(&self, record: &Record<'_>) -> bool {
        let state = self.read();
        state.active.find(record.key_hash(), record.source(), record.session_id()).next().is_some()
    }

    /// What the store holds.
    ///
    /// # Errors
    /// `Damaged` where the setup times of a segment with replaced rows cannot be read.
    pub fn info(&self) -> Result<StoreInfo> {
        let state = self.read();
        let mut info = StoreInfo {
            unsealed_records: state.active.rows() + state.unflushed_rows(),
            active_records: state.active.rows(),
            ..StoreInfo::default()
        };
        info.records = info.unsealed_records;
        let mut ranges = vec![state.active.setup_range(), state.memtable.setup_range()];
        ranges.extend(state.immutable.iter().map(|immutable| immutable.table.slice(&immutable.tombstones).live_setup_range()));
        for unreadable in &state.unreadable {
            info.records += unreadable.rows;
            info.segments += 1;
            info.segment_bytes += unreadable.bytes;
        }
        for entry in state.segments.values().flatten() {
            info.records += entry.segment.rows() - entry.tombstones.len();
            info.segments += 1;
            info.segment_bytes += entry.segment.bytes;
            ranges.push(entry.setup_range()?);
        }
        info.setup_range = ranges.into_iter().flatten().reduce(|(low, high), (from, to)| (low.min(from), high.max(to)));
        Ok(info)
    }

    /// First UTC day that has a record, in days since 1970-01-01.
    pub fn first_day(&self) -> Option<i64> {
        self.read().first_day()
    }

    /// As [`Store::first_day`]; `None` where it would have to wait for a writer.
    pub fn first_day_at_once(&self) -> Option<Option<i64>> {
        self.state.try_read().map(|state| state.first_day())
    }

    /// Sessions that have not ended, and finished records in memory.
    pub fn rows_in_memory(&self) -> (usize, usize) {
        let state = self.read();
        (state.active.rows(), state.unflushed_rows())
    }

    /// Names, UTC days and bytes of all segments, by day.
    pub fn segments(&self) -> Vec<(String, i64, u64)> {
        let state = self.read();
        let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |entry| (day, entry)));
        let readable = days.map(|(day, entry)| (entry.segment.name.clone(), day, entry.segment.bytes));
        readable.chain(state.unreadable.iter().map(|u| (u.name.clone(), u.day, u.bytes))).collect()
    }

    /// Reads the filters of the keys that a batch needs before the writer's lock is taken.
    fn read_filters(&self, batch: &ColumnarBatch) {
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
                // Damage shows again, and is told, where a report needs the segment.
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
