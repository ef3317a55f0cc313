//! The records of one store: those in memory and the sealed segments, behind one handle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::batch::Batch;
use crate::error::Result;
use crate::filter::Predicate;
use crate::live::LiveTable;
use crate::part::{Bitmap, Part};
use crate::record::US_PER_DAY;
use crate::scan::{Partials, Scan, Scanner, any_match};
use crate::segment::{Segment, Written, write};
use crate::stop::Stop;
use crate::versions::Versions;

/// Records in memory and sealed segments by UTC day. Reports read while nothing writes.
#[derive(Default)]
pub struct Store {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    live: LiveTable,
    segments: BTreeMap<i64, Vec<Segment>>,
    /// Days of the sealed records whose versions lie on more days than one, by key hash: a version may find
    /// its record further away than the neighbouring day.
    far_days: HashMap<u64, BTreeSet<i64>>,
}

/// What became of the records of a batch that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// New records.
    pub accepted: usize,
    /// Records that changed one known before.
    pub replaced: usize,
    /// Records without effect.
    pub duplicates: usize,
}

/// What a seal wrote; nothing changes for readers before [`Store::adopt`].
pub struct Sealed {
    /// New segments by UTC day, as written and opened: what follows cannot fail any more.
    pub segments: Vec<(i64, Written, Segment)>,
    /// Snapshot of the sessions that are still active, `None` without any.
    pub active: Option<Written>,
    /// Replaced rows of older segments, by segment name.
    pub dead: Vec<(String, Vec<u8>)>,
}

/// What a store holds; times are setup times in microseconds UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Records, versions of one counted once.
    pub records: usize,
    /// Of these, the ones in memory.
    pub unsealed_records: usize,
    /// Sealed segments.
    pub segments: usize,
    /// Earliest and latest setup time.
    pub setup_range: Option<(i64, i64)>,
}

/// Where a version's record was found.
enum Place {
    Live(usize),
    Sealed { day: i64, segment: usize, row: usize },
}

impl Store {
    /// Takes in a batch; every report shows it once this returns.
    pub fn apply(&self, batch: &Batch, received_us: i64) -> Outcome {
        let mut state = self.write();
        let mut outcome = Outcome::default();
        for row in 0..batch.rows() {
            state.apply(&batch.record(row), received_us, &mut outcome);
        }
        outcome
    }

    /// Adds a sealed segment of a data directory.
    ///
    /// # Errors
    /// `Io` or `Damaged` where it cannot be read as written.
    pub fn open_segment(&self, directory: &Path, day: i64, written: &Written, dead: Bitmap) -> Result<()> {
        let segment = Segment::open(directory, written, dead)?;
        self.write().add_segment(day, segment);
        Ok(())
    }

    /// Takes the sessions of a snapshot of the active ones back into memory.
    ///
    /// # Errors
    /// `Io` or `Damaged` where it cannot be read as written.
    pub fn open_active(&self, directory: &Path, written: &Written) -> Result<()> {
        let segment = Segment::open(directory, written, Bitmap::default())?;
        let part = segment.part();
        let mut state = self.write();
        for row in 0..part.rows() {
            let record = part.record(row);
            let versions = segment.versions(row).map(<[u8]>::to_vec);
            state.live.push(record.key_hash(), &record, versions, segment.received_us(row));
        }
        Ok(())
    }

    /// Writes the finished records in memory into one new segment per UTC day, and a snapshot of the active ones.
    ///
    /// # Errors
    /// `Io` or `Damaged` where a file cannot be written and read back; nothing has changed then.
    pub fn seal(&self, directory: &Path, sequence: u64) -> Result<Sealed> {
        let state = self.read();
        let part = state.live.part();
        let mut days: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        let mut active = Vec::new();
        for row in 0..part.rows() {
            let record = part.record(row);
            if record.is_finished() { days.entry(record.day()).or_default().push(row) } else { active.push(row) }
        }
        let save = |name: String, rows| write(directory, &name, &part, rows, |row| state.live.versions(row));
        let day_name = |day: i64| format!("segments/{}/{sequence:08}.arrow", crate::time_text::date(day));
        let segments = days.into_iter().map(|(day, rows)| {
            let written = save(day_name(day), rows)?;
            let segment = Segment::open(directory, &written, Bitmap::default())?;
            Ok((day, written, segment))
        });
        let segments = segments.collect::<Result<Vec<_>>>()?;
        let active = if active.is_empty() { None } else { Some(save(format!("active/{sequence:08}.arrow"), active)?) };
        let replaced = state.segments.values().flatten().filter(|segment| !segment.dead.is_empty());
        let dead = replaced.map(|segment| (segment.name.clone(), segment.dead.to_bytes())).collect();
        Ok(Sealed { segments, active, dead })
    }

    /// Puts the segments of a seal in place of the records in memory, in one step for readers.
    pub fn adopt(&self, sealed: &Sealed) {
        let mut state = self.write();
        state.live = state.live.unfinished();
        for (day, _, segment) in &sealed.segments {
            state.add_segment(*day, segment.clone());
        }
    }

