//! Random versions of few keys on few days, so that many meet.

use crate::record::schema::DICTIONARY_COUNT;
use crate::record::schema::{ABSENT, dictionary_slot, field, int_slot, text_slot};
use crate::record::{EVENT_END, EVENT_START, EVENT_UPDATE, Record, US_PER_DAY};
use crate::wire::encode_record;

/// First day of the versions.
pub const FIRST_DAY: i64 = 20_000;
const DAY_COUNT: usize = 7;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    pub fn day(&mut self) -> i64 {
        FIRST_DAY + self.below(DAY_COUNT) as i64
    }

    /// A valid version; `is_whole` leaves out events, as corrections have to be.
    pub fn version(&mut self, is_whole: bool) -> Record<'static> {
        let mut record = Record::default();
        record.strings[dictionary_slot::SOURCE] = self.pick(&["", "a"]);
        record.strings[DICTIONARY_COUNT + text_slot::SESSION_ID] = self.pick(&["x", "y", "z"]);
        record.strings[dictionary_slot::ACCOUNT_ID] = self.pick(&["", "1001", "1002"]);
        record.strings[dictionary_slot::AUTH_ORIG_IP] = self.pick(&["", "192.0.2.7", "2001:db8::1"]);
        record.strings[DICTIONARY_COUNT + text_slot::ORIG_SRC_PARTY_ID] = self.pick(&["", "+15550100", "+15550101"]);
        let event = if is_whole { ABSENT } else { self.pick(&[ABSENT, EVENT_START, EVENT_UPDATE, EVENT_END]) };
        let setup_us = self.day() * US_PER_DAY + self.below(3) as i64 * 1_000_000;
        let answer_us = if self.once_in(2) { setup_us + 5_000_000 } else { ABSENT };
        let has_end = is_whole || event == EVENT_END || event == ABSENT && !self.once_in(3);
        let end_us = if has_end { setup_us + 10_000_000 + self.below(3) as i64 } else { ABSENT };
        record.ints[int_slot::SETUP_TIME] = setup_us;
        record.ints[int_slot::ANSWER_TIME] = answer_us;
        record.ints[int_slot::END_TIME] = end_us;
        record.ints[int_slot::EVENT] = event;
        record.ints[int_slot::REVISION] = self.pick(&[ABSENT, ABSENT, 0, 1, 2]);
        record.ints[int_slot::KIND] = self.pick(&[ABSENT, 1, 2]);
        record.ints[int_slot::IS_LAST_ATTEMPT] = self.pick(&[ABSENT, 0, 1]);
        record.ints[int_slot::PART] = self.pick(&[ABSENT, ABSENT, ABSENT, 1, 2]);
        record.ints[field("tenant_id").map_or(0, |field| field.slot)] = self.pick(&[ABSENT, 1, 2]);
        record
    }

    /// Mixes values (Fisher and Yates).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for end in (1..values.len()).rev() {
            values.swap(end, self.below(end + 1));
        }
    }
}

/// A `WriteRecordsRequest`.
pub fn request(versions: &[Record<'_>], corrects: bool) -> Vec<u8> {
    use prost::encoding::{WireType, encode_key, encode_varint};
    let mut bytes = Vec::new();
    for version in versions {
        let mut message = Vec::new();
        encode_record(version, &mut message);
        encode_key(2, WireType::LengthDelimited, &mut bytes);
        encode_varint(message.len() as u64, &mut bytes);
        bytes.extend(message);
    }
    if corrects {
        bytes.extend([3 << 3, 1]);
    }
    bytes
}
