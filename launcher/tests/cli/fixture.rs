//! Launcher, tests: a folder of its own and a `memguard` that knows no other.
//! In: arguments. Out: a [`Command`] to start, its sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder for one test.
pub struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `memguard` with these arguments, in the folder, without settings from outside.
    pub fn memguard(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_memguard"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MEMGUARD_") {
                command.env_remove(name);
            }
        }
        command.env_remove("LD_PRELOAD").env("LC_ALL", "C");
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command.env("MEMGUARD_DIR", self.sessions_dir()).env("MEMGUARD_LIB", stand_in_library());
        command
    }

    /// Its end and everything it wrote.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.memguard(arguments).output().expect("memguard starts")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    pub fn sessions_dir(&self) -> PathBuf {
        self.path().join("sessions")
    }

    /// The directories of the sessions, oldest first.
    pub fn sessions(&self) -> Vec<PathBuf> {
        let Ok(folder) = fs::read_dir(self.sessions_dir()) else { return Vec::new() };
        let mut found: Vec<_> = folder.map(|entry| entry.expect("readable").path()).collect();
        found.sort();
        found
    }

    /// The record of the only session.
    pub fn record(&self) -> Value {
        let sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        let text = fs::read_to_string(sessions[0].join("session.json")).expect("a record");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// The C library itself: it can be preloaded anywhere and adds nothing.
pub fn stand_in_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("readable");
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let library = paths.find(|path| path.contains("/libc.so") || path.contains("/libc-"));
    PathBuf::from(library.expect("the tests are linked with the C library"))
}

/// What a finished command wrote to stdout, as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
