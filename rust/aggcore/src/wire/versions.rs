//! Versions of one record (the rule that makes replays, late and reordered events harmless).
//!
//! Versions rank by (revision, END or whole > UPDATE > START, content hash). The record that reports see
//! takes each field from the greatest version that has it. What is kept is one *layer* per version that
//! still supplies a field: a field given by a greater version can never count again. So the state depends
//! on the set of versions received and on nothing else.

use std::ops::RangeInclusive;

use prost::encoding::{decode_varint, encode_varint};
use xxhash_rust::xxh3::xxh3_64;

use crate::record::schema::{ABSENT, FIELDS, int_slot};
use crate::record::{EVENT_START, EVENT_UPDATE, Record};
use crate::wire::{decode_partial, encode_record};

/// Rank of a version; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    revision: i64,
    class: u8,
    content: u64,
}

/// What one version still supplies: its rank, and the fields that no greater version has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    rank: Rank,
    fields: Vec<u8>,
}

/// All versions of one record, by descending rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    layers: Vec<Layer>,
    /// UTC days of the setup times of all versions received, first and last: a version of the same key on
    /// one of these days or a neighbouring one belongs here.
    days: (i64, i64),
}

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
    /// The state after one version.
    pub fn of(version: &Record<'_>) -> Self {
        let mut fields = Vec::with_capacity(512);
        encode_record(version, &mut fields);
        let rank = Rank::of(version, &fields);
        Self { layers: vec![Layer { rank, fields }], days: (version.day(), version.day()) }
    }

    /// The state of a row: `kept` is what [`Versions::to_bytes`] gave for it, `None` for a single version.
    pub fn of_row(row: &Record<'_>, kept: Option<&[u8]>) -> Option<Self> {
        match kept {
            None => Some(Self::of(row)),
            Some(bytes) => Self::from_bytes(bytes, row),
        }
    }

    /// UTC days on which another version of the key belongs to this record.
    pub fn joinable_days(&self) -> RangeInclusive<i64> {
        self.days.0 - 1..=self.days.1 + 1
    }

    /// The state after all versions of both.
    pub fn join(&self, other: &Self) -> Self {
        let mut layers: Vec<Layer> = self.layers.iter().chain(&other.layers).cloned().collect();
        layers.sort_by_key(|layer| std::cmp::Reverse(layer.rank));
        let mut taken = Record::default();
        layers.retain_mut(|layer| layer.keep_what_is_new(&mut taken));
        Self { layers, days: (self.days.0.min(other.days.0), self.days.1.max(other.days.1)) }
    }

    /// The record that reports see, handed to `see`, as it borrows from the layers.
    pub fn with_merged<T>(&self, see: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut merged = Record::default();
        let mut depth_of = [usize::MAX; crate::record::schema::INT_COUNT];
        for (depth, layer) in self.layers.iter().enumerate() {
            let fields = decode_partial(&layer.fields);
            for (slot, &value) in fields.ints.iter().enumerate().filter(|(_, value)| **value != ABSENT) {
                merged.ints[slot] = value;
                depth_of[slot] = depth;
            }
            for (slot, text) in fields.strings.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
                merged.strings[slot] = text;
            }
        }
        drop_contradictions(&mut merged, &depth_of);
        see(&merged)
    }

    /// The state as bytes beside its row `merged`, `None` where the row alone says it all.
    ///
    /// Each field of the row comes from one layer, so a layer is written as the set of its fields; only what
    /// contradicted a greater version, and so is not in the row, is written out.
    pub fn to_bytes(&self, merged: &Record<'_>) -> Option<Vec<u8>> {
        let single = self.layers.len() == 1 && self.days.0 == self.days.1;
        (!single).then(|| {
            let mut out = Vec::new();
            encode_varint(self.days.0 as u64, &mut out);
            encode_varint(self.days.1 as u64, &mut out);
            for layer in &self.layers {
                let (shown, left_out) = split(&decode_partial(&layer.fields), merged);
                for part in [layer.rank.revision as u64, u64::from(layer.rank.class), layer.rank.content, shown] {
                    encode_varint(part, &mut out);
                }
                encode_varint(left_out.len() as u64, &mut out);
                out.extend_from_slice(&left_out);
            }
            out
        })
    }

    fn from_bytes(mut bytes: &[u8], merged: &Record<'_>) -> Option<Self> {
        let number = |bytes: &mut &[u8]| decode_varint(bytes).ok();
        let days = (number(&mut bytes)? as i64, number(&mut bytes)? as i64);
        let mut layers = Vec::new();
        while !bytes.is_empty() {
            let revision = number(&mut bytes)? as i64;
            let class = u8::try_from(number(&mut bytes)?).ok()?;
            let content = number(&mut bytes)?;
            let shown = number(&mut bytes)?;
            let length = usize::try_from(number(&mut bytes)?).ok()?;
            let (left_out, rest) = bytes.split_at_checked(length)?;
            layers.push(Layer { rank: Rank { revision, class, content }, fields: joined(shown, merged, left_out) });
            bytes = rest;
        }
        Some(Self { layers, days })
    }
}

