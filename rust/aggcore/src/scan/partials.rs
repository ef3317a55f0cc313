//! Partial aggregates: the integer sums by cell that a scan returns. Ratios and totals are formed from them
//! later.

use super::sums::Sums;

/// The values of one key column, by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValues {
    /// Integers, absent ones as [`ABSENT`](crate::record::schema::ABSENT).
    Ints(Vec<i64>),
    /// Texts as codes into distinct entries. Entry 0 is "", the absent text.
    Texts {
        /// Codes by cell: indices into the entries.
        codes: Vec<u32>,
        /// Texts by code.
        entries: Vec<String>,
    },
}

impl KeyValues {
    /// Returns the text of a cell, "" if it is absent or the key is an integer.
    #[inline]
    pub fn text(&self, cell: usize) -> &str {
        match self {
            Self::Ints(_) => "",
            Self::Texts { codes, entries } => &entries[codes[cell] as usize],
        }
    }
}

/// The sums of a scan by cell.
///
/// A scan without keys has one cell per bin, in order. A scan with keys has one cell per (bin, group) that
/// has a record, in unspecified order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partials {
    /// Sums by cell.
    pub sums: Vec<Sums>,
    /// Bin by cell.
    pub bins: Vec<u32>,
    /// Key columns, each by cell.
    pub keys: Vec<KeyValues>,
}
