//! The records of a store and how a version finds its record among them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::Outcome;
use super::memtable::{More, Table};
use super::rollup_cache::RollupCache;
use super::segment::Segment;
use crate::columns::RecordColumns;
use crate::columns::row_set::RowSet;
use crate::error::{Error, Result};
use crate::record::schema::{ABSENT, int_slot};
use crate::record::{Record, US_PER_DAY};
use crate::wire::columnar_batch::Batch;
use crate::wire::versions::Versions;

/// Where all records are. A record is in one place: replaced rows of what cannot change are marked dead.
#[derive(Default)]
pub struct State {
    /// Sessions that have not ended.
    pub active: Table,
    /// Finished records that no seal has taken up yet.
    pub hot: Table,
    /// Finished records that a seal has taken up.
    pub frozen: Vec<Frozen>,
    /// Sealed records by UTC day.
    pub segments: BTreeMap<i64, Vec<Sealed>>,
    /// Segments that could not be opened.
    pub unreadable: Vec<Unreadable>,
    /// Days with records whose versions lie on more days than one: a version may find its record further away
    /// than on the neighbouring day.
    pub far_days: BTreeSet<i64>,
    /// Whether a sealed record became active again: its next seal must come with a copy of the active ones,
    /// as the journal alone would not bring it back.
    pub revived: bool,
}

/// What a seal took out of [`State::hot`].
#[derive(Clone)]
pub struct Frozen {
    /// The records; they change no more.
    pub table: Arc<Table>,
    /// Rows replaced since.
    pub dead: Arc<RowSet>,
}

/// A segment and its replaced rows.
#[derive(Clone)]
pub struct Sealed {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Sums of its records.
    pub cubes: Arc<RollupCache>,
    /// Rows that a later version replaced elsewhere.
    pub dead: Arc<RowSet>,
    /// Those of them that the catalogue knows of. The journal brings the others back, and needs their rows
    /// for that: only these may be left out when the segment is rewritten.
    pub known_dead: Arc<RowSet>,
}

/// A segment that could not be opened: no report of its day can be right.
#[derive(Clone)]
pub struct Unreadable {
    /// UTC day of its records.
    pub day: i64,
    /// Its name.
    pub name: String,
    /// Records that it had when it was written.
    pub rows: usize,
    /// Its size then.
    pub bytes: u64,
    /// The file, and why it could not be opened.
    pub problem: (String, String),
}

impl Unreadable {
    /// What a report that needs the segment says.
    pub fn error(&self) -> Error {
        Error::Damaged { file: self.problem.0.clone(), problem: self.problem.1.clone() }
    }
}

/// What a version finds its record by.
pub struct Key<'a> {
    /// Hash of source and session id.
    pub hash: u64,
    /// The switch or feed.
    pub source: &'a str,
    /// The source's own id of the session.
    pub session_id: &'a str,
    /// UTC day of its setup time.
    pub day: i64,
}

/// The key of a row of a batch.
pub fn key_of<'a>(batch: &Batch, fields: &RecordColumns<'a>, row: usize) -> Key<'a> {
    let (source, session_id) = fields.key(row);
    let day = fields.ints[int_slot::SETUP_TIME].get(row).div_euclid(US_PER_DAY);
    Key { hash: batch.key_hash[row], source, session_id, day }
}

/// Where a version's record was found.
enum Place {
    Active(usize),
    Hot(usize),
    Frozen { number: usize, row: usize },
    Sealed { day: i64, number: usize, row: usize },
}

impl Sealed {
    /// A segment of which the catalogue knows these replaced rows.
    pub fn new(segment: Segment, dead: RowSet) -> Self {
        let dead = Arc::new(dead);
        Self { segment: Arc::new(segment), cubes: Arc::default(), known_dead: Arc::clone(&dead), dead }
    }

    /// Rows that count, as far as the catalogue knows.
    pub fn living(&self) -> usize {
        self.segment.rows() - self.known_dead.len()
    }

    /// Earliest and latest setup time of the rows that count.
    ///
    /// # Errors
    /// `Damaged` where rows were replaced and the setup times cannot be read.
    pub fn setup_range(&self) -> Result<Option<(i64, i64)>> {
        if self.dead.is_empty() {
            return Ok(Some(self.segment.summary.setup_range));
        }
        Ok(self.segment.slice(&[], &self.dead)?.setup_range())
    }
}

