//! GroupKeyEncoder: the bin and the keys of a row of one slice become one integer, by which its cell is found.
//!
//! A text is looked at once per dictionary entry instead of once per row, and the keys of a cell are written out
//! once per slice: rows meet as small integers only.

use std::ops::Range;

use super::column::Column;
use super::dense_ids::{DenseIds, GroupCode, TextIds};
use crate::columns::dictionary::{CodeWidth, DictionaryColumn, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntValues, IntWidth, with_int_values};
use crate::columns::slice::contiguous_range;
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;

/// Integers that spread further than this are numbered, so that a row count times a key's radix fits 64 bits.
const OFFSET_SPAN_MAX: i64 = 1 << 31;

/// Where values are known to lie closer than this, the rows are not asked where theirs do.
const STATS_SPAN_MAX: i64 = 1 << 12;

/// The keys of one slice's rows.
pub struct GroupKeyEncoder<'a> {
    keys: Vec<KeyColumn<'a>>,
    bins: Range<usize>,
    /// All integers are below it.
    code_bound: u64,
    /// Whether they fit 32 bits, and so does all that stands before a key.
    fits_u32: bool,
    row_count: usize,
}

/// What the integers of a encoder say: where this is the same, an integer stands for the same bin and keys.
#[derive(PartialEq, Eq)]
pub struct GroupCodeLayout {
    /// The table that the slice is of: its dictionaries say what codes stand for.
    table: usize,
    bins: Range<usize>,
    /// The base and the radix of each key.
    keys: Vec<(i64, u64)>,
}

/// One key column of a slice.
struct KeyColumn<'a> {
    encoding: KeyEncoding<'a>,
    /// All codes are below it.
    radix: u64,
    /// DenseIds what stands before this key, where that times the radix would not fit 64 bits.
    prefix_ids: Option<DenseIds>,
}

