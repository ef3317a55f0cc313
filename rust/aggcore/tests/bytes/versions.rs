//! The versions of a record that memtables and segments store beside its row.

use aggcore::Versions;
use aggcore::testing::Record;
use proptest::prelude::*;

use crate::cases::{check, decode};
use crate::common::{OwnedRecord, record};
use crate::damage::{arbitrary, edits};

/// Versions of one record.
fn versions() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let version = (record(1), -1i64..3).prop_map(|(record, revision)| record.with("revision", revision));
    prop::collection::vec(version, 1..5)
}

/// Reads a state; if it is accepted, the state and what it is joined with survive a round trip.
pub fn check_state(row: &Record<'_>, bytes: &[u8], other: &Versions) {
    let Some(state) = decode(bytes.len(), 0, || Versions::of_row(row, Some(bytes))) else { return };
    state.joinable_days();
    let joined = state.join(other);
    assert_eq!((joined.join(other), joined.join(&state), other.join(&joined)), (joined.clone(), joined.clone(), joined.clone()));
    for state in [state, joined] {
        state.with_merged(|merged| {
            // Without bytes, the row alone determines the state.
            if let Some(bytes) = state.to_bytes(merged) {
                assert_eq!(Versions::of_row(merged, Some(&bytes)), Some(state.clone()));
            }
        });
    }
}

#[test]
fn damaged_versions_are_refused_or_survive_a_round_trip() {
    check(300, (versions(), edits(), record(1)), |(versions, edits, other)| {
        let states = versions.iter().map(|version| Versions::of(&version.view()));
        let state = states.reduce(|a, b| a.join(&b)).unwrap();
        state.with_merged(|row| {
            let Some(bytes) = state.to_bytes(row) else { return };
            assert_eq!(Versions::of_row(row, Some(&bytes)), Some(state.clone()));
            check_state(row, &edits.apply_to(bytes), &Versions::of(&other.view()));
        });
    });
}

#[test]
fn arbitrary_versions_are_refused_or_survive_a_round_trip() {
    check(200, (record(1), arbitrary(), record(1)), |(row, bytes, other)| {
        check_state(&row.view(), &bytes, &Versions::of(&other.view()));
    });
}
