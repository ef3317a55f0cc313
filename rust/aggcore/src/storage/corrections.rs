//! Resolves batches whose versions depend on what the store holds: corrections, of which it decides which versions they are,
//! and whether they are any; and records of a writer that reaches only some records, which must not join others.
//!
//! The caller applies the versions before it resolves further corrections, so that no version comes between.

use std::collections::BTreeMap;
use std::slice;

use super::late_versions::{RowLocation, join_version};
use super::scrubbing::scrub_together;
use super::state::{State, key_of};
use super::{BatchOutcome, Store};
use crate::columns::RecordColumns;
use crate::record::data_scope::DataScope;
use crate::record::schema::{ABSENT, int_slot};
use crate::record::scrubbing::{ScrubbedTexts, Scrubbing};
use crate::record::{Record, Rejection, US_PER_DAY};
use crate::wire::columnar_batch::ColumnarBatch;
use crate::wire::corrections::{Held, corrected};
use crate::wire::parts::part_order;
use crate::wire::versions::Versions;

/// Corrections of one record in a batch. Each may move all parts after its own, under the lock of the journal.
pub const CORRECTIONS_OF_RECORD_MAX: usize = 10_000;

/// What the records of a batch turned out to be.
#[derive(Default)]
pub struct ResolvedBatch<'a> {
    /// The versions to apply, in the order of the batch.
    pub versions: Vec<ResolvedVersion<'a>>,
    /// Corrections that change nothing, each by its row in the batch.
    pub duplicates: Vec<usize>,
    /// Records that cannot be taken, each by its row in the batch, ascending.
    pub rejected: Vec<(usize, Rejection)>,
}

/// The version that a record or a correction is.
pub struct ResolvedVersion<'a> {
    /// Its row in the batch.
    row: usize,
    record: Record<'a>,
    /// Texts in place of its own: of another day than the record, it may have come unmasked.
    texts: Option<ScrubbedTexts>,
}

impl ResolvedVersion<'_> {
    /// The version.
    pub fn record(&self) -> Record<'_> {
        self.texts.as_ref().map_or_else(|| self.record.clone(), |texts| texts.in_place(&self.record))
    }
}

impl Store {
    /// Resolves a batch, of corrections if it `corrects`, as if its records were written one after the other. Those that would
    /// join a held record which the `writer` does not reach are rejected.
    pub fn resolve<'a>(&self, batch: &'a ColumnarBatch, corrects: bool, writer: Option<&DataScope>) -> ResolvedBatch<'a> {
        self.prefetch_bloom_filters(batch);
        let resolved = self.read().resolve(batch, corrects, writer);
        self.check_searches(batch);
        resolved
    }
}

impl State {
    fn resolve<'a>(&self, batch: &'a ColumnarBatch, corrects: bool, writer: Option<&DataScope>) -> ResolvedBatch<'a> {
        let fields = batch.fields();
        let mut rows: Vec<usize> = (0..batch.rows()).collect();
        rows.sort_by_key(|&row| (batch.key_hash[row], fields.key(row)));
        let mut resolved = ResolvedBatch::default();
        for rows in rows.chunk_by(|&one, &next| fields.key(one) == fields.key(next)) {
            let count = if corrects { rows.len().min(CORRECTIONS_OF_RECORD_MAX) } else { rows.len() };
            let (rows, further) = rows.split_at(count);
            let mut held = self.versions_near(batch, rows);
            for row in in_part_order(&fields, rows) {
                let record = fields.record(row);
                match writer {
                    Some(writer) if joins_outside(&record, &held, writer) => {
                        resolved.rejected.push((row, Rejection::outside_data_scope()))
                    }
                    _ if corrects => resolved.add(row, record, &mut held, &self.scrubbing),
                    _ => resolved.versions.push(ResolvedVersion { row, record, texts: None }),
                }
            }
            resolved
                .rejected
                .extend(further.iter().map(|&row| (row, Rejection::too_many_corrections(CORRECTIONS_OF_RECORD_MAX))));
        }
        resolved.versions.sort_by_key(|version| version.row);
        resolved.rejected.sort_by_key(|(row, _)| *row);
        resolved
    }

    /// Reads the states of the records that versions of one key may join.
    fn versions_near(&self, batch: &ColumnarBatch, rows: &[usize]) -> Vec<Versions> {
        let fields = batch.fields();
        let row_of_day: BTreeMap<i64, usize> = rows.iter().map(|&row| (key_of(batch, &fields, row).day, row)).collect();
        let mut locations: Vec<RowLocation> = Vec::new();
        for row in row_of_day.into_values() {
            // Corrections of several days may find the same record.
            let found = self.find(&key_of(batch, &fields, row));
            locations.extend(found.into_iter().filter(|location| !locations.contains(location)).collect::<Vec<_>>());
        }
        locations.iter().filter_map(|location| self.versions(location)).collect()
    }
}

