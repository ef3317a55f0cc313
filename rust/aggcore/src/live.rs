//! The records held in memory: the active ones, and the finished ones that are not sealed yet.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::part::{Bitmap, Category, NO_CODE, Part, Strings};
use crate::record::Record;
use crate::schema::{ABSENT, CATEGORY_COUNT, INT_COUNT, TEXT_COUNT, category, int, text};

/// Records in columns, changed in place, found by key.
pub struct LiveTable {
    ints: [Vec<i64>; INT_COUNT],
    codes: [Vec<i32>; CATEGORY_COUNT],
    dictionaries: [Dictionary; CATEGORY_COUNT],
    texts: [Vec<Box<str>>; TEXT_COUNT],
    received_us: Vec<i64>,
    versions: Vec<Option<Box<[u8]>>>,
    key_hash: Vec<u64>,
    /// Row numbers by key hash; keys are compared on a hit.
    by_key: HashTable<u32>,
    none_dead: Bitmap,
    finished_rows: usize,
}

/// Distinct texts, numbered from 0.
#[derive(Default)]
struct Dictionary {
    entries: Vec<Box<str>>,
    by_text: HashTable<i32>,
}

impl Default for LiveTable {
    fn default() -> Self {
        Self {
            ints: std::array::from_fn(|_| Vec::new()),
            codes: std::array::from_fn(|_| Vec::new()),
            dictionaries: std::array::from_fn(|_| Dictionary::default()),
            texts: std::array::from_fn(|_| Vec::new()),
            received_us: Vec::new(),
            versions: Vec::new(),
            key_hash: Vec::new(),
            by_key: HashTable::new(),
            none_dead: Bitmap::default(),
            finished_rows: 0,
        }
    }
}

impl LiveTable {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.key_hash.len()
    }

    /// Number of rows that ended.
    pub fn finished_rows(&self) -> usize {
        self.finished_rows
    }

    /// The rows as columns.
    pub fn part(&self) -> Part<'_> {
        Part {
            ints: std::array::from_fn(|slot| self.ints[slot].as_slice()),
            categories: std::array::from_fn(|slot| Category {
                codes: &self.codes[slot],
                entries: &self.dictionaries[slot].entries,
            }),
            texts: std::array::from_fn(|slot| &self.texts[slot] as &dyn Strings),
            received_us: &self.received_us,
            dead: &self.none_dead,
        }
    }

    /// What is kept of a row's versions.
    pub fn versions(&self, row: usize) -> Option<&[u8]> {
        self.versions[row].as_deref()
    }

    /// When the last event of a row with an effect was received, microseconds UTC.
    pub fn received_us(&self, row: usize) -> i64 {
        self.received_us[row]
    }

    /// The rows of a key, in ascending order.
    pub fn find(&self, key_hash: u64, source: &str, session_id: &str) -> Vec<usize> {
        let candidates = self.by_key.iter_hash(key_hash).map(|&row| row as usize);
        let mut rows: Vec<usize> = candidates.filter(|&row| self.has_key(row, key_hash, source, session_id)).collect();
        rows.sort_unstable();
        rows
    }

    /// Adds a record.
    pub fn push(&mut self, key_hash: u64, record: &Record<'_>, versions: Option<Vec<u8>>, received_us: i64) {
        let row = self.rows();
        self.finished_rows += usize::from(record.is_finished());
        self.ints.iter_mut().zip(record.ints).for_each(|(column, value)| column.push(value));
        for (slot, dictionary) in self.dictionaries.iter_mut().enumerate() {
            self.codes[slot].push(dictionary.code(record.strings[slot]));
        }
        let texts = &record.strings[CATEGORY_COUNT..];
        self.texts.iter_mut().zip(texts).for_each(|(column, &text)| column.push(text.into()));
        self.received_us.push(received_us);
        self.versions.push(versions.map(Vec::into_boxed_slice));
        self.key_hash.push(key_hash);
        self.by_key.insert_unique(key_hash, row as u32, |&row| self.key_hash[row as usize]);
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        let last = self.rows() - 1;
        self.finished_rows -= usize::from(self.ints[int::END_TIME][row] != ABSENT);
        self.forget(row);
        if row != last {
            self.forget(last);
            self.by_key.insert_unique(self.key_hash[last], row as u32, |&row| self.key_hash[row as usize]);
        }
        for column in &mut self.ints {
            column.swap_remove(row);
        }
        for column in &mut self.codes {
            column.swap_remove(row);
        }
        for column in &mut self.texts {
            column.swap_remove(row);
        }
        self.received_us.swap_remove(row);
        self.versions.swap_remove(row);
        self.key_hash.swap_remove(row);
    }

    /// The same table with only the rows that are not finished.
    pub fn unfinished(&self) -> Self {
        let mut kept = Self::default();
        let part = self.part();
        for row in (0..self.rows()).filter(|&row| !part.record(row).is_finished()) {
            kept.push(self.key_hash[row], &part.record(row), self.versions(row).map(<[u8]>::to_vec), self.received_us[row]);
        }
        kept
    }

    /// Takes a row out of the table of keys; `row as u32` is exact as the table numbers rows in 32 bits.
    fn forget(&mut self, row: usize) {
        if let Ok(entry) = self.by_key.find_entry(self.key_hash[row], |&other| other as usize == row) {
            entry.remove();
        }
    }

    fn has_key(&self, row: usize, key_hash: u64, source: &str, session_id: &str) -> bool {
        let source_here = match self.codes[category::SOURCE][row] {
            NO_CODE => "",
            code => &self.dictionaries[category::SOURCE].entries[code as usize],
        };
        self.key_hash[row] == key_hash && source_here == source && &*self.texts[text::SESSION_ID][row] == session_id
    }
}

impl Dictionary {
    fn code(&mut self, text: &str) -> i32 {
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
}