impl State {
    /// Takes in a batch. What is received depends on no order, so records of keys not known before go first, all at once.
    pub fn apply(&mut self, batch: &Batch, received_us: i64) -> Outcome {
        let fields = batch.fields();
        let (new, others) = self.new_rows(batch, &fields);
        let (finished, active): (Vec<_>, Vec<_>) =
            new.iter().partition(|&&row| fields.ints[int_slot::END_TIME].get(row) != ABSENT);
        let more = |row: usize| More { key_hash: batch.key_hash[row], versions: None, received_us };
        self.hot.append(&fields, &finished, more);
        self.active.append(&fields, &active, more);
        let mut outcome = Outcome { accepted: new.len(), ..Outcome::default() };
        for row in others {
            self.apply_version(&key_of(batch, &fields, row), &fields.record(row), received_us, &mut outcome);
        }
        outcome
    }

    /// The rows of a batch whose keys were not seen before, in the store or in an earlier row; and the others.
    fn new_rows(&self, batch: &Batch, fields: &RecordColumns<'_>) -> (Vec<usize>, Vec<usize>) {
        let mut seen = HashSet::with_capacity(batch.rows());
        (0..batch.rows()).partition(|&row| {
            let key = key_of(batch, fields, row);
            seen.insert(key.hash) && self.find(&key).is_empty()
        })
    }

    /// Takes in one version.
    fn apply_version(&mut self, key: &Key<'_>, version: &Record<'_>, received_us: i64, outcome: &mut Outcome) {
        let places = self.find(key);
        if let [place] = places.as_slice()
            && self.is_only_version(place, version)
        {
            outcome.duplicates += 1;
            return;
        }
        let received = Versions::of(version);
        let known: Vec<(Place, Versions)> = places
            .into_iter()
            .filter_map(|place| self.versions(&place).map(|versions| (place, versions)))
            .filter(|(_, versions)| versions.reach().contains(&key.day))
            .collect();
        let joined = known.iter().fold(received, |joined, (_, versions)| joined.join(versions));
        match known.as_slice() {
            [] => outcome.accepted += 1,
            [(_, before)] if *before == joined => {
                outcome.duplicates += 1;
                return;
            }
            _ => outcome.replaced += 1,
        }
        joined.merged(|record| {
            let versions = joined.to_bytes(record);
            let more = More { key_hash: key.hash, versions: versions.as_deref(), received_us };
            self.put(known.into_iter().map(|(place, _)| place).collect(), record, more);
        });
    }

    /// Puts a record in place of what is known of it.
    fn put(&mut self, known: Vec<Place>, record: &Record<'_>, more: More<'_>) {
        match (known.as_slice(), record.is_finished()) {
            (&[Place::Active(row)], false) => self.active.replace(row, record, more),
            (&[Place::Hot(row)], true) => self.hot.replace(row, record, more),
            (_, finished) => {
                let was_sealed = known.iter().any(|place| matches!(place, Place::Sealed { .. } | Place::Frozen { .. }));
                self.revived |= was_sealed && !finished;
                self.remove(known.into_iter());
                let table = if finished { &mut self.hot } else { &mut self.active };
                table.append(&RecordColumns::of(record), &[0], |_| more);
            }
        }
    }

    /// Adds a segment of a UTC day.
    pub fn add(&mut self, day: i64, sealed: Sealed) {
        if !sealed.segment.summary.far_keys.is_empty() {
            self.far_days.insert(day);
        }
        self.segments.entry(day).or_default().push(sealed);
    }

    /// Takes the segments out that `wanted` says yes to.
    pub fn take(&mut self, wanted: impl Fn(i64, &Sealed) -> bool) -> Vec<Sealed> {
        let mut taken = Vec::new();
        for (&day, segments) in &mut self.segments {
            taken.extend(segments.extract_if(.., |sealed| wanted(day, sealed)));
        }
        self.segments.retain(|_, segments| !segments.is_empty());
        self.far_days.retain(|day| self.segments.contains_key(day));
        taken
    }

    /// Finished records in memory.
    pub fn unsealed_rows(&self) -> usize {
        self.hot.rows() + self.frozen.iter().map(|frozen| frozen.table.rows() - frozen.dead.len()).sum::<usize>()
    }

    /// First UTC day that has a record, in days since 1970-01-01.
    pub fn first_day(&self) -> Option<i64> {
        let frozen = self.frozen.iter().filter_map(|frozen| frozen.table.first_day());
        let has_rows = |sealed: &Sealed| sealed.dead.len() < sealed.segment.rows();
        let sealed = self.segments.iter().find(|(_, day)| day.iter().any(has_rows)).map(|(&day, _)| day);
        let unreadable = self.unreadable.iter().map(|unreadable| unreadable.day);
        [self.active.first_day(), self.hot.first_day(), sealed].into_iter().flatten().chain(frozen).chain(unreadable).min()
    }

