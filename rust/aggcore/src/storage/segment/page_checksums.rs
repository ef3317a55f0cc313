//! PageChecksums of a mapped file, each checked against its CRC-32 when it is first needed.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;

/// Bytes of a page: a small question of a large segment reads little.
pub const PAGE_BYTES: usize = 1 << 16;

/// A mapped file and what its pages must be.
pub struct PageChecksums {
    file: Buffer,
    crc32: Vec<u32>,
    /// A bit per page that was found to be as written.
    verified: Vec<AtomicU64>,
}

impl PageChecksums {
    /// A mapped file of which nothing is checked yet.
    pub fn new(file: Buffer, crc32: Vec<u32>) -> Self {
        let verified = (0..crc32.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { file, crc32, verified }
    }

    /// Whether bytes of the file are as they were written.
    pub fn are_bytes_intact(&self, bytes: &[u8]) -> bool {
        let Some(start) = (bytes.as_ptr() as usize).checked_sub(self.file.as_ptr() as usize) else {
            return bytes.is_empty();
        };
        let end = start + bytes.len();
        bytes.is_empty()
            || end <= self.file.len() && (start / PAGE_BYTES..=(end - 1) / PAGE_BYTES).all(|page| self.is_page_intact(page))
    }

    /// Whether all bytes of the file are as they were written.
    pub fn is_file_intact(&self) -> bool {
        self.crc32.len() == self.file.len().div_ceil(PAGE_BYTES) && (0..self.crc32.len()).all(|page| self.is_page_intact(page))
    }

    /// Whether the rows of a column, all entries of its dictionary among them, are as they were written.
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

    /// Whether the codes of a column with a dictionary are as they were written.
    pub fn are_codes_intact(&self, column: &ArrayData, rows: &Range<usize>) -> bool {
        let DataType::Dictionary(codes, _) = column.data_type() else { return false };
        self.are_values_intact(&column.buffers()[0], codes, rows)
    }

    fn are_values_intact(&self, values: &Buffer, kind: &DataType, rows: &Range<usize>) -> bool {
        kind.primitive_width().is_some_and(|width| self.are_bytes_intact(&values[rows.start * width..rows.end * width]))
    }

    fn are_texts_intact(&self, offsets: &Buffer, values: &Buffer, rows: &Range<usize>) -> bool {
        // An offset may be followed only once its own page is known to be whole.
        let offset = |row: usize| offsets.typed_data::<i32>().get(row).map_or(0, |&offset| offset as usize);
        self.are_bytes_intact(&offsets[rows.start * 4..(offsets.len()).min(rows.end * 4 + 4)])
            && self.are_bytes_intact(&values[offset(rows.start)..offset(rows.end)])
    }

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

/// Sums up the pages of a file that is being written.
#[derive(Default)]
pub struct PageHasher {
    page_crc32: Vec<u32>,
    current_page: crc32fast::Hasher,
    page_bytes: usize,
    /// Of all pages that are done.
    file_hasher: crc32fast::Hasher,
}

impl PageHasher {
    /// Adds the next bytes.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (here, rest) = bytes.split_at(bytes.len().min(PAGE_BYTES - self.page_bytes));
            self.current_page.update(here);
            self.page_bytes += here.len();
            bytes = rest;
            if self.page_bytes == PAGE_BYTES {
                self.end_page();
            }
        }
    }

    /// The CRC-32 of the file and those of its pages.
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
    fn pages_are_summed_up_however_they_are_written() {
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
    fn damage_shows_where_its_page_is_needed_and_nowhere_else() {
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
