//! Predicates, and the same conditions in Rust.
#![allow(dead_code)] // Each test file uses some of these.

use aggcore::testing::ABSENT;
use aggcore::{Network, Predicate, TextMatch};

use super::common::OwnedRecord;

const DAY_US: i64 = 86_400_000_000;

pub fn duration_ms(record: &OwnedRecord) -> i64 {
    let (answer, end) = (record.int("answer_time"), record.int("end_time"));
    if answer != ABSENT && end != ABSENT { (end - answer) / 1_000 } else { 0 }
}

pub fn ints(column: &str, values: &[i64], or_absent: bool) -> Predicate {
    Predicate::one_of_ints(column.into(), values.to_vec(), or_absent)
}

pub fn texts(column: &str, values: &[&str], or_absent: bool) -> Predicate {
    Predicate::one_of_texts(column.into(), values.iter().map(|&value| value.into()).collect(), or_absent)
}

pub fn text_pairs(first: &str, second: &str, pairs: &[(&str, Option<&str>)]) -> Predicate {
    let pairs = pairs.iter().map(|(first, second)| ((*first).to_owned(), second.map(str::to_owned)));
    Predicate::text_pairs([first.to_owned(), second.to_owned()], pairs.collect())
}

/// A predicate, and the same condition on a record in Rust.
pub type PredicatePair = (Predicate, fn(&OwnedRecord) -> bool);

/// Number of the [`predicate_pairs`].
pub const PAIR_COUNT: usize = 33;

/// Returns predicates of all kinds on columns of all types.
pub fn predicate_pairs() -> Vec<PredicatePair> {
    let column = |name: &str| name.to_owned();
    let text = |column: &str, how, text: &str| Predicate::Text { column: column.into(), how, text: text.into() };
    vec![
        (Predicate::Between { column: column("customer_price"), low: -1, high: 1 }, |r| {
            (-1..=1).contains(&r.int("customer_price"))
        }),
        (Predicate::Between { column: column("duration_ms"), low: 1, high: 2_000 }, |r| (1..=2_000).contains(&duration_ms(r))),
        (ints("kind", &[1, 3], false), |r| matches!(r.int("kind"), ABSENT | 1 | 3)),
        (ints("is_last_attempt", &[1], false), |r| r.int("is_last_attempt") != 0),
        (texts("company", &["a", "bb"], false), |r| ["a", "bb"].contains(&r.text("company"))),
        (texts("company", &["a", "bb"], true), |r| ["", "a", "bb"].contains(&r.text("company"))),
        (texts("company", &["bb"], true), |r| ["", "bb"].contains(&r.text("company"))),
        (texts("term_dst_party_id", &["1"], true), |r| ["", "1"].contains(&r.text("term_dst_party_id"))),
        (texts("agent_id", &["a"], true), |_| true),
        (Predicate::Present { column: column("end_time"), wanted: true }, |r| r.int("end_time") != ABSENT),
        (Predicate::Present { column: column("company"), wanted: false }, |r| r.text("company").is_empty()),
        (text("dst_prefix_routing", TextMatch::StartsWith, "1"), |r| r.text("dst_prefix_routing").starts_with('1')),
        (text("dst_prefix_routing", TextMatch::EndsWith, "12"), |r| r.text("dst_prefix_routing").ends_with("12")),
        (text("term_dst_party_id", TextMatch::Contains, "21"), |r| r.text("term_dst_party_id").contains("21")),
        (text("term_dst_party_id", TextMatch::Eq, "1"), |r| r.text("term_dst_party_id") == "1"),
        (Predicate::Between { column: column("setup_time"), low: DAY_US, high: 2 * DAY_US }, |r| {
            (DAY_US..=2 * DAY_US).contains(&r.int("setup_time"))
        }),
        (ints("customer_price", &[-2, 1, 2], false), |r| [-2, 1, 2].contains(&r.int("customer_price"))),
        (ints("customer_price", &[-2, 1, 2], true), |r| [ABSENT, -2, 1, 2].contains(&r.int("customer_price"))),
        (ints("app_id", &[0], true), |r| [ABSENT, 0].contains(&r.int("app_id"))),
        (ints("app_id", &[-9, -8, -1, 1, 7], true), |r| [ABSENT, -9, -8, -1, 1, 7].contains(&r.int("app_id"))),
        (ints("comp_id", &[5], true), |_| true),
        (ints("kind", &[3], true), |r| [ABSENT, 3].contains(&r.int("kind"))),
        (ints("app_id", &[], false), |_| false),
        (Predicate::Present { column: column("app_id"), wanted: false }, |r| r.int("app_id") == ABSENT),
        (Predicate::Present { column: column("comp_id"), wanted: false }, |_| true),
        (Predicate::Present { column: column("duration_ms"), wanted: true }, |_| true),
        (Predicate::Present { column: column("folder"), wanted: true }, |r| !r.text("folder").is_empty()),
        (Predicate::Present { column: column("agent_id"), wanted: true }, |_| false),
        (Predicate::Present { column: column("term_dst_party_id"), wanted: true }, |r| !r.text("term_dst_party_id").is_empty()),
        (text_pairs("company", "folder", &[("a", None), ("bb", Some("b")), ("bb", Some("ab"))]), |r| {
            r.text("company") == "a" || r.text("company") == "bb" && ["b", "ab"].contains(&r.text("folder"))
        }),
        (text_pairs("folder", "company", &[("b", Some("a")), ("ab", Some("bb")), ("ab", None)]), |r| {
            r.text("folder") == "b" && r.text("company") == "a" || r.text("folder") == "ab"
        }),
        (text_pairs("agent_id", "company", &[("a", None)]), |_| false),
        (Predicate::InNetwork { column: column("company"), network: Network::parse("::/0").unwrap() }, |_| false),
    ]
}
