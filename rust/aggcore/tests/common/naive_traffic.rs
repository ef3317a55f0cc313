//! The traffic scan as a loop over the records.

use std::collections::BTreeMap;

use aggcore::testing::ABSENT;
use aggcore::{
    CodeDeck, Key, KeyValue, KeyValues, LocalOffsets, LocalPart, MeasureValues, Predicate, TrafficMeasure, TrafficPartials,
};

use super::common::OwnedRecord;
use super::predicate_pairs::{PAIR_COUNT, predicate_pairs};

/// One measure of a cell: a sum, or values with counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    Sum(i128),
    Values(Vec<(i64, u64)>),
    Steps(Vec<(i64, i64)>),
}

/// Measures by bin and keys.
pub type Cells = BTreeMap<(u32, Vec<String>), Vec<Measured>>;

/// Names of measures; ` values` marks those of which the values are listed.
pub const MEASURES: [&str; 22] = [
    "all",
    "answered",
    "answered_within",
    "shorter",
    "cause_known",
    "cause_in",
    "delivered",
    "pdd_known",
    "alerted",
    "priced",
    "unrated",
    "duration_ms",
    "ring_ms",
    "pdd_ms",
    "customer_price",
    "vendor_price",
    "margin",
    "duration_ms values",
    "ring_ms values",
    "pdd_ms values",
    "setup_second values",
    "setup_second values",
];

const LIMIT_US: i64 = 2_000_000;
const CAUSES: [i64; 3] = [17, 20, 35];
const HOUR_US: i64 = 3_600_000_000;
const OFFSETS: [(i64, i64); 3] = [(0, -5 * HOUR_US), (20 * HOUR_US, HOUR_US / 2), (50 * HOUR_US, 2 * HOUR_US)];

pub fn measure(name: &str) -> TrafficMeasure {
    let (what, how) = name.split_once(' ').unwrap_or((name, "sum"));
    let named = |how| TrafficMeasure::named(how, what, LIMIT_US, CAUSES.to_vec());
    named(how).or_else(|_| named("count")).unwrap()
}

fn present(value: i64) -> Option<i64> {
    Some(value).filter(|&value| value != ABSENT)
}

/// What a record adds to a measure; `None` if nothing.
fn added(name: &str, record: &OwnedRecord) -> Option<i64> {
    let int = |name| present(record.int(name));
    let (setup, answer, end, alert) = (record.int("setup_time"), int("answer_time"), int("end_time"), int("alert_time"));
    let in_causes = int("disconnect_cause").is_some_and(|cause| CAUSES.contains(&cause));
    let ms = |us: i64| us.div_euclid(1_000);
    let count = |holds: bool| holds.then_some(1);
    match name {
        "all" => Some(1),
        "answered" => count(answer.is_some()),
        "answered_within" => count(answer? - setup <= LIMIT_US),
        "shorter" => count(end? - answer? < LIMIT_US),
        "cause_known" => count(int("disconnect_cause").is_some()),
        "cause_in" => count(in_causes),
        "delivered" => count(answer.is_some() || in_causes),
        "pdd_known" => count(answer.is_some() || alert.is_some()),
        "alerted" => count(alert.is_some()),
        "priced" => count(answer.is_some() && int("customer_price").is_some()),
        "unrated" => count(answer.is_some() && (int("customer_price").is_none() || int("vendor_price").is_none())),
        "duration_ms" => Some(ms(end? - answer?)),
        "ring_ms" => Some(ms(answer? - alert.unwrap_or(setup))),
        "pdd_ms" => Some(ms(alert.or(answer)? - setup)),
        "customer_price" | "vendor_price" => int(name),
        "margin" if record.text("currency") == record.text("vendor_currency") => {
            Some(int("customer_price")? - int("vendor_price")?)
        }
        "margin" => None,
        "setup_second" => Some(setup.div_euclid(1_000_000)),
        _ => panic!("{name}"),
    }
}

pub const KEY_COUNT: usize = 10;

