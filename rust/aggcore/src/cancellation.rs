//! Cooperative cancellation: a token that the caller cancels and that running work polls between chunks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Steps of a loop between two checks. A step takes up to about a microsecond.
const STEPS_PER_CHECK: usize = 1 << 11;

/// A cancellation flag with an optional deadline, shared by the caller and the threads that work for it.
#[derive(Debug)]
pub struct CancelToken {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
}

impl CancelToken {
    /// Returns a token whose deadline is `limit` from now; `None` sets no deadline.
    pub fn with_limit(limit: Option<Duration>) -> Self {
        Self { cancelled: AtomicBool::new(false), deadline: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    /// Makes the next [`check`](Self::check) of every thread fail.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Returns `Ok` if the work may continue.
    ///
    /// # Errors
    /// `Cancelled` after [`cancel`](Self::cancel), `DeadlinePassed` from the deadline on.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::DeadlinePassed),
            _ => Ok(()),
        }
    }

    /// As [`check`](Self::check), in every 2,048th step of a loop; `step` counts from 0.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    #[inline]
    pub fn check_at(&self, step: usize) -> Result<()> {
        if step.is_multiple_of(STEPS_PER_CHECK) { self.check() } else { Ok(()) }
    }
}
