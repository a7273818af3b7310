//! Launcher, collect: which processes belong to a session without having a segment in it yet. In: /proc. Out: whether there
//! are any.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::rendezvous;
use crate::config::SESSION_VARIABLE;

/// What makes a process a member.
pub enum Bond {
    /// The session is in its environment.
    Session(PathBuf),
    /// It has the library, no session in its environment, and this key (see [`rendezvous::key`]).
    Library(String),
}

/// The processes of a session.
pub struct Kin {
    bond: Bond,
    /// One that was seen last: as long as it lives nobody else need be looked at.
    member: Option<i32>,
}

impl Kin {
    /// Those with this bond.
    pub fn new(bond: Bond) -> Self {
        Self { bond, member: None }
    }

    /// Whether one of them lives.
    pub fn live(&mut self) -> bool {
        let known = self.member.filter(|pid| self.bond.includes(*pid));
        self.member = known.or_else(|| self.bond.find());
        self.member.is_some()
    }
}

impl Bond {
    fn find(&self) -> Option<i32> {
        let own = identity("/proc/self/exe");
        let entries = fs::read_dir("/proc").ok()?;
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let mut others = pids.filter(|pid| own != identity(&format!("/proc/{pid}/exe")));
        others.find(|pid| self.includes(*pid))
    }

    fn includes(&self, pid: i32) -> bool {
        match self {
            Self::Session(dir) => session_of(pid).is_some_and(|value| value == dir.as_os_str().as_bytes()),
            Self::Library(key) => {
                has_library(pid) && session_of(pid).is_none() && rendezvous::key(pid) == *key
            }
        }
    }
}

/// Device and number of a file.
fn identity(path: &str) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// The session in the environment that a process was started with.
fn session_of(pid: i32) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| {
        Some(variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")?.to_vec())
    })
}

/// Whether a process has loaded the library.
pub fn has_library(pid: i32) -> bool {
    memguard_inspect::loaded_modules(pid)
        .is_some_and(|modules| modules.iter().any(|module| module.ends_with("/libmemguard.so")))
}
