//! Moving records into new segments while reports and writers go on: seals and compactions.
//!
//! Both write rows that cannot change any more to new files, tell the catalogue in one transaction, and then put
//! the new segments in place of the rows, with the rows that were replaced meanwhile marked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::Store;
use super::memtable::Table;
use super::segment::{Place, Segment, Source, Written, write};
use super::state::{Frozen, Sealed, State};
use crate::columns::row_set::RowSet;
use crate::error::Result;
use crate::record::US_PER_DAY;

/// Rows that are copied of the active sessions while writers wait.
const COPIED_ROWS: usize = 1_024;
/// Sessions of one file of a copy of the active ones.
const ACTIVE_FILE_ROWS: usize = 1 << 16;
/// Segments of like size that are worth making one.
const MERGED_MIN: usize = 3;
/// Of segments with so few rows together, two are enough.
const SMALL_ROWS: usize = 1 << 14;

/// What a seal takes up: it changes no more.
pub struct Freeze {
    /// Finished records, and the rows of them that were replaced before.
    tables: Vec<(Arc<Table>, Arc<RowSet>)>,
    /// Replaced rows of segments, by segment name, where the catalogue knows less.
    dead: Vec<(String, Arc<RowSet>)>,
    /// Whether a copy of the active sessions began too.
    with_active: bool,
}

/// New segments in place of frozen tables or of other segments.
pub struct Rewrite {
    /// The new segments.
    pub segments: Vec<NewSegment>,
    /// Replaced rows of other segments that the catalogue has to know from now on, by segment name.
    pub dead: Vec<(String, Arc<RowSet>)>,
    replaced: Replaced,
}

/// What new segments stand in place of, in the order of their sources.
enum Replaced {
    Frozen(usize),
    Segments(Vec<String>),
}

/// A segment just written.
pub struct NewSegment {
    /// UTC day of its records, in days since 1970-01-01.
    pub day: i64,
    /// What its writer says of it.
    pub written: Written,
    segment: Segment,
    places: Vec<Place>,
}

impl Store {
    /// Begins a seal: the finished records in memory, those of seals that failed among them, change no more. With
    /// `with_active` a copy of the active sessions begins too.
    pub fn freeze(&self, with_active: bool) -> Freeze {
        let mut state = self.write();
        let with_active = with_active || std::mem::take(&mut state.revived);
        if with_active {
            state.active.begin_copy();
        }
        if state.hot.rows() > 0 {
            let table = Arc::new(std::mem::take(&mut state.hot));
            state.frozen.push(Frozen { table, dead: Arc::default() });
        }
        let tables = state.frozen.iter().map(|frozen| (Arc::clone(&frozen.table), Arc::clone(&frozen.dead))).collect();
        let unknown = state.segments.values().flatten().filter(|sealed| sealed.dead != sealed.known_dead);
        let dead = unknown.map(|sealed| (sealed.segment.name.clone(), Arc::clone(&sealed.dead))).collect();
        Freeze { tables, dead, with_active }
    }

    /// Gives a seal up; the next one takes up its records too.
    pub fn thaw(&self, freeze: &Freeze) {
        let mut state = self.write();
        state.active.end_copy();
        state.revived |= freeze.with_active;
    }

    /// Writes the records of a seal into one new segment per UTC day, or more where a day has more than `row_max` rows.
    ///
    /// # Errors
    /// `Io` or `Damaged` where a file cannot be written and read back; nothing has changed then.
    pub fn write_frozen(&self, directory: &Path, sequence: u64, row_max: usize, freeze: &Freeze) -> Result<Rewrite> {
        let versions: Vec<_> = freeze.tables.iter().map(|(table, _)| |row| table.versions(row)).collect();
        let tables = freeze.tables.iter().zip(&versions);
        let sources: Vec<Source<'_>> =
            tables.map(|((table, dead), versions)| Source { slice: table.slice(dead), versions }).collect();
        let segments = write_days(directory, sequence, row_max, &sources)?;
        Ok(Rewrite { segments, dead: freeze.dead.clone(), replaced: Replaced::Frozen(sources.len()) })
    }

