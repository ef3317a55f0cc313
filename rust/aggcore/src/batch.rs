//! A batch of records as Arrow columns: what the journal keeps and what the store takes in.

use std::{io::Cursor, sync::Arc};

use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};
use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};

use crate::error::{Error, Result};
use crate::record::{Record, Rejection};
use crate::schema::{ABSENT, FIELDS, INT_COUNT, Kept, STRING_COUNT, Shape};
use crate::wire::decode_batch;

/// One batch of records, in columns.
pub struct Batch {
    /// The caller's name for the batch.
    pub batch_id: Option<String>,
    /// Records that were not taken, by their position in the batch as received.
    pub rejected: Vec<(usize, Rejection)>,
    ints: [ScalarBuffer<i64>; INT_COUNT],
    strings: [StringArray; STRING_COUNT],
}

impl Batch {
    /// Reads a `WriteRecordsRequest`; records that `is_too_old` are rejected.
    ///
    /// # Errors
    /// `MalformedBatch` where the bytes are no valid message.
    pub fn from_wire(bytes: &[u8], is_too_old: impl Fn(&Record<'_>) -> bool) -> Result<Self> {
        let raw = decode_batch(bytes, is_too_old)?;
        Ok(Self {
            batch_id: raw.batch_id.map(str::to_owned),
            rejected: raw.rejected,
            ints: std::array::from_fn(|slot| raw.records.iter().map(|record| record.ints[slot]).collect()),
            strings: std::array::from_fn(|slot| string_column(raw.records.iter().map(move |record| record.strings[slot]))),
        })
    }

    /// Reads what [`Batch::to_journal`] wrote.
    ///
    /// # Errors
    /// `Damaged` where the bytes are not what it wrote.
    pub fn from_journal(bytes: &[u8]) -> Result<Self> {
        let damaged = |problem: String| Error::Damaged { file: "journal".to_owned(), problem };
        let mut reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(|e| damaged(e.to_string()))?;
        let columns = reader.next().ok_or_else(|| damaged("a row has no batch".to_owned()))?;
        let columns = columns.map_err(|e| damaged(e.to_string()))?;
        if columns.num_columns() != FIELDS.len() {
            return Err(damaged(format!("a batch has {} columns", columns.num_columns())));
        }
        let mut batch = Self {
            batch_id: None,
            rejected: Vec::new(),
            ints: std::array::from_fn(|_| ScalarBuffer::from(Vec::new())),
            strings: std::array::from_fn(|_| StringArray::new_null(0)),
        };
        for (field, column) in FIELDS.iter().zip(columns.columns()) {
            match field.shape.kept() {
                Kept::Category | Kept::Text => {
                    let texts = column.as_string_opt::<i32>().ok_or_else(|| damaged(format!("{} is no text", field.name)))?;
                    batch.strings[Record::string_slot(field)] = texts.clone();
                }
                Kept::Int => {
                    let values = int_values(column).ok_or_else(|| damaged(format!("{} is no integer", field.name)))?;
                    batch.ints[field.slot] = values;
                }
            }
        }
        Ok(batch)
    }

    /// The batch as one Arrow IPC stream; absent values are null. Compression would take longer than writing does.
    ///
    /// # Errors
    /// `Arrow` where the columns cannot be encoded.
    pub fn to_journal(&self) -> Result<Vec<u8>> {
        let columns: Vec<ArrayRef> = FIELDS.iter().map(|field| self.column(field)).collect();
        let schema =
            Arc::new(Schema::new(FIELDS.iter().map(|f| ArrowField::new(f.name, plain_type(f.shape), true)).collect::<Vec<_>>()));
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        writer.write(&RecordBatch::try_new(schema, columns)?)?;
        Ok(writer.into_inner()?)
    }

    /// Number of records that may be taken.
    pub fn rows(&self) -> usize {
        self.ints[0].len()
    }

    /// One of them.
    pub fn record(&self, row: usize) -> Record<'_> {
        Record {
            ints: std::array::from_fn(|slot| self.ints[slot][row]),
            strings: std::array::from_fn(|slot| text_at(&self.strings[slot], row)),
        }
    }

    fn column(&self, field: &crate::schema::Field) -> ArrayRef {
        match field.shape.kept() {
            Kept::Category | Kept::Text => Arc::new(self.strings[Record::string_slot(field)].clone()),
            Kept::Int => int_column(field.shape, self.ints[field.slot].clone()),
        }
    }
}

/// An integer column: null where the value is absent, with [`ABSENT`] kept beneath the null so that
/// the core can read the values alone.
pub fn int_column(shape: Shape, values: ScalarBuffer<i64>) -> ArrayRef {
    let nulls = nulls(values.len(), |row| values[row] != ABSENT);
    if shape == Shape::Time {
        Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone("UTC"))
    } else {
        Arc::new(Int64Array::new(values, nulls))
    }
}

/// A text column: null where the text is absent.
pub fn string_column<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> StringArray {
    let mut bytes = Vec::with_capacity(texts.clone().map(str::len).sum());
    let offsets: Vec<i32> = std::iter::once(0)
        .chain(texts.map(|text| {
            bytes.extend_from_slice(text.as_bytes());
            bytes.len() as i32
        }))
        .collect();
    let nulls = nulls(offsets.len() - 1, |row| offsets[row] != offsets[row + 1]);
    // Whole texts one after the other are a text, so this never falls back.
    StringArray::try_new(OffsetBuffer::new(offsets.into()), bytes.into(), nulls).unwrap_or_else(|_| StringArray::new_null(0))
}

/// Which of the rows are present, `None` where all are.
pub fn nulls(rows: usize, present: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, present));
    Some(nulls).filter(|nulls| nulls.null_count() > 0)
}

/// The values of what [`int_column`] made.
pub fn int_values(column: &ArrayRef) -> Option<ScalarBuffer<i64>> {
    let integers = column.as_primitive_opt::<Int64Type>().map(|array| array.values().clone());
    integers.or_else(|| column.as_primitive_opt::<TimestampMicrosecondType>().map(|array| array.values().clone()))
}

/// Arrow's type for a shape, categories written out.
pub fn plain_type(shape: Shape) -> DataType {
    match (shape.kept(), shape) {
        (Kept::Category | Kept::Text, _) => DataType::Utf8,
        (Kept::Int, Shape::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        (Kept::Int, _) => DataType::Int64,
    }
}

/// The text of a row, "" where it has none.
pub fn text_at(texts: &StringArray, row: usize) -> &str {
    if texts.is_null(row) { "" } else { texts.value(row) }
}

/// An empty text is an absent one.
pub fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::int;
    use crate::wire::encode_record;

    #[test]
    fn a_batch_reads_back_from_the_journal() -> Result<()> {
        let mut record = Record::default();
        record.ints[int::SETUP_TIME] = 7;
        record.strings = std::array::from_fn(|slot| if slot % 2 == 0 { "" } else { "x" });
        record.strings[crate::schema::CATEGORY_COUNT] = "id";
        let mut message = Vec::new();
        encode_record(&record, &mut message);
        let mut bytes = vec![0x12, message.len() as u8];
        bytes.extend(message);
        let batch = Batch::from_wire(&bytes, |_| false)?;
        let back = Batch::from_journal(&batch.to_journal()?)?;
        assert_eq!((back.rows(), back.record(0)), (1, record));
        Ok(())
    }
}
