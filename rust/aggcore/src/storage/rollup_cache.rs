//! Sums of a segment's records by what reports most often ask for: a few columns and a slot of time.
//!
//! A segment does not change, but for records that are replaced, so that its sums can be kept: a report then reads the
//! few rows of a rollup in place of the many of the segment. A rollup is a [`RecordSlice`] whose rows stand for many records each;
//! it is made by a scan of the segment when it is first asked for, and made anew once more records were replaced.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::segment::Segment;
use crate::cancellation::CancelToken;
use crate::columns::RecordColumns;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder};
use crate::columns::integer::{IntValues, UNKNOWN_STATS};
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::{PackedSums, packed_sums};
use crate::error::Result;
use crate::record::US_PER_DAY;
use crate::record::schema::{ColumnKind, field};
use crate::scan::accumulate::Measure;
use crate::scan::minute_histogram::{US_PER_MINUTE, lie_on_slots, minute_of_day};
use crate::scan::predicate::Predicate;
use crate::scan::{KeyValues, Partials, Scan, Scanner};

/// A rollup is worth its memory where it has at most one row for so many of the segment.
const ROWS_PER_ROLLUP_ROW_MIN: usize = 8;
/// BudgetShare that all rollups may take; what is beyond is scanned.
const ROLLUP_BYTES_MAX: usize = 512 << 20;
const ROLLUP_CELL_COUNT_MAX: usize = 1 << 20;

static ROLLUP_BYTES_USED: AtomicUsize = AtomicUsize::new(0);

/// What a rollup has its rows by.
struct RollupKind {
    columns: &'static [&'static str],
    slot_minutes: i64,
}

/// The rollups of a segment, those of the fewest rows first: those of the quality and usage reports without filters, of
/// the usage report with ids of one kind, of the folder report.
const ROLLUP_KINDS: [RollupKind; 5] = [
    RollupKind { columns: &[], slot_minutes: 1 },
    RollupKind { columns: &["app_id"], slot_minutes: 15 },
    RollupKind { columns: &["comp_id"], slot_minutes: 15 },
    RollupKind { columns: &["tenant_id"], slot_minutes: 15 },
    RollupKind { columns: &["company", "organization", "folder", "agent_id"], slot_minutes: 60 },
];

/// Sums of the records of one segment, or of one account in it, by some columns and slots of time.
pub struct Rollup {
    columns: Vec<(&'static str, RollupValues)>,
    setup_us: Vec<i64>,
    setup_minute: Vec<u16>,
    sums: Vec<PackedSums>,
    calls: u64,
    budget_share: BudgetShare,
}

enum RollupValues {
    Ints(Vec<i64>),
    Texts { codes: Vec<i32>, entries: Vec<Box<str>> },
}

/// The rollups of one segment, as far as they were asked for.
#[derive(Default)]
pub struct RollupCache {
    rollups: Mutex<HashMap<(usize, RollupScope), CachedRollup>>,
}

/// Which rows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum RollupScope {
    All,
    /// Those of one account, by its code.
    Account(usize),
}

impl RollupScope {
    /// `None` where a range of setup times may have cut off some of them.
    fn of(slice: &RecordSlice<'_>, (from, to): (i64, i64)) -> Option<Self> {
        match slice.account {
            None => Some(Self::All),
            Some(code) => (from <= slice.setup_range.0 && slice.setup_range.1 < to).then_some(Self::Account(code)),
        }
    }
}

struct CachedRollup {
    /// ReplacedSources rows when it was made.
    tombstones: usize,
    /// `None` where it is not worth its memory.
    rollup: Option<Arc<Rollup>>,
}

impl RollupCache {
    /// Adds the records of a slice of the segment to a scanner, as sums where a rollup has them.
    ///
    /// # Errors
    /// What [`Scanner::add`] gives, or `Damaged`.
    pub fn add(&self, segment: &Segment, slice: &RecordSlice<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        scanner.add_unless_substituted(slice, |scanner, scan, deciding| {
            let Some(rollup) = self.find_or_build(segment, slice, scan, deciding)? else { return Ok(false) };
            scanner.add_with_predicates(&rollup.slice(&RowSet::default()), deciding)?;
            Ok(true)
        })
    }

