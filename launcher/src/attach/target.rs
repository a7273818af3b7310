//! Launcher, attach: the process to watch. In: a number, `/proc`, the sessions there are. Out: a [`Target`], or what speaks against
//! watching it.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid, User};

use super::error::AttachError;
use crate::peers;
use crate::session::{Identity, Record, Store};

/// The kernel's mark on its own threads (`PF_KTHREAD`), in the ninth field of `stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// A process that can be watched.
#[derive(Debug)]
pub struct Target {
    /// Its number.
    pub pid: i32,
    /// Itself, apart from all that will have its number.
    pub identity: Identity,
    /// Its name.
    pub name: String,
    /// Its command line.
    pub command: Vec<OsString>,
}

impl Target {
    /// Finds it and makes sure that it can be watched.
    ///
    /// # Errors
    /// [`AttachError`], one variant for each reason.
    pub fn find(pid: i32, store: &Store) -> Result<Self, AttachError> {
        let Some(status) = Status::of(pid) else {
            // Where others' processes are hidden (hidepid), only a signal that is not sent tells.
            return Err(match kill(Pid::from_raw(pid), None) {
                Err(Errno::EPERM) => AttachError::NotPermitted { pid, owner: "another user".to_owned() },
                _ => AttachError::NoProcess(pid),
            });
        };
        if matches!(status.state, 'Z' | 'X') {
            return Err(AttachError::Ended(pid));
        }
        let gone = || AttachError::NoProcess(pid);
        let identity = Identity::of(pid.unsigned_abs()).ok_or_else(gone)?;
        if status.leader != pid {
            return Err(AttachError::Thread { tid: pid, pid: status.leader });
        }
        if pid.unsigned_abs() == std::process::id() {
            return Err(AttachError::Own(pid));
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| gone())?;
        if is_kernel_thread(&stat) {
            return Err(AttachError::KernelThread(pid));
        }
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone()),
            Err(_) => return Err(AttachError::NotPermitted { pid, owner: owner(status.user) }),
        }
        if let Some(session) = session_of(pid, &identity, store) {
            return Err(AttachError::Watched { pid, session });
        }
        let mut command = peers::command_line(pid);
        if command.is_empty() {
            command.push(OsString::from(&status.name));
        }
        Ok(Self { pid, identity, name: status.name, command })
    }
}

/// What `status` says of a process.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    name: String,
    state: char,
    leader: i32,
    user: u32,
}

impl Status {
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        Some(Self {
            name: value("Name:")?.to_owned(),
            state: value("State:")?.chars().next()?,
            leader: value("Tgid:")?.parse().ok()?,
            user: value("Uid:")?.split_whitespace().next()?.parse().ok()?,
        })
    }
}

fn is_kernel_thread(stat: &str) -> bool {
    // The name in parentheses may itself hold spaces and parentheses; the state, first after it, is field 3.
    let flags =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(9 - 3)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

fn owner(user: u32) -> String {
    let known = User::from_uid(Uid::from_raw(user)).ok().flatten();
    known.map_or_else(|| format!("user {user}"), |user| user.name)
}

/// The live session that has this process: one that it was started in, or one that is attached to it.
fn session_of(pid: i32, identity: &Identity, store: &Store) -> Option<String> {
    let started_in = peers::session_dir(pid).and_then(|path| Record::read(&path).ok());
    let attached = || {
        let records = store.list().unwrap_or_default().into_iter().filter_map(|entry| entry.record.ok());
        records.into_iter().find(|record| record.attached.as_ref() == Some(identity) && record.is_live())
    };
    started_in.filter(Record::is_live).or_else(attached).map(|record| record.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_thread_is_told_by_its_mark() {
        assert!(is_kernel_thread("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0"));
        assert!(!is_kernel_thread("9 (a) S) b) S 1 9 9 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0"));
        assert!(!is_kernel_thread(""));
    }

    #[test]
    fn status_is_read_by_its_keys() {
        let text = "Name:\ta b\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nPid:\t9\nUid:\t1000\t0\t0\t0\n";
        let status = Status { name: "a b".to_owned(), state: 'S', leader: 7, user: 1000 };
        assert_eq!(Status::parse(text), Some(status));
        assert_eq!(Status::parse("Name:\tx\n"), None);
    }
}
