//! The traffic rollups of a segment, and the memory that those of all segments share.
//!
//! A rollup is built when a scan asks for the second time for what none of the segment has: many questions are asked once. As
//! segments are immutable, a rollup stays valid until the segment gets more tombstones.
//!
//! **Budget.** All traffic rollups of a store together take at most
//! [`Tuning::traffic_rollup_bytes_max`](crate::tuning::Tuning::traffic_rollup_bytes_max). Beyond it, those go that were used
//! least recently. One that would have too many rows is not tried again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::segment::{Segment, guard};
use super::traffic_rollup::TrafficRollup;
use super::traffic_shape::{TrafficNeed, TrafficShape};
use crate::columns::slice::RecordSlice;
use crate::error::{Error, Result};
use crate::record::US_PER_DAY;
use crate::scan::column::Column;
use crate::scan::predicate::Predicate;
use crate::scan::traffic::{RollupSums, TrafficMeasure};
use crate::scan::{Key, Plan, TrafficScan};

/// Shapes that are remembered for one segment.
const SHAPE_COUNT_MAX: usize = 32;

/// What was asked of one segment.
pub struct TrafficRollups {
    entries: Mutex<Vec<Entry>>,
    budget: Arc<TrafficBudget>,
}

struct Entry {
    shape: TrafficShape,
    /// Number of tombstones when it was made; it is stale once the segment has more.
    tombstones: usize,
    state: EntryState,
}

enum EntryState {
    /// It was asked for, and not built yet.
    Asked,
    /// It has too many rows.
    Refused,
    Kept(Arc<KeptRollup>),
}

/// A rollup until the budget takes it back.
struct KeptRollup {
    rollup: Mutex<Option<Arc<TrafficRollup>>>,
    /// When it was used last, by the clock of the budget.
    used_at: AtomicU64,
}

/// A rollup that answers a plan.
pub struct FoundRollup<'a> {
    pub rollup: Arc<TrafficRollup>,
    pub shape: TrafficShape,
    /// The conditions that are left to be evaluated for its rows.
    pub left: Vec<&'a Predicate>,
}

impl FoundRollup<'_> {
    /// The keys of the scan and of the shape, with their values; `slice` is that of the segment.
    pub fn columns<'a>(&'a self, scan: &'a TrafficScan<'a>, slice: &RecordSlice<'_>) -> Vec<(&'a Key, Column<'a>)> {
        let number_of = |key: &Key| self.shape.keys.iter().position(|one| *one == key.within(slice.setup_range));
        let of_scan = scan.keys.iter().filter_map(|key| Some((key, self.rollup.key(number_of(key)?))));
        let of_shape = self.shape.keys.iter().enumerate().map(|(number, key)| (key, self.rollup.key(number)));
        of_scan.chain(of_shape).collect()
    }

    /// The sums of the measures of the scan, by row.
    pub fn sums(&self, scan: &TrafficScan<'_>) -> RollupSums<'_> {
        let number_of = |measure: &TrafficMeasure| self.shape.measures.iter().position(|one| one == measure);
        RollupSums(scan.measure.iter().filter_map(number_of).map(|number| self.rollup.sums(number)).collect())
    }
}

impl TrafficRollups {
    /// No rollups yet.
    pub fn new(budget: &Arc<TrafficBudget>) -> Self {
        Self { entries: Mutex::default(), budget: Arc::clone(budget) }
    }

