//! A traffic rollup: the sums of the records of one segment by the keys of a traffic scan and a slot of time, scanned in place
//! of its rows.
//!
//! Each has what one question asked for, and answers all that ask for no more: other ranges, longer bins, other filters on its
//! keys (`traffic_shape.rs`).

use std::sync::Arc;

use super::traffic_rollups::{BudgetShare, TrafficBudget};
use super::traffic_shape::TrafficShape;
use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder};
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::Result;
use crate::record::schema::ABSENT;
use crate::scan::column::{Column, SliceColumns};
use crate::scan::minute_histogram::{MINUTES_PER_DAY, US_PER_MINUTE};
use crate::scan::traffic::{MeasureValues, TrafficPartials, TrafficScanner};
use crate::scan::{KeyValues, Plan, TrafficScan};

/// Sums of records by the keys and slots of a shape.
pub struct TrafficRollup {
    /// Start of the slot, by row.
    setup_us: Vec<i64>,
    /// Keys of the shape.
    keys: Vec<RollupKey>,
    /// Sums by row, for each measure of the shape.
    sums: Vec<Vec<i64>>,
    _share: BudgetShare,
}

enum RollupKey {
    Ints(Vec<i64>, ColumnStats),
    Texts { codes: Vec<i32>, entries: Vec<Box<str>> },
}

impl TrafficRollup {
    /// Builds a rollup by a scan of the slice, on behalf of the scan that `asked`; `None` if it has too many rows for the
    /// records that it summarizes, or a sum beyond 64 bits.
    pub fn build(
        slice: &RecordSlice<'_>, shape: &TrafficShape, day_us: i64, asked: &TrafficScan<'_>, budget: &Arc<TrafficBudget>,
    ) -> Result<Option<Self>> {
        let (tuning, slot_us) = (&asked.resources.tuning, shape.slot_minutes * US_PER_MINUTE);
        let edges: Vec<i64> = (0..=MINUTES_PER_DAY / shape.slot_minutes).map(|slot| day_us + slot * slot_us).collect();
        let row_count_max = slice.rows.len() / tuning.rollup_rows_per_row_min.max(1);
        let scan = TrafficScan {
            edges: Some(&edges),
            predicates: &shape.predicates,
            keys: &shape.keys,
            measure: &shape.measures,
            deck: None,
            cell_count_max: tuning.rollup_cell_count_max.min(row_count_max),
            cancel: asked.cancel,
            memory: &asked.resources.memory.begin_query(),
            resources: asked.resources,
        };
        let (columns, mut scanner) = (SliceColumns::new(&scan, slice)?, TrafficScanner::new(&scan));
        scanner.add(Plan::of_traffic(&scan, &columns)?)?;
        let partials = scanner.finish()?;
        let is_small_enough = partials.bins.len() <= row_count_max;
        Ok(if is_small_enough { Self::from_partials(partials, &edges, budget) } else { None })
    }

    fn from_partials(partials: TrafficPartials, edges: &[i64], budget: &Arc<TrafficBudget>) -> Option<Self> {
        let narrow = |measure: MeasureValues| match measure {
            MeasureValues::Sums(sums) => sums.into_iter().map(|sum| i64::try_from(sum).ok()).collect::<Option<Vec<_>>>(),
            MeasureValues::Values(_) | MeasureValues::Steps(_) => None,
        };
        let rollup_key = |key| match key {
            KeyValues::Ints(values) => {
                let stats = ColumnStats::of(&values);
                RollupKey::Ints(values, stats)
            }
            KeyValues::Texts { codes, entries } => RollupKey::Texts {
                codes: codes.into_iter().map(|code| code as i32).collect(),
                entries: entries.into_iter().map(String::into_boxed_str).collect(),
            },
        };
        let sums = partials.measures.into_iter().map(narrow).collect::<Option<Vec<_>>>()?;
        let setup_us: Vec<i64> = partials.bins.iter().map(|&bin| edges[bin as usize]).collect();
        let keys: Vec<RollupKey> = partials.keys.into_iter().map(rollup_key).collect();
        let bytes = setup_us.len() * size_of::<i64>() * (1 + sums.len()) + keys.iter().map(RollupKey::bytes).sum::<usize>();
        Some(Self { setup_us, keys, sums, _share: BudgetShare::new(budget, bytes) })
    }

    /// The rows, as if each were a record. They have the columns of [`TrafficRollup::columns`], and no others.
    pub fn rows<'a>(&'a self, no_tombstones: &'a RowSet) -> RecordSlice<'a> {
        RecordSlice {
            rows: 0..self.setup_us.len(),
            is_sorted_by_setup: false,
            setup_range: self.setup_us.iter().fold((i64::MAX, i64::MIN), |(low, high), &us| (low.min(us), high.max(us))),
            setup_us: &self.setup_us,
            setup_minute: None,
            accounts: AccountsOfRows::Any,
            durations: CallDurations::Times { answer_us: IntValues::Absent, end_us: IntValues::Absent },
            fields: RecordColumns::default(),
            column_stats: None,
            received_us: &[],
            received_stats: UNKNOWN_STATS,
            tombstones: no_tombstones,
        }
    }

    /// The values of the key of a number.
    pub fn key(&self, number: usize) -> Column<'_> {
        match &self.keys[number] {
            RollupKey::Ints(values, stats) => Column::Int { values: IntValues::I64(values), stats: *stats, default: ABSENT },
            RollupKey::Texts { codes, entries } => {
                Column::Dictionary(DictionaryColumn { codes: DictionaryCodes::I32(codes), entries, order: EntryOrder::Any })
            }
        }
    }

    /// The sums of the measure of a number, by row.
    pub fn sums(&self, number: usize) -> &[i64] {
        &self.sums[number]
    }
}

impl RollupKey {
    fn bytes(&self) -> usize {
        match self {
            Self::Ints(values, _) => size_of_val(values.as_slice()),
            Self::Texts { codes, entries } => {
                size_of_val(codes.as_slice()) + entries.iter().map(|entry| size_of::<Box<str>>() + entry.len()).sum::<usize>()
            }
        }
    }
}
