//! The versions of one record and their merge, which makes replays, late events and reordered events
//! harmless.
//!
//! **Rank.** Versions of a record are totally ordered by their rank ([`Rank`]):
//!
//! 1. revision, an absent one being 0;
//! 2. class: 0 for a START event, 1 for UPDATE, 2 for END and for a whole record;
//! 3. content: XXH3-64 of the canonical form ([`encode_record`]); equal content means the same version.
//!
//! **Merge.** Last write wins, field by field: the merged record has each field from the greatest version
//! that has the field. `revision` and `event` are those of the greatest version, even if it lacks them. Of
//! times that contradict each other, the merged record leaves one out (`drop_contradictions`).
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
//! ```text
//! state := first day, last day,        UTC days of the setup times of all versions
//!          layer*                      by part, then by descending rank
//! layer := revision, class, content,   the rank
//!          fields in row,              bit i: the layer has field number i + 1, with the value of the row
//!          length, bytes               canonical form of the fields that the row leaves out
//! ```

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use prost::encoding::{decode_varint, encode_varint};
use xxhash_rust::xxh3::xxh3_64;

use super::parts::{join, part_order};
use super::record::{decode_partial, encode_record};
use crate::record::schema::{ABSENT, FIELDS, Field, INT_COUNT, int_slot};
use crate::record::{EVENT_START, EVENT_UPDATE, Record, US_PER_DAY};

/// Rank of a version; compares by revision, class and content, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    revision: i64,
    class: u8,
    content: u64,
}

/// The fields that one version still supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    rank: Rank,
    /// Number of the part.
    part: i64,
    /// Whether the lower-ranked versions of the part supply nothing.
    replaces: bool,
    /// Canonical form of the fields.
    fields: Vec<u8>,
}

/// The state of a record: a join-semilattice element that represents a set of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Layers by part, then by descending rank.
    layers: Vec<Layer>,
    /// First and last UTC day of the setup times of all versions, those without a layer included.
    days: (i64, i64),
}

/// A set of fields as a bitmap: bit i is the field at index i of [`FIELDS`].
type FieldSet = u64;

/// Fields that each layer keeps, as they say what its version is.
const OF_EACH_VERSION: [usize; 2] = [int_slot::PART, int_slot::REPLACES];

const _: () = assert!(FIELDS.len() <= FieldSet::BITS as usize, "stored states have a bit per field");

impl Rank {
    fn of(version: &Record<'_>, content: &[u8]) -> Self {
        let revision = match version.ints[int_slot::REVISION] {
            ABSENT => 0,
            revision => revision,
        };
        let class = match version.ints[int_slot::EVENT] {
            EVENT_START => 0,
            EVENT_UPDATE => 1,
            _ => 2,
        };
        Self { revision, class, content: xxh3_64(content) }
    }
}

impl Versions {
    /// Returns the state of a single version.
    pub fn of(version: &Record<'_>) -> Self {
        let mut fields = Vec::with_capacity(512);
        encode_record(version, &mut fields);
        let layer = Layer::new(Rank::of(version, &fields), version, fields);
        Self { layers: vec![layer], days: (version.day(), version.day()) }
    }

    /// Returns the state of a row; `encoded` is the result of [`Versions::to_bytes`] for it. `None` if it is
    /// malformed.
    pub fn of_row(row: &Record<'_>, encoded: Option<&[u8]>) -> Option<Self> {
        match encoded {
            None => Some(Self::of(row)),
            Some(bytes) => Self::from_bytes(bytes, row),
        }
    }

    /// Returns the UTC days on which another version with the same key belongs to this record: the days of
    /// its versions and the day before and after. On any other day, the key denotes a different session.
    pub fn joinable_days(&self) -> RangeInclusive<i64> {
        self.days.0 - 1..=self.days.1 + 1
    }

    /// Returns the state of the versions of both states.
    pub fn join(&self, other: &Self) -> Self {
        let mut layers: Vec<Layer> = self.layers.iter().chain(&other.layers).cloned().collect();
        layers.sort_by_key(|layer| (part_order(layer.part), Reverse(layer.rank)));
        layers.chunk_by_mut(|one, next| one.part == next.part).for_each(drop_supplied_fields);
        layers.retain(|layer| !layer.fields.is_empty());
        Self { layers, days: (self.days.0.min(other.days.0), self.days.1.max(other.days.1)) }
    }

