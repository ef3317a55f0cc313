//! A batch of records for the ledger.

use crate::error::Result;
use crate::record::Record;
use crate::record::new_record::NewRecordRules;
use crate::record::scrubbing::Scrubbing;
use crate::wire::columnar_batch::ColumnarBatch;
use crate::wire::stored_records::{StoredRecords, StoredState};
use crate::wire::{BatchLimits, outline};

/// A decoded batch.
pub struct LedgerBatch {
    /// Its records, none of which is scrubbed yet: the rules may change before it is committed.
    pub records: ColumnarBatch,
    /// Whether they are corrections.
    pub corrects: bool,
    /// Bytes of the versions of one record beyond which no further one is taken.
    pub versions_bytes_max: usize,
    /// For records that come from another store, by row: all their versions, of which `records` has the merge.
    pub stored: Option<Vec<StoredState>>,
}

/// Limits of a batch and its records.
#[derive(Clone, Copy, Debug)]
pub struct LedgerLimits {
    /// Of the batch.
    pub batch: BatchLimits,
    /// Longest call, in seconds.
    pub call_seconds: i64,
    /// Bytes of the versions of one record beyond which no further one is taken.
    pub versions_bytes: usize,
    /// Rows from which the texts of a batch have dictionaries.
    pub dictionary_rows_min: usize,
}

impl LedgerBatch {
    /// Decodes a `WriteRecordsRequest`. The rules for new records apply unless the batch says that a store had its records.
    ///
    /// # Errors
    /// `MalformedBatch`, `BatchLimit` or `BatchIdLength`.
    pub fn from_wire(bytes: &[u8], limits: LedgerLimits) -> Result<Self> {
        let outline = outline(bytes, limits.batch)?;
        let (rules, kept) = (NewRecordRules::new(limits.call_seconds), Scrubbing::default());
        let reject = |record: &Record<'_>| outline.rejection(record, &rules);
        let records = ColumnarBatch::from_wire(bytes, limits.dictionary_rows_min, &kept, reject)?;
        Ok(Self { records, corrects: outline.corrects, versions_bytes_max: limits.versions_bytes, stored: None })
    }

    /// Decodes a piece of an archive: records of another store with all their versions.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn from_archive(piece: &[u8], dictionary_rows_min: usize) -> Result<Self> {
        let StoredRecords { records, states, .. } =
            StoredRecords::decode(piece, &Scrubbing::default(), dictionary_rows_min, |_| None)?;
        Ok(Self { records, corrects: false, versions_bytes_max: usize::MAX, stored: Some(states) })
    }

    /// What a row has besides its fields, if it comes from another store.
    pub fn stored(&self, row: usize) -> Option<&StoredState> {
        self.stored.as_ref()?.get(row)
    }
}
