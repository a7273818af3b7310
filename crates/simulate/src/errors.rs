//! Simulate, errors: what `memguard-simulate` cannot do, in one line each.
//! In: what was asked. Out: the words.

use std::path::PathBuf;

/// Why nothing was simulated, or its results could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The glob is none.
    #[error("'{glob}' is not a pattern ({why}); use * and ?, as in --only 'S1*'")]
    Glob {
        /// As it was given.
        glob: String,
        /// The parser's words.
        why: String,
    },
    /// Nothing is left to do.
    #[error("no scenario fits; 'memguard-simulate list' names them all")]
    NoScenario,
    /// Zero seeds.
    #[error("0 seeds simulate nothing; give --seeds 1 or more")]
    NoSeeds,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The document has no place for the tables.
    #[error("{path} has no pair of lines '{begin}' and '{end}', between which the tables go")]
    NoMarkers {
        /// Which.
        path: PathBuf,
        /// The first line.
        begin: &'static str,
        /// The second.
        end: &'static str,
    },
    /// Tables of a part are no tables of the whole.
    #[error("documents are updated from all scenarios; leave out --only, --split and --mode")]
    PartOfDocument,
}
