//! Launcher, attach: why a process cannot be watched, in one line that says what to do.

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No such process.
    #[error("there is no process {0}; 'ps -e' shows those that run")]
    NoProcess(i32),
    /// It has ended and waits for its parent.
    #[error("process {0} has ended already and only waits for its parent to notice (a zombie)")]
    Ended(i32),
    /// The number of a thread.
    #[error("{tid} is a thread of process {pid}; use 'memguard attach {pid}'")]
    Thread {
        /// What was asked for.
        tid: i32,
        /// The process.
        pid: i32,
    },
    /// A thread of the kernel's.
    #[error("process {0} is a kernel thread: it holds nothing that a program could give back")]
    KernelThread(i32),
    /// Ourselves.
    #[error("process {0} is memguard itself")]
    Own(i32),
    /// It belongs to somebody else, or has gained rights.
    #[error(
        "process {pid} may not be looked at: it belongs to {owner}, or has gained rights; run memguard as that user or as root"
    )]
    NotPermitted {
        /// Its number.
        pid: i32,
        /// Whose it is.
        owner: String,
    },
    /// Another session has it.
    #[error(
        "process {pid} is watched already, in session {session}; 'memguard report {session}' shows what was found"
    )]
    Watched {
        /// Its number.
        pid: i32,
        /// The other session's id.
        session: String,
    },
}
