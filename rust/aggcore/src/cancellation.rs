//! How running work learns that nobody waits for it any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Shared by the caller, who may cancel, and the work, which asks between chunks.
#[derive(Debug)]
pub struct CancelToken {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
}

impl CancelToken {
    /// Work that may run for `limit`; `None` is without limit.
    pub fn with_limit(limit: Option<Duration>) -> Self {
        Self { cancelled: AtomicBool::new(false), deadline: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    /// Ends the work at its next look.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the work may go on.
    ///
    /// # Errors
    /// `Cancelled` or `DeadlinePassed`.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::DeadlinePassed),
            _ => Ok(()),
        }
    }
}
