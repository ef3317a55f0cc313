//! Rollup cache: sums of one segment by a few columns and a slot of time, stored in memory and scanned in
//! place of its rows.
//!
//! A rollup is a [`RecordSlice`] whose rows stand for many records each. The first scan that a rollup could
//! answer builds it, by a scan of its own; as segments are immutable, it stays valid until the segment gets
//! more tombstones.
//!
//! **Which rollup answers which scan.** [`ROLLUP_KINDS`] lists them, those of the fewest rows first. The
//! first kind is chosen for which both of these hold:
//!
//! - its columns contain every group key and the column of every predicate that some row of the slice may fail
//!   (the slice is the segment, or one account's rows in it);
//! - the scan has edges, and those within the segment's day lie on its slots of time.
//!
//! It answers the scan if these hold too, else the scan reads the rows:
//!
//! - the scan measures sessions or calls, without a code deck, and the segment stores durations in
//!   milliseconds;
//! - the scan names no single account (its range may cut the segment, since its edges lie on slots), or its
//!   range contains all setup times of the segment (the account then has rollups of its own);
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::segment::{Segment, column_numbers, guard};
use crate::cancellation::CancelToken;
use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder};
use crate::columns::integer::{IntValues, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::{PackedSums, packed_sums};
use crate::error::{Error, Result};
use crate::record::US_PER_DAY;
use crate::record::schema::{ColumnKind, field};
use crate::scan::accumulate::Measure;
use crate::scan::minute_histogram::{MINUTES_PER_DAY, US_PER_MINUTE, edges_lie_on_slots, minute_of_day};
use crate::scan::predicate::Predicate;
use crate::scan::{KeyValues, Partials, Scan, Scanner};

/// Time between two checks of the cancellation token while a scan waits for the rollups of a segment.
const LOCK_WAIT: Duration = Duration::from_millis(5);

/// The group keys of a rollup and the length of its slots of time.
struct RollupKind {
    columns: &'static [&'static str],
    slot_minutes: i64,
}

/// The kinds of rollups, those of the fewest rows first: for the quality and usage reports without filters,
/// for the usage report filtered or grouped by one id, and for the folder report.
const ROLLUP_KINDS: [RollupKind; 5] = [
    RollupKind { columns: &[], slot_minutes: 1 },
    RollupKind { columns: &["app_id"], slot_minutes: 15 },
    RollupKind { columns: &["comp_id"], slot_minutes: 15 },
    RollupKind { columns: &["tenant_id"], slot_minutes: 15 },
    RollupKind { columns: &["company", "organization", "folder", "agent_id"], slot_minutes: 60 },
];

impl RollupKind {
    /// Whether this kind has the columns and the edges that a scan needs. `residual` are the predicates that
    /// some row may fail; `day_us` is the start of the segment's UTC day.
    fn answers(&self, scan: &Scan<'_>, residual: &[&Predicate], day_us: i64) -> bool {
        let mut columns = residual.iter().map(|predicate| predicate.column()).chain(scan.keys.iter().map(String::as_str));
        columns.all(|column| self.columns.contains(&column))
            && scan.edges.is_some_and(|edges| edges_lie_on_slots(day_us, edges, self.slot_minutes))
    }

    fn slots_per_day(&self) -> i64 {
        MINUTES_PER_DAY / self.slot_minutes
    }
}

/// Sums of the records of one segment, or of one account in it, by the columns and slots of a kind.
pub struct Rollup {
    /// Group keys by column name.
    columns: Vec<(&'static str, RollupValues)>,
    setup_us: Vec<i64>,
    setup_minute: Vec<u16>,
    sums: Vec<PackedSums>,
    /// Calls in all rows.
    calls: u64,
    budget_share: BudgetShare,
}

enum RollupValues {
    Ints(Vec<i64>),
    Texts { codes: Vec<i32>, entries: Vec<Box<str>> },
}

type Rollups = HashMap<(usize, RollupScope), CachedRollup>;

/// The rollups of one segment that were built so far, by index in [`ROLLUP_KINDS`] and by scope.
pub struct RollupCache {
    rollups: Mutex<Rollups>,
    budget: Arc<RollupBudget>,
}

/// The rows of a segment that a rollup summarizes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum RollupScope {
    All,
    /// Rows of one account, by its dictionary code.
    Account(usize),
}

impl RollupScope {
    /// Scope of a slice; `None` if the range of setup times may exclude some rows of its account.
    fn of(slice: &RecordSlice<'_>, (from, to): (i64, i64)) -> Option<Self> {
        match slice.account {
            None => Some(Self::All),
            Some(code) => (from <= slice.setup_range.0 && slice.setup_range.1 < to).then_some(Self::Account(code)),
        }
    }
}

