//! The fields of records as Arrow arrays, as narrow as their values go: in segments and in the journal.
//!
//! A column that no row has a value in is of type Null. Beneath a null stands what the core reads as absent, so that
//! it can read the values alone: the least integer of the type, or the code of an empty text after the others, as some
//! readers look a code up before they look whether it counts.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int8Array, Int16Array, Int32Array, Int64Array, NullArray, PrimitiveArray, StringArray,
    TimestampMicrosecondArray, cast::AsArray, types::*,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

use super::RecordColumns;
use super::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NoTexts, Texts};
use super::integer::{ColumnStats, IntValues};
use crate::record::schema::{ABSENT, ColumnKind, DICTIONARY_COUNT, FIELDS, Field, FieldType, INT_COUNT, TEXT_COUNT};

/// An integer column; `stats` says what values it has.
pub fn int_array(values: Vec<i64>, stats: ColumnStats, shape: FieldType) -> ArrayRef {
    if stats.low > stats.high {
        return Arc::new(NullArray::new(values.len()));
    }
    let nulls = if stats.has_absent { nulls(values.len(), |row| values[row] != ABSENT) } else { None };
    let fits = |least: i64, greatest: i64| least < stats.low && stats.high <= greatest;
    if shape == FieldType::Time {
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

/// Values that are known to fit.
fn narrowed<T: ArrowNativeType>(values: Vec<i64>, narrow: impl Fn(i64) -> T, absent: T) -> ScalarBuffer<T> {
    values.into_iter().map(|value| if value == ABSENT { absent } else { narrow(value) }).collect()
}

/// A category column of codes into `entries`; their number is the code of an absent text.
///
/// # Errors
/// `ArgumentError` where a code is greater than that.
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

/// A text column.
pub fn text_array<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> ArrayRef {
    if texts.clone().all(str::is_empty) {
        return Arc::new(NullArray::new(texts.count()));
    }
    Arc::new(string_array(texts))
}

/// Texts, null where one is absent.
pub fn string_array<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> StringArray {
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

impl Texts for StringArray {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, number: usize) -> &str {
        if self.is_null(number) { "" } else { self.value(number) }
    }
}

/// The columns of all fields.
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
    /// The columns of all fields in their order; `None` where one is not of a type that its field has.
    pub fn from_arrays(columns: &[ArrayRef]) -> Option<Self> {
        let mut arrays = Self {
            ints: std::array::from_fn(|_| IntArray::Absent),
            codes: std::array::from_fn(|_| CodeArray::Absent),
            entries: std::array::from_fn(|_| None),
            texts: std::array::from_fn(|_| None),
        };
        if columns.len() != FIELDS.len() {
            return None;
        }
        FIELDS.iter().zip(columns).try_for_each(|(field, column)| arrays.take(field, column))?;
        Some(arrays)
    }

    fn take(&mut self, field: &Field, column: &ArrayRef) -> Option<()> {
        let absent = column.data_type() == &DataType::Null;
        match field.field_type.column_kind() {
            _ if absent => {}
            ColumnKind::Dictionary => {
                let (codes, entries) = CodeArray::of(column)?;
                (self.codes[field.slot], self.entries[field.slot]) = (codes, Some(entries));
            }
            ColumnKind::Text => self.texts[field.slot] = Some(column.as_string_opt::<i32>()?.clone()),
            ColumnKind::Int => self.ints[field.slot] = IntArray::of(column)?,
        }
        Some(())
    }

    /// An integer column.
    pub fn ints(&self, slot: usize) -> IntValues<'_> {
        match &self.ints[slot] {
            IntArray::Absent => IntValues::Absent,
            IntArray::I8(values) => IntValues::I8(values),
            IntArray::I16(values) => IntValues::I16(values),
            IntArray::I32(values) => IntValues::I32(values),
            IntArray::I64(values) => IntValues::I64(values),
        }
    }

    /// A category column; `order` is that of its entries.
    pub fn dictionary(&self, slot: usize, order: EntryOrder) -> DictionaryColumn<'_> {
        let codes = match &self.codes[slot] {
            CodeArray::Absent => DictionaryCodes::Absent,
            CodeArray::U8(codes) => DictionaryCodes::U8(codes),
            CodeArray::U16(codes) => DictionaryCodes::U16(codes),
            CodeArray::I32(codes) => DictionaryCodes::I32(codes),
        };
        DictionaryColumn { codes, entries: strings(&self.entries[slot]), order }
    }

    /// A text column.
    pub fn texts(&self, slot: usize) -> &dyn Texts {
        strings(&self.texts[slot])
    }

    /// All columns; `order` is that of the entries of each category.
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
        let byte = || Some(Self::I8(column.as_primitive_opt::<Int8Type>()?.values().clone()));
        let short = || Some(Self::I16(column.as_primitive_opt::<Int16Type>()?.values().clone()));
        let narrow = || Some(Self::I32(column.as_primitive_opt::<Int32Type>()?.values().clone()));
        let wide = || Some(Self::I64(column.as_primitive_opt::<Int64Type>()?.values().clone()));
        let time = || Some(Self::I64(column.as_primitive_opt::<TimestampMicrosecondType>()?.values().clone()));
        byte().or_else(short).or_else(narrow).or_else(wide).or_else(time)
    }
}

impl CodeArray {
    /// The codes of a column and its entries.
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
