//! Launcher, peers: what `/proc` tells of other processes and of our part in them. In: a process id. Out: whether it has the
//! interposer, which session it was started in, its command line.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memguard_segment::control::SEGMENT_SUFFIX;

use crate::config::SESSION_VARIABLE;
use crate::spawn::LIBRARY_NAME;

/// Ancestors of a process that are looked at.
const ANCESTORS_MAX: u32 = 64;

/// Whether the interposer is loaded in a process.
pub fn has_interposer(pid: i32) -> bool {
    let modules = memguard_inspect::loaded_modules(pid).unwrap_or_default();
    modules.iter().any(|module| is_interposer(module))
}

fn is_interposer(module: &str) -> bool {
    let path = module.strip_suffix(" (deleted)").unwrap_or(module);
    Path::new(path).file_name().is_some_and(|name| name == LIBRARY_NAME)
}

/// Whether a process descends from one that was started in a session: its own environment may be written over.
pub fn descends_from_session(pid: i32) -> bool {
    let mut next = memguard_inspect::Stat::of(pid).map(|stat| stat.parent_pid);
    for _ in 0..ANCESTORS_MAX {
        let Some(parent) = next.filter(|parent| *parent > 0) else { return false };
        if session_dir(parent).is_some() {
            return true;
        }
        next = memguard_inspect::Stat::of(parent).map(|stat| stat.parent_pid);
    }
    false
}

/// The session's directory in which the segment lies that a process has mapped.
pub fn segment_dir(pid: i32) -> Option<PathBuf> {
    let file = memguard_inspect::shared_file(pid, SEGMENT_SUFFIX)?;
    Some(Path::new(&*file).parent()?.to_owned())
}

/// The session's directory in the environment that a process was started with.
pub fn session_dir(pid: i32) -> Option<PathBuf> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| {
        let path = variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        Some(PathBuf::from(OsStr::from_bytes(path)))
    })
}

/// The command line, word by word; empty if it has none (kernel threads) or may not be seen.
pub fn command_line(pid: i32) -> Vec<OsString> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if bytes.is_empty() {
        return Vec::new();
    }
    // The last word ends with a zero as well, unless the process has put a title of its own there.
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    words.map(|word| OsStr::from_bytes(word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interposer_is_known_by_its_name() {
        assert!(is_interposer("/usr/local/lib/memguard/libmemguard.so"));
        assert!(is_interposer("/tmp/libmemguard.so (deleted)"));
        assert!(!is_interposer("/usr/lib/libmemguard.so.1/libc.so.6"));
    }

    #[test]
    fn a_command_line_is_read_word_by_word() {
        let own: Vec<OsString> = std::env::args_os().collect();
        assert_eq!(command_line(std::process::id() as i32), own);
        assert!(command_line(-1).is_empty());
    }
}
