//! Flush: writes the finished records of memory into new segments while reports and writers go on.
//!
//! Life cycle of a flush:
//!
//! 1. [`Store::begin_flush`] makes the memtable of finished records immutable and begins an active snapshot,
//!    if asked for or if a stored record became active again.
//! 2. [`Store::write_flush`] writes the immutable memtables into segments, and
//!    [`Store::write_active_snapshot`] the active sessions, without a lock or with short ones.
//! 3. The catalogue records the new files and tombstones in one transaction.
//! 4. [`Store::install`](super::Store::install) replaces the immutable memtables by the segments in one step
//!    for readers.
//!
//! If step 2 or 3 fails, [`Store::abort_flush`] leaves the immutable memtables to the next flush.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLockReadGuard};

use super::Store;
use super::copied_columns::CopiedColumns;
use super::deletion::DeletedRows;
use super::memtable::Memtable;
use super::scrubbed_source::ScrubbedSource;
use super::segment::{ManifestEntry, RowSource, SourceRow, write};
use super::segment_edit::{ReplacedSources, SegmentEdit, write_segments_by_day};
use super::snapshot_progress::{SharedProgress, SnapshotProgress};
use super::state::ImmutableMemtable;
use crate::columns::row_set::RowSet;
use crate::error::Result;
use crate::record::scrubbing::Scrubbing;
use crate::tuning::Tuning;

/// What a flush writes; immutable.
pub struct Flush {
    /// Immutable memtables, each with its tombstones when the flush began.
    pub(super) tables: Vec<(Arc<Memtable>, Arc<RowSet>)>,
    /// Tombstones of segments, by segment name, that the catalogue has not recorded yet.
    pub(super) tombstones: Vec<(String, Arc<RowSet>)>,
    /// Whether an active snapshot was begun.
    with_active: bool,
    /// The active snapshot until it is written or the flush is abandoned.
    active: Mutex<Option<SharedProgress>>,
    /// What is left out of it, if records are deleted.
    pub(super) deleted: OnceLock<DeletedRows>,
}

impl Store {
    /// Begins a flush of all finished records in memory, those of aborted flushes included. Begins an active
    /// snapshot if `with_active` asks for it or a stored record became active again.
    pub fn begin_flush(&self, with_active: bool) -> Flush {
        let mut state = self.write();
        // Taken in any case: this snapshot suffices, and `abort_flush` asks for the next one.
        let with_active = std::mem::take(&mut state.reactivated) || with_active;
        let active = with_active.then(|| SnapshotProgress::begin(&mut state.active, CopiedColumns::all(), self.tuning()));
        if state.memtable.rows() > 0 {
            let table = std::mem::replace(&mut state.memtable, Memtable::new(self.tuning())).into_immutable();
            state.immutable.push(ImmutableMemtable { table, tombstones: Arc::default() });
        }
        let tables =
            state.immutable.iter().map(|immutable| (Arc::clone(&immutable.table), Arc::clone(&immutable.tombstones))).collect();
        let unrecorded = state.segments.values().flatten().filter(|entry| entry.tombstones != entry.recorded_tombstones);
        let tombstones = unrecorded.map(|entry| (entry.segment.name.clone(), Arc::clone(&entry.tombstones))).collect();
        Flush { tables, tombstones, with_active, active: Mutex::new(active), deleted: OnceLock::new() }
    }

    /// Abandons a flush; the next one writes its records too.
    pub fn abort_flush(&self, flush: &Flush) {
        *flush.active.lock() = None;
        self.write().reactivated |= flush.with_active;
    }

