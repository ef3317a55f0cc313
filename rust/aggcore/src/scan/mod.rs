//! The scan: which records count, in which bin and group they fall, and their integer sums.

pub mod accumulate;
pub mod aggregation_table;
pub mod code_deck;
pub mod column;
pub mod compiled_predicate;
pub mod dense_ids;
pub mod group_key;
pub mod minute_histogram;
pub mod minute_lanes;
mod network;
pub mod partials;
pub mod predicate;
mod predicate_kernels;
pub mod selection;

use std::ops::Range;

use crate::cancellation::CancelToken;
use crate::columns::call_duration::CallDurations;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::{add, packed_call};
use crate::error::Result;
use crate::record::US_PER_DAY;
use crate::record::schema::segment_column;

use accumulate::{SliceAccumulator, measured};
use aggregation_table::{AggregationTable, PackedGroups};
use code_deck::Deck;
use column::{Column, SliceColumns};
use compiled_predicate::CompiledPredicate;
use dense_ids::GroupCode;
use group_key::{GroupKeyEncoder, check_cell_count};
use minute_histogram::{MinuteHistogram, lie_on_slots};
use predicate::Predicate;
use selection::{CHUNK_ROWS, Selection, Selector};

pub use crate::columns::sums::Sums;
pub use accumulate::Measure;
pub use partials::{KeyValues, Partials};

/// What a call's duration is read from, as far as a slice has it.
const CALL_COLUMNS: [&str; 3] = [segment_column::NAME_OF_DURATION, "answer_time", "end_time"];

/// What to sum over which records.
pub struct Scan<'a> {
    /// Bin i is [edges[i], edges[i + 1]) of the setup time, ascending microseconds UTC; empty for no bins.
    /// `None`: one bin of all time.
    pub edges: Option<&'a [i64]>,
    /// Conditions that must all hold.
    pub predicates: &'a [Predicate],
    /// SliceColumns to group by.
    pub keys: &'a [String],
    /// What is summed.
    pub measure: Measure,
    /// Stands in place of the rates that the records carry.
    pub deck: Option<&'a Deck>,
    /// AggregationTable that may be reached.
    pub cell_count_max: usize,
    /// Ends the work early.
    pub cancel: &'a CancelToken,
}

impl Scan<'_> {
    /// SliceColumns of the records that the scan reads.
    pub fn column_names(&self) -> Vec<&str> {
        let mut names = column_names(self.predicates);
        names.extend(self.keys.iter().map(String::as_str));
        match self.measure {
            Measure::Sessions => {}
            Measure::Calls => names.extend(CALL_COLUMNS),
            Measure::Elapsed { .. } => names.push("answer_time"),
        }
        if self.keys.is_empty() {
            names.extend([segment_column::NAME_OF_MINUTE, segment_column::NAME_OF_DURATION]);
        }
        if self.deck.is_some() {
            names.extend(["orig_dst_party_id", "term_dst_party_id"]);
        }
        names
    }

    /// Setup times that any bin has: from, to.
    pub fn range(&self) -> (i64, i64) {
        match self.edges {
            None => (i64::MIN, i64::MAX),
            Some([first, .., last]) => (*first, *last),
            Some(_) => (0, 0),
        }
    }
}

