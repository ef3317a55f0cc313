//! The layers of which the state of a record consists; see `versions.rs`.

use std::cmp::Reverse;

use prost::encoding::{decode_varint, encode_varint};
use xxhash_rust::xxh3::xxh3_64;

use super::parts::part_order;
use super::record::{decode_partial, encode_lasting_first, encode_record};
use crate::record::schema::{ABSENT, FIELDS, INT_COUNT, int_slot};
use crate::record::scrubbing::Scrubbing;
use crate::record::{EVENT_START, EVENT_UPDATE, Record};

/// Rank of a version; compares by revision, class, origin and content, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    revision: i64,
    class: u8,
    origin: Origin,
    content: u64,
}

/// What the content of a rank is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// The hash of what scrubbing never changes.
    Lasting,
    /// As catalogue formats up to 7 stored it: the hash of all fields, which scrubbing replaces by a number that has the
    /// same order. Such versions rank above others of their revision and class, so that these, which may be the same ones
    /// written again, have no effect.
    Former,
}

/// Added to the class of a version whose content is [`Origin::Lasting`], where it is stored.
const LASTING_CLASS: u8 = 4;

/// The fields that one version still supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    rank: Rank,
    /// Number of the part.
    pub part: i64,
    /// Whether the lower-ranked versions of the part supply nothing.
    replaces: bool,
    /// Canonical form of the fields.
    fields: Vec<u8>,
}

/// A set of fields as a bitmap: bit i is the field at index i of [`FIELDS`].
type FieldSet = u64;

/// Fields that each layer keeps, as they say what its version is.
const OF_EACH_VERSION: [usize; 2] = [int_slot::PART, int_slot::REPLACES];

const _: () = assert!(FIELDS.len() <= FieldSet::BITS as usize, "stored states have a bit per field");

impl Rank {
    fn of(version: &Record<'_>, lasting: &[u8]) -> Self {
        let revision = match version.ints[int_slot::REVISION] {
            ABSENT => 0,
            revision => revision,
        };
        let class = match version.ints[int_slot::EVENT] {
            EVENT_START => 0,
            EVENT_UPDATE => 1,
            _ => 2,
        };
        Self { revision, class, origin: Origin::Lasting, content: xxh3_64(lasting) }
    }

    /// The class as it is stored.
    fn stored_class(self) -> u8 {
        match self.origin {
            Origin::Lasting => self.class + LASTING_CLASS,
            Origin::Former => self.class,
        }
    }

    /// The rank of a stored class; `None` for an unknown one.
    fn of_stored(revision: i64, stored_class: u8, content: u64) -> Option<Self> {
        let (class, origin) = match stored_class.checked_sub(LASTING_CLASS) {
            Some(class) => (class, Origin::Lasting),
            None => (stored_class, Origin::Former),
        };
        (class < LASTING_CLASS - 1).then_some(Self { revision, class, origin, content })
    }
}

impl Layer {
    pub fn of(version: &Record<'_>) -> Self {
        let mut fields = Vec::with_capacity(512);
        let lasting = encode_lasting_first(version, &mut fields);
        fields.shrink_to_fit();
        Self::new(Rank::of(version, &fields[..lasting]), version, fields)
    }

    fn new(rank: Rank, record: &Record<'_>, fields: Vec<u8>) -> Self {
        Self { rank, part: record.ints[int_slot::PART], replaces: record.ints[int_slot::REPLACES] == 1, fields }
    }

    /// Revision of the version, an absent one being 0.
    pub fn revision(&self) -> i64 {
        self.rank.revision
    }

    /// The order of layers in a state.
    pub fn order(&self) -> ((bool, u64), Reverse<Rank>) {
        (part_order(self.part), Reverse(self.rank))
    }

