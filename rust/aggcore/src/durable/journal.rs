//! The journal: a write-ahead log of acknowledged batches, in files to which frames are only appended.
//!
//! A file is a header, then one frame per batch. All numbers are little endian.
//!
//! | header at byte | bytes | |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 8 | sequence number of the file |
//! | 16 | 8 | synced bytes: the length of the file, header included, that is known to be on disk |
//! | 24 | 8 | sequence number of the file before it; 0 for the first one |
//! | 32 | 4 | CRC-32 of bytes 8 to 31 |
//! | 36 | 4 | 0 |
//!
//! Files of format 1 have no number of the file before it: their CRC-32, of bytes 8 to 23, is at byte 24, and
//! their frames begin at byte 32.
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

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::required_files::{ContentStatus, FileStatus, RequiredFile};
use crate::error::{Error, Result};
use crate::private_files;
use crate::wire::columnar_batch::ColumnarBatch;

const MAGIC: [u8; 8] = *b"PEGJRNL2";
const HEADER_BYTES: usize = 40;
const MAGIC_OF_FORMAT_1: [u8; 8] = *b"PEGJRNL1";
const HEADER_BYTES_OF_FORMAT_1: usize = 32;
/// Offset of the synced bytes in the header.
const SYNCED_BYTES_AT: usize = 16;
/// Offset of the number of the file before it in the header.
const PREDECESSOR_AT: usize = 24;
const FRAME_HEADER_BYTES: usize = 16;

/// A journal file that is open for appending.
pub struct Journal {
    /// Sequence number of the file; later files have greater numbers.
    pub sequence: u64,
    /// Sequence number of the file before it; 0 for the first one.
    predecessor: u64,
    file: File,
    path: PathBuf,
    /// Device and inode of the file.
    status: FileStatus,
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
    /// Creates an empty file that survives a power cut: syncs it, its directory and the directory above. Before
    /// that, writes and syncs `trial_bytes` bytes, to see whether the disk takes frames of that size.
    ///
    /// # Errors
    /// `Io` if the operating system refuses; the file is removed then.
    pub fn create(directory: &Path, sequence: u64, predecessor: u64, trial_bytes: usize) -> Result<Self> {
        let path = directory.join(name(sequence));
        let journal = Self::try_create(directory, &path, sequence, predecessor, trial_bytes);
        let journal = journal.map_err(|source| Error::io(&path, source));
        if journal.is_err() {
            // Best effort: a start ignores a file that the catalogue does not name.
            drop(std::fs::remove_file(&path));
        }
        journal
    }

    fn try_create(directory: &Path, path: &Path, sequence: u64, predecessor: u64, trial_bytes: usize) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(directory);
        private_files::create_folders(directory, folder)?;
        let mut file = private_files::create(path)?;
        if trial_bytes > 0 {
            // Zeros are never taken for a frame.
            file.write_all_at(&vec![0; trial_bytes], HEADER_BYTES as u64)?;
            file.sync_all()?;
            file.set_len(0)?;
        }
        let end = HEADER_BYTES as u64;
        file.write_all(&header(sequence, end, predecessor))?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        File::open(directory)?.sync_all()?;
        let status = FileStatus::of_place(&file.metadata()?);
        Ok(Self { sequence, predecessor, file, path: path.to_owned(), status, end })
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// The file as one that must stay where it is, while frames are appended to it.
    pub fn required(&self) -> RequiredFile {
        RequiredFile { name: name(self.sequence), status: self.status }
    }

    /// What the content of the file must be once no more frames are appended to it; `None` if its status cannot be read.
    pub fn content_status(&self) -> Option<ContentStatus> {
        self.file.metadata().ok().map(|metadata| ContentStatus::of(&metadata, self.end))
    }

    /// Whether its path leads to this file.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| FileStatus::of_place(&found) == self.status)
    }

    /// Appends frames and syncs them; they survive a power cut once this returns. Returns how long the sync took.
    ///
    /// # Errors
    /// `Io` if the operating system refuses, `Damaged` if another program changed the length of the file; the
    /// caller must abandon the file then.
    pub fn append<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) -> Result<Duration> {
        let bytes = frames.collect::<Vec<_>>().concat();
        self.require_length()?;
        self.try_append(&bytes).map_err(|source| {
            // Best effort: puts back what may have been overwritten of the header, and cuts off frames that were not
            // acknowledged.
            drop(self.file.write_all_at(&header(self.sequence, self.end, self.predecessor), 0));
            drop(self.file.set_len(self.end));
            Error::io(&self.path, source)
        })
    }

    /// Removes the file, which has no frames yet.
    pub fn discard(self) {
        // Best effort: a start ignores a file that the catalogue does not name.
        drop(std::fs::remove_file(&self.path));
    }

    fn require_length(&self) -> Result<()> {
        let length = self.file.metadata().map_err(|source| Error::io(&self.path, source))?.len();
        if length == self.end {
            return Ok(());
        }
        Err(Error::damaged(&self.path, format!("it has {length} bytes instead of {}: another program changed it", self.end)))
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<Duration> {
        self.file.write_all_at(bytes, self.end)?;
        let begin = Instant::now();
        self.file.sync_data()?;
        let sync_time = begin.elapsed();
        let end = self.end + bytes.len() as u64;
        self.file.write_all_at(&header(self.sequence, end, self.predecessor), 0)?;
        self.end = end;
        Ok(sync_time)
    }
}