/// Collects the cells of one scan over any number of slices.
pub struct Scanner<'a> {
    scan: &'a Scan<'a>,
    cells: AggregationTable,
    /// What is not in the cells yet: slices of one day are poured into them together.
    minutes: Option<MinuteHistogram>,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, cells: AggregationTable::new(scan.keys, scan.bin_count(), scan.cell_count_max), minutes: None }
    }

    /// Adds the records of a slice.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`, what [`CancelToken::check`] gives, or `Unknown` for a column that does not exist.
    pub fn add(&mut self, slice: &RecordSlice<'_>) -> Result<()> {
        self.add_unless(slice, |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`] for rows of a table, which has another number than all other tables of the scan: its rows
    /// meet faster where they are added one after the other.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_of_table(&mut self, slice: &RecordSlice<'_>, table: usize) -> Result<()> {
        self.add_rows(slice, Some(table), &self.scan.predicates.iter().collect::<Vec<_>>(), |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`], unless `is_added` adds what is known of these records from elsewhere, and says so; it is
    /// given the conditions of the scan that not all of them meet.
    ///
    /// # Errors
    /// As [`Scanner::add`], and what `is_added` gives.
    pub fn add_unless(
        &mut self, slice: &RecordSlice<'_>, is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        self.add_rows(slice, None, &self.scan.predicates.iter().collect::<Vec<_>>(), is_added)
    }

    /// As [`Scanner::add`], with these conditions in place of those of the scan.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_where(&mut self, slice: &RecordSlice<'_>, predicates: &[&Predicate]) -> Result<()> {
        self.add_rows(slice, None, predicates, |_, _, _| Ok(false))
    }

    fn add_rows(
        &mut self, slice: &RecordSlice<'_>, table: Option<usize>, predicates: &[&Predicate],
        is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        let scan = self.scan;
        let columns = SliceColumns::new(slice, scan.deck);
        let predicates = compiled(predicates, &columns)?;
        let keys: Vec<Column<'_>> = scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        let (deciding, compiled): (Vec<&Predicate>, Vec<CompiledPredicate<'_>>) = predicates.into_iter().unzip();
        let selector = Selector::new(slice, scan.range(), compiled);
        if selector.selects_nothing() || scan.bin_count() == 0 {
            return Ok(());
        }
        if is_added(self, scan, &deciding)? {
            return Ok(());
        }
        if keys.is_empty() { self.add_bins(slice, selector) } else { self.add_groups(slice, table, &keys, selector) }
    }

    fn add_bins(&mut self, slice: &RecordSlice<'_>, selector: Selector<'_>) -> Result<()> {
        let scan = self.scan;
        if let Some((edges, minutes)) = scan.minutes_of(slice) {
            if self.minutes.as_ref().is_some_and(|sums| !sums.has_room(minutes.day_us, slice.call_count_max)) {
                self.fold_into_bins(edges)?;
            }
            let sums = self.minutes.get_or_insert_default();
            sums.reserve_calls(minutes.day_us, slice.call_count_max);
            return add_minutes(scan, slice, minutes.by_row, selector, sums);
        }
        let mut bins = Vec::<u32>::new();
        selector.each_chunk(scan.cancel, |selection, rows| {
            let rows = selection.list(rows);
            scan.put_bins(slice, rows, 0, &mut bins);
            let mut rows = bins.iter().zip(rows);
            rows.try_for_each(|(&bin, &row)| add(&mut self.cells.sums[bin as usize], measured(scan.measure, slice, row as usize)))
        })
    }

    /// Adds the sums by minute to those of the bins.
    fn fold_into_bins(&mut self, edges: &[i64]) -> Result<()> {
        let Some(minutes) = &mut self.minutes else { return Ok(()) };
        minutes.fold_into_bins(edges, self.scan.measure == Measure::Sessions, &mut self.cells.sums)
    }

    /// Adds what another scanner of the same scan collected.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
            other.fold_into_bins(edges)?;
        }
        Ok(Self { cells: self.cells.merge(other.cells)?, ..self })
    }

    /// The sums of all slices added.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn finish(mut self) -> Result<Partials> {
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
        }
        self.cells.finish()
    }

    fn add_groups(
        &mut self, slice: &RecordSlice<'_>, table: Option<usize>, keys: &[Column<'_>], selector: Selector<'_>,
    ) -> Result<()> {
        let bins = self.scan.bins_of(slice);
        let encoder = GroupKeyEncoder::new(keys, &self.cells.texts, bins.clone(), &slice.rows);
        let groups = self.cells.open(&encoder, table)?;
        if encoder.is_narrow() {
            self.add_placed::<u32>(slice, bins, encoder, groups, selector)
        } else {
            self.add_placed::<u64>(slice, bins, encoder, groups, selector)
        }
    }

    fn add_placed<P: GroupCode>(
        &mut self, slice: &RecordSlice<'_>, bins: Range<usize>, mut encoder: GroupKeyEncoder<'_>, mut groups: PackedGroups,
        selector: Selector<'_>,
    ) -> Result<()> {
        let (scan, cells) = (self.scan, &mut self.cells);
        let (mut sums, mut codes_of_rows) = (SliceAccumulator::new(slice, scan.measure), Vec::<P>::new());
        selector.each_chunk(scan.cancel, |selection, rows| {
            let rows = selection.list(rows);
            codes_of_rows.clear();
            if bins.len() > 1 {
                scan.put_bins(slice, rows, bins.start, &mut codes_of_rows);
            }
            encoder.replace_with_ids(rows, &mut codes_of_rows, &mut cells.texts);
            groups.ids.replace_with_ids(&mut codes_of_rows);
            let cell_count = groups.ids.values().len();
            // Different cells of a slice have different keys, so that one slice may be one too many.
            check_cell_count(cell_count, scan.cell_count_max)?;
            sums.add(cell_count, &codes_of_rows, rows)
        })?;
        cells.close(groups, encoder, sums.finish())
    }
}

/// Fewer rows find their bins sooner than the minutes of a day are poured into them.
const HISTOGRAM_ROWS_MIN: usize = 1 << 8;
/// Fewer rows are added one by one sooner than the codes_of_rows of many are emptied.
const LANES_ROWS_MIN: usize = 1 << 13;

/// What calls are taken for that are only counted.
static UNANSWERED_MS: [i32; CHUNK_ROWS] = [-1; CHUNK_ROWS];

/// The minutes of a slice, all of one UTC day.
#[derive(Clone, Copy)]
struct Minutes<'a> {
    day_us: i64,
    by_row: &'a [u16],
}

