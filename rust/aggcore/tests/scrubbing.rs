//! Erased and masked numbers are in no file, whatever the order of writes, flushes, compactions, erasures and restarts, and
//! figures are as if nothing had been scrubbed.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use aggcore::testing::{ABSENT, encode_record};
use aggcore::{
    BatchLimits, BatchOutcome, CancelToken, CommitLimits, Error, JournaledStore, Key, KeyValues, ManifestEntry, Measure,
    MemoryLimits, Partials, PartyDigest, RowSet, Scan, Scrubbing, SegmentEdit, Store, Tuning, canonical_party, journal,
    party_digest,
};
use common::{OwnedRecord, record};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;
const KEY: PartyDigest = *b"0123456789abcdef";
const KEEP_DIGITS: usize = 4;

/// Numbers without their forms, and the digits that no file may have.
const NUMBERS: [&str; 4] = ["493023125001", "493023125002", "15550100", "442079460123"];
const PARTY_FIELDS: [&str; 8] = [
    "src_prefix_routing",
    "dst_prefix_routing",
    "orig_src_party_id",
    "orig_dst_party_id",
    "orig_accounts_ident",
    "term_src_party_id",
    "term_dst_party_id",
    "term_accounts_ident",
];
/// Columns that scrubbing never changes.
const LASTING_FIELDS: [&str; 9] =
    ["session_id", "setup_time", "answer_time", "end_time", "kind", "app_id", "folder", "disconnect_cause", "customer_price"];

/// A number in one of the forms in which people and programs write it.
fn form(number: &str, form: usize) -> String {
    let (country, rest) = number.split_at(2);
    match form % 6 {
        0 => number.to_owned(),
        1 => format!("+{number}"),
        2 => format!("00{country} ({}) {}", &rest[..2], &rest[2..]),
        3 => format!("sip:+{number}@192.0.2.7;user=phone"),
        4 => format!("\"A\" <tel:+{country}-{rest}>"),
        _ => number.chars().filter_map(|digit| char::from_u32(0xff10 + digit.to_digit(10)?)).collect(),
    }
}

