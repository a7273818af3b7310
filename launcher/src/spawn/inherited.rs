//! Launcher, spawn: what the program inherits. The launcher's only unsafe code.
//! In: the process state before Rust's runtime touched it. Out: the same state in the program.
//!
//! Rust's runtime ignores SIGPIPE and opens `/dev/null` on closed standard streams before `main`; starting a
//! child, the standard library sets SIGPIPE to its default. A program must see what the launcher was given
//! (`nohup`, a supervisor that ignores SIGPIPE or SIGCHLD, a closed stdin), so this state is captured by a
//! constructor that runs before the runtime, and put back between fork and exec.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::{io, ptr};

use nix::sys::signal::SigSet;

static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static CHILD_IGNORED: AtomicBool = AtomicBool::new(false);
/// Bit n: descriptor n, out of the standard three, was closed.
static CLOSED_STREAMS: AtomicU8 = AtomicU8::new(0);

// SAFETY: the loader calls every function of this section once, before `main`, with no other thread running;
// `capture` needs neither Rust's runtime nor an initialised libc beyond plain system calls.
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;

extern "C" fn capture() {
    PIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    CHILD_IGNORED.store(is_ignored(libc::SIGCHLD), Ordering::Relaxed);
    for fd in 0..=2 {
        // SAFETY: F_GETFD only asks; it takes no pointer.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            CLOSED_STREAMS.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

/// Makes children waitable: with SIGCHLD ignored, as some supervisors leave it, the system reaps them itself.
pub fn make_children_waitable() {
    // SAFETY: setting a disposition to its default runs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Has `command` restore what the launcher was started with, and `mask`, just before exec.
pub fn restore_in(command: &mut Command, mask: SigSet) {
    let restore = move || -> io::Result<()> {
        let (pipe, child) = (PIPE_IGNORED.load(Ordering::Relaxed), CHILD_IGNORED.load(Ordering::Relaxed));
        if pipe {
            // SAFETY: signal() is async-signal-safe; ignoring runs no code.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        }
        if child {
            // SAFETY: as above.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        }
        for fd in 0..=2 {
            if CLOSED_STREAMS.load(Ordering::Relaxed) & 1 << fd != 0 {
                // SAFETY: close() is async-signal-safe, and in the child nothing uses the stream any more.
                unsafe { libc::close(fd) };
            }
        }
        mask.thread_set_mask()?;
        Ok(())
    };
    // SAFETY: the closure allocates nothing, takes no lock and makes only async-signal-safe calls, as the time
    // between fork and exec demands.
    unsafe { command.pre_exec(restore) };
}

fn is_ignored(signal: i32) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asking for the present action writes one sigaction to a place that holds one; all-zero bytes are
    // a valid sigaction, so the value is initialised even if the call fails.
    let now = unsafe {
        libc::sigaction(signal, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}
