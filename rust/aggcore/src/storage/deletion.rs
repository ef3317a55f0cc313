//! Deletions: finds the records that a deletion covers, for a flush that leaves them out.
//!
//! A deletion is a flush with an active snapshot, in which the covered rows are missing:
//!
//! 1. the rule rejects new versions of these records (`durable/group_commit.rs`), so that they stay as they are;
//! 2. [`Store::begin_flush`], then [`Store::find_deleted`], which holds no lock for long;
//! 3. [`Store::write_flush`] leaves the rows of immutable memtables out, and [`Store::write_active_snapshot`] the active
//!    sessions; those of segments get tombstones;
//! 4. the catalogue records all of it, and the rule, in one transaction;
//! 5. [`Store::install`](super::Store::install), then [`Store::remove_deleted_active`].
//!
//! If one of the steps 2 to 4 fails, [`Store::abort_flush`] undoes the others, and no record is deleted.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLockWriteGuard;

use super::memtable::Memtable;
use super::segment::{Segment, column_numbers, guard};
use super::state::{RecordKey, State};
use super::{Flush, Store, days_of, overlaps};
use crate::cancellation::CancelToken;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::deletion::Deletion;
use crate::record::schema::{dictionary_slot, text_slot};
use crate::record::{Record, key_hash};
use crate::wire::versions::Versions;

/// Rows of a segment per session id from which the ids are looked up in its index, one by one.
const ROWS_PER_SESSION_ID_MIN: usize = 64;

/// What a deletion leaves out of a flush.
pub struct DeletedRows {
    rule: Arc<Deletion>,
    /// Rows of the immutable memtables that the flush must not write, in their order.
    pub(super) tables: Vec<RowSet>,
    /// New tombstones of segments, with those that were to be recorded anyway, by name.
    pub(super) segments: Vec<(String, Arc<RowSet>)>,
    finished: usize,
    /// Active sessions that the snapshot has left out.
    active: AtomicUsize,
}

impl Flush {
    /// Number of records that are left out as deleted; those of active sessions count once the active snapshot is written.
    pub fn deleted_count(&self) -> usize {
        self.deleted.get().map_or(0, |deleted| deleted.finished + deleted.active.load(Ordering::Relaxed))
    }
}

impl Store {
    /// Finds the finished records that a deletion covers, among those of a flush and of all segments, and has the flush
    /// leave them out, and the active sessions too. The caller must not let another flush, a compaction or retention run.
    ///
    /// # Errors
    /// `Damaged` if a segment that may have such records is unreadable, `Cancelled` or `DeadlinePassed`.
    pub fn find_deleted(&self, flush: &Flush, rule: Arc<Deletion>, cancel: &CancelToken) -> Result<()> {
        let (mut tables, mut segments, mut finished) = (Vec::new(), Vec::new(), 0);
        for (table, tombstones) in &flush.tables {
            let found = covered_rows(&table.slice(tombstones), &rule, cancel)?;
            finished += found.len();
            tables.push(united(tombstones, &found));
        }
        for (segment, recorded) in self.segments_that_may_have(&rule)? {
            let tombstones = flush.tombstones.iter().find(|(name, _)| *name == segment.name).map_or(&recorded, |(_, rows)| rows);
            let found = covered_rows_of_segment(&segment, tombstones, &rule, cancel)?;
            if !found.is_empty() {
                finished += found.len();
                segments.push((segment.name.clone(), Arc::new(united(tombstones, &found))));
            }
        }
        // Nobody has set it: a flush has one deletion.
        drop(flush.deleted.set(DeletedRows { rule, tables, segments, finished, active: AtomicUsize::new(0) }));
        Ok(())
    }

    /// Removes the active sessions that a deletion covers, in steps, between which writers go on.
    pub fn remove_deleted_active(&self, flush: &Flush) {
        let Some(DeletedRows { rule, .. }) = flush.deleted.get() else { return };
        let mut end = usize::MAX;
        while end > 0 {
            self.copier.run(|| {
                let mut state = self.write();
                let row_max = self.tuning().memtable_step_row_count;
                end = state.active.remove_where(end, row_max, |table, row| table.is_covered(row, rule));
                RwLockWriteGuard::unlock_fair(state);
            });
        }
        // Records may be among them that take no more versions; the next batch notices again which ones stay.
        self.full_records.clear();
    }

