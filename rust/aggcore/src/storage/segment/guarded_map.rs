//! Maps files so that a page that can no longer be read does not end the process.
//!
//! If another program truncates a mapped file, or the disk fails, the kernel answers an access to a missing
//! page by SIGBUS, which ends a process by default. [`map`] therefore installs a handler, as systemd's
//! `sigbus.c` does: it looks the address up in a table of the mapped files, puts zeros in place of the whole
//! file, notes that the file is lost, and returns, so that the access reads a zero. A reader has to ask
//! [`GuardedFile::is_lost`] after it has read, and to withstand zeros meanwhile: bounds are checked
//! everywhere, and a panic counts as damage if the file was lost (`guard.rs`).
//!
//! The handler runs in the thread that read, at any instruction. It therefore takes no lock and no memory: it
//! only loads and stores atomic words, and calls `mmap`. Addresses that are in no mapped file go on to the
//! handler that was there before, such as that of Python's `faulthandler`.
//!
//! Invariants: a slot of the table is claimed after its file was mapped, and freed before it is unmapped; the
//! table grows by chunks that never move and are never freed.
//!
//! Systems other than Linux have the table without the handler: a truncated file ends the process there.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_buffer::Buffer;
use bytes::Bytes;
use memmap2::Mmap;
use parking_lot::Mutex;

use super::file_identity::{FileChange, FileIdentity};
use crate::error::{Error, Result};

/// Slots of the first chunk of the table; each further chunk has twice as many.
const FIRST_CHUNK_SLOTS: usize = 256;
/// Chunks of the table: slots for 16 million files.
const CHUNK_COUNT_MAX: usize = 16;
/// Unit of the regions in the table; the pages of any system are multiples of it.
const UNIT_BYTES: usize = 1 << 12;
/// Bits of a slot that have the length of a region in units: files of up to 1 TiB.
const LENGTH_BITS: u32 = 28;

/// A file that is mapped for reading.
pub struct GuardedFile {
    /// Its bytes. Holding the buffer, or a part of it, keeps the file mapped.
    pub bytes: Buffer,
    /// What it was when it was mapped, or when its content was last compared with that.
    identity: Mutex<FileIdentity>,
    slot: &'static Slot,
}

impl GuardedFile {
    /// Whether a page could not be read since the file was mapped, so that zeros are in place of the file.
    pub fn is_lost(&self) -> bool {
        self.slot.is_lost.load(Ordering::Acquire)
    }

    /// Says what happened to the file, whose path is given; see [`FileIdentity::change_at`].
    ///
    /// # Errors
    /// As [`FileIdentity::change_at`].
    pub fn change_at(&self, path: &Path) -> io::Result<Option<FileChange>> {
        self.identity.lock().change_at(path)
    }

    /// From now on changes are told relative to `identity`, with which the file has the content that was mapped.
    pub fn take_identity(&self, identity: FileIdentity) {
        *self.identity.lock() = identity;
    }
}

/// Maps a file read-only.
///
/// # Errors
/// `Io` if the file cannot be opened or mapped.
pub fn map(path: &Path) -> Result<GuardedFile> {
    try_map(path).map_err(|source| Error::io(path, source))
}

fn try_map(path: &Path) -> io::Result<GuardedFile> {
    let file = File::open(path)?;
    let identity = FileIdentity::of(&file.metadata()?);
    // SAFETY: a segment never changes after its rename, and the lock of the data directory excludes other
    // writers of this program. If another program changes the file nevertheless, readers get other bytes or
    // zeros instead of a signal; they check all bounds, and discard what they read (`guard.rs`).
    let map = unsafe { Mmap::map(&file) }?;
    let slot = TABLE.lock().claim(&map)?;
    Ok(GuardedFile { bytes: Buffer::from(Bytes::from_owner(GuardedMap { map, slot })), identity: Mutex::new(identity), slot })
}

/// A memory map and its slot in the table.
struct GuardedMap {
    map: Mmap,
    slot: &'static Slot,
}