    /// Writes the copy of the active sessions that a seal began, `None` where it began none. Each session is as it was
    /// then or later; the journal from then on brings all of them to the present.
    ///
    /// # Errors
    /// As [`Store::write_frozen`].
    pub fn write_active(&self, directory: &Path, sequence: u64, freeze: &Freeze) -> Result<Option<Vec<Written>>> {
        let mut files = Vec::new();
        let mut more = freeze.with_active;
        while more {
            let mut copy = Table::default();
            while more && copy.rows() < ACTIVE_FILE_ROWS {
                let mut state = self.write();
                more = state.active.copy_piece(&mut copy, COPIED_ROWS);
                // To whoever waits, instead of being taken again at once by the next round.
                RwLockWriteGuard::unlock_fair(state);
            }
            if copy.rows() > 0 {
                files.push(write_active_file(directory, sequence + files.len() as u64, &copy)?);
            }
        }
        Ok(freeze.with_active.then_some(files))
    }

    /// Puts the new segments in place, in one step for readers.
    pub fn adopt(&self, rewrite: Rewrite) {
        let mut state = self.write();
        let (mut frozen, mut replaced) = (Vec::new(), Vec::new());
        match &rewrite.replaced {
            Replaced::Frozen(count) => frozen = state.frozen.drain(..*count).collect(),
            Replaced::Segments(names) => {
                replaced = state.take(|_, sealed| names.contains(&sealed.segment.name));
                replaced.sort_by_key(|sealed| names.iter().position(|name| *name == sealed.segment.name));
            }
        }
        let frozen_dead = frozen.iter().map(|frozen| &*frozen.dead);
        let dead: Vec<&RowSet> = frozen_dead.chain(replaced.iter().map(|sealed| &*sealed.dead)).collect();
        for new in rewrite.segments {
            let mut sealed = Sealed::new(new.segment, RowSet::default());
            sealed.dead = Arc::new(dead_rows(&new.places, &dead));
            state.add(new.day, sealed);
        }
        state.know_dead(rewrite.dead);
        drop(state);
        // What was replaced is given back to the system here, after readers and writers may go on.
    }

    /// Segments of one UTC day that are worth making one, by name; empty where there are none. `row_max` limits the rows
    /// of the new one.
    pub fn worth_merging(&self, row_max: usize) -> Vec<String> {
        let state = self.read();
        let candidates = state.segments.values().map(|segments| worth_merging(segments, row_max));
        candidates.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Writes the living rows of segments of one UTC day into new ones.
    ///
    /// # Errors
    /// As [`Store::write_frozen`], and `Damaged` for a segment that cannot be read.
    pub fn merge(&self, directory: &Path, sequence: u64, row_max: usize, names: &[String]) -> Result<Rewrite> {
        let is_named = |sealed: &&Sealed| names.contains(&sealed.segment.name);
        let merged: Vec<Sealed> = self.read().segments.values().flatten().filter(is_named).cloned().collect();
        let versions: Vec<_> = merged.iter().map(|sealed| |row| sealed.segment.versions(row)).collect();
        let mut sources = Vec::new();
        for (sealed, versions) in merged.iter().zip(&versions) {
            sources.push(Source { slice: sealed.segment.verified_slice(&sealed.known_dead)?, versions });
        }
        let segments = write_days(directory, sequence, row_max, &sources)?;
        let replaced = Replaced::Segments(merged.iter().map(|sealed| sealed.segment.name.clone()).collect());
        Ok(Rewrite { segments, dead: Vec::new(), replaced })
    }

    /// Names, UTC days and bytes of all segments, by day.
    pub fn segments(&self) -> Vec<(String, i64, u64)> {
        let state = self.read();
        let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |sealed| (day, sealed)));
        let readable = days.map(|(day, sealed)| (sealed.segment.name.clone(), day, sealed.segment.bytes));
        readable.chain(state.unreadable.iter().map(|u| (u.name.clone(), u.day, u.bytes))).collect()
    }

    /// Forgets the finished records of days before `day`, and the active sessions set up before it of which nothing was
    /// heard since `heard_us`; gives the number of these.
    pub fn forget_before(&self, day: i64, heard_us: i64) -> usize {
        let mut state = self.write();
        let forgotten = state.take(|segment_day, _| segment_day < day);
        state.unreadable.retain(|unreadable| unreadable.day >= day);
        state.hot.remove_silent(day * US_PER_DAY, i64::MAX);
        for frozen in &mut state.frozen {
            frozen.forget_before(day * US_PER_DAY);
        }
        let sessions = state.active.remove_silent(day * US_PER_DAY, heard_us);
        drop(state);
        drop(forgotten);
        sessions
    }
}

impl Frozen {
    fn forget_before(&mut self, setup_us: i64) {
        let no_tombstones = RowSet::default();
        let slice = self.table.slice(&no_tombstones);
        let dead = Arc::make_mut(&mut self.dead);
        let rows = slice.setup_us.iter().enumerate().filter(|(_, us)| **us < setup_us);
        rows.for_each(|(row, _)| dead.insert(row));
    }
}

