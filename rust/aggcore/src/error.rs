//! Everything that can go wrong in the core.

use std::{io, path::Path};

/// Why the core did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes of a batch are no valid message; the whole batch is refused.
    #[error("the batch is no valid message: {0}")]
    MalformedBatch(String),
    /// A batch has more records than one may have; the whole batch is refused.
    #[error("the batch has {asked} records; {allowed} are allowed")]
    BatchLimit {
        /// Records that it has.
        asked: usize,
        /// Records that one batch may have.
        allowed: usize,
    },
    /// Nothing can be made durable now.
    #[error("no records are taken now: {0}")]
    ReadOnly(String),
    /// RowMetadata cells (bins times groups) than allowed were reached while scanning.
    #[error("the answer needs more than {allowed} cells (bins times groups)")]
    CellLimit {
        /// AggregationTable reached when the scan stopped.
        asked: usize,
        /// AggregationTable allowed.
        allowed: usize,
    },
    /// The caller no longer wants the answer.
    #[error("the call was cancelled")]
    Cancelled,
    /// The deadline passed while the work was under way.
    #[error("the deadline passed")]
    DeadlinePassed,
    /// A sum does not fit 64 bits.
    #[error("a sum of durations exceeds 64 bits")]
    SumOverflow,
    /// A request names a column, field or operator that the core does not know; a fault of the caller.
    #[error("the core knows no {what} {name:?}")]
    Unknown {
        /// What kind of thing was named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A file or blob is not what its writer wrote.
    #[error("{file}: {problem}")]
    Damaged {
        /// Name of the file or blob.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system refused to read or write a file.
    #[error("{file}: {source}")]
    Io {
        /// Name of the file.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Arrow could not build or encode columns; a fault of the core.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// Result of the core.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Something is wrong with the content of `file`.
    pub fn damaged(file: &Path, problem: impl ToString) -> Self {
        Self::Damaged { file: file.display().to_string(), problem: problem.to_string() }
    }

    /// The operating system said `source` about `file`.
    pub fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.display().to_string(), source }
    }
}
