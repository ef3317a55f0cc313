//! Batches that are committed together.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use parking_lot::Mutex;
use siphasher::sip::SipHasher24;

use super::batch::LedgerBatch;
use super::key_merge::PlanRules;
use super::live_rows::LiveRows;
use super::rules::LedgerRules;
use super::shard::{Lookup, Plan, PlanInput, Shard, Version, day_of};
use super::standing::Fate;
use crate::error::{Error, Result};
use crate::record::Rejection;
use crate::record::data_scope::DataScope;
use crate::storage::{BatchOutcome, SourceCounters, SourceTally};
use crate::wire::{Rejections, encode_response_head};

/// A batch, and the records that its writer reaches; `None`: all.
pub struct GroupBatch {
    /// The batch.
    pub batch: Arc<LedgerBatch>,
    /// What its writer reaches.
    pub writer: Option<Arc<DataScope>>,
}

/// Batches that are committed together, in order.
pub struct LedgerGroup {
    batches: Vec<GroupBatch>,
    rules: Mutex<Arc<LedgerRules>>,
    shards: Vec<Mutex<Shard>>,
}

/// What became of a batch.
struct Outcome<'b> {
    tally: SourceTally<'b>,
    /// The records that were rejected late, by their rows.
    rejected: Vec<(usize, Rejection)>,
}

/// What a plan of one shard begins with.
pub struct PlanRequest<'p> {
    /// Native blocks of live rows.
    pub rows: &'p [u8],
    /// Number of the last commit by day.
    pub heads: &'p HashMap<i64, u64>,
    /// Versions set up before it, microseconds UTC, are rejected unless their session is active.
    pub oldest_us: i64,
    /// The time of the changes, microseconds UTC.
    pub received_us: i64,
    /// What marks the commits as those of this writer.
    pub nonce: u64,
}

/// Hash of a key: SipHash-2-4 of source, a zero byte and session id, with a key of the cluster.
pub fn key_hash(hash_key: &[u8; 16], source: &str, session_id: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_key(hash_key);
    hasher.write(source.as_bytes());
    hasher.write(&[0]);
    hasher.write(session_id.as_bytes());
    hasher.finish()
}

impl LedgerGroup {
    /// Assigns the records of batches to shards.
    pub fn new(batches: Vec<GroupBatch>, rules: Arc<LedgerRules>, hash_key: &[u8; 16], shard_count: usize) -> Self {
        let mut of_shards: Vec<Vec<Version>> = (0..shard_count).map(|_| Vec::new()).collect();
        for (batch, one) in batches.iter().enumerate() {
            let columns = one.batch.records.fields();
            for row in 0..one.batch.records.rows() {
                let (source, session_id) = columns.key(row);
                let key_hash = key_hash(hash_key, source, session_id);
                let shard = key_hash % shard_count as u64;
                let days = match one.batch.stored(row) {
                    Some(stored) => stored.versions.days(),
                    None => day_of(&columns, row),
                };
                of_shards[shard as usize].push(Version { batch, row, key_hash, days, fate: None });
            }
        }
        let shards = of_shards.into_iter().map(|versions| Mutex::new(Shard::new(versions, &batches))).collect();
        Self { batches, rules: Mutex::new(rules), shards }
    }

    /// Holds versions to other rules from the next plan on.
    pub fn use_rules(&self, rules: Arc<LedgerRules>) {
        *self.rules.lock() = rules;
    }

    /// Shards in which something is open.
    pub fn unsettled_shards(&self) -> Vec<usize> {
        (0..self.shards.len()).filter(|&shard| self.shards[shard].lock().is_unsettled()).collect()
    }

    /// Which rows the next plan of a shard needs.
    ///
    /// # Errors
    /// `Unknown` for a shard that does not exist, as for all methods with a shard.
    pub fn lookup(&self, shard: usize) -> Result<Lookup> {
        Ok(self.shard(shard)?.lock().lookup())
    }

