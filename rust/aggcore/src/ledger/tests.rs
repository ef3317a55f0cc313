//! The ledger against a model of its shards, and against an oracle that takes one version after the other.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod oracle;
mod random;
mod refusals;
mod shard_model;

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;

use super::columns::position;
use super::*;
use crate::record::data_scope::DataScope;
use crate::record::deletion::Deletion;
use crate::record::schema::field;
use crate::record::scrubbing::{Scrubbing, party_digest};
use crate::record::{Record, US_PER_DAY};
use crate::wire::BatchLimits;
use crate::wire::v1::WriteRecordsResponse;
use oracle::{Merged, Oracle, TestRules, merged, shown};
use random::{FIRST_DAY, Random, request};
use shard_model::{ShardModel, integer};

/// Random histories of each test.
const SEED_COUNT: u64 = 60;
const HASH_KEY: [u8; 16] = [7; 16];
const PARTY_KEY: [u8; 16] = [9; 16];
const LIMITS: LedgerLimits = LedgerLimits {
    batch: BatchLimits { rows: 1_000, id_bytes: 100 },
    call_seconds: 604_800,
    versions_bytes: 1 << 20,
    dictionary_rows_min: 4,
};

/// The shards of a cluster.
pub struct World {
    pub shards: Vec<ShardModel>,
}

/// One batch of a test.
struct TestBatch {
    versions: Vec<Record<'static>>,
    corrects: bool,
    writer: Option<Arc<DataScope>>,
}

impl World {
    fn new(shard_count: usize) -> Self {
        Self { shards: (0..shard_count).map(|_| ShardModel::default()).collect() }
    }

    fn group(&self, batches: &[TestBatch], rules: &Arc<LedgerRules>) -> LedgerGroup {
        let batch = |one: &TestBatch| GroupBatch {
            batch: Arc::new(LedgerBatch::from_wire(&request(&one.versions, one.corrects), LIMITS).unwrap()),
            writer: one.writer.clone(),
        };
        LedgerGroup::new(batches.iter().map(batch).collect(), Arc::clone(rules), &HASH_KEY, self.shards.len())
    }

    /// Plans a shard; reads heads of days that the plan asks for, and then rows again.
    fn plan(&self, group: &LedgerGroup, shard: usize, oldest_us: i64, received_us: i64) -> Vec<DayCommit> {
        let lookup = group.lookup(shard).unwrap();
        let mut days = lookup.days.clone();
        loop {
            let heads = self.shards[shard].heads(days.iter().copied());
            let rows = self.shards[shard].select(|row| {
                lookup.key_hashes.contains(&(integer(row, position::KEY_HASH) as u64))
                    && integer(row, position::FIRST_DAY) <= lookup.days_searched.1
                    && integer(row, position::LAST_DAY) >= lookup.days_searched.0
            });
            let request = PlanRequest { rows: &rows, heads: &heads, oldest_us, received_us, nonce: 77 };
            let plan = group.plan(shard, &request).unwrap();
            if plan.unknown_days.is_empty() {
                return plan.commits;
            }
            assert!(plan.commits.is_empty() && plan.unknown_days.iter().all(|day| days.insert(*day)));
        }
    }

    /// Commits a group. Other writers take some of its numbers.
    fn write(&mut self, random: &mut Random, group: &LedgerGroup, rules: &TestRules, received_us: i64) {
        while let Some(&shard) = group.unsettled_shards().first() {
            let commits = self.plan(group, shard, rules.oldest_us, received_us);
            for commit in &commits {
                if random.once_in(6) {
                    self.shards[shard].move_head(commit.day);
                }
            }
            let mut planned = Planned::new(shard, commits);
            while planned.make_next(random, self, group) {}
        }
    }

    /// Rewrites all days; returns how many records were removed and changed.
    fn rewrite(&mut self, rules: &LedgerRules, deletion: Option<&Deletion>) -> (usize, usize) {
        let (mut removed, mut changed) = (0, 0);
        for shard in &mut self.shards {
            let days: BTreeSet<i64> = shard.live().iter().map(|(row, _)| integer(row, position::DAY)).collect();
            for (day, head) in shard.heads(days) {
                let rows = shard.select(|row| integer(row, position::DAY) == day);
                let commit = RewriteCommit { day, seq: head + 1, nonce: 5 };
                let rewrite = rewrite_rows(&rows, rules, deletion, commit).unwrap();
                (removed, changed) = (removed + rewrite.removed, changed + rewrite.changed);
                let row_count = 2 * rewrite.changed + rewrite.removed;
                let commit = DayCommit { day, seq: head + 1, after: Vec::new(), rows: rewrite.rows, row_count };
                assert!(shard.insert(&commit));
            }
        }
        (removed, changed)
    }

    /// Each record has one live row, or none.
    fn check_signs(&self) {
        for (row, sum) in self.shards.iter().flat_map(ShardModel::live) {
            assert_eq!(sum, 1, "{row:?}");
        }
    }
}

