//! Joins the parts of a record: a switch that writes several rows for one call sends each as a part.
//!
//! Every part has versions of its own, and is merged from them first (`versions.rs`). The joined record has
//!
//! - the least setup time of all parts, and the greatest end time;
//! - the least answer time among the parts of the highest class; it is absent if none of these was answered;
//! - the fields of [`Side::Terminating`], which tell of the called side and of how the call went there, from the part
//!   that supplies the answer time or, without one, from the part that ended last;
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

/// Fields of [`Side::Terminating`] besides those whose names begin with `term_` or `equipment_`.
const OF_CALLED_SIDE: [&str; 6] =
    ["disconnect_cause", "alert_time", "vendor_price", "vendor_currency", "sip_status", "release_party"];

/// The side of each field of [`FIELDS`].
const SIDES: [Side; FIELDS.len()] = sides();

/// Orders parts by setup time, then by number.
type SetUpOrder = (i64, (bool, u64));

/// Orders the numbers of parts: the absent one first, then ascending as unsigned numbers.
pub fn part_order(part: i64) -> (bool, u64) {
    (part != ABSENT, part as u64)
}

/// Joins the parts of one record. A single part is returned as it is, and none as an empty record.
pub fn join<'a>(mut parts: impl Iterator<Item = Record<'a>>) -> Record<'a> {
    let Some(first) = parts.next() else { return Record::default() };
    let Some(second) = parts.next() else { return first };
    let mut suppliers = Suppliers::of(first);
    suppliers.add(second);
    parts.for_each(|part| suppliers.add(part));
    suppliers.joined()
}

/// The parts that supply the fields of the joined record, among those seen so far.
struct Suppliers<'a> {
    /// The highest class.
    class: i64,
    /// The part that was set up first.
    first: Record<'a>,
    /// Of the parts of the highest class, the one that was answered first.
    answered: Option<Record<'a>>,
    /// The part that ended last.
    last: Record<'a>,
}

impl<'a> Suppliers<'a> {
    fn of(part: Record<'a>) -> Self {
        Self { class: class(&part), answered: is_answered(&part).then(|| part.clone()), last: part.clone(), first: part }
    }

    fn add(&mut self, part: Record<'a>) {
        let class = class(&part);
        if class > self.class {
            (self.class, self.answered) = (class, None);
        }
        if class == self.class
            && is_answered(&part)
            && self.answered.as_ref().is_none_or(|answered| answer_order(&part) < answer_order(answered))
        {
            self.answered = Some(part.clone());
        }
        if end_order(&part) > end_order(&self.last) {
            self.last = part.clone();
        }
        if set_up_order(&part) < set_up_order(&self.first) {
            self.first = part;
        }
    }

    fn joined(self) -> Record<'a> {
        let answer = self.answered.as_ref().map_or(ABSENT, |part| part.ints[int_slot::ANSWER_TIME]);
        let end = self.last.ints[int_slot::END_TIME];
        let terminating = self.answered.unwrap_or(self.last);
        let mut joined = self.first;
        let fields = FIELDS.iter().zip(SIDES).filter(|(_, side)| *side == Side::Terminating);
        fields.for_each(|(field, _)| joined.copy_field(&terminating, field));
        joined.ints[int_slot::ANSWER_TIME] = answer;
        // The part that was answered has not ended, but others have.
        joined.ints[int_slot::END_TIME] = if end < answer { ABSENT } else { end };
        (joined.ints[int_slot::PART], joined.ints[int_slot::REPLACES], joined.ints[int_slot::PART_CLASS]) =
            (ABSENT, ABSENT, self.class);
        joined
    }
}

fn is_answered(part: &Record<'_>) -> bool {
    part.ints[int_slot::ANSWER_TIME] != ABSENT
}

fn answer_order(part: &Record<'_>) -> (i64, SetUpOrder) {
    (part.ints[int_slot::ANSWER_TIME], set_up_order(part))
}

/// The greatest is that of the part that ended last. An absent time is the least number.
fn end_order(part: &Record<'_>) -> (i64, i64, Reverse<SetUpOrder>) {
    (part.ints[int_slot::END_TIME], class(part), Reverse(set_up_order(part)))
}

fn class(part: &Record<'_>) -> i64 {
    part.ints[int_slot::PART_CLASS].max(LEAST_CLASS)
}

fn set_up_order(part: &Record<'_>) -> SetUpOrder {
    (part.setup_us(), part_order(part.ints[int_slot::PART]))
}

const fn sides() -> [Side; FIELDS.len()] {
    let mut sides = [Side::Originating; FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        let name = FIELDS[i].name;
        if is_of_called_side(name) || str_starts_with(name, "term_") || str_starts_with(name, "equipment_") {
            sides[i] = Side::Terminating;
        }
        i += 1;
    }
    sides
}

const fn is_of_called_side(name: &str) -> bool {
    let mut i = 0;
    while i < OF_CALLED_SIDE.len() {
        if str_eq(name, OF_CALLED_SIDE[i]) {
            return true;
        }
        i += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{dictionary_slot, field};

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
        let record = join(parts.iter().cloned());
        assert_eq!(join(parts.iter().rev().cloned()), record);
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
            let record = join(parts.iter().cloned());
            assert_eq!(join(parts.iter().chain([&record]).cloned()), record);
        }
    }

    #[test]
    fn what_happened_on_the_called_side_is_of_the_part_that_was_answered() {
        let with_sides = |number: i64, times| {
            let mut record = part(number, 2, times);
            for name in OF_CALLED_SIDE.into_iter().chain(["customer_price", "currency"]).filter_map(field) {
                match name.is_string() {
                    true => record.strings[Record::string_slot(name)] = ["", "EUR", "USD"][number as usize],
                    false => record.ints[name.slot] = number,
                }
            }
            record
        };
        let (first, answered) = (with_sides(1, [10, 0, 25]), with_sides(2, [20, 40, 80]));
        let record = join([first.clone(), answered.clone()].into_iter());
        for field in OF_CALLED_SIDE.into_iter().filter_map(field) {
            assert!(record.field_equals(&answered, field), "{}", field.name);
        }
        for field in ["customer_price", "currency"].into_iter().filter_map(field) {
            assert!(record.field_equals(&first, field), "{}", field.name);
        }
    }

    #[test]
    fn numbers_are_unsigned() {
        assert!(part_order(ABSENT) < part_order(1) && part_order(1) < part_order(-1));
    }
}
