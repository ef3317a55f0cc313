//! The versions of a group that belong to one shard.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::block_rows::BlockRows;
use super::key_merge::{Arrived, KeyMerge, PlanRules};
use super::live_rows::{LiveRow, LiveRows};
use super::standing::Fate;
use crate::columns::RecordColumns;
use crate::error::{Error, Result};
use crate::ledger::group::GroupBatch;
use crate::record::US_PER_DAY;
use crate::record::schema::int_slot;

/// The versions of one shard, by key, and what became of them.
pub struct Shard {
    versions: Vec<Version>,
    keys: Vec<Key>,
    /// The commits of the last plan that are not durable yet, by day.
    planned: BTreeMap<i64, Effects>,
}

/// Where a version is, and its fate, once it is settled.
pub struct Version {
    /// Number of its batch.
    pub batch: usize,
    /// Its row among those of the batch that break no rule.
    pub row: usize,
    /// Hash of its key.
    pub key_hash: u64,
    /// First and last UTC day of its setup time, or of those of a record that comes from another store.
    pub days: (i64, i64),
    /// `None` while it is open.
    pub fate: Option<Fate>,
}

struct Key {
    hash: u64,
    /// Its versions, in the order of arrival.
    versions: Range<usize>,
    /// First and last day of the records that the last plan changes; `None` if it changes none.
    span: Option<(i64, i64)>,
    /// Days whose commits are not durable yet, of those that the last plan makes for this key.
    days: BTreeSet<i64>,
    /// Whether the next plan has to look at its rows, even if nothing else is open.
    is_reopened: bool,
}

/// What a commit settles.
#[derive(Default)]
struct Effects {
    fates: Vec<(usize, Fate)>,
    keys: Vec<usize>,
    /// Days whose commits have to be durable before: they have what this one removes.
    after: BTreeSet<i64>,
}

/// Which rows a plan needs.
pub struct Lookup {
    /// Hashes of the keys.
    pub key_hashes: Vec<u64>,
    /// First and last day to look in.
    pub days_searched: (i64, i64),
    /// Days that a commit is likely for.
    pub days: BTreeSet<i64>,
}

/// What to plan with, besides the live rows.
pub struct PlanInput<'p> {
    /// The batches of the group.
    pub batches: &'p [GroupBatch],
    /// What all versions are held to.
    pub rules: PlanRules<'p>,
    /// Number of the last commit by day.
    pub heads: &'p HashMap<i64, u64>,
    /// The time of the changes, microseconds UTC.
    pub received_us: i64,
    /// What marks the commits as those of this writer.
    pub nonce: u64,
}

/// What a shard has to insert.
#[derive(Default)]
pub struct Plan {
    /// Days of which the head is missing.
    pub unknown_days: Vec<i64>,
    /// By day, ascending.
    pub commits: Vec<DayCommit>,
}

/// An insert.
pub struct DayCommit {
    /// Home day.
    pub day: i64,
    /// Number of the commit.
    pub seq: u64,
    /// Days whose commits of the plan have to be durable before; they are lesser ones.
    pub after: Vec<i64>,
    /// Native block.
    pub rows: Vec<u8>,
    /// Its rows, without the marker.
    pub row_count: usize,
}

/// A plan that nobody knows of yet.
#[derive(Default)]
struct Draft {
    days: BTreeMap<i64, (BlockRows, Effects)>,
    settled: Vec<(usize, Fate)>,
    /// By key: the span of its changes, and the days of their commits.
    changes: HashMap<usize, ((i64, i64), BTreeSet<i64>)>,
}

