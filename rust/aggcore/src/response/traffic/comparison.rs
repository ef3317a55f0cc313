//! The figures of an earlier range for the groups and bins of an answer, and how they changed.

use super::TrafficOptions;
use super::columns::{TrafficColumn, put_changes, put_column};
use super::exact_ratio::exact_ratio;
use super::figure::Value;
use super::groups::CellGroups;
use super::measures::{AnswerMeasures, Sources};
use super::{check_measures, invalid};
use crate::error::Result;
use crate::response::answer::{AnswerLimits, AnswerWriter};
use crate::response::tags::traffic_comparison as tags;
use crate::response::wire_writer::ColumnWriter;
use crate::scan::predicate::KeyValue;
use crate::scan::traffic::TrafficPartials;

/// The earlier range that an answer is compared with.
pub struct ComparedTraffic<'a> {
    /// A `TrafficComparison` with the range, encoded.
    pub header: &'a [u8],
    /// Measures of groups.
    pub partials: &'a TrafficPartials,
    /// Measures by bin of the groups that `partials` lack, without keys; `None` if they lack none.
    pub rest: Option<&'a TrafficPartials>,
    /// Microseconds that each earlier bin covers.
    pub covered_us: &'a [i64],
    /// Edges of the earlier calendar bins, in microseconds UTC: one more than bins, or none.
    pub calendar_us: &'a [i64],
    /// By bin of the answer: the earlier bin that belongs to it, -1 without one.
    pub pair: &'a [i64],
}

/// The measures of an earlier range.
pub struct EarlierMeasures<'a> {
    compared: &'a ComparedTraffic<'a>,
    measures: AnswerMeasures<'a>,
}

/// The figures of an answer in one of its three lists, by their numbers there.
struct Figures<'f> {
    tag: u32,
    change_tag: u32,
    count: usize,
    now: &'f dyn Fn(&TrafficColumn, usize) -> Result<Value>,
    then: &'f dyn Fn(&TrafficColumn, usize) -> Result<Value>,
}

impl ComparedTraffic<'_> {
    /// Checks that the parts fit each other and the answer.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check(&self, partials: &TrafficPartials, options: &TrafficOptions<'_>) -> Result<()> {
        let bin_count = self.covered_us.len();
        if bin_count != self.calendar_us.len().saturating_sub(1) {
            return Err(invalid("the earlier bins have other edges than the calendar"));
        }
        let fits = |&bin: &i64| bin == -1 || usize::try_from(bin).is_ok_and(|bin| bin < bin_count);
        if self.pair.len() != options.bin_count() || !self.pair.iter().all(fits) {
            return Err(invalid("the earlier bins do not belong to those of the answer"));
        }
        if self.partials.keys.len() != partials.keys.len() || self.partials.measures.len() != partials.measures.len() {
            return Err(invalid("the earlier groups have other keys or measures"));
        }
        check_measures(self.partials, self.rest, bin_count, options.columns)
    }
}

impl<'a> EarlierMeasures<'a> {
    /// Adds the measures up for the groups that an answer shows, and for all others if it has these as one more.
    ///
    /// # Errors
    /// `InvalidPartials` if a sum exceeds 128 bits or a count 64; a memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn new(
        compared: &'a ComparedTraffic<'a>, shown: &[Vec<KeyValue<'_>>], options: &TrafficOptions<'a>, has_other: bool,
        limits: AnswerLimits<'a>,
    ) -> Result<Self> {
        let ComparedTraffic { partials, rest, covered_us, .. } = *compared;
        let groups = CellGroups::new(partials, options.resources, limits)?;
        let (places, shown_count) = (groups.places(shown), shown.len());
        let grid = groups.grid(&places, shown_count, covered_us.len(), limits)?;
        let sources = Sources { covered_us, partials, rest, columns: options.columns, shown_count, has_other };
        Ok(Self { compared, measures: AnswerMeasures::new(sources, grid, limits)? })
    }

