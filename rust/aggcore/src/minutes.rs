//! Sums by minute of one UTC day: what bins whose edges are whole minutes are poured from.
//!
//! A row costs one addition at the place of its minute, whatever the bins; and the sums of all rows of a segment,
//! which do not change, serve every report without a filter.

use crate::error::Result;
use crate::lanes::{Lanes, SLOTS, place};
use crate::record::US_PER_DAY;
use crate::sums::{Packed, Sums, add, packed_call, unpacked_calls};

/// Minutes of a day.
const MINUTES: usize = 1_440;
/// Microseconds of a minute.
pub const US_PER_MINUTE: i64 = 60_000_000;

/// Calls, answered calls and milliseconds by minute.
pub struct MinuteSums {
    slots: Box<[Packed; SLOTS]>,
    /// What many rows add; it is emptied into the slots.
    lanes: Option<Lanes>,
}

impl Default for MinuteSums {
    fn default() -> Self {
        Self { slots: Box::new([[0; 2]; SLOTS]), lanes: None }
    }
}

impl MinuteSums {
    /// Adds a run of calls, no more than a chunk, that were talked on for `ms`, as
    /// [`Talk::Known`](crate::talk::Talk::Known); those whose mask is 0 do not count.
    pub fn add_run(&mut self, minutes: &[u16], ms: &[i32], mask: Option<&[u8]>) {
        let lanes = self.lanes.get_or_insert_default();
        if !lanes.take_up(ms, mask) {
            lanes.empty(&mut self.slots);
            if !lanes.take_up(ms, mask) {
                let counts = |row: usize| mask.is_none_or(|mask| mask[row] == 1);
                (0..ms.len()).filter(|&row| counts(row)).for_each(|row| self.add_row(minutes[row], packed_call(ms[row])));
                return;
            }
        }
        lanes.add(minutes);
    }

    /// Adds what one row stands for.
    #[inline]
    pub fn add_row(&mut self, minute: u16, [counts, ms]: Packed) {
        let slot = &mut self.slots[place(minute)];
        *slot = [slot[0].wrapping_add(counts), slot[1].wrapping_add(ms)];
    }

    /// Adds the sums to those of the bins that they fall in, where the edges [lie on minutes](lie_on_slots); those of
    /// all calls alone with `counts_only`.
    ///
    /// # Errors
    /// `SumOverflow`.
    pub fn pour(mut self, day_us: i64, edges: &[i64], counts_only: bool, sums: &mut [Sums]) -> Result<()> {
        if let Some(mut lanes) = self.lanes.take() {
            lanes.empty(&mut self.slots);
        }
        let minute_of = |edge: i64| ((edge - day_us).clamp(0, US_PER_DAY) / US_PER_MINUTE) as usize;
        let within = edges_within(day_us, edges);
        let bins = within.start.saturating_sub(1)..(within.end).min(edges.len() - 1);
        for bin in bins {
            let minutes = &self.slots[minute_of(edges[bin])..minute_of(edges[bin + 1])];
            let [calls, ms] = minutes.iter().fold([0; 2], |[calls, ms], slot| [calls + slot[0], ms + slot[1]]);
            let all = unpacked_calls([calls, ms]);
            add(&mut sums[bin], if counts_only { [all[0], 0, 0] } else { all })?;
        }
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
    // Below MINUTES, so it fits.
    (us.rem_euclid(US_PER_DAY) / US_PER_MINUTE % MINUTES as i64) as u16
}
