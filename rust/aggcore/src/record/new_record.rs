//! Rules for new records only: records that were stored before a rule existed stay, and come back from an export.
//!
//! Each rejects what would be a wrong figure in silence: a call that lasts for years, an address that no filter can match,
//! a number that a spreadsheet has rounded.

use std::net::IpAddr;

use super::masked::masked;
use super::schema::{ABSENT, Field, field, int_slot};
use super::scrubbing::{SCRUBBED_AS, ScrubbedAs};
use super::{Record, RejectReason, Rejection};

/// Fields that are identifiers, which a spreadsheet rounds if they look like numbers.
const IDENTIFIERS: [&str; 15] = [
    "session_id",
    "account_id",
    "src_prefix_routing",
    "dst_prefix_routing",
    "orig_leg_id",
    "orig_src_party_id",
    "orig_dst_party_id",
    "orig_accounts_ident",
    "orig_rates_code",
    "term_leg_id",
    "term_src_party_id",
    "term_dst_party_id",
    "term_accounts_ident",
    "term_rates_code",
    "agent_id",
];

const US_PER_SECOND: i64 = 1_000_000;

/// Rules for new records.
#[derive(Clone, Debug)]
pub struct NewRecordRules {
    call_seconds_max: i64,
    identifiers: Vec<&'static Field>,
    address: Option<&'static Field>,
}

impl NewRecordRules {
    /// Returns the rules; a record may end at most `call_seconds_max` after its setup.
    pub fn new(call_seconds_max: i64) -> Self {
        Self {
            call_seconds_max,
            identifiers: IDENTIFIERS.into_iter().filter_map(field).collect(),
            address: field("auth_orig_ip"),
        }
    }

    /// Returns why a valid record is not taken as a new one.
    pub fn rejection(&self, record: &Record<'_>) -> Option<Rejection> {
        self.too_long(record).or_else(|| self.bad_address(record)).or_else(|| self.rounded_number(record))
    }

    fn too_long(&self, record: &Record<'_>) -> Option<Rejection> {
        let end_us = record.ints[int_slot::END_TIME];
        let duration_us = end_us.saturating_sub(record.setup_us());
        let limit = self.call_seconds_max;
        if end_us == ABSENT || duration_us <= limit.saturating_mul(US_PER_SECOND) {
            return None;
        }
        let seconds = duration_us / US_PER_SECOND;
        let description = format!("end_time is {seconds} s after setup_time; {limit} s are allowed (call_seconds_max)");
        Some(Rejection::new(RejectReason::CallTooLong, description))
    }

    fn bad_address(&self, record: &Record<'_>) -> Option<Rejection> {
        let field = self.address?;
        let text = record.strings[Record::string_slot(field)];
        if text.is_empty() || text.parse::<IpAddr>().is_ok() {
            return None;
        }
        let shown = masked(text);
        let description = format!("{}: {shown:?} is no IPv4 or IPv6 address, such as 192.0.2.10 or 2001:db8::1", field.name);
        Some(Rejection::new(RejectReason::BadAddress, description))
    }

    fn rounded_number(&self, record: &Record<'_>) -> Option<Rejection> {
        let text = |field: &Field| record.strings[Record::string_slot(field)];
        let field = self.identifiers.iter().find(|field| is_rounded_number(text(field)))?;
        let is_of_party = SCRUBBED_AS[Record::string_slot(field)] != ScrubbedAs::Kept;
        let shown = if is_of_party { masked(text(field)) } else { text(field).to_owned() };
        let description = format!("{}: {shown:?} is a number that a spreadsheet has rounded", field.name);
        Some(Rejection::new(RejectReason::RoundedNumber, description))
    }
}

