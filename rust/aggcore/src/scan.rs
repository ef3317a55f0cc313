//! The scan: which records count, in which bin and group they fall, and their integer sums.

use hashbrown::HashTable;

use crate::column::{Column, Columns};
use crate::deck::Deck;
use crate::error::{Error, Result};
use crate::filter::{Compiled, Predicate, retain};
use crate::group::{Grouping, check_cell_count};
use crate::ints::Ints;
use crate::numbers::{TextNumbers, mixed};
use crate::part::Part;
use crate::record::duration_ms;
use crate::schema::{ABSENT, int};
use crate::stop::Stop;

/// Rows taken at a time, between two looks at the clock; what is kept of each fits the processor's nearest caches.
const CHUNK_ROWS: usize = 1 << 11;

/// What is summed per cell; a cell has three sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// (records, 0, 0).
    Sessions,
    /// (calls, answered calls, milliseconds from answer to end).
    Calls,
    /// (sessions, milliseconds since answer, 0): per session max(0, as of - answer) floored.
    Elapsed {
        /// The instant, microseconds UTC.
        as_of_us: i64,
    },
}

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
        names.extend(["answer_time", "end_time"]);
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

/// Sums of one cell.
pub type Sums = [i64; 3];

/// The values of one key column, by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValues {
    /// Integers, absent ones as [`ABSENT`].
    Ints(Vec<i64>),
    /// Texts by their place among the entries, which are distinct; the first, "", stands for absent ones.
    Texts {
        /// Entries by cell.
        codes: Vec<u32>,
        /// The texts.
        entries: Vec<String>,
    },
}

impl KeyValues {
    /// The text of a cell, "" where it is absent; integers have none.
    #[inline]
    pub fn text(&self, cell: usize) -> &str {
        match self {
            Self::Ints(_) => "",
            Self::Texts { codes, entries } => &entries[codes[cell] as usize],
        }
    }
}

/// What a store answers a scan with.
///
/// Without keys there is one cell per bin, in order. With keys there is one cell per (bin, group) that has
/// records, in no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partials {
    /// Sums by cell.
    pub sums: Vec<Sums>,
    /// Bin by cell.
    pub bins: Vec<u32>,
    /// Key columns, each by cell.
    pub keys: Vec<KeyValues>,
}

/// Collects the cells of one scan over any number of parts.
pub struct Scanner<'a> {
    scan: &'a Scan<'a>,
    cells: Cells,
    /// Texts of each key.
    texts: Vec<TextNumbers>,
    is_text: Vec<bool>,
}

/// Cells in order of appearance; without keys there is one per bin.
struct Cells {
    /// Integers per key: the bin and the values, texts by number.
    stride: usize,
    /// Keys of the cells one after the other.
    keys: Vec<i64>,
    sums: Vec<Sums>,
    /// Cells by hash of their key. It lags behind: the cells of one part are distinct, and often there is but one.
    by_key: HashTable<u32>,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        let cell_count = if scan.keys.is_empty() { scan.bin_count() } else { 0 };
        let cells =
            Cells { stride: 1 + scan.keys.len(), keys: Vec::new(), sums: vec![[0; 3]; cell_count], by_key: HashTable::new() };
        let texts = scan.keys.iter().map(|_| TextNumbers::default()).collect();
        Self { scan, cells, texts, is_text: vec![false; scan.keys.len()] }
    }

    /// Adds the records of a part.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`, what [`Stop::check`] gives, or `Unknown` for a column that does not exist.
    pub fn add(&mut self, part: &Part<'_>) -> Result<()> {
        let columns = Columns::new(part, self.scan.deck);
        let predicates = compiled(self.scan.predicates, &columns)?;
        let keys: Vec<Column<'_>> = self.scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        for (is_text, key) in self.is_text.iter_mut().zip(&keys) {
            *is_text = matches!(key, Column::Category(_) | Column::Text(_));
        }
        if keys.is_empty() {
            return self.scan.each_chunk(part, &predicates, |rows, bins| self.add_to_bins(part, rows, bins));
        }
        let (scan, texts) = (self.scan, &mut self.texts);
        let mut grouping = Grouping::new(&keys, texts, scan.bin_count(), part.rows(), scan.cell_count_max);
        let mut sums = Vec::new();
        scan.each_chunk(part, &predicates, |rows, places| {
            grouping.replace_all(rows, places, texts)?;
            sums.resize(grouping.cell_count(), [0; 3]);
            add_sums(&mut sums, places, scan.measure, part, rows)
        })?;
        self.cells.join(&grouping, sums, scan.cell_count_max)
    }

    /// The sums of all parts added.
    pub fn finish(self) -> Partials {
        let Cells { stride, keys, sums, .. } = self.cells;
        if stride == 1 {
            return Partials { bins: (0..sums.len() as u32).collect(), sums, keys: Vec::new() };
        }
        let column = |offset: usize| keys.iter().skip(offset).step_by(stride).copied();
        let values = self.texts.into_iter().zip(self.is_text).enumerate().map(|(key, (texts, is_text))| {
            if is_text {
                let codes = column(1 + key).map(|number| number as u32).collect();
                KeyValues::Texts { codes, entries: texts.into_texts() }
            } else {
                KeyValues::Ints(column(1 + key).collect())
            }
        });
        let values = values.collect();
        Partials { bins: column(0).map(|bin| bin as u32).collect(), keys: values, sums }
    }

    fn add_to_bins(&mut self, part: &Part<'_>, rows: &[u32], bins: &[u64]) -> Result<()> {
        add_sums(&mut self.cells.sums, bins, self.scan.measure, part, rows)
    }
}

