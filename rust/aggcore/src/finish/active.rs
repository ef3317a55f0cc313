//! Active sessions: rows by key, rolled up, ordered and cut.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use prost::encoding::{WireType, encode_key, encode_varint};

use crate::error::{Error, Result};
use crate::scan::{KeyValues, Partials, Sums};
use crate::schema::ABSENT;
use crate::time_text::Offsets;

/// Names of the fields of `ActiveSessionRow` by tag, from 1.
const ROW_FIELDS: [&str; 33] = [
    "session_id",
    "session_setup_time",
    "session_start_time",
    "equipment_id",
    "equipment_name",
    "orig_leg_id",
    "orig_src_party_id",
    "orig_dst_party_id",
    "orig_companies_id",
    "orig_owner_users_id",
    "orig_clients_id",
    "orig_clients_name",
    "orig_accounts_id",
    "orig_accounts_name",
    "orig_accounts_ident",
    "orig_rates_code",
    "orig_rates_code_name",
    "orig_rates_country",
    "term_leg_id",
    "term_src_party_id",
    "term_dst_party_id",
    "term_companies_id",
    "term_owner_users_id",
    "term_clients_id",
    "term_clients_name",
    "term_accounts_id",
    "term_accounts_name",
    "term_accounts_ident",
    "term_rates_code",
    "term_rates_code_name",
    "term_rates_country",
    "quantity",
    "duration",
];
const LEVEL_TAG: u32 = 34;
const ROWS_TAG: u32 = 4;
const SUBTOTALS_TAG: u32 = 5;
const TOTAL_TAG: u32 = 6;
const ROW_COUNT_TAG: u32 = 7;

/// One name to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    /// A name out of the fields.
    pub name: String,
    /// Greatest first; absent values come last all the same.
    pub descending: bool,
}

/// What finishing an answer of active sessions needs besides its sums.
pub struct ActiveFinish<'a> {
    /// Names of the fields to return; all but `quantity` and `duration` are the keys of the cells, in order.
    pub fields: &'a [String],
    /// What to order by, before the key itself.
    pub order: &'a [OrderTerm],
    /// Rows to return at most.
    pub limit: Option<usize>,
    /// Whether to add subtotals and the total.
    pub rollup: bool,
    /// How times print.
    pub offsets: Offsets<'a>,
}

/// A key value; the variants stand in ascending order, absent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Int(i64),
    Text(&'a str),
    Absent,
}

struct Row<'a> {
    key: Vec<Value<'a>>,
    sums: Sums,
}

#[derive(Clone, Copy)]
enum Target {
    Key(usize),
    Quantity,
    Duration,
}

/// Bytes of a `QueryActiveSessionsResponse` with rows, subtotals, total and row count.
///
/// # Errors
/// `Unknown` for a field that a row does not have; `SumOverflow`.
pub fn finish_active(partials: &Partials, how: &ActiveFinish<'_>) -> Result<Vec<u8>> {
    let order = targets(how)?;
    let key_count = partials.keys.len();
    let mut rows = rows(partials);
    rows.sort_by(|a, b| compare(a, b, &order, key_count));
    let mut out = Vec::new();
    for row in rows.iter().take(how.limit.unwrap_or(usize::MAX)) {
        put_message(ROWS_TAG, &encode_row(row, None, how)?, &mut out);
    }
    if how.rollup {
        for level in 1..key_count {
            for row in rolled_up(&rows, level, &order)? {
                put_message(SUBTOTALS_TAG, &encode_row(&row, Some(level), how)?, &mut out);
            }
        }
        for total in rolled_up(&rows, 0, &order)? {
            put_message(TOTAL_TAG, &encode_row(&total, None, how)?, &mut out);
        }
    }
    put_number(ROW_COUNT_TAG, rows.len() as i64, &mut out);
    Ok(out)
}

fn targets(how: &ActiveFinish<'_>) -> Result<Vec<(Target, bool)>> {
    let keys: Vec<&String> = how.fields.iter().filter(|name| is_key(name)).collect();
    let target = |name: &String| match name.as_str() {
        "quantity" => Ok(Target::Quantity),
        "duration" => Ok(Target::Duration),
        _ => match keys.iter().position(|key| *key == name) {
            Some(position) => Ok(Target::Key(position)),
            None => Err(Error::Unknown { what: "order field", name: name.clone() }),
        },
    };
    how.order.iter().map(|term| Ok((target(&term.name)?, term.descending))).collect()
}

