//! The scan: which records count, in which bin and group they fall, and their integer sums.

pub mod accumulate;
pub mod aggregation_table;
pub mod code_deck;
pub mod column;
pub mod dense_ids;
pub mod group_key;
pub mod minute_histogram;
pub mod minute_lanes;
pub mod partials;
pub mod predicate;
pub mod selection;

use std::ops::Range;

use crate::cancellation::Stop;
use crate::columns::call_duration::CallDurations;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::{add, packed_call};
use crate::error::Result;
use crate::record::US_PER_DAY;
use crate::record::schema::segment_column;

use accumulate::{PartSums, measured};
use aggregation_table::{Cells, Groups};
use code_deck::Deck;
use column::{Column, Columns};
use dense_ids::Place;
use group_key::{Grouping, check_cell_count};
use minute_histogram::{MinuteSums, lie_on_slots};
use predicate::{Compiled, Predicate};
use selection::{CHUNK_ROWS, Chooser, Chosen};

pub use crate::columns::sums::Sums;
pub use accumulate::Measure;
pub use partials::{KeyValues, Partials};

/// What a call's duration is read from, as far as a part has it.
const CALL_COLUMNS: [&str; 3] = [segment_column::NAME_OF_DURATION, "answer_time", "end_time"];

/// What to sum over which records.
pub struct Scan<'a> {
    /// Bin i is [edges[i], edges[i + 1]) of the setup time, ascending microseconds UTC; empty for no bins.
    /// `None`: one bin of all time.
    pub edges: Option<&'a [i64]>,
    /// Conditions that must all hold.
    pub predicates: &'a [Predicate],
    /// Columns to group by.
    pub keys: &'a [String],
    /// What is summed.
    pub measure: Measure,
    /// Stands in place of the rates that the records carry.
    pub deck: Option<&'a Deck>,
    /// Cells that may be reached.
    pub cell_count_max: usize,
    /// Ends the work early.
    pub stop: &'a Stop,
}

impl Scan<'_> {
    /// Columns of the records that the scan reads.
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

