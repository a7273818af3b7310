//! Launcher, sessions: at most one process collects a session. In: its directory. Out: a lock that the system releases
//! when its holder ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

const FILE_NAME: &str = "collector.lock";

/// Held by the session's collector.
#[derive(Debug)]
pub struct SessionLock(#[allow(dead_code)] Flock<File>); // it is held, not used

impl SessionLock {
    /// Takes it without waiting.
    ///
    /// # Errors
    /// `ResourceBusy` if another process has it; else what the file system says.
    pub fn take(session_dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(session_dir.join(FILE_NAME))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Err(io::ErrorKind::ResourceBusy.into()),
            Err((_, error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let held = SessionLock::take(folder.path()).expect("free");
        let refused = SessionLock::take(folder.path()).expect_err("taken");
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        drop(held);
        SessionLock::take(folder.path()).expect("free again");
    }
}
