//! Tags (field numbers) of the messages that [`super::wire_writer`] writes, generated from `proto/` by
//! `build.rs`.
//!
//! Each message is a module with one constant per field, and `FIELDS`, the list of (name, tag).

#![allow(dead_code)] // The core fills in only some fields of each message.

include!(concat!(env!("OUT_DIR"), "/tags.rs"));
