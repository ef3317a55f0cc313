//! New segments in place of immutable memtables or of other segments.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::segment::{ManifestEntry, RowSource, Segment, SourceRow, write};
use super::state::{SegmentEntry, State};
use crate::columns::row_set::RowSet;
use crate::error::Result;
use crate::record::US_PER_DAY;

/// New segments in place of immutable tables or of other segments.
pub struct SegmentEdit {
    /// The new segments.
    pub segments: Vec<NewSegment>,
    /// ReplacedSources rows of other segments that the catalogue has to know from now on, by segment name.
    pub tombstones: Vec<(String, Arc<RowSet>)>,
    pub(super) replaced: ReplacedSources,
}

/// What new segments stand in place of, in the order of their sources.
pub(super) enum ReplacedSources {
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
    /// Puts the new segments in place, in one step for readers.
    pub fn install(&self, edit: SegmentEdit) {
        let mut state = self.write();
        let (mut immutable, mut replaced) = (Vec::new(), Vec::new());
        match &edit.replaced {
            ReplacedSources::ImmutableMemtable(count) => immutable = state.immutable.drain(..*count).collect(),
            ReplacedSources::Segments(names) => {
                replaced = state.remove_segments(|_, entry| names.contains(&entry.segment.name));
                replaced.sort_by_key(|entry| names.iter().position(|name| *name == entry.segment.name));
            }
        }
        let immutable_tombstones = immutable.iter().map(|immutable| &*immutable.tombstones);
        let tombstones: Vec<&RowSet> = immutable_tombstones.chain(replaced.iter().map(|entry| &*entry.tombstones)).collect();
        for new in edit.segments {
            let mut entry = SegmentEntry::new(new.segment, RowSet::default());
            entry.tombstones = Arc::new(tombstoned_rows(&new.source_rows, &tombstones));
            state.add_segment(new.day, entry);
        }
        state.record_tombstones(edit.tombstones);
        drop(state);
        // What was replaced is given back to the system here, after readers and writers may go on.
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
fn tombstoned_rows(source_rows: &[SourceRow], tombstones_of_sources: &[&RowSet]) -> RowSet {
    let mut tombstones = RowSet::default();
    if tombstones_of_sources.iter().any(|tombstones| !tombstones.is_empty()) {
        let is_tombstoned = |(source, row): SourceRow| tombstones_of_sources[source as usize].contains(row as usize);
        source_rows.iter().enumerate().filter(|(_, place)| is_tombstoned(**place)).for_each(|(row, _)| tombstones.insert(row));
    }
    tombstones
}

/// Writes the living rows of all sources, a UTC day at a time, numbering the files from `sequence`.
pub(super) fn write_segments_by_day(
    directory: &Path, sequence: u64, row_max: usize, sources: &[RowSource<'_>],
) -> Result<Vec<NewSegment>> {
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
