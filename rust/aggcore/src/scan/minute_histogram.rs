//! Minute histogram: sums by minute of one UTC day, which are folded into bins whose edges are whole minutes.
//!
//! A row costs one addition to its minute, however many bins there are. The sums are packed ([`PackedSums`]),
//! so the histogram must be folded before it holds 2^31 calls.

use super::minute_lanes::{MinuteLanes, SLOT_COUNT, STAGED_ROWS_MAX, slot};
use super::sums::{ANSWERED_SHIFT, PackedSums, Sums, add, packed_call, unpacked_sums};
use crate::error::Result;
use crate::record::US_PER_DAY;

pub const MINUTES_PER_DAY: i64 = 1_440;
/// Microseconds in a minute.
pub const US_PER_MINUTE: i64 = 60_000_000;

/// Calls that packed sums hold.
const CALLS_MAX: u64 = (1 << ANSWERED_SHIFT) - 1;

/// Calls, answered calls and milliseconds by minute of a UTC day.
pub struct MinuteHistogram {
    /// Start of the UTC day, microseconds UTC.
    day_us: i64,
    /// Upper bound of the calls in the sums: the reserved ones.
    calls: u64,
    /// Sums by minute; the slots from 1,440 on stay 0.
    slots: Box<[PackedSums; SLOT_COUNT]>,
    /// Rows of large slices that are not in the slots yet.
    lanes: Option<MinuteLanes>,
}

impl Default for MinuteHistogram {
    fn default() -> Self {
        Self { day_us: 0, calls: 0, slots: Box::new([[0; 2]; SLOT_COUNT]), lanes: None }
    }
}

impl MinuteHistogram {
    /// Whether `calls` calls of a UTC day can be added without folding the sums of the histogram into bins
    /// first.
    pub fn has_room(&self, day_us: i64, calls: u64) -> bool {
        self.calls == 0 || self.day_us == day_us && self.calls + calls <= CALLS_MAX
    }

    /// Announces that up to `calls` calls of a UTC day are added next. Requires [`has_room`](Self::has_room).
    pub fn reserve_calls(&mut self, day_us: i64, calls: u64) {
        (self.day_us, self.calls) = (day_us, self.calls + calls);
    }

    /// Adds calls with durations in milliseconds, -1 if not answered, except those whose mask byte is 0. Uses
    /// the minute lanes: cheaper per row than [`add_row`](Self::add_row), but a flush costs 64 KiB of memory
    /// traffic.
    pub fn add_range(&mut self, minutes: &[u16], ms: &[i32], mask: Option<&[u8]>) {
        let batches = minutes.chunks(STAGED_ROWS_MAX).zip(ms.chunks(STAGED_ROWS_MAX)).enumerate();
        batches.for_each(|(number, (minutes, ms))| {
            self.add_staged(minutes, ms, mask.map(|mask| &mask[number * STAGED_ROWS_MAX..][..ms.len()]));
        });
    }

    /// Adds up to [`STAGED_ROWS_MAX`] calls: by the lanes, or one by one if they are too long for packed
    /// words.
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

    /// Adds the sums of one row.
    #[inline]
    pub fn add_row(&mut self, minute: u16, [counts, ms]: PackedSums) {
        let slot = &mut self.slots[slot(minute)];
        *slot = [slot[0].wrapping_add(counts), slot[1].wrapping_add(ms)];
    }

    /// Moves the sums of all minutes to their bins and leaves the histogram empty. The edges must
    /// [lie on minutes](edges_lie_on_slots).
    ///
    /// # Errors
    /// `SumOverflow` if a sum of a bin does not fit 64 bits.
    pub fn fold_into_bins(&mut self, edges: &[i64], sums: &mut [Sums]) -> Result<()> {
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
            let all = unpacked_sums(minutes.fold([0; 2], |[calls, ms], slot| [calls + slot[0], ms + slot[1]]));
            add(sums, all)?;
            first = end;
        }
        self.calls = 0;
        debug_assert!(self.slots.iter().all(|slot| *slot == [0; 2]), "a call of no bin would count on another day");
        Ok(())
    }
}

/// Whether all edges within a UTC day are multiples of `slot_minutes` minutes from its start.
pub fn edges_lie_on_slots(day_us: i64, edges: &[i64], slot_minutes: i64) -> bool {
    edges[edges_within(day_us, edges)].iter().all(|edge| (edge - day_us) % (slot_minutes * US_PER_MINUTE) == 0)
}

/// The edges after the start and before the end of a UTC day.
fn edges_within(day_us: i64, edges: &[i64]) -> std::ops::Range<usize> {
    edges.partition_point(|&edge| edge <= day_us)..edges.partition_point(|&edge| edge < day_us + US_PER_DAY)
}

/// Minutes from the start of its UTC day to an instant in microseconds UTC.
pub fn minute_of_day(us: i64) -> u16 {
    // Below 1,440, so it fits 16 bits.
    (us.rem_euclid(US_PER_DAY) / US_PER_MINUTE % MINUTES_PER_DAY) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::sums::packed_sums;

    #[test]
    fn histogram_is_limited_to_one_day_and_calls_max() -> Result<()> {
        let mut sums = MinuteHistogram::default();
        assert!(sums.has_room(US_PER_DAY, CALLS_MAX));
        sums.reserve_calls(US_PER_DAY, CALLS_MAX - 7);
        let answered = CALLS_MAX as i64 - 7;
        sums.add_row(3, packed_sums([answered, answered, 5]));
        assert!(sums.has_room(US_PER_DAY, 7) && !sums.has_room(US_PER_DAY, 8) && !sums.has_room(0, 1));
        let mut bins = [[0; 3]; 2];
        sums.fold_into_bins(&[US_PER_DAY, US_PER_DAY + 3 * US_PER_MINUTE, 2 * US_PER_DAY], &mut bins)?;
        assert_eq!(bins, [[0; 3], [answered, answered, 5]]);
        assert!(sums.has_room(0, CALLS_MAX) && sums.slots.iter().all(|slot| *slot == [0; 2]));
        Ok(())
    }
}
