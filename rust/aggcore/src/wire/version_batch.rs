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
    /// The other records, each with its position in the batch, from 0.
    pub versions: Vec<(usize, Versions)>,
}

impl VersionBatch {
    /// Decodes a `WriteRecordsRequest`. The rules for new records apply unless the batch says that a store had its records.
    ///
    /// # Errors
    /// `MalformedBatch`, `BatchLimit` or `BatchIdLength`.
    pub fn from_wire(bytes: &[u8], limits: BatchLimits, rules: &NewRecordRules) -> Result<Self> {
        let accepts_stored = outline(bytes, limits)?.accepts_stored;
        let mut versions = Vec::new();
        let header = decode_batch(
            bytes,
            |record| if accepts_stored { None } else { rules.rejection(record) },
            |index, record| versions.push((index, Versions::of(record))),
        )?;
        Ok(Self { batch_id: header.batch_id.map(str::to_owned), rejected: header.rejected, versions })
    }
}
