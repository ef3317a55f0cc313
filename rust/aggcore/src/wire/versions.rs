//! The versions of one record and their merge, which makes replays, late events and reordered events
//! harmless.
//!
//! **Rank.** Versions of a record are totally ordered by their rank (`layers.rs`):
//!
//! 1. revision, an absent one being 0;
//! 2. class: 0 for a START event, 1 for UPDATE, 2 for END and for a whole record;
//! 3. content: XXH3-64 of the canonical form (`record.rs`) of the fields that scrubbing never changes.
//!
//! Versions of equal rank are the same one but for the numbers of parties, which may be masked or erased in one of them. Of
//! these, the greatest text of each field counts; that of a number is greater than its masked form.
//!
//! **Merge.** Last write wins, field by field: the merged record has each field from the greatest version
//! that has the field. `revision` and `event` are those of the greatest version, even if it lacks them. Of
//! times that contradict each other, the merged record leaves one out (`layers.rs`).
//!
//! **Replacement.** A version with `replaces` leaves the lower-ranked ones nothing to supply.
//!
//! **Parts.** Versions with different part numbers are of different parts of the record. Each part is merged
//! from its own versions, and the record is joined from its parts (`parts.rs`).
//!
//! **Layers.** Of each version, the state stores one *layer*: its rank, and those of its fields that no
//! greater version of its part has. A version whose fields are all in greater versions needs no layer, unless
//! it replaces others: versions are only added, so it can never supply a field again. The layers of a part
//! therefore have disjoint fields (besides the number of the part and `replaces`, which each keeps), and
//! their union, without the times that contradict each other, is the merged part.
//!
//! **Join.** [`Versions::join`] returns the state of the union of two sets of versions. It is commutative,
//! associative and idempotent: states form a join-semilattice, as those of a state-based CRDT do (Shapiro et
//! al., *Conflict-free Replicated Data Types*, 2011). So the state depends on the set of versions received
//! only, and order, batching, repetition and restarts cannot change it.
//!
//! **Bytes.** A state is stored beside its merged record, the *row*, and repeats none of the values of the
//! row. It is not stored at all if the row determines it: a single layer, and all versions on one day. The row
//! of several parts has no part number, so that each layer keeps its own.
//! Numbers are LEB128 varints, signed ones as the `u64` of the same bits.
//!
//! Scrubbing changes no rank, and no order: a replay of the original version of a record that was scrubbed is a duplicate.
//! Nor does a stored hash tell which number was there. States of catalogue formats before 8 have other hashes, see
//! `layers.rs`.
//!
//! ```text
//! state := first day, last day,        UTC days of the setup times of all versions
//!          layer*                      by part, then by descending rank
//! layer := revision, class, content,   the rank; the class plus 4, but for a state of a format before 8
//!          fields in row,              bit i: the layer has field number i + 1, with the value of the row
//!          length, bytes               canonical form of the fields that the row leaves out
//! ```

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use prost::encoding::encode_varint;

use super::layers::{Layer, forget_former_hashes, join_layers, merged_part, number};
use super::parts::{join, part_order};
use super::record::decode_record;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, DICTIONARY_COUNT, FIELDS, Field, int_slot, text_slot};
use crate::record::scrubbing::Scrubbing;
use crate::record::{Record, US_PER_DAY};

/// The state of a record: a join-semilattice element that represents a set of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Layers by part, then by descending rank.
    layers: Vec<Layer>,
    /// First and last UTC day of the setup times of all versions, those without a layer included.
    days: (i64, i64),
}

impl Versions {
    /// Returns the state of a single version.
    pub fn of(version: &Record<'_>) -> Self {
        Self { layers: vec![Layer::of(version)], days: (version.day(), version.day()) }
    }

