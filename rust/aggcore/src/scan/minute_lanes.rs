//! Minute lanes: a histogram by minute with several interleaved accumulators.
//!
//! Each call is one 64-bit word that holds its count, its answer and its duration, so that it costs one
//! addition to the word of its minute. [`MinuteHistogram`](super::minute_histogram::MinuteHistogram) flushes
//! the words to its sums before they may overflow.
//!
//! # Layout of a word
//!
//! | bits | sum |
//! |---|---|
//! | 30..64 | milliseconds of the calls |
//! | 0..30 | (calls << 15) − unanswered calls |
//!
//! The word of one call is its duration in milliseconds as [`CallDurations::Milliseconds`] has it (an `i32`,
//! -1 if not answered), sign-extended to 64 bits and rotated left by 30, plus 1 << 15:
//!
//! | call | duration | rotated | word | milliseconds | low 30 bits |
//! |---|---|---|---|---|---|
//! | answered, 3 ms | `0x3` | `0xc000_0000` | `0xc000_8000` | 3 | (1 << 15) − 0 |
//! | not answered, -1 | `0xffff…ffff` | `0xffff…ffff` | `0x7fff` | 0 | (1 << 15) − 1 |
//! | sum of both | | | `0xc000_ffff` | 3 | (2 << 15) − 1 |
//!
//! Rotating -1 leaves all ones, which is "minus one unanswered call" in the low bits; adding 1 << 15 carries
//! through all bits above and leaves 0 ms. So both kinds of call take the same three instructions, without a
//! branch.
//!
//! To read a word: as 0 ≤ unanswered ≤ calls < 2^15, the calls are the low bits divided by 2^15 and rounded
//! up, and the unanswered calls are the difference to that multiple of 2^15.
//!
//! # Lanes
//!
//! Consecutive rows are often of one minute, and each addition to a word in memory has to wait for the store
//! of the one before. Successive rows therefore go to different lanes, each with a word per minute. zstd
//! counts bytes
//! [in four tables for the same reason](https://github.com/facebook/zstd/blob/dev/lib/compress/hist.c). A
//! block of rows that is of one minute is summed in registers first and costs a single addition to memory.
//!
//! # Measurements
//!
//! Whole scans by minute (`minutes` of `make bench-instructions`; times on two cores of an Intel Xeon):
//! - One word and four lanes instead of three sums per minute: 10.8 instead of 13.5 instructions a row.
//! - Building the word by a rotation: 0.25 instead of 0.37 ns a row.
//! - Tried: summing blocks of two minutes with a mask. 8 instructions a row instead of 4 for adding row by
//!   row.
//! - Tried: AVX-512 for the whole core (x86-64-v4). As fast as AVX2.
//! - Tried: running sums with AVX-512, of which only the last of each run of one minute is stored. 0.80 to
//!   0.86 ns a row instead of 0.71.
//! - Tried: prefetching the next rows. A quarter slower.
//!
//! [`CallDurations::Milliseconds`]: crate::columns::call_duration::CallDurations::Milliseconds

use super::sums::{ANSWERED_SHIFT, PackedSums};

/// Words of a lane. A power of two above 1,440, so that masking a minute replaces the bounds check.
pub const SLOT_COUNT: usize = 2_048;
/// Rows whose words are computed together before they are added. While the additions wait for each other, the
/// processor already loads the next rows to stage. With all 2,048 rows of a chunk staged at once, half of the
/// time went into waiting for memory.
pub const STAGED_ROWS_MAX: usize = 256;
/// Lanes, each with a word per minute.
const LANE_COUNT: usize = 4;
/// Rows that are checked together for being of one minute.
const BLOCK_ROWS: usize = 32;
/// Distance of the lanes in words. The padding of one cache line avoids 4 KiB aliasing: processors compare
/// only the lower 12 bits of addresses to find the pending store that a load depends on, so that without it,
/// the words of a minute in all lanes would look like one address ("4K aliasing" in
/// the Intel 64 and IA-32 Architectures Optimization Reference Manual).
const LANE_WORDS: usize = SLOT_COUNT + 8;

/// Bits of the count of unanswered calls, and of that of calls.
const COUNT_BITS: u32 = 15;
/// Calls that a word holds.
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// First bit of the milliseconds.
const MS_SHIFT: u32 = 2 * COUNT_BITS;
const MS_BITS: u32 = u64::BITS - MS_SHIFT;
/// Rows between two flushes. All of them may be of one minute, so no lane may get more than [`COUNT_MAX`].
/// The lanes take turns, so a lane gets a quarter of the rows, and less than one block more: of `n` blocks of
/// one minute each, a lane gets up to `n.div_ceil(4)`.
const ROWS_MAX: usize = (COUNT_MAX as usize - BLOCK_ROWS) * LANE_COUNT;
/// Milliseconds from which the words of a batch may add up to more than 64 bits.
const LONG_CALL_MS_MIN: i32 = 1 << (MS_BITS - STAGED_ROWS_MAX.ilog2());

