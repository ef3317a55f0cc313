//! The fields of a record, in one table that build.rs generates from the proto.
//!
//! A field is either an integer (ids, times, flags, prices: all `i64`) or a text. Texts of few distinct
//! values are dictionary-encoded, the plain ones are stored as they are. So there are three kinds of columns,
//! and a field has a *slot*, its index among the fields of its kind. Slots follow the order of field numbers:
//! a new field number adds a slot at the end of its kind.

/// How the values of a field are written on the wire, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A whole number.
    Integer,
    /// A number of a closed set, from 1; 0 on the wire is absent.
    Enum,
    /// 0 or 1.
    Flag,
    /// A hash of 64 bits; a column has the same bits as `i64`.
    Hash,
    /// A timestamp; microseconds since 1970-01-01T00:00:00Z in a column.
    Time,
    /// An amount of money, decimal text on the wire; units of 10^-9 in a column.
    Price,
    /// A text of few distinct values, dictionary-encoded in a column.
    DictionaryText,
    /// A plain text, which differs from record to record.
    Text,
}

/// The kind of column that stores a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A column of `i64`.
    Int,
    /// A dictionary-encoded column.
    Dictionary,
    /// A column of plain texts.
    Text,
}

impl FieldType {
    /// Returns the kind of column that stores values of this type.
    pub const fn column_kind(self) -> ColumnKind {
        match self {
            Self::Integer | Self::Enum | Self::Flag | Self::Hash | Self::Time | Self::Price => ColumnKind::Int,
            Self::DictionaryText => ColumnKind::Dictionary,
            Self::Text => ColumnKind::Text,
        }
    }
}

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in the proto.
    pub name: &'static str,
    /// Type of its values.
    pub field_type: FieldType,
    /// Index among the fields of its [`ColumnKind`].
    pub slot: usize,
}

impl Field {
    /// Returns the field number in `pegcount.v1.SessionRecord` of the field at an index of [`FIELDS`].
    pub const fn tag(index: usize) -> u32 {
        index as u32 + 1
    }

    /// Returns whether the field is a text, dictionary-encoded or plain.
    pub const fn is_string(&self) -> bool {
        !matches!(self.field_type.column_kind(), ColumnKind::Int)
    }
}

/// Stands for an absent integer. Decoding rejects records that contain this number.
pub const ABSENT: i64 = i64::MIN;

// `DECLARED: [(&str, FieldType); n]`: name and type of each field by field number, which build.rs reads from
// the proto.
include!(concat!(env!("OUT_DIR"), "/record_fields.rs"));

/// Number of fields of the oldest files that can be read. A file that was written before a field was added lacks its
/// column, which is absent then.
pub const OLDEST_FIELD_COUNT: usize = 52;

/// Number of integer fields.
pub const INT_COUNT: usize = count(ColumnKind::Int);
/// Number of dictionary-encoded text fields.
pub const DICTIONARY_COUNT: usize = count(ColumnKind::Dictionary);
/// Number of plain text fields.
pub const TEXT_COUNT: usize = count(ColumnKind::Text);
/// Number of text fields.
pub const STRING_COUNT: usize = DICTIONARY_COUNT + TEXT_COUNT;

/// All fields by field number; the one at index i has number i + 1.
pub const FIELDS: [Field; DECLARED.len()] = fields();

/// Slots of the integer fields that the core refers to by name.
#[allow(missing_docs)]
pub mod int_slot {
    use super::slot;

    pub const REVISION: usize = slot("revision");
    pub const EVENT: usize = slot("event");
    pub const KIND: usize = slot("kind");
    pub const SETUP_TIME: usize = slot("setup_time");
    pub const ANSWER_TIME: usize = slot("answer_time");
    pub const END_TIME: usize = slot("end_time");
    pub const IS_LAST_ATTEMPT: usize = slot("is_last_attempt");
    pub const DISCONNECT_CAUSE: usize = slot("disconnect_cause");
    pub const CUSTOMER_PRICE: usize = slot("customer_price");
    pub const ALERT_TIME: usize = slot("alert_time");
    pub const VENDOR_PRICE: usize = slot("vendor_price");
    pub const REPLACES: usize = slot("replaces");
    pub const PART: usize = slot("part");
    pub const PART_CLASS: usize = slot("part_class");
    pub const SIP_STATUS: usize = slot("sip_status");
    pub const RELEASE_PARTY: usize = slot("release_party");
}

/// Slots of the dictionary-encoded fields that the core refers to by name.
#[allow(missing_docs)]
pub mod dictionary_slot {
    pub const SOURCE: usize = super::slot("source");
    pub const ACCOUNT_ID: usize = super::slot("account_id");
    pub const AUTH_ORIG_IP: usize = super::slot("auth_orig_ip");
    pub const CURRENCY: usize = super::slot("currency");
    pub const VENDOR_CURRENCY: usize = super::slot("vendor_currency");
}

