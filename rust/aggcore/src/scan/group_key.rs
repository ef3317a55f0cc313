//! Group keys of one slice: the bin and the keys of a row become one integer, its *packed group code*.
//!
//! The code is a mixed-radix number. The bin is the first digit; each key column appends a digit below its
//! *radix*: `code = code · radix + digit`. Rows are then grouped by an integer that is computed column by
//! column, and the keys themselves are decoded once per group instead of once per row.
//!
//! The digit of a value is, by column (see [`KeyEncoding`]):
//! - its offset from a base, if the values are integers that lie close together (frame-of-reference
//!   encoding);
//! - a dense id, if they are other integers;
//! - its dictionary code, if no two codes stand for the same text;
//! - the id of the text, otherwise.
//!
//! Where the next radix would take the code beyond 64 bits, the codes of the rows are first replaced by dense
//! ids, which are below the number of rows. So the code always fits.
//!
//! Two slices have the same [`GroupCodeLayout`] if a code stands for the same bin and keys in both.

use std::ops::Range;

use super::ScanResources;
use super::column::Column;
use super::dense_ids::{DenseIds, GroupCode, TextIds};
use super::selection::CHUNK_ROWS;
use crate::cancellation::CancelToken;
use crate::columns::dictionary::{CodeWidth, DictionaryColumn, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntValues, IntWidth, with_int_values};
use crate::columns::slice::contiguous_range;
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;

/// Span (greatest minus least value) of an integer column from which its digits are dense ids instead of
/// offsets. The bound keeps a row count (below 2^32) times a radix within 64 bits.
const OFFSET_SPAN_BOUND: i64 = 1 << 31;

/// Encodes the bin and the keys of the rows of one slice as packed group codes.
pub struct GroupKeyEncoder<'a> {
    keys: Vec<KeyColumn<'a>>,
    /// The bins that the rows fall into.
    bins: Range<usize>,
    /// Bound (exclusive) of the codes.
    code_bound: u64,
    /// Whether the codes fit 32 bits after each digit.
    fits_u32: bool,
    row_count: usize,
    resources: &'a ScanResources,
}

/// The meaning of packed group codes. Codes of equal layouts stand for the same bin and keys, even if they
/// come from different slices.
#[derive(PartialEq, Eq)]
pub struct GroupCodeLayout {
    /// The memtable of the slice. Its slices share dictionaries, so a dictionary code means the same in all
    /// of them.
    memtable: usize,
    bins: Range<usize>,
    /// Base and radix of each key; the base is 0 for dictionary codes.
    keys: Vec<(i64, u64)>,
}

/// One key column of a slice.
struct KeyColumn<'a> {
    encoding: KeyEncoding<'a>,
    /// Bound (exclusive) of the digits.
    radix: u64,
    /// Dense ids of the codes made of the bin and the keys before this one, if the code would not fit 64 bits
    /// otherwise.
    prefix_ids: Option<DenseIds>,
}

