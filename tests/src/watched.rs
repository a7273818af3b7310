//! Test kit, watched programs: `memguard run` with sessions in a place of their own. In: options, a command. Out: the
//! program's end, its report, its recordings while it runs.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::keeper::Keeper;
use crate::process::{Ended, Process};
use crate::product;
use crate::recording::Recording;
use crate::report::Report;

/// A folder for one test, and a `memguard` that knows no other.
pub struct Place {
    folder: tempfile::TempDir,
    sessions: PathBuf,
    library: PathBuf,
}

/// A program that was watched to its end.
pub struct Watched {
    /// How `memguard run` ended; its streams are the program's and its own.
    pub ended: Ended,
    /// Where its session is.
    pub place: Place,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A fresh place.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("memguard-test-").tempdir().expect("a temporary folder");
        let sessions = folder.path().join("sessions");
        Self { folder, sessions, library: product::library().to_owned() }
    }

    /// With the library that has no assembly.
    #[must_use]
    pub fn portable(mut self) -> Self {
        product::portable_library().clone_into(&mut self.library);
        self
    }

    /// With another folder for the sessions.
    #[must_use]
    pub fn with_sessions_in(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.sessions);
        self
    }

    /// Whether the library has no assembly.
    pub fn is_portable(&self) -> bool {
        self.library == product::portable_library()
    }

    /// The test's own folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command without settings from outside, that finds the sessions here and the library under test.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = plain(program);
        command.env("MEMGUARD_DIR", &self.sessions).env("MEMGUARD_LIB", &self.library);
        command.env("XDG_CONFIG_HOME", self.path().join("config")).current_dir(self.path());
        command
    }

    /// `memguard` with these arguments.
    pub fn memguard<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = self.command(product::launcher());
        command.args(arguments);
        command
    }

    /// `memguard run OPTIONS -- PROGRAM ARGUMENTS`.
    pub fn run(&self, options: &[&str], program: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.memguard(&["run"]);
        command.args(options).arg("--").args(program);
        command
    }

    /// The same command, started by a prefix that prepares something and then becomes it.
    pub fn led_by(&self, prefix: &[impl AsRef<OsStr>], command: &Command) -> Command {
        let mut led = self.command(&prefix[0]);
        led.args(&prefix[1..]).arg(command.get_program()).args(command.get_args());
        led
    }

    /// Keeps what is recorded from now on beyond the end of its process.
    pub fn keeper(&self) -> Keeper {
        Keeper::start(&self.sessions)
    }

    /// Runs it to its end.
    pub fn watch(self, options: &[&str], program: &[impl AsRef<OsStr>]) -> Watched {
        let ended = Process::run(self.run(options, program));
        Watched { ended, place: self }
    }

    /// The directories of the sessions, oldest first.
    pub fn sessions(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(&self.sessions) else { return Vec::new() };
        let mut found: Vec<_> = folder.map(|entry| entry.expect("readable").path()).collect();
        // Beside them are the files by which processes of one service find each other.
        found.retain(|path| path.is_dir());
        found.sort();
        found
    }

    /// The directory of the only session.
    pub fn session(&self) -> PathBuf {
        let mut sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions.pop().expect("one")
    }

    /// The report that the only session holds.
    pub fn report(&self) -> Report {
        Report::read(&self.session().join("report.json"))
    }

    /// What the running processes of the only session have recorded so far.
    pub fn recordings(&self) -> Vec<Recording> {
        Recording::all(&self.session())
    }
}

impl Watched {
    /// See [`Place::report`].
    pub fn report(&self) -> Report {
        self.place.report()
    }
}

/// A command without settings from outside.
pub fn plain(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MEMGUARD_") {
            command.env_remove(name);
        }
    }
    command.env_remove("LD_PRELOAD").env("LC_ALL", "C");
    command
}

/// A program and its arguments.
pub fn words(program: &Path, arguments: &[&str]) -> Vec<OsString> {
    let arguments = arguments.iter().map(OsString::from);
    std::iter::once(program.as_os_str().to_owned()).chain(arguments).collect()
}
