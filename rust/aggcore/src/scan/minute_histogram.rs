//! Sums by minute of one UTC day: what bins whose edges are whole minutes are bins from.
//!
//! A row costs one addition at the place of its minute, whatever the bins; and the sums of all rows of a segment,
//! which do not change, serve every report without a filter.

use super::minute_lanes::{MinuteLanes, SLOT_COUNT, STAGED_ROWS_MAX, slot};
use crate::columns::sums::{ANSWERED_SHIFT, PackedSums, Sums, add, packed_call, unpacked_calls};
use crate::error::Result;
use crate::record::US_PER_DAY;

/// Minutes of a day.
const MINUTES_PER_DAY: usize = 1_440;
/// Microseconds of a minute.
pub const US_PER_MINUTE: i64 = 60_000_000;

/// Calls that sums have room for.
const CALLS_MAX: u64 = (1 << ANSWERED_SHIFT) - 1;

/// Calls, answered calls and milliseconds by minute of a UTC day.
pub struct MinuteHistogram {
    day_us: i64,
    /// Calls that are in the sums, or more.
    calls: u64,
    slots: Box<[PackedSums; SLOT_COUNT]>,
    /// What many rows add; it is emptied into the slots.
    lanes: Option<MinuteLanes>,
}

impl Default for MinuteHistogram {
    fn default() -> Self {
        Self { day_us: 0, calls: 0, slots: Box::new([[0; 2]; SLOT_COUNT]), lanes: None }
    }
}

impl MinuteHistogram {
    /// Whether so many calls of a UTC day may be added before the sums are bins.
    pub fn has_room(&self, day_us: i64, calls: u64) -> bool {
        self.calls == 0 || self.day_us == day_us && self.calls + calls <= CALLS_MAX
    }

    /// Tells the day of the calls that are added next, and how many they are at most.
    pub fn reserve_calls(&mut self, day_us: i64, calls: u64) {
        (self.day_us, self.calls) = (day_us, self.calls + calls);
    }

    /// Adds a run of calls that were talked on for `ms`, as [`CallDurations::Milliseconds`](crate::columns::call_duration::CallDurations::Milliseconds); those whose
    /// mask is 0 do not count.
    pub fn add_range(&mut self, minutes: &[u16], ms: &[i32], mask: Option<&[u8]>) {
        let batches = minutes.chunks(STAGED_ROWS_MAX).zip(ms.chunks(STAGED_ROWS_MAX)).enumerate();
        batches.for_each(|(number, (minutes, ms))| {
            self.add_staged(minutes, ms, mask.map(|mask| &mask[number * STAGED_ROWS_MAX..][..ms.len()]));
        });
    }

    fn add_staged(&mut self, minutes: &[u16], ms: &[i32], mask: Option<&[u8]>) {
        let lanes = self.lanes.get_or_insert_default();
        if !lanes.stage(ms, mask) {
            lanes.flush_into(&mut self.slots);
            if !lanes.stage(ms, mask) {
                let is_selected = |row: usize| mask.is_none_or(|mask| mask[row] == 1);
                (0..ms.len()).filter(|&row| is_selected(row)).for_each(|row| self.add_row(minutes[row], packed_call(ms[row])));
                return;
            }
        }
        lanes.scatter(minutes);
    }

    /// Adds what one row stands for.
    #[inline]
    pub fn add_row(&mut self, minute: u16, [counts, ms]: PackedSums) {
        let slot = &mut self.slots[slot(minute)];
        *slot = [slot[0].wrapping_add(counts), slot[1].wrapping_add(ms)];
    }

    /// Adds the sums to those of the bins that they fall in, where the edges [lie on minutes](lie_on_slots), and begins
    /// anew; those of all calls alone with `counts_only`.
    ///
    /// # Errors
    /// `SumOverflow`.
    pub fn fold_into_bins(&mut self, edges: &[i64], counts_only: bool, sums: &mut [Sums]) -> Result<()> {
        let day_us = self.day_us;
        if let Some(lanes) = &mut self.lanes {
            lanes.flush_into(&mut self.slots);
        }
        let minute_of = |edge: i64| ((edge - day_us).clamp(0, US_PER_DAY) / US_PER_MINUTE) as usize;
        let within = edges_within(day_us, edges);
        let bins = within.start.saturating_sub(1)..(within.end).min(edges.len() - 1);
        let mut first = edges.get(bins.start).map_or(0, |&edge| minute_of(edge));
        for (sums, &edge) in sums[bins.clone()].iter_mut().zip(&edges[bins.start + 1..]) {
            let end = minute_of(edge);
            let minutes = self.slots[first..end].iter_mut().map(std::mem::take);
            let all = unpacked_calls(minutes.fold([0; 2], |[calls, ms], slot| [calls + slot[0], ms + slot[1]]));
            add(sums, if counts_only { [all[0], 0, 0] } else { all })?;
            first = end;
        }
        self.calls = 0;
        debug_assert!(self.slots.iter().all(|slot| *slot == [0; 2]), "a call of no bin would count on another day");
        Ok(())
    }
}

/// Whether the edges that lie within a UTC day are whole slots of it, of so many minutes each.
pub fn lie_on_slots(day_us: i64, edges: &[i64], slot_minutes: i64) -> bool {
    edges[edges_within(day_us, edges)].iter().all(|edge| (edge - day_us) % (slot_minutes * US_PER_MINUTE) == 0)
}

/// The edges that lie within a UTC day and on neither end of it.
fn edges_within(day_us: i64, edges: &[i64]) -> std::ops::Range<usize> {
    edges.partition_point(|&edge| edge <= day_us)..edges.partition_point(|&edge| edge < day_us + US_PER_DAY)
}

/// The minute of the UTC day of an instant.
pub fn minute_of_day(us: i64) -> u16 {
    // Below MINUTES_PER_DAY, so it fits.
    (us.rem_euclid(US_PER_DAY) / US_PER_MINUTE % MINUTES_PER_DAY as i64) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::sums::packed_sums;

    #[test]
    fn sums_take_calls_of_one_day_and_no_more_than_they_hold() -> Result<()> {
        let mut sums = MinuteHistogram::default();
        assert!(sums.has_room(US_PER_DAY, CALLS_MAX));
        sums.reserve_calls(US_PER_DAY, CALLS_MAX - 7);
        let answered = CALLS_MAX as i64 - 7;
        sums.add_row(3, packed_sums([answered, answered, 5]));
        assert!(sums.has_room(US_PER_DAY, 7) && !sums.has_room(US_PER_DAY, 8) && !sums.has_room(0, 1));
        let mut bins = [[0; 3]; 2];
        sums.fold_into_bins(&[US_PER_DAY, US_PER_DAY + 3 * US_PER_MINUTE, 2 * US_PER_DAY], false, &mut bins)?;
        assert_eq!(bins, [[0; 3], [answered, answered, 5]]);
        assert!(sums.has_room(0, CALLS_MAX) && sums.slots.iter().all(|slot| *slot == [0; 2]));
        Ok(())
    }
}