/// A data directory, and what its catalogue would say.
struct World {
    directory: tempfile::TempDir,
    durable: JournaledStore,
    sequence: u64,
    first_journal: u64,
    segments: Vec<(i64, ManifestEntry, Vec<u8>)>,
    active: Vec<ManifestEntry>,
    erased: BTreeSet<usize>,
    masked_before_day: Option<i64>,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let durable = opened(directory.path());
        let mut world = Self {
            directory,
            durable,
            sequence: 1,
            first_journal: 0,
            segments: vec![],
            active: vec![],
            erased: BTreeSet::new(),
            masked_before_day: None,
        };
        world.first_journal = world.begin_journal();
        world
    }

    fn store(&self) -> &Store {
        &self.durable.store
    }

    fn begin_journal(&self) -> u64 {
        let sequence = self.durable.create_journal().unwrap();
        self.durable.use_journal().unwrap();
        sequence
    }

    fn write(&self, records: &[OwnedRecord], is_correction: bool) -> BatchOutcome {
        let mut bytes = Vec::new();
        for record in records {
            let mut message = Vec::new();
            encode_record(&record.view(), &mut message);
            prost::encoding::bytes::encode(2, &message, &mut bytes);
        }
        prost::encoding::bool::encode(3, &is_correction, &mut bytes);
        let pending = self.durable.submit(&bytes, 7, 0, None).unwrap();
        let outcome = self.durable.wait(&pending, &CancelToken::with_limit(None)).unwrap();
        assert_eq!(outcome.accepted + outcome.replaced + outcome.duplicates, records.len());
        outcome
    }

    fn flush(&mut self, with_active: bool) {
        self.durable.create_journal().unwrap();
        let (flush, first_journal) = self.durable.begin_flush(with_active).unwrap();
        let edit = self.store().write_flush(self.directory.path(), self.sequence, 3, &flush).unwrap();
        let active = self.store().write_active_snapshot(self.directory.path(), self.sequence, &flush).unwrap();
        self.install(edit, &[]);
        if let Some(active) = active {
            std::mem::replace(&mut self.active, active).iter().for_each(|file| self.remove(&file.name));
        }
        if let Some(first) = first_journal {
            self.first_journal = first;
            self.durable.release_journal_before(first);
            self.durable.remove_journal_before(first).unwrap();
        }
    }

    fn compact(&mut self, names: &[String]) {
        let edit = self.store().compact(self.directory.path(), self.sequence, 100, names).unwrap();
        self.install(edit, names);
        names.iter().for_each(|name| self.remove(name));
    }

    fn install(&mut self, edit: SegmentEdit, replaced: &[String]) {
        self.segments.retain(|(_, written, _)| !replaced.contains(&written.name));
        for (name, rows) in &edit.tombstones {
            self.segments.iter_mut().find(|(_, written, _)| written.name == *name).unwrap().2 = rows.to_bytes();
        }
        self.segments.extend(edit.segments.iter().map(|new| (new.day, new.written.clone(), Vec::new())));
        self.sequence += 100;
        self.store().install(edit);
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.directory.path().join(name)).unwrap();
    }

    /// Opens the directory as the next process does.
    fn restart(&mut self) {
        self.durable = opened(self.directory.path());
        self.durable.use_scrubbing(self.scrubbing());
        for (day, written, tombstones) in &self.segments {
            self.store().open_segment(self.directory.path(), *day, written, RowSet::from_bytes(tombstones), false);
        }
        self.active.iter().for_each(|active| self.store().open_active_snapshot(self.directory.path(), active).unwrap());
        for sequence in journal::sequences(self.directory.path()).unwrap() {
            if sequence >= self.first_journal {
                self.durable.replay(sequence, false).unwrap();
            }
        }
        self.begin_journal();
    }

    fn scrubbing(&self) -> Scrubbing {
        let digests = self.erased.iter().map(|&number| party_digest(&KEY, NUMBERS[number]));
        Scrubbing::new(KEY, digests, self.masked_before_day, KEEP_DIGITS)
    }

    /// Scrubs all files, and checks that nothing is left to scrub.
    fn scrub(&mut self) {
        self.durable.use_scrubbing(self.scrubbing());
        self.store().scrub_memory();
        self.flush(true);
        self.names_to_scrub().into_iter().for_each(|name| self.compact(&[name]));
        assert_eq!(self.names_to_scrub(), [""; 0]);
        let digests = self.erased.iter().map(|&number| party_digest(&KEY, NUMBERS[number]));
        assert_eq!(self.count(digests), 0);
        self.erased.iter().for_each(|&number| self.assert_forgotten(NUMBERS[number]));
    }

    fn names_to_scrub(&self) -> Vec<String> {
        let names: Vec<String> = self.segments.iter().map(|(_, written, _)| written.name.clone()).collect();
        let counts = self.store().count_scrubbed_rows(&names, &CancelToken::with_limit(None)).unwrap();
        names.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(name, _)| name).collect()
    }

    fn count(&self, digests: impl Iterator<Item = PartyDigest>) -> usize {
        self.store().count_parties(&Scrubbing::new(KEY, digests, None, 0), &CancelToken::with_limit(None)).unwrap()
    }

    /// No file has the number in any of its forms.
    fn assert_forgotten(&self, number: &str) {
        let forms: Vec<String> = (0..6).map(|each| form(number, each)).chain([number[2..].to_owned()]).collect();
        for path in files(self.directory.path()) {
            let bytes = std::fs::read(&path).unwrap();
            for form in &forms {
                assert!(!contains(&bytes, form.as_bytes()), "{} has {form}", path.display());
            }
        }
    }
}