impl Scan<'_> {
    fn bin_count(&self) -> usize {
        self.edges.map_or(1, |edges| edges.len().saturating_sub(1))
    }

    /// The minutes of a slice, where all that this scan asks of it can be poured from sums by minute.
    fn minutes_of<'p>(&self, slice: &RecordSlice<'p>) -> Option<(&[i64], Minutes<'p>)> {
        let (edges, by_row) = (self.edges?, slice.setup_minute?);
        let day_us = slice.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let is_known = match self.measure {
            _ if slice.rows.len() < HISTOGRAM_ROWS_MIN => false,
            Measure::Sessions => true,
            Measure::Calls => slice.rollup_sums.is_some() || matches!(slice.durations, CallDurations::Milliseconds(_)),
            Measure::Elapsed { .. } => false,
        };
        (is_known && lie_on_slots(day_us, edges, 1)).then_some((edges, Minutes { day_us, by_row }))
    }

    /// The bins that rows of a slice may fall in.
    fn bins_of(&self, slice: &RecordSlice<'_>) -> Range<usize> {
        let Some(edges) = self.edges else { return 0..1 };
        let (low, high) = slice.setup_range;
        let first = edges.partition_point(|&edge| edge <= low).saturating_sub(1);
        let first = first.min(edges.len() - 2);
        first..edges.partition_point(|&edge| edge <= high).clamp(first + 1, edges.len() - 1)
    }

    /// The bins of rows, counted from `first`.
    fn put_bins<P: GroupCode>(&self, slice: &RecordSlice<'_>, rows: &[u32], first: usize, bins: &mut Vec<P>) {
        bins.clear();
        let Some(edges) = self.edges else {
            bins.resize(rows.len(), P::of(0));
            return;
        };
        let mut bin = first;
        bins.extend(rows.iter().map(|&row| {
            let setup = slice.setup_us[row as usize];
            // Rows are often sorted by setup time, so that the bin of the row before is most often the one.
            if setup < edges[bin] || setup >= edges[bin + 1] {
                bin = edges.partition_point(|&edge| edge <= setup) - 1;
            }
            P::of((bin - first) as u64)
        }));
    }
}

/// Adds the rows of a slice that count to the sums of their minutes.
fn add_minutes(
    scan: &Scan<'_>, slice: &RecordSlice<'_>, minutes: &[u16], selector: Selector<'_>, sums: &mut MinuteHistogram,
) -> Result<()> {
    let counts_only = scan.measure == Measure::Sessions;
    let by_lanes = slice.rows.len() >= LANES_ROWS_MIN && slice.rollup_sums.is_none();
    let ms_of = |run: &Range<usize>| match slice.durations {
        _ if counts_only => Some(&UNANSWERED_MS[..run.len()]),
        CallDurations::Milliseconds(ms) => Some(&ms[run.clone()]),
        CallDurations::Times { .. } => None,
    };
    selector.each_chunk(scan.cancel, |selection, rows| {
        let run = match &selection {
            Selection::Range(run) => Some((run, None)),
            Selection::Mask(run, mask) => Some((run, Some(*mask))),
            Selection::Indices => None,
        };
        match run.filter(|_| by_lanes).and_then(|(run, mask)| Some((&minutes[run.clone()], ms_of(run)?, mask))) {
            Some((minutes, ms, mask)) => sums.add_range(minutes, ms, mask),
            None => {
                let one = |row: usize| {
                    if let CallDurations::Milliseconds(ms) = slice.durations { packed_call(ms[row]) } else { [1, 0] }
                };
                let stands_for = |row: usize| slice.rollup_sums.map_or_else(|| one(row), |rollup_sums| rollup_sums[row]);
                let rows = selection.list(rows).iter().map(|&row| row as usize);
                rows.for_each(|row| sums.add_row(minutes[row], stands_for(row)));
            }
        }
        Ok(())
    })
}

/// SliceColumns that conditions read.
pub fn column_names(predicates: &[Predicate]) -> Vec<&str> {
    let names = predicates.iter().map(Predicate::column);
    names.flat_map(|name| if name == "duration_ms" { CALL_COLUMNS.to_vec() } else { vec![name] }).collect()
}

/// Whether any record of a slice meets all conditions.
///
/// # Errors
/// What [`Scanner::add`] gives.
pub fn any_match(slice: &RecordSlice<'_>, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
    let columns = SliceColumns::new(slice, None);
    let compiled = compiled(&predicates.iter().collect::<Vec<_>>(), &columns)?.into_iter().map(|(_, compiled)| compiled);
    let selector = Selector::new(slice, (i64::MIN, i64::MAX), compiled.collect());
    let mut found = false;
    selector.each_chunk_while(cancel, |selection, rows| {
        found = !selection.list(rows).is_empty();
        Ok(!found)
    })?;
    Ok(found)
}

/// The conditions that not all rows of a slice meet, ready to be asked.
fn compiled<'a, 'p>(
    predicates: &[&'p Predicate], columns: &'a SliceColumns<'a>,
) -> Result<Vec<(&'p Predicate, CompiledPredicate<'a>)>>
where
    'p: 'a,
{
    let compiled = predicates.iter().map(|&predicate| Ok((predicate, CompiledPredicate::new(predicate, columns)?)));
    let decides = |(_, compiled): &(&Predicate, CompiledPredicate<'_>)| !matches!(compiled, CompiledPredicate::Constant(true));
    compiled.filter(|compiled| compiled.as_ref().map_or(true, decides)).collect()
}
