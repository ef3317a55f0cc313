//! Counts the bytes that a thread allocates.
#![allow(unsafe_code)] // An allocator cannot be written without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    // Without a destructor and with a constant initial value, so that access allocates nothing.
    static ALLOCATED_BYTES: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

struct CountingAllocator;

static PANICS_ARE_UNCOUNTED: Once = Once::new();

/// Runs `work`; returns its result, and the bytes that this thread has allocated meanwhile, freed ones included. To print a
/// panic that `work` catches does not count: with a backtrace, it takes many times what the decoders may allocate.
pub fn count_allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    PANICS_ARE_UNCOUNTED.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            let before = ALLOCATED_BYTES.get();
            print(panic);
            ALLOCATED_BYTES.set(before);
        }));
    });
    let before = ALLOCATED_BYTES.get();
    let result = work();
    (result, ALLOCATED_BYTES.get() - before)
}

fn count(bytes: usize) {
    // A thread that ends may still allocate; nobody asks what.
    ALLOCATED_BYTES.try_with(|allocated| allocated.set(allocated.get().saturating_add(bytes))).unwrap_or_default();
}

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the rules of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller keeps the rules of `realloc`.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the rules of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}
