//! Rollup cache: sums of one segment by a few columns and a slot of time, stored in memory and scanned in
//! place of its rows.
//!
//! The first scan that a rollup could answer builds it (`rollup.rs`), outside the lock; other scans that need the same
//! one wait for it, and notice meanwhile that they are cancelled. As segments are immutable, a rollup stays valid until
//! the segment gets more tombstones.
//!
//! **Which rollup answers which scan.** [`ROLLUP_KINDS`] lists them, those of the fewest rows first. The
//! first kind is chosen for which both of these hold:
//!
//! - its columns contain every group key and the column of every predicate that some row of the slice may fail
//!   (the slice is the segment, or the rows of one account in it, or those without an account);
//! - the scan has edges, and those within the segment's day lie on its slots of time.
//!
//! It answers the scan if these hold too, else the scan reads the rows:
//!
//! - the scan measures sessions or calls, without a code deck, and the segment stores durations in
//!   milliseconds;
//! - the scan does not ask for a few accounts (its range may cut the segment, since its edges lie on slots), or its
//!   range contains all setup times of the segment (each account then has rollups of its own);
//! - the slice has at least `Tuning::rollup_rows_per_row_min` rows per slot of a day, and as many per row of the
//!   built rollup, which also fits the budget.
//!
//! **Budget.** All rollups of a store together take at most
//! [`Tuning::rollup_bytes_max`](crate::tuning::Tuning::rollup_bytes_max). The texts of group keys are not
//! counted. Beyond it no new rollup is stored and scans read the rows; a refused rollup is not tried again
//! until its segment gets a tombstone. A rollup gives its bytes back when its segment is replaced.
//!
//! (Effect: see docs/performance.md, the row on rollups.)

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::rollup::{ROLLUP_KINDS, Rollup, RollupBudget};
use super::segment::{Segment, guard};
use crate::cancellation::CancelToken;
use crate::columns::call_duration::CallDurations;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::{Error, Result};
use crate::record::US_PER_DAY;
use crate::scan::{Measure, Plan, Scan};

/// Time between two checks of the cancellation token while a scan waits for a rollup that another one builds.
const BUILD_WAIT: Duration = Duration::from_millis(5);

/// The rollups of one segment that were built so far or are being built.
pub struct RollupCache {
    rollups: Mutex<HashMap<RollupKey, CachedRollup>>,
    /// Notified when a build ends.
    build_ended: Condvar,
    budget: Arc<RollupBudget>,
}

/// Index in [`ROLLUP_KINDS`], and the rows that are summarized.
type RollupKey = (usize, RollupScope);

/// The rows of a segment that a rollup summarizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RollupScope {
    /// All rows.
    All,
    /// Rows of one account, by its dictionary code.
    Account(usize),
    /// Rows without an account.
    WithoutAccount,
}

impl RollupScope {
    /// Scope of a slice; `None` if the range of setup times may exclude some rows of its account.
    pub fn of(slice: &RecordSlice<'_>, (from, to): (i64, i64)) -> Option<Self> {
        let has_all_rows = || from <= slice.setup_range.0 && slice.setup_range.1 < to;
        match slice.accounts {
            AccountsOfRows::Any => Some(Self::All),
            AccountsOfRows::One(code) => has_all_rows().then_some(Self::Account(code)),
            AccountsOfRows::Absent => has_all_rows().then_some(Self::WithoutAccount),
        }
    }
}

enum CachedRollup {
    /// A scan builds it.
    InProgress,
    Built {
        /// Number of tombstones when it was built; it is stale once the segment has more.
        tombstones: usize,
        /// `None` if it was not stored, because it has too many cells, summarizes too little or exceeds the budget.
        rollup: Option<Arc<Rollup>>,
    },
}

impl RollupCache {
    /// Creates a cache without rollups, whose rollups take their bytes from `budget`.
    pub fn new(budget: &Arc<RollupBudget>) -> Self {
        Self { rollups: Mutex::default(), build_ended: Condvar::new(), budget: Arc::clone(budget) }
    }

    /// Returns the rollup that has the sums which a plan for a slice of the segment asks for, if any; builds it on first
    /// use. Stores no rollup of a file that changed. With it comes the number of rows that it read for that.
    ///
    /// # Errors
    /// As [`Scanner::add`](crate::scan::Scanner::add), or `Damaged`.
    pub fn resolve(&self, segment: &Segment, scan: &Scan<'_>, plan: &Plan<'_>) -> Result<(Option<Arc<Rollup>>, usize)> {
        let (slice, tombstones) = (plan.slice(), plan.slice().tombstones.len());
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let Some(key) = key_of(scan, plan, day_us) else { return Ok((None, 0)) };
        let claim = match self.find_or_claim(key, tombstones, scan.cancel)? {
            Found::Rollup(rollup) => return Ok((rollup, 0)),
            Found::Claim(claim) => claim,
        };
        let built = guard([segment], || Rollup::build(segment, slice, &ROLLUP_KINDS[key.0], day_us, scan, &self.budget));
        let rollup = match built {
            Ok(rollup) => rollup.map(Arc::new),
            Err(Error::CellLimit { .. }) => None,
            // The report that asked reads the rows; the next one may find more memory.
            Err(Error::QueryMemoryLimit { .. } | Error::TotalMemoryLimit { .. }) => return Ok((None, slice.rows.len())),
            Err(error) => return Err(error),
        };
        claim.fulfil(CachedRollup::Built { tombstones, rollup: rollup.clone() });
        Ok((rollup, slice.rows.len()))
    }

