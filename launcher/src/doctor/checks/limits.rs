//! Launcher, doctor: limits of memory and file size that programs inherit from here.

use bytesize::ByteSize;
use nix::sys::resource::{Resource, getrlimit};

use super::super::Patient;
use super::super::answer::{Answer, State};
use super::session::needed_bytes;
use crate::run::ADDRESS_SPACE_MIN;

/// The address space (`ulimit -v`) that leaves a program most of it.
const ADDRESS_SPACE_COMFORTABLE: u64 = 1 << 30;

fn soft(resource: Resource) -> Option<u64> {
    let (soft, _) = getrlimit(resource).ok()?;
    (soft != libc::RLIM_INFINITY).then_some(soft)
}

/// `ulimit -v`.
pub fn address_space(_: &Patient) -> Option<Answer> {
    let Some(limit) = soft(Resource::RLIMIT_AS) else { return Some(Answer::ok("not limited")) };
    let words = format!("limited to {} (ulimit -v {})", ByteSize::b(limit).display().iec(), limit / 1024);
    Some(if limit < ADDRESS_SPACE_MIN {
        let remedy = "set the limit for the program alone: memguard run -- sh -c 'ulimit -v KIB; exec CMD'";
        Answer::none(words, remedy)
    } else if limit < ADDRESS_SPACE_COMFORTABLE {
        Answer::warn(words, "raise it: a process that would lose much of its address space goes unwatched")
    } else {
        Answer::ok(words)
    })
}

/// `ulimit -f`.
pub fn file_size(_: &Patient) -> Option<Answer> {
    let Some(limit) = soft(Resource::RLIMIT_FSIZE) else { return Some(Answer::ok("not limited")) };
    let words = format!("limited to {} (ulimit -f)", ByteSize::b(limit).display().iec());
    Some(if limit < needed_bytes() {
        Answer::none(words, format!("raise it to {} or more", ByteSize::b(needed_bytes()).display().iec()))
    } else if limit < 2 * needed_bytes() {
        Answer::part(State::Warn, words, "raise it: --aggressive needs larger files")
    } else {
        Answer::ok(words)
    })
}
