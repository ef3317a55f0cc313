//! The measures of a traffic scan.

use crate::error::{Error, Result};
use crate::scan::CALL_COLUMNS;
use crate::scan::measure::Measured;

/// One thing to sum by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficMeasure {
    /// The number of records that satisfy a condition.
    Count(Condition),
    /// The sum of a value over the records that have it.
    Sum(RowValue),
    /// The distinct values of the records that have one, each with the number of these records.
    Values(RowValue),
    /// Microseconds of an interval within the bin, added up over the records that have it.
    Occupied(Interval),
    /// The number of records whose interval holds an instant, as a function of the instants in the bin.
    Occupancy(Interval),
}

/// A condition of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Condition {
    /// Always.
    All,
    /// It has an answer time.
    Answered,
    /// It is answered, and answer - setup <= `limit_us`.
    AnsweredWithin { limit_us: i64 },
    /// It is answered and ended, and end - answer < `limit_us`.
    Shorter { limit_us: i64 },
    /// It has a release cause.
    CauseKnown,
    /// Its release cause is one of `causes`, which ascend.
    CauseIn { causes: Vec<i64> },
    /// It is answered, or its release cause is one of `causes`, which ascend.
    Delivered { causes: Vec<i64> },
    /// It has a post-dial delay, [`RowValue::PddMs`].
    PddKnown,
    /// It has a time of ringing.
    Alerted,
    /// It is answered, and has a customer price.
    Priced,
    /// It is answered, and lacks a customer price or a vendor price.
    Unrated,
}

/// A value of a record. Milliseconds are rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowValue {
    /// Milliseconds from answer to end; none of a record that is not answered or not ended.
    DurationMs,
    /// Milliseconds from alert, without it from setup, to answer; none of a record that is not answered.
    RingMs,
    /// Milliseconds from setup to alert, without it to answer; none of a record with neither.
    PddMs,
    /// Customer price in units of 10^-9.
    CustomerPrice,
    /// Vendor price in units of 10^-9.
    VendorPrice,
    /// Customer price less vendor price; none without both, or if their currencies differ.
    Margin,
    /// Second of the setup, since 1970.
    SetupSecond,
    /// Milliseconds from the end until the store received it, rounded down to a multiple of 100; none of a record that is not
    /// ended.
    DelayMs,
}

/// What a record occupies, until its end, exclusive; an active one until the instant that the scan calls now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interval {
    /// From its answer on; none of a record that is not answered.
    Talk,
    /// From its setup on.
    Seized,
}

impl TrafficMeasure {
    /// The measure that the scan of the service gives by these names; `limit_us` and `causes` are for the conditions that
    /// need them.
    ///
    /// # Errors
    /// `Unknown` for a name that does not exist, or that does not go with the other.
    pub fn named(how: &str, what: &str, limit_us: i64, causes: Vec<i64>) -> Result<Self> {
        let unknown = || Error::Unknown { what: "measure", name: format!("{how} {what}") };
        let value = RowValue::named(what);
        let is_for_sum = matches!(value, Some(RowValue::CustomerPrice | RowValue::VendorPrice | RowValue::Margin));
        let is_for_values = matches!(value, Some(RowValue::SetupSecond | RowValue::DelayMs));
        match (how, Condition::named(what, limit_us, causes), value) {
            ("occupied", None, None) => Interval::named(what).map(Self::Occupied).ok_or_else(unknown),
            ("occupancy", None, None) => Interval::named(what).map(Self::Occupancy).ok_or_else(unknown),
            ("count", Some(condition), _) => Ok(Self::Count(condition)),
            ("sum", _, Some(value)) if !is_for_values => Ok(Self::Sum(value)),
            ("values", _, Some(value)) if !is_for_sum => Ok(Self::Values(value)),
            _ => Err(unknown()),
        }
    }

    /// The interval that it is of, if any.
    pub(super) fn interval(&self) -> Option<Interval> {
        match self {
            Self::Occupied(interval) | Self::Occupancy(interval) => Some(*interval),
            Self::Count(_) | Self::Sum(_) | Self::Values(_) => None,
        }
    }

    fn column_names(&self) -> &'static [&'static str] {
        match self {
            Self::Count(condition) => condition.column_names(),
            Self::Sum(value) | Self::Values(value) => value.column_names(),
            Self::Occupied(interval) | Self::Occupancy(interval) => interval.column_names(),
        }
    }
}

impl Condition {
    fn named(name: &str, limit_us: i64, mut causes: Vec<i64>) -> Option<Self> {
        causes.sort_unstable();
        Some(match name {
            "all" => Self::All,
            "answered" => Self::Answered,
            "answered_within" => Self::AnsweredWithin { limit_us },
            "shorter" => Self::Shorter { limit_us },
            "cause_known" => Self::CauseKnown,
            "cause_in" => Self::CauseIn { causes },
            "delivered" => Self::Delivered { causes },
            "pdd_known" => Self::PddKnown,
            "alerted" => Self::Alerted,
            "priced" => Self::Priced,
            "unrated" => Self::Unrated,
            _ => return None,
        })
    }

    fn column_names(&self) -> &'static [&'static str] {
        match self {
            Self::All => &[],
            Self::Answered | Self::Shorter { .. } => &CALL_COLUMNS,
            Self::AnsweredWithin { .. } => &["answer_time"],
            Self::CauseKnown | Self::CauseIn { .. } => &["disconnect_cause"],
            Self::Delivered { .. } => &["answer_time", "disconnect_cause"],
            Self::PddKnown => &["alert_time", "answer_time"],
            Self::Alerted => &["alert_time"],
            Self::Priced => &["answer_time", "customer_price"],
            Self::Unrated => &["answer_time", "customer_price", "vendor_price"],
        }
    }
}

impl RowValue {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "duration_ms" => Self::DurationMs,
            "ring_ms" => Self::RingMs,
            "pdd_ms" => Self::PddMs,
            "customer_price" => Self::CustomerPrice,
            "vendor_price" => Self::VendorPrice,
            "margin" => Self::Margin,
            "setup_second" => Self::SetupSecond,
            "delay_ms" => Self::DelayMs,
            _ => return None,
        })
    }

    fn column_names(self) -> &'static [&'static str] {
        match self {
            Self::DurationMs => &CALL_COLUMNS,
            Self::RingMs | Self::PddMs => &["alert_time", "answer_time"],
            Self::CustomerPrice => &["customer_price"],
            Self::VendorPrice => &["vendor_price"],
            Self::Margin => &["customer_price", "vendor_price", "currency", "vendor_currency"],
            Self::SetupSecond => &[],
            Self::DelayMs => &["end_time"],
        }
    }
}

impl Interval {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "talk" => Self::Talk,
            "seized" => Self::Seized,
            _ => return None,
        })
    }

    pub(super) fn column_names(self) -> &'static [&'static str] {
        match self {
            Self::Talk => &["answer_time", "end_time"],
            Self::Seized => &["end_time"],
        }
    }
}

impl Measured for &[TrafficMeasure] {
    fn column_names(&self) -> Vec<&'static str> {
        self.iter().flat_map(|measure| measure.column_names()).copied().collect()
    }
}
