//! The aggregation core of Pegcount: records in columns, scans over them, and the figures of the four reports.
//!
//! Data flows one way: wire bytes → [`wire`] → [`durable`] → [`storage`] → [`scan`] (integer sums per bin and group)
//! → [`response`] (ratios, order, wire bytes).
//!
//! Folders are layers; a lower one never imports a higher one: [`record`] < [`columns`] < [`wire`] < [`scan`] <
//! [`response`] and [`storage`] < [`durable`] < `python`.

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
