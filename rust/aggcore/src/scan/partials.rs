//! Partial aggregates: the integer sums by cell that a scan returns. Ratios and totals are formed from them
//! later.

use std::collections::HashSet;

use super::cell_places::{CellPlaces, invalid, numbers_below};
use super::sums::{Sums, add};
use crate::error::Result;

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

    /// Returns texts as a key column.
    ///
    /// # Errors
    /// `InvalidPartials` unless the entries are distinct, begin with "", and have all codes.
    ///
    /// ```
    /// use aggcore::KeyValues;
    /// let entries = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    /// assert!(KeyValues::from_texts(&[0], entries(&["", "DE"])).is_ok_and(|key| key.text(0).is_empty()));
    /// assert!(KeyValues::from_texts(&[0], entries(&["DE"])).is_err(), "entry 0 is the absent text, used or not");
    /// ```
    pub fn from_texts(codes: &[i64], entries: Vec<String>) -> Result<Self> {
        if entries.first().is_none_or(|entry| !entry.is_empty()) {
            return Err(invalid("entry 0 of the texts is not the absent text \"\""));
        }
        let mut distinct = HashSet::with_capacity(entries.len());
        if let Some(repeated) = entries.iter().find(|entry| !distinct.insert(entry.as_str())) {
            return Err(invalid(format!("the entries of the texts have {repeated:?} twice")));
        }
        let codes = numbers_below(codes, entries.len(), "code")?;
        Ok(Self::Texts { codes, entries })
    }

    /// Returns the values of some cells.
    pub fn at(&self, cells: &[u32]) -> Self {
        match self {
            Self::Ints(values) => Self::Ints(cells.iter().map(|&cell| values[cell as usize]).collect()),
            Self::Texts { codes, entries } => {
                let codes = cells.iter().map(|&cell| codes[cell as usize]).collect();
                Self::Texts { codes, entries: entries.clone() }
            }
        }
    }

    /// Returns the number of cells.
    #[allow(clippy::len_without_is_empty)] // A column may be of any number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::Texts { codes, .. } => codes.len(),
        }
    }

    /// Returns the value of a cell as an integer: equal for equal values.
    pub(super) fn code(&self, cell: usize) -> i64 {
        match self {
            Self::Ints(values) => values[cell],
            Self::Texts { codes, .. } => codes[cell].into(),
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
    /// Rows that the scan read, those from which it built rollups included; 0 if another store supplied the sums.
    pub row_count: usize,
}

impl Partials {
    /// Returns the partials of a scan with `bin_count` bins, from values that another store supplies.
    ///
    /// # Errors
    /// `InvalidPartials` unless they are what a scan returns, see [`Partials`]; `SumOverflow`.
    ///
    /// ```
    /// use aggcore::{KeyValues, Partials};
    /// let empty = Partials::from_columns(2, vec![], &[], vec![]);
    /// assert!(empty.is_err(), "without keys, each bin has a cell, also one without records");
    /// assert!(Partials::from_columns(2, vec![], &[], vec![KeyValues::Ints(vec![])]).is_ok());
    /// ```
    pub fn from_columns(bin_count: usize, sums: Vec<Sums>, bins: &[i64], keys: Vec<KeyValues>) -> Result<Self> {
        let partials = Self { bins: numbers_below(bins, bin_count, "bin")?, sums, keys, row_count: 0 };
        partials.check(bin_count)?;
        if let Some(cell) = partials.sums.iter().position(|sums| sums.iter().any(|&sum| sum < 0)) {
            return Err(invalid(format!("cell {cell} has a negative sum: {:?}", partials.sums[cell])));
        }
        if partials.keys.is_empty() {
            partials.places().check_by_bin(bin_count)?;
        } else {
            partials.check_groups()?;
        }
        Ok(partials)
    }

    /// Checks what every answer relies on: as many bins and keys as cells, bins below `bin_count`, codes that have an entry,
    /// and sums that add up to less than 2^63.
    ///
    /// # Errors
    /// `InvalidPartials` or `SumOverflow`.
    pub fn check(&self, bin_count: usize) -> Result<()> {
        self.places().check_lengths(self.sums.len())?;
        self.places().check_bounds(bin_count)?;
        self.check_total()
    }

    /// Checks that the sums add up to less than 2^63.
    fn check_total(&self) -> Result<()> {
        // All bits of all sums bound each of them. Unlike additions with a check, this takes one instruction per cell.
        let bits = self.sums.as_flattened().iter().fold(0, |bits, sum| bits | sum);
        if bits >= 0 && bits.checked_mul(self.sums.len() as i64).is_some() {
            return Ok(());
        }
        let mut total = Sums::default();
        self.sums.iter().try_for_each(|&sums| add(&mut total, sums))
    }

    /// Checks what an answer by bin relies on: one cell for each of `bin_count` bins, in order.
    ///
    /// # Errors
    /// As [`Partials::check`].
    pub fn check_by_bin(&self, bin_count: usize) -> Result<()> {
        self.places().check_lengths(self.sums.len())?;
        self.places().check_by_bin(bin_count)?;
        self.check_total()
    }

    /// Checks that each cell has a record, and that no two have the same bin and group.
    fn check_groups(&self) -> Result<()> {
        if let Some(cell) = self.sums.iter().position(|sums| sums[0] == 0) {
            return Err(invalid(format!("cell {cell} counts nothing")));
        }
        self.places().check_distinct()
    }

    fn places(&self) -> CellPlaces<'_> {
        CellPlaces { bins: &self.bins, keys: &self.keys }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn texts(codes: &[i64]) -> Result<KeyValues> {
        KeyValues::from_texts(codes, vec![String::new(), "a".to_owned()])
    }

    fn problem(made: Result<Partials>) -> String {
        made.unwrap_err().to_string()
    }

    #[test]
    fn a_cell_per_bin_without_keys_and_a_cell_per_group_with_keys() {
        assert!(Partials::from_columns(2, vec![[0, 0, 0], [3, 2, 1]], &[0, 1], Vec::new()).is_ok());
        assert!(Partials::from_columns(0, Vec::new(), &[], Vec::new()).is_ok());
        let largest = vec![[1 << 62, 0, 0], [(1 << 62) - 1, 0, 0]];
        assert!(Partials::from_columns(2, largest, &[0, 1], Vec::new()).is_ok());
        let keys = vec![texts(&[0, 1]).unwrap(), KeyValues::Ints(vec![i64::MIN, 7])];
        assert!(Partials::from_columns(9, vec![[1, 0, 0]; 2], &[8, 8], keys).is_ok());
    }

    #[test]
    fn what_no_scan_returns_is_refused() {
        let one = |bins: &[i64], sums: Vec<Sums>| problem(Partials::from_columns(2, sums, bins, Vec::new()));
        assert!(one(&[1, 0], vec![[0; 3]; 2]).contains("in order"));
        assert!(one(&[0], vec![[0; 3]]).contains("in order"));
        assert!(one(&[0, 2], vec![[0; 3]; 2]).contains("cell 1 has bin 2, and there are 2"));
        assert!(one(&[0, -1], vec![[0; 3]; 2]).contains("bin -1"));
        assert!(one(&[0, 1], vec![[0; 3]]).contains("2 values, and there are 1 cells"));
        assert!(one(&[0, 1], vec![[1, 0, 0], [1, -1, 0]]).contains("cell 1 has a negative sum"));
        assert!(one(&[0, 1], vec![[i64::MAX, 0, 0]; 2]).contains("exceeds 64 bits"));
        assert!(one(&[0, 1], vec![[1 << 62, 0, 0]; 2]).contains("exceeds 64 bits"));
        let grouped = |sums, keys| problem(Partials::from_columns(1, sums, &[0, 0], vec![keys]));
        assert!(grouped(vec![[1, 0, 0]; 2], KeyValues::Ints(vec![5, 5])).contains("cell 1 has the bin and the group"));
        assert!(grouped(vec![[1, 0, 0], [0; 3]], KeyValues::Ints(vec![5, 6])).contains("cell 1 counts nothing"));
        assert!(grouped(vec![[1, 0, 0]; 2], KeyValues::Ints(vec![5])).contains("1 values"));
    }

    #[test]
    fn texts_are_distinct_and_begin_with_the_absent_one() {
        assert!(texts(&[0, 1, 1]).is_ok());
        assert!(texts(&[2]).unwrap_err().to_string().contains("cell 0 has code 2, and there are 2"));
        assert!(KeyValues::from_texts(&[], Vec::new()).is_err());
        assert!(KeyValues::from_texts(&[0], vec!["a".to_owned()]).is_err());
        let twice = ["", "a", "a"].map(str::to_owned).to_vec();
        assert!(KeyValues::from_texts(&[0], twice).unwrap_err().to_string().contains("\"a\" twice"));
    }
}
