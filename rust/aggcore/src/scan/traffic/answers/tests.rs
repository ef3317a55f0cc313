#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod intervals;

use super::*;
use crate::memory::{MemoryBudget, MemoryLimits};
use crate::scan::KeyValues;
use crate::scan::code_deck::CodeDeckEntry;

const MEASURES: [MeasureType; 3] = [MeasureType::Count, MeasureType::Sum, MeasureType::Values];
const KEYS: [KeyType; 2] = [KeyType::Integer, KeyType::Text];

/// Bin, integer key, text key, records, count, sum, and values with their counts.
type Row<'a> = (i64, i64, &'a str, i64, i64, i128, &'a [(i64, i64)]);

fn memory(bytes: usize) -> Arc<QueryMemory> {
    Arc::new(MemoryBudget::new(MemoryLimits { query_bytes_max: bytes, total_bytes_max: usize::MAX })).begin_query()
}

fn cells(bin_count: usize, keys: &[KeyType], cell_count_max: usize) -> TrafficCells {
    TrafficCells::new(&memory(usize::MAX), edges(bin_count), keys, &MEASURES, None, cell_count_max).unwrap()
}

/// Those of bins of 10 us, from 100 on.
fn edges(bin_count: usize) -> Vec<i64> {
    (0..=bin_count as i64).map(|bin| 100 + 10 * bin).collect()
}

fn column(name: &str, type_name: &str, values: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let head = [name, type_name].map(|text| [&[text.len() as u8], text.as_bytes()].concat()).concat();
    [head, values.into_iter().flatten().collect()].concat()
}

fn integers(name: &str, values: impl IntoIterator<Item = i64>) -> Vec<u8> {
    column(name, "Int64", values.into_iter().map(|value| value.to_le_bytes().to_vec()))
}

fn lists(name: &str, lists: &[Vec<i64>]) -> Vec<u8> {
    let mut end = 0;
    let ends = lists.iter().map(|list| {
        end += list.len() as i64;
        end
    });
    let words: Vec<i64> = ends.chain(lists.iter().flatten().copied()).collect();
    column(name, "Array(Int64)", words.iter().map(|word| word.to_le_bytes().to_vec()))
}

/// An answer to a scan with [`MEASURES`], whose keys are [`KEYS`] or none.
fn answer(has_keys: bool, rows: &[Row<'_>]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let mut columns = vec![
        integers("bin", rows.iter().map(|row| row.0)),
        integers("records", rows.iter().map(|row| row.3)),
        integers("count_0", rows.iter().map(|row| row.4)),
        column("sum_1", "Int128", rows.iter().map(|row| row.5.to_le_bytes().to_vec())),
        lists("values_2", &rows.iter().map(|row| row.6.iter().map(|pair| pair.0).collect()).collect::<Vec<_>>()),
        lists("counts_2", &rows.iter().map(|row| row.6.iter().map(|pair| pair.1).collect()).collect::<Vec<_>>()),
    ];
    if has_keys {
        columns.push(integers("key_0", rows.iter().map(|row| row.1)));
        columns.push(column("key_1", "String", rows.iter().map(|row| text(row.2))));
    }
    [vec![columns.len() as u8, rows.len() as u8], columns.concat()].concat()
}