/// Whether a text is a number in a form in which spreadsheets show long ones (`4.42079E+11`, `4,4e+11`), or programs that
/// read their files (`4.42079E11`). `1E5`, which may be a real id, is neither.
fn is_rounded_number(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = match mantissa.split_once(['.', ',']) {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (mantissa, None),
    };
    let (digits, lengths) = match (exponent.strip_prefix('+'), decimals) {
        (Some(digits), _) => (digits, 2..=3),
        (None, Some(_)) => (exponent, 1..=3),
        (None, None) => return false,
    };
    whole.len() == 1
        && all_digits(whole)
        && decimals.is_none_or(all_digits)
        && lengths.contains(&digits.len())
        && all_digits(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(record: &Record<'_>) -> Option<RejectReason> {
        NewRecordRules::new(60).rejection(record).map(|rejection| rejection.reason)
    }

    #[test]
    fn numbers_in_scientific_notation_are_rounded_ones() {
        for text in ["4.42079E+11", "4,4e+11", "4E+11", "1.5E+100", "4.42079E11", "4,4e1"] {
            assert!(is_rounded_number(text), "{text}");
        }
        for text in ["", "E+11", "1E5", "1E+5", "44.2E+11", "4.E+11", "-4.4E+11", "4.4E+", "x4.4E+11", "4.4E+11x", "442079000000"]
        {
            assert!(!is_rounded_number(text), "{text}");
        }
    }

    #[test]
    fn no_identifier_may_be_a_rounded_number() {
        let identifiers = NewRecordRules::new(60).identifiers;
        assert_eq!(identifiers.len(), IDENTIFIERS.len());
        for field in identifiers {
            let mut record = Record::default();
            record.strings[Record::string_slot(field)] = "4.42079E+11";
            assert_eq!(reason(&record), Some(RejectReason::RoundedNumber), "{}", field.name);
        }
    }

    #[test]
    fn a_description_shows_no_number_of_a_party() {
        let description = |name: &str, text: &'static str| {
            let mut record = Record::default();
            field(name).iter().for_each(|field| record.strings[Record::string_slot(field)] = text);
            NewRecordRules::new(60).rejection(&record).map(|rejection| rejection.description)
        };
        for (name, shown) in [("term_dst_party_id", "4.42****+**"), ("session_id", "4.42079E+11")] {
            let expected = format!("{name}: {shown:?} is a number that a spreadsheet has rounded");
            assert_eq!(description(name, "4.42079E+11"), Some(expected));
        }
        let expected = "auth_orig_ip: \"192.*.*.**:****\" is no IPv4 or IPv6 address, such as 192.0.2.10 or 2001:db8::1";
        assert_eq!(description("auth_orig_ip", "192.0.2.10:5060").as_deref(), Some(expected));
    }

    #[test]
    fn a_call_may_last_as_long_as_allowed() {
        let call = |end_us: i64| {
            let mut record = Record::default();
            record.ints[int_slot::SETUP_TIME] = 7;
            record.ints[int_slot::END_TIME] = end_us;
            record
        };
        assert_eq!(reason(&call(ABSENT)), None);
        assert_eq!(reason(&call(7 + 60_000_000)), None);
        assert_eq!(reason(&call(8 + 60_000_000)), Some(RejectReason::CallTooLong));
        assert_eq!(reason(&call(i64::MAX)), Some(RejectReason::CallTooLong));
    }

    #[test]
    fn an_address_is_one_that_filters_can_match() {
        let slot = NewRecordRules::new(60).address.map(Record::string_slot);
        let from = |address: &'static str| {
            let mut record = Record::default();
            slot.iter().for_each(|&slot| record.strings[slot] = address);
            reason(&record)
        };
        for address in ["", "192.0.2.10", "2001:db8::1", "2001:DB8::1", "::ffff:192.0.2.10"] {
            assert_eq!(from(address), None, "{address}");
        }
        for address in ["192.0.2.10:5060", "192.0.2.10/32", "[2001:db8::1]", "010.1.2.3", "pbx.example", "192.0.2.256", " "] {
            assert_eq!(from(address), Some(RejectReason::BadAddress), "{address}");
        }
    }
}