impl Shard {
    /// Takes the versions of a shard, in the order of arrival.
    pub fn new(mut versions: Vec<Version>, batches: &[GroupBatch]) -> Self {
        let columns = columns_of(batches);
        let key = |version: &Version| columns[version.batch].key(version.row);
        versions.sort_by(|one, other| one.key_hash.cmp(&other.key_hash).then_with(|| key(one).cmp(&key(other))));
        let (mut keys, mut start) = (Vec::new(), 0);
        for same in versions.chunk_by(|one, next| one.key_hash == next.key_hash && key(one) == key(next)) {
            let (hash, end) = (same[0].key_hash, start + same.len());
            keys.push(Key { hash, versions: start..end, span: None, days: BTreeSet::new(), is_reopened: false });
            start = end;
        }
        Self { versions, keys, planned: BTreeMap::new() }
    }

    /// The versions.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// Whether a version or a change is open.
    pub fn is_unsettled(&self) -> bool {
        self.keys.iter().any(|key| self.is_open(key))
    }

    /// Which rows the next plan needs.
    pub fn lookup(&self) -> Lookup {
        let mut lookup = Lookup { key_hashes: Vec::new(), days_searched: (0, -1), days: BTreeSet::new() };
        for key in self.keys.iter().filter(|key| self.is_open(key)) {
            lookup.key_hashes.push(key.hash);
            // All days, and not the first and the last one only: whoever writes to one in between has to notice.
            lookup.days.extend(self.versions[key.versions.clone()].iter().flat_map(|version| version.days.0..=version.days.1));
            lookup.days.extend(&key.days);
            lookup.days.extend(key.span.iter().flat_map(|&(first, last)| [first, last]));
        }
        lookup.key_hashes.dedup();
        if let (Some(first), Some(last)) = (lookup.days.first(), lookup.days.last()) {
            lookup.days_searched = (first - 1, last + 1);
        }
        lookup
    }

    /// Merges the open versions with live rows.
    ///
    /// # Errors
    /// `Damaged` if rows contradict themselves or each other; `MalformedBlock` if a day has more than 32 bits.
    pub fn plan(&mut self, rows: &LiveRows<'_>, input: &PlanInput<'_>) -> Result<Plan> {
        let mut held: HashMap<u64, Vec<LiveRow<'_>>> = HashMap::new();
        for row in rows.rows() {
            let row = row?;
            held.entry(row.key_hash()).or_default().push(row);
        }
        let (columns, mut draft) = (columns_of(input.batches), Draft::default());
        for (number, key) in self.keys.iter().enumerate().filter(|(_, key)| self.is_open(key)) {
            let versions = &self.versions[key.versions.clone()];
            let ids = columns[versions[0].batch].key(versions[0].row);
            let of_key = held.get(&key.hash).into_iter().flatten().filter(|row| row.is_of(ids)).copied().collect();
            let mut merge = KeyMerge::of(of_key, &input.rules)?;
            for (number, version) in key.versions.clone().zip(versions).filter(|(_, version)| version.fate.is_none()) {
                merge.take(&input.arrived(number, version, &columns));
            }
            draft.add(number, key.hash, merge, input);
        }
        let unknown_days: Vec<i64> = draft.days.keys().filter(|day| !input.heads.contains_key(day)).copied().collect();
        if !unknown_days.is_empty() {
            return Ok(Plan { unknown_days, commits: Vec::new() });
        }
        self.adopt(draft, input)
    }

    /// Notes that the planned commit of a day is durable.
    ///
    /// # Errors
    /// `Unknown` if none is planned, or another one has to come first.
    pub fn settle(&mut self, day: i64) -> Result<()> {
        let unknown = || Error::Unknown { what: "next commit of the plan, of day", name: day.to_string() };
        let is_next = |effects: &Effects| effects.after.iter().all(|before| !self.planned.contains_key(before));
        if !self.planned.get(&day).is_some_and(is_next) {
            return Err(unknown());
        }
        let Some(effects) = self.planned.remove(&day) else { return Err(unknown()) };
        for (number, fate) in effects.fates {
            self.versions[number].fate = Some(fate);
        }
        for key in effects.keys {
            let key = &mut self.keys[key];
            key.days.remove(&day);
            if key.days.is_empty() {
                key.span = None;
            }
        }
        Ok(())
    }

