//! Traffic scans: several measures at once, by keys that may be derived from columns.
//!
//! Selection and grouping are those of [`Scan`]. `measure` says what a row adds, `call_columns` and `loaded_rows` read it from
//! the columns of a slice, `accumulate` adds it to the cells of the slice, and `cells` holds the cells of all slices. A row of
//! a rollup adds what `rollup_sums` says.
//!
//! `answers` adds the measures that the servers of a cluster have formed for one scan.

mod accumulate;
mod answers;
mod call_columns;
mod cells;
mod loaded_rows;
mod measure;
mod partials;
mod rollup_sums;
mod scanner;

pub use answers::{KeyType, MeasureType, TrafficCells};
pub use measure::{Condition, RowValue, TrafficMeasure};
pub use partials::{MeasureValues, TrafficPartials, ValueCounts};
pub use rollup_sums::RollupSums;
pub use scanner::TrafficScanner;

use super::Scan;

/// A scan for several measures.
pub type TrafficScan<'a> = Scan<'a, &'a [TrafficMeasure]>;
