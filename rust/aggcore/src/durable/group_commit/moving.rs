//! Takes the records of an archive, past the queue and the journal.

use super::*;
use crate::record::{RejectReason, Rejection};
use crate::wire::stored_records::StoredRecords;

impl JournaledStore {
    /// Joins the records of a piece of an archive, and returns what became of them, and of how many a deletion, and of how
    /// many retention leaves out: those set up before `oldest_us` (microseconds UTC), unless they are active.
    ///
    /// The journal does not get them: the caller is the only writer, and begins a flush with an active snapshot before it
    /// closes the store.
    ///
    /// # Errors
    /// `Damaged` if the bytes are not a piece of an archive.
    pub fn join_stored(&self, piece: &[u8], oldest_us: i64) -> Result<(BatchOutcome, usize, usize)> {
        let checked = self.queue.lock().rules();
        let reject = |record: &Record<'_>| {
            let is_old = record.setup_us() < oldest_us && record.is_finished() && !self.store.is_active(record);
            checked.rules.rejection(record).or_else(|| is_old.then(Rejection::before_retention))
        };
        let row_count_min = self.store.tuning().batch_dictionary_row_count_min;
        let stored = StoredRecords::decode(piece, &checked.scrubbing, row_count_min, reject)?;
        let outcome = self.store.join_stored(&stored);
        let deleted = stored.rejected.iter().filter(|(_, rejection)| rejection.reason == RejectReason::Deleted).count();
        Ok((outcome, deleted, stored.rejected.len() - deleted))
    }
}
