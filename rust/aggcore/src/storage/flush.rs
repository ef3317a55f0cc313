//! Flush: moves the finished records of memory into new segments while reports and writers go on.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::Store;
use super::memtable::Memtable;
use super::segment::{ManifestEntry, RowSource, SourceRow, write};
use super::segment_edit::{ReplacedSources, SegmentEdit, write_segments_by_day};
use super::state::ImmutableMemtable;
use crate::columns::row_set::RowSet;
use crate::error::Result;

/// Rows that are copied of the active sessions while writers wait.
const SNAPSHOT_STEP_ROWS: usize = 1_024;
/// Sessions of one file of a copy of the active ones.
const ACTIVE_FILE_ROWS_MAX: usize = 1 << 16;

/// What a seal takes up: it changes no more.
pub struct Flush {
    /// Finished records, and the rows of them that were replaced before.
    tables: Vec<(Arc<Memtable>, Arc<RowSet>)>,
    /// ReplacedSources rows of segments, by segment name, where the catalogue knows less.
    tombstones: Vec<(String, Arc<RowSet>)>,
    /// Whether a copy of the active sessions began too.
    with_active: bool,
}

impl Store {
    /// Begins a seal: the finished records in memory, those of seals that failed among them, change no more. With
    /// `with_active` a copy of the active sessions begins too.
    pub fn begin_flush(&self, with_active: bool) -> Flush {
        let mut state = self.write();
        let with_active = with_active || std::mem::take(&mut state.reactivated);
        if with_active {
            state.active.begin_snapshot();
        }
        if state.memtable.rows() > 0 {
            let table = Arc::new(std::mem::take(&mut state.memtable));
            state.immutable.push(ImmutableMemtable { table, tombstones: Arc::default() });
        }
        let tables =
            state.immutable.iter().map(|immutable| (Arc::clone(&immutable.table), Arc::clone(&immutable.tombstones))).collect();
        let unknown = state.segments.values().flatten().filter(|entry| entry.tombstones != entry.recorded_tombstones);
        let tombstones = unknown.map(|entry| (entry.segment.name.clone(), Arc::clone(&entry.tombstones))).collect();
        Flush { tables, tombstones, with_active }
    }

    /// Gives a seal up; the next one takes up its records too.
    pub fn abort_flush(&self, flush: &Flush) {
        let mut state = self.write();
        state.active.abort_snapshot();
        state.reactivated |= flush.with_active;
    }

    /// Writes the records of a seal into one new segment per UTC day, or more where a day has more than `row_max` rows.
    ///
    /// # Errors
    /// `Io` or `Damaged` where a file cannot be written and read back; nothing has changed then.
    pub fn write_flush(&self, directory: &Path, sequence: u64, row_max: usize, flush: &Flush) -> Result<SegmentEdit> {
        let versions: Vec<_> = flush.tables.iter().map(|(table, _)| |row| table.versions(row)).collect();
        let tables = flush.tables.iter().zip(&versions);
        let sources: Vec<RowSource<'_>> =
            tables.map(|((table, tombstones), versions)| RowSource { slice: table.slice(tombstones), versions }).collect();
        let segments = write_segments_by_day(directory, sequence, row_max, &sources)?;
        Ok(SegmentEdit {
            segments,
            tombstones: flush.tombstones.clone(),
            replaced: ReplacedSources::ImmutableMemtables(sources.len()),
        })
    }

    /// Writes the copy of the active sessions that a seal began, `None` where it began none. Each session is as it was
    /// then or later; the journal from then on brings all of them to the present.
    ///
    /// # Errors
    /// As [`Store::write_flush`].
    pub fn write_active_snapshot(&self, directory: &Path, sequence: u64, flush: &Flush) -> Result<Option<Vec<ManifestEntry>>> {
        let mut files = Vec::new();
        let mut is_unfinished = flush.with_active;
        while is_unfinished {
            let mut copy = Memtable::default();
            while is_unfinished && copy.rows() < ACTIVE_FILE_ROWS_MAX {
                let mut state = self.write();
                is_unfinished = state.active.copy_next_rows(&mut copy, SNAPSHOT_STEP_ROWS);
                // To whoever waits, instead of being taken again at once by the next round.
                RwLockWriteGuard::unlock_fair(state);
            }
            if copy.rows() > 0 {
                files.push(write_active_file(directory, sequence + files.len() as u64, &copy)?);
            }
        }
        Ok(flush.with_active.then_some(files))
    }
}

fn write_active_file(directory: &Path, sequence: u64, copy: &Memtable) -> Result<ManifestEntry> {
    let no_tombstones = RowSet::default();
    let versions = |row| copy.versions(row);
    let sources = [RowSource { slice: copy.slice(&no_tombstones), versions: &versions }];
    let mut source_rows: Vec<SourceRow> = (0..copy.rows() as u32).map(|row| SourceRow { source: 0, row }).collect();
    write(directory, &format!("active/{sequence:08}.arrow"), &sources, &mut source_rows).map(|(written, _)| written)
}