/// How the values of a key column become codes.
enum KeyEncoding<'a> {
    /// Close integers: how far above `base` they are.
    Offset { values: IntValues<'a>, base: i64, absent_digit: u64 },
    /// Other integers, by number.
    DenseInts { value: Box<dyn Fn(usize) -> i64 + 'a>, ids: DenseIds },
    /// Texts of which each has one code: the code + 1.
    Codes(IdsByCode<'a>),
    /// Other texts of a dictionary: their numbers.
    DictionaryIds(IdsByCode<'a>),
    /// Texts by row.
    TextIds(&'a dyn Texts),
}

impl<'a> GroupKeyEncoder<'a> {
    /// Prepares the key columns of a slice whose `rows` fall into `bins`; `texts` numbers the texts of each key in all
    /// slices.
    pub fn new(keys: &[Column<'a>], texts: &[TextIds], bins: Range<usize>, rows: &Range<usize>) -> Self {
        let mut product = bins.len() as u64;
        let mut fits_u32 = true;
        let mut prepared = Vec::with_capacity(keys.len());
        for (column, texts) in keys.iter().zip(texts) {
            let (encoding, radix) = KeyEncoding::new(*column, texts, rows);
            let prefix_ids = product.checked_mul(radix).is_none().then(|| DenseIds::with_bound(product, rows.len()));
            product = if prefix_ids.is_some() { rows.len() as u64 * radix } else { product * radix };
            fits_u32 &= prefix_ids.is_none() && product <= u64::from(u32::MAX);
            prepared.push(KeyColumn { encoding, radix, prefix_ids });
        }
        Self { keys: prepared, bins, code_bound: product, fits_u32, row_count: rows.len() }
    }

    /// Whether all integers fit 32 bits.
    pub fn fits_u32(&self) -> bool {
        self.fits_u32
    }

    /// What the integers say for all rows of a table, `None` where they only say it for the slice.
    pub fn layout(&self, table: usize) -> Option<GroupCodeLayout> {
        let key = |key: &KeyColumn<'_>| match (&key.encoding, &key.prefix_ids) {
            (KeyEncoding::Offset { base, .. }, None) => Some((*base, key.radix)),
            (KeyEncoding::Codes(_), None) => Some((0, key.radix)),
            (KeyEncoding::Offset { .. } | KeyEncoding::Codes(_), Some(_))
            | (KeyEncoding::DenseInts { .. } | KeyEncoding::DictionaryIds(_) | KeyEncoding::TextIds(_), _) => None,
        };
        Some(GroupCodeLayout { table, bins: self.bins.clone(), keys: self.keys.iter().map(key).collect::<Option<_>>()? })
    }

    /// DenseIds for the integers, none of which has one yet.
    pub fn new_ids(&self) -> DenseIds {
        DenseIds::with_bound(self.code_bound, self.row_count)
    }

    /// Turns the bins of rows, counted from the first one, into their integers; no bins stand for the first one alone.
    pub fn encode<P: GroupCode>(&mut self, rows: &[u32], packed: &mut Vec<P>, texts: &mut [TextIds]) {
        for (key, texts) in self.keys.iter_mut().zip(texts) {
            if let Some(prefix_ids) = &mut key.prefix_ids {
                prefix_ids.replace_with_ids(packed);
            }
            key.encoding.push_digits(key.radix, rows, packed, texts);
        }
    }

    /// The bin and the keys of each integer, texts by number, one after the other.
    pub fn decode(self, packed: &[u64], texts: &mut [TextIds]) -> Vec<i64> {
        let key_width = 1 + self.keys.len();
        let mut quotients = packed.to_vec();
        let mut keys = vec![0; key_width * quotients.len()];
        for (number, (mut key, texts)) in self.keys.into_iter().zip(texts).enumerate().rev() {
            // A quotient and its rest are one division where they are worked out together.
            let last_digit = |quotient: &mut u64| {
                let digit = *quotient % key.radix;
                *quotient /= key.radix;
                digit
            };
            let digits: Vec<u64> = quotients.iter_mut().map(last_digit).collect();
            let column = keys.iter_mut().skip(1 + number).step_by(key_width);
            key.encoding.decode(&digits, column, texts);
            if let Some(prefix_ids) = &key.prefix_ids {
                quotients.iter_mut().for_each(|quotient| *quotient = prefix_ids.values()[*quotient as usize]);
            }
        }
        keys.iter_mut()
            .step_by(key_width)
            .zip(quotients)
            .for_each(|(bin, quotient)| *bin = (self.bins.start as u64 + quotient) as i64);
        keys
    }
}

/// Fails where there are more cells than allowed.
///
/// # Errors
/// `CellLimit`.
pub fn check_cell_count(cell_count: usize, allowed: usize) -> Result<()> {
    if cell_count > allowed { Err(Error::CellLimit { asked: allowed + 1, allowed }) } else { Ok(()) }
}

/// The numbers of the texts of a dictionary, each found when it is first asked for.
struct IdsByCode<'a> {
    column: DictionaryColumn<'a>,
    /// By code + 1.
    ids: Vec<u32>,
}

impl<'a> IdsByCode<'a> {
    fn new(column: DictionaryColumn<'a>) -> Self {
        let mut ids = vec![NO_ID; column.entries.count() + 1];
        // An absent text.
        ids[0] = 0;
        Self { column, ids }
    }

    #[inline]
    fn get(&mut self, code_plus_one: usize, texts: &mut TextIds) -> u32 {
        if self.ids[code_plus_one] == NO_ID {
            self.ids[code_plus_one] = texts.id(self.column.entries.get(code_plus_one - 1));
        }
        self.ids[code_plus_one]
    }
}

impl<'a> KeyEncoding<'a> {
    /// The codes of a column and their radix.
    fn new(column: Column<'a>, texts: &TextIds, rows: &Range<usize>) -> (Self, u64) {
        let row_count = rows.len();
        let text_radix = |added: usize| (texts.count() + added.min(row_count)) as u64;
        match column {
            Column::Dictionary(column) if column.has_distinct_codes() => {
                (Self::Codes(IdsByCode::new(column)), column.entries.count() as u64 + 1)
            }
            Column::Dictionary(column) => (Self::DictionaryIds(IdsByCode::new(column)), text_radix(column.entries.count())),
            Column::Text(column) => (Self::TextIds(column), text_radix(row_count)),
            Column::Int { values, stats, default } => offset_encoding(values, stats, rows, default).unwrap_or_else(|| {
                let value = move |row| if values.get(row) == ABSENT { default } else { values.get(row) };
                dense_encoding(Box::new(value), row_count)
            }),
            Column::Duration(durations) => dense_encoding(Box::new(move |row| durations.get(row).1), row_count),
        }
    }

    /// Multiplies by the radix and adds the code of each row.
    fn push_digits<P: GroupCode>(&mut self, radix: u64, rows: &[u32], packed: &mut Vec<P>, texts: &mut TextIds) {
        match self {
            &mut Self::Offset { values, base, absent_digit } => with_int_values!(
                values,
                values => push_digits(radix, rows, packed, values, |value| offset_digit(value.to_i64(), value.is_absent(), base, absent_digit)),
                push_each_digit(radix, packed, rows.iter().map(|_| absent_digit))
            ),
            Self::DenseInts { value, ids } => {
                let mut digits: Vec<u64> = rows.iter().map(|&row| value(row as usize) as u64).collect();
                ids.replace_with_ids(&mut digits);
                push_each_digit(radix, packed, digits.into_iter());
            }
            Self::Codes(ids) => with_codes!(
                ids.column.codes,
                codes => push_digits(radix, rows, packed, codes, |code| code.one_based() as u64),
                push_each_digit(radix, packed, rows.iter().map(|_| 0))
            ),
            Self::DictionaryIds(ids) => with_codes!(
                ids.column.codes,
                codes => push_digits(radix, rows, packed, codes, |code| u64::from(ids.get(code.one_based(), texts))),
                push_each_digit(radix, packed, rows.iter().map(|_| 0))
            ),
            Self::TextIds(column) => {
                push_each_digit(radix, packed, rows.iter().map(|&row| u64::from(texts.id(column.get(row as usize)))));
            }
        }
    }

    /// Puts the values of codes, of a text its number.
    fn decode<'v>(&mut self, digits: &[u64], values: impl Iterator<Item = &'v mut i64>, texts: &mut TextIds) {
        let pairs = values.zip(digits.iter().copied());
        match self {
            Self::Codes(ids) => pairs.for_each(|(value, digit)| *value = i64::from(ids.get(digit as usize, texts))),
            Self::Offset { base, .. } => {
                pairs.for_each(|(value, digit)| *value = if digit == 0 { ABSENT } else { *base + digit as i64 });
            }
            Self::DenseInts { ids, .. } => pairs.for_each(|(value, digit)| *value = ids.values()[digit as usize] as i64),
            Self::DictionaryIds(_) | Self::TextIds(_) => pairs.for_each(|(value, digit)| *value = digit as i64),
        }
    }
}

const NO_ID: u32 = u32::MAX;

/// Integers within a short range, with their radix. Code 0 is left to absent ones, unless these count as another value.
fn offset_encoding<'a>(
    values: IntValues<'a>, stats: ColumnStats, rows: &Range<usize>, default: i64,
) -> Option<(KeyEncoding<'a>, u64)> {
    let default_range = (default != ABSENT).then_some((default, default));
    let stats_suffice = stats.high.checked_sub(stats.low).is_some_and(|span| span < STATS_SPAN_MAX);
    let range = if stats_suffice && stats.low <= stats.high { Some((stats.low, stats.high)) } else { values.range(rows.clone()) };
    let ranges = range.into_iter().chain(default_range);
    let (low, high) = ranges.reduce(|(low, high), (from, to)| (low.min(from), high.max(to))).unwrap_or((0, -1));
    let (base, span) = (low.checked_sub(1)?, high.checked_sub(low)?);
    let absent_digit = if default == ABSENT { 0 } else { (default - base) as u64 };
    (span < OFFSET_SPAN_MAX).then(|| (KeyEncoding::Offset { values, base, absent_digit }, (span + 2) as u64))
}

fn dense_encoding<'a>(value: Box<dyn Fn(usize) -> i64 + 'a>, row_count: usize) -> (KeyEncoding<'a>, u64) {
    (KeyEncoding::DenseInts { value, ids: DenseIds::with_bound(u64::MAX, row_count) }, row_count as u64)
}

