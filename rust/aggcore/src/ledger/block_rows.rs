//! The rows of one insert, in columns.
//!
//! Of rows with an equal sort key, CollapsingMergeTree keeps, where it merges parts and where it takes an insert: the last
//! +1 if these are more, the first -1 if those are more, and of equally many both of them, but nothing if the last row is a
//! -1. So a removed row stands before the row that takes its place.

use std::net::IpAddr;

use super::columns::{COLUMN_COUNT, DICTIONARY_TYPE, OWN_COUNT, columns, is_string, position, state};
use super::live_rows::LiveRow;
use crate::error::Result;
use crate::native::BlockWriter;
use crate::record::schema::{ABSENT, FIELDS, default_of, dictionary_slot, int_slot};
use crate::record::{Record, US_PER_DAY, duration_ms};

/// The rows of one insert.
pub struct BlockRows {
    columns: Vec<Column>,
    row_count: usize,
}

/// What a row says of a record besides its fields.
pub struct RowOrigin<'a> {
    /// Home day.
    pub day: i64,
    /// First and last setup day of the versions.
    pub days: (i64, i64),
    /// Hash of the key.
    pub key_hash: u64,
    /// Number of the commit.
    pub seq: u64,
    /// When its last change was received, microseconds UTC.
    pub received_us: i64,
    /// Encoded state, "" if the record determines it.
    pub versions: &'a [u8],
}

/// Columns of integers before the fields of a record.
const OWN_INTEGER_COUNT: usize = 12;

enum Column {
    Integers(Vec<i64>),
    Strings { bytes: Vec<u8>, ends: Vec<usize> },
}

impl BlockRows {
    /// A block without rows.
    pub fn new() -> Self {
        let column = |position| match is_string(position) {
            true => Column::Strings { bytes: Vec::new(), ends: Vec::new() },
            false => Column::Integers(Vec::new()),
        };
        Self { columns: (0..COLUMN_COUNT).map(column).collect(), row_count: 0 }
    }

    /// Number of rows so far.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Removes a live row: repeats all its values, so that it cancels the row in every sum.
    pub fn remove(&mut self, row: LiveRow<'_>) {
        for (position, column) in self.columns.iter_mut().enumerate() {
            match column {
                Column::Integers(values) if position == position::SIGN => values.push(-1),
                Column::Integers(values) => values.push(row.integer(position).unwrap_or(ABSENT)),
                Column::Strings { .. } => column.push_bytes(row.bytes(position).unwrap_or_default()),
            }
        }
        self.row_count += 1;
    }

    /// Adds the row of a record.
    pub fn add(&mut self, record: &Record<'_>, origin: &RowOrigin<'_>) {
        let or_default = |slot: usize| match record.ints[slot] {
            ABSENT => default_of(slot),
            value => value,
        };
        let state = if record.is_finished() { state::FINISHED } else { state::ACTIVE };
        let duration = duration_ms(record.ints[int_slot::ANSWER_TIME], record.ints[int_slot::END_TIME]);
        let (kind, last_attempt) = (or_default(int_slot::KIND), or_default(int_slot::IS_LAST_ATTEMPT));
        let (first_day, last_day) = origin.days;
        let (key_hash, seq) = (origin.key_hash as i64, origin.seq as i64);
        let own = [1, origin.day, first_day, last_day, key_hash, seq, 0, state, kind, last_attempt, origin.received_us, duration];
        let auth_address = address_bytes(record.strings[dictionary_slot::AUTH_ORIG_IP]);
        self.push(record, own, &auth_address, origin.versions);
    }

    /// Ends the block with the marker of its commit, and returns its bytes.
    ///
    /// # Errors
    /// `MalformedBlock` if a value is beyond its type, such as a day of more than 32 bits.
    pub fn finish(mut self, day: i64, seq: u64, nonce: u64) -> Result<Vec<u8>> {
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = day * US_PER_DAY;
        let (seq, nonce) = (seq as i64, nonce as i64);
        let own = [1, day, day, day, seq, seq, nonce, state::MARKER, 1, 1, 0, 0];
        self.push(&record, own, &[0; 16], &[]);
        let byte_count = self.columns.iter().map(Column::byte_count_max).sum();
        let mut writer = BlockWriter::with_capacity(self.row_count, byte_count);
        for ((name, type_name), column) in columns().zip(&self.columns) {
            match column {
                Column::Integers(values) => writer.integers(name, type_name, values.iter().copied()),
                Column::Strings { bytes, ends } => {
                    let starts = std::iter::once(&0).chain(ends);
                    let values = starts.zip(ends).map(|(&start, &end)| &bytes[start..end]);
                    // Plain texts also for a dictionary-encoded column: the server encodes them.
                    writer.strings(name, if type_name == DICTIONARY_TYPE { "String" } else { type_name }, values)
                }
            };
        }
        writer.finish()
    }

    fn push(&mut self, record: &Record<'_>, own: [i64; OWN_INTEGER_COUNT], auth_address: &[u8], versions: &[u8]) {
        let (own_columns, fields) = self.columns.split_at_mut(OWN_COUNT);
        own_columns.iter_mut().zip(own).for_each(|(column, value)| column.push_integer(value));
        own_columns[position::AUTH_ADDRESS].push_bytes(auth_address);
        own_columns[position::VERSIONS].push_bytes(versions);
        for (column, field) in fields.iter_mut().zip(&FIELDS) {
            if field.is_string() {
                column.push_bytes(record.strings[Record::string_slot(field)].as_bytes());
            } else {
                column.push_integer(record.ints[field.slot]);
            }
        }
        self.row_count += 1;
    }
}

impl Column {
    /// Bytes that a block needs for it, its name and its type, or a few more.
    fn byte_count_max(&self) -> usize {
        const NAMES: usize = 64;
        match self {
            Self::Integers(values) => NAMES + size_of_val(values.as_slice()),
            // Of most texts, one byte has the length.
            Self::Strings { bytes, ends } => NAMES + bytes.len() + ends.len() + bytes.len() / 128,
        }
    }

    fn push_integer(&mut self, value: i64) {
        if let Self::Integers(values) = self {
            values.push(value);
        }
    }

    fn push_bytes(&mut self, text: &[u8]) {
        if let Self::Strings { bytes, ends } = self {
            bytes.extend_from_slice(text);
            ends.push(bytes.len());
        }
    }
}

/// The 16 bytes of an address, IPv4 as an IPv4-mapped one; zeros if the text is another one.
fn address_bytes(text: &str) -> [u8; 16] {
    match text.parse() {
        Ok(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
        Ok(IpAddr::V6(address)) => address.octets(),
        Err(_) => [0; 16],
    }
}
