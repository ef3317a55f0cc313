//! The aggregation core of Pegcount: records in columns, scans over them, and the figures of the four reports.
//!
//! Data flows one way: wire bytes → [`batch`] → [`store`] ([`table`]s in memory, sealed [`segment`]s) →
//! [`scan`] (integer sums per bin and group) → [`finish`] (ratios, order, wire bytes).
//! The kernels ([`scan`], [`filter`], [`finish`]) know no file, message, clock or zone.

pub mod arrays;
pub mod batch;
pub mod bitmap;
pub mod bytes_column;
pub mod category;
pub mod cells;
pub mod choose;
pub mod column;
pub mod commit;
pub mod cube;
pub mod decimal;
pub mod deck;
pub mod dictionary;
pub mod error;
pub mod export;
pub mod fields;
pub mod filter;
pub mod finish;
pub mod group;
pub mod ints;
pub mod journal;
pub mod lanes;
pub mod measure;
#[cfg(feature = "python")]
mod memory;
pub mod minutes;
pub mod numbers;
pub mod part;
mod partials;
#[cfg(feature = "python")]
mod processor;
#[cfg(feature = "python")]
mod python;
pub mod record;
pub mod scan;
pub mod schema;
pub mod segment;
pub mod stop;
pub mod store;
pub mod sums;
pub mod table;
pub mod talk;
pub mod time_text;
pub mod versions;
pub mod wire;
