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
const US_PER_MINUTE: i64 = 60_000_000;
/// Rows next to each other are often of one minute, and each addition to a place waits for the one before: so that
/// many stretches of rows are added side by side.
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
    /// Adds what rows stand for.
    pub fn add(&mut self, minutes: &[u16], sums: &[Packed]) {
        let stretch = minutes.len() / LANES;
        let (minutes_of, sums_of) = (lanes(minutes, stretch), lanes(sums, stretch));
        for row in 0..stretch {
            for lane in 0..LANES {
                self.add_row(minutes_of[lane][row], sums_of[lane][row]);
            }
        }
        let rest = minutes.iter().zip(sums).skip(stretch * LANES);
        rest.for_each(|(&minute, &sums)| self.add_row(minute, sums));
    }

    /// Adds what one row stands for.
    #[inline]
    pub fn add_row(&mut self, minute: u16, [counts, ms]: Packed) {
        // No more than the compiler knows to lie within.
        let slot = &mut self.slots[usize::from(minute) & (SLOTS - 1)];
        *slot = [slot[0].wrapping_add(counts), slot[1].wrapping_add(ms)];
    }

    /// Whether the edges that lie within a day are whole minutes.
    pub fn fit(day_us: i64, edges: &[i64]) -> bool {
        let within = edges_within(day_us, edges);
        edges[within].iter().all(|edge| (edge - day_us) % US_PER_MINUTE == 0)
    }

    /// Adds the sums to those of the bins that they fall in, where the edges [fit](Self::fit); those of all calls alone
    /// with `counts_only`.
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

/// Stretches of a column that are looked at side by side.
fn lanes<T>(values: &[T], stretch: usize) -> [&[T]; LANES] {
    std::array::from_fn(|lane| &values[lane * stretch..][..stretch])
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
