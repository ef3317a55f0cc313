//! Records written out whole, piece by piece, as Arrow IPC streams of one schema.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};

use crate::columns::arrow::{nulls, string_array};
use crate::columns::slice::Part;
use crate::error::Result;
use crate::record::schema::{ABSENT, FIELDS, Kept, Shape};

/// Rows of a part as one Arrow IPC stream: the fields of the record by name, then `received_time`.
///
/// Texts are Utf8, times microseconds UTC, prices units of 10^-9, all other fields Int64; absent values are null.
///
/// # Errors
/// `Arrow` where the columns cannot be encoded.
pub fn ipc_stream(part: &Part<'_>, rows: &[usize]) -> Result<Vec<u8>> {
    let mut columns: Vec<ArrayRef> = FIELDS.iter().map(|field| column(part, rows, field)).collect();
    let received = rows.iter().map(|&row| part.received_us[row]);
    columns.push(Arc::new(TimestampMicrosecondArray::from_iter_values(received).with_timezone("UTC")));
    let schema = schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&RecordBatch::try_new(schema, columns)?)?;
    Ok(writer.into_inner()?)
}

fn schema() -> Arc<Schema> {
    let mut fields: Vec<_> = FIELDS.iter().map(|field| ArrowField::new(field.name, plain_type(field.shape), true)).collect();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    fields.push(ArrowField::new("received_time", time, true));
    Arc::new(Schema::new(fields))
}

fn column(part: &Part<'_>, rows: &[usize], field: &crate::record::schema::Field) -> ArrayRef {
    match field.shape.kept() {
        Kept::Category => {
            let column = &part.fields.categories[field.slot];
            Arc::new(string_array(rows.iter().map(|&row| column.text(row))))
        }
        Kept::Text => {
            let column = part.fields.texts[field.slot];
            Arc::new(string_array(rows.iter().map(|&row| column.get(row))))
        }
        Kept::Int => int_column(field.shape, rows.iter().map(|&row| part.fields.ints[field.slot].get(row)).collect()),
    }
}

fn int_column(shape: Shape, values: Vec<i64>) -> ArrayRef {
    let nulls = nulls(values.len(), |row| values[row] != ABSENT);
    if shape == Shape::Time {
        Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
    } else {
        Arc::new(Int64Array::new(values.into(), nulls))
    }
}

fn plain_type(shape: Shape) -> DataType {
    match (shape.kept(), shape) {
        (Kept::Category | Kept::Text, _) => DataType::Utf8,
        (Kept::Int, Shape::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        (Kept::Int, _) => DataType::Int64,
    }
}
