//! Launcher, collect: time and the wish to end, for a collector that nobody waits for. In: a pause, signals. Out: when to
//! look, or that the end is asked for.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::until::poll_until;

/// What a wait has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// The time is up.
    Look,
    /// Somebody wants us to end.
    End,
}

/// Waits for time and signals.
pub struct Ticker {
    signals: SignalFd,
}

impl Ticker {
    /// From now on signals that would end us are read here.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn start() -> io::Result<Self> {
        let ending: SigSet =
            [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
        ending.thread_block()?;
        Ok(Self { signals: SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)? })
    }

    /// Waits, at most `pause`.
    ///
    /// # Errors
    /// If the system refuses to wait.
    pub fn wait(&mut self, pause: Duration) -> io::Result<Tick> {
        let until = Instant::now() + pause;
        loop {
            if self.signals.read_signal()?.is_some() {
                return Ok(Tick::End);
            }
            if Instant::now() >= until {
                return Ok(Tick::Look);
            }
            poll_until(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], until)?;
        }
    }
}
