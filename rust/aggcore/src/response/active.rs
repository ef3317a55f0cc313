//! Active sessions: rows by key, rolled up, ordered and cut.

use std::borrow::Cow;

use super::sort::{SortKeys, first_rows};
use super::tags::{active_session_row as row_tags, query_active_sessions_response as response_tags};
use super::wire_writer::{put_bytes, put_int64, put_message};
use crate::columns::sums::{Sums, add};
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;
use crate::scan::dense_ids::DenseIds;
use crate::scan::{KeyValues, Partials};
use crate::time_text::UtcOffsets;

/// Bytes that a row often takes.
const ROW_LEN: usize = 32;

/// One name to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    /// A name out of the fields.
    pub name: String,
    /// Greatest first; absent values come last all the same.
    pub descending: bool,
}

/// What finishing an answer of active sessions needs besides its sums.
pub struct ActiveOptions<'a> {
    /// Names of the fields to return; all but `quantity` and `duration` are the keys of the cells, in order.
    pub fields: &'a [String],
    /// What to order by, before the key itself.
    pub order: &'a [OrderTerm],
    /// ActiveRows to return at most.
    pub limit: Option<usize>,
    /// Whether to add subtotals and the total.
    pub rollup: bool,
    /// How times print.
    pub offsets: UtcOffsets<'a>,
}

/// ActiveRows of an answer, each value by any cell that has its key fields.
struct ActiveRows<'a> {
    cells: Vec<u32>,
    sums: Cow<'a, [Sums]>,
}

/// What rows are compared by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SortTarget {
    Key(usize),
    Quantity,
    Duration,
}

/// A field of a row, as it is written.
struct RowField<'a> {
    tag: u32,
    value: FieldSource<'a>,
}

enum FieldSource<'a> {
    Key { position: usize, values: &'a KeyValues, is_time: bool },
    Quantity,
    Duration,
}

/// Bytes of a `QueryActiveSessionsResponse` with rows, subtotals, total and row count.
///
/// # Errors
/// `Unknown` for a field that a row does not have; `SumOverflow`.
pub fn build_active_response(partials: &Partials, options: &ActiveOptions<'_>) -> Result<Vec<u8>> {
    let (order, fields) = (sort_terms(options)?, row_fields(partials, options)?);
    let keys: Vec<SortKeys> = partials.keys.iter().map(SortKeys::of_key).collect();
    // Exact, as cells are far fewer than 2^32.
    let rows = ActiveRows { cells: (0..partials.sums.len() as u32).collect(), sums: Cow::Borrowed(&partials.sums) };
    let mut out = ResponseWriter { offsets: &options.offsets, fields: &fields, bytes: Vec::new() };
    for row in sorted_rows(&rows, &keys, &order, options.limit.unwrap_or(usize::MAX)) {
        out.put_row(response_tags::ROWS, &rows, row, keys.len());
    }
    if options.rollup {
        put_rollup(&rows, &keys, &order, &mut out)?;
    }
    put_int64(response_tags::ROW_COUNT, rows.cells.len() as i64, &mut out.bytes);
    Ok(out.bytes)
}

fn sort_terms(options: &ActiveOptions<'_>) -> Result<Vec<(SortTarget, bool)>> {
    let keys: Vec<&String> = options.fields.iter().filter(|name| is_key(name)).collect();
    let target = |name: &String| match name.as_str() {
        "quantity" => Ok(SortTarget::Quantity),
        "duration" => Ok(SortTarget::Duration),
        _ => match keys.iter().position(|key| *key == name) {
            Some(position) => Ok(SortTarget::Key(position)),
            None => Err(Error::Unknown { what: "order field", name: name.clone() }),
        },
    };
    options.order.iter().map(|term| Ok((target(&term.name)?, term.descending))).collect()
}

fn is_key(name: &str) -> bool {
    name != "quantity" && name != "duration"
}

fn row_fields<'a>(partials: &'a Partials, options: &ActiveOptions<'_>) -> Result<Vec<RowField<'a>>> {
    let unknown = |name: &String| Error::Unknown { what: "field", name: name.clone() };
    let mut keys = partials.keys.iter().enumerate();
    let field = |name: &String| {
        let tag = tag_of(name).ok_or_else(|| unknown(name))?;
        let value = match name.as_str() {
            "quantity" => FieldSource::Quantity,
            "duration" => FieldSource::Duration,
            _ => {
                let (position, values) = keys.next().ok_or_else(|| unknown(name))?;
                FieldSource::Key { position, values, is_time: name.ends_with("_time") }
            }
        };
        Ok(RowField { tag, value })
    };
    options.fields.iter().map(field).collect()
}

