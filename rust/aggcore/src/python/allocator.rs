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