impl AsRef<[u8]> for GuardedMap {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for GuardedMap {
    fn drop(&mut self) {
        // Before the map is dropped, so that no slot ever has an address that is used for something else.
        TABLE.lock().release(self.slot);
    }
}

/// The address range of a mapped file, for the signal handler.
struct Slot {
    /// Address and length in units, in one word so that the handler never sees halves of two regions; 0 if
    /// the slot is free.
    region: AtomicU64,
    is_lost: AtomicBool,
}

impl Slot {
    /// First address and length in bytes of the region.
    fn range(&self) -> (usize, usize) {
        let region = self.region.load(Ordering::Acquire);
        let units = region & ((1 << LENGTH_BITS) - 1);
        ((region >> LENGTH_BITS) as usize * UNIT_BYTES, units as usize * UNIT_BYTES)
    }

    fn contains(&self, address: usize) -> bool {
        let (start, length) = self.range();
        address.checked_sub(start).is_some_and(|offset| offset < length)
    }
}

/// The slots; the handler reads them without a lock.
static CHUNKS: [OnceLock<Box<[Slot]>>; CHUNK_COUNT_MAX] = [const { OnceLock::new() }; CHUNK_COUNT_MAX];

/// Which slots are free; mapping and unmapping lock it.
static TABLE: Mutex<Table> = Mutex::new(Table { free: Vec::new(), chunk_count: 0 });

struct Table {
    free: Vec<&'static Slot>,
    chunk_count: usize,
}

impl Table {
    /// Enters a map into a free slot.
    fn claim(&mut self, map: &Mmap) -> io::Result<&'static Slot> {
        let (start, units) = (map.as_ptr() as usize / UNIT_BYTES, map.len().div_ceil(UNIT_BYTES));
        if (start as u64) >> (u64::BITS - LENGTH_BITS) != 0 || units >> LENGTH_BITS != 0 {
            return Err(io::Error::other("the file is too large to be mapped"));
        }
        if self.free.is_empty() {
            self.grow()?;
        }
        let slot = self.free.pop().ok_or_else(|| io::Error::other("too many files are mapped"))?;
        slot.is_lost.store(false, Ordering::Relaxed);
        slot.region.store((start as u64) << LENGTH_BITS | units as u64, Ordering::Release);
        Ok(slot)
    }

    fn release(&mut self, slot: &'static Slot) {
        slot.region.store(0, Ordering::Release);
        self.free.push(slot);
    }