    /// Returns the state of a row; `encoded` is the result of [`Versions::to_bytes`] for it. `None` if it is
    /// malformed.
    pub fn of_row(row: &Record<'_>, encoded: Option<&[u8]>) -> Option<Self> {
        match encoded {
            None => Some(Self::of(row)),
            Some(bytes) => Self::from_bytes(bytes, row),
        }
    }

    /// Returns the state that a store outside the core keeps as two byte strings: the merged record, and the result of
    /// [`Versions::to_bytes`] for it, of which no bytes are `None`.
    ///
    /// # Errors
    /// `MalformedBatch` if the record is not a message, `Damaged` if the state is malformed.
    pub fn of_stored(record: &[u8], encoded: &[u8]) -> Result<Self> {
        let mut row = Record::default();
        // A merged record may break a rule for versions, such as that an END event has an end.
        let _ = decode_record(record, &mut row)?;
        let encoded = Some(encoded).filter(|bytes| !bytes.is_empty());
        Self::of_row(&row, encoded).ok_or_else(|| Error::damaged(Path::new("a record"), "its versions are malformed"))
    }

    /// Returns the UTC days on which another version with the same key belongs to this record: the days of
    /// its versions and the day before and after. On any other day, the key denotes a different session.
    pub fn joinable_days(&self) -> RangeInclusive<i64> {
        self.days.0 - 1..=self.days.1 + 1
    }

    /// Whether a UTC day lies between the first and the last setup day of all versions, both inclusive.
    pub fn spans(&self, day: i64) -> bool {
        (self.days.0..=self.days.1).contains(&day)
    }

    /// Returns the state of the versions of both states.
    pub fn join(&self, other: &Self) -> Self {
        let mut layers: Vec<Layer> = self.layers.iter().chain(&other.layers).cloned().collect();
        join_layers(&mut layers);
        Self { layers, days: (self.days.0.min(other.days.0), self.days.1.max(other.days.1)) }
    }

    /// Joins the state with that of one version. Takes time for the versions of its part, not for those of all parts.
    pub fn add(&mut self, version: &Record<'_>) -> Addition {
        let added = Layer::of(version);
        let part = self.layers_of_part(added.part);
        let before = &self.layers[part.clone()];
        let differences = if before.is_empty() { Differences::default() } else { Differences::between(before, version) };
        let mut layers = before.to_vec();
        layers.push(added);
        join_layers(&mut layers);
        let days = (self.days.0.min(version.day()), self.days.1.max(version.day()));
        let changes_layers = layers != before;
        self.days = days;
        self.layers.splice(part, layers);
        Addition { changes_layers, differences }
    }

    /// Returns the greatest revision of the versions of a part, and what they merge to; `None` if there are none.
    pub fn part(&self, part: i64) -> Option<(i64, Record<'_>)> {
        let layers = &self.layers[self.layers_of_part(part)];
        // The greatest version always has a layer, as each has a setup time.
        layers.first().map(|greatest| (greatest.revision(), merged_part(layers)))
    }

    /// Where the layers of a part are, or would be.
    fn layers_of_part(&self, part: i64) -> Range<usize> {
        let order = part_order(part);
        let first = self.layers.partition_point(|layer| part_order(layer.part) < order);
        first..first + self.layers[first..].partition_point(|layer| part_order(layer.part) == order)
    }

    /// First and last UTC day of the setup times of all versions, in days since 1970-01-01.
    pub fn days(&self) -> (i64, i64) {
        self.days
    }

    /// UTC day of the first setup time of all versions, in days since 1970-01-01.
    pub fn first_day(&self) -> i64 {
        self.days.0
    }

    /// Erases numbers of parties, and masks all of the record if its first version is of a day to mask.
    pub fn scrub(&mut self, scrubbing: &Scrubbing) {
        self.scrub_as(scrubbing, scrubbing.masks_day(self.days.0));
    }

