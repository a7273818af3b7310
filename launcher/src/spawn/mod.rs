//! Launcher, spawn: starts the program under the interposer and stands between it and its supervisor.
//! In: a [`Program`] and a session directory. Out: [`Event`]s until [`Event::Exited`].
//!
//! The program must not notice: it gets the launcher's terminal, process group, standard streams, signal mask
//! and signal dispositions as the launcher itself was given them.

mod allocators;
mod error;
mod exit;
mod forward;
mod inherited;
mod library;
mod preload;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;

pub use error::SpawnError;
pub use exit::ProgramExit;
pub use library::{FILE_NAME as LIBRARY_NAME, LIBRARY_VARIABLE, find as find_library};
pub use supervisor::{Event, Supervisor};

/// What to start.
#[derive(Debug, Clone)]
pub struct Program {
    /// The command and its arguments; the command is searched in `PATH` as a shell does.
    pub command: Vec<OsString>,
    /// The file that this executes in the end; none if there is none, which its start will tell.
    pub executed: Option<PathBuf>,
    /// `libmemguard.so`, absolute; see [`find_library`]. None: the program is left alone.
    pub library: Option<PathBuf>,
    /// The session's directory, absolute.
    pub session_dir: PathBuf,
}
