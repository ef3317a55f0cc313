//! Scrubbing of what is stored: numbers of parties are erased, and masked in records of old days.
//!
//! 1. [`JournaledStore::use_scrubbing`](crate::durable::group_commit::JournaledStore::use_scrubbing) sets what is scrubbed:
//!    new versions when they are decoded, stored ones when a version joins them, all rows that are written to a file
//!    (`scrubbed_source.rs`), and exports.
//! 2. [`Store::scrub_memory`] scrubs the records in memory. A flush with an active snapshot then empties the journal.
//! 3. [`Store::count_scrubbed_rows`] finds the segments to rewrite, and a compaction of one segment rewrites it.
//!
//! A record of several days is masked as a whole once its first day is.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::Store;
use super::memtable::{Memtable, RowMetadata};
use super::scrubbed_source::{changed_rows, rows_with_erased};
use super::segment::{RowSource, Segment, guard};
use super::state::State;
use crate::cancellation::CancelToken;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::record::scrubbing::{ScrubbedTexts, Scrubbing};
use crate::wire::versions::{Versions, first_day};

/// A record of a memtable or segment: the hash of its key, and its setup time.
type RecordIdentity = (u64, i64);

impl Store {
    /// Sets what is scrubbed from now on.
    pub fn use_scrubbing(&self, scrubbing: &Arc<Scrubbing>) {
        let former = std::mem::replace(&mut self.write().scrubbing, Arc::clone(scrubbing));
        drop(former);
    }

    /// What is scrubbed.
    pub fn scrubbing(&self) -> Arc<Scrubbing> {
        Arc::clone(&self.read().scrubbing)
    }

    /// Scrubs the records of the mutable memtables in steps, between which writers go on. Those of immutable memtables are
    /// scrubbed when they are written.
    pub fn scrub_memory(&self) {
        self.scrub_table(|state| &mut state.active);
        self.scrub_table(|state| &mut state.memtable);
    }

    fn scrub_table(&self, table: fn(&mut State) -> &mut Memtable) {
        let mut end = usize::MAX;
        while end > 0 {
            self.copier.run(|| {
                let mut state = self.write();
                let scrubbing = Arc::clone(&state.scrubbing);
                end = table(&mut state).scrub(&scrubbing, end, self.tuning().memtable_step_row_count);
                RwLockWriteGuard::unlock_fair(state);
            });
        }
    }

    /// Counts the rows of each of some segments that scrubbing has to change, those with a tombstone included.
    ///
    /// # Errors
    /// `Damaged` if one cannot be read, `Unknown` if it is not open, `Cancelled` or `DeadlinePassed`.
    pub fn count_scrubbed_rows(&self, names: &[String], cancel: &CancelToken) -> Result<Vec<usize>> {
        let (scrubbing, no_tombstones) = (self.scrubbing(), RowSet::default());
        let changed = |name: &String| {
            let segment = self.segment(name)?;
            rows_of_segment(&segment, &no_tombstones, |source| Ok(changed_rows(source, &scrubbing, cancel)?.len()))
        };
        names.iter().map(changed).collect()
    }

    /// Counts the records that have a number to erase, in any version.
    ///
    /// # Errors
    /// `Damaged` if a segment cannot be read, `Cancelled` or `DeadlinePassed`.
    pub fn count_parties(&self, scrubbing: &Scrubbing, cancel: &CancelToken) -> Result<usize> {
        let mut found = HashSet::new();
        // In the order in which records move, so that none is missed.
        self.find_in_table(|state| &state.active, scrubbing, cancel, &mut found)?;
        self.find_in_table(|state| &state.memtable, scrubbing, cancel, &mut found)?;
        let (immutable, entries) = {
            let state = self.read();
            if let Some(unreadable) = state.unreadable.first() {
                return Err(unreadable.error());
            }
            (state.immutable.clone(), state.segments.values().flatten().cloned().collect::<Vec<_>>())
        };
        let find = |source: &RowSource<'_>| Ok(identities(&source.slice, &rows_with_erased(source, scrubbing, cancel)?));
        for immutable in &immutable {
            let versions = |row| immutable.table.versions(row);
            found.extend(find(&RowSource { slice: immutable.table.slice(&immutable.tombstones), versions: &versions })?);
        }
        for entry in &entries {
            found.extend(rows_of_segment(&entry.segment, &entry.tombstones, find)?);
        }
        Ok(found.len())
    }

