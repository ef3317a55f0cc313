//! Rewrites the live rows of one home day: deletions and scrubbing.

use super::block_rows::{BlockRows, RowOrigin};
use super::live_rows::{LiveRow, LiveRows};
use super::rules::LedgerRules;
use crate::error::Result;
use crate::record::deletion::Deletion;
use crate::record::scrubbing::Scrubbing;
use crate::storage::scrubbed_state;

/// What a rewriter inserts.
pub struct LedgerRewrite {
    /// Native block, with the marker.
    pub rows: Vec<u8>,
    /// Records that the deletion covers.
    pub removed: usize,
    /// Records that scrubbing changes.
    pub changed: usize,
}

/// The commit of a rewriter.
#[derive(Clone, Copy, Debug)]
pub struct RewriteCommit {
    /// Home day.
    pub day: i64,
    /// Number of the commit.
    pub seq: u64,
    /// What marks it as that of this writer.
    pub nonce: u64,
}

/// Removes the live rows that a deletion covers, and scrubs the others.
///
/// # Errors
/// `MalformedBlock`, or `Damaged` if a row contradicts itself or is of another home day.
pub fn rewrite_rows(
    rows: &[u8], rules: &LedgerRules, deletion: Option<&Deletion>, commit: RewriteCommit,
) -> Result<LedgerRewrite> {
    let (rows, mut block, mut removed, mut changed) = (LiveRows::read(rows)?, BlockRows::new(), 0, 0);
    for row in rows.rows() {
        let row = row?;
        if row.day() != commit.day {
            return Err(row.damaged(&format!("its home day is not {}", commit.day)));
        }
        let record = row.record()?;
        if deletion.is_some_and(|deletion| deletion.covers(&record)) {
            block.remove(row);
            removed += 1;
        } else if scrub(row, &rules.scrubbing, &mut block, commit.seq)? {
            changed += 1;
        }
    }
    Ok(LedgerRewrite { rows: block.finish(commit.day, commit.seq, commit.nonce)?, removed, changed })
}

/// Replaces a row by its scrubbed form; returns whether that differs.
fn scrub(row: LiveRow<'_>, scrubbing: &Scrubbing, block: &mut BlockRows, seq: u64) -> Result<bool> {
    if scrubbing.is_idle() {
        return Ok(false);
    }
    let record = row.record()?;
    row.state(&record)?;
    let Some(state) = scrubbed_state(scrubbing, &record, row.versions(), scrubbing.masks_day(row.days().0)) else {
        return Ok(false);
    };
    block.remove(row);
    state.with_merged(|record| {
        let versions = state.to_bytes(record).unwrap_or_default();
        let (day, days, key_hash, received_us) = (row.day(), row.days(), row.key_hash(), row.received_us());
        block.add(record, &RowOrigin { day, days, key_hash, seq, received_us, versions: &versions });
    });
    Ok(true)
}

/// Counts the live rows that have a number to erase, in any version.
///
/// # Errors
/// `MalformedBlock`, or `Damaged` if a row contradicts itself.
pub fn count_parties(rows: &[u8], scrubbing: &Scrubbing) -> Result<usize> {
    let (rows, mut count) = (LiveRows::read(rows)?, 0);
    for row in rows.rows() {
        let row = row?;
        let record = row.record()?;
        count += usize::from(row.state(&record)?.has_erased(scrubbing));
    }
    Ok(count)
}
