//! Export: all fields of the records as Arrow IPC streams of one schema, a bounded number of rows at a time.
//!
//! Columns are built as in segments, as narrow as their values, and then cast to the one type that each field
//! has in every stream.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};

use super::segment::guard;
use super::state::SegmentEntry;
use super::{Store, days_of};
use crate::columns::arrow::{int_array, text_array};
use crate::columns::integer::ColumnStats;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::Record;
use crate::record::schema::{ColumnKind, FIELDS, Field, FieldType};
use crate::record::scrubbing::Scrubbing;

/// Where an export continues: index of the memtable or segment, and the first row in it. An export begins at
/// (0, 0).
pub type ExportCursor = (usize, usize);

/// Records as an Arrow IPC stream, and the cursor after them.
pub type ExportStep = (Vec<u8>, ExportCursor);

impl Store {
    /// Encodes the next records set up in [from, to) (microseconds UTC), at most `row_max` of them, as an
    /// Arrow IPC stream; `None` at the end.
    ///
    /// The stream has the fields of the record by name, then `received_time`. Texts are Utf8, times
    /// Timestamp(us, UTC), prices Int64 in units of 10^-9, all other fields Int64; absent values are null.
    /// The cursor is valid only while nothing changes the store, and the export skips immutable memtables:
    /// use it on a store that was opened for reading.
    ///
    /// # Errors
    /// `Damaged` if a segment of the range is unreadable, fails a checksum or changes meanwhile, or `Arrow` if the
    /// columns cannot be encoded.
    pub fn export(&self, (from, to): (i64, i64), cursor: ExportCursor, row_max: usize) -> Result<Option<ExportStep>> {
        let no_tombstones = RowSet::default();
        let state = self.read();
        let scrubbing = &*state.scrubbing;
        let (mut number, mut start) = cursor;
        let days = days_of(from, to);
        if let Some(unreadable) = state.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let entries: Vec<&SegmentEntry> = state.segments_of_days(days).collect();
        loop {
            let encode = |slice: &RecordSlice<'_>| next_rows(slice, (from, to), start, row_max, scrubbing);
            let encoded = match number {
                0 => encode(&state.active.slice(&no_tombstones))?,
                1 => encode(&state.memtable.slice(&no_tombstones))?,
                _ => match entries.get(number - 2) {
                    Some(entry) => guard([&*entry.segment], || encode(&entry.segment.verified_slice(&entry.tombstones)?))?,
                    None => return Ok(None),
                },
            };
            if let Some((stream, next)) = encoded {
                return Ok(Some((stream, (number, next))));
            }
            (number, start) = (number + 1, 0);
        }
    }
}

/// Encodes at most `row_max` rows of a slice, set up in [from, to), from row `start` on; returns the stream and
/// the row after them, `None` if no such row is left.
fn next_rows(
    slice: &RecordSlice<'_>, (from, to): (i64, i64), start: usize, row_max: usize, scrubbing: &Scrubbing,
) -> Result<Option<(Vec<u8>, usize)>> {
    let wanted = |row: &usize| (from..to).contains(&slice.setup_us[*row]) && !slice.tombstones.contains(*row);
    let rows: Vec<usize> = (start..slice.rows.end).filter(wanted).take(row_max.max(1)).collect();
    rows.last().map(|last| Ok((ipc_stream(slice, &rows, scrubbing)?, last + 1))).transpose()
}

/// Encodes rows of a slice, scrubbed, as one Arrow IPC stream.
fn ipc_stream(slice: &RecordSlice<'_>, rows: &[usize], scrubbing: &Scrubbing) -> Result<Vec<u8>> {
    let mut columns = FIELDS.iter().map(|field| column(slice, rows, field, scrubbing)).collect::<Result<Vec<_>>>()?;
    let received_us = rows.iter().map(|&row| slice.received_us[row]).collect();
    columns.push(cast(&narrow_array(received_us, FieldType::Time), &exported_type(FieldType::Time))?);
    let schema = schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&RecordBatch::try_new(schema, columns)?)?;
    Ok(writer.into_inner()?)
}

fn schema() -> Arc<Schema> {
    let mut fields: Vec<_> =
        FIELDS.iter().map(|field| ArrowField::new(field.name, exported_type(field.field_type), true)).collect();
    fields.push(ArrowField::new("received_time", exported_type(FieldType::Time), true));
    Arc::new(Schema::new(fields))
}

/// Builds the column of a field as segments have it, and casts it to the type of the export.
fn column(slice: &RecordSlice<'_>, rows: &[usize], field: &Field, scrubbing: &Scrubbing) -> Result<ArrayRef> {
    let scrubbed = |row: usize, text| match scrubbing.scrubbed_text(
        Record::string_slot(field),
        text,
        scrubbing.masks_setup(slice.setup_us[row]),
    ) {
        Some(scrubbed) => Cow::Owned(scrubbed),
        None => Cow::Borrowed(text),
    };
    let array = match field.field_type.column_kind() {
        ColumnKind::Dictionary => {
            let column = &slice.fields.dictionaries[field.slot];
            let texts: Vec<Cow<'_, str>> = rows.iter().map(|&row| scrubbed(row, column.text(row))).collect();
            text_array(texts.iter().map(|text| &**text))
        }
        ColumnKind::Text => {
            let column = slice.fields.texts[field.slot];
            let texts: Vec<Cow<'_, str>> = rows.iter().map(|&row| scrubbed(row, column.get(row))).collect();
            text_array(texts.iter().map(|text| &**text))
        }
        ColumnKind::Int => {
            let column = &slice.fields.ints[field.slot];
            narrow_array(rows.iter().map(|&row| column.get(row)).collect(), field.field_type)
        }
    };
    Ok(cast(&array, &exported_type(field.field_type))?)
}

fn narrow_array(values: Vec<i64>, field_type: FieldType) -> ArrayRef {
    let stats = ColumnStats::of(&values);
    int_array(values, stats, field_type)
}

fn exported_type(field_type: FieldType) -> DataType {
    match (field_type.column_kind(), field_type) {
        (ColumnKind::Dictionary | ColumnKind::Text, _) => DataType::Utf8,
        (ColumnKind::Int, FieldType::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        (ColumnKind::Int, _) => DataType::Int64,
    }
}
