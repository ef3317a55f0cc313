//! Sums by minute of many rows: each row is one word, added to the place of its minute.
//!
//! Rows that follow each other are often of one minute, and an addition to a place waits for the one before. So there
//! are several places for each minute, which take turns; and where a whole block is of one minute, it is summed up first.

use crate::sums::{Packed, UPPER};

/// Places of minutes: a power of two, so that a minute needs no look whether it lies within.
pub const SLOTS: usize = 2_048;
/// Places of a minute.
const LANES: usize = 4;
/// Rows that are looked at together whether they are of one minute.
const BLOCK: usize = 32;
/// Lanes a power of two apart would look alike to a processor that asks which stores a load has to wait for.
const LANE: usize = SLOTS + 8;

/// Of a word the lowest bits are calls, then come answered calls, then milliseconds.
const COUNT_BITS: u32 = 14;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const MS_SHIFT: u32 = 2 * COUNT_BITS;
const MS_BITS: u32 = u64::BITS - MS_SHIFT;
/// Rows of which each lane gets no more than its counts hold.
const ROWS_MAX: usize = COUNT_MAX as usize * LANES;

/// Words by minute, in lanes.
pub struct Lanes {
    lanes: Box<[[u64; LANE]; LANES]>,
    /// What was added since the words were emptied.
    row_count: usize,
    ms: u64,
    /// The rows at hand.
    words: Vec<u64>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { lanes: Box::new([[0; LANE]; LANES]), row_count: 0, ms: 0, words: Vec::new() }
    }
}

impl Lanes {
    /// Takes up a run of calls, no more than a chunk, that were talked on for `ms`, as [`crate::talk::Talk::Known`];
    /// those whose mask is 0 do not count. Gives whether there is room for them, else the words are to be emptied
    /// first, and where there still is none the calls are too long to be packed.
    pub fn take_up(&mut self, ms: &[i32], mask: Option<&[u8]>) -> bool {
        // Most often it has this length already; what it holds is written over.
        self.words.resize(ms.len(), 0);
        match mask {
            None => self.words.iter_mut().zip(ms).for_each(|(word, &ms)| *word = word_of(ms)),
            Some(mask) => self.words.iter_mut().zip(ms).zip(mask).for_each(|((word, &ms), &mask)| {
                *word = word_of(ms) & u64::from(mask).wrapping_neg();
            }),
        }
        let ms = self.ms + ms.iter().map(|&ms| ms.max(0) as u64).sum::<u64>();
        // The last rows of a run may be one more for some lanes than for others.
        let row_count = self.row_count + self.words.len().next_multiple_of(LANES);
        let has_room = row_count <= ROWS_MAX && ms < 1 << MS_BITS;
        if has_room {
            (self.row_count, self.ms) = (row_count, ms);
        }
        has_room
    }

    /// Adds what was taken up to the minutes of these calls.
    pub fn add(&mut self, minutes: &[u16]) {
        let lanes = &mut self.lanes;
        let (blocks_of_minutes, last_minutes) = minutes.as_chunks::<BLOCK>();
        let (blocks_of_words, last_words) = self.words.as_chunks::<BLOCK>();
        for (minutes, words) in blocks_of_minutes.iter().zip(blocks_of_words) {
            let turns = words.as_chunks::<LANES>().0.iter();
            if minutes.iter().fold(0, |other, minute| other | (minute ^ minutes[0])) == 0 {
                let sums = turns.fold([0; LANES], |sums, turn| std::array::from_fn(|lane| sums[lane] + turn[lane]));
                (0..LANES).for_each(|lane| lanes[lane][place(minutes[0])] += sums[lane]);
            } else {
                for (minutes, words) in minutes.as_chunks::<LANES>().0.iter().zip(turns) {
                    (0..LANES).for_each(|lane| lanes[lane][place(minutes[lane])] += words[lane]);
                }
            }
        }
        let last_rows = last_minutes.iter().zip(last_words).enumerate();
        last_rows.for_each(|(row, (&minute, word))| lanes[row % LANES][place(minute)] += word);
    }

    /// Adds all words to the sums of their minutes, and begins anew.
    pub fn empty(&mut self, sums: &mut [Packed; SLOTS]) {
        for (minute, [counts, ms]) in sums.iter_mut().enumerate() {
            for lane in self.lanes.iter_mut() {
                let word = std::mem::take(&mut lane[minute]);
                *counts += word & COUNT_MAX | (word >> COUNT_BITS & COUNT_MAX) << UPPER;
                *ms += word >> MS_SHIFT;
            }
        }
        (self.row_count, self.ms) = (0, 0);
    }
}

#[inline]
fn word_of(ms: i32) -> u64 {
    1 | u64::from(ms >= 0) << COUNT_BITS | (ms.max(0) as u64) << MS_SHIFT
}

/// The place of a minute: no more than the compiler knows to lie within.
#[inline]
pub fn place(minute: u16) -> usize {
    usize::from(minute) & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums after as many runs of the same rows as there is room for, and how many rows these were.
    fn full(minutes: &[u16], ms: i32) -> (u64, Packed) {
        let (mut lanes, mut rows, mut sums) = (Lanes::default(), 0, [[0; 2]; SLOTS]);
        while lanes.take_up(&vec![ms; minutes.len()], None) {
            lanes.add(minutes);
            rows += minutes.len() as u64;
        }
        lanes.empty(&mut sums);
        assert!(lanes.lanes.iter().flatten().all(|word| *word == 0));
        (rows, sums.iter().fold([0; 2], |all, minute| [all[0] + minute[0], all[1] + minute[1]]))
    }

    #[test]
    fn words_hold_as_much_as_they_take() {
        let mixed: Vec<u16> = (0..77).map(|row| row % 2).collect();
        for minutes in [&[7; 64][..], &mixed] {
            for ms in [-1, 0, 1, 180_000, 50_000_000] {
                let (rows, sums) = full(minutes, ms);
                let answered = if ms < 0 { 0 } else { rows };
                assert_eq!(sums, [rows | answered << UPPER, answered * ms.max(0) as u64], "{rows} rows of {ms} ms");
                assert!(rows > 1_000);
            }
        }
        let mut lanes = Lanes::default();
        assert!(lanes.take_up(&[i32::MAX; 31], None) && !Lanes::default().take_up(&[i32::MAX; 33], None));
        assert!(!lanes.take_up(&[0; ROWS_MAX - 31], None) && lanes.take_up(&[0; ROWS_MAX - 32], None));
    }
}