fn is_key(name: &str) -> bool {
    name != "quantity" && name != "duration"
}

fn rows(partials: &Partials) -> Vec<Row<'_>> {
    let key = |cell: usize| partials.keys.iter().map(move |column| key_value(column, cell)).collect();
    partials.sums.iter().enumerate().map(|(cell, &sums)| Row { key: key(cell), sums }).collect()
}

fn key_value(column: &KeyValues, cell: usize) -> Value<'_> {
    match column {
        KeyValues::Ints(values) => int_value(values[cell]),
        KeyValues::Texts(values) if values[cell].is_empty() => Value::Absent,
        KeyValues::Texts(values) => Value::Text(&values[cell]),
    }
}

fn int_value<'a>(value: i64) -> Value<'a> {
    if value == ABSENT { Value::Absent } else { Value::Int(value) }
}

/// Order terms whose field is kept, then the key.
fn compare(a: &Row<'_>, b: &Row<'_>, order: &[(Target, bool)], kept: usize) -> Ordering {
    let by_terms = order.iter().map(|&(target, descending)| match target {
        Target::Quantity => direct(a.sums[0], b.sums[0], descending),
        Target::Duration => direct(seconds(a), seconds(b), descending),
        Target::Key(position) if position >= kept => Ordering::Equal,
        Target::Key(position) => match (a.key[position], b.key[position]) {
            (Value::Absent, _) | (_, Value::Absent) => a.key[position].cmp(&b.key[position]),
            (a, b) => direct(a, b, descending),
        },
    });
    by_terms.fold(Ordering::Equal, Ordering::then).then_with(|| a.key.cmp(&b.key))
}

fn direct<T: Ord>(a: T, b: T, descending: bool) -> Ordering {
    if descending { Reverse(a).cmp(&Reverse(b)) } else { a.cmp(&b) }
}

/// Whole seconds, as the row shows them.
fn seconds(row: &Row<'_>) -> i64 {
    row.sums[1].div_euclid(1_000)
}

/// The rows added up over all but the first `level` key fields; the total, level 0, is there even without rows.
fn rolled_up<'a>(rows: &[Row<'a>], level: usize, order: &[(Target, bool)]) -> Result<Vec<Row<'a>>> {
    let mut sums: BTreeMap<&[Value<'a>], Sums> = BTreeMap::new();
    if level == 0 {
        sums.insert(&[], Sums::default());
    }
    for row in rows {
        for (sum, added) in sums.entry(&row.key[..level]).or_default().iter_mut().zip(row.sums) {
            *sum = sum.checked_add(added).ok_or(Error::SumOverflow)?;
        }
    }
    let mut rolled: Vec<Row<'a>> = sums.into_iter().map(|(key, sums)| Row { key: key.to_vec(), sums }).collect();
    rolled.sort_by(|a, b| compare(a, b, order, level));
    Ok(rolled)
}

fn encode_row(row: &Row<'_>, level: Option<usize>, how: &ActiveFinish<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut key = row.key.iter();
    for name in how.fields {
        let tag = ROW_FIELDS.iter().position(|field| field == name).map(|index| index as u32 + 1);
        let tag = tag.ok_or_else(|| Error::Unknown { what: "field", name: name.clone() })?;
        match name.as_str() {
            "quantity" => put_number(tag, row.sums[0], &mut out),
            "duration" => put_number(tag, seconds(row), &mut out),
            _ => match key.next().copied().unwrap_or(Value::Absent) {
                Value::Absent => {}
                Value::Text(text) => put_message(tag, text.as_bytes(), &mut out),
                Value::Int(us) if name.ends_with("_time") => put_message(tag, how.offsets.rfc3339(us).as_bytes(), &mut out),
                Value::Int(number) => put_number(tag, number, &mut out),
            },
        }
    }
    if let Some(level) = level {
        put_number(LEVEL_TAG, level as i64, &mut out);
    }
    Ok(out)
}

fn put_number(tag: u32, number: i64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(number as u64, out);
}

fn put_message(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