/// Slots of the plain text fields that the core refers to by name.
#[allow(missing_docs)]
pub mod text_slot {
    use super::slot;

    pub const SESSION_ID: usize = slot("session_id");
    pub const ORIG_DST_PARTY_ID: usize = slot("orig_dst_party_id");
    pub const ORIG_SRC_PARTY_ID: usize = slot("orig_src_party_id");
    pub const TERM_DST_PARTY_ID: usize = slot("term_dst_party_id");
}

/// The columns that a segment has besides the fields of the record: their indices, which follow those of the
/// fields, and their names in the file.
#[allow(missing_docs)]
pub mod segment_column {
    use super::FIELDS;

    pub const RECEIVED_TIME: usize = FIELDS.len();
    pub const VERSIONS: usize = RECEIVED_TIME + 1;
    pub const SORTED_KEY_HASH: usize = RECEIVED_TIME + 2;
    pub const ROW_OF_KEY: usize = RECEIVED_TIME + 3;
    pub const KEY_FILTER: usize = RECEIVED_TIME + 4;
    pub const SETUP_MINUTE: usize = RECEIVED_TIME + 5;
    pub const DURATION_MS: usize = RECEIVED_TIME + 6;
    pub const NAME_OF_MINUTE: &str = "setup_minute";
    pub const NAME_OF_DURATION: &str = "talk_ms";
    pub const NAMES: [&str; 7] =
        ["received_time", "versions", "sorted_key_hash", "row_of_key", "key_filter", NAME_OF_MINUTE, NAME_OF_DURATION];
}

/// Number of columns of a segment: the fields of the record, then those of [`segment_column`].
pub const COLUMN_COUNT: usize = FIELDS.len() + segment_column::NAMES.len();

/// Returns the value that reports use if an integer field is absent. A session without `kind` is a CALL (1),
/// an attempt without `is_last_attempt` is the last one (1); other fields stay absent.
pub const fn default_of(int_slot: usize) -> i64 {
    match int_slot {
        int_slot::KIND | int_slot::IS_LAST_ATTEMPT => 1,
        _ => ABSENT,
    }
}

/// Returns the field of a name.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

const fn count(kind: ColumnKind) -> usize {
    let (mut total, mut i) = (0, 0);
    while i < DECLARED.len() {
        if DECLARED[i].1.column_kind() as usize == kind as usize {
            total += 1;
        }
        i += 1;
    }
    total
}

const fn fields() -> [Field; DECLARED.len()] {
    let mut fields = [Field { name: "", field_type: FieldType::Integer, slot: 0 }; DECLARED.len()];
    let mut next_slot = [0; 3];
    let mut i = 0;
    while i < DECLARED.len() {
        let (name, field_type) = DECLARED[i];
        let kind = field_type.column_kind() as usize;
        fields[i] = Field { name, field_type, slot: next_slot[kind] };
        next_slot[kind] += 1;
        i += 1;
    }
    fields
}

/// Returns the slot of a field; an unknown name fails the build.
const fn slot(name: &str) -> usize {
    let mut i = 0;
    while !str_eq(FIELDS[i].name, name) {
        i += 1;
    }
    FIELDS[i].slot
}

/// Returns whether two texts are equal; unlike `==`, callable at compile time.
pub const fn str_eq(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Returns whether a text begins with another one; unlike `starts_with`, callable at compile time.
pub const fn str_starts_with(text: &str, beginning: &str) -> bool {
    let Some((start, _)) = text.as_bytes().split_at_checked(beginning.len()) else { return false };
    match std::str::from_utf8(start) {
        Ok(start) => str_eq(start, beginning),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_fields_have_the_types_that_segments_are_written_with() {
        let letter = |field: &Field| match field.field_type {
            FieldType::Integer => 'i',
            FieldType::Enum => 'e',
            FieldType::Flag => 'f',
            FieldType::Hash => 'h',
            FieldType::Time => 't',
            FieldType::Price => 'p',
            FieldType::DictionaryText => 'd',
            FieldType::Text => 'x',
        };
        let types: Vec<String> = FIELDS.chunks(10).map(|ten| ten.iter().map(letter).collect()).collect();
        assert_eq!(types, ["dxieetttfi", "iiiddddidd", "iidddpxxxi", "iididddddx", "xxiiididdd", "ddfhetpddi", "e"]);
        assert_eq!(FIELDS.map(|field| field.name)[..3], ["source", "session_id", "revision"]);
        assert_eq!(FIELDS.last().map(|field| field.name), Some("release_party"));
        assert_eq!(FIELDS[OLDEST_FIELD_COUNT - 1].name, "term_rates_country");
    }

    #[test]
    fn every_field_has_a_slot_and_is_found_by_name() {
        assert_eq!(INT_COUNT + DICTIONARY_COUNT + TEXT_COUNT, FIELDS.len());
        assert_eq!(field("setup_time").map(|f| f.slot), Some(int_slot::SETUP_TIME));
        assert!(field("nonsense").is_none());
    }
}