    /// As [`Versions::scrub`], where the caller knows whether the record is masked.
    pub fn scrub_as(&mut self, scrubbing: &Scrubbing, is_masked: bool) {
        if !scrubbing.erases() && !is_masked {
            return;
        }
        let mut is_changed = false;
        self.layers.iter_mut().for_each(|layer| is_changed |= layer.scrub(scrubbing, is_masked));
        if is_changed {
            // Drops those of which nothing is left.
            join_layers(&mut self.layers);
        }
        forget_former_hashes(&mut self.layers);
    }

    /// Whether a version has a number to erase.
    pub fn has_erased(&self, scrubbing: &Scrubbing) -> bool {
        self.layers.iter().any(|layer| scrubbing.has_erased(&layer.supplied()))
    }

    /// Passes the merged record, which borrows from the layers, to `use_merged` and returns its result.
    pub fn with_merged<T>(&self, use_merged: impl FnOnce(&Record<'_>) -> T) -> T {
        use_merged(&join(self.layers.chunk_by(|one, next| one.part == next.part).map(merged_part)))
    }

    /// Encodes the state relative to its merged record; `None` if that record alone determines the state.
    pub fn to_bytes(&self, merged: &Record<'_>) -> Option<Vec<u8>> {
        if self.layers.len() == 1 && self.days.0 == self.days.1 && !self.layers[0].is_former() {
            return None;
        }
        let mut out = Vec::new();
        encode_varint(self.days.0 as u64, &mut out);
        encode_varint(self.days.1 as u64, &mut out);
        self.layers.iter().for_each(|layer| layer.encode(merged, &mut out));
        Some(out)
    }

    /// Decodes the bytes of [`Versions::to_bytes`] for the same merged record; `None` if they are malformed.
    fn from_bytes(mut bytes: &[u8], merged: &Record<'_>) -> Option<Self> {
        let days = decode_days(&mut bytes)?;
        let mut layers = Vec::new();
        while !bytes.is_empty() {
            layers.push(Layer::decode(&mut bytes, merged)?);
        }
        layers.is_sorted_by(|one, next| one.order() < next.order()).then_some(Self { layers, days })
    }
}

/// What a version added to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Whether it supplies something. It may have changed the days of the state, too.
    pub changes_layers: bool,
    /// How the version differs from what its part was before.
    pub differences: Differences,
}

/// How a version differs from what stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Whether it has another value of some field.
    pub is_other_content: bool,
    /// Whether it looks like another call under the same id: both have ended, neither corrects the other by a greater
    /// revision, and one of them ended before the other was set up, or both are whole records of different parties.
    pub is_other_call: bool,
}

impl Differences {
    /// Compares a version with the layers of its part.
    fn between(layers: &[Layer], version: &Record<'_>) -> Self {
        let stands = &merged_part(layers);
        let differs = |field: &&Field| version.has(field) && !version.field_equals(stands, field);
        Self {
            is_other_content: FIELDS.iter().filter(differs).any(is_content),
            is_other_call: stands.is_finished() && version.is_finished() && are_other_calls(stands, version),
        }
    }
}

/// Whether a field says something about the session, and not only about its version.
pub fn is_content(field: &Field) -> bool {
    !["revision", "event", "replaces"].contains(&field.name)
}

/// Whether two finished versions look like two calls.
fn are_other_calls(one: &Record<'_>, other: &Record<'_>) -> bool {
    let revision = |record: &Record<'_>| record.ints[int_slot::REVISION].max(0);
    let ended_before = |one: &Record<'_>, other: &Record<'_>| one.ints[int_slot::END_TIME] < other.setup_us();
    let is_whole = |record: &Record<'_>| record.ints[int_slot::EVENT] == ABSENT;
    let parties = [text_slot::ORIG_SRC_PARTY_ID, text_slot::ORIG_DST_PARTY_ID].map(|slot| DICTIONARY_COUNT + slot);
    let differs = |slot: usize| {
        let texts = [one.strings[slot], other.strings[slot]];
        texts[0] != texts[1] && texts.iter().all(|text| !text.is_empty())
    };
    revision(one) == revision(other)
        && (ended_before(one, other)
            || ended_before(other, one)
            || is_whole(one) && is_whole(other) && parties.into_iter().any(differs))
}

