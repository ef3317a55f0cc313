//! The queue of batches that wait for a commit, and the back-pressure when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::storage::BatchOutcome;
use crate::wire::columnar_batch::ColumnarBatch;

/// Bytes of batches that one flush takes: as much again may wait while it runs.
const GROUP_BYTES: usize = 8 << 20;

/// A batch on its way to the disk.
pub struct PendingCommit {
    /// The batch, with what of it was rejected.
    pub batch: ColumnarBatch,
    pub(super) received_us: i64,
    pub(super) frame: Vec<u8>,
    pub(super) outcome: OnceLock<std::result::Result<BatchOutcome, String>>,
}

impl PendingCommit {
    pub(super) fn finish(&self, outcome: std::result::Result<BatchOutcome, String>) {
        // Set once, by whoever took it out of the queue.
        drop(self.outcome.set(outcome));
    }
}

#[derive(Default)]
pub struct CommitQueue {
    batches: VecDeque<Arc<PendingCommit>>,
    bytes: usize,
}

impl CommitQueue {
    /// Puts a batch into the queue if there is room.
    pub fn try_push(&mut self, pending: &Arc<PendingCommit>, waiting_bytes: usize) -> bool {
        let bytes = self.bytes + pending.frame.len();
        let has_room = bytes <= waiting_bytes || self.batches.is_empty();
        if has_room {
            self.bytes = bytes;
            self.batches.push_back(Arc::clone(pending));
        }
        has_room
    }

    pub fn take_group(&mut self) -> Vec<Arc<PendingCommit>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < GROUP_BYTES
            && let Some(pending) = self.batches.pop_front()
        {
            bytes += pending.frame.len();
            group.push(pending);
        }
        self.bytes -= bytes;
        group
    }
}