fn opened(directory: &Path) -> JournaledStore {
    let limits = CommitLimits {
        batch: BatchLimits { rows: 1_000, id_bytes: 256 },
        call_seconds: 7 * 86_400,
        waiting_bytes: 1 << 20,
        counted_sources: 9,
    };
    JournaledStore::new(directory, limits, MemoryLimits::default(), Tuning::default())
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Returns a line per record with these columns, sorted.
fn visible(store: &Store, names: &[&str]) -> Vec<Vec<String>> {
    let cancel = CancelToken::with_limit(None);
    let scan = Scan {
        edges: None,
        predicates: &[],
        keys: &Key::columns(names),
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 10_000,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    let Partials { keys, sums, .. } = store.partials(&scan).unwrap();
    let value = |column: &KeyValues, cell: usize| match column {
        KeyValues::Ints(values) => values[cell].to_string(),
        texts @ KeyValues::Texts { .. } => texts.text(cell).to_owned(),
    };
    let row = |cell: usize| {
        let mut row: Vec<String> = keys.iter().map(|column| value(column, cell)).collect();
        row.push(format!("{:?}", sums[cell]));
        row
    };
    let mut rows: Vec<_> = (0..sums.len()).map(row).collect();
    rows.sort();
    rows
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<OwnedRecord>),
    Flush(bool),
    Compact,
    Restart,
    Erase(usize),
    /// Sets the scrubbing of a number without rewriting anything, as a crash leaves it.
    BeginErasure(usize),
    Mask(i64),
}

/// Runs a history; `with_scrubbing` says whether with its erasures and maskings. Ends with all of them complete.
fn after(steps: &[Step], with_scrubbing: bool) -> World {
    let mut world = World::new();
    for step in steps {
        match step {
            Step::Write(records) => drop(world.write(records, false)),
            Step::Flush(with_active) => world.flush(*with_active),
            Step::Compact => {
                let names = world.store().pick_compaction(100);
                world.compact(&names);
            }
            Step::Restart => world.restart(),
            Step::Erase(_) | Step::BeginErasure(_) | Step::Mask(_) if !with_scrubbing => {}
            Step::Erase(number) => {
                world.erased.insert(*number);
                world.scrub();
            }
            Step::BeginErasure(number) => {
                world.erased.insert(*number);
                world.durable.use_scrubbing(world.scrubbing());
            }
            Step::Mask(day) => {
                world.masked_before_day = world.masked_before_day.max(Some(*day));
                world.scrub();
            }
        }
    }
    world.scrub();
    world
}

/// Versions of few records. A field of a record has one number, in any form, in those of its versions that have it.
fn versions() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let part = prop_oneof![2 => Just((ABSENT, 1)), 1 => (1..3i64, 1..4i64)];
    let forms = prop::collection::vec(prop::option::weighted(0.7, 0..6usize), PARTY_FIELDS.len());
    let version =
        (record(3), 0..2i64, 0..4i64, part, forms, 0..3i64).prop_map(|(record, revision, event, (part, class), forms, cause)| {
            let event = if event == 3 && record.int("end_time") == ABSENT || event == 0 { ABSENT } else { event };
            let session = record.text("session_id").bytes().map(usize::from).sum::<usize>();
            let mut record = record.with("revision", revision).with("event", event).with("part", part).with("part_class", class);
            record =
                record.with("disconnect_cause", 16 + cause).with_text("auth_orig_ip", ["192.0.2.7", "2001:db8::7"][session % 2]);
            for (slot, (name, each)) in PARTY_FIELDS.into_iter().zip(forms).enumerate() {
                let text = each.map_or_else(String::new, |each| form(NUMBERS[(session + slot) % NUMBERS.len()], each));
                record = record.with_text(name, &text);
            }
            record
        });
    prop::collection::vec(version, 1..4)
}

fn steps(maskings: bool) -> impl Strategy<Value = Vec<Step>> {
    let masking = if maskings { (0..5i64).prop_map(Step::Mask).boxed() } else { Just(Step::Restart).boxed() };
    let step = prop_oneof![
        5 => versions().prop_map(Step::Write),
        2 => any::<bool>().prop_map(Step::Flush),
        1 => Just(Step::Compact),
        2 => Just(Step::Restart),
        1 => (0..NUMBERS.len()).prop_map(Step::Erase),
        1 => (0..NUMBERS.len()).prop_map(Step::BeginErasure),
        2 => masking,
    ];
    prop::collection::vec(step, 1..14)
}

