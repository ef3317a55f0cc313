//! Which rows of a part count, a chunk at a time: alive, within the time asked for, and meeting all conditions.

use std::ops::Range;

use crate::error::Result;
use crate::filter::Compiled;
use crate::part::Part;
use crate::stop::Stop;

/// Rows taken at a time, between two looks at the clock; what is kept of each fits the processor's nearest caches.
pub const CHUNK_ROWS: usize = 1 << 11;
/// Where fewer of a chunk's rows count than one in so many, they are listed.
const LISTED_SHARE: usize = 8;

/// Chooses the rows of one part.
pub struct Chooser<'a> {
    part: &'a Part<'a>,
    /// Setup times that count, where some of the part's may not.
    range: Option<(i64, i64)>,
    predicates: Vec<Compiled<'a>>,
}

/// The rows of a chunk that count.
pub enum Chosen<'a> {
    /// All of these.
    Run(Range<usize>),
    /// Those of these whose place has 1 and not 0.
    Masked(Range<usize>, &'a [u8]),
    /// These, ascending; they are in the list handed over beside.
    Listed,
}

impl Chosen<'_> {
    /// The rows one by one.
    pub fn list(self, rows: &mut Vec<u32>) -> &[u32] {
        match self {
            Self::Run(run) => {
                rows.clear();
                rows.extend(run.start as u32..run.end as u32);
            }
            Self::Masked(run, mask) => put_listed(run, mask, rows),
            Self::Listed => {}
        }
        rows
    }
}

impl<'a> Chooser<'a> {
    /// For the rows of a part that are set up in [from, to) and meet all conditions.
    pub fn new(part: &'a Part<'a>, (from, to): (i64, i64), predicates: Vec<Compiled<'a>>) -> Self {
        Self { part, range: (!part.lies_within(from, to)).then_some((from, to)), predicates }
    }

    /// Whether it is known that no row counts.
    pub fn leaves_none(&self) -> bool {
        self.part.rows.is_empty() || self.predicates.iter().any(|predicate| matches!(predicate, Compiled::Constant(false)))
    }

    /// Hands over the rows that count, some at a time.
    ///
    /// # Errors
    /// What `take` or [`Stop::check`] gives.
    pub fn each_chunk(self, stop: &Stop, mut take: impl FnMut(Chosen<'_>, &mut Vec<u32>) -> Result<()>) -> Result<()> {
        self.each_chunk_while(stop, |chosen, rows| take(chosen, rows).map(|()| true))
    }

    /// Hands over the rows that count, some at a time, while `take` says yes.
    ///
    /// # Errors
    /// As [`Chooser::each_chunk`].
    pub fn each_chunk_while(
        mut self, stop: &Stop, mut take: impl FnMut(Chosen<'_>, &mut Vec<u32>) -> Result<bool>,
    ) -> Result<()> {
        let (mut mask, mut rows) = (Vec::new(), Vec::new());
        let all = self.part.rows.clone();
        for start in all.clone().step_by(CHUNK_ROWS) {
            stop.check()?;
            let chosen = self.choose(start..all.end.min(start + CHUNK_ROWS), &mut mask, &mut rows);
            if !take(chosen, &mut rows)? {
                break;
            }
        }
        Ok(())
    }

    fn choose<'m>(&mut self, chunk: Range<usize>, mask: &'m mut Vec<u8>, rows: &mut Vec<u32>) -> Chosen<'m> {
        if self.range.is_none() && self.predicates.is_empty() && self.part.dead.is_empty() {
            return Chosen::Run(chunk);
        }
        mask.clear();
        mask.resize(chunk.len(), 1);
        self.part.dead.clear_in(chunk.clone(), mask);
        if let Some((from, to)) = self.range {
            let setup_us = &self.part.setup_us[chunk.clone()];
            mask.iter_mut().zip(setup_us).for_each(|(kept, us)| *kept &= u8::from(from <= *us) & u8::from(*us < to));
        }
        self.predicates.iter().for_each(|predicate| predicate.narrow(chunk.clone(), mask));
        let left: usize = mask.iter().map(|&kept| usize::from(kept)).sum();
        let is_costly = self.predicates.iter().any(Compiled::is_costly);
        if left == chunk.len() && !is_costly {
            return Chosen::Run(chunk);
        }
        if !is_costly && left * LISTED_SHARE >= chunk.len() {
            return Chosen::Masked(chunk, mask);
        }
        put_listed(chunk, mask, rows);
        self.predicates.iter_mut().for_each(|predicate| predicate.retain(rows));
        Chosen::Listed
    }
}

/// The rows whose place has 1; without a branch, as it may go either way from row to row.
fn put_listed(run: Range<usize>, mask: &[u8], rows: &mut Vec<u32>) {
    rows.clear();
    rows.resize(mask.len() + 1, 0);
    let mut kept = 0;
    for (row, &here) in (run.start as u32..).zip(mask) {
        rows[kept] = row;
        kept += usize::from(here);
    }
    rows.truncate(kept);
}
