//! Scrubbing: erases numbers of parties from records, and masks those of old days.
//!
//! An erased number is absent. It is known by a digest with a key of the store, so that the store keeps no number that it
//! erased. What scrubbing changes says nothing about a figure: keys, times and ids stay, and so do `agent_id`, a group of
//! the folder report, and the ids of legs.

use std::collections::HashSet;

use siphasher::sip128::SipHasher24;

use super::party::{canonical_party, masked_address, masked_party};
use super::schema::{FIELDS, Field, STRING_COUNT, str_eq};
use super::{Record, US_PER_DAY};

/// Fields that may have the number of a party.
const PARTY_NAMES: [&str; 8] = [
    "src_prefix_routing",
    "dst_prefix_routing",
    "orig_src_party_id",
    "orig_dst_party_id",
    "orig_accounts_ident",
    "term_src_party_id",
    "term_dst_party_id",
    "term_accounts_ident",
];

/// The field that has an address, which is masked only.
const ADDRESS_NAME: &str = "auth_orig_ip";

/// What scrubbing does to the text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubbedAs {
    /// Nothing.
    Kept,
    /// It erases and masks a number of a party.
    Party,
    /// It masks an address.
    Address,
}

/// What scrubbing does to the texts of a record, by string slot.
pub const SCRUBBED_AS: [ScrubbedAs; STRING_COUNT] = scrubbed_as();

/// Whether scrubbing may change a field, by index in [`FIELDS`].
pub const IS_SCRUBBED: [bool; FIELDS.len()] = is_scrubbed();

/// Number of fields that scrubbing may change.
const SCRUBBED_COUNT: usize = PARTY_NAMES.len() + 1;

/// String slots of the fields that scrubbing may change.
pub const SCRUBBED_SLOTS: [usize; SCRUBBED_COUNT] = scrubbed_slots();

/// Digest of a number of a party.
pub type PartyDigest = [u8; 16];

/// The numbers to erase, and which records are masked.
#[derive(Clone, Debug, Default)]
pub struct Scrubbing {
    /// Digests of numbers by the key that they were made with: erasures may come from other stores.
    erased: Vec<(PartyDigest, HashSet<PartyDigest>)>,
    masked_before_day: Option<i64>,
    keep_digits: usize,
}

/// Texts that take the place of those of one record.
#[derive(Clone, Debug, Default)]
pub struct ScrubbedTexts(Vec<(usize, String)>);

/// Returns the digest, with a key, of the canonical form of a text: SipHash-2-4 with 128 bits.
pub fn party_digest(key: &PartyDigest, text: &str) -> PartyDigest {
    digest(key, &canonical_party(text))
}

fn digest(key: &PartyDigest, canonical: &str) -> PartyDigest {
    SipHasher24::new_with_key(key).hash(canonical.as_bytes()).as_bytes()
}

impl Scrubbing {
    /// Erases the numbers with these digests. Masks records set up before the UTC day `masked_before_day` (days since
    /// 1970-01-01), if it is set, but for the first `keep_digits` digits of a number.
    pub fn new(
        key: PartyDigest, erased: impl IntoIterator<Item = PartyDigest>, masked_before_day: Option<i64>, keep_digits: usize,
    ) -> Self {
        Self { erased: Vec::new(), masked_before_day, keep_digits }.also_erasing(key, erased)
    }

    /// Erases further numbers, whose digests were made with a key of their own.
    pub fn also_erasing(mut self, key: PartyDigest, erased: impl IntoIterator<Item = PartyDigest>) -> Self {
        let digests: HashSet<PartyDigest> = erased.into_iter().collect();
        if !digests.is_empty() {
            self.erased.push((key, digests));
        }
        self
    }

    /// Whether it changes no record.
    pub fn is_idle(&self) -> bool {
        self.erased.is_empty() && self.masked_before_day.is_none()
    }

    /// Whether some record may have changed because of a number to erase.
    pub fn erases(&self) -> bool {
        !self.erased.is_empty()
    }

    /// Whether a record is masked whose first version was set up on a UTC day.
    pub fn masks_day(&self, day: i64) -> bool {
        self.masked_before_day.is_some_and(|before| day < before)
    }

