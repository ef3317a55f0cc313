//! Decodes the headers of mapped Arrow IPC files; columns borrow from the map and are not copied.
//!
//! Invariant: no byte is interpreted before the checksum of its page was verified, headers here and rows in
//! [`Segment`](super::Segment). That is what makes skipping Arrow's own validation sound.

#![allow(unsafe_code)]

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::{Footer, convert::try_fb_to_schema, reader::FileDecoder, reader::read_footer_length, root_as_footer};
use arrow_schema::ArrowError;

use super::page_checksums::PageChecksums;

/// Decodes the one record batch of an Arrow IPC file; its columns borrow from the buffer. Verifies the pages
/// of the headers, not those of the columns.
///
/// # Errors
/// `IpcError` if a header fails its checksum or is malformed.
pub fn read(buffer: &Buffer, pages: &PageChecksums) -> std::result::Result<RecordBatch, ArrowError> {
    let broken = |problem: &str| ArrowError::IpcError(problem.to_owned());
    let verify = |bytes: &[u8]| match pages.are_bytes_intact(bytes) {
        true => Ok(()),
        false => Err(broken("its header fails its checksum")),
    };
    let trailer_start = buffer.len().checked_sub(10).ok_or_else(|| broken("the file is too short"))?;
    verify(&buffer[trailer_start..])?;
    let trailer: [u8; 10] = buffer[trailer_start..].try_into().map_err(|_| broken("the file is too short"))?;
    let footer_start = trailer_start.checked_sub(read_footer_length(trailer)?).ok_or_else(|| broken("bad footer"))?;
    verify(&buffer[footer_start..])?;
    let footer = root_as_footer(&buffer[footer_start..trailer_start]).map_err(|error| broken(&error.to_string()))?;
    let (dictionaries, batches) = blocks(&footer, buffer).ok_or_else(|| broken("a block lies outside"))?;
    for (block, data) in dictionaries.iter().chain(&batches) {
        verify(&data[..block.metaDataLength() as usize])?;
    }
    let schema = try_fb_to_schema(footer.schema().ok_or_else(|| broken("no schema"))?)?;
    // SAFETY: `Segment` reads a row of a column only after it verified the checksums of its pages, and the
    // writer wrote valid columns.
    let mut decoder = unsafe { FileDecoder::new(Arc::new(schema), footer.version()).with_skip_validation(true) };
    for (block, data) in &dictionaries {
        decoder.read_dictionary(block, data)?;
    }
    let (block, data) = batches.first().ok_or_else(|| broken("no record batch"))?;
    decoder.read_record_batch(block, data)?.ok_or_else(|| broken("no record batch"))
}

type Block = (arrow_ipc::Block, Buffer);

/// Dictionary blocks and record batch blocks of a footer, each with its bytes: a header of `metaDataLength`,
/// then columns. `None` if a block exceeds the file.
fn blocks(footer: &Footer<'_>, buffer: &Buffer) -> Option<(Vec<Block>, Vec<Block>)> {
    let data = |block: &arrow_ipc::Block| {
        let start = usize::try_from(block.offset()).ok()?;
        let header = usize::try_from(block.metaDataLength()).ok()?;
        let length = header.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
        let is_inside = start.checked_add(length).is_some_and(|end| end <= buffer.len());
        is_inside.then(|| (*block, buffer.slice_with_length(start, length)))
    };
    let dictionaries = footer.dictionaries().iter().flatten().map(data).collect::<Option<Vec<_>>>()?;
    let batches = footer.recordBatches().iter().flatten().map(data).collect::<Option<Vec<_>>>()?;
    Some((dictionaries, batches))
}
