//! Cells added up: those of all bins of a group, or of several groups.

use super::figure::{Figure, Need, steps_of, sum_of, values_of};
use crate::error::{Error, Result};
use crate::interruptible_sort::sort_interruptibly;
use crate::memory::Reservation;
use crate::response::answer::AnswerLimits;
use crate::scan::traffic::{MeasureValues, StepChanges, ValueCounts};

/// A cell to add.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    /// Measures by cell.
    pub measures: &'a [MeasureValues],
    /// The cell.
    pub cell: usize,
}

/// Sums of cells. Each has the measures that some figures need, and nothing of the others.
pub struct AddedCells<'a> {
    /// By measure of the scan, the sums of each [`AddedCells::push`].
    pub measures: Vec<MeasureValues>,
    needs: Vec<Need>,
    /// Values of the terms, each with its count.
    pairs: Vec<(i64, u64)>,
    /// Instants of the terms, each with its change.
    steps: Vec<(i64, i64)>,
    limits: AnswerLimits<'a>,
    memory: Reservation,
    term_count: usize,
}

impl<'a> AddedCells<'a> {
    /// No sums yet, of what `figures` need of `measure_count` measures.
    pub fn new<'f>(measure_count: usize, figures: impl Iterator<Item = &'f Figure>, limits: AnswerLimits<'a>) -> Self {
        let mut needs = vec![Need::Nothing; measure_count];
        figures.flat_map(Figure::needs).for_each(|(measure, need)| needs[measure] = need);
        Self::of_needs(needs, limits)
    }

    /// No sums yet, of all measures of some cells.
    pub fn of_all(measures: &[MeasureValues], limits: AnswerLimits<'a>) -> Self {
        let needs = measures.iter().map(|measure| match measure {
            MeasureValues::Sums(_) => Need::Sum,
            MeasureValues::Values(_) => Need::Values,
            MeasureValues::Steps(_) => Need::Steps,
        });
        Self::of_needs(needs.collect(), limits)
    }

    fn of_needs(needs: Vec<Need>, limits: AnswerLimits<'a>) -> Self {
        let measures = needs.iter().map(|need| match need {
            Need::Nothing | Need::Sum => MeasureValues::Sums(Vec::new()),
            Need::Values => MeasureValues::Values(ValueCounts::default()),
            Need::Steps => MeasureValues::Steps(StepChanges::default()),
        });
        let (measures, memory) = (measures.collect(), limits.memory.reservation());
        Self { measures, needs, pairs: Vec::new(), steps: Vec::new(), limits, memory, term_count: 0 }
    }

    /// Returns the sums, which the query holds until it ends.
    ///
    /// # Errors
    /// A memory limit.
    pub fn into_measures(mut self) -> Result<Vec<MeasureValues>> {
        (self.pairs, self.steps) = (Vec::new(), Vec::new());
        self.hold()?;
        self.memory.keep();
        Ok(self.measures)
    }

    /// Appends the sum of cells.
    ///
    /// # Errors
    /// `InvalidPartials` if a sum exceeds 128 bits or a count 64; a memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn push<'t>(&mut self, terms: impl Iterator<Item = Term<'t>> + Clone) -> Result<()> {
        for measure in 0..self.needs.len() {
            match self.needs[measure] {
                Need::Nothing => {}
                Need::Sum => self.push_sum(measure, terms.clone())?,
                Need::Values => self.push_values(measure, terms.clone())?,
                Need::Steps => self.push_steps(measure, terms.clone())?,
            }
        }
        Ok(())
    }

    fn push_sum<'t>(&mut self, measure: usize, terms: impl Iterator<Item = Term<'t>>) -> Result<()> {
        let mut total = 0i128;
        for term in terms {
            self.check_cancel()?;
            let added = total.checked_add(sum_of(&term.measures[measure], Some(term.cell)));
            total = added.ok_or_else(|| invalid("a sum exceeds 128 bits"))?;
        }
        if let MeasureValues::Sums(sums) = &mut self.measures[measure] {
            sums.push(total);
        }
        self.hold()
    }

    fn push_values<'t>(&mut self, measure: usize, terms: impl Iterator<Item = Term<'t>>) -> Result<()> {
        self.pairs.clear();
        let mut is_sorted = true;
        for term in terms {
            self.check_cancel()?;
            let (values, counts) = values_of(&term.measures[measure], Some(term.cell));
            is_sorted &= self.pairs.is_empty() || values.is_empty();
            self.pairs.extend(values.iter().copied().zip(counts.iter().copied()));
            self.hold()?;
        }
        if !is_sorted {
            sort_interruptibly(&mut self.pairs, self.limits.cancel)?;
        }
        if let MeasureValues::Values(added) = &mut self.measures[measure] {
            for run in self.pairs.chunk_by(|left, right| left.0 == right.0) {
                let count = run.iter().try_fold(0u64, |count, (_, more)| count.checked_add(*more));
                added.values.push(run[0].0);
                added.counts.push(count.ok_or_else(|| invalid("a count exceeds 64 bits"))?);
            }
            added.ends.push(added.values.len());
        }
        self.hold()
    }

    fn push_steps<'t>(&mut self, measure: usize, terms: impl Iterator<Item = Term<'t>>) -> Result<()> {
        self.steps.clear();
        let mut is_sorted = true;
        for term in terms {
            self.check_cancel()?;
            let (at_us, changes) = steps_of(&term.measures[measure], Some(term.cell));
            is_sorted &= self.steps.is_empty() || at_us.is_empty();
            self.steps.extend(at_us.iter().copied().zip(changes.iter().copied()));
            self.hold()?;
        }
        if !is_sorted {
            sort_interruptibly(&mut self.steps, self.limits.cancel)?;
        }
        if let MeasureValues::Steps(added) = &mut self.measures[measure] {
            for run in self.steps.chunk_by(|left, right| left.0 == right.0) {
                let change = run.iter().try_fold(0i64, |change, (_, more)| change.checked_add(*more));
                let change = change.ok_or_else(|| invalid("a change exceeds 64 bits"))?;
                // An interval that ends where another one begins, or goes on in the next bin, changes nothing.
                if change != 0 {
                    added.at_us.push(run[0].0);
                    added.changes.push(change);
                }
            }
            added.ends.push(added.at_us.len());
        }
        self.hold()
    }

    fn check_cancel(&mut self) -> Result<()> {
        self.term_count += 1;
        self.limits.cancel.check_at(self.term_count)
    }

    /// Holds the memory of the sums, and of values and steps with the copy that sorting takes.
    fn hold(&mut self) -> Result<()> {
        let bytes = |measure: &MeasureValues| match measure {
            MeasureValues::Sums(sums) => sums.capacity() * size_of::<i128>(),
            MeasureValues::Values(added) => {
                added.ends.capacity() * size_of::<usize>() + added.values.capacity() * size_of::<(i64, u64)>()
            }
            MeasureValues::Steps(added) => {
                added.ends.capacity() * size_of::<usize>() + added.at_us.capacity() * size_of::<(i64, i64)>()
            }
        };
        let sums_bytes: usize = self.measures.iter().map(bytes).sum();
        let sorted_count = self.pairs.capacity() + self.steps.capacity();
        self.memory.resize(sums_bytes + 2 * sorted_count * size_of::<(i64, u64)>())
    }
}

fn invalid(problem: &str) -> Error {
    Error::InvalidPartials(problem.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::super::super::answer::Unlimited;
    use super::*;

    #[test]
    fn values_are_added_as_multisets() {
        let cells = [MeasureValues::Values(ValueCounts {
            ends: vec![3, 3, 5],
            values: vec![1, 5, 9, 5, 7],
            counts: vec![2, 3, 1, 2, 4],
        })];
        let (unlimited, figure) = (Unlimited::default(), Figure::Busiest { measure: 0 });
        let mut added = AddedCells::new(1, [figure].iter(), unlimited.limits());
        added.push([2, 1, 0].map(|cell| Term { measures: &cells, cell }).into_iter()).unwrap();
        added.push(std::iter::empty()).unwrap();
        let sums = std::mem::take(&mut added.measures);
        assert_eq!(values_of(&sums[0], Some(0)), ([1, 5, 7, 9].as_slice(), [2, 5, 4, 1].as_slice()));
        assert_eq!(values_of(&sums[0], Some(1)), ([].as_slice(), [].as_slice()));
    }
}
