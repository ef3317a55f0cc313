//! The scan: which records count, in which bin and group they fall, and their integer sums.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::column::{Column, Columns};
use crate::deck::Deck;
use crate::error::{Error, Result};
use crate::filter::{Compiled, Predicate};
use crate::part::{NO_CODE, Part};
use crate::record::duration_ms;
use crate::schema::{ABSENT, int};
use crate::stop::Stop;

/// Rows looked at between two looks at the clock.
const CHUNK_ROWS: usize = 1 << 16;

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
    /// Texts, absent ones as "".
    Texts(Vec<String>),
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
    sums: Vec<Sums>,
    /// Bin and key values of each cell, one after the other; texts by their number in `texts`.
    cell_keys: Vec<i64>,
    by_key: HashTable<u32>,
    texts: Vec<TextNumbers>,
    is_text: Vec<bool>,
}

/// Numbers texts from 0 in order of appearance.
#[derive(Default)]
struct TextNumbers {
    texts: Vec<String>,
    by_text: HashTable<u32>,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        let bin_count = scan.edges.map_or(1, |edges| edges.len().saturating_sub(1));
        Self {
            scan,
            sums: if scan.keys.is_empty() { vec![[0; 3]; bin_count] } else { Vec::new() },
            cell_keys: Vec::new(),
            by_key: HashTable::new(),
            texts: scan.keys.iter().map(|_| TextNumbers::default()).collect(),
            is_text: vec![false; scan.keys.len()],
        }
    }

    /// Adds the records of a part.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`, what [`Stop::check`] gives, or `Unknown` for a column that does not exist.
    pub fn add(&mut self, part: &Part<'_>) -> Result<()> {
        let columns = Columns::new(part, self.scan.deck);
        let predicates = self.scan.predicates.iter().map(|predicate| Compiled::new(predicate, &columns));
        let predicates: Vec<Compiled<'_>> = predicates.collect::<Result<_>>()?;
        let keys: Vec<Column<'_>> = self.scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        for (is_text, key) in self.is_text.iter_mut().zip(&keys) {
            *is_text = matches!(key, Column::Category(_) | Column::Text(_));
        }
        let mut seen: Vec<Vec<i64>> = keys.iter().map(unseen).collect();
        for start in (0..part.rows()).step_by(CHUNK_ROWS) {
            self.scan.stop.check()?;
            let mut rows = self.rows_in_range(part, start..part.rows().min(start + CHUNK_ROWS));
            predicates.iter().for_each(|predicate| predicate.retain(&mut rows));
            for row in rows {
                let cell = self.cell(part, &keys, &mut seen, row as usize)?;
                add_sums(&mut self.sums[cell], self.scan.measure, part, row as usize)?;
            }
        }
        Ok(())
    }

    /// The sums of all parts added.
    pub fn finish(self) -> Partials {
        let stride = 1 + self.scan.keys.len();
        if self.scan.keys.is_empty() {
            return Partials { bins: (0..self.sums.len() as u32).collect(), sums: self.sums, keys: Vec::new() };
        }
        let column = |offset: usize| self.cell_keys.iter().skip(offset).step_by(stride).copied();
        let keys = (0..self.scan.keys.len()).map(|key| {
            if self.is_text[key] {
                KeyValues::Texts(column(1 + key).map(|number| self.texts[key].text(number)).collect())
            } else {
                KeyValues::Ints(column(1 + key).collect())
            }
        });
        Partials { bins: column(0).map(|bin| bin as u32).collect(), keys: keys.collect(), sums: self.sums }
    }

    fn rows_in_range(&self, part: &Part<'_>, rows: std::ops::Range<usize>) -> Vec<u32> {
        let setup = part.setup_us;
        let (from, to) = self.scan.range();
        rows.filter(|&row| (from..to).contains(&setup[row]) && !part.dead.contains(row)).map(|row| row as u32).collect()
    }

    fn cell(&mut self, part: &Part<'_>, keys: &[Column<'_>], seen: &mut [Vec<i64>], row: usize) -> Result<usize> {
        let setup = part.setup_us[row];
        let bin = self.scan.edges.map_or(0, |edges| edges.partition_point(|&edge| edge <= setup) - 1);
        if keys.is_empty() {
            return Ok(bin);
        }
        let start = self.cell_keys.len();
        self.cell_keys.push(bin as i64);
        for (number, key) in keys.iter().enumerate() {
            let value = self.texts[number].value(key, &mut seen[number], row);
            self.cell_keys.push(value);
        }
        self.keyed_cell(start)
    }

    /// The cell of the key that was just appended at `start`; takes the key away again where it is known.
    fn keyed_cell(&mut self, start: usize) -> Result<usize> {
        let stride = 1 + self.scan.keys.len();
        let (known, key) = self.cell_keys.split_at(start);
        let hash = hash_of(key);
        let same = |&cell: &u32| &known[cell as usize * stride..][..stride] == key;
        if let Some(&cell) = self.by_key.find(hash, same) {
            self.cell_keys.truncate(start);
            return Ok(cell as usize);
        }
        let (cell, allowed) = (self.sums.len(), self.scan.cell_count_max);
        if cell >= allowed {
            return Err(Error::CellLimit { asked: cell + 1, allowed });
        }
        let keys = &self.cell_keys;
        self.by_key.insert_unique(hash, cell as u32, |&cell| hash_of(&keys[cell as usize * stride..][..stride]));
        self.sums.push([0; 3]);
        Ok(cell)
    }
}

