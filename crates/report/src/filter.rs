//! Report: which findings are shown.
//! In: a document. Out: the same without the findings that are too unsure, its sums and stamp made anew.

use crate::assemble::total_cost;
use crate::document::Report;
use crate::identity::stamp;

/// Findings below this confidence are not shown unless asked for.
pub const MIN_CONFIDENCE_DEFAULT: f64 = 0.5;

/// Drops findings of a confidence below `min_confidence` (0 to 1).
#[must_use]
pub fn filter(mut report: Report, min_confidence: f64) -> Report {
    report.findings.retain(|finding| finding.confidence >= min_confidence);
    report.total_estimated_cost_usd_per_month = total_cost(&report.findings);
    report.stamp = stamp(&report.findings);
    report
}