/// How the values of a key column become digits.
enum KeyEncoding<'a> {
    /// Integers in a short range: the offset from `base`, which is one below the least value, so that 0 is
    /// left for absent values. `absent_digit` is 0, or the digit of the default value of the column.
    Offset { values: IntValues<'a>, base: i64, absent_digit: u64 },
    /// Integers in a wide range: dense ids.
    DenseInts { value: Box<dyn Fn(usize) -> i64 + 'a>, ids: DenseIds },
    /// Dictionary-encoded texts with distinct codes: the code + 1, 0 if absent. Decoding looks up the text
    /// id.
    Codes(IdsByCode<'a>),
    /// Dictionary-encoded texts that several codes may stand for: the text id.
    DictionaryIds(IdsByCode<'a>),
    /// Texts without a dictionary: the text id.
    TextIds(&'a dyn Texts),
}

impl<'a> GroupKeyEncoder<'a> {
    /// Chooses the encoding of each key column for the rows of a slice, which fall into `bins`. `texts` has
    /// the text ids of each key, which all slices of the scan share.
    pub fn new(
        keys: &[Column<'a>], texts: &[TextIds], bins: Range<usize>, rows: &Range<usize>, resources: &'a ScanResources,
    ) -> Self {
        let mut product = bins.len() as u64;
        let mut fits_u32 = true;
        let mut prepared = Vec::with_capacity(keys.len());
        for (column, texts) in keys.iter().zip(texts) {
            let (encoding, radix) = KeyEncoding::new(*column, texts, rows, resources);
            let prefix_ids = product.checked_mul(radix).is_none().then(|| resources.dense_ids(product, rows.len()));
            product = if prefix_ids.is_some() { rows.len() as u64 * radix } else { product * radix };
            fits_u32 &= prefix_ids.is_none() && product <= u64::from(u32::MAX);
            prepared.push(KeyColumn { encoding, radix, prefix_ids });
        }
        Self { keys: prepared, bins, code_bound: product, fits_u32, row_count: rows.len(), resources }
    }

    /// Whether [`GroupKeyEncoder::encode`] may use `u32`.
    pub fn fits_u32(&self) -> bool {
        self.fits_u32
    }

    /// The layout of the codes, to compare with that of other slices of the memtable `memtable`. `None` if a
    /// digit is an id, whose meaning or radix differs from slice to slice.
    pub fn layout(&self, memtable: usize) -> Option<GroupCodeLayout> {
        let key = |key: &KeyColumn<'_>| match (&key.encoding, &key.prefix_ids) {
            (KeyEncoding::Offset { base, .. }, None) => Some((*base, key.radix)),
            (KeyEncoding::Codes(_), None) => Some((0, key.radix)),
            (KeyEncoding::Offset { .. } | KeyEncoding::Codes(_), Some(_))
            | (KeyEncoding::DenseInts { .. } | KeyEncoding::DictionaryIds(_) | KeyEncoding::TextIds(_), _) => None,
        };
        Some(GroupCodeLayout { memtable, bins: self.bins.clone(), keys: self.keys.iter().map(key).collect::<Option<_>>()? })
    }

    /// An empty table of dense ids for the codes.
    pub fn new_ids(&self) -> DenseIds {
        self.resources.dense_ids(self.code_bound, self.row_count)
    }

    /// Turns the bins of rows into their packed group codes, in place. Bins count from the first one of the
    /// encoder. If `packed` is empty, all rows are in the first bin.
    pub fn encode<P: GroupCode>(&mut self, rows: &[u32], packed: &mut Vec<P>, texts: &mut [TextIds]) {
        for (key, texts) in self.keys.iter_mut().zip(texts) {
            if let Some(prefix_ids) = &mut key.prefix_ids {
                prefix_ids.replace_with_ids(packed);
            }
            key.encoding.push_digits(key.radix, rows, packed, texts);
        }
    }

    /// Bytes of memory that the encoder takes.
    pub fn bytes(&self) -> usize {
        let prefix_bytes = |key: &KeyColumn<'_>| key.prefix_ids.as_ref().map_or(0, DenseIds::bytes);
        self.keys.iter().map(|key| key.encoding.bytes() + prefix_bytes(key)).sum()
    }

    /// Returns the bin and the keys of each code, one code after the other. A text is given by its id.
    ///
    /// # Errors
    /// As [`CancelToken::check`].
    pub fn decode(mut self, packed: &[u64], texts: &mut [TextIds], cancel: &CancelToken) -> Result<Vec<i64>> {
        let key_width = 1 + self.keys.len();
        let mut keys = vec![0; key_width * packed.len()];
        for (codes, keys) in packed.chunks(CHUNK_ROWS).zip(keys.chunks_mut(CHUNK_ROWS * key_width)) {
            cancel.check()?;
            self.decode_chunk(codes, keys, texts);
        }
        Ok(keys)
    }

    /// Writes the bin and the keys of each code.
    fn decode_chunk(&mut self, codes: &[u64], keys: &mut [i64], texts: &mut [TextIds]) {
        let key_width = 1 + self.keys.len();
        let mut quotients = codes.to_vec();
        for (number, (key, texts)) in self.keys.iter_mut().zip(texts).enumerate().rev() {
            // Quotient and remainder side by side compile to one division.
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
        for (bin, quotient) in keys.iter_mut().step_by(key_width).zip(quotients) {
            *bin = (self.bins.start as u64 + quotient) as i64;
        }
    }
}

/// Checks the cell limit of a scan.
///
/// # Errors
/// `CellLimit` if `cell_count` exceeds `allowed`.
pub fn check_cell_count(cell_count: usize, allowed: usize) -> Result<()> {
    if cell_count > allowed { Err(Error::CellLimit { asked: allowed + 1, allowed }) } else { Ok(()) }
}

/// Text ids by dictionary code, memoized: a text is interned when the first row or group has its code.
struct IdsByCode<'a> {
    column: DictionaryColumn<'a>,
    /// Text ids by code + 1, [`NO_ID`] until they are looked up.
    ids: Vec<u32>,
}

impl<'a> IdsByCode<'a> {
    fn new(column: DictionaryColumn<'a>) -> Self {
        let mut ids = vec![NO_ID; column.entries.count() + 1];
        // The absent text.
        ids[0] = 0;
        Self { column, ids }
    }

    /// The text id of a code, given as code + 1.
    #[inline]
    fn get(&mut self, code_plus_one: usize, texts: &mut TextIds) -> u32 {
        if self.ids[code_plus_one] == NO_ID {
            self.ids[code_plus_one] = texts.id(self.column.entries.get(code_plus_one - 1));
        }
        self.ids[code_plus_one]
    }
}

impl<'a> KeyEncoding<'a> {
    /// Returns the encoding of a key column and its radix.
    fn new(column: Column<'a>, texts: &TextIds, rows: &Range<usize>, resources: &ScanResources) -> (Self, u64) {
        let (row_count, stats_span_max) = (rows.len(), resources.tuning.offset_stats_span_max);
        // Ids that the scan has given so far, and those that the slice may add.
        let text_radix = |added: usize| (texts.count() + added.min(row_count)) as u64;
        match column {
            Column::Dictionary(column) if column.has_distinct_codes() => {
                (Self::Codes(IdsByCode::new(column)), column.entries.count() as u64 + 1)
            }
            Column::Dictionary(column) => (Self::DictionaryIds(IdsByCode::new(column)), text_radix(column.entries.count())),
            Column::Text(column) => (Self::TextIds(column), text_radix(row_count)),
            Column::Int { values, stats, default } => offset_encoding(values, stats, rows, default, stats_span_max)
                .unwrap_or_else(|| {
                    let value = move |row| if values.get(row) == ABSENT { default } else { values.get(row) };
                    dense_encoding(Box::new(value), row_count, resources)
                }),
            Column::Duration(durations) => dense_encoding(Box::new(move |row| durations.get(row).1), row_count, resources),
        }
    }

    /// Bytes of memory that the encoding takes, apart from the columns of the slice.
    fn bytes(&self) -> usize {
        match self {
            Self::Codes(ids) | Self::DictionaryIds(ids) => ids.ids.capacity() * size_of::<u32>(),
            Self::DenseInts { ids, .. } => ids.bytes(),
            Self::Offset { .. } | Self::TextIds(_) => 0,
        }
    }

    /// Appends the digit of each row to its code.
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

    /// Writes the value of each digit; for a text, its id.
    fn decode<'v>(&mut self, digits: &[u64], values: impl Iterator<Item = &'v mut i64>, texts: &mut TextIds) {
        let pairs = values.zip(digits.iter().copied());
        match self {
            Self::Codes(ids) => {
                texts.reserve(digits.len().min(ids.ids.len()));
                pairs.for_each(|(value, digit)| *value = i64::from(ids.get(digit as usize, texts)));
            }
            Self::Offset { base, .. } => {
                pairs.for_each(|(value, digit)| *value = if digit == 0 { ABSENT } else { *base + digit as i64 });
            }
            Self::DenseInts { ids, .. } => pairs.for_each(|(value, digit)| *value = ids.values()[digit as usize] as i64),
            Self::DictionaryIds(_) | Self::TextIds(_) => pairs.for_each(|(value, digit)| *value = digit as i64),
        }
    }
}

/// Marks a code of [`IdsByCode`] whose text has not been looked up.
const NO_ID: u32 = u32::MAX;

/// Offset encoding of an integer column and its radix, or `None` if the values spread over
/// [`OFFSET_SPAN_BOUND`] or more.
fn offset_encoding<'a>(
    values: IntValues<'a>, stats: ColumnStats, rows: &Range<usize>, default: i64, stats_span_max: usize,
) -> Option<(KeyEncoding<'a>, u64)> {
    let default_range = (default != ABSENT).then_some((default, default));
    let stats_suffice = stats.high.checked_sub(stats.low).is_some_and(|span| span < stats_span_max as i64);
    let range = if stats_suffice && stats.low <= stats.high { Some((stats.low, stats.high)) } else { values.range(rows.clone()) };
    let ranges = range.into_iter().chain(default_range);
    let (low, high) = ranges.reduce(|(low, high), (from, to)| (low.min(from), high.max(to))).unwrap_or((0, -1));
    let (base, span) = (low.checked_sub(1)?, high.checked_sub(low)?);
    let absent_digit = if default == ABSENT { 0 } else { (default - base) as u64 };
    (span < OFFSET_SPAN_BOUND).then(|| (KeyEncoding::Offset { values, base, absent_digit }, (span + 2) as u64))
}

/// Dense-id encoding of integers. Its radix is the number of rows, the bound of their distinct values.
fn dense_encoding<'a>(
    value: Box<dyn Fn(usize) -> i64 + 'a>, row_count: usize, resources: &ScanResources,
) -> (KeyEncoding<'a>, u64) {
    (KeyEncoding::DenseInts { value, ids: resources.dense_ids(u64::MAX, row_count) }, row_count as u64)
}

/// The digit of a value. Computes the offset of an absent value too, so that the choice compiles to a
/// conditional move: whether a value is absent is unpredictable.
#[inline]
fn offset_digit(value: i64, is_absent: bool, base: i64, absent_digit: u64) -> u64 {
    let offset = value.wrapping_sub(base) as u64;
    if is_absent { absent_digit } else { offset }
}

/// Appends the digit of each row's value to its code. Contiguous rows are read as a slice, without an index
/// per row.
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

/// Appends a digit to each code. An empty `packed` stands for codes of 0.
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
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;
    use crate::columns::integer::UNKNOWN_STATS;

    /// Encodes and decodes two rows of two integer columns. Returns the keys, whether the codes fit 32 bits,
    /// and the code of the second row.
    fn encode_and_decode<P: GroupCode>(values: [[i64; 2]; 2]) -> (Vec<i64>, bool, u64) {
        let column = |values| Column::Int { values: IntValues::I64(values), stats: UNKNOWN_STATS, default: ABSENT };
        let (keys, mut texts) = ([column(&values[0]), column(&values[1])], [TextIds::default(), TextIds::default()]);
        let resources = ScanResources::default();
        let mut encoder = GroupKeyEncoder::new(&keys, &texts, 0..1, &(0..2), &resources);
        let (fits_u32, mut codes) = (encoder.fits_u32(), Vec::<P>::new());
        encoder.encode(&[0, 1], &mut codes, &mut texts);
        let codes: Vec<u64> = codes.into_iter().map(GroupCode::wide).collect();
        let keys = encoder.decode(&codes, &mut texts, &CancelToken::with_limit(None)).unwrap();
        (keys, fits_u32, codes[1])
    }

    #[test]
    fn codes_are_of_32_bits_as_long_as_they_fit() {
        // The radix of a key is its span plus 2: one for the least value, one for absent values.
        let [fits, does_not] = [[[0, 0xfffd], [0, 0xffff]], [[0, 0xfffd], [0, 0x1_0000]]];
        let greatest = u64::from(u32::MAX);
        assert_eq!(encode_and_decode::<u32>(fits), (vec![0, 0, 0, 0, 0xfffd, 0xffff], true, greatest - 1));
        assert_eq!(encode_and_decode::<u64>(does_not), (vec![0, 0, 0, 0, 0xfffd, 0x1_0000], false, greatest + 0xfffe));
    }
}
