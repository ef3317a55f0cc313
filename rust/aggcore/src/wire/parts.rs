//! Joins the parts of a record: a switch that writes several rows for one call sends each as a part.
//!
//! Every part has versions of its own, and is merged from them first (`versions.rs`). The joined record has
//!
//! - the least setup time of all parts, and the greatest end time;
//! - the least answer time among the parts of the highest class; it is absent if none of these was answered;
//! - the fields of [`Side::Terminating`] from the part that supplies the answer time or, without one, from the part
//!   that ended last;
//! - all other fields from the part that was set up first.
//!
//! Of parts that ended together, the one of the highest class is the last one. Of parts that still tie, the one with the
//! least setup time supplies the field, then the one with the least number. So the record depends on the set of parts
//! alone, not on their order.
//!
//! A joined record has no part number, and the highest class. Exported and imported again beside its parts, it is one more
//! part that changes nothing.

use std::cmp::Reverse;

use crate::record::Record;
use crate::record::schema::{ABSENT, FIELDS, int_slot, str_eq, str_starts_with};

/// The class of a part without one: the switch itself answered.
const LEAST_CLASS: i64 = 1;

/// Which part supplies a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Originating,
    Terminating,
}

/// The side of each field of [`FIELDS`].
const SIDES: [Side; FIELDS.len()] = sides();

/// Orders the numbers of parts: the absent one first, then ascending as unsigned numbers.
pub fn part_order(part: i64) -> (bool, u64) {
    (part != ABSENT, part as u64)
}

/// Joins at least two parts of one record.
pub fn join<'a>(parts: &[Record<'a>]) -> Record<'a> {
    let first = parts.iter().min_by_key(|part| set_up_order(part));
    let (Some(first), class) = (first, parts.iter().map(class).max().unwrap_or(LEAST_CLASS)) else { return Record::default() };
    let answered = parts.iter().filter(|part| class == self::class(part) && part.ints[int_slot::ANSWER_TIME] != ABSENT);
    let answered = answered.min_by_key(|part| (part.ints[int_slot::ANSWER_TIME], set_up_order(part)));
    // An absent time is the least number.
    let last = parts.iter().max_by_key(|part| (part.ints[int_slot::END_TIME], self::class(part), Reverse(set_up_order(part))));
    let mut joined = first.clone();
    if let (Some(terminating), Some(last)) = (answered.or(last), last) {
        let fields = FIELDS.iter().zip(SIDES).filter(|(_, side)| *side == Side::Terminating);
        fields.for_each(|(field, _)| joined.copy_field(terminating, field));
        joined.ints[int_slot::END_TIME] = last.ints[int_slot::END_TIME];
    }
    joined.ints[int_slot::ANSWER_TIME] = answered.map_or(ABSENT, |part| part.ints[int_slot::ANSWER_TIME]);
    // The part that was answered has not ended, but others have.
    if joined.ints[int_slot::END_TIME] < joined.ints[int_slot::ANSWER_TIME] {
        joined.ints[int_slot::END_TIME] = ABSENT;
    }
    (joined.ints[int_slot::PART], joined.ints[int_slot::REPLACES], joined.ints[int_slot::PART_CLASS]) = (ABSENT, ABSENT, class);
    joined
}

fn class(part: &Record<'_>) -> i64 {
    part.ints[int_slot::PART_CLASS].max(LEAST_CLASS)
}

fn set_up_order(part: &Record<'_>) -> (i64, (bool, u64)) {
    (part.setup_us(), part_order(part.ints[int_slot::PART]))
}

const fn sides() -> [Side; FIELDS.len()] {
    let mut sides = [Side::Originating; FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        let name = FIELDS[i].name;
        if str_eq(name, "disconnect_cause") || str_starts_with(name, "term_") || str_starts_with(name, "equipment_") {
            sides[i] = Side::Terminating;
        }
        i += 1;
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::dictionary_slot;

    /// A part by number, class, and times of setup, answer and end; 0 is an absent answer.
    fn part(number: i64, class: i64, [setup, answer, end]: [i64; 3]) -> Record<'static> {
        let mut record = Record::default();
        record.ints[int_slot::PART] = number;
        record.ints[int_slot::PART_CLASS] = class;
        record.ints[int_slot::SETUP_TIME] = setup;
        record.ints[int_slot::ANSWER_TIME] = if answer == 0 { ABSENT } else { answer };
        record.ints[int_slot::END_TIME] = end;
        record.ints[int_slot::DISCONNECT_CAUSE] = 100 + number;
        record.strings[dictionary_slot::ACCOUNT_ID] = ["", "account 1", "account 2", "account 3"][number as usize];
        record
    }

    /// Setup, answer and end of the joined record, the number of the part that supplies the cause, and the account.
    fn joined(parts: &[Record<'static>]) -> ([i64; 3], i64, &'static str) {
        let record = join(parts);
        let reversed: Vec<_> = parts.iter().rev().cloned().collect();
        assert_eq!(join(&reversed), record);
        let times = [int_slot::SETUP_TIME, int_slot::ANSWER_TIME, int_slot::END_TIME].map(|slot| record.ints[slot]);
        (times, record.ints[int_slot::DISCONNECT_CAUSE] - 100, record.strings[dictionary_slot::ACCOUNT_ID])
    }

    #[test]
    fn the_answer_is_that_of_the_highest_class() {
        let (menu, busy, agent) = (part(1, 1, [10, 11, 90]), part(2, 2, [20, 0, 25]), part(3, 2, [30, 40, 80]));
        assert_eq!(joined(&[menu.clone(), busy.clone(), agent.clone()]), ([10, 40, 90], 3, "account 1"));
        assert_eq!(joined(&[menu.clone(), busy.clone()]), ([10, ABSENT, 90], 1, "account 1"));
        assert_eq!(joined(&[busy, agent]), ([20, 40, 80], 3, "account 2"));
    }

    #[test]
    fn of_parts_that_ended_together_the_higher_class_supplies_the_cause() {
        assert_eq!(joined(&[part(1, 1, [10, 11, 90]), part(2, 2, [20, 0, 90])]), ([10, ABSENT, 90], 2, "account 1"));
        assert_eq!(joined(&[part(2, 2, [20, 0, 90]), part(3, 2, [20, 0, 90])]), ([20, ABSENT, 90], 2, "account 2"));
    }

    #[test]
    fn a_part_that_was_answered_after_all_others_ended_is_still_active() {
        let (over, active) = (part(1, 2, [10, 0, 20]), part(2, 2, [10, 30, ABSENT]));
        assert_eq!(joined(&[over, active]), ([10, 30, ABSENT], 2, "account 1"));
    }

    #[test]
    fn a_joined_record_beside_its_parts_changes_nothing() {
        let parts = [part(1, 1, [10, 11, 90]), part(2, 2, [20, 0, 25]), part(3, 2, [30, 40, 80])];
        for parts in [&parts[..], &parts[..2], &parts[1..]] {
            let record = join(parts);
            assert_eq!(join(&[parts, std::slice::from_ref(&record)].concat()), record);
        }
    }

    #[test]
    fn numbers_are_unsigned() {
        assert!(part_order(ABSENT) < part_order(1) && part_order(1) < part_order(-1));
    }
}
