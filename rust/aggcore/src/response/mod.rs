//! From integer sums to answers: moving averages, ratios, rollups, orders, and the wire bytes of the response.
//!
//! Every function gives the bytes of the response message without its `range` and `notices`, which the
//! caller adds: protobuf messages merge.

mod active;
mod folder;
mod moving_average;
mod quality;
mod ratio;
mod sort;
mod tags;
mod usage;
mod wire_writer;

pub use active::{ActiveOptions, OrderTerm, build_active_response};
pub use folder::build_folder_response;
pub use quality::build_quality_response;
pub use usage::{UsageOptions, build_usage_response};