/// Sums of calls by minute in several lanes.
pub struct MinuteLanes {
    lanes: Box<[[u64; LANE_WORDS]; LANE_COUNT]>,
    /// The lane that the next block of one minute goes to.
    next_lane: usize,
    /// Rows staged since the last flush, each time rounded up to a multiple of [`LANE_COUNT`]; at most
    /// [`ROWS_MAX`].
    row_count: usize,
    /// Upper bound of the milliseconds added since the last flush to all minutes and lanes, below 2^34. Long
    /// calls count even if masked out.
    ms: u64,
    /// The words of the staged calls.
    words: [u64; STAGED_ROWS_MAX],
}

impl Default for MinuteLanes {
    fn default() -> Self {
        Self { lanes: Box::new([[0; LANE_WORDS]; LANE_COUNT]), next_lane: 0, row_count: 0, ms: 0, words: [0; STAGED_ROWS_MAX] }
    }
}

impl MinuteLanes {
    /// Computes the words of up to [`STAGED_ROWS_MAX`] calls from their durations in milliseconds, -1 if not
    /// answered. The calls whose mask byte is 0 get an empty word.
    ///
    /// Returns false if the lanes may overflow: the caller then flushes them and stages the calls again. If
    /// that fails as well, the calls are too long for packed words, and the caller adds them by other means.
    pub fn stage(&mut self, ms: &[i32], mask: Option<&[u8]>) -> bool {
        let words = &mut self.words[..ms.len()];
        match mask {
            None => words.iter_mut().zip(ms).for_each(|(word, &ms)| *word = word_of(ms)),
            Some(mask) => words.iter_mut().zip(ms).zip(mask).for_each(|((word, &ms), &mask)| {
                *word = word_of(ms) & u64::from(mask).wrapping_neg();
            }),
        }
        let is_short = ms.iter().fold(0, |longest, &ms| longest.max(ms)) < LONG_CALL_MS_MIN;
        let present_ms = || ms.iter().map(|&ms| ms.max(0) as u64).sum();
        let ms = self.ms + if is_short { words.iter().sum::<u64>() >> MS_SHIFT } else { present_ms() };
        // Rows after the last block go to the lanes in turn, so that some lanes may get one row more than
        // others.
        let row_count = self.row_count + words.len().next_multiple_of(LANE_COUNT);
        let has_room = row_count <= ROWS_MAX && ms < 1 << MS_BITS;
        if has_room {
            (self.row_count, self.ms) = (row_count, ms);
        }
        has_room
    }

    /// Adds the staged words to the minutes of their calls.
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

    /// Moves all words to the sums of their minutes and leaves the lanes empty.
    pub fn flush_into(&mut self, sums: &mut [PackedSums; SLOT_COUNT]) {
        for (minute, [counts, ms]) in sums.iter_mut().enumerate() {
            for lane in self.lanes.iter_mut() {
                let word = std::mem::take(&mut lane[minute]);
                let low = word & ((1 << MS_SHIFT) - 1);
                // Rounding up restores the calls, as fewer than 2^15 unanswered calls were subtracted.
                let calls = (low + COUNT_MAX) >> COUNT_BITS;
                let unanswered = (calls << COUNT_BITS) - low;
                *counts += calls | (calls - unanswered) << ANSWERED_SHIFT;
                *ms += word >> MS_SHIFT;
            }
        }
        (self.row_count, self.ms) = (0, 0);
    }
}

/// The word of one call, see the layout in the module documentation.
#[inline]
fn word_of(ms: i32) -> u64 {
    (i64::from(ms) as u64).rotate_left(MS_SHIFT).wrapping_add(1 << COUNT_BITS)
}

/// Whether all minutes of a block are equal. Compares the ends first, as rows are mostly sorted by time.
#[inline]
fn are_equal(minutes: &[u16; BLOCK_ROWS]) -> bool {
    minutes[0] == minutes[BLOCK_ROWS - 1]
        && minutes.iter().fold(0, |differences, minute| differences | (minute ^ minutes[0])) == 0
}

/// The slot of a minute, masked so that the compiler drops the bounds check.
#[inline]
pub fn slot(minute: u16) -> usize {
    usize::from(minute) & (SLOT_COUNT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_documented_layout() {
        assert_eq!([3, -1].map(word_of), [0xc000_8000, 0x7fff]);
        assert_eq!(word_of(3) + word_of(-1), 0xc000_ffff);
    }

    /// Stages and scatters the same rows until the lanes are full. Returns the number of rows and their
    /// flushed sums.
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
    fn full_lanes_have_exact_sums() {
        // Rows of one minute, rows that alternate between two, and a mix of both that does not fill its last
        // block.
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
