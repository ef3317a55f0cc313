//! The journal: files to which acknowledged batches are appended and flushed.
//!
//! A file begins with a header of 32 bytes: [`MAGIC`], its sequence number, how many of its bytes are known
//! to be flushed (0 bytes are those of the header) and the CRC-32 of these two, each little endian. Frames follow, one per batch:
//! length of the batch, CRC-32 of the rest of the frame, receive time, then the batch, an Arrow IPC stream.
//!
//! The number of flushed bytes is noted after every flush and becomes durable with the next one. A frame before
//! it that does not read back is damage; after it, it is what a power cut left of a write that nobody was told of.
//!
//! After a failed write or flush a file is never written again: the operating system may have dropped what it
//! could not write, and a second flush would not tell (Rebello et al., Can Applications Recover from fsync
//! Failures?, 2020). What comes next goes to a new file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"PEGJRNL1";
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 16;

/// An open file of the journal.
pub struct Journal {
    /// Number of the file; a later one has a greater number.
    pub sequence: u64,
    file: File,
    path: PathBuf,
    end: u64,
}

/// One batch of the journal.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When the batch was received, microseconds UTC.
    pub received_us: i64,
    /// The batch as [`crate::wire::columnar_batch::ColumnarBatch::to_journal`] wrote it.
    pub batch: &'a [u8],
}

impl Frame<'_> {
    /// The frame as it stands in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A batch comes in one message, which is far smaller than 4 GiB.
        let (length, received) = ((self.batch.len() as u32).to_le_bytes(), self.received_us.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        [&length[..], &received, self.batch].into_iter().for_each(|part| hasher.update(part));
        [&length[..], &hasher.finalize().to_le_bytes(), &received, self.batch].concat()
    }
}

/// Name of a journal file within the data directory.
pub fn name(sequence: u64) -> String {
    format!("journal/{sequence:08}.log")
}

impl Journal {
    /// Makes a new file, durably.
    ///
    /// # Errors
    /// `Io` where the operating system refuses; nothing is left then.
    pub fn create(directory: &Path, sequence: u64) -> Result<Self> {
        let path = directory.join(name(sequence));
        let journal = Self::try_create(&path, sequence).map_err(|source| Error::io(&path, source));
        if journal.is_err() {
            // Best effort: an empty file means nothing to whoever reads the journal.
            drop(std::fs::remove_file(&path));
        }
        journal
    }

    fn try_create(path: &Path, sequence: u64) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all(&header(sequence, HEADER_BYTES as u64))?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        directory.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
        Ok(Self { sequence, file, path: path.to_owned(), end: HEADER_BYTES as u64 })
    }

    /// Bytes that the file has.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends frames; they survive a power cut once this returns.
    ///
    /// # Errors
    /// `Io` where the operating system refuses; the file must not be used any more then.
    pub fn append<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.try_append(&frames.collect::<Vec<_>>().concat()).map_err(|source| {
            // Best effort: what was not acknowledged need not be there at the next start.
            drop(self.file.set_len(self.end));
            Error::io(&self.path, source)
        })
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.file.sync_data()?;
        let end = self.end + bytes.len() as u64;
        self.file.write_all_at(&header(self.sequence, end), 0)?;
        self.end = end;
        Ok(())
    }
}

/// Removes a file of the journal.
///
/// # Errors
/// `Io` where the operating system refuses.
pub fn remove(directory: &Path, sequence: u64) -> Result<()> {
    let path = directory.join(name(sequence));
    std::fs::remove_file(&path).map_err(|source| Error::io(&path, source))
}

/// Reads a file of the journal and hands over its frames in order; gives its size in bytes.
///
/// # Errors
/// `Io` where it cannot be read, `Damaged` where a flushed frame is not what was written, or what `take` gives.
pub fn replay(directory: &Path, sequence: u64, mut take: impl FnMut(&Frame<'_>) -> Result<()>) -> Result<u64> {
    let path = directory.join(name(sequence));
    let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
    let Some(flushed) = flushed_bytes(&bytes, sequence).map_err(|problem| Error::damaged(&path, problem))? else {
        return Ok(0);
    };
    let mut at = HEADER_BYTES;
    while let Some((frame, next)) = frame_at(&bytes, at) {
        take(&frame)?;
        at = next;
    }
    if at < flushed {
        return Err(Error::damaged(&path, format!("the batch at byte {at} is not what was written")));
    }
    Ok(bytes.len() as u64)
}

/// Bytes of a journal file.
///
/// # Errors
/// `Io` where it cannot be looked at.
pub fn bytes_of(directory: &Path, sequence: u64) -> Result<u64> {
    let path = directory.join(name(sequence));
    Ok(std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?.len())
}

/// DenseIds of the journal files of a data directory, ascending.
///
/// # Errors
/// `Io` where the directory cannot be read.
pub fn sequences(directory: &Path) -> Result<Vec<u64>> {
    let directory = directory.join("journal");
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| Error::io(&directory, source))?,
    };
    let mut sequences = Vec::new();
    for entry in entries {
        let name = entry.map_err(|source| Error::io(&directory, source))?.file_name();
        sequences.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    sequences.sort_unstable();
    Ok(sequences)
}

