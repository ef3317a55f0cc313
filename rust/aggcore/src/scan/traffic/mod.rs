//! Traffic scans: several measures at once, by keys that may be derived from columns.
//!
//! Selection and grouping are those of [`Scan`]. `measure` says what a row adds, `call_columns` and `loaded_rows` read it from
//! the columns of a slice, `accumulate` adds it to the cells of the slice, and `cells` holds the cells of all slices. A row of
//! a rollup adds what `rollup_sums` says.
//!
//! `intervals` splits a scan for measures of intervals in two: those are found by a scan of their own, `interval_scanner`, which
//! `interval_accumulator`, `interval_cells` and `sweep` turn into cells; without keys, `running_sweep` does so while it reads.
//!
//! `answers` adds the measures that the servers of a cluster have formed for one scan.

mod accumulate;
mod answers;
mod both;
mod call_columns;
mod cells;
mod instants;
mod interval_accumulator;
mod interval_cells;
mod interval_scanner;
mod intervals;
mod loaded_rows;
mod measure;
mod partials;
mod rollup_sums;
mod running_sweep;
mod runs;
mod scanner;
mod step_cells;
mod step_changes;
mod sweep;

pub use answers::{KeyType, MeasureType, TrafficCells};
pub use interval_scanner::IntervalScanner;
pub use intervals::{IntervalQuestion, Occupancy};
pub use measure::{Condition, Interval, RowValue, TrafficMeasure};
pub use partials::{MeasureValues, TrafficPartials, ValueCounts};
pub use rollup_sums::RollupSums;
pub use running_sweep::RunningSweep;
pub use scanner::TrafficScanner;
pub use step_changes::StepChanges;

use super::Scan;

/// A scan for several measures.
pub type TrafficScan<'a> = Scan<'a, &'a [TrafficMeasure]>;
