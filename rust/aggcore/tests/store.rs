//! Reports see each record once, as the merge of its versions, whatever their order, batches, flushes and
//! compactions.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use aggcore::{
    BatchOutcome, CancelToken, Key, ManifestEntry, Measure, MemoryLimits, Partials, Predicate, RowSet, Scan, SegmentEdit, Store,
    Tuning,
};
use common::{OwnedRecord, batch, record};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

/// Returns a line per record with what reports can see of it, sorted.
fn visible(store: &Store) -> Vec<String> {
    let cancel = CancelToken::with_limit(None);
    let names = ["session_id", "setup_time", "answer_time", "end_time", "kind", "app_id", "folder", "term_dst_party_id"];
    let scan = Scan {
        edges: None,
        predicates: &[],
        keys: &Key::columns(&names),
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 10_000,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    let Partials { keys, sums, .. } = store.partials(&scan).unwrap();
    let row = |cell: usize| {
        let values = keys.iter().map(|column| match column {
            aggcore::KeyValues::Ints(values) => values[cell].to_string(),
            texts @ aggcore::KeyValues::Texts { .. } => texts.text(cell).to_owned(),
        });
        format!("{} {:?}", values.collect::<Vec<_>>().join("|"), sums[cell])
    };
    let mut rows: Vec<String> = (0..sums.len()).map(row).collect();
    rows.sort();
    rows
}

/// A store on disk, with the contents of its catalogue and journal.
struct OnDisk {
    directory: tempfile::TempDir,
    store: Store,
    sequence: u64,
    segments: Vec<(i64, ManifestEntry, Vec<u8>)>,
    active: Vec<ManifestEntry>,
    /// Records since the last flush, as the journal has them.
    unflushed: Vec<OwnedRecord>,
}

impl OnDisk {
    fn new() -> Self {
        Self::with_tuning(Tuning::default())
    }

    fn with_tuning(tuning: Tuning) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            directory,
            store: Store::new(tuning, MemoryLimits::default()),
            sequence: 1,
            segments: vec![],
            active: vec![],
            unflushed: vec![],
        }
    }

    fn write(&mut self, records: &[OwnedRecord]) {
        self.store.apply(&batch(records), 0);
        self.unflushed.extend_from_slice(records);
    }

    /// Flushes; `meanwhile` arrives after the flush began and before it is installed.
    fn flush(&mut self, meanwhile: &[OwnedRecord]) {
        let flush = self.store.begin_flush(true);
        self.unflushed.clear();
        self.write(meanwhile);
        let edit = self.store.write_flush(self.directory.path(), self.sequence, 3, &flush).unwrap();
        self.active = self.store.write_active_snapshot(self.directory.path(), self.sequence, &flush).unwrap().unwrap();
        self.install(edit, &[]);
    }

    /// Compacts segments of a day; `meanwhile` arrives before the result is installed.
    fn compact(&mut self, meanwhile: &[OwnedRecord]) {
        let names = self.store.pick_compaction(100);
        let edit = self.store.compact(self.directory.path(), self.sequence, 100, &names).unwrap();
        self.write(meanwhile);
        self.install(edit, &names);
    }

    fn install(&mut self, edit: SegmentEdit, replaced: &[String]) {
        self.segments.retain(|(_, written, _)| !replaced.contains(&written.name));
        for (name, rows) in &edit.tombstones {
            let known = self.segments.iter_mut().find(|(_, written, _)| written.name == *name).unwrap();
            known.2 = rows.to_bytes();
        }
        self.segments.extend(edit.segments.iter().map(|new| (new.day, new.written.clone(), Vec::new())));
        self.sequence += 100;
        self.store.install(edit);
    }

    /// Opens the files and replays the journal, as the next process does.
    fn reopen(&mut self) {
        self.store = Store::new(self.store.tuning().as_ref().clone(), MemoryLimits::default());
        for (day, written, tombstones) in &self.segments {
            self.store.open_segment(self.directory.path(), *day, written, RowSet::from_bytes(tombstones), false);
        }
        self.active.iter().for_each(|active| self.store.open_active_snapshot(self.directory.path(), active).unwrap());
        for record in &self.unflushed {
            self.store.apply(&batch(std::slice::from_ref(record)), 0);
        }
    }
}

/// Returns what is visible after batches of `size` records, with a step of `steps` (in turn) after each
/// batch.
///
/// Step 1 flushes, 2 flushes while the next batch arrives, 3 compacts, 4 compacts while it arrives. Steps 5
/// to 9 are 0 to 4, followed by a restart.
fn after(records: &[OwnedRecord], size: usize, steps: &[u8]) -> Vec<String> {
    after_with(Tuning::default(), records, size, steps)
}

