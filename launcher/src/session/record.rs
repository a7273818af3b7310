//! Launcher, sessions: `session.json`.
//! In: what `run` knows. Out: the file, replaced as a whole, and its reading, which trusts nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::liveness::Identity;
use crate::config::Settings;

/// Name of the file in a session's directory.
pub const FILE_NAME: &str = "session.json";

/// Version of the file's form.
pub const SCHEMA: &str = "memguard.session/1";

/// Larger than any record: a file beyond it is damaged and is not read into memory.
const SIZE_BYTES_MAX: u64 = 4 << 20;

/// One session, as its `session.json` tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// Identifier and name of the directory.
    pub id: String,
    /// The name that `--name` gave.
    pub name: Option<String>,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The directory it was started in.
    pub cwd: String,
    /// The machine.
    pub host: String,
    /// The process that watches.
    pub launcher: Identity,
    /// The process that is watched, where the session has not started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Identity>,
    /// Seconds since 1970.
    pub started_at: f64,
    /// Seconds since 1970; none while it runs or if its end was not seen.
    pub ended_at: Option<f64>,
    /// How the program ended; none as above.
    pub exit: Option<Exit>,
    /// The version that wrote this.
    pub memguard_version: String,
    /// How it is watched; none in records of versions that did not say.
    #[serde(default)]
    pub settings: Option<Settings>,
    /// What the launcher said last; see [`Record::is_live`] for the truth.
    pub state: State,
}

/// What the launcher said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The program runs.
    Running,
    /// The program has ended and the session is complete.
    Ended,
}

/// How the program ended: one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Record {
    /// Whether the session may still be running: not ended, and its launcher alive. The processes of another
    /// machine cannot be seen, so its sessions count as running until they say otherwise.
    pub fn is_live(&self) -> bool {
        self.state == State::Running && (self.host != host() || self.launcher.is_alive())
    }

    /// Whether it has not ended although nobody watches it.
    pub fn is_abandoned(&self) -> bool {
        self.state == State::Running && self.host == host() && !self.launcher.is_alive()
    }

    /// Replaces the file: a reader sees the old one or the new one, whole.
    pub fn write(&self, session_dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let (path, draft) = (session_dir.join(FILE_NAME), session_dir.join(".session.json.new"));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        let written = file.write_all(&text).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Reads the file of a session's directory.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(session_dir: &Path) -> Result<Self, String> {
        let path = session_dir.join(FILE_NAME);
        // Anything may stand there: waiting on a pipe or reading a device would never end.
        let metadata = fs::symlink_metadata(&path).map_err(|error| unreadable(&error))?;
        if !metadata.is_file() || metadata.len() > SIZE_BYTES_MAX {
            return Err(format!("{FILE_NAME} is not a record"));
        }
        let text = fs::read(&path).map_err(|error| unreadable(&error))?;
        let record: Self =
            serde_json::from_slice(&text).map_err(|error| format!("{FILE_NAME} is not a record: {error}"))?;
        if record.schema != SCHEMA {
            return Err(format!("{FILE_NAME} has the form {}, this version reads {SCHEMA}", record.schema));
        }
        if session_dir.file_name() != Some(record.id.as_ref()) {
            return Err(format!("{FILE_NAME} belongs to session {}", record.id));
        }
        Ok(record)
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("{FILE_NAME} cannot be read: {}", crate::config::reason(error))
}

/// This machine's name.
pub fn host() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