pub fn key(number: usize) -> Key {
    let (from_us, offset_us) = OFFSETS.into_iter().unzip();
    let offsets = LocalOffsets::new(from_us, offset_us).unwrap();
    match number {
        0 => Key::Column("company".to_owned()),
        1 => Key::prefix("dst_prefix_routing".to_owned(), 2).unwrap(),
        2 => Key::deck_code("dst_prefix_routing".to_owned()).unwrap(),
        3 => Key::quotient("disconnect_cause".to_owned(), 16).unwrap(),
        4 => Key::LocalTime { part: LocalPart::Hour, offsets },
        5 => Key::LocalTime { part: LocalPart::Weekday, offsets },
        6 => Key::Column("is_last_attempt".to_owned()),
        7 => Key::prefix("term_dst_party_id".to_owned(), 1).unwrap(),
        8 => Key::Column("term_rates_country".to_owned()),
        _ => Key::quotient("kind".to_owned(), 2).unwrap(),
    }
}

pub fn key_text(number: usize, record: &OwnedRecord, deck: &CodeDeck) -> String {
    let number_text = |name| record.text(name).strip_prefix('+').unwrap_or(record.text(name));
    let start = |name, length| number_text(name).chars().take(length).collect::<String>();
    let entry = |name| deck.find(record.text(name)).map(|entry| deck.entry(entry));
    let setup = record.int("setup_time");
    let offset = OFFSETS.iter().rev().find(|(from, _)| *from <= setup).unwrap_or(&OFFSETS[0]).1;
    let hours = (setup + offset).div_euclid(HOUR_US);
    let or_one = |name| present(record.int(name)).unwrap_or(1);
    match number {
        0 => record.text("company").to_owned(),
        1 => start("dst_prefix_routing", 2),
        2 => entry("dst_prefix_routing").map_or("", |entry| entry.code).to_owned(),
        3 => present(record.int("disconnect_cause")).map_or(ABSENT, |cause| cause.div_euclid(16)).to_string(),
        4 => hours.rem_euclid(24).to_string(),
        // The records begin on a Thursday.
        5 => (hours.div_euclid(24) + 3).rem_euclid(7).saturating_add(1).to_string(),
        6 => or_one("is_last_attempt").to_string(),
        7 => start("term_dst_party_id", 1),
        8 => entry("term_dst_party_id").map_or("", |entry| entry.country).to_owned(),
        _ => or_one("kind").div_euclid(2).to_string(),
    }
}

/// Predicates by number: those on columns, the opposite of each, each with the next one as an alternative, also negated, and
/// lists of groups.
pub const PREDICATE_COUNT: usize = 4 * PAIR_COUNT + GROUP_LISTS.len();

/// Keys, and groups of their values; "-" is absent.
const GROUP_LISTS: [(&[usize], &[&[&str]]); 6] = [
    (&[0], &[&["a"], &["-"]]),
    (&[0, 6], &[&["a", "1"], &["bb", "0"], &["-", "1"]]),
    (&[1, 3, 4], &[&["12", "1", "7"], &["1", "-", "7"], &["11", "2", "20"]]),
    (&[7], &[&["1"], &["9"]]),
    (&[2, 8], &[&["1", "one"], &["12", "two"], &["-", "-"]]),
    (&[5], &[]),
];

pub fn predicate(number: usize) -> Predicate {
    let pairs = predicate_pairs();
    let on_column = |number: usize| pairs[number % PAIR_COUNT].0.clone();
    match number / PAIR_COUNT {
        0 => on_column(number),
        1 => Predicate::Not(Box::new(on_column(number))),
        2 => Predicate::AnyOf(vec![on_column(number), on_column(number + 1)]),
        3 => Predicate::Not(Box::new(Predicate::AnyOf(vec![on_column(number), on_column(number + 1)]))),
        _ => in_groups(GROUP_LISTS[number - 4 * PAIR_COUNT]),
    }
}

