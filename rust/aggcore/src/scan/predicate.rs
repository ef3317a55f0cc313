//! Predicates: the conditions on records that a caller asks for, before they are bound to columns.
//!
//! Each names one column, or two, and one test. All predicates of a scan must hold for a record to count.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use super::key::Key;
pub use super::network::Network;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, ColumnKind, Field, default_of, field};

/// A condition on one column of a record, or on two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Predicate {
    /// An integer lies in [low, high], both inclusive. An absent one counts as the default of its field
    /// (`default_of`: `kind` and `is_last_attempt` have one); without a default it fails.
    Between { column: String, low: i64, high: i64 },
    /// An integer is one of `values`, which ascend, or is absent if `or_absent`.
    OneOfInts { column: String, values: Vec<i64>, or_absent: bool },
    /// A text is one of `values`, which ascend and differ, or is absent if `or_absent`.
    OneOfTexts { column: String, values: Vec<String>, or_absent: bool },
    /// A text matches another one. An absent text does not.
    Text { column: String, how: TextMatch, text: String },
    /// A text is an address within a block. Any other text fails.
    InNetwork { column: String, network: Network },
    /// A value is present (if `wanted`) or absent.
    Present { column: String, wanted: bool },
    /// Two texts are a pair that is allowed. Absent texts are in no pair.
    TextPairs { columns: [String; 2], allowed: AllowedPairs },
    /// The values of keys are those of one of the groups, each of which has one for each key.
    InGroups { keys: Vec<Key>, groups: Vec<Vec<KeyValue<'static>>> },
    /// At least one of the conditions holds.
    AnyOf(Vec<Predicate>),
    /// A condition does not hold; for an absent value, too, if the condition does not hold for it.
    Not(Box<Predicate>),
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Their names say what they are.
pub enum KeyValue<'a> {
    Absent,
    Int(i64),
    Text(Cow<'a, str>),
}

impl KeyValue<'_> {
    /// Returns the value without what it borrows.
    pub fn into_owned(self) -> KeyValue<'static> {
        match self {
            Self::Absent => KeyValue::Absent,
            Self::Int(value) => KeyValue::Int(value),
            Self::Text(text) => KeyValue::Text(Cow::Owned(text.into_owned())),
        }
    }
}

/// Pairs of texts: the first texts, which ascend and differ, each with the second texts, which do too, or with none if any
/// second text will do, also an absent one.
pub type AllowedPairs = Vec<(String, Vec<String>)>;

impl Predicate {
    /// Returns the predicate that an integer is one of `values`, given in any order, or absent if `or_absent`.
    ///
    /// ```
    /// use aggcore::Predicate;
    /// let cause = |values| Predicate::one_of_ints("disconnect_cause".to_owned(), values, false);
    /// assert_eq!(cause(vec![17, 16]), cause(vec![16, 17]));
    /// ```
    pub fn one_of_ints(column: String, mut values: Vec<i64>, or_absent: bool) -> Self {
        values.sort_unstable();
        Self::OneOfInts { column, values, or_absent }
    }

    /// Returns the predicate that a text is one of `values`, given in any order, or absent if `or_absent`.
    pub fn one_of_texts(column: String, mut values: Vec<String>, or_absent: bool) -> Self {
        values.sort_unstable();
        values.dedup();
        Self::OneOfTexts { column, values, or_absent }
    }