/// The commits of a plan, made in any order that they allow; one that is lost keeps back only those that follow it.
struct Planned {
    shard: usize,
    /// Those that were not tried.
    commits: Vec<DayCommit>,
    /// Days of those that are not durable.
    open: BTreeSet<i64>,
}

impl Planned {
    fn new(shard: usize, commits: Vec<DayCommit>) -> Self {
        Self { shard, open: commits.iter().map(|commit| commit.day).collect(), commits }
    }

    /// Makes or loses one of the commits; returns whether there was one to try.
    fn make_next(&mut self, random: &mut Random, world: &mut World, group: &LedgerGroup) -> bool {
        random.shuffle(&mut self.commits);
        let is_next = |commit: &DayCommit| !commit.after.iter().any(|day| self.open.contains(day));
        let Some(next) = self.commits.iter().position(is_next) else { return false };
        let commit = self.commits.swap_remove(next);
        if world.shards[self.shard].insert(&commit) {
            self.open.remove(&commit.day);
            group.settle(self.shard, commit.day).unwrap();
        }
        true
    }
}

fn random_batch(random: &mut Random) -> TestBatch {
    let corrects = random.once_in(3);
    let tenant = field("tenant_id").unwrap();
    let writer = random.once_in(3).then(|| Arc::new(DataScope::default().with_integers("tenant_id", vec![1])));
    let mut versions: Vec<_> = (0..1 + random.below(6)).map(|_| random.version(corrects)).collect();
    if writer.is_some() {
        // The caller has checked their own values.
        versions.iter_mut().for_each(|version| version.ints[tenant.slot] = 1);
    }
    TestBatch { versions, corrects, writer }
}

/// Changes the rules, and has the rewriter pass over all days.
fn change_rules(random: &mut Random, world: &mut World, oracle: &mut Oracle, rules: &mut TestRules) {
    let mut deletion = None;
    match random.below(5) {
        0 => rules.oldest_us = (FIRST_DAY + random.below(3) as i64) * US_PER_DAY,
        1 => {
            let number = random.pick(&["+15550100", "+15550101"]);
            rules.scrubbing = Scrubbing::new(PARTY_KEY, [party_digest(&PARTY_KEY, number)], None, 3);
        }
        2 => rules.scrubbing = Scrubbing::new(PARTY_KEY, [], Some(random.day()), 3),
        3 => rules.deletions.clear(),
        _ => {
            let ids = [random.pick(&["x", "y"])].map(Arc::from).into_iter().collect();
            let source = random.pick(&[None, Some("a")]).map(Into::into);
            let rule_id = random.pick(&[None, Some(1)]);
            let covering = Arc::new(Deletion { rule_id, source, session_ids: Some(ids), ..Deletion::default() });
            rules.deletions.push(Arc::clone(&covering));
            deletion = Some(covering);
        }
    }
    let removed = deletion.as_ref().map_or(0, |deletion| oracle.delete(deletion));
    let changed = oracle.scrub(&rules.scrubbing);
    assert_eq!(world.rewrite(&ledger_rules(rules), deletion.as_deref()), (removed, changed));
    rules.deletions.retain(|deletion| deletion.rule_id.is_some());
}

fn ledger_rules(rules: &TestRules) -> Arc<LedgerRules> {
    Arc::new(LedgerRules::new(rules.scrubbing.clone(), &rules.deletions))
}

#[test]
fn groups_one_after_the_other_leave_what_single_versions_would() {
    for seed in 0..SEED_COUNT {
        let (mut random, mut oracle, mut rules) = (Random(seed), Oracle::default(), TestRules::default());
        let mut world = World::new(1 + random.below(2));
        for step in 0..12 {
            if random.once_in(4) {
                change_rules(&mut random, &mut world, &mut oracle, &mut rules);
            }
            let batches: Vec<_> = (0..1 + random.below(3)).map(|_| random_batch(&mut random)).collect();
            let group = world.group(&batches, &ledger_rules(&rules));
            world.write(&mut random, &group, &rules, step);
            for (batch, response) in batches.iter().zip(group.responses().unwrap()) {
                let expected = oracle.write(&batch.versions, batch.corrects, batch.writer.as_deref(), &rules, step);
                assert_eq!(counted(&response), expected, "seed {seed}, step {step}");
            }
            world.check_signs();
            assert_eq!(shown(&world), oracle.shown(), "seed {seed}, step {step}");
            world.shards.iter_mut().for_each(|shard| shard.merge_parts(&mut random));
            assert_eq!(shown(&world), oracle.shown(), "seed {seed}, step {step}, merged");
        }
    }
}

/// The counts of a response, and its rejected records.
fn counted(response: &[u8]) -> (crate::storage::BatchOutcome, Vec<(usize, crate::record::RejectReason)>) {
    let response = WriteRecordsResponse::decode(response).unwrap();
    let count = |count: Option<i64>| count.unwrap() as usize;
    let outcome = crate::storage::BatchOutcome {
        accepted: count(response.accepted),
        replaced: count(response.replaced),
        duplicates: count(response.duplicates),
        outranked: count(response.outranked),
        suspected_reuse: count(response.suspected_reuse),
    };
    use crate::record::RejectReason as R;
    let known = [R::Deleted, R::BeforeRetention, R::OutsideDataScope, R::PartMissing, R::MissingEndTime, R::TooManyParts];
    let reason = |number: i32| known.into_iter().find(|reason| *reason as i32 == number).unwrap();
    let rejected = response.rejected.iter().map(|one| (one.index.unwrap() as usize, reason(one.reason.unwrap())));
    (outcome, rejected.collect())
}

