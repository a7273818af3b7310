//! Launcher, collect: which processes belong to a session without having a segment in it yet. In: /proc. Out: whether there
//! are any.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::rendezvous;
use crate::peers;

/// What makes a process a member.
pub enum Bond {
    /// The session is in its environment.
    Session(PathBuf),
    /// It has the library, no session in its environment, and the key (see [`rendezvous::key`]); and no segment in another
    /// session than this one: a program may have written over its environment.
    Library {
        /// The key.
        key: String,
        /// The session's directory.
        session_dir: PathBuf,
    },
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
            Self::Session(dir) => peers::session_dir(pid).as_ref() == Some(dir),
            Self::Library { key, session_dir } => {
                // What is cheap first: this is asked of every process of the machine, and lists of mappings are long.
                rendezvous::key(pid) == *key
                    && peers::session_dir(pid).is_none()
                    && peers::has_interposer(pid)
                    && peers::segment_dir(pid).is_none_or(|dir| dir == *session_dir)
                    && !peers::descends_from_session(pid)
            }
        }
    }
}

/// Device and number of a file.
fn identity(path: &str) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