    /// Returns the predicate that two texts are one of `pairs`, given in any order. A pair without a second text is a pair with
    /// any second text, also an absent one. An empty text is an absent one, so that a pair with it has no records.
    ///
    /// ```
    /// use aggcore::Predicate;
    /// let of = |pairs: &[(&str, Option<&str>)]| {
    ///     let owned = pairs.iter().map(|(first, second)| ((*first).to_owned(), second.map(str::to_owned))).collect();
    ///     Predicate::text_pairs(["company".to_owned(), "organization".to_owned()], owned)
    /// };
    /// assert_eq!(of(&[("a", Some("b")), ("a", None)]), of(&[("a", None)]));
    /// assert_eq!(of(&[("", None), ("a", Some(""))]), of(&[]));
    /// ```
    pub fn text_pairs(columns: [String; 2], pairs: Vec<(String, Option<String>)>) -> Self {
        let mut by_first = BTreeMap::<String, BTreeSet<Option<String>>>::new();
        let present = |(first, second): &(String, Option<String>)| !first.is_empty() && second.as_deref() != Some("");
        for (first, second) in pairs.into_iter().filter(present) {
            by_first.entry(first).or_default().insert(second);
        }
        let seconds = |all: BTreeSet<Option<String>>| if all.contains(&None) { BTreeSet::new() } else { all };
        let allowed = by_first.into_iter().map(|(first, all)| (first, seconds(all).into_iter().flatten().collect()));
        Self::TextPairs { columns, allowed: allowed.collect() }
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Between { column, .. }
            | Self::OneOfInts { column, .. }
            | Self::OneOfTexts { column, .. }
            | Self::Text { column, .. }
            | Self::InNetwork { column, .. }
            | Self::Present { column, .. } => vec![column],
            Self::TextPairs { columns, .. } => columns.iter().map(String::as_str).collect(),
            Self::InGroups { keys, .. } => keys.iter().map(Key::source).collect(),
            Self::AnyOf(conditions) => conditions.iter().flat_map(Self::columns).collect(),
            Self::Not(condition) => condition.columns(),
        }
    }

    /// The keys that the predicate compares.
    pub(super) fn keys(&self) -> Vec<&Key> {
        self.group_lists().into_iter().flat_map(|(keys, _)| keys).collect()
    }

    /// The lists of groups that the predicate compares with, each with its keys.
    pub(super) fn group_lists(&self) -> Vec<(&[Key], &[Vec<KeyValue<'static>>])> {
        match self {
            Self::InGroups { keys, groups } => vec![(keys, groups)],
            Self::AnyOf(conditions) => conditions.iter().flat_map(Self::group_lists).collect(),
            Self::Not(condition) => condition.group_lists(),
            Self::Between { .. }
            | Self::OneOfInts { .. }
            | Self::OneOfTexts { .. }
            | Self::Text { .. }
            | Self::InNetwork { .. }
            | Self::Present { .. }
            | Self::TextPairs { .. } => Vec::new(),
        }
    }

    /// The keys whose values decide the predicate; `None` if it can only be evaluated for records, because a group by an
    /// absent value of a field with a default does not tell it from the default.
    pub fn evaluated_keys(&self) -> Option<Vec<Key>> {
        match self {
            Self::InGroups { keys, .. } => Some(keys.clone()),
            Self::AnyOf(conditions) => Some(conditions.iter().map(Self::evaluated_keys).collect::<Option<Vec<_>>>()?.concat()),
            Self::Not(condition) => condition.evaluated_keys(),
            Self::Present { column, .. } | Self::OneOfInts { column, or_absent: true, .. } if has_default(column) => None,
            Self::Between { .. }
            | Self::OneOfInts { .. }
            | Self::OneOfTexts { .. }
            | Self::Text { .. }
            | Self::InNetwork { .. }
            | Self::Present { .. }
            | Self::TextPairs { .. } => Some(Key::columns(&self.columns())),
        }
    }

    /// Whether [`Store::estimate`](crate::Store::estimate) depends on predicates on a column: those that
    /// [`accounts_of`], [`may_be_active`] and [`may_be_finished`] look at.
    pub fn decides_rows_read(column: &str) -> bool {
        column == ACCOUNT || column == END
    }

    /// The verdict on records of an account, "" if it is absent; `None` if the predicate is not a list of accounts.
    pub(super) fn verdict_on_account(&self, account: &str) -> Option<bool> {
        let is_absent = account.is_empty();
        match self.on_account()? {
            Self::OneOfTexts { values, or_absent, .. } => {
                Some(if is_absent { *or_absent } else { values.iter().any(|value| value == account) })
            }
            Self::Present { wanted, .. } => Some(*wanted != is_absent),
            Self::Between { .. }
            | Self::OneOfInts { .. }
            | Self::Text { .. }
            | Self::InNetwork { .. }
            | Self::TextPairs { .. }
            | Self::InGroups { .. }
            | Self::AnyOf(_)
            | Self::Not(_) => None,
        }
    }

    /// The predicate, if it is on the account alone.
    fn on_account(&self) -> Option<&Self> {
        Some(self).filter(|predicate| *predicate.columns() == [ACCOUNT])
    }

    /// Whether this is the condition that a session has ended (`wanted`), or has not.
    fn wants_end(&self, wanted: bool) -> bool {
        matches!(self, Self::Present { column, wanted: here } if column == END && *here == wanted)
    }
}

fn has_default(column: &str) -> bool {
    let is_int = |field: &&Field| field.field_type.column_kind() == ColumnKind::Int;
    field(column).filter(is_int).is_some_and(|field| default_of(field.slot) != ABSENT)
}

/// Whether an active session may satisfy all predicates.
pub fn may_be_active(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(true))
}

/// Whether a finished session may satisfy all predicates.
pub fn may_be_finished(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(false))
}

const ACCOUNT: &str = "account_id";
const END: &str = "end_time";

