//! Predicates over records, both made of any bytes, compared with a plain evaluation of the same conditions.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use aggcore::testing::{ABSENT, ColumnKind, Memtable, Plan, RowMetadata, Scanner, SliceColumns, field};
use aggcore::{CancelToken, Key, Measure, Network, Partials, Predicate, RowSet, Scan, ScanResources, Store, TextMatch};
use proptest::prelude::*;

use crate::cases::check;
use crate::common::{OwnedRecord, batch, cells};
use crate::damage::arbitrary;

const SETUP_US: i64 = 1_000_000;
const RECORD_COUNT_MAX: usize = 12;
const PREDICATE_COUNT_MAX: usize = 3;
const LIST_LENGTH_MAX: usize = 4;
const TEXT_BYTES_MAX: usize = 12;
const ADDRESS_BITS: u32 = 128;
const INTS: [&str; 6] = ["app_id", "customer_price", "kind", "is_last_attempt", "end_time", "equipment_id"];
const TEXTS: [&str; 5] = ["company", "account_id", "term_dst_party_id", "auth_orig_ip", "dst_prefix_routing"];

/// Bytes that are read as choices and values; all that is read beyond their end is 0.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// A number that others equal often, or one near the ends of its range.
    fn number(&mut self) -> i64 {
        let near = i64::from(self.byte() as i8);
        match self.below(4) {
            0 => near.saturating_mul(1 << 31),
            1 => i64::MAX.saturating_add(near.min(0)),
            // The least number stands for an absent value.
            2 => i64::MIN + 1 + near.max(0),
            _ => near,
        }
    }

    /// A text of a few letters and digits, or any characters.
    fn text(&mut self) -> String {
        let length = self.below(TEXT_BYTES_MAX);
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn list<T>(&mut self, value: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = self.below(LIST_LENGTH_MAX + 1);
        (0..count).map(|_| value(self)).collect()
    }

    fn record(&mut self, number: usize) -> OwnedRecord {
        let mut record = OwnedRecord::new(&number.to_string(), SETUP_US);
        for name in INTS {
            record = match (self.below(3), name) {
                (0, _) => record,
                (_, "kind") => record.with(name, 1 + self.below(3) as i64),
                (_, "is_last_attempt") => record.with(name, self.below(2) as i64),
                (_, "end_time") => record.with(name, SETUP_US + self.below(3) as i64),
                _ => record.with(name, self.number()),
            };
        }
        TEXTS.into_iter().fold(record, |record, name| record.with_text(name, &self.text()))
    }

    /// A predicate, and the text of its block of addresses, "" without one.
    fn predicate(&mut self) -> Option<(Predicate, String)> {
        let (int, text) = (self.one_of(&INTS).to_owned(), self.one_of(&TEXTS).to_owned());
        let is_odd = self.byte() % 2 == 1;
        let predicate = match self.below(7) {
            0 => Predicate::Between { column: int, low: self.number(), high: self.number() },
            1 => Predicate::one_of_ints(int, self.list(Self::number), is_odd),
            2 => Predicate::one_of_texts(text, self.list(Self::text), is_odd),
            3 => {
                let hows = [TextMatch::Eq, TextMatch::StartsWith, TextMatch::EndsWith, TextMatch::Contains];
                Predicate::Text { column: text, how: self.one_of(&hows), text: self.text() }
            }
            4 => {
                let block = self.text();
                let predicate = Predicate::InNetwork { column: text, network: Network::parse(&block)? };
                return Some((predicate, block));
            }
            5 => {
                let columns = self.one_of(&[["company", "account_id"], ["account_id", "company"]]);
                let pair = |bytes: &mut Self| (bytes.text(), (bytes.byte() % 2 == 1).then(|| bytes.text()));
                Predicate::text_pairs(columns.map(str::to_owned), self.list(pair))
            }
            _ => Predicate::Present { column: if self.byte() % 2 == 1 { int } else { text }, wanted: is_odd },
        };
        Some((predicate, String::new()))
    }
}