    /// Finds records in a mutable memtable, from the last row down: a row that moves takes a lower number.
    fn find_in_table(
        &self, table: fn(&State) -> &Memtable, scrubbing: &Scrubbing, cancel: &CancelToken, found: &mut HashSet<RecordIdentity>,
    ) -> Result<()> {
        let (mut end, no_tombstones) = (usize::MAX, RowSet::default());
        while end > 0 {
            cancel.check()?;
            let state = self.read();
            let table = table(&state);
            end = end.min(table.rows());
            let rows = end.saturating_sub(self.tuning().memtable_step_row_count)..end;
            end = rows.start;
            let versions = |row| table.versions(row);
            let source = RowSource { slice: RecordSlice { rows, ..table.slice(&no_tombstones) }, versions: &versions };
            found.extend(identities(&source.slice, &rows_with_erased(&source, scrubbing, cancel)?));
            RwLockReadGuard::unlock_fair(state);
        }
        Ok(())
    }

    fn segment(&self, name: &str) -> Result<Arc<Segment>> {
        let state = self.read();
        if let Some(unreadable) = state.unreadable.iter().find(|unreadable| unreadable.name == name) {
            return Err(unreadable.error());
        }
        let found = state.segments.values().flatten().find(|entry| entry.segment.name == name);
        found.map(|entry| Arc::clone(&entry.segment)).ok_or_else(|| Error::Unknown { what: "segment", name: name.to_owned() })
    }
}

impl Memtable {
    /// Scrubs at most `row_max` rows before `end`, from the last one down. Returns the `end` of the next call, 0 once all
    /// rows are scrubbed.
    fn scrub(&mut self, scrubbing: &Scrubbing, end: usize, row_max: usize) -> usize {
        let end = end.min(self.rows());
        let start = if scrubbing.is_idle() { 0 } else { end.saturating_sub(row_max) };
        for row in (start..end).rev() {
            let (record, versions) = (self.fields().record(row), self.versions(row));
            let is_masked = scrubbing.masks_day(versions.and_then(first_day).unwrap_or_else(|| record.day()));
            let Some(state) = scrubbed_state(scrubbing, &record, versions, is_masked) else { continue };
            state.with_merged(|record| {
                let versions = state.to_bytes(record);
                let (key_hash, received_us) = (self.key_hash(row), self.received_us(row));
                self.replace(row, record, RowMetadata { key_hash, versions: versions.as_deref(), received_us });
            });
        }
        start
    }
}

/// Returns the scrubbed versions of a row; `None` if they stay as they are.
pub fn scrubbed_state(scrubbing: &Scrubbing, row: &Record<'_>, encoded: Option<&[u8]>, is_masked: bool) -> Option<Versions> {
    if encoded.is_none() {
        return Some(Versions::of(&scrubbing.scrubbed(row, is_masked)?.in_place(row)));
    }
    let stored = Versions::of_row(row, encoded)?;
    let mut scrubbed = stored.clone();
    scrubbed.scrub_as(scrubbing, is_masked);
    (scrubbed != stored).then_some(scrubbed)
}

/// Scrubs the states that versions join. Returns what becomes of the texts of each version; nothing if all stay.
///
/// Versions were scrubbed when they were decoded, but not masked if only another one is of a day to mask.
pub fn scrub_together(scrubbing: &Scrubbing, stored: &mut [Versions], versions: &[Record<'_>]) -> Vec<Option<ScrubbedTexts>> {
    if scrubbing.is_idle() {
        return Vec::new();
    }
    let days = stored.iter().map(Versions::first_day).chain(versions.iter().map(Record::day));
    let is_masked = days.min().is_some_and(|day| scrubbing.masks_day(day));
    stored.iter_mut().for_each(|state| state.scrub_as(scrubbing, is_masked));
    let texts: Vec<_> = versions.iter().map(|version| scrubbing.scrubbed(version, is_masked)).collect();
    if texts.iter().any(Option::is_some) { texts } else { Vec::new() }
}

/// Passes all rows of a segment to `find`, once they are verified.
fn rows_of_segment<T>(segment: &Segment, tombstones: &RowSet, find: impl FnOnce(&RowSource<'_>) -> Result<T>) -> Result<T> {
    guard([segment], || {
        let versions = |row| segment.versions(row);
        find(&RowSource { slice: segment.verified_slice(tombstones)?, versions: &versions })
    })
}

fn identities(slice: &RecordSlice<'_>, rows: &RowSet) -> Vec<RecordIdentity> {
    let found = slice.rows.clone().filter(|&row| rows.contains(row));
    found.map(|row| (slice.fields.key_hash(row), slice.setup_us[row])).collect()
}
