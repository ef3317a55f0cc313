//! The allocator of the extension module.

#![allow(unsafe_code)]

/// One thread decodes a batch and another frees it; the system's allocator would hold on to what each thread freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Returns to the operating system what this thread has freed. A flush, a compaction or a large report frees much at once,
/// which is not needed again soon.
pub fn return_freed_memory() {
    // SAFETY: mimalloc allows this call at any time from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Bytes of a query from which what it freed returns to the operating system. That takes about a millisecond.
const RETURNED_QUERY_BYTES_MIN: usize = 32 << 20;

/// Returns what a query of `peak_bytes` has freed, if that is much.
pub fn return_memory_of_query(peak_bytes: usize) {
    if peak_bytes >= RETURNED_QUERY_BYTES_MIN {
        return_freed_memory();
    }
}