fn written(steps: &[Step]) -> Vec<OwnedRecord> {
    let records = steps.iter().filter_map(|step| if let Step::Write(records) = step { Some(records) } else { None });
    records.flatten().cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn scrubbing_changes_numbers_alone_and_a_replay_nothing(steps in steps(true)) {
        let (mut scrubbed, whole) = (after(&steps, true), after(&steps, false));
        prop_assert_eq!(visible(scrubbed.store(), &LASTING_FIELDS), visible(whole.store(), &LASTING_FIELDS));
        let all_fields: Vec<&str> = LASTING_FIELDS.into_iter().chain(PARTY_FIELDS).collect();
        let before = visible(scrubbed.store(), &all_fields);
        for records in written(&steps).chunks(3) {
            let outcome = scrubbed.write(records, false);
            prop_assert_eq!(outcome.duplicates, records.len(), "{:?}", outcome);
        }
        prop_assert_eq!(&visible(scrubbed.store(), &all_fields), &before);
        scrubbed.scrub();
        prop_assert_eq!(&visible(scrubbed.store(), &all_fields), &before);
        let boundary_us = scrubbed.masked_before_day.map_or(i64::MIN, |day| day * DAY_US);
        for row in before.iter().filter(|row| row[1].parse::<i64>().unwrap() < boundary_us) {
            let digits = |text: &String| text.chars().filter(|each| each.is_numeric()).count();
            let numbers = &row[LASTING_FIELDS.len()..][..PARTY_FIELDS.len()];
            prop_assert!(numbers.iter().all(|text| digits(text) <= KEEP_DIGITS), "{:?}", numbers);
        }
        if boundary_us >= 4 * DAY_US {
            NUMBERS.iter().for_each(|number| scrubbed.assert_forgotten(number));
        }
    }

    #[test]
    fn a_store_is_as_one_to_which_the_erased_numbers_were_never_written(steps in steps(false)) {
        let scrubbed = after(&steps, true);
        let erased: Vec<&str> = scrubbed.erased.iter().map(|&number| NUMBERS[number]).collect();
        let without = |record: &OwnedRecord| {
            PARTY_FIELDS.iter().fold(record.clone(), |record, name| {
                let is_erased = erased.contains(&&*canonical_party(record.text(name)));
                if is_erased { record.with_text(name, "") } else { record }
            })
        };
        let never_written = |step: &Step| {
            if let Step::Write(records) = step { Step::Write(records.iter().map(without).collect()) } else { step.clone() }
        };
        let never: Vec<Step> = steps.iter().map(never_written).collect();
        let all_fields: Vec<&str> = LASTING_FIELDS.into_iter().chain(PARTY_FIELDS).collect();
        prop_assert_eq!(visible(scrubbed.store(), &all_fields), visible(after(&never, false).store(), &all_fields));
    }
}

fn call(session_id: &str, day: i64, number: &str) -> OwnedRecord {
    let setup_us = day * DAY_US;
    OwnedRecord::new(session_id, setup_us).with("end_time", setup_us + 9).with_text("orig_src_party_id", number)
}

