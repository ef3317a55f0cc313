#![allow(clippy::unwrap_used)] // A test may panic.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::memory::{MemoryBudget, MemoryLimits};
use crate::native::BlockWriter;
use crate::scan::KeyValues;
use crate::scan::code_deck::CodeDeckEntry;

const NAMES: [&str; 3] = ["first", "second", "third"];
/// Integers and texts of a cell.
type Groups = (&'static [&'static str], &'static [&'static str]);
type Cell = (i64, Vec<i64>, Vec<&'static str>, Sums);

fn memory(bytes: usize) -> Arc<QueryMemory> {
    Arc::new(MemoryBudget::new(MemoryLimits { query_bytes_max: bytes, total_bytes_max: usize::MAX })).begin_query()
}

fn cell_sums(bin_count: usize, (integers, texts): Groups, deck: Option<&Arc<CodeDeck>>, cell_count_max: usize) -> CellSums {
    let keys: Vec<String> = integers.iter().chain(texts).map(ToString::to_string).collect();
    CellSums::new(&memory(usize::MAX), bin_count, &keys, deck, cell_count_max).unwrap()
}

fn block((integers, texts): Groups, cells: &[Cell]) -> Vec<u8> {
    let mut writer = BlockWriter::new(cells.len());
    writer.integers("bin", "UInt32", cells.iter().map(|cell| cell.0));
    for (n, name) in integers.iter().enumerate() {
        writer.integers(name, "Int64", cells.iter().map(|cell| cell.1[n]));
    }
    for (n, name) in texts.iter().enumerate() {
        writer.strings(name, "String", cells.iter().map(|cell| cell.2[n].as_bytes()));
    }
    for (n, name) in NAMES.iter().enumerate() {
        writer.integers(name, "Int64", cells.iter().map(|cell| cell.3[n]));
    }
    writer.finish().unwrap()
}

/// Cells by bin and keys.
fn listed(partials: &Partials) -> BTreeMap<(u32, Vec<String>), Sums> {
    let value = |key: &KeyValues, cell: usize| match key {
        KeyValues::Ints(values) => values[cell].to_string(),
        KeyValues::Texts { .. } => key.text(cell).to_owned(),
    };
    let group = |cell| partials.keys.iter().map(|key| value(key, cell)).collect();
    let cells = partials.sums.iter().enumerate();
    let listed: BTreeMap<_, _> = cells.map(|(cell, &sums)| ((partials.bins[cell], group(cell)), sums)).collect();
    assert_eq!(listed.len(), partials.sums.len(), "no cell comes twice");
    listed
}

fn problem(result: Result<()>) -> String {
    result.unwrap_err().to_string()
}

const ACCOUNT_AND_CAUSE: Groups = (&["disconnect_cause"], &["account_id"]);

#[test]
fn the_same_cell_of_two_servers_is_one_cell() {
    let mut sums = cell_sums(2, ACCOUNT_AND_CAUSE, None, 3);
    let first = [(0, vec![16], vec!["a"], [1, 1, 10]), (1, vec![ABSENT], vec![""], [2, 0, 0])];
    let second = [(1, vec![ABSENT], vec![""], [3, 2, 1]), (0, vec![16], vec!["b"], [1, 0, 0])];
    for cells in [first, second] {
        sums.add(&block(ACCOUNT_AND_CAUSE, &cells)).unwrap();
    }
    let text = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        ((0, text(&["16", "a"])), [1, 1, 10]),
        ((0, text(&["16", "b"])), [1, 0, 0]),
        ((1, text(&["-9223372036854775808", ""])), [5, 2, 1]),
    ];
    assert_eq!(listed(&sums.into_partials().unwrap()), expected.into());
}

