//! Moving records into new segments while reports and writers go on: seals and compactions.
//!
//! Both write rows that cannot change any more to new files, tell the catalogue in one transaction, and then put
//! the new segments in place of the rows, with the rows that were replaced meanwhile marked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLockWriteGuard;

use super::Store;
use super::memtable::Memtable;
use super::segment::{ManifestEntry, RowSource, Segment, SourceRow, write};
use super::state::{ImmutableMemtable, SegmentEntry, State};
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
pub struct Flush {
    /// Finished records, and the rows of them that were replaced before.
    tables: Vec<(Arc<Memtable>, Arc<RowSet>)>,
    /// ReplacedSources rows of segments, by segment name, where the catalogue knows less.
    tombstones: Vec<(String, Arc<RowSet>)>,
    /// Whether a copy of the active sessions began too.
    with_active: bool,
}

/// New segments in place of immutable tables or of other segments.
pub struct SegmentEdit {
    /// The new segments.
    pub segments: Vec<NewSegment>,
    /// ReplacedSources rows of other segments that the catalogue has to know from now on, by segment name.
    pub tombstones: Vec<(String, Arc<RowSet>)>,
    replaced: ReplacedSources,
}

/// What new segments stand in place of, in the order of their sources.
enum ReplacedSources {
    ImmutableMemtable(usize),
    Segments(Vec<String>),
}

/// A segment just written.
pub struct NewSegment {
    /// UTC day of its records, in days since 1970-01-01.
    pub day: i64,
    /// What its writer says of it.
    pub written: ManifestEntry,
    segment: Segment,
    source_rows: Vec<SourceRow>,
}

impl Store {
    /// Begins a seal: the finished records in memory, those of seals that failed among them, change no more. With
    /// `with_active` a copy of the active sessions begins too.
    pub fn begin_flush(&self, with_active: bool) -> Flush {
        let mut state = self.write();
        let with_active = with_active || std::mem::take(&mut state.reactivated);
        if with_active {
            state.active.begin_copy();
        }
        if state.memtable.rows() > 0 {
            let table = Arc::new(std::mem::take(&mut state.memtable));
            state.immutable.push(ImmutableMemtable { table, tombstones: Arc::default() });
        }
        let tables =
            state.immutable.iter().map(|immutable| (Arc::clone(&immutable.table), Arc::clone(&immutable.tombstones))).collect();
        let unknown = state.segments.values().flatten().filter(|entry| entry.tombstones != entry.recorded_tombstones);
        let tombstones = unknown.map(|entry| (entry.segment.name.clone(), Arc::clone(&entry.tombstones))).collect();
        Flush { tables, tombstones, with_active }
    }

    /// Gives a seal up; the next one takes up its records too.
    pub fn abort_flush(&self, begin_flush: &Flush) {
        let mut state = self.write();
        state.active.end_copy();
        state.reactivated |= begin_flush.with_active;
    }

    /// Writes the records of a seal into one new segment per UTC day, or more where a day has more than `row_max` rows.
    ///
    /// # Errors
    /// `Io` or `Damaged` where a file cannot be written and read back; nothing has changed then.
    pub fn write_flush(&self, directory: &Path, sequence: u64, row_max: usize, begin_flush: &Flush) -> Result<SegmentEdit> {
        let versions: Vec<_> = begin_flush.tables.iter().map(|(table, _)| |row| table.versions(row)).collect();
        let tables = begin_flush.tables.iter().zip(&versions);
        let sources: Vec<RowSource<'_>> =
            tables.map(|((table, tombstones), versions)| RowSource { slice: table.slice(tombstones), versions }).collect();
        let segments = write_days(directory, sequence, row_max, &sources)?;
        Ok(SegmentEdit {
            segments,
            tombstones: begin_flush.tombstones.clone(),
            replaced: ReplacedSources::ImmutableMemtable(sources.len()),
        })
    }

