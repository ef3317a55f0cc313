//! Which version a correction is: a whole record that takes the place of the one that is held.
//!
//! The version gets a greater revision than those that are held, and `replaces`, so that it ranks first and nothing of
//! theirs remains. A correction that would change nothing is none, so that the same corrections can be written again.

use std::borrow::Cow;

use super::versions::{Versions, is_content};
use crate::record::schema::{ABSENT, FIELDS, int_slot};
use crate::record::{Record, RejectReason, Rejection};

/// The states that a correction belongs to, as one.
pub struct Held<'a> {
    versions: Cow<'a, Versions>,
    /// Whether they were several, which the correction makes one.
    were_apart: bool,
}

impl<'a> Held<'a> {
    /// Joins the states that are held; `None` without any.
    pub fn join(held: &'a [Versions]) -> Option<Self> {
        let (first, others) = held.split_first()?;
        let join = |one: Cow<'a, Versions>, other: &Versions| Cow::Owned(one.join(other));
        Some(Self { versions: others.iter().fold(Cow::Borrowed(first), join), were_apart: !others.is_empty() })
    }
}

/// Returns the version that a store adds for a correction, given what is held of its record; `None` if its part already has
/// this content. Without a version of its part, it is a version like any other.
///
/// # Errors
/// The rejection as `NumberOutOfRange` if no greater revision than the held one exists, as `PartMissing` if the correction
/// has no part and everything held has one.
pub fn corrected<'a>(held: Option<&Held<'_>>, correction: &Record<'a>) -> Result<Option<Record<'a>>, Rejection> {
    let Some(held) = held else { return Ok(Some(correction.clone())) };
    let part = correction.ints[int_slot::PART];
    let Some((revision, stands)) = held.versions.part(part) else {
        return if part == ABSENT { Err(part_missing()) } else { Ok(Some(correction.clone())) };
    };
    // One that belongs to several records makes them one, which is a change.
    if !held.were_apart && has_same_content(&stands, correction) {
        return Ok(None);
    }
    let next = revision.checked_add(1).ok_or_else(no_greater_revision)?;
    let mut version = correction.clone();
    // An absent revision is the least number.
    version.ints[int_slot::REVISION] = next.max(correction.ints[int_slot::REVISION]);
    version.ints[int_slot::REPLACES] = 1;
    Ok(Some(version))
}

fn has_same_content(one: &Record<'_>, other: &Record<'_>) -> bool {
    FIELDS.iter().filter(|field| is_content(field)).all(|field| one.field_equals(other, field))
}

/// As a further part, it would say that the call has one more row, and the wrong parts would stand.
fn part_missing() -> Rejection {
    let description = "part: the record held has parts; correct each of them, or delete the record and write it anew";
    Rejection::new(RejectReason::PartMissing, description)
}

fn no_greater_revision() -> Rejection {
    let description = format!("revision: the record held has {}, so that a correction cannot have a greater one", i64::MAX);
    Rejection::new(RejectReason::NumberOutOfRange, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::dictionary_slot;
    use crate::record::{EVENT_END, US_PER_DAY};

    fn record(revision: i64, account: &'static str) -> Record<'static> {
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = 0;
        record.ints[int_slot::REVISION] = revision;
        record.strings[dictionary_slot::ACCOUNT_ID] = account;
        record
    }

    /// Revision and `replaces` of the version that a correction becomes.
    fn version(held: &[Record<'static>], correction: &Record<'static>) -> Option<[i64; 2]> {
        let held: Vec<Versions> = held.iter().map(Versions::of).collect();
        let version = corrected(Held::join(&held).as_ref(), correction).unwrap_or(None)?;
        Some([int_slot::REVISION, int_slot::REPLACES].map(|slot| version.ints[slot]))
    }

    #[test]
    fn a_correction_ranks_above_what_is_held() {
        let correction = record(ABSENT, "1002");
        assert_eq!(version(&[record(ABSENT, "1001")], &correction), Some([1, 1]));
        assert_eq!(version(&[record(7, "1001")], &correction), Some([8, 1]));
        assert_eq!(version(&[record(7, "1001")], &record(20, "1002")), Some([20, 1]));
        assert_eq!(version(&[record(-3, "1001")], &record(-9, "1002")), Some([-2, 1]));
        assert_eq!(version(&[record(i64::MAX - 1, "1001")], &correction), Some([i64::MAX, 1]));
    }

    #[test]
    fn without_a_held_version_a_correction_is_a_version_like_any_other() {
        assert_eq!(version(&[], &record(3, "1002")), Some([3, ABSENT]));
        let mut part = record(ABSENT, "1001");
        part.ints[int_slot::PART] = 5;
        assert_eq!(version(&[record(7, "1001")], &part), Some([ABSENT, ABSENT]));
    }

    #[test]
    fn a_correction_without_a_part_corrects_no_parts() {
        let mut part = record(ABSENT, "1001");
        part.ints[int_slot::PART] = 5;
        let of_part = Versions::of(&part);
        let of_both = of_part.join(&Versions::of(&record(ABSENT, "1001")));
        let reason = |held: Versions| {
            let rejected = corrected(Held::join(&[held]).as_ref(), &record(ABSENT, "1002")).err();
            rejected.map(|rejection| rejection.reason)
        };
        assert_eq!(reason(of_part), Some(RejectReason::PartMissing));
        assert_eq!(reason(of_both), None);
    }

    #[test]
    fn a_correction_that_changes_nothing_is_none() {
        let mut held = record(7, "1001");
        held.ints[int_slot::EVENT] = EVENT_END;
        assert_eq!(version(&[held.clone()], &record(30, "1001")), None);
        // A value that the correction leaves out is one that it takes away.
        assert_eq!(version(&[held.clone()], &record(ABSENT, "")), Some([8, 1]));
        let mut next_day = record(ABSENT, "1001");
        next_day.ints[int_slot::SETUP_TIME] = US_PER_DAY;
        assert_eq!(version(&[held, next_day.clone()], &next_day), Some([8, 1]), "it joins two records");
    }

    #[test]
    fn the_greatest_revision_cannot_be_corrected() {
        let held = [Versions::of(&record(i64::MAX, "1001"))];
        let reason = |correction| corrected(Held::join(&held).as_ref(), &correction).err().map(|rejection| rejection.reason);
        assert_eq!(reason(record(ABSENT, "1002")), Some(RejectReason::NumberOutOfRange));
        assert_eq!(reason(record(ABSENT, "1001")), None);
    }
}
