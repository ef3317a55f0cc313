//! Damaged segments: what the catalogue and the log have to know of them.
//!
//! A segment is found damaged by whoever reads it (`segment/guard.rs`), or by [`Store::look_at_files`]. Scans
//! of its day then fail, those of other days go on.
//!
//! A version may have been accepted as that of a new record because the segment with its record could not be
//! searched. Once a flush has written that version, the file must not come back to life, or the record would
//! count twice: the catalogue marks the segment as damaged in the same transaction ([`Store::damaged`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Store;
use super::segment::Segment;
use super::state::State;
use crate::record::US_PER_DAY;
use crate::record::schema::int_slot;
use crate::wire::columnar_batch::ColumnarBatch;

impl Store {
    /// Names of segments that the catalogue must mark as damaged, as versions were accepted without a reliable
    /// look at their keys: those that were searched while they were damaged, and unreadable ones near the days
    /// that a flush writes now.
    pub fn damaged(&self) -> Vec<String> {
        let state = self.read();
        let is_flushed = |day: i64| state.immutable.iter().any(|immutable| immutable.table.has_days(day - 1..=day + 1));
        let unreadable = state.unreadable.iter().filter(|unreadable| is_flushed(unreadable.day));
        let mut names: Vec<String> = unreadable.map(|unreadable| unreadable.name.clone()).collect();
        let segments = open_segments(&state);
        // To look at files takes long, so commits go on meanwhile.
        drop(state);
        segments.iter().for_each(|segment| segment.check_searches());
        names.extend(segments.iter().filter(|segment| segment.has_unknown_keys()).map(|segment| segment.name.clone()));
        names
    }

    /// Says once why the files of some segments cannot be watched, if so.
    pub fn take_watch_refusal(&self) -> Option<String> {
        self.file_watch.take_refusal()
    }

    /// Looks at the file of every segment, and returns the names of those that were found damaged since the
    /// last call, each with what happened to it. Takes about a microsecond per segment, without a lock.
    pub fn look_at_files(&self) -> Vec<(String, String)> {
        // So that the kernel need not keep them while nobody asks for a report.
        self.file_watch.take_events();
        let segments = open_segments(&self.read());
        segments.iter().filter_map(|segment| Some((segment.name.clone(), segment.new_problem()?))).collect()
    }

    /// From now on files of the open segments may be removed: another process owns them.
    pub fn retire_segments(&self) {
        self.read().segments.values().flatten().for_each(|entry| entry.segment.retire());
    }

    /// Checks the files of the segments that the keys of a batch were looked for in.
    pub(super) fn check_searches(&self, batch: &ColumnarBatch) {
        let days_of_batch = days_of_batch(batch);
        let state = self.read();
        let days = days_of_batch.union(&state.multi_day_key_days);
        let segments = days.filter_map(|day| state.segments.get(day)).flatten().map(|entry| &entry.segment);
        let searched: Vec<Arc<Segment>> = segments.filter(|segment| segment.was_searched()).map(Arc::clone).collect();
        drop(state);
        searched.iter().for_each(|segment| segment.check_searches());
    }
}

fn open_segments(state: &State) -> Vec<Arc<Segment>> {
    state.segments.values().flatten().map(|entry| Arc::clone(&entry.segment)).collect()
}

/// The UTC days of the setup times of a batch, and the neighbouring ones.
fn days_of_batch(batch: &ColumnarBatch) -> BTreeSet<i64> {
    let setup_us = batch.fields().ints[int_slot::SETUP_TIME];
    let (mut days, mut last) = (BTreeSet::new(), None);
    for row in 0..batch.rows() {
        let day = setup_us.get(row).div_euclid(US_PER_DAY);
        // Most rows of a batch have the day of the row before.
        if last.replace(day) != Some(day) {
            days.extend(day - 1..=day + 1);
        }
    }
    days
}
