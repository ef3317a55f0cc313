//! Gives the inputs of libFuzzer to the target that `PEGCOUNT_FUZZ_TARGET` names.
#![no_main]
#![allow(dead_code, unused_imports)] // The files that it shares with the tests have more than the targets.

#[path = "../../tests/bytes/allocations.rs"]
mod allocations;
#[path = "../../tests/bytes/blocks.rs"]
mod blocks;
#[path = "../../tests/bytes/cases.rs"]
mod cases;
#[path = "../../tests/bytes/code_decks.rs"]
mod code_decks;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/bytes/damage.rs"]
mod damage;
#[path = "../../tests/bytes/filters.rs"]
mod filters;
#[path = "../../tests/bytes/journals.rs"]
mod journals;
#[path = "../../tests/bytes/records.rs"]
mod records;
#[path = "../../tests/bytes/requests.rs"]
mod requests;
#[path = "../../tests/bytes/segments.rs"]
mod segments;
#[path = "../../tests/bytes/targets.rs"]
mod targets;
#[path = "../../tests/bytes/times.rs"]
mod times;
#[path = "../../tests/bytes/versions.rs"]
mod versions;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{LazyLock, Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;

const VARIABLE: &str = "PEGCOUNT_FUZZ_TARGET";

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let names = targets::TARGETS.map(|(name, _)| name).join(", ");
    let found = targets::TARGETS.into_iter().find(|(name, _)| *name == wanted);
    found.map_or_else(|| panic!("set {VARIABLE} to one of {names}"), |(_, target)| target)
});
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fuzz_target!(
    init: {
        LazyLock::force(&TARGET);
        // The hook of libFuzzer would end the process for panics that the core catches, as those of arrow.
        set_hook(Box::new(|panic| {
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    },
    |bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| TARGET(bytes))).is_err() {
            eprintln!("{}", LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner));
            std::process::abort();
        }
    }
);
