//! Launcher, spawn: which signals are passed on.
//! In: a signal with its sender. Out: whether the program needs a copy from us.
//!
//! * Sent by the kernel for the terminal (Ctrl-C, Ctrl-Z, a resize, a hang-up): it goes to the whole process
//!   group, so a program in our group has it already. A second copy would be a second Ctrl-C.
//! * Sent by the program itself or one of its children, as `kill 0` in a script: it has its own copy.
//! * Sent by anyone else (a supervisor, `kill PID`): passed on.
//!
//! The system does not tell whether an outside sender meant us or our whole group (`kill -- -PGID`); then the
//! program gets the signal twice.

use std::fs;

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgid, getpgrp};

/// Every signal that a supervisor, a terminal or an operator sends. Not among them: KILL and STOP, which
/// cannot be caught; faults, which are our own; PIPE; TTIN and TTOU, whose default stop is right for us too.
const FORWARDED: [Signal; 14] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGABRT,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGIO,
    Signal::SIGURG,
    Signal::SIGPWR,
];

/// The signals to wait for: those passed on, and the program's own changes of state.
pub fn watched() -> SigSet {
    FORWARDED.into_iter().chain([Signal::SIGCHLD]).collect()
}

/// Whether the program needs a copy of a signal that we received.
pub fn is_needed(program: Pid, sender: Pid, from_kernel: bool) -> bool {
    if from_kernel {
        return getpgid(Some(program)) != Ok(getpgrp());
    }
    !descends_from(sender, program)
}

/// Whether `process` is `ancestor` or one of its descendants; false if it is gone by now.
fn descends_from(process: Pid, ancestor: Pid) -> bool {
    const DEPTH_MAX: usize = 64;
    let chain = std::iter::successors(Some(process), |pid| parent(*pid));
    chain.take(DEPTH_MAX).any(|pid| pid == ancestor)
}

fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let parent = after_name.split_whitespace().nth(1)?.parse().ok()?;
    (parent > 0).then(|| Pid::from_raw(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descent_is_followed_upwards_only() {
        let (me, parent) = (nix::unistd::getpid(), nix::unistd::getppid());
        assert!(descends_from(me, me));
        assert!(descends_from(me, parent));
        assert!(!descends_from(parent, me));
    }
}
