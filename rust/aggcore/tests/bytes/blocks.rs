//! Blocks of ClickHouse's Native format, and the sums of cells that come in them.

use std::sync::Arc;

use aggcore::testing::{Block, BlockWriter, Values, read_blocks};
use aggcore::{CellSums, Error, KeyType, MeasureType, MeasureValues, MemoryBudget, MemoryLimits, TrafficCells};
use proptest::prelude::*;

use crate::cases::{check, decode};
use crate::damage::{arbitrary, damaged};

/// Reads any bytes; what was read is written and read again, with the widest types.
pub fn check_blocks(bytes: &[u8]) {
    match decode(bytes.len(), 0, || read_blocks(bytes)) {
        Ok(blocks) => blocks.iter().for_each(check_round_trip),
        Err(error) => assert!(matches!(error, Error::MalformedBlock(_)), "{error}"),
    }
    check_cells(bytes);
    check_traffic_cells(bytes);
}

fn check_round_trip(block: &Block<'_>) {
    if block.columns.iter().any(|column| matches!(column.values, Values::Wide(_) | Values::Lists(_))) {
        return; // These are only read.
    }
    let mut writer = BlockWriter::new(block.row_count);
    for column in &block.columns {
        match &column.values {
            Values::Integers(values) => writer.integers(column.name, "Int64", values.iter().copied()),
            Values::Strings(values) => writer.strings(column.name, "String", values.iter().copied()),
            Values::Wide(_) | Values::Lists(_) => unreachable!("returned above"),
        };
    }
    let written = writer.finish().unwrap();
    assert_eq!(read_blocks(&written).unwrap(), std::slice::from_ref(block));
}

/// Adds any bytes to the cells of a scan, twice.
fn check_cells(bytes: &[u8]) {
    let memory = Arc::new(MemoryBudget::new(MemoryLimits::default())).begin_query();
    let keys = ["disconnect_cause", "account_id"].map(str::to_owned);
    let mut sums = CellSums::new(&memory, 3, &keys, None, 1_000).unwrap();
    let added = decode(2 * bytes.len(), 0, || sums.add(bytes).and_then(|()| sums.add(bytes)));
    if added.is_ok() {
        let total = |cells: &[[i64; 3]]| cells.iter().map(|sums| i128::from(sums[0])).sum::<i128>();
        let once = read_blocks(bytes).unwrap().iter().filter(|block| block.row_count > 0).map(first_sum).sum::<i128>();
        match sums.into_partials() {
            Ok(partials) => assert_eq!(total(&partials.sums), 2 * once),
            Err(error) => assert!(matches!(error, Error::SumOverflow), "{error}"),
        }
    }
}

/// Adds any bytes to the cells of a traffic scan, twice.
fn check_traffic_cells(bytes: &[u8]) {
    let memory = Arc::new(MemoryBudget::new(MemoryLimits::default())).begin_query();
    let (keys, edges) = ([KeyType::Text], [0, 10, 30, 40].to_vec());
    let measures = [MeasureType::Sum, MeasureType::Values, MeasureType::Occupied, MeasureType::Occupancy];
    let mut cells = TrafficCells::new(&memory, edges, &keys, &measures, None, 1_000).unwrap();
    let added = decode(8 * bytes.len(), 0, || cells.add(bytes).and_then(|()| cells.add(bytes)));
    match added.and_then(|()| cells.into_partials()) {
        Ok(partials) => assert!(partials.measures.iter().all(is_even), "each answer counts twice"),
        Err(error) => {
            let is_known = matches!(error, Error::MalformedBlock(_) | Error::SumOverflow | Error::InvalidPartials(_));
            assert!(is_known, "{error}");
        }
    }
}

fn is_even(measure: &MeasureValues) -> bool {
    match measure {
        MeasureValues::Sums(sums) => sums.iter().all(|sum| sum % 2 == 0),
        MeasureValues::Values(values) => values.counts.iter().all(|count| count % 2 == 0),
        MeasureValues::Steps(steps) => steps.changes.iter().all(|change| change % 2 == 0),
    }
}

fn first_sum(block: &Block<'_>) -> i128 {
    block.integers("first").unwrap().iter().map(|&sum| i128::from(sum)).sum()
}

/// An answer of two blocks, the last of them with a dictionary.
fn cells() -> Vec<u8> {
    let mut writer = BlockWriter::new(3);
    writer.integers("bin", "UInt32", [0, 1, 2]).integers("disconnect_cause", "Int64", [16, i64::MIN, 16]);
    writer.strings("account_id", "String", [b"".as_slice(), b"account", b"a"]);
    for name in ["first", "second", "third"] {
        writer.integers(name, "Int64", [1, 2, 3]);
    }
    let plain = writer.finish().unwrap();
    let mut rest = BlockWriter::new(3);
    rest.integers("bin", "UInt8", [0, 0, 1]).integers("disconnect_cause", "Int16", [1, 2, 3]);
    for name in ["first", "second", "third"] {
        rest.integers(name, "UInt16", [1, 1, 1]);
    }
    let mut with_dictionary = rest.finish().unwrap();
    with_dictionary[0] += 1;
    with_dictionary.extend(b"\x0aaccount_id\x16LowCardinality(String)");
    with_dictionary.extend([1_u64, 0x600, 2].map(u64::to_le_bytes).concat());
    with_dictionary.extend([b"\0\x01a".as_slice(), &3_u64.to_le_bytes(), &[1, 0, 1]].concat());
    [plain, with_dictionary].concat()
}

/// An answer to the traffic scan above.
fn traffic_cells() -> Vec<u8> {
    let mut writer = BlockWriter::new(2);
    writer.integers("bin", "UInt32", [0, 2]).integers("records", "Int64", [1, 3]);
    writer.strings("key_0", "String", [b"a".as_slice(), b""]);
    let mut block = writer.finish().unwrap();
    block[0] += 3;
    block.extend(b"\x05sum_0\x06Int128");
    block.extend([-1_i128, i128::from(i64::MAX) * 2].map(i128::to_le_bytes).concat());
    for name in [b"\x08values_1", b"\x08counts_1"] {
        block.extend(name);
        block.extend(b"\x0cArray(Int64)");
        block.extend([1_i64, 3, 5, 7, 9].map(i64::to_le_bytes).concat());
    }
    block
}

#[test]
fn an_answer_that_is_whole_is_added() {
    assert_eq!(read_blocks(&traffic_cells()).unwrap()[0].columns.len(), 6);
    check_blocks(&traffic_cells());
    let answer = cells();
    assert_eq!(read_blocks(&answer).unwrap().len(), 2);
    check_blocks(&answer);
}

#[test]
fn any_bytes_are_blocks_or_refused() {
    check(600, prop_oneof![arbitrary(), damaged(Just(cells())), damaged(Just(traffic_cells()))], |bytes| check_blocks(&bytes));
}