impl Scan<'_> {
    fn bin_count(&self) -> usize {
        self.edges.map_or(1, |edges| edges.len().saturating_sub(1))
    }

    /// Hands over the rows that count and their bins, some at a time.
    fn each_chunk(
        &self, part: &Part<'_>, predicates: &[Compiled<'_>], mut take: impl FnMut(&[u32], &mut [u64]) -> Result<()>,
    ) -> Result<()> {
        let (from, to) = self.range();
        let (mut rows, mut bins) = (Vec::new(), Vec::new());
        for start in (0..part.rows()).step_by(CHUNK_ROWS) {
            self.stop.check()?;
            living_rows(part, start, &mut rows);
            if self.edges.is_some() {
                retain(&mut rows, |row| (from..to).contains(&part.setup_us[row]));
            }
            predicates.iter().for_each(|predicate| predicate.retain(&mut rows));
            self.put_bins(part, &rows, &mut bins);
            take(&rows, &mut bins)?;
        }
        Ok(())
    }

    fn put_bins(&self, part: &Part<'_>, rows: &[u32], bins: &mut Vec<u64>) {
        bins.clear();
        let Some(edges) = self.edges else {
            bins.resize(rows.len(), 0);
            return;
        };
        let mut bin = 0;
        bins.extend(rows.iter().map(|&row| {
            let setup = part.setup_us[row as usize];
            // Segments are sorted by setup time, so that the bin of the row before is most often the one.
            if setup < edges[bin] || setup >= edges[bin + 1] {
                bin = edges.partition_point(|&edge| edge <= setup) - 1;
            }
            bin as u64
        }));
    }
}

impl Cells {
    /// Adds the cells of a part.
    fn join(&mut self, grouping: &Grouping<'_>, sums: Vec<Sums>, allowed: usize) -> Result<()> {
        if self.sums.is_empty() {
            self.keys.resize(sums.len() * self.stride, 0);
            self.keys.chunks_exact_mut(self.stride).enumerate().for_each(|(cell, key)| grouping.write_key(cell, key));
            self.sums = sums;
            return Ok(());
        }
        let mut key = vec![0; self.stride];
        for (cell, added) in sums.into_iter().enumerate() {
            grouping.write_key(cell, &mut key);
            let cell = self.cell(&key);
            check_cell_count(self.sums.len(), allowed)?;
            add(&mut self.sums[cell], added)?;
        }
        Ok(())
    }

