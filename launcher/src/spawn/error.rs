//! Launcher, spawn: why a program was not started.
//! In: built by the parts of `spawn`. Out: one line and the exit code a shell would give.

use std::io;
use std::path::PathBuf;

use crate::config::reason;
use crate::errors::EXIT_RUN;

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No such command.
    #[error("{command}: command not found")]
    NotFound {
        /// As it was asked for.
        command: String,
    },
    /// It is there, but the system will not execute it.
    #[error("{command}: cannot execute: {why}")]
    NotExecutable {
        /// As it was asked for.
        command: String,
        /// The system's words.
        why: String,
    },
    /// The system cannot start any process now.
    #[error("{command}: cannot start a process: {}", reason(source))]
    NotStarted {
        /// As it was asked for.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The interposer is missing.
    #[error("libmemguard.so not found in {looked_in}; install it there or set MEMGUARD_LIB to its path")]
    NoLibrary {
        /// Where it was looked for.
        looked_in: String,
    },
    /// `MEMGUARD_LIB` does not name a file that can be read.
    #[error("MEMGUARD_LIB={}: {}", path.display(), reason(source))]
    BadLibrary {
        /// Its value.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No path without the separators of `LD_PRELOAD` leads to the interposer.
    #[error("cannot preload {}: its path and the session's hold one of ' :$'; choose another --dir", path.display())]
    NotPreloadable {
        /// The interposer.
        path: PathBuf,
    },
    /// Signals cannot be watched, or the preload link cannot be made.
    #[error("cannot prepare the start: {}", reason(.0))]
    Prepare(#[from] io::Error),
}

impl From<nix::Error> for SpawnError {
    fn from(errno: nix::Error) -> Self {
        Self::Prepare(errno.into())
    }
}

impl SpawnError {
    /// 127 not found, 126 not executable, 125 for what is our own doing.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
            _ => EXIT_RUN,
        }
    }

    /// Tells apart what `fork` and `exec` report.
    pub fn from_start(command: &str, source: io::Error) -> Self {
        use nix::errno::Errno;
        let (command, why) = (command.to_owned(), reason(&source));
        match source.raw_os_error().map(Errno::from_raw) {
            // With a slash the file was not searched for: if it is there, its interpreter is what is missing.
            Some(Errno::ENOENT) if command.contains('/') && PathBuf::from(&command).exists() => {
                Self::NotExecutable { command, why: "its interpreter or loader is missing".to_owned() }
            }
            Some(Errno::ENOENT | Errno::ENOTDIR) => Self::NotFound { command },
            None | Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) => {
                Self::NotStarted { command, source }
            }
            Some(_) => Self::NotExecutable { command, why },
        }
    }
}
