//! Launcher, sessions: identifiers that sort by time and that people can read.
//! In: the start time, the command. Out: `20261122-114233-redis-server-3f2a`.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::SystemTime;

const NAME_BYTES_MAX: usize = 32;

/// A new identifier; the time is UTC. Two calls differ in their random part.
pub fn new(started_at: SystemTime, command: &OsStr) -> String {
    // `2026-11-22T11:42:33Z` without its punctuation.
    let time: String = humantime::format_rfc3339_seconds(started_at).to_string();
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let (day, second) = digits.split_at(digits.len().saturating_sub(6));
    let random = RandomState::new().build_hasher().finish() as u16;
    format!("{day}-{second}-{}-{random:04x}", readable_name(command))
}

/// Whether a folder's name could be an identifier; anything else in the folder is not ours.
pub fn is_id(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 16
        && bytes[8] == b'-'
        && bytes[15] == b'-'
        && bytes[..8].iter().chain(&bytes[9..15]).all(u8::is_ascii_digit)
}

fn readable_name(command: &OsStr) -> String {
    let base = Path::new(command).file_name().unwrap_or(command).to_string_lossy();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let name: String = base.chars().filter(allowed).take(NAME_BYTES_MAX).collect();
    if name.is_empty() { "program".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ids_hold_time_and_name() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_347_753);
        let id = new(time, OsStr::new("/usr/bin/redis-server"));
        assert!(id.starts_with("20261122-114233-redis-server-"), "{id}");
        assert!(is_id(&id));
        assert!(is_id(&new(time, OsStr::new("a b:c\n"))));
        assert!(new(time, OsStr::new("/..//")).starts_with("20261122-114233-"));
        for other in ["lost+found", "", "20261122-114233", "20261122x114233-a-0000", "日本語日本語日本"]
        {
            assert!(!is_id(other), "{other}");
        }
    }
}
