//! Active sessions: rows by group key, sorted and limited, with subtotals and a total.
//!
//! The scan returns a cell per group key, and each cell is a row. With a rollup, as SQL's `GROUP BY ROLLUP`
//! has it, level n adds a subtotal for each distinct value of the first n key fields, from level 1 to one
//! below the number of key fields. The total is level 0. Subtotals and the total cover all rows, also those
//! beyond the limit.
//!
//! Each level splits the groups of the level before it by one more key field, on integers
//! ([`refine_group_ids`]). Until a row is written it is a cell number and sums ([`ActiveRows`]): texts and
//! times are read from the scan's columns once, for the rows within the limit.

use std::borrow::Cow;

use super::sort::{SortKeys, first_rows};
use super::tags::{active_session_row as row_tags, query_active_sessions_response as response_tags};
use super::wire_writer::{put_bytes, put_int64, put_message};
use crate::columns::sums::{Sums, add};
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;
use crate::scan::{KeyValues, Partials, ScanResources};
use crate::time_text::UtcOffsets;

/// Estimated bytes of a subtotal, by which the buffer grows at once.
const SUBTOTAL_BYTES_ESTIMATE: usize = 32;

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
    /// Offsets of the zone in which times print.
    pub offsets: UtcOffsets<'a>,
    /// What the scans of the store share.
    pub resources: &'a ScanResources,
}

/// The rows of one level of the rollup: cells themselves, or groups of cells.
struct ActiveRows<'a> {
    /// By row, a cell from which the row's key fields are read: all cells of a group agree in these.
    cells: Vec<u32>,
    /// By row, its sums: sessions, and milliseconds since answer.
    sums: Cow<'a, [Sums]>,
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
/// # Errors `Unknown` if a field is not one that a request may name, or an order term is neither among the
/// key fields nor `quantity` or `duration`; `SumOverflow`.
pub fn build_active_response(partials: &Partials, options: &ActiveOptions<'_>) -> Result<Vec<u8>> {
    let (order, fields) = (sort_terms(options)?, row_fields(partials, options)?);
    let keys: Vec<SortKeys> = partials.keys.iter().map(SortKeys::of_key).collect();
    // The cell limit of a scan is far below 2^32, so the cast is exact.
    let rows = ActiveRows { cells: (0..partials.sums.len() as u32).collect(), sums: Cow::Borrowed(&partials.sums) };
    let mut out = ResponseWriter { offsets: &options.offsets, resources: options.resources, fields: &fields, bytes: Vec::new() };
    for row in sorted_rows(&rows, &keys, &order, options.limit.unwrap_or(usize::MAX)) {
        out.put_row(response_tags::ROWS, &rows, row, keys.len());
    }
    if options.rollup {
        put_rollup(&rows, &keys, &order, &mut out)?;
    }
    put_int64(response_tags::ROW_COUNT, rows.cells.len() as i64, &mut out.bytes);
    Ok(out.bytes)
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
                FieldSource::Key { index, values, is_time: name.ends_with("_time") }
            }
        };
        Ok(RowField { tag, source })
    };
    options.fields.iter().map(field).collect()
}

/// Returns the tag of a field that a request may name: any but `level`, which the core sets.
fn tag_of(name: &str) -> Option<u32> {
    let (_, tag) = row_tags::FIELDS.iter().find(|(field, _)| *field == name)?;
    (*tag != row_tags::LEVEL).then_some(*tag)
}

/// Returns the first `limit` rows by the order terms, then by all other `keys`, ascending.
///
/// `keys` are the key fields of the rows' level. Terms on key fields that the level has rolled up are
/// skipped.
fn sorted_rows(rows: &ActiveRows<'_>, keys: &[SortKeys], order: &[SortTerm], limit: usize) -> Vec<u32> {
    let column = |target: SortTarget| match target {
        SortTarget::Key(index) => keys[index].gather(rows.cells.iter().map(|&cell| cell as usize)),
        SortTarget::Quantity => SortKeys::of_ints(rows.sums.iter().map(|sums| sums[0])),
        SortTarget::Duration => SortKeys::of_ints(rows.sums.iter().map(duration_s)),
    };
    let is_rolled_up = |target: SortTarget| matches!(target, SortTarget::Key(index) if index >= keys.len());
    let mut columns: Vec<SortKeys> = Vec::new();
    for term in order.iter().filter(|term| !is_rolled_up(term.target)) {
        let ascending = column(term.target);
        columns.push(if term.descending { ascending.descending() } else { ascending });
    }
    let ties = (0..keys.len()).map(SortTarget::Key).filter(|tie| order.iter().all(|term| term.target != *tie));
    columns.extend(ties.map(column));
    first_rows(rows.cells.len(), &columns, limit)
}