    /// Writes the immutable memtables of a flush into new segments, one per UTC day, or several if a day has
    /// more than `row_max` rows. Numbers the files from `sequence`. Leaves out what is deleted.
    ///
    /// # Errors
    /// `Io` or `Damaged` if a file cannot be written and read back; the store has not changed then.
    pub fn write_flush(&self, directory: &Path, sequence: u64, row_max: usize, flush: &Flush) -> Result<SegmentEdit> {
        let deleted = flush.deleted.get();
        let versions: Vec<_> = flush.tables.iter().map(|(table, _)| |row| table.versions(row)).collect();
        let mut sources = Vec::new();
        for (number, ((table, tombstones), versions)) in flush.tables.iter().zip(&versions).enumerate() {
            let left_out = deleted.and_then(|deleted| deleted.tables.get(number)).unwrap_or(tombstones);
            sources.push(RowSource { slice: table.slice(left_out), versions });
        }
        let segments = write_segments_by_day(directory, sequence, row_max, &sources, &self.scrubbing(), self.tuning())?;
        let mut tombstones = flush.tombstones.clone();
        if let Some(deleted) = deleted {
            tombstones.retain(|(name, _)| deleted.segments.iter().all(|(other, _)| other != name));
            tombstones.extend_from_slice(&deleted.segments);
        }
        Ok(SegmentEdit { segments, tombstones, replaced: ReplacedSources::ImmutableMemtables(sources.len()) })
    }

    /// Writes the active snapshot that a flush began; `None` if it began none. Each session is as it was when
    /// the flush began: replaying the journal from then on brings all of them up to date. Leaves out what is deleted.
    ///
    /// # Errors
    /// As for [`Store::write_flush`].
    pub fn write_active_snapshot(&self, directory: &Path, sequence: u64, flush: &Flush) -> Result<Option<Vec<ManifestEntry>>> {
        let deleted = flush.deleted.get();
        let Some(progress) = flush.active.lock().take() else { return Ok(flush.with_active.then(Vec::new)) };
        let mut files = Vec::new();
        let mut is_unfinished = true;
        while is_unfinished {
            let mut copy = Memtable::new(self.tuning());
            while is_unfinished && copy.rows() < self.tuning().snapshot_file_row_count_max {
                is_unfinished = self.copier.run(|| self.copy_active_rows(&progress, &mut copy, deleted));
            }
            let undo = progress.lock().take_undo(self.tuning());
            copy.append_from(&undo, &rows_to_copy(&undo, 0..undo.rows(), deleted));
            if copy.rows() > 0 {
                files.push(write_active_file(directory, sequence + files.len() as u64, &copy, &self.scrubbing(), self.tuning())?);
            }
        }
        Ok(Some(files))
    }

    /// Copies some active sessions more. Returns whether some are left.
    fn copy_active_rows(&self, progress: &SharedProgress, copy: &mut Memtable, deleted: Option<&DeletedRows>) -> bool {
        let state = self.read();
        let mut progress = progress.lock();
        let rows = progress.next_rows(self.tuning().memtable_step_row_count);
        let saved: Vec<usize> = progress.saved_rows(rows.clone()).collect();
        let unsaved = rows.filter(|row| saved.binary_search(row).is_err());
        copy.append_from(&state.active, &rows_to_copy(&state.active, unsaved, deleted));
        let is_unfinished = !progress.is_complete();
        drop(progress);
        // Hands the lock to a waiting thread; a plain unlock would let the next round take it again first.
        RwLockReadGuard::unlock_fair(state);
        is_unfinished
    }
}

/// The rows without those that are deleted.
fn rows_to_copy(table: &Memtable, rows: impl Iterator<Item = usize>, deleted: Option<&DeletedRows>) -> Vec<usize> {
    match deleted {
        Some(deleted) => deleted.others(table, rows),
        None => rows.collect(),
    }
}

/// Writes one file of the active snapshot, in the format of a segment.
fn write_active_file(
    directory: &Path, sequence: u64, copy: &Memtable, scrubbing: &Scrubbing, tuning: &Tuning,
) -> Result<ManifestEntry> {
    let no_tombstones = RowSet::default();
    let versions = |row| copy.versions(row);
    let source = RowSource { slice: copy.slice(&no_tombstones), versions: &versions };
    let scrubbed = ScrubbedSource::of(&source, scrubbing);
    let versions = |row| scrubbed.versions(row);
    let sources = [RowSource { slice: scrubbed.slice(), versions: &versions }];
    let mut source_rows: Vec<SourceRow> = (0..copy.rows() as u32).map(|row| SourceRow { source: 0, row }).collect();
    write(directory, &format!("active/{sequence:08}.arrow"), &sources, &mut source_rows, tuning).map(|(written, _)| written)
}
