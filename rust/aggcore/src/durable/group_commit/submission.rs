//! Takes a batch: decodes it, checks its records, and enqueues it for the next commit.

use super::*;
use crate::record::Rejection;
use crate::record::deletion;

impl JournaledStore {
    /// Decodes a `WriteRecordsRequest` and enqueues it for the next commit; [`JournaledStore::wait`] returns
    /// its outcome. Rejects records set up before `oldest_us` (microseconds UTC), unless their session is
    /// still active, versions of records that have too many, those that a deletion covers, and records that break a rule
    /// for new ones, unless the batch says that they were stored before. With a `writer`, those that would join a held record
    /// outside of what it reaches are rejected when the batch is committed.
    ///
    /// Back-pressure: while the queue is full, the caller commits a group before it enqueues its batch.
    ///
    /// # Errors
    /// `MalformedBatch`, `BatchLimit` or `BatchIdLength`.
    pub fn submit(
        &self, bytes: &[u8], received_us: i64, oldest_us: i64, writer: Option<&Arc<DataScope>>,
    ) -> Result<Arc<PendingCommit>> {
        let outline = wire::outline(bytes, self.limits.batch)?;
        loop {
            let checked = self.queue.lock().rules();
            let reject = |record: &Record<'_>| {
                outline.rejection(record, &self.rules).or_else(|| self.rejection(record, oldest_us, &checked.rules))
            };
            let pending = Arc::new(self.decode(bytes, received_us, (outline.corrects, writer), &checked.scrubbing, reject)?);
            if pending.outcome.get().is_some() {
                self.sources.note_rejected(&pending.batch.rejected);
                return Ok(pending);
            }
            loop {
                // Not in the condition, whose lock would last for the arms.
                let push = self.queue.lock().try_push(&pending, self.limits.waiting_bytes, &checked);
                match push {
                    Push::Appended => return Ok(pending),
                    Push::Full => drop(self.commit_group()),
                    Push::OtherRules => break,
                }
            }
        }
    }

    /// Decodes a batch; one without valid records has its outcome already.
    fn decode(
        &self, bytes: &[u8], received_us: i64, (corrects, writer): (bool, Option<&Arc<DataScope>>), scrubbing: &Scrubbing,
        reject: impl Fn(&Record<'_>) -> Option<Rejection>,
    ) -> Result<PendingCommit> {
        let batch = ColumnarBatch::from_wire(bytes, self.store.tuning().batch_dictionary_row_count_min, scrubbing, reject)?;
        let is_empty = batch.rows() == 0;
        let mut frame = if is_empty { Vec::new() } else { Frame { received_us, batch: &batch.to_journal()? }.to_bytes() };
        let frame_bytes = frame.len();
        let is_resolved_later = corrects || writer.is_some();
        let resolution =
            is_resolved_later.then(|| PendingResolution { corrects, writer: writer.cloned(), rejected: OnceLock::new() });
        if is_resolved_later {
            frame = Vec::new();
        }
        let outcome = OnceLock::new();
        let pending = PendingCommit { batch, received_us, frame, frame_bytes, resolution, outcome };
        if is_empty {
            pending.finish(Ok(BatchOutcome::default()));
        }
        Ok(pending)
    }

    /// Why the store as it is does not take a valid record.
    fn rejection(&self, record: &Record<'_>, oldest_us: i64, deletions: &DeletionRules) -> Option<Rejection> {
        if let Some(rejection) = deletions.rejection(record) {
            return Some(rejection);
        }
        if let Some(rule) = deletions.in_progress()
            && self.store.joins_covered(record, rule)
        {
            return Some(deletion::rejection_by(rule.rule_id));
        }
        if record.setup_us() < oldest_us && !self.store.is_active(record) {
            return Some(Rejection::before_retention());
        }
        self.store.exceeded_versions_limit(record).map(Rejection::too_many_parts)
    }
}
