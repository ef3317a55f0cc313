//! Errors of the core as exceptions of `pegcount.errors`.

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Error;

mod exceptions {
    use pyo3::import_exception;

    import_exception!(pegcount.errors, AnswerTooLargeError);
    import_exception!(pegcount.errors, BatchIdTooLongError);
    import_exception!(pegcount.errors, BatchLimitError);
    import_exception!(pegcount.errors, CancelledError);
    import_exception!(pegcount.errors, CellLimitError);
    import_exception!(pegcount.errors, DataDamagedError);
    import_exception!(pegcount.errors, DeadlineError);
    import_exception!(pegcount.errors, MalformedMessageError);
    import_exception!(pegcount.errors, MemoryLimitError);
    import_exception!(pegcount.errors, StoreReadOnlyError);
    import_exception!(pegcount.errors, SubtotalLimitError);
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::MalformedBatch(_) | Error::MalformedRequest(_) => exceptions::MalformedMessageError::new_err(message),
            Error::ReadOnly(_) => exceptions::StoreReadOnlyError::new_err(message),
            Error::BatchLimit { asked, allowed } => limit::<exceptions::BatchLimitError>(message, asked, allowed),
            Error::BatchIdLength { asked, allowed } => limit::<exceptions::BatchIdTooLongError>(message, asked, allowed),
            Error::CellLimit { asked, allowed } | Error::ValueLimit { asked, allowed } => {
                limit::<exceptions::CellLimitError>(message, asked, allowed)
            }
            Error::SubtotalLimit { asked, allowed } => limit::<exceptions::SubtotalLimitError>(message, asked, allowed),
            Error::AnswerTooLarge { asked, allowed } => limit::<exceptions::AnswerTooLargeError>(message, asked, allowed),
            Error::QueryMemoryLimit { asked, allowed } => memory_limit(message, "report", asked, allowed),
            Error::TotalMemoryLimit { asked, allowed } => memory_limit(message, "server", asked, allowed),
            Error::Cancelled => exceptions::CancelledError::new_err(message),
            Error::DeadlinePassed => exceptions::DeadlineError::new_err(message),
            Error::Damaged { file, .. } => damaged(message, &file),
            // PyO3 picks the subclass of OSError by the kind.
            Error::Io { source, .. } => std::io::Error::new(source.kind(), message).into(),
            Error::SumOverflow
            | Error::Unknown { .. }
            | Error::InvalidPartials(_)
            | Error::MalformedBlock(_)
            | Error::Arrow(_) => PyValueError::new_err(message),
        }
    }
}

fn limit<E: PyTypeInfo>(message: String, asked: usize, allowed: usize) -> PyErr {
    with_metadata::<E>(message, |metadata| {
        metadata.set_item("asked", asked)?;
        metadata.set_item("allowed", allowed)
    })
}

fn memory_limit(message: String, scope: &str, asked: usize, allowed: usize) -> PyErr {
    with_metadata::<exceptions::MemoryLimitError>(message, |metadata| {
        metadata.set_item("scope", scope)?;
        metadata.set_item("asked", asked)?;
        metadata.set_item("allowed", allowed)
    })
}

fn damaged(message: String, file: &str) -> PyErr {
    with_metadata::<exceptions::DataDamagedError>(message, |metadata| metadata.set_item("file", file))
}

/// Returns an `E` whose keyword arguments are the metadata of its `ErrorReason`, or the exception that
/// creating it raised.
fn with_metadata<E: PyTypeInfo>(message: String, fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>) -> PyErr {
    Python::attach(|py| {
        let metadata = PyDict::new(py);
        fill(&metadata)
            .and_then(|()| E::type_object(py).call((message,), Some(&metadata)))
            .map_or_else(|failure| failure, PyErr::from_value)
    })
}
