//! What a fuzzer calls with its inputs: each target takes any bytes. `fuzz/` searches for bytes that fail by the coverage of
//! the core; `corpus.rs` calls the targets with what such searches have found worth keeping.

use std::sync::LazyLock;

use crate::common::OwnedRecord;
use crate::filters::{check_filters, check_network};
use crate::segments::{self, Written, check_summary, written};
use crate::{blocks, code_decks, journals, records, requests, times, versions};

/// A check of any bytes, which panics if the core fails it.
pub type Target = fn(&[u8]);

/// The targets by their names, which are those of the folders in tests/fuzz/corpus/.
pub const TARGETS: [(&str, Target); 14] = [
    ("core-batch", |bytes| records::check_batch(bytes.to_vec())),
    ("core-blocks", blocks::check_blocks),
    ("core-deck-json", |bytes| code_decks::check_json(bytes.to_vec())),
    ("core-deck-request", |bytes| code_decks::check_request(bytes.to_vec())),
    ("core-filters", check_filters),
    ("core-journal", |bytes| drop(journals::read_file(bytes))),
    ("core-journal-batch", journals::check_batch),
    ("core-lists", check_lists),
    ("core-network", check_network),
    ("core-price", check_price),
    ("core-segment", check_segment),
    ("core-summary", check_summary),
    ("core-times", times::check_times),
    ("core-versions", check_versions),
];

/// Edits of a file: a place of two bytes, and what is written there.
const EDIT_BYTES: usize = 3;

fn check_lists(bytes: &[u8]) {
    requests::check_counts(bytes);
    requests::check_record_count(bytes);
}

/// Puts a text into the price of a record.
fn check_price(bytes: &[u8]) {
    let mut field = Vec::new();
    records::put(26, bytes, &mut field);
    records::check_batch(records::with_fields(&field));
}

/// The first byte selects a file and how it is damaged: its length, bytes at some places, or all of it. Few inputs go to a
/// store, which takes a hundred times as long to make.
fn check_segment(bytes: &[u8]) {
    static WRITTEN: LazyLock<Vec<Written>> = LazyLock::new(written);
    let Some((&selector, rest)) = bytes.split_first() else { return };
    let written = &WRITTEN[usize::from(selector) % WRITTEN.len()];
    let mut entry = written.entry.clone();
    let damaged = match selector / 16 % 4 {
        0 => rest.to_vec(),
        1 => written.bytes[..written.bytes.len().saturating_sub(rest.len())].to_vec(),
        2 => [&written.bytes, rest].concat(),
        _ => edited(&written.bytes, rest),
    };
    if selector >= 0x80 {
        entry.bytes = damaged.len() as u64;
    }
    let check = if selector / 64 % 2 == 1 && rest.len() <= EDIT_BYTES { segments::check_file } else { segments::check_segment };
    check(&entry, &damaged, written);
}

fn edited(bytes: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut edited = bytes.to_vec();
    for edit in edits.chunks_exact(EDIT_BYTES) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) * (1 + bytes.len() / usize::from(u16::MAX));
        edited[place % bytes.len()] = edit[2];
    }
    edited
}

/// The versions of a row, which may be any bytes.
fn check_versions(bytes: &[u8]) {
    let row = OwnedRecord::new("s0", 1_000_000).with("end_time", 2_000_000).with("revision", 1);
    let other = row.clone().with("revision", 2).with_text("company", "a");
    versions::check_state(&row.view(), bytes, &aggcore::Versions::of(&other.view()));
}
