//! The columns of the ledger, in order: those that the ledger adds, then the fields of a record.

use crate::record::schema::{ColumnKind, FIELDS, Field};

/// Columns before the fields of a record, with their types in ClickHouse.
const OWN: [(&str, &str); OWN_COUNT] = [
    ("sign", "Int8"),
    ("day", "Int32"),
    ("first_day", "Int32"),
    ("last_day", "Int32"),
    ("key_hash", "UInt64"),
    ("seq", "UInt64"),
    ("writer", "UInt64"),
    ("state", "UInt8"),
    ("session_kind", "UInt8"),
    ("last_attempt", "UInt8"),
    ("received_time", "Int64"),
    ("duration_ms", "Int64"),
    ("auth_address", "FixedString(16)"),
    ("versions", "String"),
];

/// Number of columns before the fields of a record.
pub const OWN_COUNT: usize = 14;

/// Type of the columns that are dictionary-encoded.
pub const DICTIONARY_TYPE: &str = "LowCardinality(String)";

/// Number of all columns.
pub const COLUMN_COUNT: usize = OWN_COUNT + FIELDS.len();

/// Positions of columns.
pub mod position {
    pub const SIGN: usize = 0;
    pub const DAY: usize = 1;
    pub const FIRST_DAY: usize = 2;
    pub const LAST_DAY: usize = 3;
    pub const KEY_HASH: usize = 4;
    pub const STATE: usize = 7;
    pub const RECEIVED_TIME: usize = 10;
    pub const AUTH_ADDRESS: usize = 12;
    pub const VERSIONS: usize = 13;
    pub const SOURCE: usize = 14;
    pub const SESSION_ID: usize = 15;
}

/// What `state` says of a row.
pub mod state {
    pub const FINISHED: i64 = 0;
    pub const ACTIVE: i64 = 1;
    pub const MARKER: i64 = 9;
}

/// Name and type in ClickHouse of each column.
pub fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN.into_iter().chain(FIELDS.iter().map(|field| (field.name, field_type(field))))
}

/// Whether the column at a position has texts, or bytes.
pub fn is_string(position: usize) -> bool {
    match position.checked_sub(OWN_COUNT) {
        None => position == position::AUTH_ADDRESS || position == position::VERSIONS,
        Some(index) => FIELDS[index].is_string(),
    }
}

fn field_type(field: &Field) -> &'static str {
    match field.field_type.column_kind() {
        ColumnKind::Int => "Int64",
        ColumnKind::Dictionary => DICTIONARY_TYPE,
        ColumnKind::Text => "String",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_names() {
        let names: Vec<_> = columns().map(|(name, _)| name).collect();
        assert_eq!(names.len(), COLUMN_COUNT);
        let named = [
            (position::SIGN, "sign"),
            (position::DAY, "day"),
            (position::FIRST_DAY, "first_day"),
            (position::LAST_DAY, "last_day"),
            (position::KEY_HASH, "key_hash"),
            (position::STATE, "state"),
            (position::RECEIVED_TIME, "received_time"),
            (position::AUTH_ADDRESS, "auth_address"),
            (position::VERSIONS, "versions"),
            (position::SOURCE, "source"),
            (position::SESSION_ID, "session_id"),
        ];
        named.into_iter().for_each(|(position, name)| assert_eq!(names[position], name));
        for (position, (name, kind)) in columns().enumerate() {
            assert_eq!(is_string(position), kind.contains("String"), "{name}");
        }
    }
}
