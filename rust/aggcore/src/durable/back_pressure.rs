//! Back-pressure: a bounded queue of batches that wait for a commit.
//!
//! The queue is bounded by the bytes of its frames; those of a correction are estimated. When it is full, [`CommitQueue::try_push`] refuses the
//! batch and the caller commits a group itself before it tries again, so that clients cannot fill the memory
//! faster than the disk takes the journal.
//!
//! Two more limits slow writers down, in Python: finished records in memory (`store/embedded.py`) and batches in
//! flight per stream (`server/batch_stream.py`).

use std::collections::VecDeque;
use std::sync::Arc;

use super::sync::OnceLock;
use crate::record::data_scope::DataScope;
use crate::record::deletion::DeletionRules;
use crate::record::scrubbing::Scrubbing;
use crate::storage::BatchOutcome;
use crate::wire::Rejections;
use crate::wire::columnar_batch::ColumnarBatch;

/// A batch between its arrival and its commit.
pub struct PendingCommit {
    /// The accepted records of the batch, and those that were rejected before it was enqueued.
    pub batch: ColumnarBatch,
    pub(super) received_us: i64,
    /// The batch as the journal stores it; empty if its versions are known only when they are committed.
    pub(super) frame: Vec<u8>,
    /// Bytes of the frame, or about as many as it will have.
    pub(super) frame_bytes: usize,
    /// Set for a batch whose versions depend on the records that are held when it is committed.
    pub(super) resolution: Option<PendingResolution>,
    /// Set once the batch is durable and applied, or has failed.
    pub(super) outcome: OnceLock<std::result::Result<BatchOutcome, String>>,
}

/// How a batch is resolved when it is committed, and what becomes known of it then.
pub struct PendingResolution {
    /// Whether its records are corrections.
    pub(super) corrects: bool,
    /// Which records its writer reaches; `None`: all.
    pub(super) writer: Option<Arc<DataScope>>,
    /// All rejected records of the batch, if some were rejected during the commit.
    pub(super) rejected: OnceLock<Rejections>,
}

impl PendingCommit {
    /// The rejected records of the batch; all of them once its outcome is known.
    pub fn rejected(&self) -> &Rejections {
        let resolution = self.resolution.as_ref();
        resolution.and_then(|resolution| resolution.rejected.get()).unwrap_or(&self.batch.rejected)
    }

    /// Publishes the outcome to all threads that wait for this batch.
    pub(super) fn finish(&self, outcome: std::result::Result<BatchOutcome, String>) {
        // Cannot fail: called once per batch, by the thread that took it out of the queue, or by `submit` for
        // one without records.
        drop(self.outcome.set(outcome));
    }
}

/// Batches that wait for a commit, in order of arrival.
#[derive(Default)]
pub struct CommitQueue {
    batches: VecDeque<Arc<PendingCommit>>,
    /// Bytes of the frames in `batches`.
    bytes: usize,
    /// Batches that were ever appended, and removed.
    pushed: u64,
    taken: u64,
    rules: CheckedRules,
}

/// The deletions that the records of a batch are checked against, and the numbers that it is scrubbed of.
#[derive(Clone, Default)]
pub struct CheckedRules {
    /// The deletions.
    pub rules: Arc<DeletionRules>,
    /// The numbers to erase and mask.
    pub scrubbing: Arc<Scrubbing>,
    /// Grows with each change.
    version: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It waits for a commit.
    Appended,
    /// The queue has no room for it.
    Full,
    /// It was checked against other deletions, or scrubbed of other numbers, than those that apply by now.
    OtherRules,
}

impl CommitQueue {
    /// Appends a batch unless the queue would exceed `bytes_max`, or `checked` are not the rules that apply.
    ///
    /// An empty queue takes a batch of any size, as it would otherwise never get in.
    pub fn try_push(&mut self, pending: &Arc<PendingCommit>, bytes_max: usize, checked: &CheckedRules) -> Push {
        let bytes = self.bytes + pending.frame_bytes;
        if checked.version != self.rules.version {
            return Push::OtherRules;
        }
        if bytes > bytes_max && !self.batches.is_empty() {
            return Push::Full;
        }
        self.bytes = bytes;
        self.pushed += 1;
        self.batches.push_back(Arc::clone(pending));
        Push::Appended
    }

    /// The deletions and the scrubbing that apply.
    pub fn rules(&self) -> CheckedRules {
        self.rules.clone()
    }

    /// Sets the deletions that apply from now on, and returns the former ones: to free them takes a while, so the caller
    /// drops them without the lock.
    #[must_use]
    pub fn set_rules(&mut self, rules: &Arc<DeletionRules>) -> CheckedRules {
        let (rules, scrubbing) = (Arc::clone(rules), Arc::clone(&self.rules.scrubbing));
        self.replace(rules, scrubbing)
    }

    /// As [`CommitQueue::set_rules`], for the numbers to erase and mask.
    #[must_use]
    pub fn set_scrubbing(&mut self, scrubbing: &Arc<Scrubbing>) -> CheckedRules {
        let (rules, scrubbing) = (Arc::clone(&self.rules.rules), Arc::clone(scrubbing));
        self.replace(rules, scrubbing)
    }

    fn replace(&mut self, rules: Arc<DeletionRules>, scrubbing: Arc<Scrubbing>) -> CheckedRules {
        let version = self.rules.version + 1;
        std::mem::replace(&mut self.rules, CheckedRules { rules, scrubbing, version })
    }

    /// Bytes of the batches that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of batches that were appended so far.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Whether the first `count` batches were removed.
    pub fn has_taken(&self, count: u64) -> bool {
        self.taken >= count
    }

    /// Removes the oldest batches, until their frames reach `group_bytes` or the queue is empty. Batches that arrive
    /// while the group is being written form the next one.
    pub fn take_group(&mut self, group_bytes: usize) -> Vec<Arc<PendingCommit>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < group_bytes
            && let Some(pending) = self.batches.pop_front()
        {
            bytes += pending.frame_bytes;
            group.push(pending);
            self.taken += 1;
        }
        self.bytes -= bytes;
        group
    }
}
