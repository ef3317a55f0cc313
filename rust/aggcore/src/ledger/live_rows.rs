//! The rows of the ledger that stand: those whose signs do not cancel each other.

use std::path::Path;

use super::columns::{COLUMN_COUNT, OWN_COUNT, columns, is_string, position, state};
use crate::error::{Error, Result};
use crate::native::{Block, Values, read_blocks};
use crate::record::Record;
use crate::record::schema::FIELDS;
use crate::wire::versions::Versions;

/// Blocks of live rows.
pub struct LiveRows<'a>(Vec<LiveBlock<'a>>);

/// One block; all columns of the ledger, in order.
struct LiveBlock<'a> {
    row_count: usize,
    columns: Vec<Values<'a>>,
}

/// One live row.
#[derive(Clone, Copy)]
pub struct LiveRow<'a> {
    block: &'a LiveBlock<'a>,
    row: usize,
}

impl<'a> LiveRows<'a> {
    /// Reads Native blocks, whose columns may be in any order.
    ///
    /// # Errors
    /// `MalformedBlock` if the bytes are not blocks with all columns.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        read_blocks(bytes)?.into_iter().map(LiveBlock::of).collect::<Result<_>>().map(Self)
    }

    /// The rows, each of which is checked.
    ///
    /// # Errors
    /// The item is `Damaged` if the columns of a row contradict each other.
    pub fn rows(&self) -> impl Iterator<Item = Result<LiveRow<'_>>> {
        let rows = self.0.iter().flat_map(|block| (0..block.row_count).map(move |row| LiveRow { block, row }));
        rows.map(|row| row.check().map(|()| row))
    }
}

impl<'a> LiveBlock<'a> {
    fn of(block: Block<'a>) -> Result<Self> {
        let mut found: Vec<Option<Values<'a>>> = (0..COLUMN_COUNT).map(|_| None).collect();
        let names: Vec<&str> = columns().map(|(name, _)| name).collect();
        for column in block.columns {
            if let Some(position) = names.iter().position(|name| *name == column.name) {
                found[position] = Some(column.values);
            }
        }
        let of_kind = |(position, values): (usize, Option<Values<'a>>)| match values {
            Some(values @ Values::Strings(_)) if is_string(position) => Ok(values),
            Some(values @ Values::Integers(_)) if !is_string(position) => Ok(values),
            Some(_) => Err(Error::MalformedBlock(format!("column {} is of another type", names[position]))),
            None => Err(Error::MalformedBlock(format!("column {} is missing", names[position]))),
        };
        let columns = found.into_iter().enumerate().map(of_kind).collect::<Result<_>>()?;
        Ok(Self { row_count: block.row_count, columns })
    }
}

impl<'a> LiveRow<'a> {
    /// The value of a column, if it has integers.
    pub fn integer(self, position: usize) -> Option<i64> {
        match &self.block.columns[position] {
            Values::Integers(values) => values.get(self.row).copied(),
            Values::Strings(_) | Values::Wide(_) | Values::Lists(_) => None,
        }
    }

    /// The value of a column, if it has bytes.
    pub fn bytes(self, position: usize) -> Option<&'a [u8]> {
        match &self.block.columns[position] {
            Values::Strings(values) => values.get(self.row).copied(),
            Values::Integers(_) | Values::Wide(_) | Values::Lists(_) => None,
        }
    }

    /// Home day of the record.
    pub fn day(self) -> i64 {
        self.own(position::DAY)
    }

    /// First and last setup day of the versions.
    pub fn days(self) -> (i64, i64) {
        (self.own(position::FIRST_DAY), self.own(position::LAST_DAY))
    }

    /// Hash of the key.
    pub fn key_hash(self) -> u64 {
        self.own(position::KEY_HASH) as u64
    }

    /// When the record was last changed, microseconds UTC.
    pub fn received_us(self) -> i64 {
        self.own(position::RECEIVED_TIME)
    }

    /// Whether it is a row of a key.
    pub fn is_of(self, (source, session_id): (&str, &str)) -> bool {
        let is = |position: usize, text: &str| self.bytes(position) == Some(text.as_bytes());
        is(position::SOURCE, source) && is(position::SESSION_ID, session_id)
    }

    /// The encoded state, as [`Versions::to_bytes`] returned it.
    pub fn versions(self) -> Option<&'a [u8]> {
        self.bytes(position::VERSIONS).filter(|bytes| !bytes.is_empty())
    }

    /// The record that the versions merge to.
    ///
    /// # Errors
    /// `Damaged` if a text is not UTF-8.
    pub fn record(self) -> Result<Record<'a>> {
        let mut record = Record::default();
        for (index, field) in FIELDS.iter().enumerate() {
            let position = OWN_COUNT + index;
            if let Some(value) = self.integer(position) {
                record.ints[field.slot] = value;
            } else if let Some(bytes) = self.bytes(position) {
                let text = std::str::from_utf8(bytes);
                record.strings[Record::string_slot(field)] = text.map_err(|_| self.damaged("a text is not UTF-8"))?;
            }
        }
        Ok(record)
    }

    /// The versions of the record.
    ///
    /// # Errors
    /// `Damaged` if they are malformed, or lie on other days than the row says.
    pub fn state(self, record: &Record<'_>) -> Result<Versions> {
        let state = Versions::of_row(record, self.versions()).ok_or_else(|| self.damaged("its versions are malformed"))?;
        let (first, last) = self.days();
        let is_of_days = state.joinable_days() == (first - 1..=last + 1);
        if is_of_days { Ok(state) } else { Err(self.damaged("its versions lie on other days")) }
    }

    /// The error for a row that cannot be as it is.
    pub fn damaged(self, problem: &str) -> Error {
        let (day, key_hash) = (self.own(position::DAY), self.key_hash());
        Error::damaged(Path::new("ledger"), format!("{problem} (row of day {day} with key_hash {key_hash})"))
    }

    fn own(self, position: usize) -> i64 {
        self.integer(position).unwrap_or(0)
    }

    fn check(self) -> Result<()> {
        let (sign, state) = (self.own(position::SIGN), self.own(position::STATE));
        let ((first, last), day) = (self.days(), self.day());
        if sign != 1 {
            return Err(self.damaged(&format!("its signs add up to {sign}, and not to 1")));
        }
        if first > day || day > last {
            return Err(self.damaged("its home day is not among the days of its versions"));
        }
        let end = self.record()?;
        let expected = if end.is_finished() { state::FINISHED } else { state::ACTIVE };
        if state != expected {
            return Err(self.damaged(&format!("its state is {state}, and {expected} by its end_time")));
        }
        if self.versions().is_none() && (first, last) != (end.day(), end.day()) {
            return Err(self.damaged("its only version lies on another day"));
        }
        Ok(())
    }
}
