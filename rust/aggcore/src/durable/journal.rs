//! The journal: a write-ahead log of acknowledged batches, in files to which frames are only appended.
//!
//! A file is a header, then one frame per batch. All numbers are little endian.
//!
//! | header at byte | bytes | |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 8 | sequence number of the file |
//! | 16 | 8 | synced bytes: the length of the file, header included, that is known to be on disk |
//! | 24 | 4 | CRC-32 of bytes 8 to 23 |
//! | 28 | 4 | 0 |
//!
//! | frame at byte | bytes | |
//! |---|---|---|
//! | 0 | 4 | length of the batch in bytes |
//! | 4 | 4 | CRC-32 of all other bytes of the frame |
//! | 8 | 8 | when the batch was received, microseconds UTC |
//! | 16 | length | the batch, an Arrow IPC stream |
//!
//! **Torn frames.** Each append writes frames, syncs, and then notes the synced bytes in the header; that
//! note becomes durable with the next sync. So a frame that begins before the synced bytes was synced, and if
//! it fails its checksum the file is corrupt. A bad frame after them is taken for an unacknowledged write
//! that a power cut tore: it ends the file. (The last acknowledged frames may lie there too, if their note
//! was lost; damage to them cannot be distinguished from a torn write.)
//!
//! **Why not a library or SQLite.** After a failed sync the file must never be written again but left for a
//! new one (see `disk_fault.rs`), and a log owned by a library does not let us do so; docs/design.md has the
//! reasons and measurements under "Why is the journal not SQLite?".

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::private_files;
use crate::wire::columnar_batch::ColumnarBatch;

const MAGIC: [u8; 8] = *b"PEGJRNL1";
const HEADER_BYTES: usize = 32;
/// Offset of the synced bytes in the header.
const SYNCED_BYTES_AT: usize = 16;
const FRAME_HEADER_BYTES: usize = 16;

/// A journal file that is open for appending.
pub struct Journal {
    /// Sequence number of the file; later files have greater numbers.
    pub sequence: u64,
    file: File,
    path: PathBuf,
    /// Length in bytes up to the last synced frame.
    end: u64,
}

/// One batch in a journal file.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When the service received the batch, microseconds UTC.
    pub received_us: i64,
    /// The batch as [`ColumnarBatch::to_journal`](crate::wire::columnar_batch::ColumnarBatch::to_journal)
    /// encodes it.
    pub batch: &'a [u8],
}

impl Frame<'_> {
    /// Encodes the frame with its length and checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The length fits 32 bits: a batch comes in one gRPC message, far smaller than 4 GiB.
        let (length, received) = ((self.batch.len() as u32).to_le_bytes(), self.received_us.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        [&length[..], &received, self.batch].into_iter().for_each(|bytes| hasher.update(bytes));
        [&length[..], &hasher.finalize().to_le_bytes(), &received, self.batch].concat()
    }
}

/// Path of a journal file within the data directory.
pub fn name(sequence: u64) -> String {
    format!("journal/{sequence:08}.log")
}

impl Journal {
    /// Creates an empty file that survives a power cut: syncs it, its directory and the directory above.
    ///
    /// # Errors
    /// `Io` if the operating system refuses; the file is removed then.
    pub fn create(directory: &Path, sequence: u64) -> Result<Self> {
        let path = directory.join(name(sequence));
        let journal = Self::try_create(&path, sequence).map_err(|source| Error::io(&path, source));
        if journal.is_err() {
            // Best effort: a reader skips a file without frames.
            drop(std::fs::remove_file(&path));
        }
        journal
    }

