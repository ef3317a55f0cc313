//! Records written out whole, piece by piece, as Arrow IPC streams of one schema.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};

use crate::columns::arrow::{nulls, string_array};
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::schema::{ABSENT, ColumnKind, FIELDS, FieldType};

/// Rows of a slice as one Arrow IPC stream: the fields of the record by name, then `received_time`.
///
/// Texts are Utf8, times microseconds UTC, prices units of 10^-9, all other fields Int64; absent values are null.
///
/// # Errors
/// `Arrow` where the columns cannot be encoded.
pub fn ipc_stream(slice: &RecordSlice<'_>, rows: &[usize]) -> Result<Vec<u8>> {
    let mut columns: Vec<ArrayRef> = FIELDS.iter().map(|field| column(slice, rows, field)).collect();
    let received = rows.iter().map(|&row| slice.received_us[row]);
    columns.push(Arc::new(TimestampMicrosecondArray::from_iter_values(received).with_timezone("UTC")));
    let schema = schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&RecordBatch::try_new(schema, columns)?)?;
    Ok(writer.into_inner()?)
}

fn schema() -> Arc<Schema> {
    let mut fields: Vec<_> = FIELDS.iter().map(|field| ArrowField::new(field.name, plain_type(field.field_type), true)).collect();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    fields.push(ArrowField::new("received_time", time, true));
    Arc::new(Schema::new(fields))
}

fn column(slice: &RecordSlice<'_>, rows: &[usize], field: &crate::record::schema::Field) -> ArrayRef {
    match field.field_type.column_kind() {
        ColumnKind::Dictionary => {
            let column = &slice.fields.dictionaries[field.slot];
            Arc::new(string_array(rows.iter().map(|&row| column.text(row))))
        }
        ColumnKind::Text => {
            let column = slice.fields.texts[field.slot];
            Arc::new(string_array(rows.iter().map(|&row| column.get(row))))
        }
        ColumnKind::Int => int_column(field.field_type, rows.iter().map(|&row| slice.fields.ints[field.slot].get(row)).collect()),
    }
}

fn int_column(shape: FieldType, values: Vec<i64>) -> ArrayRef {
    let nulls = nulls(values.len(), |row| values[row] != ABSENT);
    if shape == FieldType::Time {
        Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
    } else {
        Arc::new(Int64Array::new(values.into(), nulls))
    }
}

fn plain_type(shape: FieldType) -> DataType {
    match (shape.column_kind(), shape) {
        (ColumnKind::Dictionary | ColumnKind::Text, _) => DataType::Utf8,
        (ColumnKind::Int, FieldType::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        (ColumnKind::Int, _) => DataType::Int64,
    }
}
