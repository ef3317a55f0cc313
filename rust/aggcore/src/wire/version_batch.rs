//! A batch of records as versions that are merged one by one: the form for a store outside the core.

use super::versions::Versions;
use super::{BatchLimits, Rejections, decode_batch, outline};
use crate::error::Result;
use crate::record::new_record::NewRecordRules;

/// One batch of records.
pub struct VersionBatch {
    /// The caller's name for the batch, which the response repeats.
    pub batch_id: Option<String>,
    /// Rejected records.
    pub rejected: Rejections,
    /// Whether the records are corrections.
    pub corrects: bool,
    /// The other records, each with its position in the batch, from 0.
    pub versions: Vec<(usize, Versions)>,
}

impl VersionBatch {
    /// Decodes a `WriteRecordsRequest`. The rules for new records apply unless the batch says that a store had its records.
    ///
    /// # Errors
    /// `MalformedBatch`, `BatchLimit` or `BatchIdLength`.
    pub fn from_wire(bytes: &[u8], limits: BatchLimits, rules: &NewRecordRules) -> Result<Self> {
        let outline = outline(bytes, limits)?;
        let mut versions = Vec::new();
        let header = decode_batch(
            bytes,
            |record| outline.rejection(record, rules),
            |index, record| versions.push((index, Versions::of(record))),
        )?;
        let batch_id = header.batch_id.map(str::to_owned);
        Ok(Self { batch_id, rejected: header.rejected, corrects: outline.corrects, versions })
    }
}
