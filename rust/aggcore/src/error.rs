//! The one error type of the core. `python/` turns each error into an exception of `pegcount.errors`.

use std::{io, path::Path};

/// Why an operation of the core failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes of a batch are not a valid `WriteRecordsRequest`. The whole batch is refused.
    #[error("the batch is no valid message: {0}")]
    MalformedBatch(String),
    /// The bytes of a request are not a valid message.
    #[error("the request is no valid message: {0}")]
    MalformedRequest(String),
    /// A batch has more records than the limit allows. The whole batch is refused.
    #[error("the batch has {asked} records; {allowed} are allowed")]
    BatchLimit {
        /// Records in the batch.
        asked: usize,
        /// Most records that a batch may have.
        allowed: usize,
    },
    /// The id of a batch is longer than the limit allows. The whole batch is refused.
    #[error("has {asked} bytes; {allowed} are allowed")]
    BatchIdLength {
        /// Bytes of the id.
        asked: usize,
        /// Most bytes that an id may have.
        allowed: usize,
    },
    /// The journal cannot make a batch durable at present, so the store refuses writes and answers reports
    /// only.
    #[error("no records are taken now: {0}")]
    ReadOnly(String),
    /// A scan reached more cells (bins times groups) than the limit allows.
    #[error("the answer needs more than {allowed} cells (bins times groups)")]
    CellLimit {
        /// Always `allowed` + 1; the whole answer may have more.
        asked: usize,
        /// Most cells that an answer may have.
        allowed: usize,
    },
    /// A rollup reached more subtotals than the limit allows.
    #[error("the rollup needs more than {allowed} subtotals")]
    SubtotalLimit {
        /// Subtotals counted when the work stopped.
        asked: usize,
        /// Most subtotals that an answer may have.
        allowed: usize,
    },
    /// An answer has more values than the limit allows.
    #[error(
        "the answer has {asked} values (bins times groups times metrics); {allowed} are allowed (value_count_max); ask for \
         fewer bins, groups or metrics"
    )]
    ValueLimit {
        /// Values of the answer.
        asked: usize,
        /// Most values that an answer may have.
        allowed: usize,
    },
    /// An answer has more bytes than the limit allows.
    #[error("the answer has more than {allowed} bytes; ask for fewer rows, fields or bins")]
    AnswerTooLarge {
        /// Bytes counted when the work stopped.
        asked: usize,
        /// Most bytes that an answer may have.
        allowed: usize,
    },
    /// A query needs more memory than one query may take.
    #[error("the report needs more than {allowed} bytes of memory; ask for fewer groups or fields")]
    QueryMemoryLimit {
        /// Bytes needed when the work stopped.
        asked: usize,
        /// Most bytes that a query may take.
        allowed: usize,
    },
    /// All queries together need more memory than they may take.
    #[error("all reports together need more than {allowed} bytes of memory; ask again later")]
    TotalMemoryLimit {
        /// Bytes needed when the work stopped.
        asked: usize,
        /// Most bytes that all queries may take.
        allowed: usize,
    },
    /// The caller cancelled the work.
    #[error("the call was cancelled")]
    Cancelled,
    /// The deadline passed before the work was done.
    #[error("the deadline passed")]
    DeadlinePassed,
    /// A sum exceeds 64 bits.
    #[error("a sum of durations exceeds 64 bits")]
    SumOverflow,
    /// A request names a column, field or operator that does not exist: a mistake of the caller.
    #[error("the core knows no {what} {name:?}")]
    Unknown {
        /// Kind of the name, such as "column".
        what: &'static str,
        /// The name, as the caller wrote it.
        name: String,
    },
    /// Partial aggregates that no scan returns: a mistake of the store that made them.
    #[error("the partial aggregates are invalid: {0}")]
    InvalidPartials(String),
    /// The bytes of an answer are not blocks of columns, or lack columns that were asked for; or columns were to be written
    /// that have other rows or types than their block says.
    #[error("the block is invalid: {0}")]
    MalformedBlock(String),
    /// The content of a file or blob differs from what was written: corruption.
    #[error("{file}: {problem}")]
    Damaged {
        /// Path of the file in the data directory, or a name for the blob.
        file: String,
        /// The check that failed.
        problem: String,
    },
    /// The operating system failed to open, read, write or remove a file.
    #[error("{file}: {source}")]
    Io {
        /// Path of the file in the data directory.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Arrow failed to build or encode columns: a bug of the core.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Returns the error of a request for that of the reader, whose messages are batches otherwise.
    pub fn of_request(self) -> Self {
        if let Self::MalformedBatch(problem) = self { Self::MalformedRequest(problem) } else { self }
    }

    /// Returns the error of a file for that of the part of it that was decoded.
    pub fn in_file(self, file: &Path, part: &str) -> Self {
        if let Self::Damaged { problem, .. } = self { Self::damaged(file, format!("{part}: {problem}")) } else { self }
    }

    /// Returns [`Error::Damaged`] for the content of `file`.
    pub fn damaged(file: &Path, problem: impl ToString) -> Self {
        Self::Damaged { file: name_in_directory(file), problem: problem.to_string() }
    }

    /// Returns [`Error::Io`] for an operation on `file`.
    pub fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: name_in_directory(file), source }
    }
}

/// Folders of a data directory.
const FOLDERS: [&str; 3] = ["segments", "active", "journal"];

/// Returns the path of a file relative to its data directory: a caller gets it in a status, and must not learn where
/// the directory is.
pub fn name_in_directory(file: &Path) -> String {
    let mut names: Vec<_> = file.iter().map(|name| name.to_string_lossy()).collect();
    let begin = names.iter().rposition(|name| FOLDERS.contains(&name.as_ref()));
    names.split_off(begin.unwrap_or(names.len().saturating_sub(1))).join("/")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::name_in_directory;

    #[test]
    fn a_file_is_named_without_the_path_of_its_data_directory() {
        let name = |path| name_in_directory(Path::new(path));
        assert_eq!(name("/data/segments/2026-03-29/00000001.arrow"), "segments/2026-03-29/00000001.arrow");
        assert_eq!(name("/journal/of/calls/journal/00000001.log"), "journal/00000001.log");
        assert_eq!(name("data/active"), "active");
        assert_eq!(name("/data/catalog.db"), "catalog.db");
    }
}
