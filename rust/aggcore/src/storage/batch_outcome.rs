//! What became of the records of a batch: of all of them, and of those of each source.

use std::ops::AddAssign;

use crate::columns::RecordColumns;
use crate::columns::dictionary::CodeWidth;
use crate::record::schema::{dictionary_slot, int_slot};

/// How the accepted records of a batch changed the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// New records.
    pub accepted: usize,
    /// Versions that changed a stored record.
    pub replaced: usize,
    /// Versions that changed nothing.
    pub duplicates: usize,
    /// Of the duplicates, those with another content than what stands, that rank lower.
    pub outranked: usize,
    /// Of the replaced and the duplicates, those that look like another call under the same id.
    pub suspected_reuse: usize,
}

impl AddAssign for BatchOutcome {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.replaced += other.replaced;
        self.duplicates += other.duplicates;
        self.outranked += other.outranked;
        self.suspected_reuse += other.suspected_reuse;
    }
}

/// What became of the records of one source in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOutcome<'a> {
    /// The source, "" for records without one.
    pub source: &'a str,
    /// How its records changed the store.
    pub outcome: BatchOutcome,
    /// Latest setup time of the records that changed something, microseconds UTC. It may be that of a duplicate which
    /// came with a version of the same session that changed something.
    pub last_setup_us: Option<i64>,
}

/// The outcome of a batch by source, while it is applied: a row finds its source by its dictionary code.
pub struct SourceTally<'a> {
    fields: RecordColumns<'a>,
    /// By code of the dictionary plus one; 0 is absent. `None` for entries of which no row was applied yet.
    by_code: Vec<Option<SourceOutcome<'a>>>,
}

impl<'a> SourceTally<'a> {
    /// Begins the tally of a batch.
    pub fn new(fields: RecordColumns<'a>) -> Self {
        let entry_count = fields.dictionaries[dictionary_slot::SOURCE].entries.count();
        Self { fields, by_code: vec![None; entry_count + 1] }
    }

    /// Adds what became of rows of one source.
    pub fn add(&mut self, rows: &[usize], outcome: BatchOutcome) {
        let Some(&first) = rows.first() else { return };
        let column = &self.fields.dictionaries[dictionary_slot::SOURCE];
        let source = self.by_code[column.code(first).one_based()].get_or_insert_with(|| SourceOutcome {
            source: column.text(first),
            outcome: BatchOutcome::default(),
            last_setup_us: None,
        });
        source.outcome += outcome;
        if outcome.accepted + outcome.replaced > 0 {
            let last = rows.iter().map(|&row| self.fields.ints[int_slot::SETUP_TIME].get(row)).max();
            source.last_setup_us = source.last_setup_us.max(last);
        }
    }

    /// Returns the outcome of all records, and that of each source. A source may be listed several times.
    pub fn finish(self) -> (BatchOutcome, Vec<SourceOutcome<'a>>) {
        let sources: Vec<_> = self.by_code.into_iter().flatten().collect();
        let mut all = BatchOutcome::default();
        sources.iter().for_each(|source| all += source.outcome);
        (all, sources)
    }
}
