//! Passes live rows on to an archive.

use super::live_rows::LiveRows;
use crate::error::Result;
use crate::wire::stored_records::encode_stored;

/// Encodes live rows as a piece of an archive; returns it, and how many records it has.
///
/// # Errors
/// `MalformedBlock`, or `Damaged` if a row contradicts itself.
pub fn archive_rows(rows: &[u8]) -> Result<(Vec<u8>, usize)> {
    let (rows, mut piece, mut count) = (LiveRows::read(rows)?, Vec::new(), 0);
    for row in rows.rows() {
        let row = row?;
        let record = row.record()?;
        row.state(&record)?;
        encode_stored(&record, row.versions(), row.received_us(), &mut piece);
        count += 1;
    }
    Ok((piece, count))
}
