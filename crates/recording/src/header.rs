//! Recording, header: what the verdicts need to know beside the readings. The first line of a file.
//! In: how a process was watched. Out: detectors with the same configuration.

use memguard_detect::{DetectConfig, Verdicts};
use serde::{Deserialize, Serialize};

/// Version of the form of a recording.
pub const VERSION: u32 = 1;

/// How a process was watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub memguard_recording: u32,
    /// Process id.
    pub pid: u32,
    /// Path of the program file.
    pub exe: String,
    /// When it attached, in seconds since 1970.
    pub started_at: f64,
    /// Whether everything was recorded.
    pub aggressive: bool,
    /// Mean bytes between samples as configured; 0 records everything.
    pub sample_bytes: u64,
    /// Youngest age at which a handle is suspect.
    pub handles_max_age_s: f64,
    /// Patterns that were switched on.
    pub patterns: Vec<String>,
}

impl Header {
    /// Configuration of the detectors.
    pub fn config(&self) -> DetectConfig {
        DetectConfig::of(self.aggressive, self.sample_bytes, self.handles_max_age_s)
    }

    /// Fresh verdicts, by the same patterns.
    pub fn verdicts(&self) -> Verdicts {
        Verdicts::chosen(self.config(), &|name| self.patterns.iter().any(|pattern| pattern == name))
    }
}
