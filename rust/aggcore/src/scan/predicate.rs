//! Conditions on records.
//!
//! A condition is compiled once per slice. One on a category is decided per dictionary entry, so that a row costs one
//! look-up of its code; where the dictionary is sorted, a beginning is a range of codes. One that holds for all values
//! of a column, or none, costs no row anything.

pub use super::network::Network;
use crate::error::{Error, Result};

/// One condition; those of one scan must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Predicate {
    /// An integer lies in [low, high], both inclusive; an absent one never does.
    Between { column: String, low: i64, high: i64 },
    /// An integer is one of these (ascending).
    OneOfInts { column: String, values: Vec<i64> },
    /// A text is one of these (ascending).
    OneOfTexts { column: String, values: Vec<String> },
    /// A text compares with another; an absent one never matches.
    Text { column: String, how: TextMatch, text: String },
    /// A text is an address within a network; one that cannot be read never is.
    InNetwork { column: String, network: Network },
    /// A value is there (`wanted`) or is not.
    Present { column: String, wanted: bool },
}

impl Predicate {
    /// Name of the column that it asks about.
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

    fn wants_end(&self, wanted: bool) -> bool {
        matches!(self, Self::Present { column, wanted: here } if column == "end_time" && *here == wanted)
    }
}

/// Whether sessions that have not ended may meet all conditions.
pub fn may_be_active(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(true))
}

/// Whether finished sessions may meet all conditions.
pub fn may_be_finished(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(false))
}

pub(super) const ACCOUNT: &str = "account_id";

/// The one account that a record must be of to meet all conditions, if they name one.
pub fn account_of(predicates: &[Predicate]) -> Option<&str> {
    predicates.iter().find_map(|predicate| {
        let Predicate::OneOfTexts { column, values } = predicate else { return None };
        let [account] = values.as_slice() else { return None };
        (column == ACCOUNT).then_some(account.as_str())
    })
}

/// How a text compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// The whole text.
    Eq,
    /// Its beginning.
    StartsWith,
    /// Its end.
    EndsWith,
    /// Any slice of it.
    Contains,
}

impl TextMatch {
    /// The comparison that the contract calls `name`.
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

    pub(super) fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Eq => value == text,
            Self::StartsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
            Self::Contains => value.contains(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_called_as_in_the_contract() -> Result<()> {
        let cases = [("eq", [true, false, false]), ("starts_with", [true, true, false]), ("ends_with", [true, false, true])];
        for (name, expected) in cases {
            let how = TextMatch::named(name)?;
            assert_eq!(["12", "123", "312"].map(|value| how.holds(value, "12")), expected, "{name}");
        }
        assert!(TextMatch::named("contains")?.holds("3124", "12"));
        assert!(TextMatch::named("like").is_err());
        Ok(())
    }
}
