//! Launcher, configuration: the merged result.
//! In: [`Assignment`]s of all sources. Out: [`Settings`], a plain value.

use std::path::PathBuf;
use std::time::Duration;

use memguard_report::Thresholds;
use serde::{Deserialize, Serialize};

use super::error::{ConfigError, Origin};
use super::key::{Key, PER_PATTERN};
use super::kind::Refusal;
use super::pattern::{Pattern, PatternSet};
use super::table::KEYS;

/// The mean sampling interval that a rate of 1 would stand for, so that 0.01 stands for 512 KiB.
pub const RATE_ONE_BYTES: f64 = 5.12 * 1024.0;

/// What one run is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Audit mode; selects the aggressive defaults.
    pub aggressive: bool,
    /// Growth of resident memory that triggers deep analysis.
    pub threshold_bytes: u64,
    /// Time between two looks.
    pub poll_interval: Duration,
    /// Mean number of bytes between heap samples; 0 records every allocation.
    pub sample_bytes: u64,
    /// Patterns to look for.
    pub patterns: PatternSet,
    /// Youngest age at which an open handle is suspect.
    pub handle_age_max: Duration,
    /// Whether names of resources are left out.
    pub redact: bool,
    /// Whether what is read of the processes is kept, to be judged again.
    #[serde(default)]
    pub record: bool,
    /// Share of the program's CPU time that hooks may take, 0 to 1; `None` is no limit.
    pub overhead_budget: Option<f64>,
    /// Capacity of the table of live sampled objects, per process.
    pub live_objects: u64,
    /// Price of one gigabyte of memory over one hour, US dollars.
    pub usd_per_gb_hour: f64,
    /// Folders of the user's own fingerprints.
    #[serde(default)]
    pub patterns_dir: Vec<PathBuf>,
    /// Where findings would be sent; nothing is sent in this version.
    pub telemetry_endpoint: Option<String>,
    /// The folder of the sessions, where one was chosen.
    pub dir: Option<PathBuf>,
    /// From where on findings are shown and counted.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// An earlier report, whose findings are known.
    #[serde(default)]
    pub baseline: Option<PathBuf>,
    /// Files of suppressions.
    #[serde(default)]
    pub suppressions: Vec<PathBuf>,
}

/// One value as some source wrote it.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The key's definition.
    pub key: &'static Key,
    /// Which pattern, for a key that exists once per pattern and names one.
    pub pattern: Option<Pattern>,
    /// The value's text.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
}

impl Assignment {
    fn apply(&self, to: &mut Settings) -> Result<(), ConfigError> {
        let origin = self.origin.clone();
        self.key.kind.assign(&self.text, self.pattern, to).map_err(|refusal| match refusal {
            Refusal::NotAvailable(why) => {
                ConfigError::NotAvailable { origin, key: self.full_key(), why: why.to_owned() }
            }
            Refusal::Invalid(expected) => ConfigError::BadValue {
                origin,
                key: self.full_key(),
                found: self.text.clone(),
                expected: expected.unwrap_or_else(|| self.key.kind.expected()),
            },
        })
    }

    fn full_key(&self) -> String {
        let stem = self.key.name.trim_end_matches(PER_PATTERN);
        self.pattern.map_or_else(|| stem.to_owned(), |pattern| format!("{stem}.{}", pattern.name()))
    }
}

/// Merges the assignments, given from the weakest source to the strongest, over the defaults.
pub fn resolve(assignments: &[Assignment]) -> Result<Settings, ConfigError> {
    refuse_both_sampling_keys(assignments)?;
    let mut settings = Settings::default();
    for assignment in assignments.iter().filter(|assignment| assignment.key.name == "aggressive") {
        assignment.apply(&mut settings)?;
    }
    for assignment in defaults(settings.aggressive).iter().chain(assignments) {
        assignment.apply(&mut settings)?;
    }
    Ok(settings)
}

fn defaults(aggressive: bool) -> Vec<Assignment> {
    let text = |key: &Key| if aggressive { key.aggressive } else { key.default };
    let given = KEYS.iter().filter(|key| !text(key).is_empty());
    given
        .map(|key| Assignment { key, pattern: None, text: text(key).to_owned(), origin: Origin::Default })
        .collect()
}

/// `sample_rate` and `sample_bytes` are two faces of one value: the more specific source wins, but within
/// one source there is no telling which was meant.
fn refuse_both_sampling_keys(assignments: &[Assignment]) -> Result<(), ConfigError> {
    let sampling = assignments.iter().filter(|a| ["sample_rate", "sample_bytes"].contains(&a.key.name));
    let mut earlier: Option<&Assignment> = None;
    for later in sampling {
        if let Some(first) = earlier.filter(|first| first.origin.rank() == later.origin.rank()) {
            return Err(ConfigError::BothSamplingKeys {
                first_key: first.key.name,
                first: first.origin.clone(),
                second_key: later.key.name,
                second: later.origin.clone(),
            });
        }
        earlier = Some(later);
    }
    Ok(())
}
