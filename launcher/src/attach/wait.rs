//! Launcher, attach: waiting beside a process that is not our child. In: the process, our own signals. Out: [`Event`]s.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::AttachError;
use super::target::Target;
use crate::session::Identity;
use crate::until::poll_until;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The time is up.
    Tick,
    /// The process has ended.
    Ended,
    /// We were asked to stop.
    Stop,
}

/// Waits for what happens next. While it exists the signals that ask us to stop are blocked.
#[derive(Debug)]
pub struct Wait {
    identity: Identity,
    /// Readable once the process has ended; none on kernels before 5.3, where every tick asks.
    process: Option<OwnedFd>,
    signals: SignalFd,
    mask_before: SigSet,
}

impl Wait {
    /// Gets ready.
    pub fn prepare(target: &Target) -> anyhow::Result<Self> {
        let pid = Pid::from_raw(target.pid).ok_or(AttachError::NoProcess(target.pid))?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok();
        // Opened by number: by now that may be somebody else's.
        if !target.identity.is_alive() {
            return Err(AttachError::NoProcess(target.pid).into());
        }
        let asked: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let signals = SignalFd::with_flags(&asked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mask_before = SigSet::thread_get_mask()?;
        asked.thread_block()?;
        Ok(Self { identity: target.identity.clone(), process, signals, mask_before })
    }

    /// Waits, at most `timeout`.
    pub fn next(&mut self, timeout: Duration) -> io::Result<Event> {
        let deadline = Instant::now() + timeout;
        loop {
            if self.signals.read_signal()?.is_some() {
                return Ok(Event::Stop);
            }
            let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            watched
                .extend(self.process.as_ref().map(|process| PollFd::new(process.as_fd(), PollFlags::POLLIN)));
            poll_until(&mut watched, deadline)?;
            let has_ended = match watched.get(1).map(PollFd::any) {
                Some(ended) => ended.unwrap_or(false),
                None => !self.identity.is_alive(),
            };
            if has_ended {
                return Ok(Event::Ended);
            }
            if Instant::now() >= deadline {
                return Ok(Event::Tick);
            }
        }
    }
}

impl Drop for Wait {
    /// Signals work as before: what comes after can be interrupted. Those that still wait asked for what has happened.
    fn drop(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let _ = self.mask_before.thread_set_mask();
    }
}