    /// Adds a chunk to the table; installs the handler before the first one.
    fn grow(&mut self) -> io::Result<()> {
        if self.chunk_count == 0 {
            signal::install_handler()?;
        }
        let Some(chunk) = CHUNKS.get(self.chunk_count) else { return Ok(()) };
        let new_slot = || Slot { region: AtomicU64::new(0), is_lost: AtomicBool::new(false) };
        let slots = chunk.get_or_init(|| (0..FIRST_CHUNK_SLOTS << self.chunk_count).map(|_| new_slot()).collect());
        self.free.extend(slots.iter().rev());
        self.chunk_count += 1;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod signal {
    //! The handler of SIGBUS.

    use std::ffi::{c_int, c_void};
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    use super::{CHUNKS, Slot};

    /// What the process did at a SIGBUS before the handler was installed.
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    type Handler = extern "C" fn(c_int);
    type HandlerWithInfo = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

    /// Installs the handler for the whole process, once.
    pub fn install_handler() -> io::Result<()> {
        let handler: HandlerWithInfo = on_sigbus;
        // SAFETY: zeros are a valid `sigaction`: no flags, an empty mask, the default handler.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        let mut previous = action;
        // SAFETY: both arguments point to a `sigaction`; the handler does only what a handler may do, see below.
        match unsafe { libc::sigaction(libc::SIGBUS, &action, &mut previous) } {
            0 => drop(PREVIOUS.set(previous)),
            _ => return Err(io::Error::last_os_error()),
        }
        Ok(())
    }

    /// Called by the kernel in the thread whose access failed. Takes no lock and no memory.
    extern "C" fn on_sigbus(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a valid `siginfo_t`, which has an address if the kernel raised the signal
        // (a positive code).
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
        if code <= 0 || !slot_of(address).is_some_and(replace_by_zeros) {
            pass_on(number, info, context);
        }
    }

    fn slot_of(address: usize) -> Option<&'static Slot> {
        CHUNKS.iter().map_while(|chunk| chunk.get()).flatten().find(|slot| slot.contains(address))
    }

    /// Puts zeros in place of a whole region, so that each file raises the signal once. Unmapping the region
    /// removes them, too.
    fn replace_by_zeros(slot: &Slot) -> bool {
        slot.is_lost.store(true, Ordering::Release);
        let (start, length) = slot.range();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the thread that the signal interrupted reads this region, so that it stays mapped and its
        // slot claimed; the call replaces nothing else. All other readers bear zeros, as this one does.
        let replaced = unsafe { libc::mmap(start as *mut c_void, length, libc::PROT_READ, flags, -1, 0) };
        replaced != libc::MAP_FAILED
    }

    /// Does what the process did before: calls the handler that was installed, or ends the process.
    fn pass_on(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let (handler, flags) = PREVIOUS.get().map_or((libc::SIG_DFL, 0), |action| (action.sa_sigaction, action.sa_flags));
        match handler {
            libc::SIG_DFL | libc::SIG_IGN => {
                // SAFETY: these are async-signal-safe, and the access that failed is repeated when the handler
                // returns.
                unsafe {
                    libc::signal(number, libc::SIG_DFL);
                    libc::raise(number);
                }
            }
            // SAFETY: the process had installed a handler of this type, as the flag says.
            _ if flags & libc::SA_SIGINFO != 0 => unsafe {
                std::mem::transmute::<*const c_void, HandlerWithInfo>(ptr::without_provenance(handler))(number, info, context);
            },
            // SAFETY: as above.
            _ => unsafe { std::mem::transmute::<*const c_void, Handler>(ptr::without_provenance(handler))(number) },
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod signal {
    //! No handler.

    pub fn install_handler() -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn file_of(bytes: usize) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mapped");
        std::fs::write(&path, vec![7; bytes]).unwrap();
        (directory, path)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_truncated_file_reads_as_zeros_and_is_lost() {
        let (_directory, path) = file_of(UNIT_BYTES * 3);
        let (truncated, other) = (map(&path).unwrap(), map(&path).unwrap());
        assert_eq!((truncated.bytes[UNIT_BYTES], truncated.is_lost()), (7, false));
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        assert_eq!((truncated.bytes[UNIT_BYTES * 2], truncated.is_lost()), (0, true));
        assert_eq!((other.bytes[0], other.is_lost()), (7, false));
        assert_eq!((other.bytes[UNIT_BYTES], other.is_lost()), (0, true));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn several_threads_may_read_one_lost_file() {
        let (_directory, path) = file_of(UNIT_BYTES * 64);
        let file = map(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let bytes = &file.bytes;
                scope.spawn(move || assert!((thread..64).step_by(4).all(|page| bytes[page * UNIT_BYTES] == 0)));
            }
        });
        assert!(file.is_lost());
    }

    #[test]
    fn slots_are_reused_and_thousands_of_files_fit() {
        let (_directory, path) = file_of(UNIT_BYTES + 1);
        for _ in 0..3 {
            let files: Vec<_> = (0..FIRST_CHUNK_SLOTS * 5).map(|_| map(&path).unwrap()).collect();
            let is_found = |file: &GuardedFile, at: usize| file.slot.contains(file.bytes.as_ptr() as usize + at);
            assert!(files.iter().all(|file| is_found(file, 0) && is_found(file, UNIT_BYTES) && !is_found(file, UNIT_BYTES * 2)));
            assert!(files.iter().all(|file| file.bytes.len() == UNIT_BYTES + 1 && !file.is_lost()));
        }
        assert!(TABLE.lock().chunk_count <= 4);
    }

    #[test]
    fn an_empty_file_can_be_mapped() {
        let (_directory, path) = file_of(0);
        assert!(map(&path).unwrap().bytes.is_empty());
    }
}