/// A writer in the course of its work.
struct Writer {
    group: LedgerGroup,
    /// What it commits next.
    planned: Option<Planned>,
}

impl Writer {
    /// Takes one step: plans, or makes one commit.
    fn step(&mut self, random: &mut Random, world: &mut World) {
        match &mut self.planned {
            None => {
                let Some(&shard) = self.group.unsettled_shards().first() else { return };
                self.planned = Some(Planned::new(shard, world.plan(&self.group, shard, 0, 0)));
            }
            Some(planned) => {
                if !planned.make_next(random, world, &self.group) {
                    self.planned = None;
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.planned.is_none() && self.group.unsettled_shards().is_empty()
    }
}

/// Writers at the same time, which take the same versions in other orders; some of them stop halfway.
fn write_together(seed: u64, stops: bool) -> (World, Vec<TestBatch>, Vec<Writer>) {
    let mut random = Random(seed);
    let mut world = World::new(1 + random.below(2));
    let batch = |random: &mut Random| TestBatch {
        versions: (0..1 + random.below(8)).map(|_| random.version(false)).collect(),
        corrects: false,
        writer: None,
    };
    let batches: Vec<TestBatch> = (0..6).map(|_| batch(&mut random)).collect();
    let rules = Arc::new(LedgerRules::default());
    let mut writers: Vec<Writer> = (0..8)
        .map(|number| {
            let mut own = vec![TestBatch { versions: batches[number % 6].versions.clone(), corrects: false, writer: None }];
            random.shuffle(&mut own[0].versions);
            Writer { group: world.group(&own, &rules), planned: None }
        })
        .collect();
    for _ in 0..400 {
        let number = random.below(writers.len());
        // The last two send what the first two send, and stop at some time.
        if stops && number >= 6 && random.once_in(10) {
            writers.truncate(number.max(6));
            continue;
        }
        writers[number].step(&mut random, &mut world);
        world.check_signs();
        if random.once_in(5) {
            world.shards.iter_mut().for_each(|shard| shard.merge_parts(&mut random));
        }
    }
    while let Some(writer) = writers.iter_mut().find(|writer| !writer.is_done()) {
        writer.step(&mut random, &mut world);
    }
    (world, batches, writers)
}

fn without_times(world: &World) -> Vec<Merged> {
    let mut all: Vec<_> = shown(world).into_iter().map(|(record, _, days, versions, _)| (record, days, versions)).collect();
    all.sort();
    all
}

fn all_versions(batches: &[TestBatch]) -> Vec<Record<'static>> {
    batches.iter().flat_map(|batch| batch.versions.clone()).collect()
}

#[test]
fn writers_at_the_same_time_leave_what_all_their_versions_merge_to() {
    let mut healed = 0;
    for seed in 0..SEED_COUNT {
        let (mut random, (mut world, batches, mut writers)) = (Random(seed), write_together(seed, false));
        // Rows of neighbouring days may have been added at the same time: each writer looks at its keys once more.
        let expected = merged(&all_versions(&batches));
        healed += usize::from(without_times(&world) != expected);
        for writer in &mut writers {
            for (shard, model) in world.shards.iter().enumerate() {
                let hashes = model.live().iter().map(|(row, _)| integer(row, position::KEY_HASH) as u64).collect::<Vec<_>>();
                writer.group.reopen(shard, &hashes).unwrap();
            }
            while !writer.is_done() {
                writer.step(&mut random, &mut world);
            }
        }
        world.check_signs();
        assert_eq!(without_times(&world), expected, "seed {seed}");
        assert!(writers.iter().all(|writer| writer.group.responses().is_some()));
    }
    assert!(healed > 0, "the test has met no neighbours");
}

#[test]
fn batches_that_are_sent_again_complete_what_a_writer_left_halfway() {
    for seed in 0..SEED_COUNT {
        let (mut world, batches, _) = write_together(seed, true);
        let group = world.group(&batches, &Arc::new(LedgerRules::default()));
        world.write(&mut Random(seed), &group, &TestRules::default(), 0);
        world.check_signs();
        assert_eq!(without_times(&world), merged(&all_versions(&batches)), "seed {seed}");
        let rows_before: Vec<_> = world.shards.iter().map(ShardModel::live).collect();
        let group = world.group(&batches, &Arc::new(LedgerRules::default()));
        world.write(&mut Random(seed), &group, &TestRules::default(), 1);
        assert_eq!(world.shards.iter().map(ShardModel::live).collect::<Vec<_>>(), rows_before, "a replay writes nothing");
    }
}