/// How many bytes of a file were flushed; `None` for one that was never used.
fn flushed_bytes(bytes: &[u8], sequence: u64) -> std::result::Result<Option<usize>, String> {
    let (Some(found), Some(flushed)) = (bytes.get(..HEADER_BYTES), u64_at(bytes, 16)) else {
        // The header is flushed before the first frame.
        return Ok(None);
    };
    if found.iter().all(|&byte| byte == 0) && bytes.len() == HEADER_BYTES {
        return Ok(None);
    }
    if found != header(sequence, flushed) {
        return Err("its header is not what was written".to_owned());
    }
    match usize::try_from(flushed) {
        Ok(flushed) if flushed <= bytes.len() => Ok(Some(flushed)),
        _ => Err(format!("it has {} bytes instead of at least {flushed}", bytes.len())),
    }
}

fn header(sequence: u64, flushed: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..24].copy_from_slice(&flushed.to_le_bytes());
    let crc32 = crc32fast::hash(&header[8..24]);
    header[24..28].copy_from_slice(&crc32.to_le_bytes());
    header
}

/// The frame at a place and where the next one begins; `None` where there is no whole one.
fn frame_at(bytes: &[u8], at: usize) -> Option<(Frame<'_>, usize)> {
    let head = bytes.get(at..at + FRAME_HEADER_BYTES)?;
    let length = u32::from_le_bytes(*head.first_chunk()?) as usize;
    let crc32 = u32::from_le_bytes(*head[4..].first_chunk()?);
    let received_us = u64_at(head, 8)? as i64;
    let batch = bytes.get(at + FRAME_HEADER_BYTES..)?.get(..length)?;
    let mut hasher = crc32fast::Hasher::new();
    [&head[..4], &head[8..], batch].into_iter().for_each(|part| hasher.update(part));
    let whole = length > 0 && hasher.finalize() == crc32;
    whole.then(|| (Frame { received_us, batch }, at + FRAME_HEADER_BYTES + length))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        Frame { received_us: 7, batch: text.as_bytes() }.to_bytes()
    }

    fn written(groups: &[&[&str]]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(directory.path(), 3).unwrap();
        for group in groups {
            let frames: Vec<_> = group.iter().map(|text| frame(text)).collect();
            journal.append(frames.iter().map(Vec::as_slice)).unwrap();
        }
        let path = directory.path().join(name(3));
        (directory, path)
    }

    fn read(directory: &Path) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        replay(directory, 3, |frame| {
            texts.push(String::from_utf8_lossy(frame.batch).into_owned());
            Ok(())
        })?;
        Ok(texts)
    }

    #[test]
    fn batches_read_back_in_order() {
        let (directory, _) = written(&[&["a", "bb"], &["ccc"]]);
        assert_eq!(sequences(directory.path()).unwrap(), [3]);
        assert_eq!(read(directory.path()).unwrap(), ["a", "bb", "ccc"]);
    }

    #[test]
    fn every_flipped_byte_is_damage() {
        let (directory, path) = written(&[&["a", "bb"], &["ccc"]]);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(read(directory.path()), Err(Error::Damaged { .. })), "byte {at}");
        }
    }

    #[test]
    fn what_was_written_but_not_flushed_is_whole_batches_or_nothing() {
        let (directory, path) = written(&[&["a"]]);
        let flushed = std::fs::read(&path).unwrap();
        let mut more = flushed.clone();
        for text in ["bb", "ccc"] {
            more.extend(frame(text));
        }
        for end in flushed.len()..more.len() {
            std::fs::write(&path, &more[..end]).unwrap();
            let texts = read(directory.path()).unwrap();
            assert!(texts == ["a"] || texts == ["a", "bb"], "{texts:?}");
        }
        for end in 0..HEADER_BYTES {
            std::fs::write(&path, &flushed[..end]).unwrap();
            assert_eq!(read(directory.path()).unwrap(), [""; 0]);
        }
    }
}