/// As [`after`], with other tuning.
fn after_with(tuning: Tuning, records: &[OwnedRecord], size: usize, steps: &[u8]) -> Vec<String> {
    let mut disk = OnDisk::with_tuning(tuning);
    let batches: Vec<&[OwnedRecord]> = records.chunks(size).collect();
    for (number, records) in batches.iter().enumerate() {
        disk.write(records);
        let next = batches.get(number + 1).copied().unwrap_or_default();
        let step = steps.get(number % steps.len().max(1)).copied().unwrap_or(0);
        match step % 5 {
            1 => disk.flush(&[]),
            2 => disk.flush(next),
            3 => disk.compact(&[]),
            4 => disk.compact(next),
            _ => {}
        }
        if step >= 5 {
            disk.reopen();
        }
    }
    visible(&disk.store)
}

fn versions() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let part = prop_oneof![Just((aggcore::testing::ABSENT, 1)), (1..3i64, 1..4i64)];
    let version = (record(3), 0..3i64, 1..4i64, 0..2i64, part).prop_map(|(record, revision, event, whole, (part, class))| {
        let event = if whole == 1 || event == 3 && record.int("end_time") == aggcore::testing::ABSENT { 0 } else { event };
        let record = record.with("revision", revision).with("part", part).with("part_class", class);
        if event == 0 { record } else { record.with("event", event) }
    });
    prop::collection::vec(version, 1..12)
}

proptest! {
    #[test]
    fn neither_arrival_order_nor_flushes_nor_restarts_change_the_records(
        (records, shuffled) in versions().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())), size in 1usize..5,
        steps in prop::collection::vec(0u8..10, 1..12),
    ) {
        let again: Vec<OwnedRecord> = shuffled.iter().chain(&records).cloned().collect();
        prop_assert_eq!(after(&records, 100, &[]), after(&again, size, &steps));
    }

    #[test]
    fn a_batch_counts_as_its_versions_one_by_one(records in versions(), replacing in prop::collection::vec(any::<bool>(), 12)) {
        let with_replaces = |(record, replaces): (OwnedRecord, bool)| if replaces { record.with("replaces", 1) } else { record };
        let records: Vec<OwnedRecord> = records.into_iter().zip(replacing).map(with_replaces).collect();
        let counts = |size: usize| {
            let store = Store::default();
            let outcomes = records.chunks(size).map(|records| store.apply(&batch(records), 0));
            outcomes.fold((0, 0, 0), |(accepted, replaced, duplicates), one| {
                (accepted + one.accepted, replaced + one.replaced, duplicates + one.duplicates)
            })
        };
        prop_assert_eq!(counts(records.len()), counts(1));
    }

    #[test]
    fn a_scan_of_copied_memtables_reads_the_same(
        records in versions(), size in 1usize..5, steps in prop::collection::vec(0u8..10, 1..12),
    ) {
        let copying = Tuning { locked_scan_value_count_max: 0, copy_step_value_count: 1, ..Tuning::default() };
        prop_assert_eq!(after(&records, size, &steps), after_with(copying, &records, size, &steps));
    }
}

#[test]
fn a_repeated_record_is_a_duplicate_and_a_new_version_replaces() {
    let store = Store::default();
    let first = OwnedRecord::new("a", 0).with("end_time", 5);
    let outcome = |records: &[OwnedRecord]| store.apply(&batch(records), 0);
    assert_eq!(outcome(&[first.clone(), first.clone()]), BatchOutcome { accepted: 1, duplicates: 1, ..BatchOutcome::default() });
    let changed = first.clone().with("revision", 1).with("app_id", 7);
    assert_eq!(
        outcome(&[changed.clone(), first.clone()]),
        BatchOutcome { replaced: 1, duplicates: 1, ..BatchOutcome::default() }
    );
    let other_app = first.with("app_id", 6);
    assert_eq!(outcome(&[other_app]), BatchOutcome { duplicates: 1, outranked: 1, ..BatchOutcome::default() });
}

