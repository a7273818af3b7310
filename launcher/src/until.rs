//! Launcher, until: waiting for descriptors, up to a time. In: descriptors, a deadline. Out: one of them has something to say, or
//! the time is up, or a signal came between: the caller looks.

use std::io;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

/// Waits once.
///
/// # Errors
/// Only if the system refuses to wait at all.
pub fn poll_until(descriptors: &mut [PollFd], deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    // Rounded up, or the last millisecond would be spent spinning.
    let left = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
    match poll(descriptors, left) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
