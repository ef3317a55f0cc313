//! Sums by minute of many rows: each row is one word, added to the place of its minute.
//!
//! Rows that follow each other are often of one minute, and an addition to a place waits for the one before. So there
//! are several places for each minute, which take turns; and where a whole block is of one minute, it is summed up first.

use crate::columns::sums::{ANSWERED_SHIFT, PackedSums};

/// IdLookup of minutes: a power of two, so that a minute needs no look whether it lies within.
pub const SLOT_COUNT: usize = 2_048;
/// Rows that are taken up at a time: as many as are read ahead of while those before them are added.
pub const STAGED_ROWS_MAX: usize = 256;
/// IdLookup of a minute.
const LANE_COUNT: usize = 4;
/// Rows that are looked at together whether they are of one minute.
const BLOCK_ROWS: usize = 32;
/// MinuteLanes a power of two apart would look alike to a processor that asks which stores a load has to wait for.
const LANE_WORDS: usize = SLOT_COUNT + 8;

/// A word is its milliseconds, shifted, plus calls, shifted less, minus calls that were not answered: that is three
/// steps from [`CallDurations::Milliseconds`](crate::columns::call_duration::CallDurations::Milliseconds), of which -1 keeps its value when it is rotated.
const COUNT_BITS: u32 = 15;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const MS_SHIFT: u32 = 2 * COUNT_BITS;
const MS_BITS: u32 = u64::BITS - MS_SHIFT;
/// Rows of which each lane gets no more than its counts hold: one lane may get a block more than another.
const ROWS_MAX: usize = (COUNT_MAX as usize - BLOCK_ROWS) * LANE_COUNT;
/// Calls that are shorter are not too much for the words of a strip.
const LONG_CALL_MS_MIN: i32 = 1 << (MS_BITS - STAGED_ROWS_MAX.ilog2());

/// Words by minute, in lanes.
pub struct MinuteLanes {
    lanes: Box<[[u64; LANE_WORDS]; LANE_COUNT]>,
    /// The lane of the next block of one minute.
    next_lane: usize,
    /// What was added since the words were emptied.
    row_count: usize,
    ms: u64,
    /// The rows at hand.
    words: [u64; STAGED_ROWS_MAX],
}

impl Default for MinuteLanes {
    fn default() -> Self {
        Self { lanes: Box::new([[0; LANE_WORDS]; LANE_COUNT]), next_lane: 0, row_count: 0, ms: 0, words: [0; STAGED_ROWS_MAX] }
    }
}

impl MinuteLanes {
    /// Takes up calls, no more than a strip, that were talked on for `ms`, as
    /// [`CallDurations::Milliseconds`](crate::columns::call_duration::CallDurations::Milliseconds); those whose mask is 0 do not count. Gives whether there is room for
    /// them, else the words are to be emptied first, and where there still is none the calls are too long to be packed.
    pub fn stage(&mut self, ms: &[i32], mask: Option<&[u8]>) -> bool {
        let words = &mut self.words[..ms.len()];
        match mask {
            None => words.iter_mut().zip(ms).for_each(|(word, &ms)| *word = word_of(ms)),
            Some(mask) => words.iter_mut().zip(ms).zip(mask).for_each(|((word, &ms), &mask)| {
                *word = word_of(ms) & u64::from(mask).wrapping_neg();
            }),
        }
        let is_short = ms.iter().fold(0, |longest, &ms| longest.max(ms)) < LONG_CALL_MS_MIN;
        let all = || ms.iter().map(|&ms| ms.max(0) as u64).sum();
        let ms = self.ms + if is_short { words.iter().sum::<u64>() >> MS_SHIFT } else { all() };
        // The last rows may be one more for some lanes than for others.
        let row_count = self.row_count + words.len().next_multiple_of(LANE_COUNT);
        let has_room = row_count <= ROWS_MAX && ms < 1 << MS_BITS;
        if has_room {
            (self.row_count, self.ms) = (row_count, ms);
        }
        has_room
    }