impl TextNumbers {
    /// A key's value as an integer; texts by number. `seen` remembers the numbers of a part's dictionary entries.
    fn value(&mut self, key: &Column<'_>, seen: &mut [i64], row: usize) -> i64 {
        match key {
            Column::Int { values, default } => {
                let value = values.get(row);
                if value == ABSENT { *default } else { value }
            }
            Column::Duration { answer_us, end_us } => duration_ms(answer_us.get(row), end_us.get(row)),
            Column::Text(texts) => self.number(texts.get(row)),
            Column::Category(column) => match column.code(row) {
                NO_CODE => ABSENT,
                code => {
                    let number = &mut seen[code as usize];
                    if *number == UNSEEN {
                        *number = self.number(column.entries.get(code as usize));
                    }
                    *number
                }
            },
        }
    }

    fn number(&mut self, text: &str) -> i64 {
        if text.is_empty() {
            return ABSENT;
        }
        let hash = xxh3_64(text.as_bytes());
        if let Some(&number) = self.by_text.find(hash, |&number| self.texts[number as usize] == text) {
            return i64::from(number);
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.by_text.insert_unique(hash, number, |&number| xxh3_64(self.texts[number as usize].as_bytes()));
        i64::from(number)
    }

    fn text(&self, number: i64) -> String {
        usize::try_from(number).map_or_else(|_| String::new(), |number| self.texts[number].clone())
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
    let compiled: Vec<Compiled<'_>> = predicates.iter().map(|p| Compiled::new(p, &columns)).collect::<Result<_>>()?;
    for start in (0..part.rows()).step_by(CHUNK_ROWS) {
        stop.check()?;
        let rows = start..part.rows().min(start + CHUNK_ROWS);
        let mut rows: Vec<u32> = rows.filter(|&row| !part.dead.contains(row)).map(|row| row as u32).collect();
        compiled.iter().for_each(|predicate| predicate.retain(&mut rows));
        if !rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

const UNSEEN: i64 = i64::MAX;

fn unseen(key: &Column<'_>) -> Vec<i64> {
    match key {
        Column::Category(column) => vec![UNSEEN; column.entries.count()],
        Column::Int { .. } | Column::Duration { .. } | Column::Text(_) => Vec::new(),
    }
}

fn hash_of(key: &[i64]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    key.iter().for_each(|value| hasher.update(&value.to_le_bytes()));
    hasher.digest()
}

fn add_sums(sums: &mut Sums, measure: Measure, part: &Part<'_>, row: usize) -> Result<()> {
    let [answer, end] = [int::ANSWER_TIME, int::END_TIME].map(|slot| part.ints[slot].get(row));
    let added: Sums = match measure {
        Measure::Sessions => [1, 0, 0],
        Measure::Calls => [1, i64::from(answer != ABSENT), duration_ms(answer, end)],
        Measure::Elapsed { as_of_us } => [1, elapsed_ms(answer, as_of_us), 0],
    };
    for (sum, added) in sums.iter_mut().zip(added) {
        *sum = sum.checked_add(added).ok_or(Error::SumOverflow)?;
    }
    Ok(())
}

fn elapsed_ms(answer_us: i64, as_of_us: i64) -> i64 {
    if answer_us == ABSENT { 0 } else { (as_of_us - answer_us).max(0).div_euclid(1_000) }
}