impl State {
    /// Notes which replaced rows the catalogue knows of.
    fn know_dead(&mut self, dead: Vec<(String, Arc<RowSet>)>) {
        for (name, rows) in dead {
            for sealed in self.segments.values_mut().flatten().filter(|sealed| sealed.segment.name == name) {
                sealed.known_dead = Arc::clone(&rows);
            }
        }
    }
}

/// Rows of a new segment whose source rows were replaced meanwhile.
fn dead_rows(places: &[Place], dead_of_sources: &[&RowSet]) -> RowSet {
    let mut dead = RowSet::default();
    if dead_of_sources.iter().any(|dead| !dead.is_empty()) {
        let is_dead = |(source, row): Place| dead_of_sources[source as usize].contains(row as usize);
        places.iter().enumerate().filter(|(_, place)| is_dead(**place)).for_each(|(row, _)| dead.insert(row));
    }
    dead
}

/// The longest run of a day's segments, by size, of which each is no larger than twice those before it together, if there
/// are enough of them; or one of which many rows were replaced. One known to be damaged is left alone.
fn worth_merging(segments: &[Sealed], row_max: usize) -> Vec<String> {
    let mut by_size: Vec<&Sealed> = segments.iter().filter(|sealed| !sealed.segment.is_damaged()).collect();
    by_size.sort_by_key(|sealed| sealed.living());
    let runs = (0..by_size.len()).map(|first| run_of_like_size(&by_size[first..], row_max));
    if let Some(run) = runs.filter(|run| is_enough(run)).max_by_key(|run| run.len()) {
        return run.iter().map(|sealed| sealed.segment.name.clone()).collect();
    }
    let worn = by_size.iter().find(|sealed| sealed.known_dead.len() * 4 > sealed.segment.rows());
    worn.map(|sealed| vec![sealed.segment.name.clone()]).unwrap_or_default()
}

/// The first of segments by size that are of like size and together have no more rows than allowed.
fn run_of_like_size<'a>(by_size: &'a [&'a Sealed], row_max: usize) -> &'a [&'a Sealed] {
    let mut rows = 0;
    let fits = |(number, sealed): (usize, &&Sealed)| {
        let is_like = number <= 1 || sealed.living() <= rows * 2;
        rows += sealed.living();
        is_like && rows <= row_max
    };
    let end = by_size.iter().enumerate().map(fits).position(|fits| !fits).unwrap_or(by_size.len());
    &by_size[..end]
}

/// Whether so many segments are worth the writing; small ones cost each report more than that.
fn is_enough(run: &[&Sealed]) -> bool {
    let rows: usize = run.iter().map(|sealed| sealed.living()).sum();
    run.len() >= if rows <= SMALL_ROWS { 2 } else { MERGED_MIN }
}

/// Writes the living rows of all sources, a UTC day at a time, numbering the files from `sequence`.
fn write_days(directory: &Path, sequence: u64, row_max: usize, sources: &[Source<'_>]) -> Result<Vec<NewSegment>> {
    let mut days: BTreeMap<i64, Vec<Place>> = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        for row in source.slice.rows.clone().filter(|&row| !source.slice.dead.contains(row)) {
            let day = source.slice.setup_us[row].div_euclid(US_PER_DAY);
            days.entry(day).or_default().push((number as u32, row as u32));
        }
    }
    let mut segments = Vec::new();
    for (day, mut places) in days {
        places.sort_by_key(|&(source, row)| sources[source as usize].slice.setup_us[row as usize]);
        for places in places.chunks_mut(row_max.max(1)) {
            let name = format!("segments/{}/{:08}.arrow", crate::time_text::date(day), sequence + segments.len() as u64);
            let (written, segment) = write(directory, &name, sources, places)?;
            segments.push(NewSegment { day, written, segment, places: places.to_vec() });
        }
    }
    Ok(segments)
}

fn write_active_file(directory: &Path, sequence: u64, copy: &Table) -> Result<Written> {
    let no_tombstones = RowSet::default();
    let versions = |row| copy.versions(row);
    let sources = [Source { slice: copy.slice(&no_tombstones), versions: &versions }];
    let mut places: Vec<Place> = (0..copy.rows() as u32).map(|row| (0, row)).collect();
    write(directory, &format!("active/{sequence:08}.arrow"), &sources, &mut places).map(|(written, _)| written)
}
