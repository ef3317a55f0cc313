//! A synthetic UTC day of calls, the same in every run, flushed into one segment.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Each bench uses some of these; a bench may panic.

#[path = "../../tests/common/mod.rs"]
mod common;
pub mod predicates;
pub mod work;

use aggcore::testing::ABSENT;
use aggcore::{Segment, Store};
use common::{OwnedRecord, batch};
use tempfile::TempDir;

/// 2026-03-02T00:00:00Z, when the day begins.
pub const FROM_US: i64 = 1_772_409_600_000_000;
pub const DAY_US: i64 = 86_400_000_000;
/// The account of a tenth of the calls.
pub const LARGEST_ACCOUNT: &str = "1000";
const BATCH_ROWS: u64 = 10_000;

/// Number of folders, and of agents per folder.
const FOLDERS: [u64; 2] = [64, 16];

/// The values of a call that differ from call to call.
pub struct Call {
    number: u64,
    pub setup_us: i64,
    /// `None` if not answered.
    pub duration_ms: Option<i64>,
    /// Fits 8 bits.
    pub cause: i64,
    /// Fits 16 bits.
    pub app: i64,
    /// Fits 32 bits.
    pub client_account: i64,
    /// Needs 64 bits; absent in a quarter of the calls.
    pub price: Option<i64>,
    pub account: u64,
    pub folder: u64,
    pub agent: u64,
    pub address: u64,
    routed: u64,
    dialled: u64,
}

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }
}

impl Call {
    pub fn new(number: u64) -> Self {
        let mut random = Random(number << 8);
        let folder = random.below(FOLDERS[0]);
        Self {
            number,
            setup_us: FROM_US + random.below(DAY_US as u64) as i64,
            duration_ms: (random.below(100) < 55).then(|| random.below(360_000) as i64),
            cause: 1 + random.below(100) as i64,
            app: 1 + random.below(1_000) as i64,
            client_account: 100_000 + random.below(1_000) as i64,
            price: (random.below(4) > 0).then(|| random.below(10_000_000_000) as i64),
            account: if random.below(10) == 0 { 0 } else { random.below(500) + 1 },
            folder,
            agent: folder * FOLDERS[1] + random.below(FOLDERS[1]),
            address: random.below(256),
            routed: random.below(10_000),
            dialled: random.below(100_000_000),
        }
    }

    /// Returns the routing prefix, one of 10,000.
    pub fn prefix(&self) -> String {
        format!("44207946{:04}", self.routed)
    }

    /// Returns the dialled number, which differs for most calls.
    pub fn dialled(&self) -> String {
        format!("+4930{:08}", self.dialled)
    }

    pub fn is_of_largest_account(&self) -> bool {
        self.account == 0
    }

    /// Returns the sums that the call adds to its cell.
    pub fn sums(&self) -> [i64; 3] {
        [1, i64::from(self.duration_ms.is_some()), self.duration_ms.unwrap_or(0)]
    }

    fn record(&self) -> OwnedRecord {
        let ring_end_us = self.setup_us + 5_000_000;
        OwnedRecord::new(&format!("{:012}", self.number), self.setup_us)
            .with("answer_time", self.duration_ms.map_or(ABSENT, |_| ring_end_us))
            .with("end_time", ring_end_us + self.duration_ms.unwrap_or(0) * 1_000)
            .with("disconnect_cause", self.cause)
            .with("app_id", self.app)
            .with("orig_accounts_id", self.client_account)
            .with("customer_price", self.price.unwrap_or(ABSENT))
            .with_text("account_id", &(1_000 + self.account).to_string())
            .with_text("folder", &format!("folder {}", self.folder))
            .with_text("agent_id", &format!("agent {}", self.agent))
            .with_text("auth_orig_ip", &format!("198.51.100.{}", self.address))
            .with_text("dst_prefix_routing", &self.prefix())
            .with_text("term_dst_party_id", &self.dialled())
    }
}

/// A store that holds the calls of one day.
pub struct Day {
    pub row_count: u64,
    pub store: Store,
    /// The only segment of the store.
    pub segment: Segment,
    /// Holds the file of the segment: the store fails a report whose file is gone.
    _directory: TempDir,
}

impl Day {
    pub fn flushed(row_count: u64) -> Self {
        if cfg!(debug_assertions) {
            panic!("a debug build is not measured");
        }
        let (store, directory) = (Store::default(), tempfile::tempdir().unwrap());
        for first in (0..row_count).step_by(BATCH_ROWS as usize) {
            let records: Vec<OwnedRecord> =
                (first..row_count.min(first + BATCH_ROWS)).map(|number| Call::new(number).record()).collect();
            assert_eq!(store.apply(&batch(&records), FROM_US).accepted, records.len());
        }
        let edit = store.write_flush(directory.path(), 1, row_count as usize, &store.begin_flush(false)).unwrap();
        let [new] = edit.segments.as_slice() else { panic!("a day is one segment") };
        let segment = Segment::open(directory.path(), &new.written).unwrap();
        store.install(edit);
        Self { row_count, store, segment, _directory: directory }
    }

    pub fn calls(&self) -> impl Iterator<Item = Call> {
        (0..self.row_count).map(Call::new)
    }
}