/// Accounts up to which a scan looks for the rows of each: to scan all rows of a segment once then takes longer than to plan
/// the scans of some rows.
const ACCOUNT_COUNT_MAX: usize = 16;

/// The accounts of which a record must have one to satisfy all predicates, without repetition, "" for records without an
/// account. `None` if any account may satisfy them, or many.
pub fn accounts_of(predicates: &[Predicate]) -> Option<Vec<&str>> {
    predicates.iter().filter_map(Predicate::on_account).find_map(|predicate| match predicate {
        Predicate::OneOfTexts { values, or_absent, .. } => (values.len() <= ACCOUNT_COUNT_MAX).then(|| {
            // An empty value matches no record.
            let accounts = values.iter().map(String::as_str).filter(|account| !account.is_empty());
            accounts.chain(or_absent.then_some("")).collect()
        }),
        Predicate::Present { wanted, .. } => (!wanted).then(|| vec![""]),
        Predicate::Between { .. }
        | Predicate::OneOfInts { .. }
        | Predicate::Text { .. }
        | Predicate::InNetwork { .. }
        | Predicate::TextPairs { .. }
        | Predicate::InGroups { .. }
        | Predicate::AnyOf(_)
        | Predicate::Not(_) => None,
    })
}

/// How a text is compared with the text of a predicate: byte by byte, so that upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// The texts are equal.
    Eq,
    /// The text begins with the other one.
    StartsWith,
    /// The text ends with the other one.
    EndsWith,
    /// The text contains the other one.
    Contains,
}

impl TextMatch {
    /// The comparison that the gRPC contract calls `name`.
    ///
    /// # Errors
    /// `Unknown` for any other name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "eq" => Ok(Self::Eq),
            "starts_with" => Ok(Self::StartsWith),
            "ends_with" => Ok(Self::EndsWith),
            "contains" => Ok(Self::Contains),
            _ => Err(Error::Unknown { what: "comparison", name: name.to_owned() }),
        }
    }

    /// Whether `value` matches `text`.
    pub(super) fn holds(self, value: &[u8], text: &str) -> bool {
        match self {
            Self::Eq => value == text.as_bytes(),
            Self::StartsWith => value.starts_with(text.as_bytes()),
            Self::EndsWith => value.ends_with(text.as_bytes()),
            Self::Contains => memmem::find(value, text.as_bytes()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_predicates_on_the_end_and_the_account_decide_which_rows_are_read() {
        let ended = |wanted| Predicate::Present { column: "end_time".to_owned(), wanted };
        let of = |column: &str, values: &[&str]| {
            Predicate::one_of_texts(column.to_owned(), values.iter().map(|&value| value.to_owned()).collect(), false)
        };
        let with_account = |wanted| Predicate::Present { column: "account_id".to_owned(), wanted };
        let a_or_none = Predicate::one_of_texts("account_id".to_owned(), vec!["a".to_owned()], true);
        let many = (0..=ACCOUNT_COUNT_MAX).map(|number| number.to_string()).collect();
        let answered = Predicate::Present { column: "answer_time".to_owned(), wanted: true };
        let cases = [
            (vec![], (true, true, None)),
            (vec![answered], (true, true, None)),
            (vec![ended(true)], (false, true, None)),
            (vec![of("company", &["x"]), ended(false)], (true, false, None)),
            (vec![of("company", &["x"]), of("account_id", &["a"])], (true, true, Some(vec!["a"]))),
            (vec![of("account_id", &["b", "", "a", "b"])], (true, true, Some(vec!["a", "b"]))),
            (vec![a_or_none], (true, true, Some(vec!["a", ""]))),
            (vec![with_account(false)], (true, true, Some(vec![""]))),
            (vec![with_account(true)], (true, true, None)),
            (vec![Predicate::one_of_texts("account_id".to_owned(), many, false)], (true, true, None)),
        ];
        for (predicates, expected) in &cases {
            let found = (may_be_active(predicates), may_be_finished(predicates), accounts_of(predicates));
            assert_eq!(found, *expected, "{predicates:?}");
        }
        assert_eq!(["account_id", "end_time", "company"].map(Predicate::decides_rows_read), [true, true, false]);
    }

    #[test]
    fn comparisons_have_the_names_of_the_contract() -> Result<()> {
        let cases = [("eq", [true, false, false]), ("starts_with", [true, true, false]), ("ends_with", [true, false, true])];
        for (name, expected) in cases {
            let how = TextMatch::named(name)?;
            assert_eq!(["12", "123", "312"].map(|value| how.holds(value.as_bytes(), "12")), expected, "{name}");
        }
        assert!(TextMatch::named("contains")?.holds(b"3124", "12"));
        assert!(TextMatch::named("like").is_err());
        Ok(())
    }
}
