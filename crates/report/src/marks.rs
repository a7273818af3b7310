//! Report: what people have already decided about findings, put on the document.
//! In: a document, a baseline, suppressions, the time. Out: the findings marked; nothing is left out (see `filter`).

use crate::baseline::Baseline;
use crate::document::Report;
use crate::suppressions::Suppressions;

/// Marks what the baseline knows and what is suppressed at `now_s` (seconds since 1970). Without a baseline, or without
/// suppressions, the marks that the document has stay.
pub fn mark(
    report: &mut Report,
    baseline: Option<&Baseline>,
    suppressions: Option<&Suppressions>,
    now_s: f64,
) {
    if let Some(baseline) = baseline {
        baseline.mark(&mut report.findings);
    }
    if let Some(suppressions) = suppressions {
        suppressions.mark(report, now_s);
    }
}
