//! Report, suppressions: what can be wrong with a file of them.
//! In: built by the parsers. Out: one line that names file, line, and what would be right.

use thiserror::Error;

/// Why a file of suppressions was not taken. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SuppressionError {
    /// None of the three formats.
    #[error(
        "{file}:{line}: '{found}' begins no suppression; expected [[suppression]] (MemGuard's), leak:NAME \
         (LeakSanitizer's) or {{ (Valgrind's)"
    )]
    UnknownFormat {
        /// The file as it was named.
        file: String,
        /// The first line that says something.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The format is clear, the line is wrong.
    #[error("{file}:{line}: {message}")]
    Syntax {
        /// The file as it was named.
        file: String,
        /// Where.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl SuppressionError {
    /// A mistake in a line.
    pub fn syntax(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self::Syntax { file: file.to_owned(), line, message: message.into() }
    }
}