    /// Returns the rollup that answers a plan for a slice of the segment, if any; builds one if this is the second time.
    /// Stores none of a file that changed. With it comes the number of rows that were read for that.
    ///
    /// # Errors
    /// As [`TrafficScanner::add`](crate::scan::traffic::TrafficScanner::add), or `Damaged`.
    pub fn resolve<'a>(
        &self, segment: &Segment, scan: &'a TrafficScan<'a>, plan: &'a Plan<'a, ()>,
    ) -> Result<(Option<FoundRollup<'a>>, usize)> {
        let (slice, tombstones) = (plan.slice(), plan.slice().tombstones.len());
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        if slice.rows.len() < scan.resources.tuning.rollup_rows_per_row_min {
            return Ok((None, 0));
        }
        let Some(need) = TrafficNeed::of(scan, plan, day_us) else { return Ok((None, 0)) };
        if let Some(found) = self.find(&need, tombstones) {
            return Ok((Some(found), 0));
        }
        let Some(shape) = self.next_shape(&need, tombstones) else { return Ok((None, 0)) };
        let built = guard([segment], || TrafficRollup::build(slice, &shape, day_us, scan, &self.budget));
        let rollup = match built {
            Ok(rollup) => rollup,
            Err(Error::CellLimit { .. }) => None,
            // The scan that asked reads the rows; the next one may find more memory.
            Err(Error::QueryMemoryLimit { .. } | Error::TotalMemoryLimit { .. }) => return Ok((None, slice.rows.len())),
            Err(error) => return Err(error),
        };
        self.keep(shape, tombstones, rollup.map(Arc::new));
        Ok((self.find(&need, tombstones), slice.rows.len()))
    }

    fn find<'a>(&self, need: &TrafficNeed<'a>, tombstones: usize) -> Option<FoundRollup<'a>> {
        let mut entries = self.entries.lock();
        entries.retain(|entry| entry.tombstones == tombstones && !entry.is_gone());
        entries.iter().find_map(|entry| {
            let EntryState::Kept(kept) = &entry.state else { return None };
            let left = need.left_by(&entry.shape)?;
            kept.used_at.store(self.budget.now(), Ordering::Relaxed);
            Some(FoundRollup { rollup: kept.rollup.lock().clone()?, shape: entry.shape.clone(), left })
        })
    }

    /// The shape to build for a need that was asked for before; remembers one that was not.
    fn next_shape(&self, need: &TrafficNeed<'_>, tombstones: usize) -> Option<TrafficShape> {
        let mut entries = self.entries.lock();
        let mut was_asked = false;
        for shape in need.shapes() {
            match entries.iter().find(|entry| entry.shape == shape).map(|entry| &entry.state) {
                Some(EntryState::Refused | EntryState::Kept(_)) => was_asked = true,
                Some(EntryState::Asked) => return Some(shape),
                None if was_asked => return Some(shape),
                None => {
                    if entries.len() >= SHAPE_COUNT_MAX {
                        entries.remove(0);
                    }
                    entries.push(Entry { shape, tombstones, state: EntryState::Asked });
                    return None;
                }
            }
        }
        None
    }

    /// Keeps a rollup that was built, or that it was refused.
    fn keep(&self, shape: TrafficShape, tombstones: usize, rollup: Option<Arc<TrafficRollup>>) {
        let state = match rollup {
            None => EntryState::Refused,
            Some(rollup) => EntryState::Kept(self.budget.keep(rollup)),
        };
        let mut entries = self.entries.lock();
        entries.retain(|entry| entry.shape != shape);
        entries.push(Entry { shape, tombstones, state });
    }
}

impl Entry {
    /// Whether the budget has taken its rollup back.
    fn is_gone(&self) -> bool {
        matches!(&self.state, EntryState::Kept(kept) if kept.rollup.lock().is_none())
    }
}

/// The memory that all traffic rollups of a store may take.
pub struct TrafficBudget {
    bytes_used: AtomicUsize,
    bytes_max: usize,
    /// Counts the uses of rollups.
    clock: AtomicU64,
    kept: Mutex<Vec<Weak<KeptRollup>>>,
}

impl TrafficBudget {
    /// Creates a budget of which nothing is used.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_used: AtomicUsize::new(0), bytes_max, clock: AtomicU64::new(0), kept: Mutex::default() }
    }

    /// Bytes of all rollups, those that are being built included.
    pub fn bytes_used(&self) -> usize {
        self.bytes_used.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a rollup, and takes others back if all together exceed the budget; perhaps this one too.
    fn keep(&self, rollup: Arc<TrafficRollup>) -> Arc<KeptRollup> {
        let added = Arc::new(KeptRollup { rollup: Mutex::new(Some(rollup)), used_at: AtomicU64::new(self.now()) });
        let mut kept = self.kept.lock();
        kept.retain(|kept| kept.strong_count() > 0);
        kept.push(Arc::downgrade(&added));
        while self.bytes_used() > self.bytes_max && !kept.is_empty() {
            let used_at = |kept: &Weak<KeptRollup>| kept.upgrade().map_or(0, |kept| kept.used_at.load(Ordering::Relaxed));
            let Some(oldest) = (0..kept.len()).min_by_key(|&number| used_at(&kept[number])) else { break };
            if let Some(oldest) = kept.swap_remove(oldest).upgrade() {
                drop(oldest.rollup.lock().take());
            }
        }
        added
    }
}

/// Bytes of the budget that a rollup takes; dropping it gives them back.
pub struct BudgetShare {
    budget: Arc<TrafficBudget>,
    bytes: usize,
}

impl BudgetShare {
    /// Takes bytes, also beyond the budget.
    pub fn new(budget: &Arc<TrafficBudget>, bytes: usize) -> Self {
        budget.bytes_used.fetch_add(bytes, Ordering::Relaxed);
        Self { budget: Arc::clone(budget), bytes }
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        self.budget.bytes_used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