fn in_groups((keys, groups): (&[usize], &[&[&str]])) -> Predicate {
    let value = |(key, text): (&usize, &&str)| match *text {
        "-" => KeyValue::Absent,
        text if [3, 4, 5, 6, 9].contains(key) => KeyValue::Int(text.parse().unwrap()),
        text => KeyValue::Text(text.to_owned().into()),
    };
    let group = |group: &&[&str]| keys.iter().zip(*group).map(value).collect();
    Predicate::InGroups { keys: keys.iter().map(|&number| key(number)).collect(), groups: groups.iter().map(group).collect() }
}

pub fn holds(number: usize, record: &OwnedRecord, deck: &CodeDeck) -> bool {
    let pairs = predicate_pairs();
    let on_column = |number: usize| pairs[number % PAIR_COUNT].1(record);
    match number / PAIR_COUNT {
        0 => on_column(number),
        1 => !on_column(number),
        2 => on_column(number) || on_column(number + 1),
        3 => !(on_column(number) || on_column(number + 1)),
        _ => {
            let (keys, groups) = GROUP_LISTS[number - 4 * PAIR_COUNT];
            let text = |key: &usize| match key_text(*key, record, deck) {
                text if text.is_empty() || text == ABSENT.to_string() => "-".to_owned(),
                text => text,
            };
            groups.iter().any(|group| keys.iter().map(text).eq(group.iter().map(|&text| text.to_owned())))
        }
    }
}

/// Returns the expected cells: every record is compared with every bin.
pub fn naive(
    records: &[OwnedRecord], edges: &[i64], predicates: &[usize], keys: &[usize], measures: &[&str], deck: &CodeDeck,
) -> Cells {
    let empty: Vec<Measured> = measures.iter().map(|name| emptied(name)).collect();
    let mut cells = Cells::new();
    for bin in 0..edges.len().saturating_sub(1) as u32 {
        if keys.is_empty() {
            cells.insert((bin, Vec::new()), empty.clone());
        }
        let in_bin = |record: &&OwnedRecord| (edges[bin as usize]..edges[bin as usize + 1]).contains(&record.int("setup_time"));
        let kept = |record: &&OwnedRecord| predicates.iter().all(|&number| holds(number, record, deck));
        for record in records.iter().filter(in_bin).filter(kept) {
            let group = keys.iter().map(|&number| key_text(number, record, deck)).collect();
            let cell = cells.entry((bin, group)).or_insert_with(|| empty.clone());
            cell.iter_mut().zip(measures).for_each(|(cell, name)| add(cell, name, record));
        }
    }
    cells
}

fn emptied(name: &str) -> Measured {
    if name.ends_with(" values") { Measured::Values(Vec::new()) } else { Measured::Sum(0) }
}

fn add(cell: &mut Measured, name: &str, record: &OwnedRecord) {
    let Some(value) = added(name.trim_end_matches(" values"), record) else { return };
    match cell {
        Measured::Sum(sum) => *sum += i128::from(value),
        Measured::Values(values) => match values.binary_search_by_key(&value, |(value, _)| *value) {
            Ok(place) => values[place].1 += 1,
            Err(place) => values.insert(place, (value, 1)),
        },
        Measured::Steps(_) => {}
    }
}

/// Returns the measures of a result by bin and keys.
pub fn cells(partials: &TrafficPartials) -> Cells {
    let key = |column: &KeyValues, cell: usize| match column {
        KeyValues::Ints(values) => values[cell].to_string(),
        texts @ KeyValues::Texts { .. } => texts.text(cell).to_owned(),
    };
    let measured = |values: &MeasureValues, cell: usize| match values {
        MeasureValues::Sums(sums) => Measured::Sum(sums[cell]),
        MeasureValues::Values(counts) => {
            let (values, counts) = counts.of(cell);
            Measured::Values(values.iter().copied().zip(counts.iter().copied()).collect())
        }
        MeasureValues::Steps(steps) => {
            let (at_us, changes) = steps.of(cell);
            Measured::Steps(at_us.iter().copied().zip(changes.iter().copied()).collect())
        }
    };
    let cell = |cell: usize| {
        let group = partials.keys.iter().map(|column| key(column, cell)).collect();
        ((partials.bins[cell], group), partials.measures.iter().map(|values| measured(values, cell)).collect())
    };
    (0..partials.bins.len()).map(cell).collect()
}
