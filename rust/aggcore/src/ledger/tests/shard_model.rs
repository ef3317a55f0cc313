//! A shard in memory: rows with signs, in parts that are merged as CollapsingMergeTree merges them.

use std::collections::{BTreeMap, HashMap};

use crate::ledger::DayCommit;
use crate::ledger::columns::{DICTIONARY_TYPE, columns, is_string, position, state};
use crate::native::{BlockWriter, Values, read_blocks};

use super::random::Random;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    Integer(i64),
    Bytes(Vec<u8>),
}

/// All columns of a row, in order.
pub type Row = Vec<Cell>;

/// The rows of one shard, by home day and part.
#[derive(Clone, Default)]
pub struct ShardModel {
    parts: BTreeMap<i64, Vec<Vec<Row>>>,
    /// The markers of each day, in order.
    markers: BTreeMap<i64, Vec<u64>>,
}

impl ShardModel {
    /// The number of the last commit of each day, 0 without one.
    pub fn heads(&self, days: impl IntoIterator<Item = i64>) -> HashMap<i64, u64> {
        days.into_iter().map(|day| (day, self.markers.get(&day).map_or(0, |markers| markers.len() as u64))).collect()
    }

    /// Inserts a commit, unless its number is taken; returns whether it was inserted.
    pub fn insert(&mut self, commit: &DayCommit) -> bool {
        let markers = self.markers.entry(commit.day).or_default();
        if markers.len() as u64 + 1 != commit.seq {
            return false;
        }
        let (mut rows, blocks) = (Vec::new(), read_blocks(&commit.rows).unwrap());
        assert_eq!(blocks.len(), 1);
        for row in 0..blocks[0].row_count {
            let cell = |values: &Values<'_>| match values {
                Values::Integers(values) => Cell::Integer(values[row]),
                Values::Strings(values) => Cell::Bytes(values[row].to_vec()),
                Values::Wide(_) | Values::Lists(_) => unreachable!("the ledger has none"),
            };
            rows.push(blocks[0].columns.iter().map(|column| cell(&column.values)).collect::<Row>());
        }
        let marker = rows.pop().unwrap();
        assert_eq!(rows.len(), commit.row_count);
        assert_eq!((integer(&marker, position::STATE), integer(&marker, position::KEY_HASH)), (state::MARKER, commit.seq as i64));
        assert!(rows.iter().chain([&marker]).all(|row| integer(row, position::DAY) == commit.day));
        markers.push(integer(&marker, WRITER) as u64);
        // An insert is collapsed too (`optimize_on_insert`).
        self.parts.entry(commit.day).or_default().push(collapsed(rows));
        true
    }

    /// Takes the next number of a day, as another writer does that changes nothing here.
    pub fn move_head(&mut self, day: i64) {
        self.markers.entry(day).or_default().push(0);
    }

    /// Merges some neighbouring parts of each day.
    pub fn merge_parts(&mut self, random: &mut Random) {
        for parts in self.parts.values_mut() {
            let start = random.below(parts.len());
            let end = start + random.below(parts.len() - start + 1);
            let merged = parts[start..end].concat();
            parts.splice(start..end, [collapsed(merged)]);
        }
    }

    /// The rows whose signs do not cancel each other, with the sum of the signs.
    pub fn live(&self) -> Vec<(Row, i64)> {
        let mut sums: BTreeMap<Row, i64> = BTreeMap::new();
        for row in self.parts.values().flatten().flatten() {
            let mut values = row.clone();
            values[position::SIGN] = Cell::Integer(1);
            *sums.entry(values).or_default() += integer(row, position::SIGN);
        }
        sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
    }

    /// The live rows that a look-up finds, as Native blocks of a few rows each.
    pub fn select(&self, wanted: impl Fn(&Row) -> bool) -> Vec<u8> {
        let rows: Vec<(Row, i64)> = self.live().into_iter().filter(|(row, _)| wanted(row)).collect();
        rows.chunks(3).flat_map(native).collect()
    }
}

/// Position of the column `writer`.
const WRITER: usize = 6;

pub fn integer(row: &Row, position: usize) -> i64 {
    match row[position] {
        Cell::Integer(value) => value,
        Cell::Bytes(_) => panic!("column {position} has bytes"),
    }
}

/// A block of rows with the sums of their signs.
pub fn native(rows: &[(Row, i64)]) -> Vec<u8> {
    let mut writer = BlockWriter::new(rows.len());
    for (position, (name, type_name)) in columns().enumerate() {
        if is_string(position) {
            let bytes = |(row, _): &(Row, i64)| match &row[position] {
                Cell::Bytes(bytes) => bytes.clone(),
                Cell::Integer(_) => panic!("column {name} has integers"),
            };
            let values: Vec<Vec<u8>> = rows.iter().map(bytes).collect();
            let type_name = if type_name == DICTIONARY_TYPE { "String" } else { type_name };
            writer.strings(name, type_name, values.iter().map(Vec::as_slice));
        } else {
            let value = |(row, sum): &(Row, i64)| if position == position::SIGN { *sum } else { integer(row, position) };
            writer.integers(name, type_name, rows.iter().map(value));
        }
    }
    writer.finish().unwrap()
}

/// What CollapsingMergeTree keeps of rows that are sorted by their key, and by their order in the parts otherwise.
fn collapsed(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(sort_key);
    let mut kept = Vec::new();
    for same in rows.chunk_by(|one, next| sort_key(one) == sort_key(next)) {
        let sign = |row: &&Row| integer(row, position::SIGN);
        let positive = same.iter().filter(|row| sign(row) == 1).count();
        let negative = same.len() - positive;
        if sign(&&same[same.len() - 1]) == 1 || positive != negative {
            if positive <= negative {
                kept.extend(same.iter().find(|row| sign(row) == -1).cloned());
            }
            if positive >= negative {
                kept.extend(same.iter().rfind(|row| sign(row) == 1).cloned());
            }
            assert!(positive.abs_diff(negative) <= 1, "ClickHouse would complain");
        }
    }
    kept
}

fn sort_key(row: &Row) -> [Cell; 5] {
    let named = |wanted: &str| columns().position(|(name, _)| name == wanted).map_or(0, |position| position);
    ["state", "session_kind", "account_id", "setup_time", "key_hash"].map(|name| row[named(name)].clone())
}
