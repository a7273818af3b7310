//! Launcher, rules: the files in which people have decided about findings. In: their paths, from the settings. Out: a baseline and
//! suppressions to mark reports with, or one line that says what is wrong.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use memguard_report::{Baseline, ReadError, Report, SuppressionError, Suppressions, mark, read_report};
use thiserror::Error;

use crate::config::{Settings, reason};

/// Larger than any report or file of suppressions.
const BYTES_MAX: u64 = 64 << 20;

/// Why the rules were not taken.
#[derive(Debug, Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("cannot read the {what} {}: {}", path.display(), reason(source))]
    Unreadable {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has no end, or might as well have none.
    #[error("the {what} {} is larger than 64 MiB", path.display())]
    TooLarge {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The baseline is no report.
    #[error("the baseline {}: {}; 'memguard report --json -o FILE' makes one", path.display(), one_line(source))]
    NoReport {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
    /// Suppressions are text.
    #[error("{}: this is no text", .0.display())]
    NoText(PathBuf),
    /// A mistake in suppressions.
    #[error("{0}")]
    Suppression(SuppressionError),
}

fn one_line(error: &ReadError) -> String {
    error.to_string().replace('\n', ", ")
}

/// What people have decided about findings.
#[derive(Debug, Default)]
pub struct Rules {
    baseline: Option<Baseline>,
    suppressions: Option<Suppressions>,
}

impl Rules {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The first thing wrong with any of them.
    pub fn load(settings: &Settings) -> Result<Self, RulesError> {
        let baseline = settings.baseline.as_deref().map(baseline).transpose()?;
        let mut suppressions = None;
        for path in &settings.suppressions {
            let text = read_text(path)?;
            let rules: &mut Suppressions = suppressions.get_or_insert_default();
            rules.read(&text, &path.display().to_string()).map_err(RulesError::Suppression)?;
        }
        Ok(Self { baseline, suppressions })
    }

    /// Marks what is known and what is suppressed at `now_s`, in seconds since 1970. Where there is no file, what the report says
    /// stays.
    pub fn mark(&self, report: &mut Report, now_s: f64) {
        mark(report, self.baseline.as_ref(), self.suppressions.as_ref(), now_s);
    }
}

fn baseline(path: &Path) -> Result<Baseline, RulesError> {
    let bytes = read("baseline", path)?;
    let report =
        read_report(&bytes).map_err(|source| RulesError::NoReport { path: path.to_owned(), source })?;
    Ok(Baseline::of(&report))
}

/// The text of a file of suppressions.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, RulesError> {
    String::from_utf8(read("file of suppressions", path)?).map_err(|_| RulesError::NoText(path.to_owned()))
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, RulesError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| RulesError::Unreadable { what, path: path.to_owned(), source })?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(RulesError::TooLarge { what, path: path.to_owned() });
    }
    Ok(bytes)
}
