//! Figures: what a metric is of the measures of a cell.

use super::exact_ratio::exact_ratio;
use crate::error::{Error, Result};
use crate::scan::traffic::{MeasureValues, TrafficPartials};

/// How a metric follows from measures, given by their numbers in the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A whole number.
    Integer {
        /// The measure.
        measure: usize,
    },
    /// `first` less `second`, a whole number.
    Difference {
        /// The minuend.
        first: usize,
        /// The subtrahend.
        second: usize,
    },
    /// `multiplier * first / (divisor * second)`, the nearest double; none if `second` is 0, or `only_with`.
    Ratio {
        /// The measure of the numerator.
        first: usize,
        /// The measure of the denominator.
        second: usize,
        /// Factor of the numerator.
        multiplier: i64,
        /// Factor of the denominator, not 0.
        divisor: i64,
        /// The measure without which the ratio has no value.
        only_with: Option<usize>,
    },
    /// `multiplier` times the measure per microsecond that is covered, the nearest double; none if these are 0.
    Rate {
        /// The measure.
        measure: usize,
        /// Factor of the measure.
        multiplier: i64,
    },
    /// An amount in units of 10^-9.
    Money {
        /// The measure.
        measure: usize,
    },
    /// The nearest rank, a whole number; none without values.
    Percentile {
        /// The measure, of values.
        measure: usize,
        /// 1 to 100.
        percent: u64,
    },
    /// The greatest count among the values, a whole number.
    Busiest {
        /// The measure, of values.
        measure: usize,
    },
    /// The greatest number of intervals that hold an instant, a whole number.
    Peak {
        /// The measure, of steps.
        measure: usize,
    },
    /// The first instant that as many hold, a whole number; none if that is 0.
    PeakAt {
        /// The measure, of steps.
        measure: usize,
    },
}

/// The value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    None,
    /// 0 or more.
    Integer(i64),
    Double(f64),
    /// Units of 10^-9.
    Amount(i128),
}

/// What a column is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueClass {
    Integers,
    Doubles,
    Decimals,
}

/// What is needed of a measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    #[default]
    Nothing,
    Sum,
    Values,
    Steps,
}

/// The parameters of a figure; its form says which of them count.
#[derive(Clone, Debug)]
pub struct FigureParameters {
    /// Name of the form.
    pub form: String,
    /// The measure that comes first, or the only one.
    pub first: usize,
    /// See [`Figure`].
    pub second: usize,
    /// See [`Figure`].
    pub multiplier: i64,
    /// See [`Figure`].
    pub divisor: i64,
    /// See [`Figure`].
    pub percent: u64,
    /// See [`Figure`].
    pub only_with: Option<usize>,
}

impl TryFrom<FigureParameters> for Figure {
    type Error = Error;

    fn try_from(parameters: FigureParameters) -> Result<Self> {
        let FigureParameters { form, first, second, multiplier, divisor, percent, only_with } = parameters;
        Ok(match form.as_str() {
            "integer" => Self::Integer { measure: first },
            "difference" => Self::Difference { first, second },
            "ratio" => Self::Ratio { first, second, multiplier, divisor, only_with },
            "rate" => Self::Rate { measure: first, multiplier },
            "money" => Self::Money { measure: first },
            "percentile" if (1..=100).contains(&percent) => Self::Percentile { measure: first, percent },
            "percentile" => return Err(Error::Unknown { what: "percentile", name: percent.to_string() }),
            "busiest" => Self::Busiest { measure: first },
            "peak" => Self::Peak { measure: first },
            "peak_at" => Self::PeakAt { measure: first },
            _ => return Err(Error::Unknown { what: "form of a figure", name: form }),
        })
    }
}

impl Figure {
    /// Returns the value of a cell that covers some microseconds; `None` is a cell without records.
    ///
    /// # Errors
    /// `InvalidPartials` if a whole number is not one from 0 to 2^63 - 1.
    pub fn value(&self, measures: &[MeasureValues], cell: Option<usize>, covered_us: i64) -> Result<Value> {
        let sum = |measure: usize| sum_of(&measures[measure], cell);
        Ok(match *self {
            Self::Integer { measure } => Value::Integer(whole(Some(sum(measure)))?),
            Self::Difference { first, second } => Value::Integer(whole(sum(first).checked_sub(sum(second)))?),
            Self::Ratio { only_with: Some(measure), .. } if sum(measure) == 0 => Value::None,
            Self::Ratio { first, second, multiplier, divisor, .. } => {
                exact_ratio(multiplier, sum(first), divisor, sum(second)).map_or(Value::None, Value::Double)
            }
            Self::Rate { measure, multiplier } => {
                exact_ratio(multiplier, sum(measure), 1, covered_us.into()).map_or(Value::None, Value::Double)
            }
            Self::Money { measure } => Value::Amount(sum(measure)),
            Self::Percentile { measure, percent } => match nearest_rank(values_of(&measures[measure], cell), percent) {
                Some(value) => Value::Integer(whole(Some(value.into()))?),
                None => Value::None,
            },
            Self::Busiest { .. } | Self::Peak { .. } | Self::PeakAt { .. } => {
                self.of_greatest_bin(std::iter::once((measures, cell)))?
            }
        })
    }

