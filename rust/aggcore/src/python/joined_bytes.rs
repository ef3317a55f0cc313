//! Bytes of Python that are filled without the GIL.

#![allow(unsafe_code)]

use std::ptr;
use std::slice;

use pyo3::prelude::*;
use pyo3::{ffi, types::PyBytes};

/// Bytes from which they are copied without the GIL.
const GIL_FREE_BYTES_MIN: usize = 1 << 20;

/// Returns the bytes of two messages as one. Copying a long one takes tens of milliseconds, most of them for the first touch
/// of the new memory, so that it releases the GIL; `PyBytes::new_with` would clear the memory with the GIL held.
///
/// # Errors
/// MemoryError.
pub fn joined<'py>(py: Python<'py>, header: &[u8], body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let len = header.len() + body.len();
    if len < GIL_FREE_BYTES_MIN {
        return PyBytes::new_with(py, len, |bytes| {
            bytes[..header.len()].copy_from_slice(header);
            bytes[header.len()..].copy_from_slice(body);
            Ok(())
        });
    }
    // SAFETY: without a pointer to bytes, this returns a new object with room for `len` bytes, or NULL with an exception set.
    // No other code knows the object yet. (The cast is exact: no slice is longer than isize::MAX.)
    let bytes = unsafe {
        let bytes = ffi::PyBytes_FromStringAndSize(ptr::null(), len as ffi::Py_ssize_t);
        Bound::from_owned_ptr_or_err(py, bytes)?.cast_into_unchecked::<PyBytes>()
    };
    // SAFETY: the object has `len` bytes, which live as long as it does, and only this function refers to them. `u8` needs no
    // particular value to be written to.
    let room = unsafe { slice::from_raw_parts_mut(ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>(), len) };
    py.detach(|| {
        room[..header.len()].copy_from_slice(header);
        room[header.len()..].copy_from_slice(body);
    });
    Ok(bytes)
}
