//! Rows that cannot be as they are, and versions that a record does not take.

use super::shard_model::{Cell, Row, native};
use super::*;
use crate::record::RejectReason;
use crate::record::schema::{DICTIONARY_COUNT, dictionary_slot, int_slot, text_slot};

const SEQ: usize = 5;

fn version(day: i64) -> Record<'static> {
    let (mut record, setup_us) = (Record::default(), (FIRST_DAY + day) * US_PER_DAY);
    record.strings[dictionary_slot::SOURCE] = "a";
    record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = "x";
    record.ints[int_slot::SETUP_TIME] = setup_us;
    record.ints[int_slot::END_TIME] = setup_us + 1_000_000;
    record.ints[int_slot::REVISION] = day;
    record
}

/// The row of a record that has versions of two days.
fn row_of_two_days() -> Row {
    let (mut world, batch) = (World::new(1), TestBatch { versions: vec![version(0), version(1)], corrects: false, writer: None });
    let group = world.group(&[batch], &Arc::default());
    let mut planned = super::Planned::new(0, world.plan(&group, 0, 0, 0));
    while planned.make_next(&mut super::Random(0), &mut world, &group) {}
    let rows = world.shards[0].live();
    assert_eq!(rows.len(), 1);
    assert_ne!(rows[0].0[position::VERSIONS], Cell::Bytes(Vec::new()));
    rows[0].0.clone()
}

/// Plans a version of the second day over live rows.
fn plan(rows: &[(Row, i64)], rules: LedgerRules, limits: LedgerLimits) -> Result<LedgerGroup, String> {
    let batch = Arc::new(LedgerBatch::from_wire(&request(&[version(2)], false), limits).unwrap());
    let group = LedgerGroup::new(vec![GroupBatch { batch, writer: None }], Arc::new(rules), &HASH_KEY, 1);
    let heads = (FIRST_DAY - 1..FIRST_DAY + 5).map(|day| (day, 1)).collect();
    let rows = native(rows);
    let wanted = PlanRequest { rows: &rows, heads: &heads, oldest_us: 0, received_us: 0, nonce: 1 };
    let planned = group.plan(0, &wanted).map(|_| ()).map_err(|error| error.to_string());
    planned.map(|()| group)
}

fn rejection(group: &LedgerGroup) -> Vec<RejectReason> {
    counted(&group.responses().unwrap()[0]).1.into_iter().map(|(_, reason)| reason).collect()
}

#[test]
fn a_row_that_cannot_be_is_damage() {
    let row = row_of_two_days();
    let with = |position: usize, value: Cell| {
        let mut changed = row.clone();
        changed[position] = value;
        changed
    };
    let cases = [
        (vec![(row.clone(), 2)], "its signs add up to 2, and not to 1"),
        (vec![(row.clone(), -1)], "its signs add up to -1, and not to 1"),
        (vec![(row.clone(), 1), (with(SEQ, Cell::Integer(9)), 1)], "its key has another row with this home day"),
        (vec![(with(position::VERSIONS, Cell::Bytes(vec![0xff; 3])), 1)], "its versions are malformed"),
        (vec![(with(position::LAST_DAY, Cell::Integer(FIRST_DAY + 2)), 1)], "its versions lie on other days"),
    ];
    for (rows, problem) in cases {
        let error = plan(&rows, LedgerRules::default(), LIMITS).err().unwrap();
        assert!(error.contains(problem), "{error:?} does not say that {problem}");
    }
    assert!(plan(&[(row.clone(), 1)], LedgerRules::default(), LIMITS).is_ok());
}

#[test]
fn a_version_does_not_join_a_record_that_a_deletion_covers() {
    // The record has the setup time of its second version; the third one is beyond the deletion.
    let deletion = Deletion { to_us: Some((FIRST_DAY + 2) * US_PER_DAY), ..Deletion::default() };
    let rules = LedgerRules::new(Scrubbing::default(), &[Arc::new(Deletion { rule_id: Some(1), ..deletion })]);
    let group = plan(&[(row_of_two_days(), 1)], rules, LIMITS).unwrap();
    assert_eq!(rejection(&group), [RejectReason::Deleted]);
}

#[test]
fn a_record_with_too_many_versions_takes_no_more() {
    let limits = LedgerLimits { versions_bytes: 1, ..LIMITS };
    let group = plan(&[(row_of_two_days(), 1)], LedgerRules::default(), limits).unwrap();
    assert_eq!(rejection(&group), [RejectReason::TooManyParts]);
}
