//! Moving: passes stored records with all their versions on to an archive, and joins those of an archive.
//!
//! A state is joined as a late version is (`late_versions.rs`), but with all its versions at once: so nothing counts anew
//! that the other store had, and to join an archive twice changes nothing. No journal has what was joined, until a flush
//! writes it: whoever joins must be the only writer, and flushes with an active snapshot before it tells of success.

use super::export::ExportCursor;
use super::late_versions::RowLocation;
use super::memtable::{Memtable, RowMetadata};
use super::segment::guard;
use super::state::{RecordKey, SegmentEntry, State, key_of};
use super::{BatchOutcome, Store};
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, int_slot};
use crate::record::scrubbing::Scrubbing;
use crate::wire::stored_records::{StoredRecords, StoredState, encode_stored};
use crate::wire::versions::Versions;

/// Records as a piece of an archive, how many they are, and the cursor after them.
pub type StoredStep = (Vec<u8>, usize, ExportCursor);

impl Store {
    /// Encodes the next records, at most `row_max` of them, scrubbed, as a piece of an archive; `None` at the end.
    ///
    /// The cursor is valid only while nothing changes the store, and immutable memtables are skipped: use it on a store that
    /// was opened for reading.
    ///
    /// # Errors
    /// `Damaged` if a segment is unreadable, fails a checksum or changes meanwhile.
    pub fn stored_records(&self, cursor: ExportCursor, row_max: usize) -> Result<Option<StoredStep>> {
        let no_tombstones = RowSet::default();
        let state = self.read();
        if let Some(unreadable) = state.unreadable.first() {
            return Err(unreadable.error());
        }
        let entries: Vec<&SegmentEntry> = state.segments.values().flatten().collect();
        let (mut number, mut start) = cursor;
        loop {
            let piece = |slice: &RecordSlice<'_>, versions: &dyn Fn(usize) -> Option<Vec<u8>>| {
                next_piece(slice, versions, start, row_max, &state.scrubbing)
            };
            let of_table = |table: &Memtable| piece(&table.slice(&no_tombstones), &|row| table.versions(row).map(<[u8]>::to_vec));
            let found = match number {
                0 => of_table(&state.active)?,
                1 => of_table(&state.memtable)?,
                _ => match entries.get(number - 2) {
                    None => return Ok(None),
                    Some(SegmentEntry { segment, tombstones, .. }) => guard([&**segment], || {
                        let versions = |row| segment.versions(row).map(<[u8]>::to_vec);
                        piece(&segment.verified_slice(tombstones)?, &versions)
                    })?,
                },
            };
            if let Some((bytes, rows, next)) = found {
                return Ok(Some((bytes, rows, (number, next))));
            }
            (number, start) = (number + 1, 0);
        }
    }

    /// Joins records of another store, which are scrubbed. The next flush writes an active snapshot.
    pub fn join_stored(&self, stored: &StoredRecords) -> BatchOutcome {
        self.prefetch_bloom_filters(&stored.records);
        let outcome = self.write().join_stored(stored);
        self.check_searches(&stored.records);
        outcome
    }
}

impl State {
    fn join_stored(&mut self, stored: &StoredRecords) -> BatchOutcome {
        let (batch, fields) = (&stored.records, stored.records.fields());
        let (new, held) = self.split_new_keys(batch, &fields);
        let is_joined = |row: &usize| !self.joined_by(&key_of(batch, &fields, *row), &stored.states[*row]).is_empty();
        // Of a key that another record of the batch has too, or that versions on other days have.
        let (later, new): (Vec<usize>, Vec<usize>) = new.into_iter().partition(is_joined);
        let is_finished = |row: &usize| fields.ints[int_slot::END_TIME].get(*row) != ABSENT;
        let (finished, active): (Vec<usize>, Vec<usize>) = new.iter().partition(|row| is_finished(row));
        let metadata = |row: usize| {
            let StoredState { encoded, received_us, .. } = &stored.states[row];
            RowMetadata { key_hash: batch.key_hash[row], versions: encoded.as_deref(), received_us: *received_us }
        };
        self.memtable.append(&fields, &finished, metadata);
        self.active.append(&fields, &active, metadata);
        new.iter().for_each(|&row| {
            self.note_size(batch.key_hash[row], &stored.states[row].versions, stored.states[row].encoded.as_deref())
        });
        let mut outcome = BatchOutcome { accepted: new.len(), ..BatchOutcome::default() };
        for row in later.into_iter().chain(held) {
            self.join_one(&key_of(batch, &fields, row), &stored.states[row], &mut outcome);
        }
        // A session that ends here is active in the last snapshot, and no journal says that it ended.
        self.reactivated |= outcome.accepted + outcome.replaced > 0;
        outcome
    }

