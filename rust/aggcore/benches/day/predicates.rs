//! One predicate of each kind, with the same condition on a call in Rust.

use aggcore::{Network, Predicate, TextMatch};

use super::{Call, LARGEST_ACCOUNT};

/// The start of the routing prefix of a tenth of the calls.
const ROUTING_PREFIX: &str = "442079461";
/// Selects a quarter of the rows, enough for the scan to add them up by mask instead of by index.
pub const MASKING: &str = "between, 8 bits";
/// More values than the scan compares one after the other.
const TWENTY: [i64; 20] = [5, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900, 950];

pub struct PredicateCase {
    pub name: &'static str,
    pub predicate: Predicate,
    pub holds: fn(&Call) -> bool,
}

pub fn predicate_cases() -> Vec<PredicateCase> {
    let mut all = on_ints();
    all.extend(on_texts());
    all
}

/// Returns the case of a name.
pub fn predicate_case(name: &str) -> PredicateCase {
    predicate_cases().into_iter().find(|case| case.name == name).unwrap()
}

/// Returns predicates for the calls of the largest account that have certain routing prefixes.
pub fn of_account() -> [Predicate; 2] {
    let of_account =
        Predicate::OneOfTexts { column: "account_id".into(), values: vec![LARGEST_ACCOUNT.into()], or_absent: false };
    [of_account, text("dst_prefix_routing", TextMatch::StartsWith, ROUTING_PREFIX)]
}

/// Returns whether a call satisfies the predicates of [`of_account`].
pub fn is_of_account(call: &Call) -> bool {
    call.is_of_largest_account() && call.prefix().starts_with(ROUTING_PREFIX)
}

fn on_ints() -> Vec<PredicateCase> {
    let case = |name, predicate, holds| PredicateCase { name, predicate, holds };
    vec![
        case(MASKING, between("disconnect_cause", 16, 40), |call| (16..=40).contains(&call.cause)),
        case("between, 16 bits", between("app_id", 101, 350), |call| (101..=350).contains(&call.app)),
        case("between, 32 bits", between("orig_accounts_id", 100_100, 100_349), |call| {
            (100_100..=100_349).contains(&call.client_account)
        }),
        case("between, 64 bits", between("customer_price", 0, 3_333_333_332), |call| {
            call.price.is_some_and(|price| price <= 3_333_333_332)
        }),
        case("one of 2, 16 bits", one_of(&[7, 500]), |call| [7, 500].contains(&call.app)),
        case("one of 20, 16 bits", one_of(&TWENTY), |call| TWENTY.contains(&call.app)),
        case("duration", between("duration_ms", 60_000, 219_999), |call| {
            (60_000..=219_999).contains(&call.duration_ms.unwrap_or(0))
        }),
    ]
}

fn on_texts() -> Vec<PredicateCase> {
    let case = |name, predicate, holds| PredicateCase { name, predicate, holds };
    let network =
        Network::parse("198.51.100.0/26").map(|network| Predicate::InNetwork { column: "auth_orig_ip".into(), network });
    vec![
        case("starts with, 10,000 sorted entries", text("dst_prefix_routing", TextMatch::StartsWith, ROUTING_PREFIX), |call| {
            call.prefix().starts_with(ROUTING_PREFIX)
        }),
        case("contains, 10,000 entries", text("dst_prefix_routing", TextMatch::Contains, "99"), |call| {
            call.prefix().contains("99")
        }),
        case("in a network, 256 entries", network.unwrap(), |call| call.address < 64),
        case("contains, texts", text("term_dst_party_id", TextMatch::Contains, "99"), |call| call.dialled().contains("99")),
        case("ends with, texts", text("term_dst_party_id", TextMatch::EndsWith, "7"), |call| call.dialled().ends_with('7')),
    ]
}

fn between(column: &str, low: i64, high: i64) -> Predicate {
    Predicate::Between { column: column.to_owned(), low, high }
}

fn one_of(values: &[i64]) -> Predicate {
    Predicate::OneOfInts { column: "app_id".to_owned(), values: values.to_vec(), or_absent: false }
}

fn text(column: &str, how: TextMatch, text: &str) -> Predicate {
    Predicate::Text { column: column.to_owned(), how, text: text.to_owned() }
}