/// Whether a record satisfies a predicate, as the documentation of predicates says.
fn holds(predicate: &Predicate, block: &str, record: &OwnedRecord) -> bool {
    let int = |column: &str| match (column, record.int(column)) {
        ("kind" | "is_last_attempt", ABSENT) => Some(1),
        (_, number) => Some(number).filter(|&number| number != ABSENT),
    };
    let text = |column: &str| Some(record.text(column)).filter(|text| !text.is_empty());
    match predicate {
        Predicate::Between { column, low, high } => int(column).is_some_and(|number| (*low..=*high).contains(&number)),
        Predicate::OneOfInts { column, values, or_absent } => {
            let is_absent = record.int(column) == ABSENT;
            int(column).is_some_and(|number| values.contains(&number)) || *or_absent && is_absent
        }
        Predicate::OneOfTexts { column, values, or_absent } => {
            text(column).map_or(*or_absent, |text| values.iter().any(|value| value == text))
        }
        Predicate::Text { column, how, text: other } => text(column).is_some_and(|text| match how {
            TextMatch::Eq => text == other,
            TextMatch::StartsWith => text.starts_with(other.as_str()),
            TextMatch::EndsWith => text.ends_with(other.as_str()),
            TextMatch::Contains => text.contains(other.as_str()),
        }),
        Predicate::InNetwork { column, .. } => is_inside(block, record.text(column)),
        Predicate::TextPairs { columns: [first, second], allowed } => {
            let seconds = text(first).and_then(|text| allowed.iter().find(|(allowed, _)| allowed == text));
            seconds.is_some_and(|(_, seconds)| {
                seconds.is_empty() || text(second).is_some_and(|text| seconds.iter().any(|each| each == text))
            })
        }
        Predicate::Present { column, wanted } => {
            let is_int = field(column).is_some_and(|field| field.field_type.column_kind() == ColumnKind::Int);
            // The default of a field does not make it present.
            let is_present = if is_int { record.int(column) != ABSENT } else { text(column).is_some() };
            is_present == *wanted
        }
        Predicate::AnyOf(conditions) => conditions.iter().any(|condition| holds(condition, block, record)),
        Predicate::Not(condition) => !holds(condition, block, record),
        Predicate::InGroups { .. } => unreachable!("tests/traffic.rs draws groups of keys"),
    }
}

/// Whether an address lies in a block that `Network::parse` accepts, by the bits of both.
fn is_inside(block: &str, address: &str) -> bool {
    let (begin, prefix) = block.split_once('/').unwrap_or((block, ""));
    let Ok(begin) = begin.parse::<IpAddr>() else { panic!("{block} begins with an address") };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let family_bits = if begin.is_ipv4() { 32 } else { ADDRESS_BITS };
    let bits = prefix.parse::<u32>().unwrap_or(family_bits) + ADDRESS_BITS - family_bits;
    // A block shorter than the prefix of mapped addresses has addresses of IPv6 only.
    let is_ipv4 = |address: IpAddr| address.to_canonical().is_ipv4();
    if is_ipv4(address) && !(is_ipv4(begin) && bits >= 96) {
        return false;
    }
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    };
    let differing = number(begin) ^ number(address);
    differing.checked_shr(ADDRESS_BITS - bits).unwrap_or(0) == 0
}

