//! Page checksums: a mapped file is verified page by page, each page once, when its bytes are first needed.
//!
//! A small query of a large segment thus reads only the pages that it touches. (Tried: one checksum per
//! column. The first query of one account, Q1, then reads whole columns instead of some pages of each.)
//!
//! Invariant: an offset or a code is followed only after its own page was verified.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;

/// Bytes of a page: the unit of verification. Part of the file format.
pub const PAGE_BYTES: usize = 1 << 16;

/// A mapped file, the expected checksums of its pages, and which pages were verified.
pub struct PageChecksums {
    file: Buffer,
    /// Expected CRC-32 of each page.
    crc32: Vec<u32>,
    /// One bit per page that matched its checksum.
    verified: Vec<AtomicU64>,
}

impl PageChecksums {
    /// Takes a mapped file and the expected CRC-32 of each page; verifies none yet.
    pub fn new(file: Buffer, crc32: Vec<u32>) -> Self {
        let verified = (0..crc32.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { file, crc32, verified }
    }

    /// Whether the pages of these bytes match their checksums. `bytes` must be a part of the mapped file;
    /// other bytes, unless empty, are not intact.
    pub fn are_bytes_intact(&self, bytes: &[u8]) -> bool {
        let Some(start) = (bytes.as_ptr() as usize).checked_sub(self.file.as_ptr() as usize) else {
            return bytes.is_empty();
        };
        let end = start + bytes.len();
        bytes.is_empty()
            || end <= self.file.len() && (start / PAGE_BYTES..=(end - 1) / PAGE_BYTES).all(|page| self.is_page_intact(page))
    }

    /// Whether all pages of the file match their checksums.
    pub fn is_file_intact(&self) -> bool {
        self.crc32.len() == self.file.len().div_ceil(PAGE_BYTES) && (0..self.crc32.len()).all(|page| self.is_page_intact(page))
    }

    /// As [`PageChecksums::is_file_intact`], also of pages that matched before.
    pub fn is_file_still_intact(&self) -> bool {
        self.verified.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        self.is_file_intact()
    }

    /// Whether the pages of these rows of a column match their checksums; of a dictionary column, those of
    /// all its entries too.
    pub fn are_rows_intact(&self, column: &ArrayData, rows: &Range<usize>) -> bool {
        let nulls =
            column.nulls().is_none_or(|nulls| self.are_bytes_intact(&nulls.validity()[rows.start / 8..rows.end.div_ceil(8)]));
        let buffers = column.buffers();
        if !nulls || buffers.is_empty() {
            return nulls;
        }
        if let [entries] = column.child_data() {
            return self.are_codes_intact(column, rows) && self.are_rows_intact(entries, &(0..entries.len()));
        }
        if let [offsets, values] = buffers {
            return self.are_texts_intact(offsets, values, rows);
        }
        self.are_values_intact(&buffers[0], column.data_type(), rows)
    }

    /// Whether the pages of the codes of a dictionary column match their checksums; those of its entries are
    /// not read.
    pub fn are_codes_intact(&self, column: &ArrayData, rows: &Range<usize>) -> bool {
        let DataType::Dictionary(codes, _) = column.data_type() else { return false };
        self.are_values_intact(&column.buffers()[0], codes, rows)
    }

    fn are_values_intact(&self, values: &Buffer, kind: &DataType, rows: &Range<usize>) -> bool {
        kind.primitive_width().is_some_and(|width| self.are_bytes_intact(&values[rows.start * width..rows.end * width]))
    }

    /// Verifies the offsets first, then the bytes that they point to.
    fn are_texts_intact(&self, offsets: &Buffer, values: &Buffer, rows: &Range<usize>) -> bool {
        let offset = |row: usize| offsets.typed_data::<i32>().get(row).map_or(0, |&offset| offset as usize);
        self.are_bytes_intact(&offsets[rows.start * 4..(offsets.len()).min(rows.end * 4 + 4)])
            && self.are_bytes_intact(&values[offset(rows.start)..offset(rows.end)])
    }

    /// Verifies a page unless it was verified before. Threads may verify the same page twice; both get the
    /// same result.
    fn is_page_intact(&self, page: usize) -> bool {
        let (word, bit) = (page / 64, 1 << (page % 64));
        let Some(verified) = self.verified.get(word) else { return false };
        if verified.load(Ordering::Relaxed) & bit == 0 {
            let start = page * PAGE_BYTES;
            let bytes = &self.file[start..self.file.len().min(start + PAGE_BYTES)];
            if self.crc32.get(page) != Some(&crc32fast::hash(bytes)) {
                return false;
            }
            verified.fetch_or(bit, Ordering::Relaxed);
        }
        true
    }
}

/// Computes the checksums of a file and of its pages while it is written.
#[derive(Default)]
pub struct PageHasher {
    /// Checksums of the complete pages.
    page_crc32: Vec<u32>,
    current_page: crc32fast::Hasher,
    page_bytes: usize,
    /// Hash of all complete pages.
    file_hasher: crc32fast::Hasher,
}

impl PageHasher {
    /// Hashes the next bytes of the file.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (in_page, rest) = bytes.split_at(bytes.len().min(PAGE_BYTES - self.page_bytes));
            self.current_page.update(in_page);
            self.page_bytes += in_page.len();
            bytes = rest;
            if self.page_bytes == PAGE_BYTES {
                self.end_page();
            }
        }
    }

    /// Returns the CRC-32 of the file and those of its pages.
    pub fn finish(mut self) -> (u32, Vec<u32>) {
        if self.page_bytes > 0 {
            self.end_page();
        }
        (self.file_hasher.finalize(), self.page_crc32)
    }

    fn end_page(&mut self) {
        let page = std::mem::take(&mut self.current_page);
        self.file_hasher.combine(&page);
        self.page_crc32.push(page.finalize());
        self.page_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_do_not_depend_on_the_sizes_of_writes() {
        let file: Vec<u8> = (0..PAGE_BYTES * 2 + 77).map(|i| (i * i / 7) as u8).collect();
        for step in [1_000, PAGE_BYTES, PAGE_BYTES * 3] {
            let mut hasher = PageHasher::default();
            file.chunks(step).for_each(|bytes| hasher.add(bytes));
            let pages: Vec<u32> = file.chunks(PAGE_BYTES).map(crc32fast::hash).collect();
            assert_eq!(hasher.finish(), (crc32fast::hash(&file), pages));
        }
        assert_eq!(PageHasher::default().finish(), (0, Vec::new()));
    }

    #[test]
    fn damage_fails_only_bytes_of_its_page() {
        let mut bytes = vec![7u8; PAGE_BYTES * 3];
        let crc32: Vec<u32> = bytes.chunks(PAGE_BYTES).map(crc32fast::hash).collect();
        bytes[PAGE_BYTES + 5] = 8;
        let pages = PageChecksums::new(Buffer::from_vec(bytes), crc32);
        let file = pages.file.clone();
        assert!(pages.are_bytes_intact(&file[..PAGE_BYTES]) && pages.are_bytes_intact(&file[PAGE_BYTES * 2..]));
        assert!(!pages.are_bytes_intact(&file[PAGE_BYTES - 1..PAGE_BYTES + 1]) && !pages.is_file_intact());
        assert!(pages.are_bytes_intact(&[]) && !pages.are_bytes_intact(&[7]));
    }
}
