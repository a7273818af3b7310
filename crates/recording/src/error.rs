//! Recording, errors: why a file cannot be replayed, in one line each.
//! In: what was met. Out: the words.

/// What is wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// Something else.
    #[error("is no recording; 'memguard run --record' leaves record-PID.jsonl.gz in the session's directory")]
    Foreign,
    /// Of a later version, or one that was given up.
    #[error("is a recording of version {found}; this memguard replays version {known}")]
    Version {
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// It goes wrong in the middle.
    #[error("is damaged in line {line}: {why}")]
    Damaged {
        /// Line of the unpacked text, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}