    fn try_create(path: &Path, sequence: u64) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        private_files::create_directories(directory)?;
        let mut file = private_files::create(path)?;
        file.write_all(&header(sequence, HEADER_BYTES as u64))?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        directory.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
        Ok(Self { sequence, file, path: path.to_owned(), end: HEADER_BYTES as u64 })
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends frames and syncs them; they survive a power cut once this returns.
    ///
    /// # Errors
    /// `Io` if the operating system refuses; the caller must abandon the file then.
    pub fn append<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.try_append(&frames.collect::<Vec<_>>().concat()).map_err(|source| {
            // Best effort: cuts off frames that were not acknowledged.
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

/// Removes a journal file.
///
/// # Errors
/// `Io` if the operating system refuses.
pub fn remove(directory: &Path, sequence: u64) -> Result<()> {
    let path = directory.join(name(sequence));
    std::fs::remove_file(&path).map_err(|source| Error::io(&path, source))
}

/// Passes the frames of a journal file to `apply` in order; returns the length of the file in bytes, or 0 if
/// it is shorter than its header or only a header of zeros.
///
/// # Errors
/// `Io` if the file cannot be read, `Damaged` if its header or a frame within its synced bytes is corrupt, or
/// the error of `apply`.
pub fn replay(directory: &Path, sequence: u64, mut apply: impl FnMut(&Frame<'_>) -> Result<()>) -> Result<u64> {
    let path = directory.join(name(sequence));
    let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
    let Some(synced) = synced_bytes(&bytes, sequence).map_err(|problem| Error::damaged(&path, problem))? else {
        return Ok(0);
    };
    let mut at = HEADER_BYTES;
    while let Some((frame, next)) = frame_at(&bytes, at) {
        apply(&frame)?;
        at = next;
    }
    if at < synced {
        return Err(Error::damaged(&path, format!("the batch at byte {at} is not what was written")));
    }
    Ok(bytes.len() as u64)
}

/// Counts of a journal file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalContent {
    /// Batches.
    pub batches: usize,
    /// Records in them.
    pub records: usize,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Reads and decodes a whole journal file and counts what it holds.
///
/// # Errors
/// `Io` or `Damaged`, as [`replay`].
pub fn read_content(directory: &Path, sequence: u64) -> Result<JournalContent> {
    let mut content = JournalContent::default();
    content.bytes = replay(directory, sequence, |frame| {
        content.batches += 1;
        content.records += ColumnarBatch::from_journal(frame.batch)?.rows();
        Ok(())
    })?;
    Ok(content)
}

/// Length of a journal file in bytes.
///
/// # Errors
/// `Io` if the operating system refuses to read its metadata.
pub fn file_bytes(directory: &Path, sequence: u64) -> Result<u64> {
    let path = directory.join(name(sequence));
    Ok(std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?.len())
}

/// Sequence numbers of the journal files of a data directory, ascending.
///
/// # Errors
/// `Io` if the directory cannot be read.
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

/// Reads the synced bytes from the header of a file; `None` if a power cut left less than a header, or only a
/// header of zeros.
///
/// A power cut during creation can leave a file that is shorter than its header, or a header of zeros.
///
/// # Errors
/// A description of the damage.
fn synced_bytes(bytes: &[u8], sequence: u64) -> std::result::Result<Option<usize>, String> {
    let (Some(found), Some(synced)) = (bytes.get(..HEADER_BYTES), u64_at(bytes, SYNCED_BYTES_AT)) else {
        return Ok(None);
    };
    if found.iter().all(|&byte| byte == 0) && bytes.len() == HEADER_BYTES {
        return Ok(None);
    }
    if found != header(sequence, synced) {
        return Err("its header is not what was written".to_owned());
    }
    match usize::try_from(synced) {
        Ok(synced) if synced <= bytes.len() => Ok(Some(synced)),
        _ => Err(format!("it has {} bytes instead of at least {synced}", bytes.len())),
    }
}

fn header(sequence: u64, synced: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[SYNCED_BYTES_AT..24].copy_from_slice(&synced.to_le_bytes());
    let crc32 = crc32fast::hash(&header[8..24]);
    header[24..28].copy_from_slice(&crc32.to_le_bytes());
    header
}

/// Reads the frame at an offset; returns it with the offset of the next one, or `None` if it is missing or
/// torn.
fn frame_at(bytes: &[u8], at: usize) -> Option<(Frame<'_>, usize)> {
    let head = bytes.get(at..at + FRAME_HEADER_BYTES)?;
    let length = u32::from_le_bytes(*head.first_chunk()?) as usize;
    let crc32 = u32::from_le_bytes(*head[4..].first_chunk()?);
    let received_us = u64_at(head, 8)? as i64;
    let batch = bytes.get(at + FRAME_HEADER_BYTES..)?.get(..length)?;
    let mut hasher = crc32fast::Hasher::new();
    [&head[..4], &head[8..], batch].into_iter().for_each(|bytes| hasher.update(bytes));
    let is_intact = length > 0 && hasher.finalize() == crc32;
    is_intact.then(|| (Frame { received_us, batch }, at + FRAME_HEADER_BYTES + length))
}

/// Reads a little-endian word; `None` beyond the end.
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
    fn replay_returns_batches_in_order() {
        let (directory, _) = written(&[&["a", "bb"], &["ccc"]]);
        assert_eq!(sequences(directory.path()).unwrap(), [3]);
        assert_eq!(read(directory.path()).unwrap(), ["a", "bb", "ccc"]);
    }

    #[test]
    fn every_flipped_byte_is_reported_as_damage() {
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
    fn torn_frame_after_the_synced_bytes_ends_the_file() {
        let (directory, path) = written(&[&["a"]]);
        let synced = std::fs::read(&path).unwrap();
        let mut unsynced = synced.clone();
        for text in ["bb", "ccc"] {
            unsynced.extend(frame(text));
        }
        for end in synced.len()..unsynced.len() {
            std::fs::write(&path, &unsynced[..end]).unwrap();
            let texts = read(directory.path()).unwrap();
            assert!(texts == ["a"] || texts == ["a", "bb"], "{texts:?}");
        }
        for end in 0..HEADER_BYTES {
            std::fs::write(&path, &synced[..end]).unwrap();
            assert_eq!(read(directory.path()).unwrap(), [""; 0]);
        }
    }
}
