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
const SPAN_MAX: i64 = 1 << 31;

/// Where values are known to lie closer than this, the rows are not asked where theirs do.
const CLOSE_SPAN: i64 = 1 << 12;

/// The keys of one slice's rows.
pub struct GroupKeyEncoder<'a> {
    keys: Vec<KeyColumn<'a>>,
    bins: Range<usize>,
    /// All integers are below it.
    end: u64,
    /// Whether they fit 32 bits, and so does all that stands before a key.
    is_narrow: bool,
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
    codes: KeyEncoding<'a>,
    /// All codes are below it.
    radix: u64,
    /// DenseIds what stands before this key, where that times the radix would not fit 64 bits.
    before: Option<DenseIds>,
}

/// How the values of a key column become codes.
enum KeyEncoding<'a> {
    /// Close integers: how far above `base` they are.
    Near { values: IntValues<'a>, base: i64, absent: u64 },
    /// Other integers, by number.
    Far { value: Box<dyn Fn(usize) -> i64 + 'a>, numbers: DenseIds },
    /// Texts of which each has one code: the code + 1.
    Codes(IdsByCode<'a>),
    /// Other texts of a dictionary: their numbers.
    DictionaryColumn(IdsByCode<'a>),
    /// Texts by row.
    Texts(&'a dyn Texts),
}

impl<'a> GroupKeyEncoder<'a> {
    /// Prepares the key columns of a slice whose `rows` fall into `bins`; `texts` numbers the texts of each key in all
    /// slices.
    pub fn new(keys: &[Column<'a>], texts: &[TextIds], bins: Range<usize>, rows: &Range<usize>) -> Self {
        let mut product = bins.len() as u64;
        let mut is_narrow = true;
        let mut prepared = Vec::with_capacity(keys.len());
        for (column, texts) in keys.iter().zip(texts) {
            let (codes, radix) = KeyEncoding::new(*column, texts, rows);
            let before = product.checked_mul(radix).is_none().then(|| DenseIds::with_bound(product, rows.len()));
            product = if before.is_some() { rows.len() as u64 * radix } else { product * radix };
            is_narrow &= before.is_none() && product <= u64::from(u32::MAX);
            prepared.push(KeyColumn { codes, radix, before });
        }
        Self { keys: prepared, bins, end: product, is_narrow, row_count: rows.len() }
    }

    /// Whether all integers fit 32 bits.
    pub fn is_narrow(&self) -> bool {
        self.is_narrow
    }

    /// What the integers say for all rows of a table, `None` where they only say it for the slice.
    pub fn layout(&self, table: usize) -> Option<GroupCodeLayout> {
        let key = |key: &KeyColumn<'_>| match (&key.codes, &key.before) {
            (KeyEncoding::Near { base, .. }, None) => Some((*base, key.radix)),
            (KeyEncoding::Codes(_), None) => Some((0, key.radix)),
            (KeyEncoding::Near { .. } | KeyEncoding::Codes(_), Some(_))
            | (KeyEncoding::Far { .. } | KeyEncoding::DictionaryColumn(_) | KeyEncoding::Texts(_), _) => None,
        };
        Some(GroupCodeLayout { table, bins: self.bins.clone(), keys: self.keys.iter().map(key).collect::<Option<_>>()? })
    }

    /// DenseIds for the integers, none of which has one yet.
    pub fn new_ids(&self) -> DenseIds {
        DenseIds::with_bound(self.end, self.row_count)
    }

    /// Turns the bins of rows, counted from the first one, into their integers; no bins stand for the first one alone.
    pub fn replace_with_ids<P: GroupCode>(&mut self, rows: &[u32], bins: &mut Vec<P>, texts: &mut [TextIds]) {
        for (key, texts) in self.keys.iter_mut().zip(texts) {
            if let Some(before) = &mut key.before {
                before.replace_with_ids(bins);
            }
            key.codes.append(key.radix, rows, bins, texts);
        }
    }

    /// The bin and the keys of each integer, texts by number, one after the other.
    pub fn into_keys(self, integers: &[u64], texts: &mut [TextIds]) -> Vec<i64> {
        let stride = 1 + self.keys.len();
        let mut rests = integers.to_vec();
        let mut keys = vec![0; stride * rests.len()];
        for (number, (mut key, texts)) in self.keys.into_iter().zip(texts).enumerate().rev() {
            // A quotient and its rest are one division where they are worked out together.
            let code = |rest: &mut u64| {
                let code = *rest % key.radix;
                *rest /= key.radix;
                code
            };
            let codes: Vec<u64> = rests.iter_mut().map(code).collect();
            let column = keys.iter_mut().skip(1 + number).step_by(stride);
            key.codes.put_values(&codes, column, texts);
            if let Some(before) = &key.before {
                rests.iter_mut().for_each(|rest| *rest = before.values()[*rest as usize]);
            }
        }
        keys.iter_mut().step_by(stride).zip(rests).for_each(|(bin, rest)| *bin = (self.bins.start as u64 + rest) as i64);
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
    known: Vec<u32>,
}

impl<'a> IdsByCode<'a> {
    fn new(column: DictionaryColumn<'a>) -> Self {
        let mut known = vec![UNSEEN; column.entries.count() + 1];
        // An absent text.
        known[0] = 0;
        Self { column, known }
    }

    #[inline]
    fn get(&mut self, place: usize, texts: &mut TextIds) -> u32 {
        if self.known[place] == UNSEEN {
            self.known[place] = texts.id(self.column.entries.get(place - 1));
        }
        self.known[place]
    }
}

impl<'a> KeyEncoding<'a> {
    /// The codes of a column and their radix.
    fn new(column: Column<'a>, texts: &TextIds, rows: &Range<usize>) -> (Self, u64) {
        let row_count = rows.len();
        let text_count = |added: usize| (texts.count() + added.min(row_count)) as u64;
        match column {
            Column::DictionaryColumn(column) if column.has_distinct_codes() => {
                (Self::Codes(IdsByCode::new(column)), column.entries.count() as u64 + 1)
            }
            Column::DictionaryColumn(column) => {
                (Self::DictionaryColumn(IdsByCode::new(column)), text_count(column.entries.count()))
            }
            Column::Text(column) => (Self::Texts(column), text_count(row_count)),
            Column::Int { values, stats, default } => near(values, stats, rows, default).unwrap_or_else(|| {
                let value = move |row| if values.get(row) == ABSENT { default } else { values.get(row) };
                far(Box::new(value), row_count)
            }),
            Column::Duration(durations) => far(Box::new(move |row| durations.get(row).1), row_count),
        }
    }

    /// Multiplies by the radix and adds the code of each row.
    fn append<P: GroupCode>(&mut self, radix: u64, rows: &[u32], codes_of_rows: &mut Vec<P>, texts: &mut TextIds) {
        match self {
            &mut Self::Near { values, base, absent } => with_int_values!(
                values,
                values => append(radix, rows, codes_of_rows, values, |value| near_code(value.to_i64(), value.is_absent(), base, absent)),
                append_each(radix, codes_of_rows, rows.iter().map(|_| absent))
            ),
            Self::Far { value, numbers } => {
                let mut codes: Vec<u64> = rows.iter().map(|&row| value(row as usize) as u64).collect();
                numbers.replace_with_ids(&mut codes);
                append_each(radix, codes_of_rows, codes.into_iter());
            }
            Self::Codes(numbers) => with_codes!(
                numbers.column.codes,
                codes => append(radix, rows, codes_of_rows, codes, |code| code.one_based() as u64),
                append_each(radix, codes_of_rows, rows.iter().map(|_| 0))
            ),
            Self::DictionaryColumn(numbers) => with_codes!(
                numbers.column.codes,
                codes => append(radix, rows, codes_of_rows, codes, |code| u64::from(numbers.get(code.one_based(), texts))),
                append_each(radix, codes_of_rows, rows.iter().map(|_| 0))
            ),
            Self::Texts(column) => {
                append_each(radix, codes_of_rows, rows.iter().map(|&row| u64::from(texts.id(column.get(row as usize)))));
            }
        }
    }

    /// Puts the values of codes, of a text its number.
    fn put_values<'v>(&mut self, codes: &[u64], values: impl Iterator<Item = &'v mut i64>, texts: &mut TextIds) {
        let pairs = values.zip(codes.iter().copied());
        match self {
            Self::Codes(numbers) => pairs.for_each(|(value, code)| *value = i64::from(numbers.get(code as usize, texts))),
            Self::Near { base, .. } => {
                pairs.for_each(|(value, code)| *value = if code == 0 { ABSENT } else { *base + code as i64 });
            }
            Self::Far { numbers, .. } => pairs.for_each(|(value, code)| *value = numbers.values()[code as usize] as i64),
            Self::DictionaryColumn(_) | Self::Texts(_) => pairs.for_each(|(value, code)| *value = code as i64),
        }
    }
}

const UNSEEN: u32 = u32::MAX;

/// Integers within a short range, with their radix. Code 0 is left to absent ones, unless these count as another value.
fn near<'a>(values: IntValues<'a>, stats: ColumnStats, rows: &Range<usize>, default: i64) -> Option<(KeyEncoding<'a>, u64)> {
    let default_range = (default != ABSENT).then_some((default, default));
    let is_close = stats.high.checked_sub(stats.low).is_some_and(|span| span < CLOSE_SPAN);
    let range = if is_close && stats.low <= stats.high { Some((stats.low, stats.high)) } else { values.range(rows.clone()) };
    let ranges = range.into_iter().chain(default_range);
    let (low, high) = ranges.reduce(|(low, high), (from, to)| (low.min(from), high.max(to))).unwrap_or((0, -1));
    let (base, span) = (low.checked_sub(1)?, high.checked_sub(low)?);
    let absent = if default == ABSENT { 0 } else { (default - base) as u64 };
    (span < SPAN_MAX).then(|| (KeyEncoding::Near { values, base, absent }, (span + 2) as u64))
}

fn far<'a>(value: Box<dyn Fn(usize) -> i64 + 'a>, row_count: usize) -> (KeyEncoding<'a>, u64) {
    (KeyEncoding::Far { value, numbers: DenseIds::with_bound(u64::MAX, row_count) }, row_count as u64)
}

/// Code of a value; a choice without a branch, as absent values may come at any time.
#[inline]
fn near_code(value: i64, is_absent: bool, base: i64, absent: u64) -> u64 {
    let code = value.wrapping_sub(base) as u64;
    if is_absent { absent } else { code }
}

/// Multiplies by the radix and adds the code of each row's value.
#[inline]
fn append<T: Copy, P: GroupCode>(
    radix: u64, rows: &[u32], codes_of_rows: &mut Vec<P>, values: &[T], mut code: impl FnMut(T) -> u64,
) {
    if let Some(run) = contiguous_range(rows) {
        append_each(radix, codes_of_rows, values[run].iter().map(|&value| code(value)));
    } else {
        append_each(radix, codes_of_rows, rows.iter().map(|&row| code(values[row as usize])));
    }
}

/// Multiplies by the radix and adds the code; no codes_of_rows are as many zeros.
#[inline]
fn append_each<P: GroupCode>(radix: u64, codes_of_rows: &mut Vec<P>, codes: impl Iterator<Item = u64>) {
    if codes_of_rows.is_empty() {
        codes_of_rows.extend(codes.map(P::of));
    } else {
        let radix = P::of(radix);
        codes_of_rows.iter_mut().zip(codes).for_each(|(place, code)| *place = place.followed_by(radix, P::of(code)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::integer::UNKNOWN_STATS;

    /// The keys that come back for the values of two columns, whether the integers are narrow, and the greatest of them.
    fn there_and_back<P: GroupCode>(values: [[i64; 2]; 2]) -> (Vec<i64>, bool, u64) {
        let column = |values| Column::Int { values: IntValues::I64(values), stats: UNKNOWN_STATS, default: ABSENT };
        let (keys, mut texts) = ([column(&values[0]), column(&values[1])], [TextIds::default(), TextIds::default()]);
        let mut encoder = GroupKeyEncoder::new(&keys, &texts, 0..1, &(0..2));
        let (is_narrow, mut codes_of_rows) = (encoder.is_narrow(), Vec::<P>::new());
        encoder.replace_with_ids(&[0, 1], &mut codes_of_rows, &mut texts);
        let codes_of_rows: Vec<u64> = codes_of_rows.into_iter().map(GroupCode::wide).collect();
        (encoder.into_keys(&codes_of_rows, &mut texts), is_narrow, codes_of_rows[1])
    }

    #[test]
    fn integers_are_narrow_as_long_as_they_fit() {
        // The radix of a key is two more than its span.
        let [fits, does_not] = [[[0, 0xfffd], [0, 0xffff]], [[0, 0xfffd], [0, 0x1_0000]]];
        let greatest = u64::from(u32::MAX);
        assert_eq!(there_and_back::<u32>(fits), (vec![0, 0, 0, 0, 0xfffd, 0xffff], true, greatest - 1));
        assert_eq!(there_and_back::<u64>(does_not), (vec![0, 0, 0, 0, 0xfffd, 0x1_0000], false, greatest + 0xfffe));
    }
}
