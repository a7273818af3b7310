//! Report: which findings are shown.
//! In: a document with everything that is suspected. Out: the same without the findings that are too unsure, too small, or
//! suppressed, its sums and stamp made anew.

use crate::assemble::{total_cost, total_cost_next_30_days};
use crate::document::{Report, ReportFinding, SuppressedBy};
use crate::identity::stamp;
use crate::thresholds::Thresholds;
use crate::units::rounded;

/// Drops what `thresholds` do not admit, and keeps of what is suppressed by how much it was.
#[must_use]
pub fn filter(mut report: Report, thresholds: &Thresholds) -> Report {
    report.findings.retain(|finding| thresholds.admit(finding));
    for finding in report.findings.extract_if(.., |finding| finding.suppressed_by.is_some()) {
        book(&mut report.suppressed.by, &finding);
        report.suppressed.findings += 1;
    }
    report
        .suppressed
        .by
        .sort_by(|a, b| b.size_mb.total_cmp(&a.size_mb).then_with(|| a.source.cmp(&b.source)));
    report.total_estimated_cost_usd_per_month = total_cost(&report.findings);
    report.total_estimated_cost_usd_next_30_days = total_cost_next_30_days(&report.findings);
    report.stamp = stamp(&report.findings);
    report
}

/// The findings that are news: neither known by the baseline nor suppressed.
pub fn fresh(report: &Report) -> impl Iterator<Item = &ReportFinding> {
    report.findings.iter().filter(|finding| !finding.known && finding.suppressed_by.is_none())
}

/// How many are known by the baseline.
pub fn known_count(report: &Report) -> usize {
    report.findings.iter().filter(|finding| finding.known).count()
}

fn book(by: &mut Vec<SuppressedBy>, finding: &ReportFinding) {
    let Some(suppression) = &finding.suppressed_by else { return };
    let at = by.iter().position(|entry| entry.source == suppression.source).unwrap_or_else(|| {
        by.push(SuppressedBy {
            name: suppression.name.clone(),
            source: suppression.source.clone(),
            reason: suppression.reason.clone(),
            ..SuppressedBy::default()
        });
        by.len() - 1
    });
    if let Some(entry) = by.get_mut(at) {
        entry.findings += 1;
        entry.size_mb = rounded(entry.size_mb + finding.size_mb, 3);
        entry.count = rounded(entry.count + finding.count, 1);
        entry.ids.push(finding.id.clone());
    }
}