/// Removes a journal file, if it exists.
///
/// # Errors
/// `Io` if the operating system refuses.
pub fn remove(directory: &Path, sequence: u64) -> Result<()> {
    let path = directory.join(name(sequence));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| Error::io(&path, source)),
    }
}

/// Passes the frames of a journal file to `apply` in order; returns the status of the file that was read.
///
/// # Errors
/// `Io` if the file cannot be read, `Damaged` if its header or a frame within its synced bytes is corrupt, or
/// the error of `apply`.
pub fn replay(directory: &Path, sequence: u64, mut apply: impl FnMut(&Frame<'_>) -> Result<()>) -> Result<Metadata> {
    let path = directory.join(name(sequence));
    let (bytes, metadata) = read_with_status(&path).map_err(|source| Error::io(&path, source))?;
    let Header { synced, length, .. } = Header::of(&bytes, sequence).map_err(|problem| Error::damaged(&path, problem))?;
    let mut at = length;
    while let Some((frame, next)) = frame_at(&bytes, at) {
        apply(&frame).map_err(|error| error.in_file(&path, &format!("the batch at byte {at}")))?;
        at = next;
    }
    if at < synced {
        return Err(Error::damaged(&path, format!("the batch at byte {at} is not what was written")));
    }
    Ok(metadata)
}

/// Reads a file; the status is that of before, so that a later change shows.
fn read_with_status(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
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

/// Sequence number of the file before a journal file, which its header names; `None` for the first file and for
/// one of format 1.
///
/// # Errors
/// `Io` if the file cannot be read, `Damaged` if its header is corrupt.
pub fn predecessor(directory: &Path, sequence: u64) -> Result<Option<u64>> {
    let path = directory.join(name(sequence));
    let (bytes, _) = header_with_status(&path).map_err(|source| Error::io(&path, source))?;
    let found = Header::decoded(&bytes, sequence).map_err(|problem| Error::damaged(&path, problem))?;
    Ok(Some(found.predecessor).filter(|&predecessor| predecessor > 0))
}

/// Reads and decodes a whole journal file and counts what it holds.
///
/// # Errors
/// `Io` or `Damaged`, as [`replay`].
pub fn read_content(directory: &Path, sequence: u64) -> Result<JournalContent> {
    let mut content = JournalContent::default();
    let status = replay(directory, sequence, |frame| {
        content.batches += 1;
        content.records += ColumnarBatch::from_journal(frame.batch)?.rows();
        Ok(())
    })?;
    content.bytes = status.len();
    Ok(content)
}

/// Whether a journal file may have a batch: it is more than the remainder of a creation that a crash interrupted.
///
/// # Errors
/// `Io` if the file cannot be read.
pub fn has_batches(directory: &Path, sequence: u64) -> Result<bool> {
    let path = directory.join(name(sequence));
    let (bytes, metadata) = header_with_status(&path).map_err(|source| Error::io(&path, source))?;
    let is_header_written = bytes.iter().any(|&byte| byte != 0);
    Ok(is_header_written && metadata.len() > HEADER_BYTES as u64)
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

/// Reads the header of a file, or what there is of it.
fn header_with_status(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

/// What the header of a file says.
struct Header {
    /// Bytes of the header itself.
    length: usize,
    /// Length of the file, header included, that is known to be on disk.
    synced: usize,
    /// Sequence number of the file before it; 0 for none.
    predecessor: u64,
}

impl Header {
    /// Decodes the header of a whole file.
    ///
    /// # Errors
    /// A description of the damage.
    fn of(bytes: &[u8], sequence: u64) -> std::result::Result<Self, String> {
        let found = Self::decoded(bytes, sequence)?;
        if found.synced <= bytes.len() {
            return Ok(found);
        }
        Err(format!("it has {} bytes instead of at least {}", bytes.len(), found.synced))
    }

    /// Decodes a header.
    fn decoded(bytes: &[u8], sequence: u64) -> std::result::Result<Self, String> {
        let synced = u64_at(bytes, SYNCED_BYTES_AT).unwrap_or_default();
        let predecessor = u64_at(bytes, PREDECESSOR_AT).unwrap_or_default();
        let usize_of = |synced: u64| usize::try_from(synced).map_err(|_| "its header is not what was written".to_owned());
        if bytes.starts_with(&header(sequence, synced, predecessor)) {
            return Ok(Self { length: HEADER_BYTES, synced: usize_of(synced)?, predecessor });
        }
        if bytes.starts_with(&header_of_format_1(sequence, synced)) {
            return Ok(Self { length: HEADER_BYTES_OF_FORMAT_1, synced: usize_of(synced)?, predecessor: 0 });
        }
        Err(match bytes.len() {
            ..HEADER_BYTES_OF_FORMAT_1 => format!("it has {} bytes, less than its header", bytes.len()),
            _ => "its header is not what was written".to_owned(),
        })
    }
}

fn header(sequence: u64, synced: u64, predecessor: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[SYNCED_BYTES_AT..24].copy_from_slice(&synced.to_le_bytes());
    header[PREDECESSOR_AT..32].copy_from_slice(&predecessor.to_le_bytes());
    let crc32 = crc32fast::hash(&header[8..32]);
    header[32..36].copy_from_slice(&crc32.to_le_bytes());
    header
}

fn header_of_format_1(sequence: u64, synced: u64) -> [u8; HEADER_BYTES_OF_FORMAT_1] {
    let mut header = [0; HEADER_BYTES_OF_FORMAT_1];
    header[..8].copy_from_slice(&MAGIC_OF_FORMAT_1);
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
mod tests;
