//! Late versions: a version of a record that the store already has, possibly in a segment.
//!
//! A version finds the rows of its key, merges with what they store (last-write-wins, see
//! `wire/versions.rs`), and the merged record replaces them:
//!
//! - a mutable memtable updates its row;
//! - a session that ends moves from the active memtable to that of finished records;
//! - **a late version replaces a record in a segment: the segment row gets a tombstone, the merged record
//!   goes to a mutable memtable.** The same holds for an immutable memtable. The next flush records the
//!   tombstone in the catalogue.

use std::slice;
use std::sync::Arc;

use super::BatchOutcome;
use super::memtable::{Memtable, RowMetadata};
use super::scrubbing::scrub_together;
use super::segment::{Segment, guard};
use super::state::{RecordKey, State};
use crate::columns::RecordColumns;
use crate::columns::row_set::RowSet;
use crate::error::Result;
use crate::record::schema::int_slot;
use crate::record::{Record, scrubbing};
use crate::wire::parts::part_order;
use crate::wire::versions::{Addition, Versions};

/// Where a record is stored; `number` is the index of its immutable memtable, or of its segment within the
/// day.
#[derive(PartialEq, Eq)]
pub enum RowLocation {
    Active(usize),
    Memtable(usize),
    Immutable { number: usize, row: usize },
    Segment { day: i64, number: usize, row: usize },
}

impl RowLocation {
    fn is_immutable(&self) -> bool {
        matches!(self, Self::Segment { .. } | Self::Immutable { .. })
    }
}

