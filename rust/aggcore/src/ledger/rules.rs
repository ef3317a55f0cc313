//! What the ledger holds each version to.

use std::sync::Arc;

use crate::record::deletion::{Deletion, DeletionRules};
use crate::record::scrubbing::Scrubbing;

/// The rules of one state of the settings.
#[derive(Debug, Default)]
pub struct LedgerRules {
    /// What is erased and masked.
    pub scrubbing: Scrubbing,
    /// What is rejected as deleted.
    pub deletions: DeletionRules,
}

impl LedgerRules {
    /// Holds versions to this scrubbing and these deletions.
    pub fn new(scrubbing: Scrubbing, deletions: &[Arc<Deletion>]) -> Self {
        Self { scrubbing, deletions: DeletionRules::new(deletions, None) }
    }
}
