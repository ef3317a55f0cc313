//! Segment edits: new segments that replace immutable memtables (flush) or other segments (compaction).
//!
//! Writing takes seconds and holds no lock, so that a source row may get a tombstone meanwhile.
//! [`Store::install`] then swaps sources and new segments in one step under the writer's lock, and carries
//! these tombstones over: each new segment remembers the source row of each of its rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::scrubbed_source::ScrubbedSource;
use super::segment::{ManifestEntry, RowSource, Segment, SourceRow, write};
use super::state::{SegmentEntry, State};
use crate::columns::row_set::RowSet;
use crate::error::Result;
use crate::record::US_PER_DAY;
use crate::record::scrubbing::Scrubbing;
use crate::tuning::Tuning;

/// New segments and the sources that they replace; the catalogue records it in one transaction before the
/// install.
pub struct SegmentEdit {
    /// The new segments.
    pub segments: Vec<NewSegment>,
    /// Tombstones of other segments that the catalogue has to record in the same transaction, by segment
    /// name.
    pub tombstones: Vec<(String, Arc<RowSet>)>,
    pub(super) replaced: ReplacedSources,
}

/// The sources of an edit, in the order that [`SourceRow`] numbers them in.
pub(super) enum ReplacedSources {
    /// The n oldest immutable memtables.
    ImmutableMemtables(usize),
    /// Segments by name.
    Segments(Vec<String>),
}

/// A new segment that is not yet visible to readers.
pub struct NewSegment {
    /// UTC day of its records, in days since 1970-01-01.
    pub day: i64,
    /// Its manifest entry.
    pub written: ManifestEntry,
    segment: Segment,
    /// The source row of each row.
    source_rows: Vec<SourceRow>,
}

impl Store {
    /// Makes the new segments visible to readers in one step, in place of their sources.
    pub fn install(&self, edit: SegmentEdit) {
        edit.segments.iter().for_each(|new| new.segment.watch(&self.file_watch));
        let mut state = self.write();
        let (mut immutable, mut replaced) = (Vec::new(), Vec::new());
        match &edit.replaced {
            ReplacedSources::ImmutableMemtables(count) => immutable = state.immutable.drain(..*count).collect(),
            ReplacedSources::Segments(names) => {
                replaced = state.remove_segments(|_, entry| names.contains(&entry.segment.name));
                replaced.sort_by_key(|entry| names.iter().position(|name| *name == entry.segment.name));
            }
        }
        let immutable_tombstones = immutable.iter().map(|immutable| &*immutable.tombstones);
        let tombstones: Vec<&RowSet> = immutable_tombstones.chain(replaced.iter().map(|entry| &*entry.tombstones)).collect();
        for new in edit.segments {
            let mut entry = SegmentEntry::new(new.segment, RowSet::default(), &self.rollup_budgets);
            entry.tombstones = Arc::new(tombstoned_rows(&new.source_rows, &tombstones));
            state.add_segment(new.day, entry);
        }
        state.record_tombstones(edit.tombstones);
        drop(state);
        // The replaced sources are dropped here, after the lock: freeing memory and unmapping files takes a
        // while.
    }
}

impl State {
    /// Notes which tombstones the catalogue has recorded, and gives the segments those that a deletion has added.
    fn record_tombstones(&mut self, tombstones: Vec<(String, Arc<RowSet>)>) {
        for (name, rows) in tombstones {
            for entry in self.segments.values_mut().flatten().filter(|entry| entry.segment.name == name) {
                if !entry.tombstones.has_all(&rows) {
                    Arc::make_mut(&mut entry.tombstones).add_all(&rows);
                }
                entry.recorded_tombstones = Arc::clone(&rows);
            }
        }
    }
}

/// Rows of a new segment whose source rows have a tombstone: one that they got while it was written or, in a
/// compaction, one that the catalogue had not recorded.
fn tombstoned_rows(source_rows: &[SourceRow], tombstones_of_sources: &[&RowSet]) -> RowSet {
    let mut tombstones = RowSet::default();
    if tombstones_of_sources.iter().any(|tombstones| !tombstones.is_empty()) {
        let is_tombstoned = |from: &SourceRow| tombstones_of_sources[from.source as usize].contains(from.row as usize);
        let rows = source_rows.iter().enumerate().filter(|(_, from)| is_tombstoned(from));
        rows.for_each(|(row, _)| tombstones.insert(row));
    }
    tombstones
}

/// Writes the rows without tombstone of all sources, scrubbed, into new segments, one or more per UTC day, each of at
/// most `row_max` rows. Numbers the files from `sequence`.
///
/// # Errors
/// `Io` or `Damaged` if a file cannot be written and read back.
pub(super) fn write_segments_by_day(
    directory: &Path, sequence: u64, row_max: usize, sources: &[RowSource<'_>], scrubbing: &Scrubbing, tuning: &Tuning,
) -> Result<Vec<NewSegment>> {
    let scrubbed: Vec<ScrubbedSource<'_, '_>> = sources.iter().map(|source| ScrubbedSource::of(source, scrubbing)).collect();
    let versions: Vec<_> = scrubbed.iter().map(|source| |row| source.versions(row)).collect();
    let sources: Vec<RowSource<'_>> =
        scrubbed.iter().zip(&versions).map(|(source, versions)| RowSource { slice: source.slice(), versions }).collect();
    let sources = sources.as_slice();
    let mut days: BTreeMap<i64, Vec<SourceRow>> = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        for row in source.slice.rows.clone().filter(|&row| !source.slice.tombstones.contains(row)) {
            let day = source.slice.setup_us[row].div_euclid(US_PER_DAY);
            days.entry(day).or_default().push(SourceRow { source: number as u32, row: row as u32 });
        }
    }
    let mut segments = Vec::new();
    for (day, mut source_rows) in days {
        source_rows.sort_by_key(|row| row.setup_us(sources));
        for source_rows in source_rows.chunks_mut(row_max.max(1)) {
            let name = format!("segments/{}/{:08}.arrow", crate::time_text::date(day), sequence + segments.len() as u64);
            let (written, segment) = write(directory, &name, sources, source_rows, tuning)?;
            segments.push(NewSegment { day, written, segment, source_rows: source_rows.to_vec() });
        }
    }
    Ok(segments)
}