/// Makes the scan that counts sessions.
fn with_scan<T>(predicates: &[Predicate], resources: &ScanResources, use_scan: impl FnOnce(&Scan<'_>) -> T) -> T {
    use_scan(&Scan {
        edges: Some(&[0, 2 * SETUP_US]),
        predicates,
        keys: &Key::columns(&["session_id"]),
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 1_000,
        cancel: &CancelToken::with_limit(None),
        memory: &resources.memory.begin_query(),
        resources,
    })
}

fn sessions(partials: &Partials) -> BTreeSet<String> {
    cells(partials).into_keys().map(|(_, mut keys)| keys.remove(0)).collect()
}

/// The sessions that a scan of a memtable counts. A store around it would take a hundred times as long to make.
fn counted_in_memory(records: &[OwnedRecord], predicates: &[Predicate]) -> BTreeSet<String> {
    let (batch, mut table) = (batch(records), Memtable::new(&Arc::default()));
    let rows: Vec<usize> = (0..batch.rows()).collect();
    table.append(&batch.fields(), &rows, |row| RowMetadata { key_hash: row as u64, versions: None, received_us: 0 });
    let no_tombstones = RowSet::default();
    with_scan(predicates, &ScanResources::default(), |scan| {
        let (slice, mut scanner) = (table.slice(&no_tombstones), Scanner::new(scan));
        let columns = SliceColumns::new(scan, &slice).unwrap();
        scanner.add(Plan::new(scan, &columns).unwrap()).unwrap();
        sessions(&scanner.finish().unwrap())
    })
}

/// The sessions that a scan of a store counts whose records are in a segment.
fn counted_in_a_segment(records: &[OwnedRecord], predicates: &[Predicate]) -> BTreeSet<String> {
    let (store, directory) = (Store::default(), tempfile::tempdir().unwrap());
    store.apply(&batch(records), 0);
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory.path(), 1, 1_000, &flush).unwrap());
    with_scan(predicates, store.resources(), |scan| sessions(&store.partials(scan).unwrap()))
}

fn check_scan(records: &[OwnedRecord], predicates: &[(Predicate, String)], is_flushed: bool) {
    let kept = records.iter().filter(|record| predicates.iter().all(|(predicate, block)| holds(predicate, block, record)));
    let expected: BTreeSet<String> = kept.map(|record| record.text("session_id").to_owned()).collect();
    let alone: Vec<Predicate> = predicates.iter().map(|(predicate, _)| predicate.clone()).collect();
    let found = if is_flushed { counted_in_a_segment(records, &alone) } else { counted_in_memory(records, &alone) };
    assert_eq!(found, expected, "{alone:?}");
}

/// Makes records and predicates of any bytes, and compares what a scan counts.
pub fn check_filters(bytes: &[u8]) {
    check_drawn(bytes, false);
}

fn check_drawn(bytes: &[u8], is_flushed: bool) {
    let mut choices = Choices(bytes);
    let predicates: Option<Vec<_>> = (0..1 + choices.below(PREDICATE_COUNT_MAX)).map(|_| choices.predicate()).collect();
    let records: Vec<OwnedRecord> = (0..1 + choices.below(RECORD_COUNT_MAX)).map(|number| choices.record(number)).collect();
    // A text that is not a block of addresses makes no predicate.
    check_scan(&records, &predicates.unwrap_or_default(), is_flushed);
}

/// Reads a block of addresses and an address, a line each.
pub fn check_network(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (block, address) = text.split_once('\n').unwrap_or((&text, "192.0.2.1"));
    let Some(network) = Network::parse(block) else { return };
    let address: String = address.chars().take(40).collect();
    let predicate = Predicate::InNetwork { column: "auth_orig_ip".to_owned(), network };
    let record = OwnedRecord::new("0", SETUP_US).with_text("auth_orig_ip", &address);
    check_scan(&[record], &[(predicate, block.to_owned())], false);
}

#[test]
fn filters_of_arbitrary_bytes_keep_the_records_of_a_plain_evaluation() {
    check(200, (arbitrary(), prop::bool::weighted(0.2)), |(bytes, is_flushed)| check_drawn(&bytes, is_flushed));
}

#[test]
fn blocks_have_the_addresses_whose_bits_agree() {
    let address = prop_oneof![any::<std::net::Ipv4Addr>().prop_map(IpAddr::V4), any::<std::net::Ipv6Addr>().prop_map(IpAddr::V6)];
    let bits = prop_oneof![Just(String::new()), (0..=128u8).prop_map(|bits| format!("/{bits}"))];
    check(200, (address.clone(), bits, address, any::<bool>()), |(block, bits, other, is_mapped)| {
        let mapped = match block {
            IpAddr::V4(address) if is_mapped => IpAddr::V6(address.to_ipv6_mapped()),
            IpAddr::V4(_) | IpAddr::V6(_) => block,
        };
        for address in [block, mapped, other] {
            check_network(format!("{mapped}{bits}\n{address}").as_bytes());
        }
    });
}
