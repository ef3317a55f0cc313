//! Active sessions: rows by group key, sorted and limited, with subtotals and a total.
//!
//! The scan returns a cell per group key, and each cell is a row. With a rollup, as SQL's `GROUP BY ROLLUP`
//! has it, level n adds a subtotal for each distinct value of the first n key fields, from level 1 to one
//! below the number of key fields. The total is level 0. Subtotals and the total cover all rows, also those
//! beyond the limit.
//!
//! Until a row is written it is a cell number and sums ([`ActiveRows`]): texts and times are read from the scan's
//! columns once, for the rows within the limit.

use std::borrow::Cow;

use super::answer::{AnswerLimits, AnswerWriter};
use super::rollup::{ActiveRows, GroupLevels};
use super::sort::first_rows;
use super::sort_keys::{KeyColumn, SortColumn, SortOrder, SortValues};
use super::tags::{active_session_row as row_tags, query_active_sessions_response as response_tags};
use super::wire_writer::{put_bytes, put_int64};
use crate::error::{Error, Result};
use crate::record::schema::{self, ABSENT};
use crate::scan::sums::{Sums, add};
use crate::scan::{KeyValues, Partials, ScanResources};
use crate::time_text::UtcOffsets;

/// Estimated bytes of a row, by which the buffer grows at once.
const ROW_BYTES_ESTIMATE: usize = 32;
/// Bytes of a row at least: the key and length of an empty message.
const ROW_BYTES_MIN: usize = 2;

/// A field to sort by, and its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    /// One of [`ActiveOptions::fields`], or `quantity` or `duration`.
    pub name: String,
    /// Whether the greatest value comes first. Absent values come last in both directions.
    pub descending: bool,
}

/// The request for active sessions, as far as the response depends on it.
pub struct ActiveOptions<'a> {
    /// Names of the fields to return. All but `quantity` and `duration` are the key columns of the scan, in
    /// order.
    pub fields: &'a [String],
    /// The order of rows; rows that are equal in all terms are sorted by their key, ascending.
    pub order: &'a [OrderTerm],
    /// Maximum number of rows; `None` returns all.
    pub limit: Option<usize>,
    /// Whether to add subtotals and the total.
    pub rollup: bool,
    /// Subtotals that the answer may have.
    pub subtotal_count_max: usize,
    /// Offsets of the zone in which times print.
    pub offsets: UtcOffsets<'a>,
    /// What the scans of the store share.
    pub resources: &'a ScanResources,
}

/// A value that rows are sorted by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SortTarget {
    /// A key field, by its index among the key fields.
    Key(usize),
    Quantity,
    Duration,
}

struct SortTerm {
    target: SortTarget,
    descending: bool,
}

/// A field to write, and the source of its value.
struct RowField<'a> {
    tag: u32,
    source: FieldSource<'a>,
}

enum FieldSource<'a> {
    /// A key column by cell, and its index among the key fields.
    Key {
        index: usize,
        values: &'a KeyValues,
        is_time: bool,
    },
    Quantity,
    Duration,
}

/// Returns a `QueryActiveSessionsResponse` with rows, subtotals, total and row count, encoded.
///
/// # Errors
/// - `Unknown` if a field is not one that a request may name, or an order term is neither among the key fields nor
///   `quantity` or `duration`.
/// - `InvalidPartials` if the partials are not of one bin, or their keys not those of the fields.
/// - `SumOverflow`, `SubtotalLimit`, `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
pub fn build_active_response(partials: &Partials, options: &ActiveOptions<'_>, limits: AnswerLimits<'_>) -> Result<Vec<u8>> {
    partials.check(1)?;
    let (terms, fields) = (sort_terms(options)?, row_fields(partials, options)?);
    let keys: Vec<_> = partials.keys.iter().map(KeyColumn::new).collect();
    let order = RowOrder { keys: &keys, terms: &terms, limits };
    let row_count = partials.sums.len();
    let _held = limits.memory.reserve(row_count * size_of::<u32>())?;
    // The cell limit of a scan is far below 2^32, so the cast is exact.
    let rows = ActiveRows { cells: (0..row_count as u32).collect(), sums: Cow::Borrowed(&partials.sums) };
    let mut out = ResponseWriter { offsets: &options.offsets, fields: &fields, answer: AnswerWriter::new(limits) };
    let first = options.limit.unwrap_or(usize::MAX);
    out.answer.expect_messages(row_count.min(first), ROW_BYTES_MIN, ROW_BYTES_ESTIMATE)?;
    out.put_rows(response_tags::ROWS, &rows, &order.first(&rows, partials.keys.len(), first)?, partials.keys.len())?;
    if options.rollup {
        put_rollup(&rows, &partials.keys, &order, options, &mut out)?;
    }
    out.answer.put_fields(|out| put_int64(response_tags::ROW_COUNT, row_count as i64, out));
    out.answer.finish()
}