    /// Where the records are that a state belongs to.
    fn joined_by(&self, key: &RecordKey<'_>, stored: &StoredState) -> Vec<(RowLocation, Versions)> {
        let (first, last) = stored.versions.days();
        let mut found: Vec<(RowLocation, Versions)> = Vec::new();
        for day in first..=last {
            for location in self.find(&RecordKey { day, ..*key }) {
                if found.iter().all(|(other, _)| *other != location)
                    && let Some(versions) = self.versions(&location)
                    && first <= versions.days().1 + 1
                    && last >= versions.days().0 - 1
                {
                    found.push((location, versions));
                }
            }
        }
        found
    }

    fn join_one(&mut self, key: &RecordKey<'_>, stored: &StoredState, outcome: &mut BatchOutcome) {
        let (locations, mut states): (Vec<_>, Vec<_>) = self.joined_by(key, stored).into_iter().unzip();
        let mut joined = stored.versions.clone();
        let is_masked = [&joined].into_iter().chain(&states).any(|state| self.scrubbing.masks_day(state.first_day()));
        states.iter_mut().chain([&mut joined]).for_each(|state| state.scrub_as(&self.scrubbing, is_masked));
        match states.into_iter().reduce(|one, other| one.join(&other)) {
            None => outcome.accepted += 1,
            Some(held) => {
                joined = held.join(&joined);
                if joined == held && locations.len() == 1 {
                    outcome.duplicates += 1;
                    return;
                }
                outcome.replaced += 1;
            }
        }
        let received = locations.iter().filter_map(|location| self.received_us(location));
        let received_us = received.chain([stored.received_us]).max().unwrap_or(stored.received_us);
        joined.with_merged(|record| {
            let versions = joined.to_bytes(record);
            self.note_size(key.hash, &joined, versions.as_deref());
            self.replace(locations, record, RowMetadata { key_hash: key.hash, versions: versions.as_deref(), received_us });
        });
    }
}

/// Encodes at most `row_max` rows of a slice from row `start` on; returns the bytes, the number of rows, and the row after
/// them, `None` if none is left.
fn next_piece(
    slice: &RecordSlice<'_>, versions: &dyn Fn(usize) -> Option<Vec<u8>>, start: usize, row_max: usize, scrubbing: &Scrubbing,
) -> Result<Option<(Vec<u8>, usize, usize)>> {
    let (mut piece, mut count, mut next) = (Vec::new(), 0, start);
    for row in (start..slice.rows.end).filter(|row| !slice.tombstones.contains(*row)).take(row_max.max(1)) {
        let (record, encoded, received_us) = (slice.fields.record(row), versions(row), slice.received_us[row]);
        if scrubbing.is_idle() {
            encode_stored(&record, encoded.as_deref(), received_us, &mut piece);
        } else {
            let state = Versions::of_row(&record, encoded.as_deref());
            let mut state = state.ok_or_else(|| Error::damaged("a record".as_ref(), "its versions are malformed"))?;
            state.scrub(scrubbing);
            state.with_merged(|record| encode_stored(record, state.to_bytes(record).as_deref(), received_us, &mut piece));
        }
        (count, next) = (count + 1, row + 1);
    }
    Ok((count > 0).then_some((piece, count, next)))
}
