//! From integer sums to answers: moving averages, ratios, rollups, orders, and the wire bytes of the response.
//!
//! Every function gives the bytes of the response message without its `range` and `notices`, which the
//! caller adds: protobuf messages merge.

mod active;
mod folder;
mod quality;
mod ratio;
mod sort;
mod usage;
mod wire_writer;

pub use active::{ActiveFinish, OrderTerm, finish_active};
pub use folder::finish_folder;
pub use quality::finish_quality;
pub use usage::{UsageFinish, finish_usage};