    /// The rollup that answers a scan of a slice, of whose conditions these are `deciding`, if there is one.
    fn find_or_build(
        &self, segment: &Segment, slice: &RecordSlice<'_>, scan: &Scan<'_>, deciding: &[&Predicate],
    ) -> Result<Option<Arc<Rollup>>> {
        let Some(rows) = RollupScope::of(slice, scan.range()) else { return Ok(None) };
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let columns = deciding.iter().map(|predicate| predicate.column()).chain(scan.keys.iter().map(String::as_str));
        let has_columns = |kind: &&RollupKind| columns.clone().all(|column| kind.columns.contains(&column));
        let has_edges = |kind: &RollupKind| scan.edges.is_some_and(|edges| lie_on_slots(day_us, edges, kind.slot_minutes));
        let answers = |kind: &RollupKind| has_columns(&kind) && has_edges(kind);
        let Some(number) = ROLLUP_KINDS.iter().position(answers) else { return Ok(None) };
        if scan.deck.is_some()
            || slice.rows.len() < ROWS_PER_ROLLUP_ROW_MIN * (1_440 / ROLLUP_KINDS[number].slot_minutes) as usize
            || !has_packed_sums(slice, scan.measure)
        {
            return Ok(None);
        }
        let mut rollups = self.rollups.lock();
        if let Some(cached) = rollups.get(&(number, rows)).filter(|cached| cached.tombstones == slice.tombstones.len()) {
            return Ok(cached.rollup.clone());
        }
        let rollup = Rollup::build(segment, slice, &ROLLUP_KINDS[number], day_us, scan.cancel)?.map(Arc::new);
        rollups.insert((number, rows), CachedRollup { tombstones: slice.tombstones.len(), rollup: rollup.clone() });
        Ok(rollup)
    }
}

impl Rollup {
    /// `None` where it is not worth its memory.
    fn build(
        segment: &Segment, slice: &RecordSlice<'_>, kind: &RollupKind, day_us: i64, cancel: &CancelToken,
    ) -> Result<Option<Self>> {
        let slots = 0..=1_440 / kind.slot_minutes;
        let edges: Vec<i64> = slots.map(|slot| day_us + slot * kind.slot_minutes * US_PER_MINUTE).collect();
        let keys: Vec<String> = kind.columns.iter().map(|&name| name.to_owned()).collect();
        let scan = Scan {
            edges: Some(&edges),
            predicates: &[],
            keys: &keys,
            measure: Measure::Calls,
            deck: None,
            cell_count_max: ROLLUP_CELL_COUNT_MAX,
            cancel,
        };
        let mut scanner = Scanner::new(&scan);
        let slice = segment.verify_columns(slice.clone(), &scan.column_names())?;
        scanner.add(&slice)?;
        let rollup = Self::from_partials(scanner.finish()?, kind, &edges);
        let is_small_enough = rollup.sums.len() * ROWS_PER_ROLLUP_ROW_MIN <= slice.rows.len();
        Ok(Some(rollup).filter(|rollup| is_small_enough && rollup.budget_share.fits()))
    }

    fn from_partials(partials: Partials, kind: &RollupKind, edges: &[i64]) -> Self {
        let with_calls: Vec<usize> = (0..partials.sums.len()).filter(|&cell| partials.sums[cell][0] > 0).collect();
        let values = |keys: &KeyValues| match keys {
            KeyValues::Ints(values) => RollupValues::Ints(with_calls.iter().map(|&cell| values[cell]).collect()),
            KeyValues::Texts { codes, entries } => RollupValues::Texts {
                codes: with_calls.iter().map(|&cell| codes[cell] as i32).collect(),
                entries: entries.iter().map(|text| text.as_str().into()).collect(),
            },
        };
        let columns: Vec<_> = kind.columns.iter().copied().zip(partials.keys.iter().map(values)).collect();
        let setup_us: Vec<i64> = with_calls.iter().map(|&cell| edges[partials.bins[cell] as usize]).collect();
        Self {
            budget_share: BudgetShare::reserve(
                with_calls.len() * (size_of::<(i64, u16, PackedSums)>() + columns.len() * size_of::<i64>()),
            ),
            setup_minute: setup_us.iter().map(|&us| minute_of_day(us)).collect(),
            sums: with_calls.iter().map(|&cell| packed_sums(partials.sums[cell])).collect(),
            calls: partials.sums.iter().map(|sums| sums[0] as u64).sum(),
            setup_us,
            columns,
        }
    }

    /// Its rows as columns; those that it has none of may not be read.
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

/// A share of the memory that all rollups may take.
struct BudgetShare(usize);

impl BudgetShare {
    fn reserve(bytes: usize) -> Self {
        ROLLUP_BYTES_USED.fetch_add(bytes, Ordering::Relaxed);
        Self(bytes)
    }

    fn fits(&self) -> bool {
        ROLLUP_BYTES_USED.load(Ordering::Relaxed) <= ROLLUP_BYTES_MAX
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        ROLLUP_BYTES_USED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Whether the sums that are asked for are those that rollups have.
fn has_packed_sums(slice: &RecordSlice<'_>, measure: Measure) -> bool {
    matches!(slice.durations, CallDurations::Milliseconds(_)) && matches!(measure, Measure::Sessions | Measure::Calls)
}
