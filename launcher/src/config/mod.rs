//! Launcher, configuration: from `memguard.toml`, the environment and the command line to [`Settings`].
//! In: the file's text, `MEMGUARD_*` variables, option values. Out: [`Settings`], or one [`ConfigError`].
//!
//! [`KEYS`] is the one definition of every key: parsing, `--help` and `docs/configuration.md` come from it.
//! Layers, the later wins: defaults (guard or aggressive), file, environment, command line.

mod environment;
mod error;
mod file;
mod key;
mod kind;
mod pattern;
mod settings;
mod table;

#[cfg(test)]
mod docs_test;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use memguard_patterns::Library;

pub use error::{ConfigError, Origin, reason};
pub use key::Key;
pub use pattern::{Pattern, PatternSet};
pub use settings::Settings;
pub use table::{COLLECTOR_VARIABLE, KEYS, SESSION_VARIABLE};

use settings::Assignment;

/// Where the settings of one start come from.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config FILE`; without it the usual places are tried.
    pub file: Option<PathBuf>,
    /// The environment variables of the launcher, all of them.
    pub environment: Vec<(OsString, OsString)>,
    /// Option values from the command line: the key and its text.
    pub options: Vec<(&'static Key, String)>,
}

/// Reads every source and merges them, and checks the files that the settings name. Nothing is started and nothing is written.
///
/// # Errors
/// The first thing found wrong, with its source, in the order file, environment, command line.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let mut assignments = match file_to_read(sources) {
        Some(path) => file::read(&path)?,
        None => Vec::new(),
    };
    assignments.extend(environment::read(&sources.environment)?);
    for (key, text) in &sources.options {
        let origin = Origin::Option(key.option.unwrap_or(key.name));
        assignments.push(Assignment { key, pattern: None, text: text.clone(), origin });
    }
    let settings = settings::resolve(&assignments)?;
    check_patterns(&settings, &assignments)?;
    Ok(settings)
}

/// Whoever wrote a fingerprint learns at once what is wrong with it, not when a report is due.
fn check_patterns(settings: &Settings, assignments: &[Assignment]) -> Result<(), ConfigError> {
    let Err(error) = Library::with_folders(&settings.patterns_dir) else { return Ok(()) };
    let chosen = assignments.iter().rev().find(|assignment| assignment.key.name == "patterns_dir");
    let origin = chosen.map_or(Origin::Default, |assignment| assignment.origin.clone());
    Err(ConfigError::Patterns { origin, error })
}

/// The file named by `--config`, else `./memguard.toml`, else the one in the user's configuration folder.
/// A named file is returned even if it does not exist, so that reading it reports the error.
fn file_to_read(sources: &Sources) -> Option<PathBuf> {
    if let Some(named) = &sources.file {
        return Some(named.clone());
    }
    let variable = |name: &str| {
        let found = sources.environment.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let config_home =
        variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let user_file = config_home.map(|folder| folder.join("memguard").join("memguard.toml"));
    // A file that is there but cannot be looked at counts as present: to ignore it silently would run the
    // program under settings its owner did not choose.
    let present = |path: &Path| path.symlink_metadata().is_ok();
    [Some(PathBuf::from("memguard.toml")), user_file].into_iter().flatten().find(|path| present(path))
}