struct CachedRollup {
    /// Number of tombstones when it was built; it is stale once the segment has more.
    tombstones: usize,
    /// `None` if it was not stored, because it has too many cells, summarizes too little or exceeds the budget.
    rollup: Option<Arc<Rollup>>,
}

impl RollupCache {
    /// Creates a cache without rollups, whose rollups take their bytes from `budget`.
    pub fn new(budget: &Arc<RollupBudget>) -> Self {
        Self { rollups: Mutex::default(), budget: Arc::clone(budget) }
    }

    /// Adds the records of a slice of the segment to a scanner: the rows of a rollup if one answers the scan,
    /// else the rows of the slice.
    ///
    /// # Errors
    /// As for [`Scanner::add`], or `Damaged`.
    pub fn add(&self, segment: &Segment, slice: &RecordSlice<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        scanner.add_unless_substituted(slice, |scanner, scan, residual| {
            let Some(rollup) = self.find_or_build(segment, slice, scan, residual)? else { return Ok(false) };
            scanner.add_with_predicates(&rollup.slice(&RowSet::default()), residual)?;
            Ok(true)
        })
    }

    /// Returns the rollup that answers a scan of a slice, if any; builds it on first use. `residual` are the
    /// predicates that some row of the segment may fail.
    ///
    /// Holds the lock while it builds, so that concurrent scans of the segment do not build the same rollup
    /// twice. Stores no rollup of a file that changed.
    fn find_or_build(
        &self, segment: &Segment, slice: &RecordSlice<'_>, scan: &Scan<'_>, residual: &[&Predicate],
    ) -> Result<Option<Arc<Rollup>>> {
        let Some(scope) = RollupScope::of(slice, scan.range()) else { return Ok(None) };
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let answers = |kind: &RollupKind| kind.answers(scan, residual, day_us);
        let Some(number) = ROLLUP_KINDS.iter().position(answers) else { return Ok(None) };
        let kind = &ROLLUP_KINDS[number];
        let has_enough_rows = slice.rows.len() >= scan.resources.tuning.rollup_rows_per_row_min * kind.slots_per_day() as usize;
        if scan.deck.is_some() || !has_enough_rows || !has_packed_sums(slice, scan.measure) {
            return Ok(None);
        }
        let mut rollups = self.lock(scan.cancel)?;
        if let Some(cached) = rollups.get(&(number, scope)).filter(|cached| cached.tombstones == slice.tombstones.len()) {
            return Ok(cached.rollup.clone());
        }
        let built = guard([segment], || Rollup::build(segment, slice, kind, day_us, scan, &self.budget));
        let rollup = match built {
            Ok(rollup) => rollup.map(Arc::new),
            Err(Error::CellLimit { .. }) => None,
            // The report that asked reads the rows; the next one may find more memory.
            Err(Error::QueryMemoryLimit { .. } | Error::TotalMemoryLimit { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        rollups.insert((number, scope), CachedRollup { tombstones: slice.tombstones.len(), rollup: rollup.clone() });
        Ok(rollup)
    }

    /// Takes the lock, which another scan may hold while it builds a rollup.
    fn lock(&self, cancel: &CancelToken) -> Result<MutexGuard<'_, Rollups>> {
        loop {
            cancel.check()?;
            if let Some(rollups) = self.rollups.try_lock_for(LOCK_WAIT) {
                return Ok(rollups);
            }
        }
    }
}

impl Rollup {
    /// Builds a rollup by a scan of the slice, on behalf of the scan that `asked` first; `None` if it summarizes too
    /// little or exceeds the budget.
    fn build(
        segment: &Segment, slice: &RecordSlice<'_>, kind: &RollupKind, day_us: i64, asked: &Scan<'_>, budget: &Arc<RollupBudget>,
    ) -> Result<Option<Self>> {
        let tuning = &asked.resources.tuning;
        let slot_us = kind.slot_minutes * US_PER_MINUTE;
        let edges: Vec<i64> = (0..=kind.slots_per_day()).map(|slot| day_us + slot * slot_us).collect();
        let keys: Vec<String> = kind.columns.iter().map(|&name| name.to_owned()).collect();
        let scan = Scan {
            edges: Some(&edges),
            predicates: &[],
            keys: &keys,
            measure: Measure::Calls,
            deck: None,
            cell_count_max: tuning.rollup_cell_count_max,
            cancel: asked.cancel,
            memory: &asked.resources.memory.begin_query(),
            resources: asked.resources,
        };
        segment.verify_columns(&slice.rows, &column_numbers(&scan.column_names()))?;
        let mut scanner = Scanner::new(&scan);
        scanner.add(slice)?;
        let rollup = Self::from_partials(scanner.finish()?, kind, &edges, budget);
        let is_small_enough = rollup.sums.len() * tuning.rollup_rows_per_row_min <= slice.rows.len();
        Ok(Some(rollup).filter(|rollup| is_small_enough && rollup.budget_share.fits()))
    }

    /// Takes the cells that have calls, and reserves their bytes of the budget.
    fn from_partials(partials: Partials, kind: &RollupKind, edges: &[i64], budget: &Arc<RollupBudget>) -> Self {
        let with_calls: Vec<usize> = (0..partials.sums.len()).filter(|&cell| partials.sums[cell][0] > 0).collect();
        let values = |keys: &KeyValues| match keys {
            KeyValues::Ints(values) => RollupValues::Ints(with_calls.iter().map(|&cell| values[cell]).collect()),
            KeyValues::Texts { codes, entries } => RollupValues::Texts {
                codes: with_calls.iter().map(|&cell| codes[cell] as i32).collect(),
                entries: entries.iter().map(|text| text.as_str().into()).collect(),
            },
        };
        let columns: Vec<_> = kind.columns.iter().copied().zip(partials.keys.iter().map(values)).collect();
        let row_bytes = size_of::<(i64, u16, PackedSums)>() + columns.len() * size_of::<i64>();
        let setup_us: Vec<i64> = with_calls.iter().map(|&cell| edges[partials.bins[cell] as usize]).collect();
        Self {
            budget_share: BudgetShare::reserve(budget, with_calls.len() * row_bytes),
            setup_minute: setup_us.iter().map(|&us| minute_of_day(us)).collect(),
            sums: with_calls.iter().map(|&cell| packed_sums(partials.sums[cell])).collect(),
            calls: partials.sums.iter().map(|sums| sums[0] as u64).sum(),
            setup_us,
            columns,
        }
    }

    /// The rows as a slice. Only the columns of its kind have values; callers must not read other columns.
    pub fn slice<'a>(&'a self, no_tombstones: &'a RowSet) -> RecordSlice<'a> {
        let mut fields = RecordColumns::default();
        for (name, values) in &self.columns {
            match (values, field(name).map(|field| (field.field_type.column_kind(), field.slot))) {
                (RollupValues::Ints(values), Some((ColumnKind::Int, slot))) => fields.ints[slot] = IntValues::I64(values),
                (RollupValues::Texts { codes, entries }, Some((ColumnKind::Dictionary, slot))) => {
                    fields.dictionaries[slot] =
                        DictionaryColumn { codes: DictionaryCodes::I32(codes), entries, order: EntryOrder::Any };
                }
                _ => {}
            }
        }
        RecordSlice {
            rows: 0..self.sums.len(),
            is_sorted_by_setup: false,
            setup_range: self.setup_range(),
            setup_us: &self.setup_us,
            setup_minute: Some(&self.setup_minute),
            rollup_sums: Some(&self.sums),
            call_count_max: self.calls,
            account: None,
            durations: CallDurations::Times { answer_us: IntValues::Absent, end_us: IntValues::Absent },
            fields,
            column_stats: None,
            received_us: &[],
            received_stats: UNKNOWN_STATS,
            tombstones: no_tombstones,
        }
    }

    fn setup_range(&self) -> (i64, i64) {
        let (first, last) = (self.setup_us.iter().min(), self.setup_us.iter().max());
        first.copied().zip(last.copied()).unwrap_or_default()
    }
}

/// The memory that all rollups of a store may take.
pub struct RollupBudget {
    bytes_used: AtomicUsize,
    bytes_max: usize,
}

impl RollupBudget {
    /// Creates a budget of which nothing is used.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_used: AtomicUsize::new(0), bytes_max }
    }
}

/// Bytes reserved of the budget; dropping it gives them back.
struct BudgetShare {
    budget: Arc<RollupBudget>,
    bytes: usize,
}

impl BudgetShare {
    fn reserve(budget: &Arc<RollupBudget>, bytes: usize) -> Self {
        budget.bytes_used.fetch_add(bytes, Ordering::Relaxed);
        Self { budget: Arc::clone(budget), bytes }
    }

    /// Whether all reservations together are within the budget.
    fn fits(&self) -> bool {
        self.budget.bytes_used.load(Ordering::Relaxed) <= self.budget.bytes_max
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        self.budget.bytes_used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether a scan asks for sums that rollups have: sessions or calls, and durations in milliseconds.
fn has_packed_sums(slice: &RecordSlice<'_>, measure: Measure) -> bool {
    matches!(slice.durations, CallDurations::Milliseconds(_)) && matches!(measure, Measure::Sessions | Measure::Calls)
}