#[test]
fn without_keys_each_bin_has_a_cell() {
    let mut sums = cell_sums(3, (&[], &[]), None, 1);
    sums.add(b"").unwrap();
    sums.add(&block((&[], &[]), &[(1, vec![], vec![], [4, 3, 2])])).unwrap();
    let partials = sums.into_partials().unwrap();
    assert_eq!(
        (partials.sums.as_slice(), partials.bins.as_slice()),
        ([[0; 3], [4, 3, 2], [0; 3]].as_slice(), [0, 1, 2].as_slice())
    );
    assert_eq!(cell_sums(0, (&[], &[]), None, 1).into_partials().unwrap(), Partials::default());
}

#[test]
fn one_cell_more_than_allowed_fails() {
    let keys: Groups = (&["received_time", "duration_ms"], &[]);
    let cells = |numbers: Range<i64>| numbers.map(|n| (0, vec![n, -n], vec![], [1, 0, 0])).collect::<Vec<Cell>>();
    let mut sums = cell_sums(1, keys, None, 5_000);
    sums.add(&block(keys, &cells(0..4_000))).unwrap();
    sums.add(&block(keys, &cells(1_000..5_000))).unwrap();
    assert!(matches!(sums.add(&block(keys, &cells(4_999..5_001))), Err(Error::CellLimit { asked: 5_001, allowed: 5_000 })));
}

#[test]
fn sums_beyond_64_bits_fail() {
    let keys: Groups = (&["disconnect_cause"], &[]);
    let add = |sums: &mut CellSums, cause, third| sums.add(&block(keys, &[(0, vec![cause], vec![], [1, 1, third])]));
    let mut sums = cell_sums(1, keys, None, 9);
    assert!(matches!(add(&mut sums, 1, i64::MIN), Err(Error::SumOverflow)), "a server found that its sum exceeds 64 bits");
    add(&mut sums, 1, i64::MAX).unwrap();
    assert!(matches!(add(&mut sums, 1, 1), Err(Error::SumOverflow)));
    let mut sums = cell_sums(1, keys, None, 9);
    add(&mut sums, 1, i64::MAX).unwrap();
    add(&mut sums, 2, 1).unwrap();
    assert!(matches!(sums.into_partials(), Err(Error::SumOverflow)), "all cells together");
}

#[test]
fn what_is_not_an_answer_to_the_scan_is_refused() {
    let add = |cell: Cell| problem(cell_sums(2, ACCOUNT_AND_CAUSE, None, 9).add(&block(ACCOUNT_AND_CAUSE, &[cell])));
    assert!(add((2, vec![1], vec![""], [1, 0, 0])).ends_with("a cell is in bin 2 of 2"));
    assert!(add((0, vec![1], vec![""], [-1, 0, 0])).ends_with("a cell has the sums [-1, 0, 0]"));
    assert!(add((0, vec![1], vec![""], [0, 1, 0])).ends_with("a cell has the sums [0, 1, 0]"));
    let other: Groups = (&["disconnect_cause"], &["source"]);
    let of_other = block(other, &[(0, vec![1], vec![""], [1, 0, 0])]);
    assert!(problem(cell_sums(2, ACCOUNT_AND_CAUSE, None, 9).add(&of_other)).ends_with("the column \"account_id\" is missing"));
    let swapped: Groups = (&["account_id"], &["disconnect_cause"]);
    let of_swapped = block(swapped, &[(0, vec![1], vec![""], [1, 0, 0])]);
    assert!(problem(cell_sums(2, ACCOUNT_AND_CAUSE, None, 9).add(&of_swapped)).contains("has texts, and not integers"));
    let cut = &block(ACCOUNT_AND_CAUSE, &[(0, vec![1], vec!["a"], [1, 0, 0])]);
    assert!(cell_sums(2, ACCOUNT_AND_CAUSE, None, 9).add(&cut[..cut.len() - 1]).is_err());
    let unknown = CellSums::new(&memory(usize::MAX), 1, &["colour".to_owned()], None, 9);
    assert!(matches!(unknown, Err(Error::Unknown { what: "column", .. })));
}