fn numbers(world: &World) -> Vec<String> {
    visible(world.store(), &["orig_src_party_id"]).into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn a_number_is_counted_in_memory_and_segments_once_per_record_and_in_hidden_versions() {
    let mut world = World::new();
    let count = |world: &World, number: &str| world.count([party_digest(&KEY, number)].into_iter());
    world.write(&[call("a", 1, "+15550100"), call("b", 1, "+15550101"), OwnedRecord::new("c", DAY_US)], false);
    world.flush(false);
    world.write(&[call("d", 2, "001 555 0100").with_text("dst_prefix_routing", "15550100")], false);
    // An earlier version has the number in a field of which a later one, of another part, supplies the value.
    world.write(&[OwnedRecord::new("c", DAY_US).with("part", 9).with_text("orig_src_party_id", "+15550100")], false);
    assert_eq!(visible(world.store(), &["session_id", "orig_src_party_id"]).len(), 4);
    assert_eq!((count(&world, "15550100"), count(&world, "15550101"), count(&world, "15550102")), (3, 1, 0));
    world.flush(true);
    assert_eq!((count(&world, "15550100"), count(&world, "15550101"), count(&world, "15550102")), (3, 1, 0));
    world.restart();
    assert_eq!(count(&world, "15550100"), 3);
}

#[test]
fn batches_that_wait_are_in_the_journal_before_a_number_is_erased_and_later_ones_without_it() {
    let mut world = World::new();
    let mut bytes = Vec::new();
    let mut message = Vec::new();
    encode_record(&call("a", 1, "+15550100").view(), &mut message);
    prost::encoding::bytes::encode(2, &message, &mut bytes);
    let pending = world.durable.submit(&bytes, 7, 0, None).unwrap();
    world.erased.insert(2);
    world.durable.use_scrubbing(world.scrubbing());
    assert_eq!(numbers(&world), ["+15550100"]);
    assert_eq!(world.durable.wait(&pending, &CancelToken::with_limit(None)).unwrap().accepted, 1);
    world.store().scrub_memory();
    world.flush(true);
    world.write(&[call("b", 1, "001 555 0100")], false);
    world.assert_forgotten("15550100");
    world.restart();
    assert_eq!(visible(world.store(), &["session_id", "orig_src_party_id"]).len(), 2);
    assert_eq!(numbers(&world), [""]);
}

#[test]
fn a_correction_of_a_scrubbed_record_is_recognised() {
    let mut world = World::new();
    world.write(&[call("a", 1, "+493023125001"), call("b", 1, "+15550100"), call("b", 2, "+15550100")], false);
    world.erased.insert(0);
    world.masked_before_day = Some(2);
    world.scrub();
    let corrections = [call("a", 1, "0049 3023125001"), call("b", 2, "+15550100")];
    for _ in 0..2 {
        // The later version of b, of the next day, is not masked by its own day, but as one of its record.
        let outcome = world.write(&corrections[1..], true);
        assert_eq!((outcome.duplicates, outcome.replaced), (1, 0), "{outcome:?}");
        assert_eq!(world.write(&corrections[..1], true).duplicates, 1);
    }
    let other = world.write(&[call("a", 1, "+493023125001").with("app_id", 3)], true);
    assert_eq!(other.replaced, 1);
    world.scrub();
    assert_eq!(numbers(&world), ["", "+1555****"]);
}

#[test]
fn a_session_that_is_active_for_longer_than_numbers_are_kept_is_masked() {
    let mut world = World::new();
    let active = OwnedRecord::new("a", DAY_US).with("event", 1).with_text("orig_src_party_id", "+15550100");
    world.write(std::slice::from_ref(&active), false);
    world.masked_before_day = Some(2);
    world.scrub();
    assert_eq!(numbers(&world), ["+1555****"]);
    let end = active.clone().with("event", 3).with("end_time", 5 * DAY_US).with_text("term_dst_party_id", "+15550199");
    assert_eq!(world.write(&[end], false).replaced, 1);
    assert_eq!(world.write(&[active], false).duplicates, 1);
    assert_eq!(visible(world.store(), &["orig_src_party_id", "term_dst_party_id"])[0][..2], ["+1555****", "+1555****"]);
}

#[test]
fn an_export_is_scrubbed_before_the_files_are() {
    let mut world = World::new();
    world.write(&[call("a", 1, "+15550100"), call("b", 2, "+493023125001"), call("c", 3, "+442079460123")], false);
    world.flush(true);
    world.erased.insert(2);
    world.masked_before_day = Some(3);
    world.restart();
    let (mut cursor, mut bytes) = ((0, 0), Vec::new());
    while let Some((stream, next)) = world.store().export((i64::MIN, i64::MAX), cursor, 1).unwrap() {
        bytes.extend(stream);
        cursor = next;
    }
    let has = |text: &str| contains(&bytes, text.as_bytes());
    assert!(!has("5550100") && !has("3023125001") && has("+4930********") && has("+442079460123"));
}

#[test]
fn a_segment_that_cannot_be_read_is_an_error() {
    let mut world = World::new();
    world.write(&[call("a", 1, "+15550100")], false);
    world.flush(true);
    let name = world.segments[0].1.name.clone();
    let path = world.directory.path().join(&name);
    let mut damaged = std::fs::read(&path).unwrap();
    let at = damaged.windows(8).position(|window| window == b"15550100").unwrap();
    damaged[at] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, damaged).unwrap();
    world.erased.insert(2);
    world.restart();
    let cancel = CancelToken::with_limit(None);
    let count = |name: &str| world.store().count_scrubbed_rows(&[name.to_owned()], &cancel);
    assert!(matches!(count(&name), Err(Error::Damaged { .. })));
    assert!(matches!(count("segments/other"), Err(Error::Unknown { .. })));
    assert!(matches!(world.store().count_parties(&world.scrubbing(), &cancel), Err(Error::Damaged { .. })));
}
