//! The records of a store and how a version finds its record among them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Outcome;
use crate::bitmap::Bitmap;
use crate::cube::Cubes;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::segment::Segment;
use crate::table::Table;
use crate::versions::Versions;

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
    pub dead: Arc<Bitmap>,
}

/// A segment and its replaced rows.
#[derive(Clone)]
pub struct Sealed {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Sums of its records.
    pub cubes: Arc<Cubes>,
    /// Rows that a later version replaced elsewhere.
    pub dead: Arc<Bitmap>,
    /// Those of them that the catalogue knows of. The journal brings the others back, and needs their rows
    /// for that: only these may be left out when the segment is rewritten.
    pub known_dead: Arc<Bitmap>,
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

/// Where a version's record was found.
enum Place {
    Active(usize),
    Hot(usize),
    Frozen { number: usize, row: usize },
    Sealed { day: i64, number: usize, row: usize },
}

impl Sealed {
    /// A segment of which the catalogue knows these replaced rows.
    pub fn new(segment: Segment, dead: Bitmap) -> Self {
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
        Ok(self.segment.part(&[], &self.dead)?.setup_range())
    }
}

impl State {
    /// Takes in one version.
    pub fn apply(&mut self, version: &Record<'_>, received_us: i64, outcome: &mut Outcome) {
        let key_hash = version.key_hash();
        let places = self.find(key_hash, version);
        if places.is_empty() {
            self.table_of(version).push(key_hash, version, None, received_us);
            outcome.accepted += 1;
            return;
        }
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
            .filter(|(_, versions)| versions.reach().contains(&version.day()))
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
            self.put(known.into_iter().map(|(place, _)| place).collect(), key_hash, record, versions.as_deref(), received_us);
        });
    }

    /// Puts a record in place of what is known of it.
    fn put(&mut self, known: Vec<Place>, key_hash: u64, record: &Record<'_>, versions: Option<&[u8]>, received_us: i64) {
        match (known.as_slice(), record.is_finished()) {
            (&[Place::Active(row)], false) => self.active.replace(row, record, versions, received_us),
            (&[Place::Hot(row)], true) => self.hot.replace(row, record, versions, received_us),
            (_, finished) => {
                let was_sealed = known.iter().any(|place| matches!(place, Place::Sealed { .. } | Place::Frozen { .. }));
                self.revived |= was_sealed && !finished;
                self.remove(known.into_iter());
                self.table_of(record).push(key_hash, record, versions, received_us);
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

    fn table_of(&mut self, record: &Record<'_>) -> &mut Table {
        if record.is_finished() { &mut self.hot } else { &mut self.active }
    }

    fn find(&self, key_hash: u64, version: &Record<'_>) -> Vec<Place> {
        let (source, session_id) = (version.source(), version.session_id());
        let mut places: Vec<Place> = self.active.find(key_hash, source, session_id).map(Place::Active).collect();
        places.extend(self.hot.find(key_hash, source, session_id).map(Place::Hot));
        for (number, frozen) in self.frozen.iter().enumerate() {
            let rows = frozen.table.find(key_hash, source, session_id);
            places.extend(rows.filter(|&row| !frozen.dead.contains(row)).map(|row| Place::Frozen { number, row }));
        }
        for day in self.days_of(key_hash, version.day()) {
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
    fn days_of(&self, key_hash: u64, day: i64) -> Vec<i64> {
        let mut days: Vec<i64> = (day - 1..=day + 1).collect();
        for &far_day in self.far_days.iter().filter(|far_day| (**far_day - day).abs() > 1) {
            if self.segments.get(&far_day).into_iter().flatten().any(|sealed| sealed.segment.has_far_key(key_hash)) {
                days.push(far_day);
            }
        }
        days
    }

    fn versions(&self, place: &Place) -> Option<Versions> {
        let none_dead = Bitmap::default();
        let of_table = |table: &Table, row| Versions::of_row(&table.part(&none_dead).record(row), table.versions(row));
        match *place {
            Place::Active(row) => of_table(&self.active, row),
            Place::Hot(row) => of_table(&self.hot, row),
            Place::Frozen { number, row } => of_table(&self.frozen.get(number)?.table, row),
            Place::Sealed { day, number, row } => {
                let (part, versions) = self.segments.get(&day)?.get(number)?.segment.row(row, &none_dead).ok()?;
                Versions::of_row(&part.record(row), versions)
            }
        }
    }

    /// Whether a place has this version and no other: what a replay mostly finds.
    fn is_only_version(&self, place: &Place, version: &Record<'_>) -> bool {
        let none_dead = Bitmap::default();
        let in_table = |table: &Table, row| table.versions(row).is_none() && table.part(&none_dead).record(row) == *version;
        match *place {
            Place::Active(row) => in_table(&self.active, row),
            Place::Hot(row) => in_table(&self.hot, row),
            Place::Frozen { number, row } => self.frozen.get(number).is_some_and(|frozen| in_table(&frozen.table, row)),
            Place::Sealed { day, number, row } => {
                self.segments.get(&day).and_then(|segments| segments.get(number)).is_some_and(|sealed| {
                    let found = sealed.segment.row(row, &none_dead);
                    found.is_ok_and(|(part, versions)| part.record(row) == *version && versions.is_none())
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