fn problem(result: Result<()>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_same_cell_of_two_servers_is_one_cell() {
    let mut found = cells(2, &KEYS, 3);
    let beyond_64_bits = i128::from(i64::MAX) * 4;
    found.add(&answer(true, &[(1, 16, "a", 3, 2, -7, &[(900, 1), (5, 2)]), (0, i64::MIN, "", 1, 0, 0, &[])])).unwrap();
    found.add(b"").unwrap();
    found
        .add(&answer(true, &[(1, 16, "b", 1, 1, 9, &[(-4, 1)]), (1, 16, "a", 2, 1, beyond_64_bits, &[(5, 1), (6, 0)])]))
        .unwrap();
    let expected = TrafficPartials {
        bins: vec![1, 0, 1],
        keys: vec![
            KeyValues::Ints(vec![16, i64::MIN, 16]),
            KeyValues::Texts { codes: vec![1, 0, 2], entries: ["", "a", "b"].map(str::to_owned).to_vec() },
        ],
        measures: vec![
            MeasureValues::Sums(vec![3, 0, 1]),
            MeasureValues::Sums(vec![beyond_64_bits - 7, 0, 9]),
            MeasureValues::Values(ValueCounts { ends: vec![2, 2, 3], values: vec![5, 900, -4], counts: vec![3, 1, 1] }),
        ],
        row_count: 0,
    };
    assert_eq!(found.into_partials().unwrap(), expected);
}

#[test]
fn without_keys_each_bin_has_a_cell() {
    let mut found = cells(3, &[], 1);
    found.add(&answer(false, &[(1, 0, "", 4, 4, 5, &[(7, 4)])])).unwrap();
    let partials = found.into_partials().unwrap();
    assert_eq!(partials.bins, [0, 1, 2]);
    assert_eq!(partials.measures[1], MeasureValues::Sums(vec![0, 5, 0]));
    let values = ValueCounts { ends: vec![0, 1, 1], values: vec![7], counts: vec![4] };
    assert_eq!(partials.measures[2], MeasureValues::Values(values));
    let empty = cells(0, &[], 1).into_partials().unwrap();
    assert!(empty.bins.is_empty() && empty.measures[0] == MeasureValues::Sums(vec![]));
}

#[test]
fn one_cell_more_than_allowed_fails() {
    let row = |cause| (0, cause, "", 1, 1, 1, [].as_slice());
    let mut found = cells(1, &KEYS, 2);
    found.add(&answer(true, &[row(1), row(2), row(1)])).unwrap();
    assert!(matches!(found.add(&answer(true, &[row(3)])), Err(Error::CellLimit { asked: 3, allowed: 2 })));
}

#[test]
fn what_is_not_an_answer_to_the_scan_is_refused() {
    let add = |row| problem(cells(2, &KEYS, 9).add(&answer(true, &[row])));
    assert!(add((2, 1, "", 1, 1, 1, &[])).ends_with("a cell is in bin 2 of 2"));
    assert!(add((0, 1, "", 0, 0, 0, &[])).ends_with("a cell has 0 records"));
    assert!(add((0, 1, "", 1, -1, 0, &[])).ends_with("a cell counts -1 records"));
    assert!(add((0, 1, "", 1, 1, 0, &[(5, -2)])).ends_with("a cell counts -2 records"));
    assert!(
        problem(cells(2, &KEYS, 9).add(&answer(false, &[(0, 1, "", 1, 1, 1, &[])]))).ends_with("the column \"key_0\" is missing")
    );
    let full = answer(true, &[(0, 1, "a", 1, 1, 1, &[(1, 1)])]);
    (1..full.len()).for_each(|end| assert!(cells(2, &KEYS, 9).add(&full[..end]).is_err(), "{end} bytes"));
    let mut greatest = cells(1, &[], 1);
    greatest.add(&answer(false, &[(0, 0, "", 1, 1, i128::MAX, &[])])).unwrap();
    assert!(matches!(greatest.add(&answer(false, &[(0, 0, "", 1, 1, 1, &[])])), Err(Error::SumOverflow)));
    let without_deck = TrafficCells::new(&memory(usize::MAX), edges(1), &[KeyType::DeckName], &[], None, 9);
    assert!(matches!(without_deck, Err(Error::Unknown { .. })));
}

#[test]
fn lists_that_differ_in_length_are_refused() {
    let columns =
        [integers("bin", [0]), integers("records", [1]), lists("values_0", &[vec![1, 2]]), lists("counts_0", &[vec![1]])];
    let bytes = [vec![4, 1], columns.concat()].concat();
    let mut found = TrafficCells::new(&memory(usize::MAX), edges(1), &[], &[MeasureType::Values], None, 9).unwrap();
    assert!(problem(found.add(&bytes)).ends_with("values and counts of measure 0 differ in number"));
}

#[test]
fn codes_that_share_a_name_become_one_cell() {
    let entry = |code, name, country| CodeDeckEntry { code, name, country };
    let deck = Arc::new(CodeDeck::from_iter([entry("49", "Germany", "DE"), entry("4940", "Germany", "")]));
    let keys = [KeyType::Integer, KeyType::DeckName];
    let mut found = TrafficCells::new(&memory(usize::MAX), edges(1), &keys, &MEASURES, Some(&deck), 9).unwrap();
    found.add(&answer(true, &[(0, 1, "49", 1, 1, 5, &[(3, 1)]), (0, 1, "4940", 1, 1, 6, &[(3, 1)])])).unwrap();
    let partials = found.into_partials().unwrap();
    assert_eq!((partials.bins.len(), partials.keys[1].text(0)), (1, "Germany"));
    let values = ValueCounts { ends: vec![1], values: vec![3], counts: vec![2] };
    assert_eq!(partials.measures[1..], [MeasureValues::Sums(vec![11]), MeasureValues::Values(values)]);
}

#[test]
fn memory_of_values_is_reserved_and_given_back() {
    let values: Vec<(i64, i64)> = (0..100).map(|value| (value, 1)).collect();
    let bytes = answer(false, &[(0, 0, "", 100, 100, 0, &values)]);
    let small = memory(bytes.len() + 1_000);
    let mut found = TrafficCells::new(&small, edges(1), &[], &MEASURES, None, 9).unwrap();
    assert!(matches!(found.add(&bytes), Err(Error::QueryMemoryLimit { .. })));
    drop(found);
    let all = small.reserve(bytes.len() + 1_000);
    assert!(all.is_ok());
    let large = memory(1_000_000);
    let mut found = TrafficCells::new(&large, edges(1), &[], &MEASURES, None, 9).unwrap();
    found.add(&bytes).unwrap();
    assert!(found.into_partials().is_ok());
    let kept = 4 + 2 * 16 + 8 + 100 * 16;
    assert!(large.reserve(1_000_000 - kept).is_ok(), "bin, two sums, an end, and 16 bytes a value");
    assert!(large.reserve(1_000_000 - kept + 1).is_err());
}
