//! Columns as Arrow arrays, for segments and the journal: writing them as narrow as their values allow, and
//! borrowing them back as [`RecordColumns`].
//!
//! A column without values has type Null. A null slot of any other column contains the value that the core
//! reads as absent, so scans read the value buffers and ignore the validity bitmaps. In integer columns, that
//! is the least integer of the type. In dictionary-encoded columns, it is the code of an empty entry, which
//! follows all others: some readers look an entry up before they test its validity, so the code must be in
//! range.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, DictionaryArray, GenericByteArray, Int8Array, Int16Array, Int32Array, Int64Array, NullArray, PrimitiveArray,
    StringArray, TimestampMicrosecondArray, cast::AsArray, types::*,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

use super::RecordColumns;
use super::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, NoTexts, Texts};
use super::integer::{ColumnStats, IntValues};
use crate::record::schema::{
    ABSENT, ColumnKind, DICTIONARY_COUNT, FIELDS, Field, FieldType, INT_COUNT, OLDEST_FIELD_COUNT, TEXT_COUNT,
};

/// Encodes an integer column in the narrowest width that `stats`, the statistics of `values`, allow.
pub fn int_array(values: Vec<i64>, stats: ColumnStats, field_type: FieldType) -> ArrayRef {
    if stats.low > stats.high {
        return Arc::new(NullArray::new(values.len()));
    }
    let nulls = if stats.has_absent { nulls(values.len(), |row| values[row] != ABSENT) } else { None };
    let fits = |least: i64, greatest: i64| least < stats.low && stats.high <= greatest;
    if field_type == FieldType::Time {
        Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
    } else if fits(i8::MIN.into(), i8::MAX.into()) {
        Arc::new(Int8Array::new(narrowed(values, |value| value as i8, i8::MIN), nulls))
    } else if fits(i16::MIN.into(), i16::MAX.into()) {
        Arc::new(Int16Array::new(narrowed(values, |value| value as i16, i16::MIN), nulls))
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        Arc::new(Int32Array::new(narrowed(values, |value| value as i32, i32::MIN), nulls))
    } else {
        Arc::new(Int64Array::new(values.into(), nulls))
    }
}

/// Converts values that are known to fit, [`ABSENT`] to `absent`.
fn narrowed<T: ArrowNativeType>(values: Vec<i64>, narrow: impl Fn(i64) -> T, absent: T) -> ScalarBuffer<T> {
    values.into_iter().map(|value| if value == ABSENT { absent } else { narrow(value) }).collect()
}

/// Encodes a dictionary-encoded column of codes into `entries`; the code `entries.len()` stands for an absent
/// text.
///
/// # Errors
/// Fails if a code is greater than `entries.len()`.
pub fn dictionary_array(codes: &[usize], entries: &[&str]) -> Result<ArrayRef, ArrowError> {
    let absent = entries.len();
    if absent == 0 {
        return Ok(Arc::new(NullArray::new(codes.len())));
    }
    let nulls = nulls(codes.len(), |row| codes[row] != absent);
    let entries = StringArray::from_iter_values(entries.iter().copied().chain(nulls.is_some().then_some("")));
    Ok(match entries.len() {
        0..=0x100 => dictionary::<UInt8Type>(codes, |code| code as u8, nulls, entries)?,
        0x101..=0x1_0000 => dictionary::<UInt16Type>(codes, |code| code as u16, nulls, entries)?,
        _ => dictionary::<Int32Type>(codes, |code| code as i32, nulls, entries)?,
    })
}

fn dictionary<K: ArrowDictionaryKeyType>(
    codes: &[usize], code: impl Fn(usize) -> K::Native, nulls: Option<NullBuffer>, entries: StringArray,
) -> Result<ArrayRef, ArrowError> {
    let codes = PrimitiveArray::<K>::new(codes.iter().map(|&number| code(number)).collect(), nulls);
    Ok(Arc::new(DictionaryArray::try_new(codes, Arc::new(entries))?))
}