    /// Whether a version would join a record that a deletion covers, or make it one: with parts, a record may be set up when
    /// none of its newest versions says so.
    pub fn joins_covered(&self, version: &Record<'_>, rule: &Deletion) -> bool {
        if !rule.covers_key(version.source(), version.session_id()) {
            return false;
        }
        let key = RecordKey {
            hash: version.key_hash(),
            source: version.source(),
            session_id: version.session_id(),
            day: version.day(),
        };
        self.read().joins_covered(&key, version, rule)
    }

    /// Segments that may have covered records, with their recorded tombstones.
    fn segments_that_may_have(&self, rule: &Deletion) -> Result<Vec<(Arc<Segment>, Arc<RowSet>)>> {
        let (range, state) = (rule.range(), self.read());
        let days = days_of(range.0, range.1);
        if let Some(unreadable) = state.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let entries = state.segments_of_days(days).filter(|entry| overlaps(entry.segment.summary.setup_range, range));
        Ok(entries.map(|entry| (Arc::clone(&entry.segment), Arc::clone(&entry.recorded_tombstones))).collect())
    }
}

impl State {
    fn joins_covered(&self, key: &RecordKey<'_>, version: &Record<'_>, rule: &Deletion) -> bool {
        let is_covered = |versions: &Versions| versions.with_merged(|merged| rule.covers(merged));
        let stored = self.find(key).into_iter().filter_map(|location| self.versions(&location));
        let stored: Vec<Versions> = stored.filter(|versions| versions.joinable_days().contains(&key.day)).collect();
        stored.iter().any(is_covered)
            || stored.into_iter().reduce(|one, other| one.join(&other)).is_some_and(|mut joined| {
                joined.add(version);
                is_covered(&joined)
            })
    }
}

impl DeletedRows {
    /// Positions of the active sessions to copy, without those that the deletion covers.
    pub(super) fn others(&self, table: &Memtable, rows: impl Iterator<Item = usize>) -> Vec<usize> {
        let (covered, others): (Vec<usize>, Vec<usize>) = rows.partition(|&row| table.is_covered(row, &self.rule));
        self.active.fetch_add(covered.len(), Ordering::Relaxed);
        others
    }
}

/// Rows without tombstone of a segment that a deletion covers.
fn covered_rows_of_segment(segment: &Segment, tombstones: &RowSet, rule: &Deletion, cancel: &CancelToken) -> Result<RowSet> {
    let names: &[&str] = if rule.session_ids.is_some() { &["source", "session_id"] } else { &["source"] };
    let few = |ids: &&HashSet<Arc<str>>| ids.len() <= segment.rows() / ROWS_PER_SESSION_ID_MIN;
    guard([segment], || match (rule.source.as_deref(), rule.session_ids.as_ref().filter(few)) {
        (Some(source), Some(ids)) => rows_of_ids(segment, tombstones, (source, ids), rule, cancel),
        _ => covered_rows(&segment.slice(&column_numbers(names), tombstones)?, rule, cancel),
    })
}

/// Looks the session ids of a deletion up in the index of a segment.
fn rows_of_ids(
    segment: &Segment, tombstones: &RowSet, (source, ids): (&str, &HashSet<Arc<str>>), rule: &Deletion, cancel: &CancelToken,
) -> Result<RowSet> {
    let (mut found, slice) = (RowSet::default(), segment.slice(&[], tombstones)?);
    for (step, id) in ids.iter().enumerate() {
        cancel.check_at(step)?;
        let is_covered = |row: &usize| rule.covers_setup(slice.setup_us[*row]) && !tombstones.contains(*row);
        let rows = segment.find(key_hash(source, id), source, id)?;
        rows.into_iter().filter(is_covered).for_each(|row| found.insert(row));
    }
    Ok(found)
}

/// Rows without tombstone of a slice that a deletion covers.
fn covered_rows(slice: &RecordSlice<'_>, rule: &Deletion, cancel: &CancelToken) -> Result<RowSet> {
    let (source, id) = (slice.fields.dictionaries[dictionary_slot::SOURCE], slice.fields.texts[text_slot::SESSION_ID]);
    let mut found = RowSet::default();
    for row in slice.rows.clone() {
        cancel.check_at(row)?;
        let is_wanted = |ids: &HashSet<Arc<str>>| ids.contains(id.get(row));
        if rule.covers_setup(slice.setup_us[row])
            && rule.source.as_deref().is_none_or(|wanted| source.text(row) == wanted)
            && rule.session_ids.as_ref().is_none_or(is_wanted)
            && !slice.tombstones.contains(row)
        {
            found.insert(row);
        }
    }
    Ok(found)
}

fn united(one: &RowSet, other: &RowSet) -> RowSet {
    let mut all = one.clone();
    all.add_all(other);
    all
}
