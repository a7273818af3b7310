//! Launcher, spawn: how a program ended.
//! In: its wait status. Out: [`ProgramExit`] and the launcher's own exit code.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramExit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

impl ProgramExit {
    /// The exit code that tells the same about the launcher: the program's own, or 128 + signal.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128u8.saturating_add(signal as u8),
        }
    }

    /// The same as reports and records have it: one of the two.
    pub fn code_and_signal(self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Code(code) => (Some(code.into()), None),
            Self::Signal(signal) => (None, Some(signal)),
        }
    }

    /// Whether the program says that it succeeded.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for ProgramExit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code as u8),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}