    /// The cell of a key.
    fn cell(&mut self, key: &[i64]) -> usize {
        let (keys, stride) = (&mut self.keys, self.stride);
        let hash_of_cell = |keys: &[i64], cell: u32| hash_of(&keys[cell as usize * stride..][..stride]);
        for cell in self.by_key.len()..self.sums.len() {
            let hash = hash_of_cell(keys, cell as u32);
            self.by_key.insert_unique(hash, cell as u32, |&cell| hash_of_cell(keys, cell));
        }
        let same = |&cell: &u32| &keys[cell as usize * stride..][..stride] == key;
        if let Some(&cell) = self.by_key.find(hash_of(key), same) {
            return cell as usize;
        }
        keys.extend_from_slice(key);
        self.sums.push([0; 3]);
        self.sums.len() - 1
    }
}

/// Columns that conditions read.
pub fn column_names(predicates: &[Predicate]) -> Vec<&str> {
    let names = predicates.iter().map(Predicate::column);
    names.flat_map(|name| if name == "duration_ms" { vec!["answer_time", "end_time"] } else { vec![name] }).collect()
}

/// Whether any record of a part meets all conditions.
///
/// # Errors
/// What [`Scanner::add`] gives.
pub fn any_match(part: &Part<'_>, predicates: &[Predicate], stop: &Stop) -> Result<bool> {
    let columns = Columns::new(part, None);
    let predicates = compiled(predicates, &columns)?;
    let mut rows = Vec::new();
    for start in (0..part.rows()).step_by(CHUNK_ROWS) {
        stop.check()?;
        living_rows(part, start, &mut rows);
        predicates.iter().for_each(|predicate| predicate.retain(&mut rows));
        if !rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compiled<'a>(predicates: &'a [Predicate], columns: &'a Columns<'a>) -> Result<Vec<Compiled<'a>>> {
    predicates.iter().map(|predicate| Compiled::new(predicate, columns)).collect()
}

/// The rows of the chunk at `start` that no later version replaced.
fn living_rows(part: &Part<'_>, start: usize, rows: &mut Vec<u32>) {
    rows.clear();
    rows.extend(start as u32..part.rows().min(start + CHUNK_ROWS) as u32);
    if !part.dead.is_empty() {
        retain(rows, |row| !part.dead.contains(row));
    }
}

fn hash_of(key: &[i64]) -> u64 {
    mixed(key.iter().map(|&value| value as u64))
}

/// Adds what is measured of each row to its cell.
fn add_sums(sums: &mut [Sums], cells: &[u64], measure: Measure, part: &Part<'_>, rows: &[u32]) -> Result<()> {
    let [answer, end] = [int::ANSWER_TIME, int::END_TIME].map(|slot| part.ints[slot]);
    match measure {
        Measure::Sessions => add_each(sums, cells, rows, |_| [1, 0, 0]),
        Measure::Calls => add_each(sums, cells, rows, |row| {
            let answer_us = answer.get(row);
            [1, i64::from(answer_us != ABSENT), duration_ms(answer_us, end.get(row))]
        }),
        Measure::Elapsed { as_of_us } => match answer {
            Ints::Wide(answer_us) => add_each(sums, cells, rows, |row| [1, elapsed_ms(answer_us[row], as_of_us), 0]),
            Ints::Absent | Ints::Narrow(_) => add_each(sums, cells, rows, |row| [1, elapsed_ms(answer.get(row), as_of_us), 0]),
        },
    }
}

fn add_each(sums: &mut [Sums], cells: &[u64], rows: &[u32], measured: impl Fn(usize) -> Sums) -> Result<()> {
    for (&cell, &row) in cells.iter().zip(rows) {
        add(&mut sums[cell as usize], measured(row as usize))?;
    }
    Ok(())
}

/// Adds to sums.
///
/// # Errors
/// `SumOverflow`.
#[inline]
pub fn add(sums: &mut Sums, added: Sums) -> Result<()> {
    for (sum, added) in sums.iter_mut().zip(added) {
        *sum = sum.checked_add(added).ok_or(Error::SumOverflow)?;
    }
    Ok(())
}

/// Milliseconds since an answer, 0 where it is absent or to come; by a product, as a branch would go either way.
fn elapsed_ms(answer_us: i64, as_of_us: i64) -> i64 {
    // Wraps for an absent answer only.
    let elapsed_us = as_of_us.wrapping_sub(answer_us).max(0) as u64;
    (elapsed_us / 1_000) as i64 * i64::from(answer_us != ABSENT)
}
