//! Memory budgets: the bytes that one query may take, and all queries of a store together.
//!
//! Work reserves the bytes of what grows with its data: cells, dictionaries, sort keys, the answer. It does so chunk by
//! chunk, so that it exceeds a budget by no more than one chunk, and by what a growing vector copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Limits of the memory of queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes that one query may take.
    pub query_bytes_max: usize,
    /// Bytes that all queries of a store may take together.
    pub total_bytes_max: usize,
}

impl Default for MemoryLimits {
    /// No limits.
    fn default() -> Self {
        Self { query_bytes_max: usize::MAX, total_bytes_max: usize::MAX }
    }
}

/// The memory that all queries of a store share.
#[derive(Debug, Default)]
pub struct MemoryBudget {
    limits: MemoryLimits,
    used: AtomicUsize,
}

/// The memory of one query. What it still holds when it is dropped returns to the budget.
#[derive(Debug)]
pub struct QueryMemory {
    budget: Arc<MemoryBudget>,
    used: AtomicUsize,
    peak: AtomicUsize,
}

/// Bytes that one piece of work holds; dropping it gives them back.
#[derive(Debug)]
pub struct Reservation {
    memory: Arc<QueryMemory>,
    bytes: usize,
}

impl MemoryBudget {
    /// Creates a budget of which nothing is used.
    pub fn new(limits: MemoryLimits) -> Self {
        Self { limits, used: AtomicUsize::new(0) }
    }

    /// Begins a query.
    pub fn begin_query(self: &Arc<Self>) -> Arc<QueryMemory> {
        Arc::new(QueryMemory { budget: Arc::clone(self), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) })
    }

    /// Bytes that all queries hold at the moment.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl QueryMemory {
    /// Returns an empty reservation.
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation { memory: Arc::clone(self), bytes: 0 }
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// As [`Reservation::resize`].
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation> {
        let mut reservation = self.reservation();
        reservation.resize(bytes)?;
        Ok(reservation)
    }

    /// The most bytes that the query has held at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn grow(&self, bytes: usize) -> Result<()> {
        let MemoryLimits { query_bytes_max, total_bytes_max } = self.budget.limits;
        let asked = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if asked > query_bytes_max {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::QueryMemoryLimit { asked, allowed: query_bytes_max });
        }
        let total_asked = self.budget.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if total_asked > total_bytes_max {
            self.shrink(bytes);
            return Err(Error::TotalMemoryLimit { asked: total_asked, allowed: total_bytes_max });
        }
        self.peak.fetch_max(asked, Ordering::Relaxed);
        Ok(())
    }

    fn shrink(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for QueryMemory {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(*self.used.get_mut(), Ordering::Relaxed);
    }
}

impl Reservation {
    /// Makes the reservation hold `bytes`.
    ///
    /// # Errors
    /// `QueryMemoryLimit` or `TotalMemoryLimit` if it must grow and a budget has too little left; it then holds what it
    /// held before.
    pub fn resize(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            self.memory.grow(bytes - self.bytes)?;
        } else {
            self.memory.shrink(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Returns a further reservation of the same query, without bytes.
    pub fn beside(&self) -> Self {
        Self { memory: Arc::clone(&self.memory), bytes: 0 }
    }

    /// Leaves the bytes with the query until it ends.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.shrink(self.bytes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn budget(query_bytes_max: usize, total_bytes_max: usize) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget::new(MemoryLimits { query_bytes_max, total_bytes_max }))
    }

    #[test]
    fn a_query_may_use_its_budget_and_not_a_byte_more() {
        let query = budget(100, 1_000).begin_query();
        let mut held = query.reserve(60).unwrap();
        held.resize(100).unwrap();
        assert!(matches!(held.resize(101), Err(Error::QueryMemoryLimit { asked: 101, allowed: 100 })));
        assert!(matches!(query.reserve(1), Err(Error::QueryMemoryLimit { asked: 101, allowed: 100 })));
        held.resize(99).unwrap();
        assert!(query.reserve(1).is_ok());
    }

    #[test]
    fn all_queries_share_the_total() {
        let budget = budget(100, 150);
        let (first, second) = (budget.begin_query(), budget.begin_query());
        let held = first.reserve(100).unwrap();
        assert!(second.reserve(50).is_ok());
        assert!(matches!(second.reserve(51), Err(Error::TotalMemoryLimit { asked: 151, allowed: 150 })));
        drop(held);
        assert!(second.reserve(51).is_ok());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn kept_bytes_return_when_the_query_ends() {
        let budget = budget(100, 100);
        let query = budget.begin_query();
        query.reserve(70).unwrap().keep();
        assert_eq!(budget.used(), 70);
        assert!(query.reserve(31).is_err());
        drop(query);
        assert_eq!(budget.used(), 0);
    }
}