/// The fields of a layer that its row shows, as a set of field numbers; and the others, encoded.
fn split(layer: &Record<'_>, merged: &Record<'_>) -> (u64, Vec<u8>) {
    let (mut shown, mut left_out) = (0, layer.clone());
    for (number, field) in FIELDS.iter().enumerate() {
        if layer.has(field) && layer.field_equals(merged, field) {
            shown |= 1 << number;
            left_out.clear_field(field);
        }
    }
    let mut bytes = Vec::new();
    encode_record(&left_out, &mut bytes);
    (shown, bytes)
}

/// What [`split`] split.
fn joined(shown: u64, merged: &Record<'_>, left_out: &[u8]) -> Vec<u8> {
    let mut layer = decode_partial(left_out);
    for (_, field) in FIELDS.iter().enumerate().filter(|(number, _)| shown >> number & 1 == 1) {
        layer.copy_field(merged, field);
    }
    let mut fields = Vec::new();
    encode_record(&layer, &mut fields);
    fields
}

/// Whether what [`Versions::to_bytes`] gave is of versions on more UTC days than one.
pub fn spans_several_days(mut kept: &[u8]) -> bool {
    decode_varint(&mut kept).ok() != decode_varint(&mut kept).ok()
}

impl Layer {
    /// Drops the fields that `taken` has and adds the others to it; false where nothing is left.
    fn keep_what_is_new(&mut self, taken: &mut Record<'static>) -> bool {
        let mut left = decode_partial(&self.fields);
        let mut any = false;
        for (value, taken) in left.ints.iter_mut().zip(&mut taken.ints) {
            if *taken != ABSENT {
                *value = ABSENT;
            } else if *value != ABSENT {
                (*taken, any) = (1, true);
            }
        }
        for (text, taken) in left.strings.iter_mut().zip(&mut taken.strings) {
            if !taken.is_empty() {
                *text = "";
            } else if !text.is_empty() {
                (*taken, any) = ("taken", true);
            }
        }
        // These two rank a version and describe none but it.
        taken.ints[int_slot::REVISION] = 0;
        taken.ints[int_slot::EVENT] = 0;
        let mut fields = Vec::with_capacity(self.fields.len());
        encode_record(&left, &mut fields);
        self.fields = fields;
        any
    }
}

/// Versions may contradict each other where each alone was sound, such as an answer of one after the end of
/// another. The setup time stays; of the others, the one from the lower-ranked version is left out.
fn drop_contradictions(merged: &mut Record<'_>, depth_of: &[usize]) {
    let time = |merged: &Record<'_>, slot: usize| Some(merged.ints[slot]).filter(|&us| us != ABSENT);
    let setup = merged.setup_us();
    for slot in [int_slot::ANSWER_TIME, int_slot::END_TIME] {
        if time(merged, slot).is_some_and(|us| us < setup) {
            merged.ints[slot] = ABSENT;
        }
    }
    let (answer, end) = (time(merged, int_slot::ANSWER_TIME), time(merged, int_slot::END_TIME));
    if answer.zip(end).is_some_and(|(answer, end)| end < answer) {
        let lower = if depth_of[int_slot::END_TIME] > depth_of[int_slot::ANSWER_TIME] {
            int_slot::END_TIME
        } else {
            int_slot::ANSWER_TIME
        };
        merged.ints[lower] = ABSENT;
    }
}