/// Encodes a plain text column; an empty text is absent.
pub fn text_array<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> ArrayRef {
    if texts.clone().all(str::is_empty) {
        return Arc::new(NullArray::new(texts.count()));
    }
    Arc::new(string_array(texts))
}

/// Encodes texts, an empty one as null, in two passes that allocate each buffer once.
fn string_array<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> StringArray {
    let mut bytes = Vec::with_capacity(texts.clone().map(str::len).sum());
    let offsets: Vec<i32> = std::iter::once(0)
        .chain(texts.map(|text| {
            bytes.extend_from_slice(text.as_bytes());
            bytes.len() as i32
        }))
        .collect();
    let nulls = nulls(offsets.len() - 1, |row| offsets[row] != offsets[row + 1]);
    // The concatenation of valid UTF-8 texts is valid UTF-8, so this never fails.
    StringArray::try_new(OffsetBuffer::new(offsets.into()), bytes.into(), nulls).unwrap_or_else(|_| StringArray::new_null(0))
}

/// Returns the validity bitmap of `rows` rows, `None` if all are present.
fn nulls(rows: usize, present: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, present));
    Some(nulls).filter(|nulls| nulls.null_count() > 0)
}

impl Texts for StringArray {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, number: usize) -> &str {
        std::str::from_utf8(self.bytes(number)).unwrap_or_default()
    }

    fn bytes(&self, number: usize) -> &[u8] {
        if self.is_null(number) { &[] } else { bytes_of_row(self, number) }
    }
}

/// Returns the bytes of a row that is not null.
///
/// Unlike `GenericByteArray::value`, it trusts neither the offsets nor the bytes: they may be those of a mapped
/// file that another program overwrites at this moment.
#[inline]
pub fn bytes_of_row<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, row: usize) -> &[u8] {
    let offsets = array.value_offsets();
    array.value_data().get(offsets[row] as usize..offsets[row + 1] as usize).unwrap_or_default()
}

/// The value buffers of all columns of a batch or segment, checked against the types of their fields.
pub struct ArrowColumns {
    ints: [IntArray; INT_COUNT],
    codes: [CodeArray; DICTIONARY_COUNT],
    entries: [Option<StringArray>; DICTIONARY_COUNT],
    texts: [Option<StringArray>; TEXT_COUNT],
}

enum IntArray {
    Absent,
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
}

enum CodeArray {
    Absent,
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    I32(ScalarBuffer<i32>),
}

impl ArrowColumns {
    /// Takes the columns of [`FIELDS`] in their order; the last ones may be missing, and are absent then. `None` if more
    /// than those that were added later are missing, or if a column is of the wrong type.
    pub fn from_arrays(columns: &[ArrayRef]) -> Option<Self> {
        let mut arrays = Self {
            ints: std::array::from_fn(|_| IntArray::Absent),
            codes: std::array::from_fn(|_| CodeArray::Absent),
            entries: std::array::from_fn(|_| None),
            texts: std::array::from_fn(|_| None),
        };
        if !(OLDEST_FIELD_COUNT..=FIELDS.len()).contains(&columns.len()) {
            return None;
        }
        FIELDS.iter().zip(columns).try_for_each(|(field, column)| arrays.take(field, column))?;
        Some(arrays)
    }

    /// Takes the column of a field; `None` if it is of the wrong type.
    fn take(&mut self, field: &Field, column: &ArrayRef) -> Option<()> {
        let is_absent = column.data_type() == &DataType::Null;
        match field.field_type.column_kind() {
            _ if is_absent => {}
            ColumnKind::Dictionary => {
                let (codes, entries) = CodeArray::of(column)?;
                (self.codes[field.slot], self.entries[field.slot]) = (codes, Some(entries));
            }
            ColumnKind::Text => self.texts[field.slot] = Some(column.as_string_opt::<i32>()?.clone()),
            ColumnKind::Int => self.ints[field.slot] = IntArray::of(column)?,
        }
        Some(())
    }