    /// Passes the merged record, which borrows from the layers, to `use_merged` and returns its result.
    pub fn with_merged<T>(&self, use_merged: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut parts = self.layers.chunk_by(|one, next| one.part == next.part);
        match (parts.next(), parts.next()) {
            (Some(only), None) => use_merged(&merged_part(only)),
            (first, second) => {
                use_merged(&join(&first.into_iter().chain(second).chain(parts).map(merged_part).collect::<Vec<_>>()))
            }
        }
    }

    /// How a version that was joined differs from its part in the state before.
    pub fn differences(&self, version: &Record<'_>) -> Differences {
        let part = self.layers.iter().filter(|layer| layer.part == version.ints[int_slot::PART]);
        let part: Vec<Layer> = part.cloned().collect();
        if part.is_empty() { Differences::default() } else { Differences::between(&merged_part(&part), version) }
    }

    /// Encodes the state relative to its merged record; `None` if that record alone determines the state.
    pub fn to_bytes(&self, merged: &Record<'_>) -> Option<Vec<u8>> {
        if self.layers.len() == 1 && self.days.0 == self.days.1 {
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
        Some(Self { layers, days })
    }
}

/// How a version differs from what stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Whether it has another value of some field.
    pub is_other_content: bool,
    /// Whether it looks like another call under the same id: both have ended, one of them before the other was set up,
    /// and neither corrects the other by a greater revision.
    pub is_other_call: bool,
}

impl Differences {
    fn between(stands: &Record<'_>, version: &Record<'_>) -> Self {
        let differs = |field: &&Field| version.has(field) && !version.field_equals(stands, field);
        let is_of_version = |field: &Field| ["revision", "event", "replaces"].contains(&field.name);
        let revision = |record: &Record<'_>| record.ints[int_slot::REVISION].max(0);
        let ended_before =
            |one: &Record<'_>, other: &Record<'_>| one.is_finished() && one.ints[int_slot::END_TIME] < other.setup_us();
        Self {
            is_other_content: FIELDS.iter().filter(differs).any(|field| !is_of_version(field)),
            is_other_call: stands.is_finished()
                && version.is_finished()
                && revision(stands) == revision(version)
                && (ended_before(stands, version) || ended_before(version, stands)),
        }
    }
}

/// Returns whether the versions of an encoded state lie on several UTC days.
pub fn spans_several_days(mut encoded: &[u8]) -> bool {
    number(&mut encoded) != number(&mut encoded)
}

/// Takes the first and the last day off the front of the bytes; `None` if versions cannot have been set up on them.
fn decode_days(bytes: &mut &[u8]) -> Option<(i64, i64)> {
    let (first, last) = (number(bytes)? as i64, number(bytes)? as i64);
    let all = i64::MIN.div_euclid(US_PER_DAY)..=i64::MAX.div_euclid(US_PER_DAY);
    (first <= last && all.contains(&first) && all.contains(&last)).then_some((first, last))
}

/// Takes a varint off the front of the bytes.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    decode_varint(bytes).ok()
}

/// Merges the layers of one part.
fn merged_part(layers: &[Layer]) -> Record<'_> {
    let mut merged = Record::default();
    let mut layer_of = [usize::MAX; INT_COUNT];
    for (index, layer) in layers.iter().enumerate().rev() {
        let fields = decode_partial(&layer.fields);
        for (slot, &value) in fields.ints.iter().enumerate().filter(|(_, value)| **value != ABSENT) {
            merged.ints[slot] = value;
            layer_of[slot] = index;
        }
        for (slot, text) in fields.strings.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            merged.strings[slot] = text;
        }
    }
    // Like revision and event, that of the greatest version.
    merged.ints[int_slot::REPLACES] =
        layers.first().map_or(ABSENT, |first| decode_partial(&first.fields).ints[int_slot::REPLACES]);
    drop_contradictions(&mut merged, &layer_of);
    merged
}

/// Removes the fields of the layers of one part that greater versions supply; a layer without fields is not needed.
fn drop_supplied_fields(layers: &mut [Layer]) {
    let mut supplied = Record::default();
    let mut is_replaced = false;
    for layer in layers {
        if is_replaced || !layer.retain_unsupplied(&mut supplied) && !layer.replaces {
            layer.fields.clear();
        }
        is_replaced |= layer.replaces;
    }
}

impl Layer {
    fn new(rank: Rank, record: &Record<'_>, fields: Vec<u8>) -> Self {
        Self { rank, part: record.ints[int_slot::PART], replaces: record.ints[int_slot::REPLACES] == 1, fields }
    }

