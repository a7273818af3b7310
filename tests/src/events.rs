//! Test kit, events: waiting until a file says something. In: a folder, a question. Out: its first answer.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::process::DEADLINE;

/// Between two questions about what has no event.
const PAUSE: Duration = Duration::from_millis(2);

/// Asks again whenever something in the folder has changed, until there is an answer.
pub fn when_changed<T>(folder: &Path, mut question: impl FnMut() -> Option<T>) -> T {
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).expect("inotify");
    let which = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
    changes.add_watch(folder, which | AddWatchFlags::IN_DELETE).expect("the folder is there");
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "nothing of that in {} within {DEADLINE:?}", folder.display());
        let mut wanted = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut wanted, PollTimeout::try_from(left).expect("minutes"));
        let _ = changes.read_events();
    }
}

/// Asks again and again: for what the kernel tells nobody about, such as the state of somebody else's child.
pub fn wait_until(mut question: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !question() {
        assert!(Instant::now() < until, "it did not come to pass within {DEADLINE:?}");
        std::thread::sleep(PAUSE);
    }
}