    /// Whether each code is that of an entry, also beneath a null, which Arrow does not check: readers look it up there too.
    pub fn has_codes_of_entries(&self) -> bool {
        self.codes.iter().zip(&self.entries).all(|(codes, entries)| codes.are_below(strings(entries).count()))
    }

    /// Borrows an integer column.
    pub fn ints(&self, slot: usize) -> IntValues<'_> {
        match &self.ints[slot] {
            IntArray::Absent => IntValues::Absent,
            IntArray::I8(values) => IntValues::I8(values),
            IntArray::I16(values) => IntValues::I16(values),
            IntArray::I32(values) => IntValues::I32(values),
            IntArray::I64(values) => IntValues::I64(values),
        }
    }

    /// Borrows a dictionary-encoded column; `order` states what its writer guarantees about the entries.
    pub fn dictionary(&self, slot: usize, order: EntryOrder) -> DictionaryColumn<'_> {
        let codes = match &self.codes[slot] {
            CodeArray::Absent => DictionaryCodes::Absent,
            CodeArray::U8(codes) => DictionaryCodes::U8(codes),
            CodeArray::U16(codes) => DictionaryCodes::U16(codes),
            CodeArray::I32(codes) => DictionaryCodes::I32(codes),
        };
        DictionaryColumn { codes, entries: strings(&self.entries[slot]), order }
    }

    /// Borrows a plain text column.
    pub fn texts(&self, slot: usize) -> &dyn Texts {
        strings(&self.texts[slot])
    }

    /// Borrows all columns; `order` states what their writer guarantees about the entries of each dictionary.
    pub fn fields(&self, order: EntryOrder) -> RecordColumns<'_> {
        RecordColumns {
            ints: std::array::from_fn(|slot| self.ints(slot)),
            dictionaries: std::array::from_fn(|slot| self.dictionary(slot, order)),
            texts: std::array::from_fn(|slot| self.texts(slot)),
        }
    }
}

impl IntArray {
    fn of(column: &ArrayRef) -> Option<Self> {
        let i8s = || Some(Self::I8(column.as_primitive_opt::<Int8Type>()?.values().clone()));
        let i16s = || Some(Self::I16(column.as_primitive_opt::<Int16Type>()?.values().clone()));
        let i32s = || Some(Self::I32(column.as_primitive_opt::<Int32Type>()?.values().clone()));
        let i64s = || Some(Self::I64(column.as_primitive_opt::<Int64Type>()?.values().clone()));
        let times = || Some(Self::I64(column.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone()));
        i8s().or_else(i16s).or_else(i32s).or_else(i64s).or_else(times)
    }
}

impl CodeArray {
    /// Whether all codes are below `count`, or mark an absent text.
    fn are_below(&self, count: usize) -> bool {
        match self {
            Self::Absent => true,
            Self::U8(codes) => codes.iter().all(|&code| usize::from(code) < count),
            Self::U16(codes) => codes.iter().all(|&code| usize::from(code) < count),
            Self::I32(codes) => codes.iter().all(|&code| code == NO_CODE || usize::try_from(code).is_ok_and(|code| code < count)),
        }
    }

    /// Returns the codes and the entries of a column.
    fn of(column: &ArrayRef) -> Option<(Self, StringArray)> {
        let (codes, entries) = if let Some(column) = column.as_dictionary_opt::<UInt8Type>() {
            (Self::U8(column.keys().values().clone()), column.values())
        } else if let Some(column) = column.as_dictionary_opt::<UInt16Type>() {
            (Self::U16(column.keys().values().clone()), column.values())
        } else {
            let column = column.as_dictionary_opt::<Int32Type>()?;
            (Self::I32(column.keys().values().clone()), column.values())
        };
        Some((codes, entries.as_string_opt::<i32>()?.clone()))
    }
}

fn strings(texts: &Option<StringArray>) -> &dyn Texts {
    texts.as_ref().map_or(&NoTexts, |texts| texts)
}