#[test]
fn a_call_after_the_end_of_the_one_with_its_id_is_suspected_to_be_another() {
    let call = |setup: i64, end: i64| OwnedRecord::new("a", setup).with("end_time", end);
    let suspected = |first: OwnedRecord, second: OwnedRecord| {
        let store = Store::default();
        store.apply(&batch(&[first]), 0);
        store.apply(&batch(&[second]), 0).suspected_reuse
    };
    assert_eq!(suspected(call(0, 5), call(6, 9)), 1);
    assert_eq!(suspected(call(6, 9), call(0, 5)), 1);
    assert_eq!(suspected(call(0, 5), call(5, 9)), 0, "they touch");
    assert_eq!(suspected(call(0, 5), call(6, 9).with("revision", 1)), 0, "a correction");
    assert_eq!(suspected(call(0, 5).with("part", 1), call(6, 9).with("part", 2)), 0, "parts of one call");
    assert_eq!(suspected(call(0, 5), OwnedRecord::new("a", 6)), 0, "an event");
    let from = |party: &str| call(0, 5).with_text("orig_src_party_id", party);
    assert_eq!(suspected(from("2001"), from("2002")), 1, "other parties");
    assert_eq!(suspected(from("2001"), from("2001").with("end_time", 6)), 0, "the same party");
    assert_eq!(suspected(from("2001"), call(0, 6)), 0, "a party that one of them lacks");
    assert_eq!(suspected(from("2001"), from("2002").with("event", 3)), 0, "an event");
}

/// Parts of one call, each with an account so long that all of them take more bytes than 16 bits can count.
fn parts(count: i64) -> Vec<OwnedRecord> {
    let part = |number: i64| {
        let record = OwnedRecord::new("a", number).with("part", number + 1).with("end_time", 2 * count + number);
        record.with_text("account_id", &format!("{number:0>100}"))
    };
    (0..count).map(part).collect()
}

#[test]
fn a_call_of_many_parts_is_one_record_after_flushes_restarts_and_replays() {
    const COUNT: i64 = 2_000;
    let parts = parts(COUNT);
    let mut disk = OnDisk::new();
    let one_call = |disk: &OnDisk| {
        let end = 3 * COUNT - 1;
        assert_eq!(visible(&disk.store), [format!("a|0|-9223372036854775808|{end}|1|-9223372036854775808|| [1, 0, 0]")]);
    };
    parts.chunks(700).for_each(|parts| disk.write(parts));
    one_call(&disk);
    disk.flush(&[]);
    one_call(&disk);
    disk.reopen();
    one_call(&disk);
    for one in [&parts[..1], &parts[1..]] {
        let outcome = disk.store.apply(&batch(one), 0);
        assert_eq!(outcome, BatchOutcome { duplicates: one.len(), ..BatchOutcome::default() });
    }
    disk.write(&[parts[7].clone().with("revision", 1).with("end_time", 9 * COUNT)]);
    assert!(visible(&disk.store)[0].starts_with(&format!("a|0|-9223372036854775808|{}|", 9 * COUNT)));
    disk.flush(&[]);
    disk.reopen();
    assert_eq!(visible(&disk.store).len(), 1);
}

#[test]
fn a_record_of_too_many_parts_is_full() {
    let tuning = Tuning { record_versions_bytes_max: 1 << 14, ..Tuning::default() };
    let store = Store::new(tuning, MemoryLimits::default());
    let (parts, other) = (parts(200), OwnedRecord::new("b", 0));
    store.apply(&batch(&parts[..100]), 0);
    assert_eq!(store.exceeded_versions_limit(&parts[199].view()), None);
    store.apply(&batch(&parts[100..199]), 0);
    assert_eq!(store.exceeded_versions_limit(&parts[199].view()), Some(1 << 14));
    assert_eq!(store.exceeded_versions_limit(&other.view()), None);
}

#[test]
fn a_late_middle_version_fills_only_fields_that_higher_versions_lack() {
    let low = OwnedRecord::new("a", 0).with("app_id", 1).with_text("folder", "low");
    let middle = OwnedRecord::new("a", 0).with("revision", 1).with("app_id", 2);
    let high = OwnedRecord::new("a", 0).with("revision", 2).with("end_time", 9);
    let rows = after(&[low, high, middle], 1, &[]);
    assert_eq!(rows, ["a|0|-9223372036854775808|9|1|2|low| [1, 0, 0]"]);
}

#[test]
fn versions_on_adjacent_days_are_one_record_and_a_version_between_joins_two() {
    let on =
        |day: i64, revision: i64| OwnedRecord::new("a", day * DAY_US).with("revision", revision).with("end_time", 9 * DAY_US);
    assert_eq!(after(&[on(1, 0), on(2, 1)], 1, &[]).len(), 1);
    assert_eq!(after(&[on(1, 0), on(3, 1)], 1, &[]).len(), 2);
    for order in [[1, 3, 2], [2, 1, 3], [3, 2, 1]] {
        let records: Vec<OwnedRecord> = order.map(|day| on(day, day)).to_vec();
        assert_eq!(after(&records, 1, &[6]).len(), 1, "{order:?}");
    }
}

#[test]
fn a_version_finds_its_flushed_record_across_a_chain_of_days() {
    let on = |day: i64| OwnedRecord::new("a", day * DAY_US).with("revision", day).with("end_time", 20 * DAY_US);
    let records: Vec<OwnedRecord> = [5, 6, 7, 8, 5, 4].map(on).to_vec();
    assert_eq!(after(&records, 4, &[6]).len(), 1);
}

