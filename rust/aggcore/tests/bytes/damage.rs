//! Inputs: arbitrary bytes, and valid bytes that were damaged in several places.

use proptest::prelude::*;
use proptest::sample::Index;

/// Longest part that an edit moves or removes.
const PART_BYTES_MAX: usize = 64;
/// Values that lengths and counts are replaced by.
const GREAT_NUMBERS: [u64; 8] = [0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

/// Damage in one place.
#[derive(Clone, Debug)]
enum Edit {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    Truncate {
        end: Index,
    },
    Remove {
        from: Index,
        count: usize,
    },
    /// Copies a part over another place.
    Splice {
        from: Index,
        count: usize,
        to: Index,
    },
    /// Copies a part in between.
    Duplicate {
        from: Index,
        count: usize,
        to: Index,
    },
    /// Replaces a little-endian number, which may be a length, by a greater one.
    Grow {
        at: Index,
        width: usize,
        by: Growth,
    },
    /// Replaces a byte, which may be a length, by a varint.
    GrowVarint {
        at: Index,
        number: u64,
    },
}

#[derive(Clone, Debug)]
enum Growth {
    Add(u64),
    Double,
    To(u64),
}

/// Up to 600 arbitrary bytes.
pub fn arbitrary() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// Valid bytes after up to four edits.
pub fn damaged(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (valid, edits()).prop_map(|(valid, edits)| edits.apply_to(valid))
}

/// Up to four edits.
pub fn edits() -> impl Strategy<Value = Edits> {
    prop::collection::vec(edit(), 0..5).prop_map(Edits)
}

/// Edits, one after the other.
#[derive(Clone, Debug)]
pub struct Edits(Vec<Edit>);

impl Edits {
    pub fn apply_to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for edit in self.0.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
            if !bytes.is_empty() {
                edit.apply_to(&mut bytes);
            }
        }
        bytes
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let (at, count) = (any::<Index>, 1..PART_BYTES_MAX);
    let number = || prop::sample::select(&GREAT_NUMBERS[..]);
    let growth = prop_oneof![(1u64..40).prop_map(Growth::Add), Just(Growth::Double), number().prop_map(Growth::To)];
    prop_oneof![
        3 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        1 => at().prop_map(|end| Edit::Truncate { end }),
        1 => (at(), count.clone()).prop_map(|(from, count)| Edit::Remove { from, count }),
        1 => (at(), count.clone(), at()).prop_map(|(from, count, to)| Edit::Splice { from, count, to }),
        1 => (at(), count, at()).prop_map(|(from, count, to)| Edit::Duplicate { from, count, to }),
        3 => (at(), prop::sample::select(&[1usize, 2, 4, 8][..]), growth).prop_map(|(at, width, by)| Edit::Grow { at, width, by }),
        1 => (at(), number()).prop_map(|(at, number)| Edit::GrowVarint { at, number }),
    ]
}

impl Edit {
    /// Damages bytes, at least one.
    fn apply_to(self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let part = |from: &Index, count: usize| from.index(length)..length.min(from.index(length) + count);
        match self {
            Self::Flip { at, bit } => bytes[at.index(length)] ^= 1 << bit,
            Self::Set { at, byte } => bytes[at.index(length)] = byte,
            Self::Truncate { end } => bytes.truncate(end.index(length)),
            Self::Remove { from, count } => drop(bytes.drain(part(&from, count))),
            Self::Splice { from, count, to } => {
                let copy = bytes[part(&from, count)].to_vec();
                let end = length.min(to.index(length) + copy.len());
                bytes.splice(to.index(length)..end, copy);
            }
            Self::Duplicate { from, count, to } => {
                let (copy, to) = (bytes[part(&from, count)].to_vec(), to.index(length));
                bytes.splice(to..to, copy);
            }
            Self::Grow { at, width, by } => grow(bytes, at.index(length) / width * width, width, by),
            Self::GrowVarint { at, number } => {
                let (mut varint, at) = (Vec::new(), at.index(length));
                prost::encoding::encode_varint(number, &mut varint);
                bytes.splice(at..=at, varint);
            }
        }
    }
}

/// Numbers of binary formats stand at multiples of their width.
fn grow(bytes: &mut [u8], at: usize, width: usize, by: Growth) {
    let Some(place) = bytes.get_mut(at..at + width) else { return };
    let mut word = [0; 8];
    word[..width].copy_from_slice(place);
    let number = u64::from_le_bytes(word);
    let grown = match by {
        Growth::Add(difference) => number.wrapping_add(difference),
        Growth::Double => number.wrapping_mul(2),
        Growth::To(greater) => greater,
    };
    place.copy_from_slice(&grown.to_le_bytes()[..width]);
}