/// Collects the cells of one scan over any number of parts.
pub struct Scanner<'a> {
    scan: &'a Scan<'a>,
    cells: Cells,
    /// What is not in the cells yet: parts of one day are poured into them together.
    minutes: Option<MinuteSums>,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, cells: Cells::new(scan.keys, scan.bin_count(), scan.cell_count_max), minutes: None }
    }

    /// Adds the records of a part.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`, what [`Stop::check`] gives, or `Unknown` for a column that does not exist.
    pub fn add(&mut self, part: &RecordSlice<'_>) -> Result<()> {
        self.add_unless(part, |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`] for rows of a table, which has another number than all other tables of the scan: its rows
    /// meet faster where they are added one after the other.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_of_table(&mut self, part: &RecordSlice<'_>, table: usize) -> Result<()> {
        self.add_rows(part, Some(table), &self.scan.predicates.iter().collect::<Vec<_>>(), |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`], unless `is_added` adds what is known of these records from elsewhere, and says so; it is
    /// given the conditions of the scan that not all of them meet.
    ///
    /// # Errors
    /// As [`Scanner::add`], and what `is_added` gives.
    pub fn add_unless(
        &mut self, part: &RecordSlice<'_>, is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        self.add_rows(part, None, &self.scan.predicates.iter().collect::<Vec<_>>(), is_added)
    }

    /// As [`Scanner::add`], with these conditions in place of those of the scan.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_where(&mut self, part: &RecordSlice<'_>, predicates: &[&Predicate]) -> Result<()> {
        self.add_rows(part, None, predicates, |_, _, _| Ok(false))
    }

    fn add_rows(
        &mut self, part: &RecordSlice<'_>, table: Option<usize>, predicates: &[&Predicate],
        is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        let scan = self.scan;
        let columns = Columns::new(part, scan.deck);
        let predicates = compiled(predicates, &columns)?;
        let keys: Vec<Column<'_>> = scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        let (deciding, compiled): (Vec<&Predicate>, Vec<Compiled<'_>>) = predicates.into_iter().unzip();
        let chooser = Chooser::new(part, scan.range(), compiled);
        if chooser.leaves_none() || scan.bin_count() == 0 {
            return Ok(());
        }
        if is_added(self, scan, &deciding)? {
            return Ok(());
        }
        if keys.is_empty() { self.add_bins(part, chooser) } else { self.add_groups(part, table, &keys, chooser) }
    }

    fn add_bins(&mut self, part: &RecordSlice<'_>, chooser: Chooser<'_>) -> Result<()> {
        let scan = self.scan;
        if let Some((edges, minutes)) = scan.minutes_of(part) {
            if self.minutes.as_ref().is_some_and(|sums| !sums.has_room(minutes.day_us, part.calls)) {
                self.pour(edges)?;
            }
            let sums = self.minutes.get_or_insert_default();
            sums.announce(minutes.day_us, part.calls);
            return add_minutes(scan, part, minutes.by_row, chooser, sums);
        }
        let mut bins = Vec::<u32>::new();
        chooser.each_chunk(scan.stop, |chosen, rows| {
            let rows = chosen.list(rows);
            scan.put_bins(part, rows, 0, &mut bins);
            let mut rows = bins.iter().zip(rows);
            rows.try_for_each(|(&bin, &row)| add(&mut self.cells.sums[bin as usize], measured(scan.measure, part, row as usize)))
        })
    }

    /// Adds the sums by minute to those of the bins.
    fn pour(&mut self, edges: &[i64]) -> Result<()> {
        let Some(minutes) = &mut self.minutes else { return Ok(()) };
        minutes.pour(edges, self.scan.measure == Measure::Sessions, &mut self.cells.sums)
    }

    /// Adds what another scanner of the same scan collected.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        if let Some(edges) = self.scan.edges {
            self.pour(edges)?;
            other.pour(edges)?;
        }
        Ok(Self { cells: self.cells.merge(other.cells)?, ..self })
    }

    /// The sums of all parts added.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn finish(mut self) -> Result<Partials> {
        if let Some(edges) = self.scan.edges {
            self.pour(edges)?;
        }
        self.cells.finish()
    }

    fn add_groups(
        &mut self, part: &RecordSlice<'_>, table: Option<usize>, keys: &[Column<'_>], chooser: Chooser<'_>,
    ) -> Result<()> {
        let bins = self.scan.bins_of(part);
        let grouping = Grouping::new(keys, &self.cells.texts, bins.clone(), &part.rows);
        let groups = self.cells.open(&grouping, table)?;
        if grouping.is_narrow() {
            self.add_placed::<u32>(part, bins, grouping, groups, chooser)
        } else {
            self.add_placed::<u64>(part, bins, grouping, groups, chooser)
        }
    }

    fn add_placed<P: Place>(
        &mut self, part: &RecordSlice<'_>, bins: Range<usize>, mut grouping: Grouping<'_>, mut groups: Groups,
        chooser: Chooser<'_>,
    ) -> Result<()> {
        let (scan, cells) = (self.scan, &mut self.cells);
        let (mut sums, mut places) = (PartSums::new(part, scan.measure), Vec::<P>::new());
        chooser.each_chunk(scan.stop, |chosen, rows| {
            let rows = chosen.list(rows);
            places.clear();
            if bins.len() > 1 {
                scan.put_bins(part, rows, bins.start, &mut places);
            }
            grouping.replace_all(rows, &mut places, &mut cells.texts);
            groups.numbers.replace_all(&mut places);
            let cell_count = groups.numbers.values().len();
            // Different cells of a part have different keys, so that one part may be one too many.
            check_cell_count(cell_count, scan.cell_count_max)?;
            sums.add(cell_count, &places, rows)
        })?;
        cells.close(groups, grouping, sums.finish())
    }
}

/// Fewer rows find their bins sooner than the minutes of a day are poured into them.
const MINUTE_ROWS: usize = 1 << 8;
/// Fewer rows are added one by one sooner than the places of many are emptied.
const LANE_ROWS: usize = 1 << 13;

/// What calls are taken for that are only counted.
static NOT_ANSWERED: [i32; CHUNK_ROWS] = [-1; CHUNK_ROWS];

/// The minutes of a part, all of one UTC day.
#[derive(Clone, Copy)]
struct Minutes<'a> {
    day_us: i64,
    by_row: &'a [u16],
}