    /// Whether a record is masked whose first version was set up at a time, microseconds UTC.
    pub fn masks_setup(&self, setup_us: i64) -> bool {
        self.masks_day(setup_us.div_euclid(US_PER_DAY))
    }

    /// Whether a text is a number to erase.
    pub fn is_erased(&self, text: &str) -> bool {
        if self.erased.is_empty() || text.is_empty() {
            return false;
        }
        let canonical = canonical_party(text);
        !canonical.is_empty() && self.erased.iter().any(|(key, erased)| erased.contains(&digest(key, &canonical)))
    }

    /// What becomes of the text of a string slot; "" if it is erased, `None` if it stays.
    pub fn scrubbed_text(&self, slot: usize, text: &str, is_masked: bool) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        match SCRUBBED_AS[slot] {
            ScrubbedAs::Kept => None,
            ScrubbedAs::Party if self.is_erased(text) => Some(String::new()),
            ScrubbedAs::Party if is_masked => masked_party(text, self.keep_digits),
            ScrubbedAs::Address if is_masked => masked_address(text),
            ScrubbedAs::Party | ScrubbedAs::Address => None,
        }
    }

    /// What becomes of the texts of a record; `None` if it stays as it is.
    pub fn scrubbed(&self, record: &Record<'_>, is_masked: bool) -> Option<ScrubbedTexts> {
        if self.erased.is_empty() && !is_masked {
            return None;
        }
        let scrubbed = |slot: usize| Some((slot, self.scrubbed_text(slot, record.strings[slot], is_masked)?));
        let texts: Vec<(usize, String)> = SCRUBBED_SLOTS.into_iter().filter_map(scrubbed).collect();
        (!texts.is_empty()).then_some(ScrubbedTexts(texts))
    }

    /// As [`Scrubbing::scrubbed`], of a version that is a record of its own.
    pub fn scrubbed_version(&self, version: &Record<'_>) -> Option<ScrubbedTexts> {
        self.scrubbed(version, self.masks_setup(version.setup_us()))
    }

    /// Whether a record has a number to erase.
    pub fn has_erased(&self, record: &Record<'_>) -> bool {
        let is_party = |slot: &usize| SCRUBBED_AS[*slot] == ScrubbedAs::Party;
        SCRUBBED_SLOTS.into_iter().filter(is_party).any(|slot| self.is_erased(record.strings[slot]))
    }
}

impl ScrubbedTexts {
    /// Returns the record with these texts in place of its own.
    pub fn in_place<'a>(&'a self, record: &Record<'a>) -> Record<'a> {
        let mut scrubbed = record.clone();
        self.0.iter().for_each(|(slot, text)| scrubbed.strings[*slot] = text);
        scrubbed
    }
}

/// Returns the records with their scrubbed texts, of those that have any.
pub fn in_place<'a>(records: &[Record<'a>], texts: &'a [Option<ScrubbedTexts>]) -> Vec<Record<'a>> {
    let scrubbed = |(record, texts): (&Record<'a>, &'a Option<ScrubbedTexts>)| match texts {
        Some(texts) => texts.in_place(record),
        None => record.clone(),
    };
    records.iter().zip(texts).map(scrubbed).collect()
}

const fn scrubbed_as() -> [ScrubbedAs; STRING_COUNT] {
    let mut scrubbed = [ScrubbedAs::Kept; STRING_COUNT];
    let mut i = 0;
    while i < PARTY_NAMES.len() {
        scrubbed[Record::string_slot(named(PARTY_NAMES[i]))] = ScrubbedAs::Party;
        i += 1;
    }
    scrubbed[Record::string_slot(named(ADDRESS_NAME))] = ScrubbedAs::Address;
    scrubbed
}

const fn scrubbed_slots() -> [usize; SCRUBBED_COUNT] {
    let mut slots = [0; SCRUBBED_COUNT];
    let mut i = 0;
    while i < PARTY_NAMES.len() {
        slots[i] = Record::string_slot(named(PARTY_NAMES[i]));
        i += 1;
    }
    slots[i] = Record::string_slot(named(ADDRESS_NAME));
    slots
}