    /// Whether the value over several bins is that of the one with the greatest, and does not follow from their measures.
    pub fn is_of_greatest_bin(&self) -> bool {
        matches!(self, Self::Busiest { .. } | Self::Peak { .. } | Self::PeakAt { .. })
    }

    /// Returns the value over several bins of a figure that is that of the first bin with the greatest, given the measures and
    /// the cell of each.
    ///
    /// # Errors
    /// As [`Figure::value`].
    pub fn of_greatest_bin<'m>(&self, bins: impl Iterator<Item = (&'m [MeasureValues], Option<usize>)>) -> Result<Value> {
        let mut greatest = (0, None);
        for (measures, cell) in bins {
            let found = match *self {
                Self::Busiest { measure } => busiest(values_of(&measures[measure], cell)),
                Self::Peak { measure } | Self::PeakAt { measure } => peak(steps_of(&measures[measure], cell)),
                Self::Integer { .. }
                | Self::Difference { .. }
                | Self::Ratio { .. }
                | Self::Rate { .. }
                | Self::Money { .. }
                | Self::Percentile { .. } => (0, None),
            };
            greatest = if found.0 > greatest.0 { found } else { greatest };
        }
        match (self, greatest) {
            (Self::PeakAt { .. }, (_, None)) => Ok(Value::None),
            (Self::PeakAt { .. }, (_, Some(at_us))) => Ok(Value::Integer(whole(Some(at_us.into()))?)),
            (_, (count, _)) => Ok(Value::Integer(whole(Some(count))?)),
        }
    }

    /// Whether it tells by how much two of its values differ.
    pub fn has_change(&self) -> bool {
        !matches!(self, Self::PeakAt { .. })
    }

    /// What its values are written as.
    pub fn class(&self) -> ValueClass {
        match self {
            Self::Integer { .. }
            | Self::Difference { .. }
            | Self::Percentile { .. }
            | Self::Busiest { .. }
            | Self::Peak { .. }
            | Self::PeakAt { .. } => ValueClass::Integers,
            Self::Ratio { .. } | Self::Rate { .. } => ValueClass::Doubles,
            Self::Money { .. } => ValueClass::Decimals,
        }
    }

    /// Measures that the figure is computed from, and what it needs of them.
    pub fn needs(&self) -> Vec<(usize, Need)> {
        match *self {
            Self::Integer { measure } | Self::Rate { measure, .. } | Self::Money { measure } => vec![(measure, Need::Sum)],
            Self::Difference { first, second } => vec![(first, Need::Sum), (second, Need::Sum)],
            Self::Ratio { first, second, only_with, .. } => {
                [Some(first), Some(second), only_with].into_iter().flatten().map(|measure| (measure, Need::Sum)).collect()
            }
            Self::Percentile { measure, .. } | Self::Busiest { measure } => vec![(measure, Need::Values)],
            Self::Peak { measure } | Self::PeakAt { measure } => vec![(measure, Need::Steps)],
        }
    }

    /// Checks that partials have the measures of the figure.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check(&self, partials: &TrafficPartials) -> Result<()> {
        // The measures of an answer without cells may be of either class.
        let has = |(measure, need): (usize, Need)| match partials.measures.get(measure) {
            Some(MeasureValues::Sums(_)) => need == Need::Sum || partials.cell_count() == 0,
            Some(MeasureValues::Values(_)) => need == Need::Values || partials.cell_count() == 0,
            Some(MeasureValues::Steps(_)) => need == Need::Steps || partials.cell_count() == 0,
            None => false,
        };
        match self.needs().into_iter().find(|&need| !has(need)) {
            Some((measure, need)) => Err(Error::InvalidPartials(format!("measure {measure} does not have what {need:?} needs"))),
            None => Ok(()),
        }
    }
}

