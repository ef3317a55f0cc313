//! One record, or one version of it, as it passes through the core.
//!
//! Times are microseconds UTC since 1970-01-01, in [0, [`TIME_END_US`]); durations are milliseconds; days are
//! UTC days since 1970-01-01.

pub mod data_scope;
mod decimal_digits;
pub mod deletion;
pub mod masked;
pub mod new_record;
pub mod party;
pub mod price;
pub mod schema;
pub mod scrubbing;

use schema::{
    ABSENT, ColumnKind, DICTIONARY_COUNT, FIELDS, Field, INT_COUNT, STRING_COUNT, dictionary_slot, int_slot, text_slot,
};

/// Numbers of SIP responses (RFC 3261).
const SIP_STATUSES: std::ops::RangeInclusive<i64> = 100..=699;
/// Longest text of a record, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;
/// Exclusive upper bound of all times of a record: 2200-01-01T00:00:00Z, in microseconds UTC.
pub const TIME_END_US: i64 = 7_258_118_400_000_000;
/// Microseconds of one UTC day.
pub const US_PER_DAY: i64 = 86_400_000_000;

/// The fields of one record. An absent integer is [`ABSENT`], an absent text is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Integer fields by slot.
    pub ints: [i64; INT_COUNT],
    /// Text fields: the dictionary-encoded ones by slot, then the plain ones by slot (see
    /// [`Record::string_slot`]).
    pub strings: [&'a str; STRING_COUNT],
}

/// Why a record is rejected; the numbers are those of `pegcount.v1.RejectReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum RejectReason {
    /// `session_id` is absent or empty.
    MissingSessionId = 1,
    /// `setup_time` is absent.
    MissingSetupTime = 2,
    /// An END event lacks `end_time`.
    MissingEndTime = 3,
    /// A time is outside [1970-01-01Z, 2200-01-01Z).
    TimeOutOfRange = 4,
    /// `answer_time` is before `setup_time`.
    AnswerBeforeSetup = 5,
    /// `end_time` is before `answer_time`.
    EndBeforeAnswer = 6,
    /// `end_time` is before `setup_time`.
    EndBeforeSetup = 7,
    /// A text is longer than [`TEXT_BYTES_MAX`] bytes.
    TextTooLong = 8,
    /// A price is not a decimal number, has more than 9 decimals, or is too large.
    BadPrice = 9,
    /// An enum field has a number that the contract does not define.
    UnknownEnumValue = 10,
    /// An integer is [`ABSENT`], the one value that stands for an absent field, or no SIP status.
    NumberOutOfRange = 11,
    /// `setup_time` is before the first day that retention retains.
    BeforeRetention = 12,
    /// The record has as many parts as one may have.
    TooManyParts = 13,
    /// An address field has another text than an address.
    BadAddress = 14,
    /// The end is too long after the setup.
    CallTooLong = 15,
    /// An identifier is a number that a spreadsheet has rounded.
    RoundedNumber = 16,
    /// The record lies within a deletion that still applies.
    Deleted = 17,
    /// An event in a batch of corrections.
    EventInCorrection = 18,
    /// A correction without a part of a record that has parts.
    PartMissing = 19,
    /// It would join a record outside the data scope of its writer.
    OutsideDataScope = 20,
}

/// The rejection of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why, as a number of the contract.
    pub reason: RejectReason,
    /// Why, in words that name the field.
    pub description: String,
}

impl Rejection {
    /// Returns a rejection; `description` should name the field.
    pub fn new(reason: RejectReason, description: impl Into<String>) -> Self {
        Self { reason, description: description.into() }
    }

    /// The rejection of a record that was set up before the days that are kept.
    pub fn before_retention() -> Self {
        Self::new(RejectReason::BeforeRetention, "setup_time is before the days that are kept")
    }

    /// The rejection of a further version of a record whose versions take more than `limit` bytes.
    pub fn too_many_parts(limit: usize) -> Self {
        let description = format!("the parts of session_id take more than {limit} bytes (record_versions_bytes_max)");
        Self::new(RejectReason::TooManyParts, description)
    }

    /// The rejection of a correction of which a batch has `allowed` before it for the same record.
    pub fn too_many_corrections(allowed: usize) -> Self {
        let description = format!("session_id: a batch may have {allowed} corrections of one record");
        Self::new(RejectReason::TooManyParts, description)
    }

