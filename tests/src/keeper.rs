//! Test kit, keeping recordings: a session gives a process's segment back when it has ended, and tests look at it afterwards.
//! In: the folder of sessions, watched for new files. Out: a second name for each segment.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::recording::Recording;

/// Makes links while it lives.
pub struct Keeper {
    sessions: PathBuf,
    kept: tempfile::TempDir,
    thread: JoinHandle<()>,
}

/// Its appearance tells the thread to end.
const END: &str = ".end";

impl Keeper {
    /// Keeps what appears in the sessions of this folder from now on.
    pub fn start(sessions: &Path) -> Self {
        fs::create_dir_all(sessions).expect("a folder");
        let beside = sessions.parent().expect("not the root");
        let kept = tempfile::Builder::new().prefix("kept-").tempdir_in(beside).expect("a folder");
        let news = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).expect("inotify");
        news.add_watch(sessions, AddWatchFlags::IN_CREATE).expect("it is there");
        let (from, to) = (sessions.to_owned(), kept.path().to_owned());
        let thread = thread::spawn(move || {
            while !from.join(END).exists() {
                let mut wanted = [PollFd::new(news.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut wanted, PollTimeout::NONE);
                let _ = news.read_events();
                keep(&from, &to, &news);
            }
        });
        Self { sessions: sessions.to_owned(), kept, thread }
    }

    /// What was kept, by file name.
    pub fn recordings(self) -> Vec<Recording> {
        let end = self.sessions.join(END);
        fs::write(&end, "").expect("written");
        self.thread.join().expect("it ends");
        fs::remove_file(end).expect("removed");
        Recording::all(self.kept.path())
    }
}

/// Links every segment of every session. Watching a folder again changes nothing, and what appeared before it was watched
/// is found by reading it afterwards.
fn keep(sessions: &Path, kept: &Path, news: &Inotify) {
    for session in paths(sessions) {
        if session.is_dir() {
            let _ = news.add_watch(&session, AddWatchFlags::IN_CREATE);
            for file in paths(&session) {
                if let Some(name) =
                    file.file_name().filter(|_| file.extension().is_some_and(|e| e == "segment"))
                {
                    let _ = fs::hard_link(&file, kept.join(name));
                }
            }
        }
    }
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