    /// Merges the open versions of a shard with its live rows.
    ///
    /// # Errors
    /// `MalformedBlock`, or `Damaged` if rows contradict themselves or each other.
    pub fn plan(&self, shard: usize, request: &PlanRequest<'_>) -> Result<Plan> {
        let rows = LiveRows::read(request.rows)?;
        let rules = Arc::clone(&self.rules.lock());
        let input = PlanInput {
            batches: &self.batches,
            rules: PlanRules { rules: &rules, oldest_us: request.oldest_us },
            heads: request.heads,
            received_us: request.received_us,
            nonce: request.nonce,
        };
        self.shard(shard)?.lock().plan(&rows, &input)
    }

    /// Notes that the planned commit of a day is durable.
    ///
    /// # Errors
    /// `Unknown` if none is planned, or another one has to come first.
    pub fn settle(&self, shard: usize, day: i64) -> Result<()> {
        self.shard(shard)?.lock().settle(day)
    }

    /// Has the next plan of a shard look at keys again that are settled.
    ///
    /// # Errors
    /// `Unknown` for a shard that does not exist.
    pub fn reopen(&self, shard: usize, key_hashes: &[u64]) -> Result<()> {
        self.shard(shard)?.lock().reopen(key_hashes);
        Ok(())
    }

    /// The `WriteRecordsResponse` of each batch; `None` while something is open.
    pub fn responses(&self) -> Option<Vec<Vec<u8>>> {
        let of_batches = self.batches.iter().zip(self.outcomes()?);
        Some(of_batches.map(|(one, outcome)| one.batch.response(outcome)).collect())
    }

    /// Counts the records of all batches by source; returns whether nothing is open.
    pub fn note_sources(&self, counters: &SourceCounters, received_us: i64) -> bool {
        let Some(outcomes) = self.outcomes() else { return false };
        for (one, outcome) in self.batches.iter().zip(outcomes) {
            counters.note_written(&outcome.tally.finish().1, received_us);
            counters.note_rejected(&one.batch.rejections(outcome.rejected));
        }
        true
    }

    /// What became of each batch; `None` while something is open.
    fn outcomes(&self) -> Option<Vec<Outcome<'_>>> {
        let mut outcomes: Vec<_> = self.batches.iter().map(|one| Outcome::begun(&one.batch)).collect();
        for shard in &self.shards {
            let shard = shard.lock();
            if shard.is_unsettled() {
                return None;
            }
            for version in shard.versions() {
                let of_batch = &mut outcomes[version.batch];
                match version.fate.as_ref()? {
                    Fate::Counted(outcome) => of_batch.tally.add(&[version.row], *outcome),
                    Fate::Rejected(rejection) => of_batch.rejected.push((version.row, rejection.clone())),
                }
            }
        }
        Some(outcomes)
    }

    fn shard(&self, shard: usize) -> Result<&Mutex<Shard>> {
        self.shards.get(shard).ok_or_else(|| Error::Unknown { what: "shard", name: shard.to_string() })
    }
}

impl<'b> Outcome<'b> {
    fn begun(batch: &'b LedgerBatch) -> Self {
        Self { tally: SourceTally::new(batch.records.fields()), rejected: Vec::new() }
    }
}

impl LedgerBatch {
    fn response(&self, outcome: Outcome<'_>) -> Vec<u8> {
        let (counted, _) = outcome.tally.finish();
        let BatchOutcome { accepted, replaced, duplicates, outranked, suspected_reuse } = counted;
        let dropped_alert_times = self.records.rejected.dropped_alert_time_count();
        let counts = [accepted, replaced, duplicates, outranked, suspected_reuse, dropped_alert_times];
        let mut response = encode_response_head(self.records.batch_id.as_deref(), counts);
        response.extend(self.rejections(outcome.rejected).encoded);
        response
    }

    /// The rejected records, with those that were rejected late.
    fn rejections(&self, mut late: Vec<(usize, Rejection)>) -> Rejections {
        late.sort_by_key(|(row, _)| *row);
        let fields = self.records.fields();
        self.records.rejected.with_rows(late.into_iter().map(|(row, rejection)| (row, fields.key(row).0, rejection)).collect())
    }
}