    /// The rejection of a version that would join a record which its writer does not reach.
    pub fn outside_data_scope() -> Self {
        let description = "session_id: a record of this session lies outside the data scope of the credential";
        Self::new(RejectReason::OutsideDataScope, description)
    }
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self { ints: [ABSENT; INT_COUNT], strings: [""; STRING_COUNT] }
    }
}

impl<'a> Record<'a> {
    /// Returns the index in `strings` of a text field.
    pub const fn string_slot(field: &Field) -> usize {
        match field.field_type.column_kind() {
            ColumnKind::Text => DICTIONARY_COUNT + field.slot,
            ColumnKind::Dictionary | ColumnKind::Int => field.slot,
        }
    }

    /// Returns the switch or feed that sent the record; "" is the unnamed one.
    pub fn source(&self) -> &'a str {
        self.strings[dictionary_slot::SOURCE]
    }

    /// Returns the source's own id of the session.
    pub fn session_id(&self) -> &'a str {
        self.strings[DICTIONARY_COUNT + text_slot::SESSION_ID]
    }

    /// Returns the setup time, microseconds UTC.
    pub fn setup_us(&self) -> i64 {
        self.ints[int_slot::SETUP_TIME]
    }

    /// Returns the UTC day of the setup time, in days since 1970-01-01.
    pub fn day(&self) -> i64 {
        self.setup_us().div_euclid(US_PER_DAY)
    }

    /// Returns whether the session has ended: finished records have an end time, active ones lack it.
    pub fn is_finished(&self) -> bool {
        self.ints[int_slot::END_TIME] != ABSENT
    }

    /// Returns the hash of the key (source, session id); see [`key_hash`].
    pub fn key_hash(&self) -> u64 {
        key_hash(self.source(), self.session_id())
    }

    /// Returns whether a field has a value.
    pub fn has(&self, field: &Field) -> bool {
        match field.field_type.column_kind() {
            ColumnKind::Int => self.ints[field.slot] != ABSENT,
            ColumnKind::Dictionary | ColumnKind::Text => !self.strings[Self::string_slot(field)].is_empty(),
        }
    }

    /// Returns whether a field has the same value, or is absent, in both records.
    pub fn field_equals(&self, other: &Record<'_>, field: &Field) -> bool {
        match field.field_type.column_kind() {
            ColumnKind::Int => self.ints[field.slot] == other.ints[field.slot],
            ColumnKind::Dictionary | ColumnKind::Text => {
                self.strings[Self::string_slot(field)] == other.strings[Self::string_slot(field)]
            }
        }
    }

    /// Copies a field, present or absent, from another record.
    pub fn copy_field(&mut self, other: &Record<'a>, field: &Field) {
        match field.field_type.column_kind() {
            ColumnKind::Int => self.ints[field.slot] = other.ints[field.slot],
            ColumnKind::Dictionary | ColumnKind::Text => {
                self.strings[Self::string_slot(field)] = other.strings[Self::string_slot(field)]
            }
        }
    }

    /// Makes the alert time absent if it is before the setup or after the answer; returns whether it was.
    ///
    /// Clocks and rounding of switches cause such times. The call happened all the same, so that the record stays.
    pub fn drop_alert_out_of_order(&mut self) -> bool {
        let [alert, answer] = [int_slot::ALERT_TIME, int_slot::ANSWER_TIME].map(|slot| self.ints[slot]);
        let is_out_of_order = alert != ABSENT && (alert < self.setup_us() || answer != ABSENT && answer < alert);
        if is_out_of_order {
            self.ints[int_slot::ALERT_TIME] = ABSENT;
        }
        is_out_of_order
    }

    /// Makes a field absent.
    pub fn clear_field(&mut self, field: &Field) {
        self.copy_field(&Record::default(), field);
    }

    /// Checks the rules that span fields, and the lengths of texts. Decoding has checked each value before.
    ///
    /// # Errors
    /// Returns the first rule that the record breaks.
    pub fn validate(&self) -> Result<(), Rejection> {
        use RejectReason as R;
        let [setup, answer, end] = [int_slot::SETUP_TIME, int_slot::ANSWER_TIME, int_slot::END_TIME].map(|slot| self.ints[slot]);
        if self.session_id().is_empty() {
            return Err(Rejection::new(R::MissingSessionId, "session_id is required"));
        }
        if setup == ABSENT {
            return Err(Rejection::new(R::MissingSetupTime, "setup_time is required"));
        }
        if self.ints[int_slot::EVENT] == EVENT_END && end == ABSENT {
            return Err(Rejection::new(R::MissingEndTime, "an END event needs end_time"));
        }
        if answer != ABSENT && answer < setup {
            return Err(Rejection::new(R::AnswerBeforeSetup, "answer_time is before setup_time"));
        }
        if end != ABSENT && end < setup {
            return Err(Rejection::new(R::EndBeforeSetup, "end_time is before setup_time"));
        }
        if end != ABSENT && answer != ABSENT && end < answer {
            return Err(Rejection::new(R::EndBeforeAnswer, "end_time is before answer_time"));
        }
        let sip_status = self.ints[int_slot::SIP_STATUS];
        if sip_status != ABSENT && !SIP_STATUSES.contains(&sip_status) {
            return Err(Rejection::new(R::NumberOutOfRange, format!("sip_status is {sip_status}; 100 to 699 are allowed")));
        }
        self.validate_texts()
    }

    fn validate_texts(&self) -> Result<(), Rejection> {
        let bytes = |field: &Field| self.strings[Self::string_slot(field)].len();
        if self.strings.iter().all(|text| text.len() <= TEXT_BYTES_MAX) {
            return Ok(());
        }
        let too_long = FIELDS.iter().find(|field| field.is_string() && bytes(field) > TEXT_BYTES_MAX);
        too_long.map_or(Ok(()), |field| {
            let description = format!("{} has {} bytes; {TEXT_BYTES_MAX} are allowed", field.name, bytes(field));
            Err(Rejection::new(RejectReason::TextTooLong, description))
        })
    }
}

