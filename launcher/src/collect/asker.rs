//! Launcher, collect: the process that asked for a session. In: the page it shares with us, on a descriptor. Out: who it
//! is; our answer.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use memguard_collect::file::SharedFile;
use memguard_segment::request::{DESCRIPTOR, Request, WORDS};

use crate::peers;

/// The process that asked.
pub struct Asker {
    page: SharedFile,
    pid: i32,
}

impl Asker {
    /// Reads the question.
    ///
    /// # Errors
    /// If there is none on the descriptor.
    pub fn open() -> io::Result<Self> {
        // By its name in /proc: the descriptor itself is then closed like any other.
        let file = OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{DESCRIPTOR}"))?;
        if file.metadata()?.len() < WORDS as u64 * 8 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let page = SharedFile::map(&file)?;
        let asked = Request::open(page.words()).ok_or(io::ErrorKind::InvalidInput)?;
        let pid = i32::try_from(asked.pid()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let _ = nix::unistd::close(DESCRIPTOR);
        Ok(Self { page, pid })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The command line of the service: of the eldest in the line of its parents that has the library.
    pub fn command(&self) -> Vec<OsString> {
        const GENERATIONS_MAX: usize = 32;
        let parent = |pid: &i32| memguard_inspect::Stat::of(*pid).map(|stat| stat.parent_pid);
        let line = std::iter::successors(Some(self.pid), parent).take(GENERATIONS_MAX);
        let eldest = line.take_while(|pid| *pid == self.pid || peers::has_interposer(*pid)).last();
        let eldest = eldest.unwrap_or(self.pid);
        let words = peers::command_line(eldest);
        if words.iter().all(|word| word.is_empty()) { vec!["program".into()] } else { words }
    }

    /// Answers with a session.
    ///
    /// # Errors
    /// If its path is too long to be an answer.
    pub fn send_to(&self, session_dir: &Path) -> io::Result<()> {
        let answered =
            self.request().is_some_and(|request| request.found(session_dir.as_os_str().as_bytes()));
        if answered { Ok(()) } else { Err(io::ErrorKind::InvalidFilename.into()) }
    }

    /// Answers that there is no session. The reason is told by the first process of a tree alone: one whose parent has
    /// the library too stays silent.
    pub fn refuse(&self, why: &str) {
        let parent = memguard_inspect::Stat::of(self.pid).map_or(0, |stat| stat.parent_pid);
        let said_before = peers::has_interposer(parent);
        let line = format!("{}; the program runs unwatched\n", crate::errors::line(why));
        if let Some(request) = self.request() {
            request.refused(if said_before { b"" } else { line.as_bytes() });
        }
    }

    fn request(&self) -> Option<Request<'_>> {
        Request::open(self.page.words())
    }
}
