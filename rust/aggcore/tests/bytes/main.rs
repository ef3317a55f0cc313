//! Everything in the core that reads bytes from outside gets arbitrary bytes, and valid ones that were damaged.
//!
//! No input may cause a panic, an endless loop or an allocation out of proportion to it (`cases.rs`). Whatever decodes must
//! encode to bytes that decode to the same. `make fuzz-cases` runs many cases, and `make fuzz` searches for inputs by coverage.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod allocations;
mod blocks;
mod cases;
mod code_decks;
#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod damage;
mod filters;
mod journals;
mod records;
mod requests;
mod segments;
mod targets;
mod times;
mod versions;