#[test]
fn an_answer_time_of_a_lower_version_after_the_end_is_dropped() {
    let answered = OwnedRecord::new("a", 0).with("event", 2).with("answer_time", 700);
    let ended = OwnedRecord::new("a", 0).with("event", 3).with("end_time", 500);
    let rows = after(&[answered, ended], 1, &[]);
    assert_eq!(rows, ["a|0|-9223372036854775808|500|1|-9223372036854775808|| [1, 0, 0]"]);
}

/// All time, microseconds UTC.
const ALL_TIME: (i64, i64) = (i64::MIN, i64::MAX);

fn finished(session_id: &str, day: i64) -> OwnedRecord {
    OwnedRecord::new(session_id, day * DAY_US).with("end_time", day * DAY_US + 5)
}

fn of_account(account: &str) -> [Predicate; 1] {
    [Predicate::one_of_texts("account_id".into(), vec![account.into()], false)]
}

fn with_end(wanted: bool) -> [Predicate; 1] {
    [Predicate::Present { column: "end_time".into(), wanted }]
}

/// Three finished records of day 1, two of day 5 and an active session of day 1.
fn three_and_two_and_one_active() -> OnDisk {
    let mut disk = OnDisk::new();
    let days = [("a", 1), ("b", 1), ("c", 1), ("d", 5), ("e", 5)];
    disk.write(&days.map(|(session_id, day)| finished(session_id, day)));
    disk.write(&[OwnedRecord::new("f", DAY_US)]);
    disk
}

#[test]
fn an_estimate_counts_memtables_and_segments_of_the_range() {
    let mut disk = three_and_two_and_one_active();
    let counts = |store: &Store| {
        let days = [(1, 2), (3, 4), (5, 6), (6, 9)].map(|(from, to)| (from * DAY_US, to * DAY_US));
        [ALL_TIME, days[0], days[1], days[2], days[3]].map(|range| store.estimate(range, &[]).unwrap())
    };
    // A memtable counts whole if its days, from the first to the last, overlap the range.
    assert_eq!(counts(&disk.store), [6, 6, 5, 5, 0]);
    let flush = disk.store.begin_flush(true);
    assert_eq!(counts(&disk.store), [6, 6, 5, 5, 0]);
    disk.store.abort_flush(&flush);
    disk.flush(&[]);
    assert_eq!(counts(&disk.store), [6, 4, 0, 2, 0]);
    disk.write(&[finished("g", 8)]);
    assert_eq!(counts(&disk.store), [7, 4, 0, 2, 1]);
}

#[test]
fn an_estimate_counts_only_sessions_that_may_match() {
    let mut disk = three_and_two_and_one_active();
    for _ in 0..2 {
        let estimates = [false, true].map(|wanted| disk.store.estimate(ALL_TIME, &with_end(wanted)));
        assert_eq!(estimates, [Some(1), Some(5)]);
        disk.flush(&[]);
    }
}

#[test]
fn an_estimate_of_an_account_is_small_once_its_rows_are_verified() {
    let mut disk = OnDisk::with_tuning(Tuning { account_row_count_estimate: 2, ..Tuning::default() });
    disk.write(&["a", "b", "c"].map(|session_id| finished(session_id, 1).with_text("account_id", session_id)));
    let estimate = |store: &Store, account: &str| store.estimate(ALL_TIME, &of_account(account));
    assert_eq!(estimate(&disk.store, "a"), Some(3));
    disk.flush(&[]);
    assert_eq!(estimate(&disk.store, "a"), Some(2));
    disk.reopen();
    assert_eq!(estimate(&disk.store, "a"), Some(3));
    assert!(disk.store.any_match(&of_account("a"), &CancelToken::with_limit(None)).unwrap());
    assert_eq!(["a", "b"].map(|account| estimate(&disk.store, account)), [Some(2), Some(3)]);
}

#[test]
fn an_estimate_of_an_unreadable_day_is_unknown() {
    let mut disk = three_and_two_and_one_active();
    disk.flush(&[]);
    let (day, written, _) = disk.segments.iter().find(|(day, ..)| *day == 5).unwrap().clone();
    disk.store.open_segment(disk.directory.path(), day, &written, RowSet::default(), true);
    let estimates = [ALL_TIME, (DAY_US, 2 * DAY_US)].map(|range| disk.store.estimate(range, &[]));
    assert_eq!(estimates, [None, Some(4)]);
    assert_eq!(disk.store.estimate(ALL_TIME, &with_end(false)), Some(1));
}
