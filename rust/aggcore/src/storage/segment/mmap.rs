//! Maps Arrow IPC files and reads their headers.

#![allow(unsafe_code)]

use std::{fs::File, path::Path, sync::Arc};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::{Footer, convert::try_fb_to_schema, reader::FileDecoder, reader::read_footer_length, root_as_footer};
use arrow_schema::ArrowError;
use bytes::Bytes;
use memmap2::Mmap;

use super::page_checksums::PageChecksums;
use crate::error::{Error, Result};

/// Maps a file.
///
/// # Errors
/// `Io` where it cannot be opened.
pub fn map(path: &Path) -> Result<Buffer> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    // SAFETY: a segment is never changed after its rename, and the data directory's lock keeps other
    // processes of this program out; a file that is cut short by others would end the process.
    let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
    Ok(Buffer::from(Bytes::from_owner(map)))
}

/// The one record batch of an Arrow IPC file, whose columns borrow from the buffer; its headers are checked.
///
/// # Errors
/// `IpcError` where a header is not as it was written.
pub fn read(buffer: &Buffer, pages: &PageChecksums) -> std::result::Result<RecordBatch, ArrowError> {
    let broken = |problem: &str| ArrowError::IpcError(problem.to_owned());
    let verify = |bytes: &[u8]| if pages.are_bytes_intact(bytes) { Ok(()) } else { Err(broken("its header fails its checksum")) };
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
    // SAFETY: no row of a column is read before the checksums of its pages say that it is what a writer of valid columns
    // wrote.
    let mut decoder = unsafe { FileDecoder::new(Arc::new(schema), footer.version()).with_skip_validation(true) };
    for (block, data) in &dictionaries {
        decoder.read_dictionary(block, data)?;
    }
    let (block, data) = batches.first().ok_or_else(|| broken("no record batch"))?;
    decoder.read_record_batch(block, data)?.ok_or_else(|| broken("no record batch"))
}

type Block = (arrow_ipc::Block, Buffer);

/// Dictionaries and record batches, each with its bytes, of which the first are its header.
fn blocks(footer: &Footer<'_>, buffer: &Buffer) -> Option<(Vec<Block>, Vec<Block>)> {
    let data = |block: &arrow_ipc::Block| {
        let start = usize::try_from(block.offset()).ok()?;
        let header = usize::try_from(block.metaDataLength()).ok()?;
        let length = header.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
        let inside = start.checked_add(length).is_some_and(|end| end <= buffer.len());
        inside.then(|| (*block, buffer.slice_with_length(start, length)))
    };
    let dictionaries = footer.dictionaries().iter().flatten().map(data).collect::<Option<Vec<_>>>()?;
    let batches = footer.recordBatches().iter().flatten().map(data).collect::<Option<Vec<_>>>()?;
    Some((dictionaries, batches))
}
