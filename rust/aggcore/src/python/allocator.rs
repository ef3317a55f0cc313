//! The allocator of the extension module.

#![allow(unsafe_code)]

/// Batches are decoded by some threads and freed by others; the system's allocator keeps what each of them took.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives the system back what this thread has freed: after a rewrite that is much, and it will not be needed soon.
pub fn give_back() {
    // SAFETY: may be called at any time, by any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