impl<'a> ResolvedBatch<'a> {
    /// Resolves a correction, and adds it to the states of its key as writing it would.
    fn add(&mut self, row: usize, record: Record<'a>, held: &mut Vec<Versions>, scrubbing: &Scrubbing) {
        let mut joined: Vec<Versions> =
            held.extract_if(.., |versions| versions.joinable_days().contains(&record.day())).collect();
        let texts = scrub_together(scrubbing, &mut joined, slice::from_ref(&record)).pop().flatten();
        let correction = texts.as_ref().map_or_else(|| record.clone(), |texts| texts.in_place(&record));
        match corrected(Held::join(&joined).as_ref(), &correction) {
            Ok(Some(version)) => {
                let record = Record { ints: version.ints, strings: record.strings };
                held.push(added(joined, &version));
                self.versions.push(ResolvedVersion { row, record, texts });
                return;
            }
            Ok(None) => self.duplicates.push(row),
            Err(rejection) => self.rejected.push((row, rejection)),
        }
        held.extend(joined);
    }
}

/// Whether a version would join a held record that a writer does not reach.
fn joins_outside(version: &Record<'_>, held: &[Versions], writer: &DataScope) -> bool {
    let joined = held.iter().filter(|versions| versions.joinable_days().contains(&version.day()));
    joined.into_iter().any(|versions| versions.with_merged(|merged| writer.outside(merged).is_some()))
}

/// Adds a version to the states that it joins, without a copy of the only one.
fn added(joined: Vec<Versions>, version: &Record<'_>) -> Versions {
    let state = joined.into_iter().reduce(|one, other| one.join(&other));
    let Some(mut state) = state else { return Versions::of(version) };
    state.add(version);
    state
}

/// Orders the corrections of one day by their parts, so that most are appended to what is held; those of one part stay in
/// the order of arrival. Those of several days, or some without a part, stay as they are: each decides about the next one.
fn in_part_order(fields: &RecordColumns<'_>, rows: &[usize]) -> Vec<usize> {
    let mut ordered = rows.to_vec();
    let day = |row: usize| fields.ints[int_slot::SETUP_TIME].get(row).div_euclid(US_PER_DAY);
    let part = |row: usize| fields.ints[int_slot::PART].get(row);
    if rows.iter().all(|&row| part(row) != ABSENT && day(row) == day(rows[0])) {
        ordered.sort_by_key(|&row| part_order(part(row)));
    }
    ordered
}

/// Adds a correction to the stored states that it belongs to, for a store outside the core; returns the state that replaces
/// them, and as which the correction counts.
///
/// # Errors
/// As [`corrected`].
pub fn join_correction(stored: Vec<Versions>, correction: &Versions) -> Result<(Versions, BatchOutcome), Rejection> {
    let version =
        correction.with_merged(|record| Ok(corrected(Held::join(&stored).as_ref(), record)?.as_ref().map(Versions::of)))?;
    Ok(match version {
        Some(version) => join_version(stored, &version),
        None => {
            let duplicate = BatchOutcome { duplicates: 1, ..BatchOutcome::default() };
            // A duplicate belongs to one state.
            (stored.into_iter().next().unwrap_or_else(|| correction.clone()), duplicate)
        }
    })
}
