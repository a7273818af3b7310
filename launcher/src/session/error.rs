//! Launcher, sessions: what can go wrong with them, told in one line.
//! In: built by the parts of `session`. Out: a message that says what to do.

use std::io;
use std::path::PathBuf;

use crate::config::reason;

/// Why a session cannot be made, found or read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The folder of sessions cannot be used.
    #[error("cannot use {} for sessions: {why}; choose another folder with --dir or MEMGUARD_DIR", path.display())]
    BadFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk, the permissions.
    #[error("cannot write {}: {}; {}", path.display(), reason(source), remedy(source))]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder of sessions cannot be read.
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no session at all.
    #[error("no session in {}; 'memguard run -- CMD' makes one", path.display())]
    None {
        /// The folder of sessions.
        path: PathBuf,
    },
    /// No session of this id or name.
    #[error("no session '{wanted}' in {}; 'memguard list' shows them", path.display())]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The folder of sessions.
        path: PathBuf,
    },
    /// Several ids begin like this.
    #[error("'{wanted}' is the beginning of {count} sessions; 'memguard list' shows them")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// How many.
        count: usize,
    },
    /// The session is there, but its record is not readable.
    #[error("session {id} is damaged: {why}; 'memguard list' shows the others")]
    Damaged {
        /// Its id.
        id: String,
        /// What is wrong.
        why: String,
    },
}

/// What to do about a file that cannot be written.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::OutOfMemory => "raise the memory limit (ulimit -v)",
        io::ErrorKind::FileTooLarge => "raise the file size limit (ulimit -f)",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space or choose another folder with --dir"
        }
        _ => "choose another folder with --dir",
    }
}