/// Returns whether the versions of an encoded state lie on several UTC days.
pub fn spans_several_days(mut encoded: &[u8]) -> bool {
    number(&mut encoded) != number(&mut encoded)
}

/// UTC day of the first setup time of the versions of an encoded state; `None` if it is malformed.
pub fn first_day(mut encoded: &[u8]) -> Option<i64> {
    decode_days(&mut encoded).map(|(first, _)| first)
}

/// Takes the first and the last day off the front of the bytes; `None` if versions cannot have been set up on them.
fn decode_days(bytes: &mut &[u8]) -> Option<(i64, i64)> {
    let (first, last) = (number(bytes)? as i64, number(bytes)? as i64);
    let all = i64::MIN.div_euclid(US_PER_DAY)..=i64::MAX.div_euclid(US_PER_DAY);
    (first <= last && all.contains(&first) && all.contains(&last)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::dictionary_slot;
    use crate::record::scrubbing::party_digest;
    use crate::record::{EVENT_END, EVENT_START, EVENT_UPDATE};

    const ACCOUNTS: [&str; 3] = ["", "1001", "1002"];

    /// Versions that differ in rank, fields and days. Each is consistent, but some times of two versions
    /// contradict.
    fn versions() -> Vec<Versions> {
        let version = |number: i64| {
            let mut record = Record::default();
            let setup_us = (number % 2) * US_PER_DAY;
            record.ints[int_slot::SETUP_TIME] = setup_us;
            record.ints[int_slot::REVISION] = [ABSENT, 0, 7][(number / 2 % 3) as usize];
            record.ints[int_slot::EVENT] = [ABSENT, EVENT_START, EVENT_UPDATE, EVENT_END][(number % 4) as usize];
            record.ints[int_slot::ANSWER_TIME] = [ABSENT, setup_us + 5][(number / 3 % 2) as usize];
            record.ints[int_slot::END_TIME] = [setup_us + 1, ABSENT][(number / 3 % 2) as usize];
            record.strings[dictionary_slot::ACCOUNT_ID] = ACCOUNTS[(number % 3) as usize];
            record.ints[int_slot::PART] = [ABSENT, ABSENT, 1, -1][(number / 5 % 4) as usize];
            record.ints[int_slot::PART_CLASS] = [ABSENT, 2][(number / 7 % 2) as usize];
            record.ints[int_slot::REPLACES] = [ABSENT, 1, 0][(number / 4 % 3) as usize];
            record.strings[DICTIONARY_COUNT + text_slot::ORIG_SRC_PARTY_ID] = ["", "1", "2"][(number / 2 % 3) as usize];
            Versions::of(&record)
        };
        (0..20).map(version).collect()
    }

    /// Bytes of a state without layers.
    fn state_of_days(first: i64, last: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        [first, last].into_iter().for_each(|day| encode_varint(day as u64, &mut bytes));
        bytes
    }

    #[test]
    fn days_on_which_no_version_can_be_set_up_are_malformed() {
        let (first, last) = (i64::MIN.div_euclid(US_PER_DAY), i64::MAX.div_euclid(US_PER_DAY));
        let state = |days: (i64, i64)| Versions::of_row(&Record::default(), Some(&state_of_days(days.0, days.1)));
        let joinable = state((first, last)).map(|state| state.joinable_days());
        assert_eq!(joinable, Some(first - 1..=last + 1));
        for days in [(first - 1, 0), (0, last + 1), (i64::MIN, i64::MAX), (1, 0)] {
            assert_eq!(state(days), None, "{days:?}");
        }
    }

    /// A version of one rank whose only party has a number.
    fn with_number(number: &'static str, revision: i64) -> Record<'static> {
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = 0;
        record.ints[int_slot::REVISION] = revision;
        record.strings[DICTIONARY_COUNT + text_slot::ORIG_SRC_PARTY_ID] = number;
        record
    }

    fn number_of(state: &Versions) -> String {
        state.with_merged(|merged| merged.strings[DICTIONARY_COUNT + text_slot::ORIG_SRC_PARTY_ID].to_owned())
    }

    fn erasing(number: &str, masked_before_day: Option<i64>) -> Scrubbing {
        let key = [7; 16];
        Scrubbing::new(key, [party_digest(&key, number)], masked_before_day, 2)
    }

    #[test]
    fn of_versions_that_differ_in_numbers_alone_the_greatest_number_counts() {
        let numbers = ["", "+1555*****", "+15550100", "+15550101"];
        for one in numbers {
            for other in numbers {
                let (a, b) = (Versions::of(&with_number(one, 3)), Versions::of(&with_number(other, 3)));
                assert_eq!(number_of(&a.join(&b)), one.max(other));
                assert_eq!(a.join(&b), b.join(&a));
                assert_eq!(a.join(&b).layers.len(), 1);
            }
        }
    }

    #[test]
    fn scrubbing_keeps_ranks_and_forgets_versions_that_had_nothing_else() {
        let mut state = Versions::of(&with_number("+15550100", 1));
        let mut second = with_number("", 2);
        second.strings[dictionary_slot::ACCOUNT_ID] = "1001";
        state.add(&second);
        assert_eq!((state.layers.len(), state.has_erased(&erasing("15550100", None))), (2, true));
        let ranks: Vec<_> = state.layers.iter().map(Layer::order).collect();
        let mut masked = state.clone();
        masked.scrub(&erasing("15550199", Some(1)));
        assert_eq!(number_of(&masked), "+15******");
        assert_eq!(masked.layers.iter().map(Layer::order).collect::<Vec<_>>(), ranks);
        state.scrub(&erasing("15550100", None));
        assert_eq!((state.layers.len(), state.has_erased(&erasing("15550100", None))), (1, false));
        // What is left of the original: an erased number is scrubbed before a version is added.
        assert!(!state.add(&with_number("", 1)).changes_layers);
        let erased = state.clone();
        state.scrub(&erasing("15550100", None));
        assert_eq!(state, erased);
    }

    /// Bytes of a state as programs of catalogue format 7 wrote it: versions of one revision by their account and hash of
    /// all fields, of which the first one supplies the setup time.
    fn former(row: &Record<'_>, versions: &[(u64, &'static str)]) -> Vec<u8> {
        let mut bytes = state_of_days(0, 0);
        for (index, (hash, name)) in versions.iter().enumerate() {
            let mut fields = Record::default();
            fields.strings[dictionary_slot::SOURCE + 1 + index] = name;
            let mut rest = Vec::new();
            super::super::encode_record(&fields, &mut rest);
            let in_row = if index == 0 { 1 << 5 } else { 0 };
            for number in [0, 2, *hash, in_row, rest.len() as u64] {
                encode_varint(number, &mut bytes);
            }
            bytes.extend(rest);
        }
        assert!(Versions::of_row(row, Some(&bytes)).is_some());
        bytes
    }

    #[test]
    fn a_state_of_a_former_format_outranks_versions_that_are_written_again_and_forgets_its_hashes() {
        let row = with_number("", ABSENT);
        let bytes = former(&row, &[(900, "first"), (800, "second")]);
        let mut state = Versions::of_row(&row, Some(&bytes)).unwrap_or_else(|| Versions::of(&row));
        assert_eq!(state.to_bytes(&row).as_deref(), Some(bytes.as_slice()));
        let mut again = with_number("", ABSENT);
        again.strings[dictionary_slot::SOURCE + 1] = "other";
        assert!(!state.add(&again).changes_layers);
        state.scrub(&erasing("15550100", None));
        let scrubbed = former(&row, &[(1, "first"), (0, "second")]);
        assert_eq!(state.to_bytes(&row).as_deref(), Some(scrubbed.as_slice()));
        assert!(!state.add(&again).changes_layers);
        let before = state.clone();
        state.scrub(&erasing("15550100", None));
        assert_eq!(state, before);
    }

    #[test]
    fn join_is_commutative_associative_and_idempotent() {
        let versions = versions();
        for a in &versions {
            assert_eq!(a.join(a), *a);
            for b in &versions {
                let both = a.join(b);
                assert_eq!(both, b.join(a));
                assert_eq!(both.join(a), both);
                for c in &versions {
                    assert_eq!(both.join(c), a.join(&b.join(c)));
                }
            }
        }
    }

    fn version(revision: i64, replaces: bool, account: &'static str, cause: i64) -> Versions {
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = 0;
        record.ints[int_slot::REVISION] = revision;
        record.ints[int_slot::REPLACES] = if replaces { 1 } else { ABSENT };
        record.ints[int_slot::DISCONNECT_CAUSE] = cause;
        record.strings[dictionary_slot::ACCOUNT_ID] = account;
        Versions::of(&record)
    }

    #[test]
    fn what_a_replacing_version_leaves_absent_is_absent() {
        let first = version(0, false, "1001", 16);
        let second = version(1, true, "", ABSENT);
        let third = version(2, false, "", 17);
        let fields = |state: &Versions| {
            let of_row =
                |row: &Record<'_>| (row.strings[dictionary_slot::ACCOUNT_ID].to_owned(), row.ints[int_slot::DISCONNECT_CAUSE]);
            state.with_merged(of_row)
        };
        assert_eq!(fields(&first.join(&third)), ("1001".to_owned(), 17));
        assert_eq!(fields(&first.join(&second)), (String::new(), ABSENT));
        // The second version has no field of its own left, and still keeps the first one out.
        assert_eq!(fields(&third.join(&second).join(&first)), (String::new(), 17));
    }

    #[test]
    fn an_alert_that_another_version_contradicts_is_absent() {
        let version = |revision: i64, setup_us: i64, alert_us: i64, answer_us: i64| {
            let mut record = Record::default();
            record.ints[int_slot::REVISION] = revision;
            let times = [int_slot::SETUP_TIME, int_slot::ALERT_TIME, int_slot::ANSWER_TIME].into_iter();
            times.zip([setup_us, alert_us, answer_us]).for_each(|(slot, us)| record.ints[slot] = us);
            Versions::of(&record)
        };
        let alert = |state: &Versions| state.with_merged(|row| row.ints[int_slot::ALERT_TIME]);
        let first = version(0, 10, 12, ABSENT);
        assert_eq!(alert(&first.join(&version(1, 10, ABSENT, 12))), 12);
        let (early_answer, late_setup) = (version(1, 10, ABSENT, 11), version(1, 13, ABSENT, ABSENT));
        assert_eq!([&early_answer, &late_setup].map(|other| alert(&first.join(other))), [ABSENT; 2]);
        // The state still has it: it counts again once the answer is put right.
        assert_eq!(alert(&first.join(&early_answer).join(&version(2, 10, ABSENT, 20))), 12);
    }

    #[test]
    fn states_decode_from_their_row_and_bytes() {
        let versions = versions();
        for a in &versions {
            for b in &versions {
                let state = versions[0].join(&a.join(b));
                state.with_merged(|row| {
                    let bytes = state.to_bytes(row);
                    assert_eq!(Versions::of_row(row, bytes.as_deref()), Some(state.clone()));
                    assert_eq!(bytes.is_some_and(|bytes| spans_several_days(&bytes)), state.days.0 != state.days.1);
                });
            }
        }
    }
}
