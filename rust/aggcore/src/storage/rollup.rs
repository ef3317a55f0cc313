//! A rollup: sums of the records of one segment by a few columns and a slot of time, scanned in place of its rows.
//!
//! It is built by a scan of its own, by groups of its columns and slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::segment::{Segment, column_numbers};
use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder};
use crate::columns::integer::{IntValues, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::Result;
use crate::record::schema::{ColumnKind, field};
use crate::scan::column::SliceColumns;
use crate::scan::minute_histogram::{MINUTES_PER_DAY, US_PER_MINUTE, edges_lie_on_slots, minute_of_day};
use crate::scan::predicate::Predicate;
use crate::scan::sums::{PackedSums, packed_sums};
use crate::scan::{Key, KeyValues, Measure, Partials, Plan, RollupRows, Scan, Scanner};

/// The group keys of a rollup and the length of its slots of time.
pub struct RollupKind {
    columns: &'static [&'static str],
    slot_minutes: i64,
}

/// The kinds of rollups, those of the fewest rows first: for the quality and usage reports without filters,
/// for the usage report filtered or grouped by one id, and for the folder report.
pub const ROLLUP_KINDS: [RollupKind; 5] = [
    RollupKind { columns: &[], slot_minutes: 1 },
    RollupKind { columns: &["app_id"], slot_minutes: 15 },
    RollupKind { columns: &["comp_id"], slot_minutes: 15 },
    RollupKind { columns: &["tenant_id"], slot_minutes: 15 },
    RollupKind { columns: &["company", "organization", "folder", "agent_id"], slot_minutes: 60 },
];

impl RollupKind {
    /// Whether this kind has the columns and the edges that a scan needs. `residual` are the predicates that
    /// some row may fail; `day_us` is the start of the segment's UTC day.
    pub fn answers(&self, scan: &Scan<'_>, residual: &[&Predicate], day_us: i64) -> bool {
        let mut columns = residual.iter().flat_map(|predicate| predicate.columns());
        let has = |column: &str| self.columns.contains(&column);
        columns.all(has)
            && scan.keys.iter().all(|key| matches!(key, Key::Column(column) if has(column)))
            && scan.edges.is_some_and(|edges| edges_lie_on_slots(day_us, edges, self.slot_minutes))
    }

    pub fn slots_per_day(&self) -> i64 {
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
    call_count: u64,
    budget_share: BudgetShare,
}

enum RollupValues {
    Ints(Vec<i64>),
    Texts { codes: Vec<i32>, entries: Vec<Box<str>> },
}

impl Rollup {
    /// Builds a rollup by a scan of the slice, on behalf of the scan that `asked` first; `None` if it summarizes too
    /// little or exceeds the budget.
    pub fn build(
        segment: &Segment, slice: &RecordSlice<'_>, kind: &RollupKind, day_us: i64, asked: &Scan<'_>, budget: &Arc<RollupBudget>,
    ) -> Result<Option<Self>> {
        let tuning = &asked.resources.tuning;
        let slot_us = kind.slot_minutes * US_PER_MINUTE;
        let edges: Vec<i64> = (0..=kind.slots_per_day()).map(|slot| day_us + slot * slot_us).collect();
        let keys = Key::columns(kind.columns);
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
        let (columns, mut scanner) = (SliceColumns::of_records(slice), Scanner::new(&scan));
        scanner.add(Plan::new(&scan, &columns)?)?;
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
            call_count: partials.sums.iter().map(|sums| sums[0] as u64).sum(),
            setup_us,
            columns,
        }
    }

    /// The rows. Only the columns of its kind have values; callers must not read other columns.
    pub fn rows<'a>(&'a self, no_tombstones: &'a RowSet) -> RollupRows<'a> {
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
        let groups = RecordSlice {
            rows: 0..self.sums.len(),
            is_sorted_by_setup: false,
            setup_range: self.setup_range(),
            setup_us: &self.setup_us,
            setup_minute: Some(&self.setup_minute),
            accounts: AccountsOfRows::Any,
            durations: CallDurations::Times { answer_us: IntValues::Absent, end_us: IntValues::Absent },
            fields,
            column_stats: None,
            received_us: &[],
            received_stats: UNKNOWN_STATS,
            tombstones: no_tombstones,
        };
        RollupRows { groups, sums: &self.sums, call_count: self.call_count }
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

    /// Bytes of all rollups, those that are being built included.
    pub fn bytes_used(&self) -> usize {
        self.bytes_used.load(Ordering::Relaxed)
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
        self.budget.bytes_used() <= self.budget.bytes_max
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        self.budget.bytes_used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
