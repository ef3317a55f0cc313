//! What a store answers a scan with: integer sums by cell.

use crate::columns::sums::Sums;

/// The values of one key column, by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValues {
    /// Integers, absent ones as [`ABSENT`](crate::record::schema::ABSENT).
    Ints(Vec<i64>),
    /// Texts by their place among the entries, which are distinct; the first, "", stands for absent ones.
    Texts {
        /// Entries by cell.
        codes: Vec<u32>,
        /// The texts.
        entries: Vec<String>,
    },
}

impl KeyValues {
    /// The text of a cell, "" where it is absent; integers have none.
    #[inline]
    pub fn text(&self, cell: usize) -> &str {
        match self {
            Self::Ints(_) => "",
            Self::Texts { codes, entries } => &entries[codes[cell] as usize],
        }
    }
}

/// What a store answers a scan with.
///
/// Without keys there is one cell per bin, in order. With keys there is one cell per (bin, group) that has
/// records, in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partials {
    /// Sums by cell.
    pub sums: Vec<Sums>,
    /// Bin by cell.
    pub bins: Vec<u32>,
    /// Key columns, each by cell.
    pub keys: Vec<KeyValues>,
}
