//! What was written is read again, and hostile bytes are refused.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

use proptest::prelude::*;

use super::{Block, BlockWriter, Lists, Values, read_blocks};
use crate::error::Result;

/// A column to write: its type, and values that fit it.
type Owned = (&'static str, OwnedValues);

#[derive(Clone, Debug)]
enum OwnedValues {
    Integers(Vec<i64>),
    Strings(Vec<Vec<u8>>),
}

fn problem(bytes: &[u8]) -> String {
    read_blocks(bytes).map(|blocks| format!("{blocks:?}")).unwrap_or_else(|error| error.to_string())
}

fn integers(type_name: &'static str, low: i64, high: i64, row_count: usize) -> impl Strategy<Value = Owned> {
    let value = prop_oneof![Just(low), Just(high), low..=high];
    prop::collection::vec(value, row_count).prop_map(move |values| (type_name, OwnedValues::Integers(values)))
}

fn column(row_count: usize) -> impl Strategy<Value = Owned> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let fixed = prop::collection::vec(any::<u8>(), 16);
    prop_oneof![
        integers("Int8", -128, 127, row_count),
        integers("Int16", -32_768, 32_767, row_count),
        integers("Int32", i32::MIN.into(), i32::MAX.into(), row_count),
        integers("Int64", i64::MIN, i64::MAX, row_count),
        integers("UInt8", 0, 255, row_count),
        integers("UInt16", 0, 65_535, row_count),
        integers("UInt32", 0, u32::MAX.into(), row_count),
        integers("UInt64", i64::MIN, i64::MAX, row_count),
        prop::collection::vec(bytes, row_count).prop_map(|values| ("String", OwnedValues::Strings(values))),
        prop::collection::vec(fixed, row_count).prop_map(|values| ("FixedString(16)", OwnedValues::Strings(values))),
    ]
}

fn columns() -> impl Strategy<Value = (usize, Vec<Owned>)> {
    (0..5_usize).prop_flat_map(|row_count| (Just(row_count), prop::collection::vec(column(row_count), 1..5)))
}

fn written((row_count, columns): &(usize, Vec<Owned>)) -> Vec<u8> {
    let mut writer = BlockWriter::new(*row_count);
    for (index, (type_name, values)) in columns.iter().enumerate() {
        let name = format!("column {index}");
        match values {
            OwnedValues::Integers(values) => writer.integers(&name, type_name, values.iter().copied()),
            OwnedValues::Strings(values) => writer.strings(&name, type_name, values.iter().map(Vec::as_slice)),
        };
    }
    writer.finish().unwrap()
}