/// Appends the subtotals, by level ascending, and the total, which is present even without rows.
fn put_rollup(
    rows: &ActiveRows<'_>, keys: &[KeyValues], order: &RowOrder<'_>, options: &ActiveOptions<'_>, out: &mut ResponseWriter<'_>,
) -> Result<()> {
    let mut levels = GroupLevels::new(rows, options.resources, order.limits)?;
    let mut subtotal_count = 0;
    for (level, key) in (1..keys.len()).zip(keys) {
        let group_count = levels.refine(key)?;
        subtotal_count += group_count;
        if subtotal_count > options.subtotal_count_max {
            return Err(Error::SubtotalLimit { asked: subtotal_count, allowed: options.subtotal_count_max });
        }
        out.answer.expect_messages(group_count, ROW_BYTES_MIN, ROW_BYTES_ESTIMATE)?;
        let _held = order.limits.memory.reserve(group_count * size_of::<(u32, Sums)>())?;
        let subtotals = levels.sums()?;
        out.put_rows(response_tags::SUBTOTALS, &subtotals, &order.first(&subtotals, level, usize::MAX)?, level)?;
    }
    let mut total = Sums::default();
    rows.sums.iter().try_for_each(|&sums| add(&mut total, sums))?;
    out.put_rows(response_tags::TOTAL, &ActiveRows { cells: vec![0], sums: Cow::Owned(vec![total]) }, &[0], 0)
}

fn sort_terms(options: &ActiveOptions<'_>) -> Result<Vec<SortTerm>> {
    let keys: Vec<&String> = options.fields.iter().filter(|name| is_key(name)).collect();
    let target = |name: &String| match name.as_str() {
        "quantity" => Ok(SortTarget::Quantity),
        "duration" => Ok(SortTarget::Duration),
        _ => match keys.iter().position(|key| *key == name) {
            Some(index) => Ok(SortTarget::Key(index)),
            None => Err(Error::Unknown { what: "order field", name: name.clone() }),
        },
    };
    let term = |term: &OrderTerm| Ok(SortTerm { target: target(&term.name)?, descending: term.descending });
    options.order.iter().map(term).collect()
}

fn is_key(name: &str) -> bool {
    name != "quantity" && name != "duration"
}

fn row_fields<'a>(partials: &'a Partials, options: &ActiveOptions<'_>) -> Result<Vec<RowField<'a>>> {
    let unknown = |name: &String| Error::Unknown { what: "field", name: name.clone() };
    let mut keys = partials.keys.iter().enumerate();
    let field = |name: &String| {
        let tag = tag_of(name).ok_or_else(|| unknown(name))?;
        let source = match name.as_str() {
            "quantity" => FieldSource::Quantity,
            "duration" => FieldSource::Duration,
            _ => {
                let (index, values) = keys.next().ok_or_else(|| unknown(name))?;
                check_type(name, values)?;
                FieldSource::Key { index, values, is_time: name.ends_with("_time") }
            }
        };
        Ok(RowField { tag, source })
    };
    let fields = options.fields.iter().map(field).collect::<Result<_>>()?;
    match keys.count() {
        0 => Ok(fields),
        more => Err(Error::InvalidPartials(format!("there are {more} keys more than fields to return"))),
    }
}

/// Checks that a key has texts if its field is a text, otherwise integers.
fn check_type(name: &str, values: &KeyValues) -> Result<()> {
    let is_text = schema::field(name).is_some_and(schema::Field::is_string);
    if is_text == matches!(values, KeyValues::Texts { .. }) {
        return Ok(());
    }
    let expected = if is_text { "texts" } else { "integers" };
    Err(Error::InvalidPartials(format!("the values of key {name} are not {expected}")))
}

