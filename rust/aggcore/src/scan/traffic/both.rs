//! Two steps of a scan at the same time.

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// Instants from which a second thread takes a half of the work: to wake it takes as long as some thousand of them.
const PARALLEL_COUNT_MIN: usize = 1 << 16;

/// Runs two steps, the first of them on another thread if there is one and the steps have many instants.
///
/// # Errors
/// That of the second step, or else that of the first one.
pub(super) fn both<A: Send, B>(
    threads: Option<&ThreadPool>, count: usize, first: impl FnOnce() -> Result<A> + Send, second: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    match threads {
        Some(threads) if count >= PARALLEL_COUNT_MIN => {
            // The scope waits for the step that takes the place of the error.
            let mut found = Err(Error::Cancelled);
            // The calling thread may have a higher priority than those of the pool.
            let other = threads.in_place_scope(|scope| {
                scope.spawn(|_| found = first());
                second()
            })?;
            Ok((found?, other))
        }
        _ => {
            let found = first();
            let other = second()?;
            Ok((found?, other))
        }
    }
}
