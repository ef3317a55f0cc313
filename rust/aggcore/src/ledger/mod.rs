//! The ledger: the records of a cluster as signed rows, one of which stands per merged record.
//!
//! A change is one insert of "-old, +new" and a marker, so that each sum over all rows, times their sign, is that over the
//! records. `columns.rs` names the columns, `live_rows.rs` reads rows and `block_rows.rs` writes them, in blocks of
//! [`crate::native`]. A [`LedgerGroup`] has batches that are committed together: `shard.rs` plans the commits of one shard,
//! in which `key_merge.rs` merges the versions of each key with its rows (`standing.rs`). `rewrite.rs` deletes and scrubs,
//! and `archive.rs` passes rows on to another store.
//!
//! The rules of versions, corrections, deletions and scrubbing are those of [`crate::wire`], [`crate::record`] and
//! [`crate::storage`]: both stores give the same answers.

mod archive;
mod batch;
mod block_rows;
mod columns;
mod group;
mod key_merge;
mod live_rows;
mod rewrite;
mod rules;
mod shard;
mod standing;
#[cfg(test)]
mod tests;

pub use archive::archive_rows;
pub use batch::{LedgerBatch, LedgerLimits};
pub use columns::columns;
pub use group::{GroupBatch, LedgerGroup, PlanRequest};
pub use rewrite::{LedgerRewrite, RewriteCommit, count_parties, rewrite_rows};
pub use rules::LedgerRules;
pub use shard::{DayCommit, Lookup, Plan};