    /// Writes the copy of the active sessions that a seal began, `None` where it began none. Each session is as it was
    /// then or later; the journal from then on brings all of them to the present.
    ///
    /// # Errors
    /// As [`Store::write_flush`].
    pub fn write_active_snapshot(
        &self, directory: &Path, sequence: u64, begin_flush: &Flush,
    ) -> Result<Option<Vec<ManifestEntry>>> {
        let mut files = Vec::new();
        let mut more = begin_flush.with_active;
        while more {
            let mut copy = Memtable::default();
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
        Ok(begin_flush.with_active.then_some(files))
    }

    /// Puts the new segments in place, in one step for readers.
    pub fn install(&self, rewrite: SegmentEdit) {
        let mut state = self.write();
        let (mut immutable, mut replaced) = (Vec::new(), Vec::new());
        match &rewrite.replaced {
            ReplacedSources::ImmutableMemtable(count) => immutable = state.immutable.drain(..*count).collect(),
            ReplacedSources::Segments(names) => {
                replaced = state.take(|_, entry| names.contains(&entry.segment.name));
                replaced.sort_by_key(|entry| names.iter().position(|name| *name == entry.segment.name));
            }
        }
        let immutable_tombstones = immutable.iter().map(|immutable| &*immutable.tombstones);
        let tombstones: Vec<&RowSet> = immutable_tombstones.chain(replaced.iter().map(|entry| &*entry.tombstones)).collect();
        for new in rewrite.segments {
            let mut entry = SegmentEntry::new(new.segment, RowSet::default());
            entry.tombstones = Arc::new(tombstoned_rows(&new.source_rows, &tombstones));
            state.add(new.day, entry);
        }
        state.record_tombstones(rewrite.tombstones);
        drop(state);
        // What was replaced is given back to the system here, after readers and writers may go on.
    }

    /// Segments of one UTC day that are worth making one, by name; empty where there are none. `row_max` limits the rows
    /// of the new one.
    pub fn pick_compaction(&self, row_max: usize) -> Vec<String> {
        let state = self.read();
        let candidates = state.segments.values().map(|segments| pick_compaction(segments, row_max));
        candidates.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Writes the living rows of segments of one UTC day into new ones.
    ///
    /// # Errors
    /// As [`Store::write_flush`], and `Damaged` for a segment that cannot be read.
    pub fn compact(&self, directory: &Path, sequence: u64, row_max: usize, names: &[String]) -> Result<SegmentEdit> {
        let is_named = |entry: &&SegmentEntry| names.contains(&entry.segment.name);
        let merged: Vec<SegmentEntry> = self.read().segments.values().flatten().filter(is_named).cloned().collect();
        let versions: Vec<_> = merged.iter().map(|entry| |row| entry.segment.versions(row)).collect();
        let mut sources = Vec::new();
        for (entry, versions) in merged.iter().zip(&versions) {
            sources.push(RowSource { slice: entry.segment.verified_slice(&entry.recorded_tombstones)?, versions });
        }
        let segments = write_days(directory, sequence, row_max, &sources)?;
        let replaced = ReplacedSources::Segments(merged.iter().map(|entry| entry.segment.name.clone()).collect());
        Ok(SegmentEdit { segments, tombstones: Vec::new(), replaced })
    }

    /// Names, UTC days and bytes of all segments, by day.
    pub fn segments(&self) -> Vec<(String, i64, u64)> {
        let state = self.read();
        let days = state.segments.iter().flat_map(|(&day, segments)| segments.iter().map(move |entry| (day, entry)));
        let readable = days.map(|(day, entry)| (entry.segment.name.clone(), day, entry.segment.bytes));
        readable.chain(state.unreadable.iter().map(|u| (u.name.clone(), u.day, u.bytes))).collect()
    }

    /// Forgets the finished records of days before `day`, and the active sessions set up before it of which nothing was
    /// heard since `heard_us`; gives the number of these.
    pub fn drop_before(&self, day: i64, heard_us: i64) -> usize {
        let mut state = self.write();
        let forgotten = state.take(|segment_day, _| segment_day < day);
        state.unreadable.retain(|unreadable| unreadable.day >= day);
        state.memtable.remove_silent(day * US_PER_DAY, i64::MAX);
        for immutable in &mut state.immutable {
            immutable.drop_before(day * US_PER_DAY);
        }
        let sessions = state.active.remove_silent(day * US_PER_DAY, heard_us);
        drop(state);
        drop(forgotten);
        sessions
    }
}

impl ImmutableMemtable {
    fn drop_before(&mut self, setup_us: i64) {
        let no_tombstones = RowSet::default();
        let slice = self.table.slice(&no_tombstones);
        let tombstones = Arc::make_mut(&mut self.tombstones);
        let rows = slice.setup_us.iter().enumerate().filter(|(_, us)| **us < setup_us);
        rows.for_each(|(row, _)| tombstones.insert(row));
    }
}

impl State {
    /// Notes which replaced rows the catalogue knows of.
    fn record_tombstones(&mut self, tombstones: Vec<(String, Arc<RowSet>)>) {
        for (name, rows) in tombstones {
            for entry in self.segments.values_mut().flatten().filter(|entry| entry.segment.name == name) {
                entry.recorded_tombstones = Arc::clone(&rows);
            }
        }
    }
}

/// Rows of a new segment whose source rows were replaced meanwhile.
fn tombstoned_rows(source_rows: &[SourceRow], dead_of_sources: &[&RowSet]) -> RowSet {
    let mut tombstones = RowSet::default();
    if dead_of_sources.iter().any(|tombstones| !tombstones.is_empty()) {
        let is_dead = |(source, row): SourceRow| dead_of_sources[source as usize].contains(row as usize);
        source_rows.iter().enumerate().filter(|(_, place)| is_dead(**place)).for_each(|(row, _)| tombstones.insert(row));
    }
    tombstones
}

/// The longest run of a day's segments, by size, of which each is no larger than twice those before it together, if there
/// are enough of them; or one of which many rows were replaced. One known to be damaged is left alone.
fn pick_compaction(segments: &[SegmentEntry], row_max: usize) -> Vec<String> {
    let mut by_size: Vec<&SegmentEntry> = segments.iter().filter(|entry| !entry.segment.is_damaged()).collect();
    by_size.sort_by_key(|entry| entry.living());
    let runs = (0..by_size.len()).map(|first| run_of_similar_size(&by_size[first..], row_max));
    if let Some(run) = runs.filter(|run| is_enough(run)).max_by_key(|run| run.len()) {
        return run.iter().map(|entry| entry.segment.name.clone()).collect();
    }
    let worn = by_size.iter().find(|entry| entry.recorded_tombstones.len() * 4 > entry.segment.rows());
    worn.map(|entry| vec![entry.segment.name.clone()]).unwrap_or_default()
}

/// The first of segments by size that are of like size and together have no more rows than allowed.
fn run_of_similar_size<'a>(by_size: &'a [&'a SegmentEntry], row_max: usize) -> &'a [&'a SegmentEntry] {
    let mut rows = 0;
    let fits = |(number, entry): (usize, &&SegmentEntry)| {
        let is_like = number <= 1 || entry.living() <= rows * 2;
        rows += entry.living();
        is_like && rows <= row_max
    };
    let end = by_size.iter().enumerate().map(fits).position(|fits| !fits).unwrap_or(by_size.len());
    &by_size[..end]
}

/// Whether so many segments are worth the writing; small ones cost each report more than that.
fn is_enough(run: &[&SegmentEntry]) -> bool {
    let rows: usize = run.iter().map(|entry| entry.living()).sum();
    run.len() >= if rows <= SMALL_ROWS { 2 } else { MERGED_MIN }
}

/// Writes the living rows of all sources, a UTC day at a time, numbering the files from `sequence`.
fn write_days(directory: &Path, sequence: u64, row_max: usize, sources: &[RowSource<'_>]) -> Result<Vec<NewSegment>> {
    let mut days: BTreeMap<i64, Vec<SourceRow>> = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        for row in source.slice.rows.clone().filter(|&row| !source.slice.tombstones.contains(row)) {
            let day = source.slice.setup_us[row].div_euclid(US_PER_DAY);
            days.entry(day).or_default().push((number as u32, row as u32));
        }
    }
    let mut segments = Vec::new();
    for (day, mut source_rows) in days {
        source_rows.sort_by_key(|&(source, row)| sources[source as usize].slice.setup_us[row as usize]);
        for source_rows in source_rows.chunks_mut(row_max.max(1)) {
            let name = format!("segments/{}/{:08}.arrow", crate::time_text::date(day), sequence + segments.len() as u64);
            let (written, segment) = write(directory, &name, sources, source_rows)?;
            segments.push(NewSegment { day, written, segment, source_rows: source_rows.to_vec() });
        }
    }
    Ok(segments)
}

fn write_active_file(directory: &Path, sequence: u64, copy: &Memtable) -> Result<ManifestEntry> {
    let no_tombstones = RowSet::default();
    let versions = |row| copy.versions(row);
    let sources = [RowSource { slice: copy.slice(&no_tombstones), versions: &versions }];
    let mut source_rows: Vec<SourceRow> = (0..copy.rows() as u32).map(|row| (0, row)).collect();
    write(directory, &format!("active/{sequence:08}.arrow"), &sources, &mut source_rows).map(|(written, _)| written)
}
