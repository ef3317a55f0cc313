//! Interns texts: gives each distinct text a code, from 0 in order of first appearance.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::dictionary::NO_CODE;

/// Distinct texts with a hash table from text to code; the dictionary of one growing column.
#[derive(Default)]
pub struct Interner {
    entries: Vec<Box<str>>,
    /// Codes, hashed and compared by their text, which only `entries` stores.
    code_of_text: HashTable<i32>,
    /// Bytes of all texts.
    text_bytes: usize,
}

impl Interner {
    /// Returns the texts by code.
    pub fn entries(&self) -> &Vec<Box<str>> {
        &self.entries
    }

    /// Bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Bytes of memory that the interner takes.
    pub fn bytes(&self) -> usize {
        self.text_bytes + self.entries.capacity() * size_of::<Box<str>>() + self.code_of_text.allocation_size()
    }

    /// Consumes the interner; returns the texts by code.
    pub fn into_entries(self) -> Vec<Box<str>> {
        self.entries
    }

    /// Returns the code of a text, which becomes a new entry if it is unknown; [`NO_CODE`] for an empty text.
    #[inline]
    pub fn code(&mut self, text: &str) -> i32 {
        if text.is_empty() {
            return NO_CODE;
        }
        let hash = xxh3_64(text.as_bytes());
        if let Some(&code) = self.code_of_text.find(hash, |&code| &*self.entries[code as usize] == text) {
            return code;
        }
        let code = self.entries.len() as i32;
        self.entries.push(text.into());
        self.text_bytes += text.len();
        self.code_of_text.insert_unique(hash, code, |&code| xxh3_64(self.entries[code as usize].as_bytes()));
        code
    }

    /// Makes room in the hash table for `count` new entries, whose texts then are hashed once instead of each time
    /// that it grows.
    pub fn reserve(&mut self, count: usize) {
        self.code_of_text.reserve(count, |&code| xxh3_64(self.entries[code as usize].as_bytes()));
    }

    /// Drops entries that no code refers to and renumbers `codes`, all codes of the column.
    ///
    /// Does so only if there are more than `entry_count_min` entries and more than two per row. Without it, the
    /// entries of sessions that have ended would accumulate in the column of active sessions.
    pub fn drop_unused(&mut self, codes: &mut [i32], entry_count_min: usize) {
        if self.entries.len() <= entry_count_min.max(codes.len() * 2) {
            return;
        }
        let mut used = Self::default();
        for code in codes.iter_mut().filter(|code| **code != NO_CODE) {
            *code = used.code(&self.entries[*code as usize]);
        }
        *self = used;
    }
}
