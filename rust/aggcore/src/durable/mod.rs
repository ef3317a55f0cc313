//! Durable writes: a batch is in the journal, synced to disk, before any report can see it.
//!
//! [`group_commit`] accepts batches and commits them in groups; `back_pressure` bounds the queue of batches
//! that wait; [`journal`] is the write-ahead log on disk; `disk_fault` handles a full disk and other failed
//! writes; `required_files` notices files that another program removed; `sync` has the locks. `commit_counters`
//! counts for the metrics.

pub mod commit_counters;
pub mod group_commit;
pub mod journal;
pub mod required_files;

mod back_pressure;
mod disk_fault;
mod sync;
