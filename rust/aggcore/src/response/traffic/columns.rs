//! The columns of an answer, encoded.

use super::figure::{Figure, Value, ValueClass};
use crate::error::Result;
use crate::record::price::format_price;
use crate::response::answer::{AnswerLimits, AnswerWriter};
use crate::response::tags::{traffic_change as change_tags, traffic_column as column_tags};
use crate::response::wire_writer::{ColumnWriter, VARINT_LEN_MAX, put_bytes};

/// One column of an answer.
#[derive(Clone, Debug)]
pub struct TrafficColumn {
    /// A `TrafficColumn` message, encoded, to which the values are appended.
    pub header: Vec<u8>,
    /// What its values are.
    pub figure: Figure,
    /// Whether several groups together have a value.
    pub has_totals: bool,
}

impl ValueClass {
    /// Bytes of a value at least.
    pub fn bytes_min(self) -> usize {
        match self {
            Self::Integers => 1,
            Self::Doubles => size_of::<f64>(),
            Self::Decimals => 2,
        }
    }

    /// Bytes of memory that a value takes while its column is written, besides those in the answer.
    fn bytes_held(self) -> usize {
        match self {
            Self::Integers => size_of::<i64>() + 2 * VARINT_LEN_MAX,
            Self::Doubles => 2 * size_of::<f64>(),
            Self::Decimals => 2 * size_of::<i128>(),
        }
    }
}

/// Appends a message field `tag` with a column of `count` values.
///
/// # Errors
/// Those of `value`; `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
pub fn put_column(
    out: &mut AnswerWriter<'_>, tag: u32, column: &TrafficColumn, count: usize, value: impl Fn(usize) -> Result<Value>,
    limits: AnswerLimits<'_>,
) -> Result<()> {
    let class = column.figure.class();
    let _held = limits.memory.reserve(count * class.bytes_held())?;
    let value = |number: usize| {
        limits.cancel.check_at(number)?;
        value(number)
    };
    let bytes = match class {
        ValueClass::Integers => {
            let integers: Vec<i64> = (0..count).map(|number| Ok(integer(value(number)?))).collect::<Result<_>>()?;
            let mut columns = ColumnWriter::after(column.header.clone());
            columns.put_packed_int64s(column_tags::INTEGERS, integers.into_iter());
            columns.into_bytes()
        }
        ValueClass::Doubles => {
            let doubles: Vec<f64> = (0..count).map(|number| Ok(double(value(number)?))).collect::<Result<_>>()?;
            let mut columns = ColumnWriter::after(column.header.clone());
            columns.put_packed_doubles(column_tags::DOUBLES, doubles.into_iter().map(Some));
            columns.into_bytes()
        }
        ValueClass::Decimals => {
            let mut bytes = column.header.clone();
            for number in 0..count {
                put_bytes(column_tags::DECIMALS, decimal(value(number)?).as_bytes(), &mut bytes);
            }
            bytes
        }
    };
    out.put_bytes(tag, &bytes)
}

/// Appends a message field `tag` with `count` changes in percent, NaN where there is none.
///
/// # Errors
/// Those of `change`; `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
pub fn put_changes(
    out: &mut AnswerWriter<'_>, tag: u32, count: usize, change: impl Fn(usize) -> Result<Option<f64>>, limits: AnswerLimits<'_>,
) -> Result<()> {
    let _held = limits.memory.reserve(count * ValueClass::Doubles.bytes_held())?;
    let change = |number: usize| {
        limits.cancel.check_at(number)?;
        change(number)
    };
    let percents = (0..count).map(change).collect::<Result<Vec<_>>>()?;
    let mut columns = ColumnWriter::after(Vec::new());
    columns.put_packed_doubles(change_tags::PERCENT, percents.into_iter());
    out.put_bytes(tag, &columns.into_bytes())
}

fn integer(value: Value) -> i64 {
    match value {
        Value::Integer(value) => value,
        Value::None | Value::Double(_) | Value::Amount(_) => -1,
    }
}

fn double(value: Value) -> f64 {
    match value {
        Value::Double(value) => value,
        Value::None | Value::Integer(_) | Value::Amount(_) => f64::NAN,
    }
}

fn decimal(value: Value) -> String {
    match value {
        Value::Amount(value) => format_price(value),
        Value::None | Value::Integer(_) | Value::Double(_) => String::new(),
    }
}