/// Tag of a field that a request may name: any but the level, which the core sets.
fn tag_of(name: &str) -> Option<u32> {
    let (_, tag) = row_tags::FIELDS.iter().find(|(field, _)| *field == name)?;
    (*tag != row_tags::LEVEL).then_some(*tag)
}

/// The first rows by the order terms whose field is among the `keys` kept, then by these.
fn sorted_rows(rows: &ActiveRows<'_>, keys: &[SortKeys], order: &[(SortTarget, bool)], limit: usize) -> Vec<u32> {
    let column = |target: SortTarget| match target {
        SortTarget::Key(position) => keys[position].gather(rows.cells.iter().map(|&cell| cell as usize)),
        SortTarget::Quantity => SortKeys::of_ints(rows.sums.iter().map(|sums| sums[0])),
        SortTarget::Duration => SortKeys::of_ints(rows.sums.iter().map(duration_s)),
    };
    let is_kept = |target: &SortTarget| !matches!(target, SortTarget::Key(position) if *position >= keys.len());
    let terms = order.iter().filter(|(target, _)| is_kept(target));
    let ties = (0..keys.len()).map(SortTarget::Key).filter(|tie| order.iter().all(|(target, _)| target != tie));
    let terms = terms.map(|&(target, descending)| if descending { column(target).descending() } else { column(target) });
    let columns: Vec<SortKeys> = terms.chain(ties.map(column)).collect();
    first_rows(rows.cells.len(), &columns, limit)
}

/// Whole seconds, as the row shows them.
fn duration_s(sums: &Sums) -> i64 {
    sums[1].div_euclid(1_000)
}

/// Subtotals by level ascending, and the total, level 0, which is there even without rows.
fn put_rollup(
    rows: &ActiveRows<'_>, keys: &[SortKeys], order: &[(SortTarget, bool)], out: &mut ResponseWriter<'_>,
) -> Result<()> {
    let (mut group_ids, mut count) = (vec![0; rows.cells.len()], 1);
    for level in 1..keys.len() {
        count = refine_group_ids(&mut group_ids, count, &keys[level - 1]);
        let subtotals = sum_by_group(rows, &group_ids, count)?;
        out.bytes.reserve(count * ROW_LEN);
        for row in sorted_rows(&subtotals, &keys[..level], order, usize::MAX) {
            out.put_row(response_tags::SUBTOTALS, &subtotals, row, level);
        }
    }
    let mut total = Sums::default();
    rows.sums.iter().try_for_each(|&sums| add(&mut total, sums))?;
    out.put_row(response_tags::TOTAL, &ActiveRows { cells: vec![0], sums: Cow::Owned(vec![total]) }, 0, 0);
    Ok(())
}

/// DenseIds rows, which are numbered below `count`, by one key more; gives how many ids there are.
fn refine_group_ids(group_ids: &mut [u64], count: usize, key: &SortKeys) -> usize {
    let (mut codes, mut radix) = (key.values.clone(), key.bound());
    if radix > u64::from(u32::MAX) {
        let mut distinct = DenseIds::with_bound(radix, codes.len());
        distinct.replace_with_ids(&mut codes);
        radix = distinct.values().len() as u64;
    }
    // Exact, as rows are fewer than 2^32.
    group_ids.iter_mut().zip(codes).for_each(|(number, code)| *number = *number * radix + code);
    let mut numbering = DenseIds::with_bound(count as u64 * radix, group_ids.len());
    numbering.replace_with_ids(group_ids);
    numbering.values().len()
}

/// The rows added up by their group ids, of which there are `count`, in order of appearance.
fn sum_by_group(rows: &ActiveRows<'_>, group_ids: &[u64], count: usize) -> Result<ActiveRows<'static>> {
    let (mut cells, mut rolled) = (Vec::with_capacity(count), vec![[0; 3]; count]);
    for ((&number, &cell), &sums) in group_ids.iter().zip(&rows.cells).zip(rows.sums.iter()) {
        if number == cells.len() as u64 {
            cells.push(cell);
        }
        add(&mut rolled[number as usize], sums)?;
    }
    Ok(ActiveRows { cells, sums: Cow::Owned(rolled) })
}

/// The answer as it is written.
struct ResponseWriter<'a> {
    offsets: &'a UtcOffsets<'a>,
    fields: &'a [RowField<'a>],
    bytes: Vec<u8>,
}

impl ResponseWriter<'_> {
    /// Adds a row that keeps `level` key fields.
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
    /// Adds the field of a row that keeps `level` key fields, value by a cell.
    fn put(&self, cell: usize, sums: &Sums, level: usize, offsets: &UtcOffsets<'_>, out: &mut Vec<u8>) {
        match &self.value {
            FieldSource::Quantity => put_int64(self.tag, sums[0], out),
            FieldSource::Duration => put_int64(self.tag, duration_s(sums), out),
            FieldSource::Key { position, .. } if *position >= level => {}
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