    /// Adds what was taken up to the minutes of these calls.
    pub fn scatter(&mut self, minutes: &[u16]) {
        let lanes = &mut self.lanes;
        let (blocks_of_minutes, last_minutes) = minutes.as_chunks::<BLOCK_ROWS>();
        let (blocks_of_words, last_words) = self.words[..minutes.len()].as_chunks::<BLOCK_ROWS>();
        for (minutes, words) in blocks_of_minutes.iter().zip(blocks_of_words) {
            if are_equal(minutes) {
                lanes[self.next_lane][slot(minutes[0])] += words.iter().sum::<u64>();
                self.next_lane = (self.next_lane + 1) % LANE_COUNT;
            } else {
                for (minutes, words) in minutes.as_chunks::<LANE_COUNT>().0.iter().zip(words.as_chunks::<LANE_COUNT>().0) {
                    (0..LANE_COUNT).for_each(|lane| lanes[lane][slot(minutes[lane])] += words[lane]);
                }
            }
        }
        let last_rows = last_minutes.iter().zip(last_words).enumerate();
        last_rows.for_each(|(row, (&minute, word))| lanes[row % LANE_COUNT][slot(minute)] += word);
    }

    /// Adds all words to the sums of their minutes, and begins anew.
    pub fn flush_into(&mut self, sums: &mut [PackedSums; SLOT_COUNT]) {
        for (minute, [counts, ms]) in sums.iter_mut().enumerate() {
            for lane in self.lanes.iter_mut() {
                let word = std::mem::take(&mut lane[minute]);
                let low = word & ((1 << MS_SHIFT) - 1);
                // No more calls are not answered than there are, so that rounding up gives all.
                let calls = (low + COUNT_MAX) >> COUNT_BITS;
                let unanswered = (calls << COUNT_BITS) - low;
                *counts += calls | (calls - unanswered) << ANSWERED_SHIFT;
                *ms += word >> MS_SHIFT;
            }
        }
        (self.row_count, self.ms) = (0, 0);
    }
}

#[inline]
fn word_of(ms: i32) -> u64 {
    (i64::from(ms) as u64).rotate_left(MS_SHIFT).wrapping_add(1 << COUNT_BITS)
}

/// Whether all minutes of a block are the same; mostly the ends tell.
#[inline]
fn are_equal(minutes: &[u16; BLOCK_ROWS]) -> bool {
    minutes[0] == minutes[BLOCK_ROWS - 1] && minutes.iter().fold(0, |other, minute| other | (minute ^ minutes[0])) == 0
}

/// The place of a minute: no more than the compiler knows to lie within.
#[inline]
pub fn slot(minute: u16) -> usize {
    usize::from(minute) & (SLOT_COUNT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums after as many runs of the same rows as there is room for, and how many rows these were.
    fn fill_and_flush(minutes: &[u16], ms: i32) -> (u64, PackedSums) {
        let (mut lanes, mut rows, mut sums) = (MinuteLanes::default(), 0, [[0; 2]; SLOT_COUNT]);
        while lanes.stage(&vec![ms; minutes.len()], None) {
            lanes.scatter(minutes);
            rows += minutes.len() as u64;
        }
        lanes.flush_into(&mut sums);
        assert!(lanes.lanes.iter().flatten().all(|word| *word == 0));
        (rows, sums.iter().fold([0; 2], |all, minute| [all[0] + minute[0], all[1] + minute[1]]))
    }

    #[test]
    fn words_hold_as_much_as_they_take() {
        // Of one minute, of two that take turns, and of both kinds with a few rows at the end.
        let mixed: Vec<u16> = (0..77).map(|row| row % 2 * (row / 33)).collect();
        for minutes in [&[7; 64][..], &mixed[33..66], &mixed] {
            for ms in [-1, 0, 1, 180_000, LONG_CALL_MS_MIN - 1, LONG_CALL_MS_MIN, i32::MAX] {
                let (rows, sums) = fill_and_flush(minutes, ms);
                let answered = if ms < 0 { 0 } else { rows };
                assert_eq!(sums, [rows | answered << ANSWERED_SHIFT, answered * ms.max(0) as u64], "{rows} rows of {ms} ms");
                let run = minutes.len().next_multiple_of(LANE_COUNT) as u64;
                let most = (ROWS_MAX as u64 / run).min(((1 << MS_BITS) - 1) / (ms.max(1) as u64 * minutes.len() as u64));
                assert_eq!(rows, most * minutes.len() as u64, "{ms} ms");
            }
        }
        assert!(MinuteLanes::default().stage(&[i32::MAX; 8], None) && !MinuteLanes::default().stage(&[i32::MAX; 9], None));
    }
}