fn assert_same(block: &Block<'_>, (row_count, columns): &(usize, Vec<Owned>)) {
    assert_eq!((block.row_count, block.columns.len()), (*row_count, columns.len()));
    for (index, (read, (_, expected))) in block.columns.iter().zip(columns).enumerate() {
        assert_eq!(read.name, format!("column {index}"));
        match (&read.values, expected) {
            (Values::Integers(read), OwnedValues::Integers(expected)) => assert_eq!(read, expected),
            (Values::Strings(read), OwnedValues::Strings(expected)) => assert_eq!(read, expected),
            _ => panic!("{read:?} is of another kind than {expected:?}"),
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(blocks in prop::collection::vec(columns(), 0..4)) {
        let bytes: Vec<u8> = blocks.iter().flat_map(written).collect();
        let read = read_blocks(&bytes).unwrap();
        assert_eq!(read.len(), blocks.len());
        read.iter().zip(&blocks).for_each(|(read, expected)| assert_same(read, expected));
    }

    #[test]
    fn a_block_that_is_cut_short_is_refused(block in columns(), cut in any::<prop::sample::Index>()) {
        let bytes = written(&block);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(read_blocks(&bytes[..cut]).is_ok(), cut == 0);
    }
}

#[test]
fn an_empty_answer_has_no_blocks_or_one_without_rows() {
    assert_eq!(read_blocks(b"").unwrap(), []);
    assert_eq!(read_blocks(b"\0\0").unwrap(), [Block { row_count: 0, columns: vec![] }]);
    assert_eq!(read_blocks(b"\x01\0\x01n\x05Int64").unwrap()[0].integers("n").unwrap().len(), 0);
}

#[test]
fn counts_beyond_the_bytes_are_refused_without_taking_memory() {
    let greatest = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let of_rows = |rows: &[u8], rest: &[u8]| problem(&[b"\x01", rows, rest].concat());
    for type_and_values in [b"\x01n\x05Int64........".as_slice(), b"\x01n\x06String\x01a", b"\x01n\x0eFixedString(9)abcdefghi"] {
        assert_eq!(of_rows(greatest, type_and_values), "the block is invalid: column \"n\" is cut short or damaged");
        assert_eq!(of_rows(b"\x02", type_and_values), "the block is invalid: column \"n\" is cut short or damaged");
    }
    assert_eq!(
        problem(&[greatest.as_slice(), b"\x01"].concat()),
        "the block is invalid: the name of a column is cut short, or exceeds 64 bits"
    );
    assert_eq!(problem(&[b"\0".as_slice(), greatest].concat()), "the block is invalid: 18446744073709551615 rows have no column");
    assert_eq!(
        of_rows(b"\x01", &[b"\x01n\x06String".as_slice(), greatest].concat()),
        "the block is invalid: column \"n\" is cut short or damaged"
    );
    assert!(of_rows(b"\x01", &[b"\x01n".as_slice(), greatest].concat()).ends_with("the type of a column ends too early"));
}

#[test]
fn a_number_beyond_64_bits_is_refused() {
    for number in [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02".as_slice(), &[0x80; 10], &[0x80; 11], b"\x80"] {
        assert!(problem(number).contains("the number of columns is cut short, or exceeds 64 bits"), "{number:?}");
    }
    assert_eq!(read_blocks(b"\x80\x00\x80\x80\x00").unwrap(), [Block { row_count: 0, columns: vec![] }], "padded zeros");
}

#[test]
fn a_type_that_is_not_known_is_named_with_its_column() {
    let unknown =
        ["Float64", "DateTime", "Nullable(Int64)", "LowCardinality(Int64)", "FixedString(0)", "FixedString(-1)", "Int256", ""];
    for name in unknown {
        let bytes = [b"\x01\x01\x01n", [name.len() as u8].as_slice(), name.as_bytes(), &[0; 40]].concat();
        let known = "Int8 to Int128, UInt8 to UInt64, Array(Int64), String, LowCardinality(String) and FixedString(n)";
        assert_eq!(problem(&bytes), format!("the block is invalid: column \"n\": the type {name:?} is not one of {known}"));
    }
}

/// A column of `LowCardinality(String)` with these 64-bit numbers as header, then entries, rows and numbers of entries.
fn low_cardinality([version, layout, entry_count]: [u64; 3], entries: &[u8], row_count: u64, numbers: &[u8]) -> Vec<u8> {
    let head = b"\x01\x03\x01s\x16LowCardinality(String)".to_vec();
    let header = [version, layout, entry_count].map(u64::to_le_bytes).concat();
    [head, header, entries.to_vec(), row_count.to_le_bytes().to_vec(), numbers.to_vec()].concat()
}

#[test]
fn a_dictionary_encoded_column_is_read_as_texts() {
    for (log_width, width) in [(0, 1), (1, 2), (2, 4), (3, 8)] {
        let numbers: Vec<u8> = [2_u64, 0, 1].iter().flat_map(|number| number.to_le_bytes()[..width].to_vec()).collect();
        let bytes = low_cardinality([1, 0x600 | log_width, 3], b"\0\x01a\x02bc", 3, &numbers);
        assert_eq!(read_blocks(&bytes).unwrap()[0].strings("s").unwrap(), [b"bc".as_slice(), b"", b"a"]);
    }
    assert_eq!(read_blocks(b"\x01\0\x01s\x16LowCardinality(String)").unwrap()[0].strings("s").unwrap().len(), 0);
}

#[test]
fn integers_of_128_bits_and_lists_are_read() {
    let wide = [i128::MIN, -1, i128::MAX];
    let bytes = [b"\x01\x03\x01n\x06Int128".to_vec(), wide.map(i128::to_le_bytes).concat()].concat();
    assert_eq!(read_blocks(&bytes).unwrap()[0].wide("n").unwrap(), wide);
    let lists = |ends: [u64; 3], values: &[i64]| {
        let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        [b"\x01\x03\x01n\x0cArray(Int64)".to_vec(), ends.map(u64::to_le_bytes).concat(), values].concat()
    };
    let bytes = lists([2, 2, 3], &[i64::MIN, 5, i64::MAX]);
    let read = read_blocks(&bytes).unwrap();
    assert_eq!(read[0].lists("n").unwrap(), &Lists { ends: vec![2, 2, 3], values: vec![i64::MIN, 5, i64::MAX] });
    for ends in [[2, 1, 3], [2, 2, 4], [0, 0, u64::MAX]] {
        assert_eq!(problem(&lists(ends, &[1, 2, 3])), "the block is invalid: column \"n\" is cut short or damaged", "{ends:?}");
    }
    let message = |result: Result<&[i128]>| result.unwrap_err().to_string();
    assert!(message(read[0].wide("n")).ends_with("the column \"n\" has lists of integers, and not integers of 128 bits"));
}

#[test]
fn a_damaged_dictionary_is_refused() {
    let (header, entries, numbers) = ([1, 0x600, 2], b"\0\x01a".as_slice(), [1, 0, 1]);
    let read = |header, row_count, numbers: &[u8]| problem(&low_cardinality(header, entries, row_count, numbers));
    assert!(read(header, 3, &numbers).starts_with("[Block"));
    let damaged = "the block is invalid: column \"s\" is cut short or damaged";
    for header in [[2, 0x600, 2], [1, 0x200, 2], [1, 0x700, 2], [1, 0x604, 2], [1, 0x6ff, 2], [1, 0x600, u64::MAX], [1, 0x601, 2]]
    {
        assert_eq!(read(header, 3, &numbers), damaged, "{header:?}");
    }
    assert_eq!(read(header, 2, &numbers), damaged, "the rows of the block are others");
    assert_eq!(read(header, 3, &[1, 0, 2]), damaged, "an entry that is missing");
    assert_eq!(read(header, 3, &[1, 0]), damaged);
}

#[test]
fn texts_are_sent_plain_for_a_dictionary_encoded_column() {
    let of_type = |name| BlockWriter::new(1).strings("s", name, [b"a".as_slice()]).finish().unwrap();
    assert_eq!(of_type("LowCardinality(String)"), of_type("String"));
}

#[test]
fn columns_are_found_by_name_and_kind() {
    let bytes = BlockWriter::new(1).integers("n", "Int8", [1]).strings("s", "String", [b"a".as_slice()]).finish().unwrap();
    let blocks = read_blocks(&bytes).unwrap();
    assert_eq!(blocks[0].strings("s").unwrap(), [b"a"]);
    let message = |result: Result<usize>| result.unwrap_err().to_string();
    assert!(message(blocks[0].integers("s").map(<[_]>::len)).ends_with("the column \"s\" has texts, and not integers"));
    assert!(message(blocks[0].strings("n").map(<[_]>::len)).ends_with("the column \"n\" has integers, and not texts"));
    assert!(message(blocks[0].strings("t").map(<[_]>::len)).ends_with("the column \"t\" is missing"));
}

#[test]
fn a_writer_refuses_what_would_be_read_as_something_else() {
    let text = [b"a".as_slice()];
    let message = |writer: &mut BlockWriter| writer.finish().unwrap_err().to_string();
    assert!(message(BlockWriter::new(1).integers("n", "Int8", [128])).ends_with("128 does not fit the type"));
    assert!(message(BlockWriter::new(1).integers("n", "String", [1])).ends_with("the type String is not of integers"));
    assert!(message(BlockWriter::new(1).strings("n", "Int8", text)).ends_with("the type Int8 is not of texts"));
    assert!(message(BlockWriter::new(1).strings("n", "FixedString(2)", text)).ends_with("a value has 1 bytes, and not 2"));
    assert!(message(BlockWriter::new(2).strings("n", "String", text)).ends_with("1 values for 2 rows"));
    assert!(message(BlockWriter::new(0).integers("n", "Int64", [1])).ends_with("1 values for 0 rows"));
}
