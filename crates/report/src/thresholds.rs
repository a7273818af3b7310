//! Report: from where on a finding is shown and counted.
//! In: what the user configured, for all patterns and for single ones. Out: whether a finding passes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::ReportFinding;
use crate::noun::is_number;

/// Findings below this confidence are not shown unless asked for.
pub const MIN_CONFIDENCE_DEFAULT: f64 = 0.5;

/// Least confidence and least size of what is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Least confidence, 0 to 1, of patterns that have none of their own.
    pub confidence: f64,
    /// Least size in MiB, of patterns that have none of their own. What is a number of things has no size.
    pub size_mb: f64,
    /// By pattern.
    pub confidence_by_pattern: BTreeMap<String, f64>,
    /// By pattern, in MiB.
    pub size_mb_by_pattern: BTreeMap<String, f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::of_confidence(MIN_CONFIDENCE_DEFAULT)
    }
}

impl Thresholds {
    /// The same confidence for all patterns, whatever their size.
    pub fn of_confidence(confidence: f64) -> Self {
        Self {
            confidence,
            size_mb: 0.0,
            confidence_by_pattern: BTreeMap::new(),
            size_mb_by_pattern: BTreeMap::new(),
        }
    }

    /// Whether the finding is sure and large enough to be shown.
    pub fn admit(&self, finding: &ReportFinding) -> bool {
        let least =
            |by: &BTreeMap<String, f64>, general| by.get(&finding.pattern).copied().unwrap_or(general);
        finding.confidence >= least(&self.confidence_by_pattern, self.confidence)
            && (is_number(finding) || finding.size_mb >= least(&self.size_mb_by_pattern, self.size_mb))
    }
}