    /// Answers a scan with integer sums.
    ///
    /// # Errors
    /// What [`Scanner::add`] gives.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        let mut scanner = Scanner::new(scan);
        let state = self.read();
        scanner.add(&state.live.part())?;
        for segment in state.segments_between(scan.range()) {
            scanner.add(&segment.part())?;
        }
        Ok(scanner.finish())
    }

    /// Whether any record meets all conditions.
    ///
    /// # Errors
    /// What [`any_match`] gives.
    pub fn any_match(&self, predicates: &[Predicate], stop: &Stop) -> Result<bool> {
        let state = self.read();
        for part in state.parts() {
            if any_match(&part, predicates, stop)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the store holds.
    pub fn info(&self) -> Info {
        let state = self.read();
        let living = |part: &Part<'_>| part.rows() - part.dead.len();
        let ranges = state.parts().filter_map(|part| part.setup_range());
        Info {
            records: state.parts().map(|part| living(&part)).sum(),
            unsealed_records: state.live.rows(),
            segments: state.segments.values().map(Vec::len).sum(),
            setup_range: ranges.reduce(|(low, high), (from, to)| (low.min(from), high.max(to))),
        }
    }

    /// Finished records in memory: what a seal would write.
    pub fn unsealed_finished_rows(&self) -> usize {
        self.read().live.finished_rows()
    }

    /// Earliest setup time of any record, microseconds UTC.
    pub fn first_setup_us(&self) -> Option<i64> {
        let state = self.read();
        let live = state.live.part().setup_range().map(|range| range.0);
        // Days ascend, so the first one with a living row has the earliest sealed row.
        let mut days = state.segments.values();
        let sealed =
            days.find_map(|day| day.iter().filter_map(|segment| segment.part().setup_range()).map(|range| range.0).min());
        live.into_iter().chain(sealed).min()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // A panic while the lock was held is a fault of its own; the columns are whole between statements.
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        std::iter::once(self.live.part()).chain(self.segments.values().flatten().map(Segment::part))
    }

    fn add_segment(&mut self, day: i64, segment: Segment) {
        for key_hash in segment.keys_on_many_days() {
            self.far_days.entry(key_hash).or_default().insert(day);
        }
        self.segments.entry(day).or_default().push(segment);
    }

    fn segments_between(&self, (from, to): (i64, i64)) -> impl Iterator<Item = &Segment> {
        let days = from.div_euclid(US_PER_DAY)..=to.div_euclid(US_PER_DAY);
        self.segments.range(days).flat_map(|(_, segments)| segments)
    }

    fn apply(&mut self, version: &crate::record::Record<'_>, received_us: i64, outcome: &mut Outcome) {
        let key_hash = version.key_hash();
        let places = self.find(key_hash, version);
        if places.is_empty() {
            self.live.push(key_hash, version, None, received_us);
            outcome.accepted += 1;
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
        self.remove(known.into_iter().map(|(place, _)| place));
        joined.merged(|record| self.live.push(key_hash, record, joined.to_bytes(), received_us));
    }

    fn find(&self, key_hash: u64, version: &crate::record::Record<'_>) -> Vec<Place> {
        let (source, session_id) = (version.source(), version.session_id());
        let mut places: Vec<Place> = self.live.find(key_hash, source, session_id).into_iter().map(Place::Live).collect();
        let mut days: BTreeSet<i64> = (version.day() - 1..=version.day() + 1).collect();
        days.extend(self.far_days.get(&key_hash).into_iter().flatten());
        for day in days {
            let segments = self.segments.get(&day).map_or(&[][..], Vec::as_slice);
            for (number, segment) in segments.iter().enumerate() {
                let rows = segment.find(key_hash, source, session_id).into_iter();
                places.extend(rows.map(|row| Place::Sealed { day, segment: number, row }));
            }
        }
        places
    }

    fn versions(&self, place: &Place) -> Option<Versions> {
        match *place {
            Place::Live(row) => Versions::of_row(&self.live.part().record(row), self.live.versions(row)),
            Place::Sealed { day, segment, row } => {
                let segment = self.segments.get(&day)?.get(segment)?;
                Versions::of_row(&segment.part().record(row), segment.versions(row))
            }
        }
    }

    fn remove(&mut self, places: impl Iterator<Item = Place>) {
        let mut live = Vec::new();
        for place in places {
            match place {
                Place::Live(row) => live.push(row),
                Place::Sealed { day, segment, row } => {
                    if let Some(segment) = self.segments.get_mut(&day).and_then(|segments| segments.get_mut(segment)) {
                        segment.dead.insert(row);
                    }
                }
            }
        }
        // From the last, as removing a row renumbers the last one.
        live.sort_unstable();
        live.into_iter().rev().for_each(|row| self.live.swap_remove(row));
    }
}