    /// The segments of a range of UTC days.
    pub fn sealed(&self, days: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = &Sealed> {
        self.segments.range(days).flat_map(|(_, segments)| segments)
    }

    fn find(&self, key: &Key<'_>) -> Vec<Place> {
        let &Key { hash: key_hash, source, session_id, day } = key;
        let mut places: Vec<Place> = self.active.find(key_hash, source, session_id).map(Place::Active).collect();
        places.extend(self.hot.find(key_hash, source, session_id).map(Place::Hot));
        for (number, frozen) in self.frozen.iter().enumerate() {
            let rows = frozen.table.find(key_hash, source, session_id);
            places.extend(rows.filter(|&row| !frozen.dead.contains(row)).map(|row| Place::Frozen { number, row }));
        }
        for day in self.days_of(key_hash, day) {
            for (number, sealed) in self.segments.get(&day).into_iter().flatten().enumerate() {
                // A damaged segment refuses every report of its day; what is received for it is kept beside it.
                let Ok(rows) = sealed.segment.find(key_hash, source, session_id) else { continue };
                let living = rows.into_iter().filter(|&row| !sealed.dead.contains(row));
                places.extend(living.map(|row| Place::Sealed { day, number, row }));
            }
        }
        places
    }

    /// UTC days whose segments may have a version's record.
    fn days_of(&self, key_hash: u64, day: i64) -> impl Iterator<Item = i64> {
        let has_far_key = move |far_day: &&i64| {
            self.segments.get(far_day).into_iter().flatten().any(|sealed| sealed.segment.has_far_key(key_hash))
        };
        let far_days = self.far_days.iter().filter(move |far_day| (**far_day - day).abs() > 1);
        (day - 1..=day + 1).chain(far_days.filter(has_far_key).copied())
    }

    fn versions(&self, place: &Place) -> Option<Versions> {
        let no_tombstones = RowSet::default();
        let of_table = |table: &Table, row| Versions::of_row(&table.fields().record(row), table.versions(row));
        match *place {
            Place::Active(row) => of_table(&self.active, row),
            Place::Hot(row) => of_table(&self.hot, row),
            Place::Frozen { number, row } => of_table(&self.frozen.get(number)?.table, row),
            Place::Sealed { day, number, row } => {
                let (slice, versions) = self.segments.get(&day)?.get(number)?.segment.row(row, &no_tombstones).ok()?;
                Versions::of_row(&slice.fields.record(row), versions)
            }
        }
    }

    /// Whether a place has this version and no other: what a replay mostly finds.
    fn is_only_version(&self, place: &Place, version: &Record<'_>) -> bool {
        let no_tombstones = RowSet::default();
        let in_table = |table: &Table, row| table.versions(row).is_none() && table.fields().record(row) == *version;
        match *place {
            Place::Active(row) => in_table(&self.active, row),
            Place::Hot(row) => in_table(&self.hot, row),
            Place::Frozen { number, row } => self.frozen.get(number).is_some_and(|frozen| in_table(&frozen.table, row)),
            Place::Sealed { day, number, row } => {
                self.segments.get(&day).and_then(|segments| segments.get(number)).is_some_and(|sealed| {
                    let found = sealed.segment.row(row, &no_tombstones);
                    found.is_ok_and(|(slice, versions)| slice.fields.record(row) == *version && versions.is_none())
                })
            }
        }
    }

    fn remove(&mut self, places: impl Iterator<Item = Place>) {
        let (mut active, mut hot) = (Vec::new(), Vec::new());
        for place in places {
            match place {
                Place::Active(row) => active.push(row),
                Place::Hot(row) => hot.push(row),
                Place::Frozen { number, row } => {
                    if let Some(frozen) = self.frozen.get_mut(number) {
                        Arc::make_mut(&mut frozen.dead).insert(row);
                    }
                }
                Place::Sealed { day, number, row } => {
                    if let Some(sealed) = self.segments.get_mut(&day).and_then(|segments| segments.get_mut(number)) {
                        Arc::make_mut(&mut sealed.dead).insert(row);
                    }
                }
            }
        }
        for (table, mut rows) in [(&mut self.active, active), (&mut self.hot, hot)] {
            // From the last, as removing a row renumbers the last one.
            rows.sort_unstable();
            rows.into_iter().rev().for_each(|row| table.swap_remove(row));
        }
    }
}
