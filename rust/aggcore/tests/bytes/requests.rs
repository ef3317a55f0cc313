//! Lists of requests, which are counted before they are parsed, and tombstones of the catalogue.

use aggcore::testing::v1::WriteRecordsRequest;
use aggcore::{Error, ListPath, RowSet, count_lists};
use proptest::prelude::*;
use prost::Message;

use crate::cases::{check, decode};
use crate::damage::{arbitrary, damaged};
use crate::records::{encoded_batch, message};

fn paths() -> Vec<ListPath> {
    let path = |numbers: &[u32], is_packed| ListPath { numbers: numbers.to_vec(), is_packed };
    vec![path(&[1], false), path(&[2], true), path(&[3, 1], false), path(&[3, 2, 1], true), path(&[6, 2], false)]
}

/// Counts the values of several lists in any bytes.
pub fn check_counts(bytes: &[u8]) {
    match decode(bytes.len(), 0, || count_lists(bytes, &paths())) {
        // A field has a byte at least; a packed value too, besides the field that it is in.
        Ok((counts, field_count)) => assert!(field_count + counts.iter().sum::<usize>() <= 2 * bytes.len()),
        Err(error) => assert!(matches!(error, Error::MalformedRequest(_)), "{error}"),
    }
}

/// Compares the counted records of a batch with those that prost decodes.
pub fn check_record_count(bytes: &[u8]) {
    let records = [ListPath { numbers: vec![2], is_packed: false }];
    let Ok(request) = WriteRecordsRequest::decode(bytes) else { return };
    let Ok((counts, _)) = count_lists(bytes, &records) else { return };
    assert_eq!(counts, [request.records.len()]);
}

#[test]
fn no_more_values_are_counted_than_there_are_bytes() {
    check(400, prop_oneof![arbitrary(), damaged(message())], |bytes| check_counts(&bytes));
}

#[test]
fn a_counted_list_has_the_values_that_prost_decodes() {
    check(200, damaged(encoded_batch()), |bytes| check_record_count(&bytes));
}

#[test]
fn tombstones_survive_a_round_trip() {
    check(200, arbitrary(), |bytes| {
        let rows = decode(bytes.len(), 0, || RowSet::from_bytes(&bytes));
        assert_eq!(rows.rows().count(), rows.len());
        assert_eq!(RowSet::from_bytes(&rows.to_bytes()), rows);
        let bits: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(rows.len(), bits as usize);
    });
}