    /// Removes the fields that greater versions supply, and adds the remaining ones to `supplied`. Returns
    /// false if no field remains, besides [`OF_EACH_VERSION`].
    ///
    /// `supplied` is a set: it contains the fields that have any value.
    fn retain_unsupplied(&mut self, supplied: &mut Record<'static>) -> bool {
        let mut fields = decode_partial(&self.fields);
        let of_version = OF_EACH_VERSION.map(|slot| std::mem::replace(&mut fields.ints[slot], ABSENT));
        let mut any = false;
        for (value, supplied) in fields.ints.iter_mut().zip(&mut supplied.ints) {
            if *supplied != ABSENT {
                *value = ABSENT;
            } else if *value != ABSENT {
                *supplied = 1;
                any = true;
            }
        }
        for (text, supplied) in fields.strings.iter_mut().zip(&mut supplied.strings) {
            if !supplied.is_empty() {
                *text = "";
            } else if !text.is_empty() {
                *supplied = "supplied";
                any = true;
            }
        }
        // Only the greatest version, the first one here, supplies revision and event: they describe the
        // version itself.
        supplied.ints[int_slot::REVISION] = 0;
        supplied.ints[int_slot::EVENT] = 0;
        OF_EACH_VERSION.into_iter().zip(of_version).for_each(|(slot, value)| fields.ints[slot] = value);
        let mut remaining = Vec::with_capacity(self.fields.len());
        encode_record(&fields, &mut remaining);
        self.fields = remaining;
        any
    }

    /// Appends the layer; values that equal those of the merged record are written as a bit.
    fn encode(&self, merged: &Record<'_>, out: &mut Vec<u8>) {
        let mut fields = decode_partial(&self.fields);
        let in_row = take_fields_in_row(&mut fields, merged);
        let mut rest = Vec::new();
        encode_record(&fields, &mut rest);
        let Rank { revision, class, content } = self.rank;
        for value in [revision as u64, u64::from(class), content, in_row, rest.len() as u64] {
            encode_varint(value, out);
        }
        out.extend_from_slice(&rest);
    }

    /// Takes a layer off the front of the bytes; `None` if they are malformed.
    fn decode(bytes: &mut &[u8], merged: &Record<'_>) -> Option<Self> {
        let revision = number(bytes)? as i64;
        let class = u8::try_from(number(bytes)?).ok()?;
        let content = number(bytes)?;
        let in_row: FieldSet = number(bytes)?;
        let length = usize::try_from(number(bytes)?).ok()?;
        let (rest, after) = bytes.split_at_checked(length)?;
        *bytes = after;
        let mut record = decode_partial(rest);
        for (_, field) in FIELDS.iter().enumerate().filter(|(index, _)| in_row >> index & 1 == 1) {
            record.copy_field(merged, field);
        }
        let mut fields = Vec::new();
        encode_record(&record, &mut fields);
        Some(Self::new(Rank { revision, class, content }, &record, fields))
    }
}

/// Removes the fields that have the same value in `merged`, and returns their set.
fn take_fields_in_row(fields: &mut Record<'_>, merged: &Record<'_>) -> FieldSet {
    let mut in_row = 0;
    for (index, field) in FIELDS.iter().enumerate() {
        if fields.has(field) && fields.field_equals(merged, field) {
            in_row |= 1 << index;
            fields.clear_field(field);
        }
    }
    in_row
}

/// Leaves out times that contradict each other, such as the answer of one version after the end of another.
/// Each version alone is consistent, as [`Record::validate`] has checked it.
///
/// The setup time stays; an answer or end before it is left out. If the end is before the answer, whichever of
/// the two has the lower rank is left out; `layer_of` is the layer of each integer slot, 0 being the greatest.
fn drop_contradictions(merged: &mut Record<'_>, layer_of: &[usize]) {
    let time = |merged: &Record<'_>, slot: usize| Some(merged.ints[slot]).filter(|&us| us != ABSENT);
    let setup = merged.setup_us();
    for slot in [int_slot::ANSWER_TIME, int_slot::END_TIME] {
        if time(merged, slot).is_some_and(|us| us < setup) {
            merged.ints[slot] = ABSENT;
        }
    }
    let (answer, end) = (time(merged, int_slot::ANSWER_TIME), time(merged, int_slot::END_TIME));
    if answer.zip(end).is_some_and(|(answer, end)| end < answer) {
        let is_end_lower = layer_of[int_slot::END_TIME] > layer_of[int_slot::ANSWER_TIME];
        merged.ints[if is_end_lower { int_slot::END_TIME } else { int_slot::ANSWER_TIME }] = ABSENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EVENT_END;
    use crate::record::schema::dictionary_slot;

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