/// Returns the duration of a row in whole seconds: milliseconds are added up first and rounded down once.
fn duration_s(sums: &Sums) -> i64 {
    sums[1].div_euclid(1_000)
}

/// Appends the subtotals, by level ascending, and the total, which is present even without rows.
fn put_rollup(rows: &ActiveRows<'_>, keys: &[SortKeys], order: &[SortTerm], out: &mut ResponseWriter<'_>) -> Result<()> {
    let (mut group_ids, mut group_count) = (vec![0; rows.cells.len()], 1);
    for level in 1..keys.len() {
        group_count = refine_group_ids(&mut group_ids, group_count, &keys[level - 1], out.resources);
        let subtotals = sum_by_group(rows, &group_ids, group_count)?;
        out.bytes.reserve(group_count * SUBTOTAL_BYTES_ESTIMATE);
        for row in sorted_rows(&subtotals, &keys[..level], order, usize::MAX) {
            out.put_row(response_tags::SUBTOTALS, &subtotals, row, level);
        }
    }
    let mut total = Sums::default();
    rows.sums.iter().try_for_each(|&sums| add(&mut total, sums))?;
    out.put_row(response_tags::TOTAL, &ActiveRows { cells: vec![0], sums: Cow::Owned(vec![total]) }, 0, 0);
    Ok(())
}

/// Refines group ids by the next key column; returns the new group count.
///
/// `group_ids` are by row, below `group_count`. Rows with equal ids and equal keys get equal new ids, which
/// are dense ids: numbered from 0 in order of first appearance.
fn refine_group_ids(group_ids: &mut [u64], group_count: usize, key: &SortKeys, resources: &ScanResources) -> usize {
    let (mut codes, mut radix) = (key.values.clone(), key.bound());
    if radix > u64::from(u32::MAX) {
        // Wide keys become dense ids first, so that the pair below fits in 64 bits.
        let mut distinct = resources.dense_ids(radix, codes.len());
        distinct.replace_with_ids(&mut codes);
        radix = distinct.values().len() as u64;
    }
    // (id, key) as one integer. It cannot overflow: ids are below the row count, which is below 2^32.
    group_ids.iter_mut().zip(codes).for_each(|(id, code)| *id = *id * radix + code);
    let mut refined = resources.dense_ids(group_count as u64 * radix, group_ids.len());
    refined.replace_with_ids(group_ids);
    refined.values().len()
}

/// Adds the rows up by group id. The ids are dense, in order of first appearance.
fn sum_by_group(rows: &ActiveRows<'_>, group_ids: &[u64], group_count: usize) -> Result<ActiveRows<'static>> {
    let (mut cells, mut group_sums) = (Vec::with_capacity(group_count), vec![[0; 3]; group_count]);
    for ((&id, &cell), &sums) in group_ids.iter().zip(&rows.cells).zip(rows.sums.iter()) {
        // The first row of a group.
        if id == cells.len() as u64 {
            cells.push(cell);
        }
        add(&mut group_sums[id as usize], sums)?;
    }
    Ok(ActiveRows { cells, sums: Cow::Owned(group_sums) })
}

/// The response under construction.
struct ResponseWriter<'a> {
    offsets: &'a UtcOffsets<'a>,
    resources: &'a ScanResources,
    fields: &'a [RowField<'a>],
    bytes: Vec<u8>,
}

impl ResponseWriter<'_> {
    /// Appends a row of a level: with its first `level` key fields, without those that are rolled up.
    fn put_row(&mut self, tag: u32, rows: &ActiveRows<'_>, row: u32, level: usize) {
        let (cell, sums) = (rows.cells[row as usize] as usize, &rows.sums[row as usize]);
        let (fields, offsets) = (self.fields, self.offsets);
        put_message(tag, &mut self.bytes, |out| {
            fields.iter().for_each(|field| field.put(cell, sums, level, offsets, out));
            if tag == response_tags::SUBTOTALS {
                put_int64(row_tags::LEVEL, level as i64, out);
            }
        });
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
