//! The aggregation core of Pegcount: records in columns, scans over them, and the figures of the four reports.
//!
//! Data flows one way: wire bytes → `wire` → `durable` → `storage` → `scan` (integer sums per bin and group) →
//! `response` (ratios, order, wire bytes). The kernels in `scan` know no file, message, clock or time zone: they read
//! borrowed columns and ascending edges in microseconds UTC.
//!
//! Folders are layers. A file imports lower layers and its own folder, never a higher layer or another folder of the same
//! one; tests/test_tidy.py checks it. Lowest first:
//!
//! 1. `error`: everything that can fail.
//! 2. `cancellation`, `record`: deadlines; one record, its schema, its rules.
//! 3. `columns`, `time_text`: many records as columns, owned and borrowed; instants as text.
//! 4. `wire`: records and versions in the protobuf wire format.
//! 5. `scan`: predicates, selection, grouping, sums.
//! 6. `response`, `storage`: sums to answers; memtables, segments, rollups.
//! 7. `durable`: the journal and group commit.
//! 8. `python`: the boundary to Python, the only folder that knows PyO3.

pub mod cancellation;
pub mod columns;
pub mod durable;
pub mod error;
#[cfg(feature = "python")]
mod python;
pub mod record;
pub mod response;
pub mod scan;
pub mod storage;
pub mod time_text;
pub mod wire;