#[test]
fn a_cell_of_zeros_is_not_a_cell() {
    let mut sums = cell_sums(1, ACCOUNT_AND_CAUSE, None, 0);
    sums.add(&block(ACCOUNT_AND_CAUSE, &[(0, vec![1], vec!["a"], [0, 0, 0])])).unwrap();
    assert!(sums.into_partials().unwrap().sums.is_empty());
}

#[test]
fn codes_that_share_a_name_become_one_cell() {
    let entry = |code, name, country| CodeDeckEntry { code, name, country };
    let entries = [entry("49", "Germany", "DE"), entry("4930", "Berlin", "DE"), entry("4940", "Berlin", "")];
    let deck = Arc::new(CodeDeck::from_iter(entries));
    let keys: Groups = (&[], &["orig_rates_code_name", "term_rates_country"]);
    let mut sums = cell_sums(1, keys, Some(&deck), 3);
    let cells = [("4930", "49"), ("4940", "4930"), ("4940", "4940"), ("", "")];
    let cells: Vec<Cell> = cells.iter().map(|&(orig, term)| (0, vec![], vec![orig, term], [1, 1, 1])).collect();
    sums.add(&block(keys, &cells)).unwrap();
    let listed = listed(&sums.into_partials().unwrap());
    let found: Vec<_> = listed.iter().map(|((_, group), sums)| (group[0].as_str(), group[1].as_str(), sums[0])).collect();
    assert_eq!(found, [("", "", 1), ("Berlin", "", 1), ("Berlin", "DE", 2)]);
    let of_code = |code| problem(cell_sums(1, keys, Some(&deck), 3).add(&block(keys, &[(0, vec![], vec!["", code], [1, 1, 1])])));
    assert!(of_code("49305").ends_with("the code deck lacks the code \"49305\""), "a longer number begins with a code");
}

#[test]
fn memory_is_reserved_and_given_back() {
    let keys = ["disconnect_cause".to_owned()];
    let cells: Vec<Cell> = (0..10_000).map(|n| (0, vec![n], vec![], [1, 0, 0])).collect();
    let answer = block((&["disconnect_cause"], &[]), &cells);
    let small = memory(100_000);
    let mut sums = CellSums::new(&small, 1, &keys, None, 100_000).unwrap();
    assert!(matches!(sums.add(&answer), Err(Error::QueryMemoryLimit { allowed: 100_000, .. })));
    drop(sums);
    assert!(small.reserve(100_000).is_ok());
    assert!(matches!(CellSums::new(&small, 100_000, &[], None, 9), Err(Error::QueryMemoryLimit { .. })), "a cell per bin");
    let large = memory(10_000_000);
    let mut sums = CellSums::new(&large, 1, &keys, None, 100_000).unwrap();
    sums.add(&answer).unwrap();
    assert_eq!(sums.into_partials().unwrap().sums.len(), 10_000);
    assert!(large.reserve(10_000_000 - 10_000 * 40).is_ok(), "the columns take 40 bytes a cell");
    assert!(large.reserve(10_000_000 - 10_000 * 36 + 1).is_err());
}

proptest! {
    #[test]
    fn cells_of_any_servers_add_up(
        answers in prop::collection::vec(prop::collection::vec((0..3_i64, -1..2_i64, 0..3_usize, 1..9_i64), 0..20), 0..4),
    ) {
        let mut sums = cell_sums(3, ACCOUNT_AND_CAUSE, None, usize::MAX);
        let mut expected = HashMap::new();
        for answer in answers {
            let cell = |&(bin, cause, account, n)| (bin, vec![cause], vec![["", "a", "b"][account]], [n, n - 1, n * 7]);
            let cells: Vec<Cell> = answer.iter().map(cell).collect();
            for (bin, causes, accounts, added) in &cells {
                let group = (*bin as u32, vec![causes[0].to_string(), accounts[0].to_owned()]);
                let total: &mut Sums = expected.entry(group).or_default();
                total.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
            }
            sums.add(&block(ACCOUNT_AND_CAUSE, &cells)).unwrap();
        }
        prop_assert_eq!(listed(&sums.into_partials().unwrap()), expected.into_iter().collect());
    }
}