const fn is_scrubbed() -> [bool; FIELDS.len()] {
    let mut scrubbed = [false; FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        let slot = Record::string_slot(&FIELDS[i]);
        scrubbed[i] = FIELDS[i].is_string() && !matches!(SCRUBBED_AS[slot], ScrubbedAs::Kept);
        i += 1;
    }
    scrubbed
}

/// The field of a name; an unknown one fails the build.
const fn named(name: &str) -> &'static Field {
    let mut i = 0;
    while !str_eq(FIELDS[i].name, name) {
        i += 1;
    }
    &FIELDS[i]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::{field, int_slot};

    const KEY: PartyDigest = *b"0123456789abcdef";

    fn slot(name: &str) -> usize {
        field(name).map_or(usize::MAX, Record::string_slot)
    }

    fn record(setup_us: i64, texts: &[(&str, &'static str)]) -> Record<'static> {
        let mut record = Record::default();
        record.ints[int_slot::SETUP_TIME] = setup_us;
        texts.iter().for_each(|(name, text)| record.strings[slot(name)] = text);
        record
    }

    #[test]
    fn all_forms_of_a_number_have_one_digest() {
        let of = |text: &str| party_digest(&KEY, text);
        assert_eq!(of("+49 (30) 23125-001"), of("sip:00493023125001@192.0.2.7"));
        assert_ne!(of("+493023125001"), of("+493023125002"));
        assert_ne!(of("+493023125001"), party_digest(b"0123456789abcdeF", "+493023125001"));
    }

    #[test]
    fn a_number_is_erased_from_all_its_fields_and_from_no_other() {
        let scrubbing = Scrubbing::new(KEY, [party_digest(&KEY, "+1 555 0100")], None, 0);
        let text = FIELDS.iter().filter(|field| field.is_string());
        for field in text {
            let record = record(0, &[(field.name, "0015550100"), ("orig_leg_id", "leg")]);
            let scrubbed = scrubbing.scrubbed_version(&record);
            let is_party = PARTY_NAMES.contains(&field.name);
            assert_eq!(scrubbed.is_some(), is_party, "{}", field.name);
            assert_eq!(scrubbing.has_erased(&record), is_party);
            if let Some(scrubbed) = scrubbed {
                assert_eq!(scrubbed.in_place(&record), self::record(0, &[("orig_leg_id", "leg")]));
            }
        }
    }

    #[test]
    fn numbers_are_erased_by_the_digests_of_each_key() {
        let other = *b"fedcba9876543210";
        let scrubbing = Scrubbing::new(KEY, [party_digest(&KEY, "+15550100")], None, 0)
            .also_erasing(other, [party_digest(&other, "+15550101")]);
        assert_eq!(["+15550100", "+15550101", "+15550102"].map(|text| scrubbing.is_erased(text)), [true, true, false]);
        assert!(Scrubbing::default().also_erasing(other, []).is_idle());
    }

    #[test]
    fn a_text_without_digits_or_letters_is_never_erased() {
        let scrubbing = Scrubbing::new(KEY, [party_digest(&KEY, "-")], None, 0);
        assert!(!scrubbing.is_erased("-") && !scrubbing.is_erased(""));
    }

    #[test]
    fn records_of_days_before_are_masked() {
        let scrubbing = Scrubbing::new(KEY, [party_digest(&KEY, "+15550100")], Some(2), 4);
        let texts = [("orig_src_party_id", "+1 555 0100"), ("orig_dst_party_id", "+1 555 0199"), ("auth_orig_ip", "192.0.2.7")];
        let scrubbed = |setup_us: i64| {
            let record = record(setup_us, &texts);
            let scrubbed = scrubbing.scrubbed_version(&record).unwrap_or_default();
            texts.map(|(name, _)| scrubbed.in_place(&record).strings[slot(name)].to_owned())
        };
        assert_eq!(scrubbed(2 * US_PER_DAY - 1), ["", "+1 555 ****", "192.0.2.0"]);
        assert_eq!(scrubbed(2 * US_PER_DAY), ["", "+1 555 0199", "192.0.2.7"]);
    }

    #[test]
    fn without_numbers_and_days_nothing_changes() {
        let idle = Scrubbing::default();
        assert!(idle.is_idle() && !idle.masks_setup(i64::MIN));
        assert!(idle.scrubbed_version(&record(0, &[("orig_src_party_id", "+15550100")])).is_none());
    }
}