/// Code of a value; a choice without a branch, as absent values may come at any time.
#[inline]
fn offset_digit(value: i64, is_absent: bool, base: i64, absent_digit: u64) -> u64 {
    let offset = value.wrapping_sub(base) as u64;
    if is_absent { absent_digit } else { offset }
}

/// Multiplies by the radix and adds the code of each row's value.
#[inline]
fn push_digits<T: Copy, P: GroupCode>(
    radix: u64, rows: &[u32], packed: &mut Vec<P>, values: &[T], mut digit: impl FnMut(T) -> u64,
) {
    if let Some(range) = contiguous_range(rows) {
        push_each_digit(radix, packed, values[range].iter().map(|&value| digit(value)));
    } else {
        push_each_digit(radix, packed, rows.iter().map(|&row| digit(values[row as usize])));
    }
}

/// Multiplies by the radix and adds the code; no codes are as many zeros.
#[inline]
fn push_each_digit<P: GroupCode>(radix: u64, packed: &mut Vec<P>, digits: impl Iterator<Item = u64>) {
    if packed.is_empty() {
        packed.extend(digits.map(P::of));
    } else {
        let radix = P::of(radix);
        packed.iter_mut().zip(digits).for_each(|(code, digit)| *code = code.push_digit(radix, P::of(digit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::integer::UNKNOWN_STATS;

    /// The keys that come back for the values of two columns, whether the integers are narrow, and the greatest of them.
    fn encode_and_decode<P: GroupCode>(values: [[i64; 2]; 2]) -> (Vec<i64>, bool, u64) {
        let column = |values| Column::Int { values: IntValues::I64(values), stats: UNKNOWN_STATS, default: ABSENT };
        let (keys, mut texts) = ([column(&values[0]), column(&values[1])], [TextIds::default(), TextIds::default()]);
        let mut encoder = GroupKeyEncoder::new(&keys, &texts, 0..1, &(0..2));
        let (fits_u32, mut codes) = (encoder.fits_u32(), Vec::<P>::new());
        encoder.encode(&[0, 1], &mut codes, &mut texts);
        let codes: Vec<u64> = codes.into_iter().map(GroupCode::wide).collect();
        (encoder.decode(&codes, &mut texts), fits_u32, codes[1])
    }

    #[test]
    fn integers_are_narrow_as_long_as_they_fit() {
        // The radix of a key is two more than its span.
        let [fits, does_not] = [[[0, 0xfffd], [0, 0xffff]], [[0, 0xfffd], [0, 0x1_0000]]];
        let greatest = u64::from(u32::MAX);
        assert_eq!(encode_and_decode::<u32>(fits), (vec![0, 0, 0, 0, 0xfffd, 0xffff], true, greatest - 1));
        assert_eq!(encode_and_decode::<u64>(does_not), (vec![0, 0, 0, 0, 0xfffd, 0x1_0000], false, greatest + 0xfffe));
    }
}
