//! Verdicts on the texts of a dictionary, kept for the conditions that were asked for lately.
//!
//! A dashboard repeats its filters. Their texts lie anywhere in memory, and to read one takes longer than all else that is done
//! for a row. The dictionaries of a segment never change, and neither do the verdicts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use super::predicate::Predicate;

const VERDICTS_PER_BYTE: usize = 4;
const FAILS: u8 = 1;
const HOLDS: u8 = 2;

/// Conditions that are kept for one segment: those of some dashboards.
const CONDITIONS_MAX: usize = 8;
/// Texts of a condition from which it is not kept, as comparing it takes too long.
const TEXTS_MAX: usize = 16;
/// Rows per entry of a dictionary from which its verdicts are kept: all of a segment take half a byte per row.
const ROWS_PER_ENTRY_MIN: usize = 4;

/// Verdicts of one condition by entry, two bits each: 0 (not tested yet), [`FAILS`] or [`HOLDS`]. They are packed because a
/// dictionary may have far more entries than a slice has rows. Thread-safe: all threads find the same verdict.
pub(super) struct Verdicts(Box<[AtomicU8]>);

impl Verdicts {
    /// No verdicts yet on this number of entries.
    pub(super) fn new(entry_count: usize) -> Self {
        Self((0..entry_count.div_ceil(VERDICTS_PER_BYTE)).map(|_| AtomicU8::new(0)).collect())
    }

    /// The verdict on an entry, which `test` tells the first time.
    #[inline]
    pub(super) fn get(&self, entry: usize, test: impl FnOnce() -> bool) -> bool {
        let (byte, shift) = (&self.0[entry / VERDICTS_PER_BYTE], entry % VERDICTS_PER_BYTE * 2);
        match byte.load(Ordering::Relaxed) >> shift & 3 {
            0 => {
                let holds = test();
                byte.fetch_or(if holds { HOLDS } else { FAILS } << shift, Ordering::Relaxed);
                holds
            }
            verdict => verdict == HOLDS,
        }
    }
}

/// The verdicts of the conditions that were asked for last on the dictionaries of one segment.
pub struct KeptVerdicts {
    row_count: usize,
    /// The one that was asked for last comes last.
    kept: Mutex<Vec<(Predicate, Arc<Verdicts>)>>,
}

impl KeptVerdicts {
    /// None yet, of a segment with this number of rows.
    pub fn new(row_count: usize) -> Self {
        Self { row_count, kept: Mutex::default() }
    }

    /// The verdicts of a condition on one text, with all that earlier scans found; `None` if they are not kept.
    pub(super) fn of(&self, condition: &Predicate, entry_count: usize) -> Option<Arc<Verdicts>> {
        if self.row_count / ROWS_PER_ENTRY_MIN < entry_count || !is_kept(condition) {
            return None;
        }
        let mut kept = self.kept.lock();
        let entry = match kept.iter().rposition(|(known, _)| known == condition) {
            Some(number) => kept.remove(number),
            None => (condition.clone(), Arc::new(Verdicts::new(entry_count))),
        };
        let verdicts = Arc::clone(&entry.1);
        if kept.len() == CONDITIONS_MAX {
            kept.remove(0);
        }
        kept.push(entry);
        Some(verdicts)
    }
}

/// Whether a condition is on one text, and compared quickly.
fn is_kept(condition: &Predicate) -> bool {
    match condition {
        Predicate::Text { .. } | Predicate::InNetwork { .. } | Predicate::Present { .. } => true,
        Predicate::OneOfTexts { values, .. } => values.len() < TEXTS_MAX,
        Predicate::Between { .. } | Predicate::OneOfInts { .. } | Predicate::TextPairs { .. } => false,
        Predicate::InGroups { .. } | Predicate::AnyOf(_) | Predicate::Not(_) => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn present(column: &str) -> Predicate {
        Predicate::Present { column: column.to_owned(), wanted: true }
    }

    #[test]
    fn an_entry_is_tested_once_for_all_scans() {
        let kept = KeptVerdicts::new(100);
        for tested in [true, false] {
            let verdicts = kept.of(&present("a"), 9).unwrap();
            let mut count = 0;
            let holds: Vec<bool> = (0..9)
                .map(|entry| {
                    verdicts.get(entry, || {
                        count += 1;
                        entry % 3 == 0
                    })
                })
                .collect();
            assert_eq!(holds, (0..9).map(|entry| entry % 3 == 0).collect::<Vec<_>>());
            assert_eq!(count, if tested { 9 } else { 0 });
        }
    }

    #[test]
    fn the_conditions_asked_for_last_are_kept() {
        let kept = KeptVerdicts::new(100);
        let is_known = |column: &str| kept.of(&present(column), 4).unwrap().get(0, || false);
        for column in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert!(kept.of(&present(column), 4).unwrap().get(0, || true));
        }
        assert!(is_known("a"));
        kept.of(&present("i"), 4).unwrap();
        assert!(is_known("a") && is_known("c") && is_known("h"));
        assert!(!is_known("b"), "it was asked for first");
    }

    #[test]
    fn large_dictionaries_and_long_lists_are_not_kept() {
        let kept = KeptVerdicts::new(100);
        assert!(kept.of(&present("a"), 26).is_none());
        let values = (0..TEXTS_MAX).map(|number| format!("{number:02}")).collect();
        assert!(kept.of(&Predicate::one_of_texts("a".to_owned(), values, false), 9).is_none());
        assert!(kept.of(&Predicate::AnyOf(vec![present("a")]), 9).is_none());
    }
}
