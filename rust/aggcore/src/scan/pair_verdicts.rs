//! A test of two dictionary-encoded texts, such as company and organization: is their pair allowed?

use super::predicate_kernels::{DictionaryVerdicts, retain};
use crate::columns::dictionary::{CodeWidth, DictionaryColumn, with_codes};

/// Verdicts on pairs, memoized by entry: the first text is looked up when the first row has its code, and the second one is
/// tested once for each first text that it occurs with.
pub struct PairVerdicts<'a> {
    first: DictionaryColumn<'a>,
    second: DictionaryColumn<'a>,
    allowed: &'a [(String, Vec<String>)],
    /// By the code + 1 of the first text: 0 (not looked up yet), [`FAILS`], or [`FIRST_GROUP`] + its number in `allowed`.
    groups: Vec<u32>,
    /// By number in `allowed`; `None` until the first row needs it.
    seconds: Vec<Option<DictionaryVerdicts<'a>>>,
}

const FAILS: u32 = 1;
const FIRST_GROUP: u32 = 2;

impl<'a> PairVerdicts<'a> {
    pub(super) fn new(first: DictionaryColumn<'a>, second: DictionaryColumn<'a>, allowed: &'a [(String, Vec<String>)]) -> Self {
        let groups = vec![0; first.entries.count() + 1];
        Self { first, second, allowed, groups, seconds: allowed.iter().map(|_| None).collect() }
    }

    /// Texts that the test may have to read.
    pub(super) fn text_count(&self) -> usize {
        self.first.entries.count() + self.second.entries.count() + 1
    }

    /// Removes the rows whose pair is not allowed.
    pub(super) fn retain(&mut self, rows: &mut Vec<u32>) {
        let codes = self.first.codes;
        with_codes!(codes, codes => retain(rows, |row| self.holds(row, codes[row].one_based())), rows.clear());
    }

    /// The verdict on a row.
    pub(super) fn holds_for(&mut self, row: usize) -> bool {
        let slot = (self.first.code(row) + 1) as usize;
        self.holds(row, slot)
    }

    fn holds(&mut self, row: usize, slot: usize) -> bool {
        if self.groups[slot] == 0 {
            self.groups[slot] = self.group_of(slot);
        }
        let Some(number) = self.groups[slot].checked_sub(FIRST_GROUP) else { return false };
        let (second, allowed) = (self.second, &self.allowed[number as usize].1);
        if allowed.is_empty() {
            return true;
        }
        let is_allowed = |text: &[u8]| allowed.binary_search_by(|one| one.as_bytes().cmp(text)).is_ok();
        let verdicts = &mut self.seconds[number as usize];
        verdicts.get_or_insert_with(|| DictionaryVerdicts::new(second, Box::new(is_allowed))).holds(row)
    }

    fn group_of(&self, slot: usize) -> u32 {
        let text = slot.checked_sub(1).map_or("", |code| self.first.entries.get(code));
        let found = self.allowed.binary_search_by(|(first, _)| first.as_str().cmp(text));
        // A request has far fewer pairs than 2^32, so the cast is exact.
        found.map_or(FAILS, |number| FIRST_GROUP + number as u32)
    }
}