/// Number of `SESSION_EVENT_START`.
pub const EVENT_START: i64 = 1;
/// Number of `SESSION_EVENT_UPDATE`.
pub const EVENT_UPDATE: i64 = 2;
/// Number of `SESSION_EVENT_END`.
pub const EVENT_END: i64 = 3;

/// Returns the call duration in milliseconds: floor((end - answer) / 1,000 µs) if both times are present,
/// else 0.
pub fn duration_ms(answer_us: i64, end_us: i64) -> i64 {
    if answer_us == ABSENT || end_us == ABSENT { 0 } else { (end_us - answer_us).div_euclid(1_000) }
}

/// Returns the hash of a key: XXH3-64 of source, a zero byte and session id. Segments store it, so it must
/// never change.
pub fn key_hash(source: &str, session_id: &str) -> u64 {
    // Hashing one contiguous buffer is several times as fast as feeding a streaming hasher.
    let mut key = [0; 2 * TEXT_BYTES_MAX + 1];
    let (start, end) = (source.len() + 1, source.len() + 1 + session_id.len());
    if end > key.len() {
        return xxhash_rust::xxh3::xxh3_64(format!("{source}\0{session_id}").as_bytes());
    }
    key[..source.len()].copy_from_slice(source.as_bytes());
    key[start..end].copy_from_slice(session_id.as_bytes());
    xxhash_rust::xxh3::xxh3_64(&key[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_lies_between_setup_and_answer() {
        let kept = |alert_us: i64, answer_us: i64| {
            let mut record = Record::default();
            record.ints[int_slot::SETUP_TIME] = 10;
            record.ints[int_slot::ALERT_TIME] = alert_us;
            record.ints[int_slot::ANSWER_TIME] = answer_us;
            let is_dropped = record.drop_alert_out_of_order();
            assert_eq!(is_dropped, record.ints[int_slot::ALERT_TIME] != alert_us);
            !is_dropped
        };
        assert_eq!([9, 10, 11, 20, 21].map(|alert_us| kept(alert_us, 20)), [false, true, true, true, false]);
        assert_eq!([9, 10, i64::MAX].map(|alert_us| kept(alert_us, ABSENT)), [false, true, true]);
        assert!(kept(ABSENT, 20) && kept(ABSENT, ABSENT));
    }

    #[test]
    fn a_sip_status_is_the_number_of_a_response() {
        let reason = |sip_status: i64| {
            let mut record = Record::default();
            record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = "id";
            (record.ints[int_slot::SETUP_TIME], record.ints[int_slot::SIP_STATUS]) = (0, sip_status);
            record.validate().err().map(|rejection| rejection.reason)
        };
        assert_eq!([ABSENT, 100, 200, 699].map(reason), [None; 4]);
        assert_eq!([-1, 0, 99, 700].map(reason), [Some(RejectReason::NumberOutOfRange); 4]);
    }
}
