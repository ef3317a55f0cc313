//! The types of columns that blocks may have.

/// Names of all types, for messages.
const KNOWN: &str = "Int8 to Int128, UInt8 to UInt64, Array(Int64), String, LowCardinality(String) and FixedString(n)";

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// An integer of 128 bits.
    Int128,
    /// An integer of 8 bits without sign.
    UInt8,
    /// An integer of 16 bits without sign.
    UInt16,
    /// An integer of 32 bits without sign.
    UInt32,
    /// An integer of 64 bits without sign.
    UInt64,
    /// A list of integers of 64 bits.
    Int64List,
    /// Bytes of any length.
    String,
    /// Bytes of any length, each value sent once per block, and numbers of values by row.
    LowCardinalityString,
    /// This many bytes, at least one.
    FixedString(usize),
}

impl ColumnType {
    /// Returns the type of a name.
    ///
    /// # Errors
    /// A message if it is not one of the types above.
    pub fn of_name(name: &str) -> Result<Self, String> {
        Ok(match name {
            "Int8" => Self::Int8,
            "Int16" => Self::Int16,
            "Int32" => Self::Int32,
            "Int64" => Self::Int64,
            "Int128" => Self::Int128,
            "Array(Int64)" => Self::Int64List,
            "UInt8" => Self::UInt8,
            "UInt16" => Self::UInt16,
            "UInt32" => Self::UInt32,
            "UInt64" => Self::UInt64,
            "String" => Self::String,
            "LowCardinality(String)" => Self::LowCardinalityString,
            _ => Self::FixedString(fixed_length(name)?),
        })
    }
}

/// Returns n of `FixedString(n)`.
fn fixed_length(name: &str) -> Result<usize, String> {
    let digits = name.strip_prefix("FixedString(").and_then(|rest| rest.strip_suffix(')'));
    let length = digits.and_then(|digits| digits.parse().ok()).filter(|&length: &usize| length > 0);
    length.ok_or_else(|| format!("the type {name:?} is not one of {KNOWN}"))
}