/// Returns the tag of a field that a request may name: any but `level`, which the core sets.
fn tag_of(name: &str) -> Option<u32> {
    let (_, tag) = row_tags::FIELDS.iter().find(|(field, _)| *field == name)?;
    (*tag != row_tags::LEVEL).then_some(*tag)
}

/// The order of rows: by the order terms, then by all other key fields, ascending.
struct RowOrder<'a> {
    keys: &'a [KeyColumn<'a>],
    terms: &'a [SortTerm],
    limits: AnswerLimits<'a>,
}

impl RowOrder<'_> {
    /// Returns the first `limit` rows of a level that has the first `key_count` key fields. Terms on key fields that the
    /// level has rolled up are skipped.
    fn first(&self, rows: &ActiveRows<'_>, key_count: usize, limit: usize) -> Result<Vec<u32>> {
        let is_rolled_up = |target: SortTarget| matches!(target, SortTarget::Key(index) if index >= key_count);
        let terms = self.terms.iter().filter(|term| !is_rolled_up(term.target));
        let mut columns: Vec<SortColumn<'_>> = terms.map(|term| self.column(rows, term)).collect();
        let ties = (0..key_count).map(SortTarget::Key).filter(|tie| self.terms.iter().all(|term| term.target != *tie));
        columns.extend(ties.map(|target| self.column(rows, &SortTerm { target, descending: false })));
        first_rows(rows.cells.len(), &columns, limit, self.limits)
    }

    fn column<'r>(&'r self, rows: &'r ActiveRows<'_>, term: &SortTerm) -> SortColumn<'r> {
        let values = match term.target {
            SortTarget::Quantity => SortValues::Ints(Box::new(|row| rows.sums[row as usize][0])),
            SortTarget::Duration => SortValues::Ints(Box::new(|row| duration_s(&rows.sums[row as usize]))),
            SortTarget::Key(index) => self.keys[index].by_row(|row| rows.cells[row as usize] as usize),
        };
        SortColumn::new(values, if term.descending { SortOrder::Descending } else { SortOrder::Ascending })
    }
}

/// Returns the duration of a row in whole seconds: milliseconds are added up first and rounded down once.
fn duration_s(sums: &Sums) -> i64 {
    sums[1].div_euclid(1_000)
}

/// The response under construction.
struct ResponseWriter<'a> {
    offsets: &'a UtcOffsets<'a>,
    fields: &'a [RowField<'a>],
    answer: AnswerWriter<'a>,
}

impl ResponseWriter<'_> {
    /// Appends rows of a level: with its first `level` key fields, without those that are rolled up.
    fn put_rows(&mut self, tag: u32, rows: &ActiveRows<'_>, order: &[u32], level: usize) -> Result<()> {
        let (fields, offsets) = (self.fields, self.offsets);
        for &row in order {
            let (cell, sums) = (rows.cells[row as usize] as usize, &rows.sums[row as usize]);
            self.answer.put_message(tag, |out| {
                fields.iter().for_each(|field| field.put(cell, sums, level, offsets, out));
                if tag == response_tags::SUBTOTALS {
                    put_int64(row_tags::LEVEL, level as i64, out);
                }
            })?;
        }
        Ok(())
    }
}

impl RowField<'_> {
    /// Appends the field of a row, with the key of `cell`. Omits absent values and key fields from `level`
    /// on.
    fn put(&self, cell: usize, sums: &Sums, level: usize, offsets: &UtcOffsets<'_>, out: &mut Vec<u8>) {
        match &self.source {
            FieldSource::Quantity => put_int64(self.tag, sums[0], out),
            FieldSource::Duration => put_int64(self.tag, duration_s(sums), out),
            FieldSource::Key { index, .. } if *index >= level => {}
            FieldSource::Key { values: KeyValues::Ints(values), .. } if values[cell] == ABSENT => {}
            FieldSource::Key { values: KeyValues::Ints(values), is_time: true, .. } => {
                put_bytes(self.tag, offsets.rfc3339(values[cell]).as_bytes(), out);
            }
            FieldSource::Key { values: KeyValues::Ints(values), .. } => put_int64(self.tag, values[cell], out),
            FieldSource::Key { values, .. } => match values.text(cell) {
                "" => {}
                text => put_bytes(self.tag, text.as_bytes(), out),
            },
        }
    }
}