    /// Returns a rollup, or, if none was built for this number of tombstones, the claim to build it. Waits while another
    /// scan builds it.
    ///
    /// # Errors
    /// Those of [`CancelToken::check`].
    fn find_or_claim(&self, key: RollupKey, tombstones: usize, cancel: &CancelToken) -> Result<Found<'_>> {
        let mut rollups = self.rollups.lock();
        loop {
            match rollups.get(&key) {
                Some(CachedRollup::Built { tombstones: built_with, rollup }) if *built_with == tombstones => {
                    return Ok(Found::Rollup(rollup.clone()));
                }
                Some(CachedRollup::InProgress) => {
                    cancel.check()?;
                    self.build_ended.wait_for(&mut rollups, BUILD_WAIT);
                }
                Some(CachedRollup::Built { .. }) | None => {
                    rollups.insert(key, CachedRollup::InProgress);
                    return Ok(Found::Claim(BuildClaim { cache: self, key }));
                }
            }
        }
    }
}

enum Found<'a> {
    Rollup(Option<Arc<Rollup>>),
    Claim(BuildClaim<'a>),
}

/// The sole right to build a rollup. Dropping it, also after an error or a panic, leaves the rollup to the next scan.
struct BuildClaim<'a> {
    cache: &'a RollupCache,
    key: RollupKey,
}

impl BuildClaim<'_> {
    /// Stores what was built.
    fn fulfil(self, built: CachedRollup) {
        self.cache.rollups.lock().insert(self.key, built);
    }
}

impl Drop for BuildClaim<'_> {
    fn drop(&mut self) {
        let mut rollups = self.cache.rollups.lock();
        if matches!(rollups.get(&self.key), Some(CachedRollup::InProgress)) {
            rollups.remove(&self.key);
        }
        self.cache.build_ended.notify_all();
    }
}

/// The rollup that has the sums which a plan asks for; `None` if the scan has to read the rows. `day_us` is the start of the
/// UTC day of the slice.
fn key_of(scan: &Scan<'_>, plan: &Plan<'_>, day_us: i64) -> Option<RollupKey> {
    let slice = plan.slice();
    let scope = RollupScope::of(slice, scan.range())?;
    let number = ROLLUP_KINDS.iter().position(|kind| kind.answers(scan, plan.residual(), day_us))?;
    let row_count_min = scan.resources.tuning.rollup_rows_per_row_min * ROLLUP_KINDS[number].slots_per_day() as usize;
    let answers = scan.deck.is_none() && slice.rows.len() >= row_count_min && has_packed_sums(slice, scan.measure);
    answers.then_some((number, scope))
}

/// Whether a scan asks for sums that rollups have: sessions or calls, and durations in milliseconds.
fn has_packed_sums(slice: &RecordSlice<'_>, measure: Measure) -> bool {
    matches!(slice.durations, CallDurations::Milliseconds(_)) && matches!(measure, Measure::Sessions | Measure::Calls)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

    use std::thread;
    use std::time::Instant;

    use super::*;

    const KEY: RollupKey = (0, RollupScope::All);

    fn claim(cache: &RollupCache, key: RollupKey, cancel: &CancelToken) -> Result<bool> {
        cache.find_or_claim(key, 0, cancel).map(|found| matches!(found, Found::Claim(_)))
    }

    #[test]
    fn while_a_rollup_is_built_others_are_found_and_deadlines_are_kept() {
        let cache = RollupCache::new(&Arc::new(RollupBudget::new(0)));
        let (never, begun) = (CancelToken::with_limit(None), Instant::now());
        let Found::Claim(build) = cache.find_or_claim(KEY, 0, &never).unwrap() else { panic!("nothing was built") };
        assert!(claim(&cache, (1, RollupScope::All), &never).unwrap());
        assert!(claim(&cache, (0, RollupScope::Account(3)), &never).unwrap());
        let soon = CancelToken::with_limit(Some(Duration::from_millis(20)));
        assert!(matches!(claim(&cache, KEY, &soon), Err(Error::DeadlinePassed)));
        let cancelled = CancelToken::with_limit(None);
        cancelled.cancel();
        assert!(matches!(claim(&cache, KEY, &cancelled), Err(Error::Cancelled)));
        assert!(begun.elapsed() < Duration::from_secs(5));
        thread::scope(|threads| {
            let waiting = threads.spawn(|| claim(&cache, KEY, &never));
            build.fulfil(CachedRollup::Built { tombstones: 0, rollup: None });
            assert!(!waiting.join().unwrap().unwrap(), "it is built once");
        });
        assert!(matches!(cache.find_or_claim(KEY, 1, &never).unwrap(), Found::Claim(_)), "it is stale");
    }

    #[test]
    fn a_build_that_fails_is_left_to_a_waiting_scan() {
        let cache = RollupCache::new(&Arc::new(RollupBudget::new(0)));
        let never = CancelToken::with_limit(None);
        let build = cache.find_or_claim(KEY, 0, &never).unwrap();
        thread::scope(|threads| {
            let waiting = threads.spawn(|| claim(&cache, KEY, &never));
            drop(build);
            assert!(waiting.join().unwrap().unwrap());
        });
    }
}
