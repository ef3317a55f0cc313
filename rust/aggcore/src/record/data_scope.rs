//! Data scopes: which records a credential may write.

use std::collections::{HashMap, HashSet};

use super::Record;
use super::schema::{ABSENT, Field, field};

/// The values that a record must have. It must have one of each list that is not empty, as its own value: what it would get
/// from other versions of its session does not count.
#[derive(Clone, Debug, Default)]
pub struct DataScope {
    integers: Vec<(&'static Field, HashSet<i64>)>,
    texts: Vec<(&'static Field, HashSet<String>)>,
    /// The organizations of each company, none if all of them are meant. Empty: any company.
    organizations: HashMap<String, HashSet<String>>,
}

/// A value of a record that is outside a data scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideValue {
    /// Name of the field.
    pub field: &'static str,
    /// Its value, "" if it is absent.
    pub value: String,
}

impl DataScope {
    /// Returns a scope of companies, each with an organization, or with none if all of them are meant.
    pub fn of_organizations(organizations: Vec<(String, Option<String>)>) -> Self {
        let mut by_company = HashMap::<String, HashSet<Option<String>>>::new();
        for (company, organization) in organizations {
            by_company.entry(company).or_default().insert(organization);
        }
        let named = |all: HashSet<Option<String>>| if all.contains(&None) { HashSet::new() } else { all };
        let organizations = by_company.into_iter().map(|(company, all)| (company, named(all).into_iter().flatten().collect()));
        Self { organizations: organizations.collect(), ..Self::default() }
    }

    /// Requires an integer field to have one of these values, unless there are none.
    #[must_use]
    pub fn with_integers(mut self, name: &str, values: Vec<i64>) -> Self {
        if !values.is_empty() {
            self.integers.extend(field(name).map(|field| (field, values.into_iter().collect())));
        }
        self
    }

    /// Requires a text field to have one of these values, unless there are none.
    #[must_use]
    pub fn with_texts(mut self, name: &str, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.texts.extend(field(name).map(|field| (field, values.into_iter().collect())));
        }
        self
    }

    /// Returns a value that puts a record outside; `None` if the record is inside.
    pub fn outside(&self, record: &Record<'_>) -> Option<OutsideValue> {
        let text = |field: &Field| record.strings[Record::string_slot(field)];
        let of_text = self.texts.iter().find(|(field, values)| !values.contains(text(field)));
        let of_integer = self.integers.iter().find(|(field, values)| !values.contains(&record.ints[field.slot]));
        match (of_text, of_integer) {
            (Some((field, _)), _) => Some(OutsideValue { field: field.name, value: text(field).to_owned() }),
            (None, Some((field, _))) => {
                let value = Some(record.ints[field.slot]).filter(|value| *value != ABSENT);
                Some(OutsideValue { field: field.name, value: value.map(|value| value.to_string()).unwrap_or_default() })
            }
            (None, None) => self.outside_organizations(record),
        }
    }

    fn outside_organizations(&self, record: &Record<'_>) -> Option<OutsideValue> {
        if self.organizations.is_empty() {
            return None;
        }
        let text = |name: &str| field(name).map_or("", |field| record.strings[Record::string_slot(field)]);
        let (company, organization) = (text("company"), text("organization"));
        let outside = |field, value: &str| Some(OutsideValue { field, value: value.to_owned() });
        match self.organizations.get(company) {
            None => outside("company", company),
            Some(named) if named.is_empty() || named.contains(organization) => None,
            Some(_) => outside("organization", organization),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::dictionary_slot;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn with_text<'a>(mut record: Record<'a>, name: &str, text: &'a str) -> Record<'a> {
        record.strings[field(name).map_or(dictionary_slot::SOURCE, Record::string_slot)] = text;
        record
    }

    fn outside(scope: &DataScope, record: &Record<'_>) -> String {
        scope.outside(record).map_or_else(String::new, |outside| format!("{}={}", outside.field, outside.value))
    }

    #[test]
    fn a_record_must_have_a_value_of_each_list() {
        let scope = DataScope::default().with_texts("source", owned(&["a", "b"])).with_integers("tenant_id", vec![1, -2]);
        let of = |source, tenant| {
            let mut record = with_text(Record::default(), "source", source);
            record.ints[field("tenant_id").map_or(0, |field| field.slot)] = tenant;
            outside(&scope, &record)
        };
        assert_eq!(of("a", 1), "");
        assert_eq!(of("b", -2), "");
        assert_eq!(of("c", 1), "source=c");
        assert_eq!(of("", 1), "source=");
        assert_eq!(of("a", 2), "tenant_id=2");
        assert_eq!(of("a", ABSENT), "tenant_id=");
    }

    #[test]
    fn an_organization_belongs_to_its_company() {
        let pairs = [("a", Some("x")), ("a", Some("y")), ("b", Some("x")), ("b", None)];
        let pairs = pairs.map(|(company, organization)| (company.to_owned(), organization.map(str::to_owned)));
        let scope = DataScope::of_organizations(pairs.to_vec());
        let of = |company, organization| {
            outside(&scope, &with_text(with_text(Record::default(), "company", company), "organization", organization))
        };
        for (company, organization) in [("a", "x"), ("a", "y"), ("b", "x"), ("b", "z"), ("b", "")] {
            assert_eq!(of(company, organization), "");
        }
        assert_eq!(of("a", "z"), "organization=z");
        assert_eq!(of("a", ""), "organization=");
        assert_eq!(of("c", "x"), "company=c");
        assert_eq!(of("", "x"), "company=");
    }

    #[test]
    fn without_lists_every_record_is_inside() {
        let scope =
            DataScope::of_organizations(Vec::new()).with_texts("source", Vec::new()).with_integers("tenant_id", Vec::new());
        assert_eq!(scope.outside(&Record::default()), None);
    }
}