impl Scan<'_> {
    fn bin_count(&self) -> usize {
        self.edges.map_or(1, |edges| edges.len().saturating_sub(1))
    }

    /// The minutes of a part, where all that this scan asks of it can be poured from sums by minute.
    fn minutes_of<'p>(&self, part: &RecordSlice<'p>) -> Option<(&[i64], Minutes<'p>)> {
        let (edges, by_row) = (self.edges?, part.setup_minute?);
        let day_us = part.setup_range.0.div_euclid(US_PER_DAY) * US_PER_DAY;
        let is_known = match self.measure {
            _ if part.rows.len() < MINUTE_ROWS => false,
            Measure::Sessions => true,
            Measure::Calls => part.weights.is_some() || matches!(part.durations, CallDurations::Milliseconds(_)),
            Measure::Elapsed { .. } => false,
        };
        (is_known && lie_on_slots(day_us, edges, 1)).then_some((edges, Minutes { day_us, by_row }))
    }

    /// The bins that rows of a part may fall in.
    fn bins_of(&self, part: &RecordSlice<'_>) -> Range<usize> {
        let Some(edges) = self.edges else { return 0..1 };
        let (low, high) = part.setup_range;
        let first = edges.partition_point(|&edge| edge <= low).saturating_sub(1);
        let first = first.min(edges.len() - 2);
        first..edges.partition_point(|&edge| edge <= high).clamp(first + 1, edges.len() - 1)
    }

    /// The bins of rows, counted from `first`.
    fn put_bins<P: Place>(&self, part: &RecordSlice<'_>, rows: &[u32], first: usize, bins: &mut Vec<P>) {
        bins.clear();
        let Some(edges) = self.edges else {
            bins.resize(rows.len(), P::of(0));
            return;
        };
        let mut bin = first;
        bins.extend(rows.iter().map(|&row| {
            let setup = part.setup_us[row as usize];
            // Rows are often sorted by setup time, so that the bin of the row before is most often the one.
            if setup < edges[bin] || setup >= edges[bin + 1] {
                bin = edges.partition_point(|&edge| edge <= setup) - 1;
            }
            P::of((bin - first) as u64)
        }));
    }
}

/// Adds the rows of a part that count to the sums of their minutes.
fn add_minutes(
    scan: &Scan<'_>, part: &RecordSlice<'_>, minutes: &[u16], chooser: Chooser<'_>, sums: &mut MinuteSums,
) -> Result<()> {
    let counts_only = scan.measure == Measure::Sessions;
    let by_lanes = part.rows.len() >= LANE_ROWS && part.weights.is_none();
    let ms_of = |run: &Range<usize>| match part.durations {
        _ if counts_only => Some(&NOT_ANSWERED[..run.len()]),
        CallDurations::Milliseconds(ms) => Some(&ms[run.clone()]),
        CallDurations::Times { .. } => None,
    };
    chooser.each_chunk(scan.stop, |chosen, rows| {
        let run = match &chosen {
            Chosen::Run(run) => Some((run, None)),
            Chosen::Masked(run, mask) => Some((run, Some(*mask))),
            Chosen::Listed => None,
        };
        match run.filter(|_| by_lanes).and_then(|(run, mask)| Some((&minutes[run.clone()], ms_of(run)?, mask))) {
            Some((minutes, ms, mask)) => sums.add_run(minutes, ms, mask),
            None => {
                let one =
                    |row: usize| if let CallDurations::Milliseconds(ms) = part.durations { packed_call(ms[row]) } else { [1, 0] };
                let stands_for = |row: usize| part.weights.map_or_else(|| one(row), |weights| weights[row]);
                let rows = chosen.list(rows).iter().map(|&row| row as usize);
                rows.for_each(|row| sums.add_row(minutes[row], stands_for(row)));
            }
        }
        Ok(())
    })
}

/// Columns that conditions read.
pub fn column_names(predicates: &[Predicate]) -> Vec<&str> {
    let names = predicates.iter().map(Predicate::column);
    names.flat_map(|name| if name == "duration_ms" { CALL_COLUMNS.to_vec() } else { vec![name] }).collect()
}

/// Whether any record of a part meets all conditions.
///
/// # Errors
/// What [`Scanner::add`] gives.
pub fn any_match(part: &RecordSlice<'_>, predicates: &[Predicate], stop: &Stop) -> Result<bool> {
    let columns = Columns::new(part, None);
    let compiled = compiled(&predicates.iter().collect::<Vec<_>>(), &columns)?.into_iter().map(|(_, compiled)| compiled);
    let chooser = Chooser::new(part, (i64::MIN, i64::MAX), compiled.collect());
    let mut found = false;
    chooser.each_chunk_while(stop, |chosen, rows| {
        found = !chosen.list(rows).is_empty();
        Ok(!found)
    })?;
    Ok(found)
}

/// The conditions that not all rows of a part meet, ready to be asked.
fn compiled<'a, 'p>(predicates: &[&'p Predicate], columns: &'a Columns<'a>) -> Result<Vec<(&'p Predicate, Compiled<'a>)>>
where
    'p: 'a,
{
    let compiled = predicates.iter().map(|&predicate| Ok((predicate, Compiled::new(predicate, columns)?)));
    let decides = |(_, compiled): &(&Predicate, Compiled<'_>)| !matches!(compiled, Compiled::Constant(true));
    compiled.filter(|compiled| compiled.as_ref().map_or(true, decides)).collect()
}
