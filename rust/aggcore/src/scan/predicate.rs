//! Predicates: the conditions on records that a caller asks for, before they are bound to columns.
//!
//! Each names one column and one test. All predicates of a scan must hold for a record to count.

use memchr::memmem;

pub use super::network::Network;
use crate::error::{Error, Result};

/// A condition on one column of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Predicate {
    /// An integer lies in [low, high], both inclusive. An absent one counts as the default of its field
    /// (`default_of`: `kind` and `is_last_attempt` have one); without a default it fails.
    Between { column: String, low: i64, high: i64 },
    /// An integer is one of `values`, which ascend.
    OneOfInts { column: String, values: Vec<i64> },
    /// A text is one of `values`, which ascend.
    OneOfTexts { column: String, values: Vec<String> },
    /// A text matches another one. An absent text does not.
    Text { column: String, how: TextMatch, text: String },
    /// A text is an address within a block. Any other text fails.
    InNetwork { column: String, network: Network },
    /// A value is present (if `wanted`) or absent.
    Present { column: String, wanted: bool },
}

impl Predicate {
    /// Returns the predicate that an integer is one of `values`, given in any order.
    ///
    /// ```
    /// use aggcore::Predicate;
    /// let cause = |values| Predicate::one_of_ints("disconnect_cause".to_owned(), values);
    /// assert_eq!(cause(vec![17, 16]), cause(vec![16, 17]));
    /// ```
    pub fn one_of_ints(column: String, mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        Self::OneOfInts { column, values }
    }

    /// Returns the predicate that a text is one of `values`, given in any order.
    pub fn one_of_texts(column: String, mut values: Vec<String>) -> Self {
        values.sort_unstable();
        Self::OneOfTexts { column, values }
    }

    /// Name of the column.
    pub fn column(&self) -> &str {
        match self {
            Self::Between { column, .. }
            | Self::OneOfInts { column, .. }
            | Self::OneOfTexts { column, .. }
            | Self::Text { column, .. }
            | Self::InNetwork { column, .. }
            | Self::Present { column, .. } => column,
        }
    }

    /// Whether [`Store::estimate`](crate::Store::estimate) depends on predicates on a column: those that
    /// [`account_of`], [`may_be_active`] and [`may_be_finished`] look at.
    pub fn decides_rows_read(column: &str) -> bool {
        column == ACCOUNT || column == END
    }

    /// Whether this is the condition that a session has ended (`wanted`), or has not.
    fn wants_end(&self, wanted: bool) -> bool {
        matches!(self, Self::Present { column, wanted: here } if column == END && *here == wanted)
    }
}

/// Whether an active session may satisfy all predicates.
pub fn may_be_active(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(true))
}

/// Whether a finished session may satisfy all predicates.
pub fn may_be_finished(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(false))
}

pub(super) const ACCOUNT: &str = "account_id";
const END: &str = "end_time";

/// The account that a record must have to satisfy all predicates, if they ask for a single one.
pub fn account_of(predicates: &[Predicate]) -> Option<&str> {
    predicates.iter().find_map(|predicate| {
        let Predicate::OneOfTexts { column, values } = predicate else { return None };
        let [account] = values.as_slice() else { return None };
        (column == ACCOUNT).then_some(account.as_str())
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
            Predicate::one_of_texts(column.to_owned(), values.iter().map(|&value| value.to_owned()).collect())
        };
        let answered = Predicate::Present { column: "answer_time".to_owned(), wanted: true };
        let cases = [
            (vec![], (true, true, None)),
            (vec![answered], (true, true, None)),
            (vec![ended(true)], (false, true, None)),
            (vec![of("company", &["x"]), ended(false)], (true, false, None)),
            (vec![of("company", &["x"]), of("account_id", &["a"])], (true, true, Some("a"))),
            (vec![of("account_id", &["a", "b"])], (true, true, None)),
        ];
        for (predicates, expected) in &cases {
            let found = (may_be_active(predicates), may_be_finished(predicates), account_of(predicates));
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
