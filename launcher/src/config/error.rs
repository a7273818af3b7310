//! Launcher, configuration: what can be wrong with it, told in one line.
//! In: built while parsing. Out: a message that names source, key, what was found and what is expected.

use std::path::PathBuf;
use std::{fmt, io};

use memguard_patterns::suggestion;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The table of defaults.
    Default,
    /// A configuration file; lines count from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line of the value.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// An option of the command line, without the dashes.
    Option(&'static str),
}

impl Origin {
    /// How specific the source is: the higher wins.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment(_) => 2,
            Self::Option(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line } => write!(out, "{}:{line}", path.display()),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::Option(name) => write!(out, "--{name}"),
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {}", path.display(), reason(source))]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser said.
        message: String,
    },
    /// No such key.
    #[error("{origin}: unknown key '{found}'{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key as written.
        found: String,
        /// The known key most like it.
        nearest: Option<String>,
    },
    /// No such environment variable.
    #[error("environment: unknown variable {found}{}", suggestion(.nearest.as_deref()))]
    UnknownVariable {
        /// The variable as written.
        found: String,
        /// The known variable most like it.
        nearest: Option<String>,
    },
    /// The value does not fit its key.
    #[error("{origin}: {key}: found '{found}', expected {expected}")]
    BadValue {
        /// Where.
        origin: Origin,
        /// The key's full name.
        key: String,
        /// The value as written.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The value would be right, but this version cannot do it.
    #[error("{origin}: {key}: {why}")]
    NotAvailable {
        /// Where.
        origin: Origin,
        /// The key's full name.
        key: String,
        /// What is missing and what to do.
        why: String,
    },
    /// A folder of fingerprints, or one of its files, is not taken.
    #[error("{origin}: {error}")]
    Patterns {
        /// Where the folder was named.
        origin: Origin,
        /// What is wrong with it.
        error: memguard_patterns::LoadError,
    },
    /// Two keys of one source say the same thing.
    #[error("{second}: {second_key} and {first_key} ({first}) both set the sampling interval; keep one")]
    BothSamplingKeys {
        /// The earlier key.
        first_key: &'static str,
        /// Where it stands.
        first: Origin,
        /// The later key.
        second_key: &'static str,
        /// Where it stands.
        second: Origin,
    },
}

/// The system's words for an error, without Rust's "(os error 2)".
pub fn reason(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |n| nix::errno::Errno::from_raw(n).desc().to_owned())
}
