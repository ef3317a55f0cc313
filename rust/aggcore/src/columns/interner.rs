//! Distinct texts, numbered as they come.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::dictionary::NO_CODE;

/// Texts that a dictionary may have before unused ones are looked for.
const UNUSED_MIN: usize = 1 << 14;

/// Distinct texts, numbered from 0.
#[derive(Default)]
pub struct Interner {
    entries: Vec<Box<str>>,
    by_text: HashTable<i32>,
}

impl Interner {
    /// The texts by number.
    pub fn entries(&self) -> &Vec<Box<str>> {
        &self.entries
    }

    /// The texts by number.
    pub fn into_entries(self) -> Vec<Box<str>> {
        self.entries
    }

    /// The number of a text, a new one if need be; [`NO_CODE`] for an empty one.
    #[inline]
    pub fn code(&mut self, text: &str) -> i32 {
        if text.is_empty() {
            return NO_CODE;
        }
        let hash = xxh3_64(text.as_bytes());
        if let Some(&code) = self.by_text.find(hash, |&code| &*self.entries[code as usize] == text) {
            return code;
        }
        let code = self.entries.len() as i32;
        self.entries.push(text.into());
        self.by_text.insert_unique(hash, code, |&code| xxh3_64(self.entries[code as usize].as_bytes()));
        code
    }

    /// Drops the texts that no row has any more, where they outnumber the rows; else those of ended
    /// sessions would stay for ever.
    pub fn drop_unused(&mut self, codes: &mut [i32]) {
        if self.entries.len() <= UNUSED_MIN.max(codes.len() * 2) {
            return;
        }
        let mut kept = Self::default();
        for code in codes.iter_mut().filter(|code| **code != NO_CODE) {
            *code = kept.code(&self.entries[*code as usize]);
        }
        *self = kept;
    }
}