impl State {
    /// Merges versions of one key and day with the stored versions of the key, and replaces the record once; counts the
    /// effect of each version in `outcome`.
    pub fn apply_versions(&mut self, key: &RecordKey<'_>, versions: &[Record<'_>], received_us: i64, outcome: &mut BatchOutcome) {
        let locations = self.find(key);
        if let ([location], [version]) = (locations.as_slice(), versions)
            && self.is_only_version(location, version)
        {
            outcome.duplicates += 1;
            return;
        }
        let stored: Vec<(RowLocation, Versions)> = locations
            .into_iter()
            .filter_map(|location| self.versions(&location).map(|versions| (location, versions)))
            // A source may use a session id again: a version joins records at most one day from its own.
            .filter(|(_, versions)| versions.joinable_days().contains(&key.day))
            .collect();
        let (locations, mut stored): (Vec<_>, Vec<_>) = stored.into_iter().unzip();
        let texts = scrub_together(&self.scrubbing, &mut stored, versions);
        let scrubbed = scrubbing::in_place(versions, &texts);
        let versions = if texts.is_empty() { versions } else { &scrubbed };
        let Some((joined, is_change)) = joined_versions(stored, versions, outcome) else { return };
        if !is_change {
            return;
        }
        joined.with_merged(|record| {
            let versions = joined.to_bytes(record);
            self.note_size(key.hash, &joined, versions.as_deref());
            let metadata = RowMetadata { key_hash: key.hash, versions: versions.as_deref(), received_us };
            self.replace(locations, record, metadata);
        });
    }

    /// Notes how much the versions of a record take.
    pub(super) fn note_size(&self, key_hash: u64, versions: &Versions, encoded: Option<&[u8]>) {
        if let Some(bytes) = encoded {
            self.full_records.note(key_hash, versions.joinable_days(), bytes.len());
        }
    }

    /// Stores a merged record and removes the rows that it was merged from.
    pub(super) fn replace(&mut self, stored: Vec<RowLocation>, record: &Record<'_>, metadata: RowMetadata<'_>) {
        match (stored.as_slice(), record.is_finished()) {
            (&[RowLocation::Active(row)], false) => self.active.replace(row, record, metadata),
            (&[RowLocation::Memtable(row)], true) => self.memtable.replace(row, record, metadata),
            (_, finished) => {
                let was_immutable = stored.iter().any(RowLocation::is_immutable);
                self.reactivated |= was_immutable && !finished;
                self.remove_rows(stored.into_iter());
                let table = if finished { &mut self.memtable } else { &mut self.active };
                table.append(&RecordColumns::from_record(record), &[0], |_| metadata);
            }
        }
    }

    /// Finds the live rows of a key in memtables on any day, in segments on the days of [`State::days_of`];
    /// the caller drops those that a version may not join.
    pub fn find(&self, key: &RecordKey<'_>) -> Vec<RowLocation> {
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
                // The keys of a corrupt segment are unknown, so the version is stored as a separate record.
                // Reports of the day fail anyway.
                let Ok(rows) = entry.segment.find(key_hash, source, session_id) else { continue };
                let rows_to_rewrite = rows.into_iter().filter(|&row| !entry.tombstones.contains(row));
                locations.extend(rows_to_rewrite.map(|row| RowLocation::Segment { day, number, row }));
            }
        }
        locations
    }

    /// UTC days whose segments may have the record of a version: its own, the neighbouring ones, and those of
    /// segments that list the key among the keys with versions on several days.
    fn days_of(&self, key_hash: u64, day: i64) -> impl Iterator<Item = i64> {
        let has_multi_day_key = move |far_day: &&i64| {
            self.segments.get(far_day).into_iter().flatten().any(|entry| entry.segment.has_multi_day_key(key_hash))
        };
        let multi_day_key_days = self.multi_day_key_days.iter().filter(move |far_day| (**far_day - day).abs() > 1);
        (day - 1..=day + 1).chain(multi_day_key_days.filter(has_multi_day_key).copied())
    }

    /// Reads all versions that are stored in a row; `None` if the row is corrupt.
    pub(super) fn versions(&self, location: &RowLocation) -> Option<Versions> {
        let of_table = |table: &Memtable, row| Versions::of_row(&table.fields().record(row), table.versions(row));
        match *location {
            RowLocation::Active(row) => of_table(&self.active, row),
            RowLocation::Memtable(row) => of_table(&self.memtable, row),
            RowLocation::Immutable { number, row } => of_table(&self.immutable.get(number)?.table, row),
            RowLocation::Segment { day, number, row } => {
                let read = |record: &Record<'_>, versions: Option<&[u8]>| Versions::of_row(record, versions);
                read_row(&self.segments.get(&day)?.get(number)?.segment, row, read).ok()?
            }
        }
    }

    /// When the record of a row was last changed, microseconds UTC; `None` if the row is corrupt.
    pub(super) fn received_us(&self, location: &RowLocation) -> Option<i64> {
        match *location {
            RowLocation::Active(row) => Some(self.active.received_us(row)),
            RowLocation::Memtable(row) => Some(self.memtable.received_us(row)),
            RowLocation::Immutable { number, row } => Some(self.immutable.get(number)?.table.received_us(row)),
            RowLocation::Segment { day, number, row } => {
                let (segment, no_tombstones) = (&self.segments.get(&day)?.get(number)?.segment, RowSet::default());
                guard([&**segment], || Ok(segment.row(row, &no_tombstones)?.0.received_us[row])).ok()
            }
        }
    }

    /// Whether a row consists of exactly this version. A fast path: most versions of a replay are duplicates.
    fn is_only_version(&self, location: &RowLocation, version: &Record<'_>) -> bool {
        let in_table = |table: &Memtable, row| table.versions(row).is_none() && table.fields().record(row) == *version;
        match *location {
            RowLocation::Active(row) => in_table(&self.active, row),
            RowLocation::Memtable(row) => in_table(&self.memtable, row),
            RowLocation::Immutable { number, row } => {
                self.immutable.get(number).is_some_and(|immutable| in_table(&immutable.table, row))
            }
            RowLocation::Segment { day, number, row } => {
                self.segments.get(&day).and_then(|segments| segments.get(number)).is_some_and(|entry| {
                    read_row(&entry.segment, row, |record, versions| record == version && versions.is_none()).unwrap_or(false)
                })
            }
        }
    }

    /// Removes rows from mutable memtables, and gives those of immutable memtables and segments a tombstone.
    fn remove_rows(&mut self, locations: impl Iterator<Item = RowLocation>) {
        let (mut active, mut finished) = (Vec::new(), Vec::new());
        for location in locations {
            match location {
                RowLocation::Active(row) => active.push(row),
                RowLocation::Memtable(row) => finished.push(row),
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
        for (table, mut rows) in [(&mut self.active, active), (&mut self.memtable, finished)] {
            // In descending order, as `swap_remove` moves the last row to the removed index.
            rows.sort_unstable();
            rows.into_iter().rev().for_each(|row| table.swap_remove(row));
        }
    }
}

/// Reads one row of a segment: the record and its encoded versions.
///
/// # Errors
/// `Damaged` if the row fails a checksum or the file changed: what was read must then not replace the row.
fn read_row<T>(segment: &Segment, row: usize, read: impl FnOnce(&Record<'_>, Option<&[u8]>) -> T) -> Result<T> {
    let no_tombstones = RowSet::default();
    guard([segment], || {
        let (slice, versions) = segment.row(row, &no_tombstones)?;
        Ok(read(&slice.fields.record(row), versions))
    })
}

/// Adds the one version `added` to the stored states that it belongs to, for a store outside the core; returns the state
/// that replaces them, and as which this version counts.
pub fn join_version(stored: Vec<Versions>, added: &Versions) -> (Versions, BatchOutcome) {
    let mut outcome = BatchOutcome::default();
    let joined = added.with_merged(|version| joined_versions(stored, slice::from_ref(version), &mut outcome));
    (joined.map_or_else(|| added.clone(), |(joined, _)| joined), outcome)
}

/// Joins states that are stored apart, then adds versions of one day, which are in the order of arrival. Returns the state, and
/// whether it must be stored; `None` if both lists are empty.
pub fn joined_versions(stored: Vec<Versions>, versions: &[Record<'_>], outcome: &mut BatchOutcome) -> Option<(Versions, bool)> {
    let is_apart = stored.len() > 1;
    let mut joined = stored.into_iter().reduce(|one, other| one.join(&other));
    // The first version changes records that were apart until it came, and a record that has no version of its day, even if
    // it changes no field.
    let is_first_new =
        is_apart || joined.as_ref().zip(versions.first()).is_some_and(|(joined, first)| !joined.spans(first.day()));
    let mut is_change = is_apart;
    for index in by_part(versions) {
        let version = &versions[index];
        let Some(joined) = &mut joined else {
            outcome.accepted += 1;
            joined = Some(Versions::of(version));
            is_change = true;
            continue;
        };
        let Addition { changes_layers, differences } = joined.add(version);
        let is_new = changes_layers || is_first_new && index == 0;
        outcome.replaced += usize::from(is_new);
        outcome.duplicates += usize::from(!is_new);
        outcome.outranked += usize::from(!is_new && differences.is_other_content);
        outcome.suspected_reuse += usize::from(differences.is_other_call);
        is_change |= is_new;
    }
    joined.map(|joined| (joined, is_change))
}

/// Returns the positions of versions in the order in which their record has its parts, so that most are appended to it. Those
/// of one part stay in the order of arrival, so that each counts as if they came one by one.
fn by_part(versions: &[Record<'_>]) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..versions.len()).collect();
    positions.sort_by_key(|&position| part_order(versions[position].ints[int_slot::PART]));
    positions
}