    /// The fields that the layer supplies, as a record.
    pub fn supplied(&self) -> Record<'_> {
        decode_partial(&self.fields)
    }

    /// Erases and masks numbers; returns whether that changes anything.
    pub fn scrub(&mut self, scrubbing: &Scrubbing, is_masked: bool) -> bool {
        let Some(texts) = scrubbing.scrubbed(&self.supplied(), is_masked) else { return false };
        let mut fields = Vec::with_capacity(self.fields.len());
        encode_lasting_first(&texts.in_place(&self.supplied()), &mut fields);
        self.fields = fields;
        true
    }

    /// Whether the rank is one that the fields do not determine.
    pub fn is_former(&self) -> bool {
        self.rank.origin == Origin::Former
    }

    /// Adds the fields of a layer of equal rank, which differs in numbers of parties only. Of each field, the greater text
    /// stays: a number rather than none, and rather than its masked form.
    fn unite(&mut self, other: &Self) {
        let (mut united, more) = (decode_partial(&self.fields), decode_partial(&other.fields));
        united.ints.iter_mut().zip(more.ints).for_each(|(value, other)| *value = (*value).max(other));
        united.strings.iter_mut().zip(more.strings).for_each(|(text, other)| *text = (*text).max(other));
        let mut fields = Vec::with_capacity(self.fields.len());
        encode_lasting_first(&united, &mut fields);
        self.fields = fields;
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
        encode_lasting_first(&fields, &mut remaining);
        self.fields = remaining;
        any
    }

    /// Appends the layer; values that equal those of the merged record are written as a bit.
    pub fn encode(&self, merged: &Record<'_>, out: &mut Vec<u8>) {
        let mut fields = decode_partial(&self.fields);
        let in_row = take_fields_in_row(&mut fields, merged);
        let mut rest = Vec::new();
        encode_record(&fields, &mut rest);
        let Rank { revision, content, .. } = self.rank;
        for value in [revision as u64, u64::from(self.rank.stored_class()), content, in_row, rest.len() as u64] {
            encode_varint(value, out);
        }
        out.extend_from_slice(&rest);
    }

    /// Takes a layer off the front of the bytes; `None` if they are malformed.
    pub fn decode(bytes: &mut &[u8], merged: &Record<'_>) -> Option<Self> {
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
        encode_lasting_first(&record, &mut fields);
        let layer = Self::new(Rank::of_stored(revision, class, content)?, &record, fields);
        // A join keeps no other layer: it would take fields from lower ones, and then go.
        (layer.replaces || supplies_a_field(&record)).then_some(layer)
    }
}

/// Whether a version has a field besides [`OF_EACH_VERSION`].
fn supplies_a_field(version: &Record<'_>) -> bool {
    let supplies = |(slot, value): (usize, &i64)| *value != ABSENT && !OF_EACH_VERSION.contains(&slot);
    version.ints.iter().enumerate().any(supplies) || version.strings.iter().any(|text| !text.is_empty())
}

/// Orders the layers of the union of two states, and removes what greater versions of a part supply.
pub fn join_layers(layers: &mut Vec<Layer>) {
    layers.sort_by_key(Layer::order);
    unite_equal_ranks(layers);
    layers.chunk_by_mut(|one, next| one.part == next.part).for_each(drop_supplied_fields);
    layers.retain(|layer| !layer.fields.is_empty());
}

/// Replaces the hashes of layers of [`Origin::Former`] by their positions, the least being 0: who tries numbers would find
/// out by a hash of all fields which one was there. The layers are in order.
pub fn forget_former_hashes(layers: &mut [Layer]) {
    let kind = |layer: &Layer| (layer.part, layer.rank.revision, layer.rank.class, layer.rank.origin);
    for alike in layers.chunk_by_mut(|one, next| kind(one) == kind(next)).filter(|alike| alike[0].is_former()) {
        alike.iter_mut().rev().zip(0..).for_each(|(layer, position)| layer.rank.content = position);
    }
}

/// Makes layers of equal part and rank one.
fn unite_equal_ranks(layers: &mut Vec<Layer>) {
    layers.dedup_by(|next, kept| {
        let is_equal = next.order() == kept.order();
        if is_equal && next.fields != kept.fields {
            kept.unite(next);
        }
        is_equal
    });
}

/// Removes the fields of the layers of one part that greater versions supply; a layer without fields is not needed.
fn drop_supplied_fields(layers: &mut [Layer]) {
    if layers.len() == 1 {
        return;
    }
    let mut supplied = Record::default();
    let mut is_replaced = false;
    for layer in layers {
        if is_replaced || !layer.retain_unsupplied(&mut supplied) && !layer.replaces {
            layer.fields.clear();
        }
        is_replaced |= layer.replaces;
    }
}

/// Merges the layers of one part.
pub fn merged_part(layers: &[Layer]) -> Record<'_> {
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
/// the two has the lower rank is left out; `layer_of` is the layer of each integer slot, 0 being the greatest. An alert
/// before the setup or after the answer that remains is left out.
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
    merged.drop_alert_out_of_order();
}

/// Takes a varint off the front of the bytes.
pub fn number(bytes: &mut &[u8]) -> Option<u64> {
    decode_varint(bytes).ok()
}