    /// Appends the fields of a `TrafficComparison` with the answer of `now`.
    ///
    /// # Errors
    /// As [`Figure::value`](super::Figure::value); `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn put(
        &self, out: &mut AnswerWriter<'_>, now: &AnswerMeasures<'_>, columns: &[TrafficColumn], limits: AnswerLimits<'_>,
    ) -> Result<()> {
        let (then, pair) = (&self.measures, self.compared.pair);
        let (bin_count, group_count) = (now.bin_count(), now.group_count());
        out.put_fields(|out| out.extend_from_slice(&self.head()));
        let cells = Figures {
            tag: tags::COLUMNS,
            change_tag: tags::CHANGES,
            count: group_count * bin_count,
            now: &|column, number| now.value(column, number / bin_count, number % bin_count),
            then: &|column, number| match usize::try_from(pair[number % bin_count]) {
                Ok(bin) => then.value(column, number / bin_count, bin),
                Err(_) => Ok(Value::None),
            },
        };
        let groups = Figures {
            tag: tags::GROUP_TOTALS,
            change_tag: tags::GROUP_TOTAL_CHANGES,
            count: group_count,
            now: &|column, group| now.group_total(column, group),
            then: &|column, group| then.group_total(column, group),
        };
        let all = Figures {
            tag: tags::TOTALS,
            change_tag: tags::TOTAL_CHANGES,
            count: 1,
            now: &|column, _| now.total(column),
            then: &|column, _| then.total(column),
        };
        let lists = [cells, groups, all];
        lists.iter().try_for_each(|figures| figures.put(out, columns, limits))?;
        lists.iter().try_for_each(|figures| figures.put_changes(out, columns, limits))
    }

    /// The range, and the start of the earlier bin of each bin.
    fn head(&self) -> Vec<u8> {
        let start = |&bin: &i64| match usize::try_from(bin) {
            Ok(bin) => self.compared.calendar_us[bin].div_euclid(1_000_000),
            Err(_) => -1,
        };
        let mut columns = ColumnWriter::after(self.compared.header.to_vec());
        columns.put_packed_int64s(tags::T, self.compared.pair.iter().map(start));
        columns.into_bytes()
    }
}

impl Figures<'_> {
    fn put(&self, out: &mut AnswerWriter<'_>, columns: &[TrafficColumn], limits: AnswerLimits<'_>) -> Result<()> {
        let mut columns = columns.iter();
        columns.try_for_each(|column| put_column(out, self.tag, column, self.count, |n| (self.then)(column, n), limits))
    }

    fn put_changes(&self, out: &mut AnswerWriter<'_>, columns: &[TrafficColumn], limits: AnswerLimits<'_>) -> Result<()> {
        columns.iter().try_for_each(|column| {
            let change = |number| match column.figure.has_change() {
                true => Ok(change((self.now)(column, number)?, (self.then)(column, number)?)),
                false => Ok(None),
            };
            put_changes(out, self.change_tag, self.count, change, limits)
        })
    }
}

/// Returns the change in percent, `None` without both values or where the earlier one is 0. That of whole numbers and amounts is
/// the nearest double.
fn change(now: Value, then: Value) -> Option<f64> {
    let of_integers = |now: i128, then: i128| exact_ratio(100, now.checked_sub(then)?, 1, then);
    match (now, then) {
        (Value::Integer(now), Value::Integer(then)) => of_integers(now.into(), then.into()),
        (Value::Amount(now), Value::Amount(then)) => of_integers(now, then),
        (Value::Double(now), Value::Double(then)) if then != 0.0 => Some(100.0 * (now - then) / then),
        (Value::None | Value::Integer(_) | Value::Double(_) | Value::Amount(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_relative_to_the_earlier_value() {
        assert_eq!(change(Value::Integer(3), Value::Integer(2)), Some(50.0));
        assert_eq!(change(Value::Integer(1), Value::Integer(3)), Some(-200.0 / 3.0));
        assert_eq!(change(Value::Amount(-3), Value::Amount(-2)), Some(50.0));
        assert_eq!(change(Value::Double(1.5), Value::Double(-3.0)), Some(-150.0));
        for none in [Value::None, Value::Integer(0), Value::Double(0.0)] {
            assert_eq!(change(none, none), None);
            assert_eq!(change(Value::Integer(1), none), None);
        }
    }
}
