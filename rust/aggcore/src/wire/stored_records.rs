//! Stored records with all their versions, as an archive has them: what moves a record from one store to another.
//!
//! A piece of an archive is a message:
//!
//! ```text
//! message StoredRecords { repeated StoredRecord records = 1; }
//! message StoredRecord {
//!   SessionRecord record = 1;    // the merged record, in its canonical form
//!   bytes versions = 2;          // the state relative to it (`versions.rs`); absent if the record determines it
//!   int64 received_time_us = 3;  // when something new about the session came last, microseconds UTC
//! }
//! ```

use std::path::Path;

use prost::encoding::{WireType, encode_key, encode_varint};

use super::columnar_batch::ColumnarBatch;
use super::reader::{Reader, Value};
use super::record::{decode_whole, encode_record};
use super::versions::Versions;
use crate::error::{Error, Result};
use crate::record::scrubbing::Scrubbing;
use crate::record::{Record, Rejection};

/// Numbers of the fields of the two messages.
const RECORDS: u32 = 1;
const RECORD: u32 = 1;
const VERSIONS: u32 = 2;
const RECEIVED_TIME: u32 = 3;

/// Records of an archive, all with a state that stands beside their columns.
pub struct StoredRecords {
    /// The merged records.
    pub records: ColumnarBatch,
    /// What they were merged from, by row.
    pub states: Vec<StoredState>,
    /// Those that are left out, by their position in the piece.
    pub rejected: Vec<(usize, Rejection)>,
}

/// What a store knows of a record besides its fields.
pub struct StoredState {
    /// Its versions.
    pub versions: Versions,
    /// The same, relative to the merged record; `None` if that alone determines them.
    pub encoded: Option<Vec<u8>>,
    /// When something new about the session came last, microseconds UTC.
    pub received_us: i64,
}

/// Appends a record to a piece; `encoded` is the result of [`Versions::to_bytes`] for it.
pub fn encode_stored(record: &Record<'_>, encoded: Option<&[u8]>, received_us: i64, piece: &mut Vec<u8>) {
    let (mut fields, mut message) = (Vec::with_capacity(512), Vec::with_capacity(512));
    encode_record(record, &mut fields);
    put_bytes(RECORD, &fields, &mut message);
    encoded.into_iter().for_each(|bytes| put_bytes(VERSIONS, bytes, &mut message));
    encode_key(RECEIVED_TIME, WireType::Varint, &mut message);
    encode_varint(received_us as u64, &mut message);
    put_bytes(RECORDS, &message, piece);
}

impl StoredRecords {
    /// Decodes a piece, and scrubs its records. Leaves out those that `reject` rejects, scrubbed as they are.
    ///
    /// # Errors
    /// `Damaged` if the bytes are not what [`encode_stored`] appends.
    pub fn decode(
        piece: &[u8], scrubbing: &Scrubbing, dictionary_rows_min: usize, reject: impl Fn(&Record<'_>) -> Option<Rejection>,
    ) -> Result<Self> {
        let (mut states, mut rejected, mut position) = (Vec::new(), Vec::new(), 0);
        let mut reader = Reader::new(piece);
        while let Some((tag, value)) = reader.field().map_err(damaged)? {
            let (RECORDS, Value::Bytes(message)) = (tag, value) else { return Err(damaged("it has another field")) };
            let (mut versions, received_us) = decode_stored(message)?;
            versions.scrub(scrubbing);
            match versions.with_merged(&reject) {
                Some(rejection) => rejected.push((position, rejection)),
                None => states.push(StoredState { versions, encoded: None, received_us }),
            }
            position += 1;
        }
        let records = ColumnarBatch::from_states(&mut states, dictionary_rows_min)?;
        Ok(Self { records, states, rejected })
    }
}

fn decode_stored(message: &[u8]) -> Result<(Versions, i64)> {
    let (mut fields, mut encoded, mut received_us) = (None, None, None);
    let mut reader = Reader::new(message);
    while let Some((tag, value)) = reader.field().map_err(damaged)? {
        match (tag, value) {
            (RECORD, Value::Bytes(bytes)) => fields = Some(bytes),
            (VERSIONS, Value::Bytes(bytes)) => encoded = Some(bytes),
            (RECEIVED_TIME, Value::Varint(bits)) => received_us = Some(bits as i64),
            _ => return Err(damaged("a record has another field")),
        }
    }
    let (Some(fields), Some(received_us)) = (fields, received_us) else { return Err(damaged("a record is incomplete")) };
    let row = decode_whole(fields).ok_or_else(|| damaged("a record has fields that are not known, or values that none has"))?;
    let versions = Versions::of_row(&row, encoded).ok_or_else(|| damaged("the versions of a record are malformed"))?;
    Ok((versions, received_us))
}

fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn damaged(problem: impl ToString) -> Error {
    Error::damaged(Path::new("the archive"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{ABSENT, DICTIONARY_COUNT, int_slot, text_slot};

    fn version(setup_us: i64, revision: i64) -> Record<'static> {
        let mut record = Record::default();
        (record.ints[int_slot::SETUP_TIME], record.ints[int_slot::REVISION]) = (setup_us, revision);
        record.ints[int_slot::END_TIME] = if revision == 0 { setup_us + 1 } else { ABSENT };
        record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = "id";
        record
    }

    fn piece_of(states: &[Versions]) -> Vec<u8> {
        let mut piece = Vec::new();
        for (state, received_us) in states.iter().zip([-1, 7]) {
            state.with_merged(|record| encode_stored(record, state.to_bytes(record).as_deref(), received_us, &mut piece));
        }
        piece
    }

    #[test]
    fn records_keep_all_their_versions() -> Result<()> {
        let states =
            [Versions::of(&version(5, 0)), Versions::of(&version(5, 0)).join(&Versions::of(&version(90_000_000_000, 3)))];
        let found = StoredRecords::decode(&piece_of(&states), &Scrubbing::default(), 1, |_| None)?;
        assert_eq!(found.states.iter().map(|state| state.versions.clone()).collect::<Vec<_>>(), states);
        assert_eq!(found.states.iter().map(|state| state.received_us).collect::<Vec<_>>(), [-1, 7]);
        assert!(found.states[0].encoded.is_none() && found.states[1].encoded.is_some() && found.records.rows() == 2);
        let reject = |record: &Record<'_>| record.is_finished().then(Rejection::before_retention);
        let found = StoredRecords::decode(&piece_of(&states), &Scrubbing::default(), 1, reject)?;
        assert_eq!(found.rejected.len() + found.states.len(), 2);
        Ok(())
    }

    #[test]
    fn a_piece_with_anything_else_is_refused() {
        let whole = piece_of(&[Versions::of(&version(5, 0))]);
        let mut other = whole.clone();
        put_bytes(2, b"", &mut other);
        let mut unknown_field = Vec::new();
        put_bytes(60, b"x", &mut unknown_field);
        let (mut message, mut strange) = (Vec::new(), Vec::new());
        put_bytes(RECORD, &unknown_field, &mut message);
        put_bytes(RECORDS, &message, &mut strange);
        for piece in [&whole[..whole.len() - 1], &other, &strange] {
            assert!(StoredRecords::decode(piece, &Scrubbing::default(), 1, |_| None).is_err());
        }
    }
}
