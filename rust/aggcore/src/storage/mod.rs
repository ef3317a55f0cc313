//! The records of one store, in memory and sealed, behind one handle.

pub mod export;
pub mod memtable;
pub mod rollup_cache;
pub mod segment;

mod compaction;
mod parallel_scan;
mod state;

use std::path::Path;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::record::{Record, US_PER_DAY};
use crate::wire::columnar_batch::Batch;
use memtable::More;
use segment::{Segment, Written};
use state::{Sealed, State, Unreadable, key_of};

pub use compaction::{Freeze, NewSegment, Rewrite};

/// Records in memory and sealed segments by UTC day.
///
/// A report sees all batches that were applied before it began and none that came after. It holds up writers only
/// while it reads what is in memory; the segments it reads cannot change.
#[derive(Default)]
pub struct Store {
    state: RwLock<State>,
}

/// Records as an Arrow IPC stream, and the place to go on from.
pub type Exported = (Vec<u8>, (usize, usize));

/// What became of the records of a batch that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// New records.
    pub accepted: usize,
    /// Records that changed one known before.
    pub replaced: usize,
    /// Records without effect.
    pub duplicates: usize,
}

/// What a store holds; times are setup times in microseconds UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Records, versions of one counted once.
    pub records: usize,
    /// Of these, the ones in memory.
    pub unsealed_records: usize,
    /// Of these, the sessions that have not ended.
    pub active_records: usize,
    /// Sealed segments.
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
    pub fn apply(&self, batch: &Batch, received_us: i64) -> Outcome {
        self.read_filters(batch);
        self.write().apply(batch, received_us)
    }

    /// Adds a sealed segment of a data directory. One that cannot be opened as written, or that was `damaged` before,
    /// makes the reports of its day fail, and no others.
    pub fn open_segment(&self, directory: &Path, day: i64, written: &Written, dead: RowSet, damaged: bool) {
        let path = directory.join(&written.name);
        let before = Error::damaged(&path, "records were taken for its day while it could not be read");
        match if damaged { Err(before) } else { Segment::open(directory, written) } {
            Ok(segment) => self.write().add(day, Sealed::new(segment, dead)),
            Err(error) => {
                let problem = (path.display().to_string(), error.to_string());
                let rows = written.rows - dead.len().min(written.rows);
                let name = written.name.clone();
                self.write().unreadable.push(Unreadable { day, name, rows, bytes: written.bytes, problem });
            }
        }
    }

    /// Names of the segments found damaged since they were opened, and of those that could not be opened beside whose
    /// days a seal puts records now: these could not be compared with theirs.
    pub fn damaged(&self) -> Vec<String> {
        let state = self.read();
        let damaged = state.segments.values().flatten().filter(|sealed| sealed.segment.is_damaged());
        let is_near = |day: i64| state.frozen.iter().any(|frozen| frozen.table.has_days(day - 1..=day + 1));
        let unreadable = state.unreadable.iter().filter(|unreadable| is_near(unreadable.day));
        damaged.map(|sealed| sealed.segment.name.clone()).chain(unreadable.map(|unreadable| unreadable.name.clone())).collect()
    }

    /// Takes the sessions of a copy of the active ones back into memory.
    ///
    /// # Errors
    /// `Io` or `Damaged` where it cannot be read as written.
    pub fn open_active(&self, directory: &Path, written: &Written) -> Result<()> {
        let (segment, no_tombstones) = (Segment::open(directory, written)?, RowSet::default());
        let slice = segment.verified_slice(&no_tombstones)?;
        let more = |row: usize| More {
            key_hash: slice.fields.key_hash(row),
            versions: segment.versions(row),
            received_us: slice.received_us[row],
        };
        self.write().active.append(&slice.fields, &slice.rows.clone().collect::<Vec<_>>(), more);
        Ok(())
    }

    /// The next records set up in [from, to) as an Arrow IPC stream (see [`export`]), and the place to go on
    /// from, which begins as (0, 0); `None` at the end. Right only while nothing changes the store.
    ///
    /// # Errors
    /// `Damaged`, or `Arrow` where the columns cannot be encoded.
    pub fn export(&self, (from, to): (i64, i64), place: (usize, usize), row_max: usize) -> Result<Option<Exported>> {
        let no_tombstones = RowSet::default();
        let state = self.read();
        let (mut number, mut start) = place;
        let days = days_of(from, to);
        if let Some(unreadable) = state.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let sealed: Vec<&Sealed> = state.sealed(days).collect();
        loop {
            let slice = match number {
                0 => state.active.slice(&no_tombstones),
                1 => state.hot.slice(&no_tombstones),
                _ => match sealed.get(number - 2) {
                    Some(sealed) => sealed.segment.verified_slice(&sealed.dead)?,
                    None => return Ok(None),
                },
            };
            let wanted = |row: &usize| (from..to).contains(&slice.setup_us[*row]) && !slice.dead.contains(*row);
            let rows: Vec<usize> = (start..slice.rows.end).filter(wanted).take(row_max.max(1)).collect();
            if let Some(last) = rows.last() {
                return Ok(Some((export::ipc_stream(&slice, &rows)?, (number, last + 1))));
            }
            (number, start) = (number + 1, 0);
        }
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
    pub fn info(&self) -> Result<Info> {
        let state = self.read();
        let mut info = Info {
            unsealed_records: state.active.rows() + state.unsealed_rows(),
            active_records: state.active.rows(),
            ..Info::default()
        };
        info.records = info.unsealed_records;
        let mut ranges = vec![state.active.setup_range(), state.hot.setup_range()];
        ranges.extend(state.frozen.iter().map(|frozen| frozen.table.slice(&frozen.dead).setup_range()));
        for unreadable in &state.unreadable {
            info.records += unreadable.rows;
            info.segments += 1;
            info.segment_bytes += unreadable.bytes;
        }
        for sealed in state.segments.values().flatten() {
            info.records += sealed.segment.rows() - sealed.dead.len();
            info.segments += 1;
            info.segment_bytes += sealed.segment.bytes;
            ranges.push(sealed.setup_range()?);
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
        (state.active.rows(), state.unsealed_rows())
    }

    /// Reads the filters of the keys that a batch needs before the writer's lock is taken.
    fn read_filters(&self, batch: &Batch) {
        let unread: Vec<(i64, Sealed)> = {
            let state = self.read();
            let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |sealed| (day, sealed)));
            days.filter(|(_, sealed)| !sealed.segment.has_filter()).map(|(day, sealed)| (day, sealed.clone())).collect()
        };
        if unread.is_empty() {
            return;
        }
        let fields = batch.fields();
        for row in 0..batch.rows() {
            let key = key_of(batch, &fields, row);
            for (_, sealed) in unread.iter().filter(|(day, _)| (day - key.day).abs() <= 1) {
                // Damage shows again, and is told, where a report needs the segment.
                drop(sealed.segment.find(key.hash, key.source, key.session_id));
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