impl Value {
    /// Returns the value as an integer that compares as it does.
    pub fn order(self) -> Option<i128> {
        match self {
            Self::None => None,
            Self::Integer(value) => Some(value.into()),
            Self::Amount(value) => Some(value),
            Self::Double(value) => {
                // As f64::total_cmp: the bits of negative doubles descend.
                let bits = value.to_bits() as i64;
                Some((bits ^ ((bits >> 63) as u64 >> 1) as i64).into())
            }
        }
    }
}

/// The sum of a cell; 0 without records.
pub fn sum_of(measure: &MeasureValues, cell: Option<usize>) -> i128 {
    match (measure, cell) {
        (MeasureValues::Sums(sums), Some(cell)) => sums[cell],
        (MeasureValues::Sums(_), None) | (MeasureValues::Values(_) | MeasureValues::Steps(_), _) => 0,
    }
}

/// The values of a cell, ascending, and their counts.
pub fn values_of(measure: &MeasureValues, cell: Option<usize>) -> (&[i64], &[u64]) {
    match (measure, cell) {
        (MeasureValues::Values(values), Some(cell)) => values.of(cell),
        (MeasureValues::Values(_), None) | (MeasureValues::Sums(_) | MeasureValues::Steps(_), _) => (&[], &[]),
    }
}

/// The instants of a cell at which its number of intervals changes, ascending, and the changes.
pub fn steps_of(measure: &MeasureValues, cell: Option<usize>) -> (&[i64], &[i64]) {
    match (measure, cell) {
        (MeasureValues::Steps(steps), Some(cell)) => steps.of(cell),
        (MeasureValues::Steps(_), None) | (MeasureValues::Sums(_) | MeasureValues::Values(_), _) => (&[], &[]),
    }
}

/// Returns the greatest count and its value, 0 without values.
fn busiest((values, counts): (&[i64], &[u64])) -> (i128, Option<i64>) {
    values.iter().zip(counts).fold(
        (0, None),
        |greatest, (&value, &count)| {
            if i128::from(count) > greatest.0 { (count.into(), Some(value)) } else { greatest }
        },
    )
}

/// Returns the greatest number of intervals that hold an instant, and the first such instant, 0 without changes.
fn peak((at_us, changes): (&[i64], &[i64])) -> (i128, Option<i64>) {
    let (mut count, mut greatest) = (0i128, (0, None));
    for (&at_us, &change) in at_us.iter().zip(changes) {
        count += i128::from(change);
        if count > greatest.0 {
            greatest = (count, Some(at_us));
        }
    }
    greatest
}

/// Returns value number ceil(percent * n / 100) of the n values, in which each counts as often as it occurs.
fn nearest_rank((values, counts): (&[i64], &[u64]), percent: u64) -> Option<i64> {
    let total: u64 = counts.iter().sum();
    let rank = (u128::from(total) * u128::from(percent)).div_ceil(100);
    let mut reached = 0u128;
    let mut with_counts = values.iter().zip(counts);
    let found = with_counts.find(|&(_, &count)| {
        reached += u128::from(count);
        reached >= rank
    });
    found.map(|(&value, _)| value)
}

/// Returns a whole number as answers have it; -1 means that there is none.
fn whole(value: Option<i128>) -> Result<i64> {
    let fitting = value.and_then(|value| i64::try_from(value).ok()).filter(|&value| value >= 0);
    fitting.ok_or_else(|| Error::InvalidPartials("a figure is not from 0 to 2^63 - 1".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_counts_each_value_as_often_as_it_occurs() {
        let delays = [800, 900, 1_000, 1_200, 1_500, 1_800, 2_400, 3_100, 5_200, 11_000];
        let percentile = |percent| nearest_rank((&delays, &[1; 10]), percent);
        assert_eq!([50, 90, 95, 1].map(percentile), [1_500, 5_200, 11_000, 800].map(Some));
        assert_eq!(nearest_rank((&[3, 7], &[99, 1]), 99), Some(3));
        assert_eq!(nearest_rank((&[3, 7], &[98, 1]), 99), Some(7));
        assert_eq!(nearest_rank((&[], &[]), 50), None);
    }

    #[test]
    fn a_peak_is_at_the_first_instant_that_has_it() {
        assert_eq!(peak((&[-5, 0, 3, 4, 9], &[1, 2, -2, 2, -3])), (3, Some(0)));
        assert_eq!(peak((&[], &[])), (0, None));
    }

    #[test]
    fn doubles_are_ordered_by_their_values() {
        let ascending = [-2.5, -1.0, -f64::MIN_POSITIVE, 0.0, f64::MIN_POSITIVE, 0.5, 100.0, f64::MAX];
        assert!(ascending.map(|value| Value::Double(value).order()).is_sorted());
        assert_eq!(Value::None.order(), None);
    }
}
