//! Sums by minute of one UTC day: what bins whose edges are whole minutes are poured from.
//!
//! A row costs one addition at the place of its minute, whatever the bins; and the sums of all rows of a segment,
//! which do not change, serve every report without a filter.

use crate::error::Result;
use crate::measure::{Packed, Sums, add, unpacked_calls};
use crate::record::US_PER_DAY;

/// Minutes of a day.
const MINUTES: usize = 1_440;
/// A power of two, so that a minute needs no look whether it lies within.
const SLOTS: usize = 2_048;
/// Microseconds of a minute.
pub const US_PER_MINUTE: i64 = 60_000_000;
/// Rows of a busy account are often of one minute: blocks of them are summed up before they are added to its place.
const BLOCK: usize = 32;
/// Each addition to a place waits for the one before, so that other blocks are added side by side.
const LANES: usize = 4;

/// Calls, answered calls and milliseconds by minute.
#[derive(Clone)]
pub struct MinuteSums {
    slots: Box<[Packed; SLOTS]>,
}

impl Default for MinuteSums {
    fn default() -> Self {
        Self { slots: Box::new([[0; 2]; SLOTS]) }
    }
}

impl MinuteSums {
    /// Adds rows; `widened` makes sums of what each adds.
    pub fn add<T: Copy>(&mut self, minutes: &[u16], rows: &[T], widened: impl Fn(T) -> Packed) {
        let (minutes_of, last_minutes) = minutes.as_chunks::<BLOCK>();
        let (rows_of, last_rows) = rows.as_chunks::<BLOCK>();
        let (mut mixed, mut count) = ([0; LANES], 0);
        for (number, (minutes, rows)) in minutes_of.iter().zip(rows_of).enumerate() {
            if minutes.iter().fold(0, |other, minute| other | (minute ^ minutes[0])) == 0 {
                let sum = |[calls, ms]: Packed, &row: &T| {
                    let [more_calls, more_ms] = widened(row);
                    [calls + more_calls, ms + more_ms]
                };
                self.add_row(minutes[0], rows.iter().fold([0; 2], sum));
                continue;
            }
            mixed[count] = number;
            count += 1;
            if count == LANES {
                self.add_side_by_side(mixed.map(|number| &minutes_of[number]), mixed.map(|number| &rows_of[number]), &widened);
                count = 0;
            }
        }
        let left = mixed[..count].iter().flat_map(|&number| minutes_of[number].iter().zip(&rows_of[number]));
        left.chain(last_minutes.iter().zip(last_rows)).for_each(|(&minute, &row)| self.add_row(minute, widened(row)));
    }

    /// Adds blocks of rows that are not of one minute each.
    fn add_side_by_side<T: Copy>(
        &mut self, minutes: [&[u16; BLOCK]; LANES], rows: [&[T; BLOCK]; LANES], widened: impl Fn(T) -> Packed,
    ) {
        for row in 0..BLOCK {
            for lane in 0..LANES {
                self.add_row(minutes[lane][row], widened(rows[lane][row]));
            }
        }
    }

    /// Adds what one row stands for.
    #[inline]
    pub fn add_row(&mut self, minute: u16, [counts, ms]: Packed) {
        // No more than the compiler knows to lie within.
        let slot = &mut self.slots[usize::from(minute) & (SLOTS - 1)];
        *slot = [slot[0].wrapping_add(counts), slot[1].wrapping_add(ms)];
    }

    /// Adds the sums to those of the bins that they fall in, where the edges [lie on minutes](lie_on_slots); those of
    /// all calls alone with `counts_only`.
    ///
    /// # Errors
    /// `SumOverflow`.
    pub fn pour(&self, day_us: i64, edges: &[i64], counts_only: bool, sums: &mut [Sums]) -> Result<()> {
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
