//! Launcher, program: programs that get other rights when they are executed. In: the file's owner, mode, capabilities, and who we
//! are. Out: what is gained, if the loader will refuse preloads because of it.
//!
//! The loader refuses them where the kernel says so (`AT_SECURE`): the user or group changes, or a user other than root gains
//! capabilities. On file systems mounted `nosuid`, and for processes that may gain nothing (`no_new_privs`), none of it counts.

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{getegid, getgid, getuid};

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
/// Without it a set-group bit means something else (mandatory locking).
const GROUP_EXECUTES: u32 = 0o010;
/// Where the kernel keeps a file's capabilities.
const CAPABILITIES: &CStr = c"security.capability";

/// What a program gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Another user's rights.
    User(u32),
    /// Another group's rights.
    Group(u32),
    /// Capabilities.
    Capabilities,
}

impl Privilege {
    /// In words that follow "it is".
    pub fn words(self) -> &'static str {
        match self {
            Self::User(_) => "setuid",
            Self::Group(_) => "setgid",
            Self::Capabilities => "given file capabilities",
        }
    }
}

/// What executing this file gains for this user.
pub fn gained(path: &Path) -> Option<Privilege> {
    let metadata = fs::metadata(path).ok()?;
    let privilege = by_mode(metadata.mode(), metadata.uid(), metadata.gid()).or_else(|| {
        let mut value = [0_u8; 64];
        let has = rustix::fs::getxattr(path, CAPABILITIES, &mut value).is_ok_and(|bytes| bytes > 0);
        (has && !getuid().is_root()).then_some(Privilege::Capabilities)
    })?;
    (!is_without_effect(path)).then_some(privilege)
}

fn by_mode(mode: u32, owner: u32, group: u32) -> Option<Privilege> {
    if mode & SET_USER != 0 && owner != getuid().as_raw() {
        return Some(Privilege::User(owner));
    }
    let changes = group != getgid().as_raw() || group != getegid().as_raw();
    let sets_group = mode & SET_GROUP != 0 && mode & GROUP_EXECUTES != 0;
    (sets_group && changes).then_some(Privilege::Group(group))
}

fn is_without_effect(path: &Path) -> bool {
    let mounted = statvfs(path).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_NOSUID));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let gains_nothing =
        status.lines().any(|line| line.strip_prefix("NoNewPrivs:").is_some_and(|value| value.trim() == "1"));
    mounted || gains_nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what changes nothing is no obstacle. Method: files of this user and group, and of others.
    #[test]
    fn only_a_change_counts() {
        let (own, group) = (getuid().as_raw(), getgid().as_raw());
        assert_eq!(by_mode(0o4755, own, group), None);
        assert_eq!(by_mode(0o4755, own + 1, group), Some(Privilege::User(own + 1)));
        assert_eq!(by_mode(0o0755, own + 1, group + 1), None);
        assert_eq!(by_mode(0o2755, own, group + 1), Some(Privilege::Group(group + 1)));
        assert_eq!(by_mode(0o2745, own, group + 1), None, "locking, not privilege");
    }
}
