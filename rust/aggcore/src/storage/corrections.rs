//! Resolves corrections: what the store holds decides which versions they are, and whether they are any.
//!
//! The caller applies the versions before it resolves further corrections, so that no version comes between.

use super::late_versions::{RowLocation, join_version};
use super::state::{State, key_of};
use super::{BatchOutcome, Store};
use crate::record::{Record, Rejection};
use crate::wire::columnar_batch::ColumnarBatch;
use crate::wire::corrections::corrected;
use crate::wire::versions::Versions;

/// What the corrections of a batch turned out to be.
#[derive(Default)]
pub struct ResolvedCorrections<'a> {
    /// The versions to apply, each with its row in the batch, ascending.
    pub versions: Vec<(usize, Record<'a>)>,
    /// Corrections that change nothing.
    pub duplicates: usize,
    /// Corrections that cannot be made, each by its row in the batch, ascending.
    pub rejected: Vec<(usize, Rejection)>,
}

impl Store {
    /// Resolves a batch of corrections, as if they were written one after the other.
    pub fn resolve_corrections<'a>(&self, batch: &'a ColumnarBatch) -> ResolvedCorrections<'a> {
        self.prefetch_bloom_filters(batch);
        let resolved = self.read().resolve_corrections(batch);
        self.check_searches(batch);
        resolved
    }
}

impl State {
    fn resolve_corrections<'a>(&self, batch: &'a ColumnarBatch) -> ResolvedCorrections<'a> {
        let fields = batch.fields();
        let mut rows: Vec<usize> = (0..batch.rows()).collect();
        rows.sort_by_key(|&row| (batch.key_hash[row], fields.key(row)));
        let mut resolved = ResolvedCorrections::default();
        for rows in rows.chunk_by(|&one, &next| fields.key(one) == fields.key(next)) {
            let mut held = self.versions_near(batch, rows);
            for &row in rows {
                resolved.add(row, fields.record(row), &mut held);
            }
        }
        resolved.versions.sort_by_key(|(row, _)| *row);
        resolved.rejected.sort_by_key(|(row, _)| *row);
        resolved
    }

    /// Reads the states of the records that versions of one key may join.
    fn versions_near(&self, batch: &ColumnarBatch, rows: &[usize]) -> Vec<Versions> {
        let fields = batch.fields();
        let mut locations: Vec<RowLocation> = Vec::new();
        for &row in rows {
            // Corrections of several days may find the same record.
            let found = self.find(&key_of(batch, &fields, row));
            locations.extend(found.into_iter().filter(|location| !locations.contains(location)).collect::<Vec<_>>());
        }
        locations.iter().filter_map(|location| self.versions(location)).collect()
    }
}

impl<'a> ResolvedCorrections<'a> {
    /// Resolves a correction, and adds it to the states of its key as writing it would.
    fn add(&mut self, row: usize, correction: Record<'a>, held: &mut Vec<Versions>) {
        let joined: Vec<Versions> =
            held.extract_if(.., |versions| versions.joinable_days().contains(&correction.day())).collect();
        match corrected(&joined, &correction) {
            Ok(Some(version)) => {
                held.push(join_version(joined, &Versions::of(&version)).0);
                self.versions.push((row, version));
                return;
            }
            Ok(None) => self.duplicates += 1,
            Err(rejection) => self.rejected.push((row, rejection)),
        }
        held.extend(joined);
    }
}

/// Adds a correction to the stored states that it belongs to, for a store outside the core; returns the state that replaces
/// them, and as which the correction counts.
///
/// # Errors
/// As [`corrected`].
pub fn join_correction(stored: Vec<Versions>, correction: &Versions) -> Result<(Versions, BatchOutcome), Rejection> {
    let version = correction.with_merged(|record| Ok(corrected(&stored, record)?.as_ref().map(Versions::of)))?;
    Ok(match version {
        Some(version) => join_version(stored, &version),
        None => {
            let duplicate = BatchOutcome { duplicates: 1, ..BatchOutcome::default() };
            // A duplicate belongs to one state.
            (stored.into_iter().next().unwrap_or_else(|| correction.clone()), duplicate)
        }
    })
}
