//! Commits a batch of corrections, or one of a writer that reaches only some records.
//!
//! Which versions they are, and which are rejected, depends on the records that the store holds. So they are resolved under
//! the lock of the journal, after all batches that were queued before. The journal gets the versions: a replay knows nothing
//! of corrections and writers.

use super::*;
use crate::storage::{ResolvedVersion, SourceOutcome};

impl JournaledStore {
    /// Resolves a batch, makes its versions durable, and applies them. If there are none, nothing is written.
    ///
    /// # Errors
    /// `ReadOnly`, also if batches that were refused may be durable, or another error of the journal; the batch is
    /// not applied then.
    pub(super) fn commit_resolved(
        &self, writer: &mut JournalWriter, pending: &PendingCommit, resolution: &PendingResolution,
    ) -> Result<()> {
        // What a panic left in memory says nothing about the records.
        writer.require_whole_memory()?;
        writer.require_no_refused_frames()?;
        let resolved = self.store.resolve(&pending.batch, resolution.corrects, resolution.writer.as_deref());
        let versions: Vec<Record<'_>> = resolved.versions.iter().map(ResolvedVersion::record).collect();
        let mut outcome = BatchOutcome::default();
        if !versions.is_empty() {
            let batch = ColumnarBatch::from_records(&versions, self.store.tuning().batch_dictionary_row_count_min)?;
            let frame = Frame { received_us: pending.received_us, batch: &batch.to_journal()? }.to_bytes();
            self.append(writer, &[&frame])?;
            outcome = self.apply(pending, &batch);
        }
        outcome.duplicates += resolved.duplicates.len();
        let fields = pending.batch.fields();
        let one = BatchOutcome { duplicates: 1, ..BatchOutcome::default() };
        let duplicate = |&row: &usize| SourceOutcome { source: fields.key(row).0, outcome: one, last_setup_us: None };
        let duplicates: Vec<_> = resolved.duplicates.iter().map(duplicate).collect();
        self.sources.note_written(&duplicates, pending.received_us);
        if !resolved.rejected.is_empty() {
            // Cannot fail: a batch is committed once.
            let rejected = resolved.rejected.into_iter().map(|(row, rejection)| (row, fields.key(row).0, rejection));
            drop(resolution.rejected.set(pending.batch.rejected.with_rows(rejected.collect())));
        }
        self.succeed(pending, outcome);
        Ok(())
    }
}
