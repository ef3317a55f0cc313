//! A test of the keys of a row: are their values those of one of some groups?

use std::collections::HashSet;

use super::column::{Column, SliceColumns};
use super::key::Key;
use super::predicate::KeyValue;
use crate::columns::dictionary::DictionaryColumn;
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;

/// Verdicts on rows. The value of each key becomes its number among the wanted ones, and the numbers of all keys one code.
pub struct GroupVerdicts<'a> {
    keys: Vec<WantedKey<'a>>,
    /// Codes of the groups: the number of the last key is the last digit, and the radix of a key its count of values.
    groups: HashSet<u128>,
}

/// The values of one key that are wanted, which ascend, and the column of the rows.
enum WantedKey<'a> {
    Ints {
        wanted: Vec<i64>,
        column: Column<'a>,
    },
    /// `numbers` has the number of each text, by code + 1, once a row had it.
    Dictionary {
        wanted: Vec<&'a str>,
        column: DictionaryColumn<'a>,
        numbers: Vec<u32>,
    },
    Texts {
        wanted: Vec<&'a str>,
        column: Column<'a>,
    },
}

/// Marks a code whose text was not looked up yet.
const UNKNOWN: u32 = u32::MAX;
/// Marks a text that is not wanted.
const UNWANTED: u32 = u32::MAX - 1;

impl<'a> GroupVerdicts<'a> {
    /// Compiles the test for the rows of one slice.
    ///
    /// # Errors
    /// `Unknown` for a column that does not exist, a group that lacks a value for a key or has one of another type, and for
    /// groups whose values have more combinations than 128 bits can number: each of four keys has less than 2^32.
    pub(super) fn new(keys: &'a [Key], groups: &'a [Vec<KeyValue<'static>>], columns: &'a SliceColumns<'a>) -> Result<Self> {
        if let Some(group) = groups.iter().find(|group| group.len() != keys.len()) {
            return Err(Error::Unknown { what: "group of the keys", name: format!("{group:?}") });
        }
        let wanted = keys.iter().enumerate().map(|(number, key)| WantedKey::new(groups, number, columns.key(key)?));
        let mut verdicts = Self { keys: wanted.collect::<Result<_>>()?, groups: HashSet::new() };
        if verdicts.keys.iter().try_fold(1u128, |product, key| product.checked_mul(key.count())).is_none() {
            return Err(Error::Unknown { what: "number of groups", name: groups.len().to_string() });
        }
        let code = |group: &Vec<KeyValue<'static>>| {
            let mut numbers = verdicts.keys.iter().zip(group);
            numbers.try_fold(0, |code, (key, value)| Some(code * key.count() + key.number_of(value)? as u128))
        };
        verdicts.groups = groups.iter().filter_map(code).collect();
        Ok(verdicts)
    }

    /// Bytes of memory that the test takes for the rows of one slice.
    ///
    /// # Errors
    /// `Unknown` for a column that does not exist.
    pub(super) fn bytes(keys: &[Key], groups: &[Vec<KeyValue<'static>>], columns: &SliceColumns<'_>) -> Result<usize> {
        let key_bytes = |key: &Key| match columns.key(key)? {
            Column::Int { .. } | Column::Duration(_) => Ok(groups.len() * size_of::<i64>()),
            Column::Dictionary(column) => Ok(groups.len() * size_of::<&str>() + (column.entries.count() + 1) * size_of::<u32>()),
            Column::Text(_) => Ok(groups.len() * size_of::<&str>()),
        };
        // A hash set has up to twice the slots that it needs.
        let code_bytes = 2 * groups.len() * size_of::<u128>();
        Ok(code_bytes + keys.iter().map(key_bytes).sum::<Result<usize>>()?)
    }

    /// Texts that the test may have to read, and at least one: it runs row by row.
    pub(super) fn text_count(&self) -> usize {
        let texts = |key: &WantedKey<'_>| match key {
            WantedKey::Ints { .. } => 0,
            WantedKey::Dictionary { numbers, .. } => numbers.len(),
            WantedKey::Texts { .. } => usize::MAX / 8,
        };
        1 + self.keys.iter().map(texts).sum::<usize>()
    }

    /// The verdict on a row.
    pub(super) fn holds(&mut self, row: usize) -> bool {
        let code = self.keys.iter_mut().try_fold(0, |code, key| {
            let count = key.count();
            Some(code * count + u128::from(key.number(row)?))
        });
        code.is_some_and(|code| self.groups.contains(&code))
    }
}

impl<'a> WantedKey<'a> {
    /// The values that groups have for the key of a number, to be looked for in a column.
    fn new(groups: &'a [Vec<KeyValue<'static>>], number: usize, column: Column<'a>) -> Result<Self> {
        let values = groups.iter().map(|group| &group[number]);
        Ok(match column {
            Column::Int { .. } | Column::Duration(_) => {
                let wanted = values.map(KeyValue::as_int).collect::<Result<Vec<_>>>()?;
                Self::Ints { wanted: ascending(wanted), column }
            }
            Column::Dictionary(column) => {
                let (wanted, count) = (values.map(KeyValue::as_text).collect::<Result<Vec<_>>>()?, column.entries.count());
                Self::Dictionary { wanted: ascending(wanted), column, numbers: vec![UNKNOWN; count + 1] }
            }
            Column::Text(_) => {
                let wanted = values.map(KeyValue::as_text).collect::<Result<Vec<_>>>()?;
                Self::Texts { wanted: ascending(wanted), column }
            }
        })
    }

    fn count(&self) -> u128 {
        match self {
            Self::Ints { wanted, .. } => wanted.len() as u128,
            Self::Dictionary { wanted, .. } | Self::Texts { wanted, .. } => wanted.len() as u128,
        }
    }

    /// The number of a value of a group.
    fn number_of(&self, value: &KeyValue<'_>) -> Option<usize> {
        match self {
            Self::Ints { wanted, .. } => wanted.binary_search(&value.as_int().ok()?).ok(),
            Self::Dictionary { wanted, .. } | Self::Texts { wanted, .. } => wanted.binary_search(&value.as_text().ok()?).ok(),
        }
    }

    /// The number of the value of a row; `None` if it is not wanted.
    fn number(&mut self, row: usize) -> Option<u32> {
        match self {
            Self::Ints { wanted, column } => number_in(wanted, &column.int(row)),
            Self::Texts { wanted, column } => number_in(wanted, &column.text(row)),
            Self::Dictionary { wanted, column, numbers } => {
                let number = &mut numbers[(column.code(row) + 1) as usize];
                if *number == UNKNOWN {
                    *number = number_in(wanted, &column.text(row)).unwrap_or(UNWANTED);
                }
                (*number != UNWANTED).then_some(*number)
            }
        }
    }
}

/// The number of a value among those that ascend. A request has far fewer than 2^32.
fn number_in<T: Ord>(wanted: &[T], value: &T) -> Option<u32> {
    wanted.binary_search(value).ok().map(|number| number as u32)
}

fn ascending<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

impl KeyValue<'_> {
    fn as_int(&self) -> Result<i64> {
        match self {
            Self::Absent => Ok(ABSENT),
            Self::Int(value) => Ok(*value),
            Self::Text(text) => Err(Error::Unknown { what: "whole number", name: text.to_string() }),
        }
    }

    fn as_text(&self) -> Result<&str> {
        match self {
            Self::Absent => Ok(""),
            Self::Text(text) => Ok(text),
            Self::Int(value) => Err(Error::Unknown { what: "text", name: value.to_string() }),
        }
    }
}
