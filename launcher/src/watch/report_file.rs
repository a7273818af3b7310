//! Launcher, watch: `report.json` in the session's directory. In: a document. Out: the file, replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use memguard_report::{Report, read_report, render_json};

/// Name of the file in a session's directory.
pub const FILE_NAME: &str = "report.json";

/// The report of one session on disk.
pub struct ReportFile {
    path: PathBuf,
}

impl ReportFile {
    /// In this directory.
    pub fn in_session(directory: &Path) -> Self {
        Self { path: directory.join(FILE_NAME) }
    }

    /// Reads it.
    ///
    /// # Errors
    /// If there is none, or it is damaged or of another version.
    pub fn read(&self) -> anyhow::Result<Report> {
        Ok(read_report(&fs::read(&self.path)?)?)
    }

    /// Replaces the file: a reader sees the old one or the new one, whole.
    pub fn write(&self, report: &Report) -> io::Result<()> {
        let fresh = self.path.with_extension("json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(render_json(report).as_bytes())?;
        drop(file);
        fs::rename(&fresh, &self.path)
    }
}
