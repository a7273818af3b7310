//! Launcher, collect: time and the wish to end, for a collector that nobody waits for. In: a pause, signals. Out: when to
//! look, or that the end is asked for.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

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
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Tick::Look);
            }
            let left = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], left) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