    /// Opens keys again.
    pub fn reopen(&mut self, key_hashes: &[u64]) {
        for key in self.keys.iter_mut().filter(|key| key_hashes.contains(&key.hash)) {
            key.is_reopened = true;
        }
    }

    fn is_open(&self, key: &Key) -> bool {
        let is_version_open = |version: &Version| version.fate.is_none();
        key.is_reopened || !key.days.is_empty() || self.versions[key.versions.clone()].iter().any(is_version_open)
    }

    /// Makes a draft the plan.
    fn adopt(&mut self, mut draft: Draft, input: &PlanInput<'_>) -> Result<Plan> {
        let (mut plan, mut planned) = (Plan::default(), BTreeMap::new());
        for (day, (rows, effects)) in draft.days {
            let (seq, row_count, after) = (input.next_seq(day), rows.row_count(), effects.after.iter().copied().collect());
            plan.commits.push(DayCommit { day, seq, after, rows: rows.finish(day, seq, input.nonce)?, row_count });
            planned.insert(day, effects);
        }
        self.planned = planned;
        for (number, fate) in draft.settled {
            self.versions[number].fate = Some(fate);
        }
        for (number, key) in self.keys.iter_mut().enumerate() {
            let (span, days) = draft.changes.remove(&number).map_or((None, BTreeSet::new()), |(span, days)| (Some(span), days));
            (key.span, key.days, key.is_reopened) = (span, days, false);
        }
        Ok(plan)
    }
}

impl Draft {
    /// Adds what changes of a key.
    fn add(&mut self, key: usize, key_hash: u64, merge: KeyMerge<'_, '_>, input: &PlanInput<'_>) {
        self.settled.extend(merge.settled);
        for record in merge.records.into_iter().filter(|record| record.is_changed) {
            let home_day = record.home_day;
            let days: BTreeSet<i64> = record.rows.iter().map(|row| row.day()).chain([home_day]).collect();
            for &day in &days {
                let (rows, effects) = self.days.entry(day).or_insert_with(|| (BlockRows::new(), Effects::default()));
                record.rows.iter().filter(|row| row.day() == day).for_each(|&row| rows.remove(row));
                if day == home_day {
                    record.add_to(rows, key_hash, input.next_seq(day), input.received_us);
                } else {
                    effects.after.insert(home_day);
                }
                effects.keys.push(key);
            }
            if let Some((_, effects)) = self.days.get_mut(&home_day) {
                effects.fates.extend(record.waiting);
            }
            let (span, all_days) = self.changes.entry(key).or_insert_with(|| (record.days, BTreeSet::new()));
            *span = (span.0.min(record.days.0), span.1.max(record.days.1));
            all_days.extend(days);
        }
    }
}

impl<'p> PlanInput<'p> {
    fn next_seq(&self, day: i64) -> u64 {
        self.heads.get(&day).map_or(0, |head| head + 1)
    }

    fn arrived<'r>(&'r self, number: usize, version: &Version, columns: &[RecordColumns<'r>]) -> Arrived<'r> {
        let GroupBatch { batch, writer } = &self.batches[version.batch];
        Arrived {
            number,
            batch: version.batch,
            record: columns[version.batch].record(version.row),
            corrects: batch.corrects,
            writer: writer.as_deref(),
            versions_bytes_max: batch.versions_bytes_max,
            stored: batch.stored(version.row),
        }
    }
}

fn columns_of(batches: &[GroupBatch]) -> Vec<RecordColumns<'_>> {
    batches.iter().map(|one| one.batch.records.fields()).collect()
}

/// First and last UTC day of the setup time of a row, which are the same.
pub fn day_of(columns: &RecordColumns<'_>, row: usize) -> (i64, i64) {
    let day = columns.ints[int_slot::SETUP_TIME].get(row).div_euclid(US_PER_DAY);
    (day, day)
}
