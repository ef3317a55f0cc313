//! Responses of the reports and of traffic questions: from the integer sums of a scan to ratios, subtotals, order and encoded
//! protobuf.
//!
//! Each `build_*` function returns an encoded response message without the fields that only its caller knows:
//! `range`, `notices` and `as_of`. The caller encodes these as a message of the same type and puts them before the others. No
//! field is in both parts, as parsers exist that do not merge a message field that occurs twice.

mod active;
mod answer;
mod figures;
mod folder;
mod group_ids;
mod moving_average;
mod quality;
mod ratio;
mod rollup;
mod sort;
mod sort_keys;
mod tags;
mod traffic;
mod usage;
mod wire_writer;

pub use active::{ActiveOptions, OrderTerm, build_active_response};
pub use answer::{AnswerLimits, Unlimited};
pub use figures::Figures;
pub use folder::build_folder_response;
pub use quality::build_quality_response;
pub use traffic::{
    ComparedTraffic, Figure, FigureParameters, Fold, RankedGroups, TrafficColumn, TrafficOptions, build_traffic_response, folded,
    rank_groups,
};
pub use usage::{UsageOptions, build_usage_response};
