//! Report, text: what people have decided about already.
//! In: the document. Out: a line for each finding that the baseline knows, and for each suppression that was of use.

use super::{PLAIN, QUIET, STRONG};
use crate::document::Report;
use crate::noun::held;
use crate::paragraph::Page;
use crate::units::{number, plural, size};

pub fn render(page: &mut Page, report: &Report) {
    let known: Vec<_> = report.findings.iter().filter(|finding| finding.known).collect();
    if !known.is_empty() {
        page.gap();
        page.line(&[(STRONG, "Known by the baseline")]);
        let width = known.iter().map(|finding| held(finding).chars().count()).max().unwrap_or(0).max(9);
        for finding in known {
            let rest = format!("  {}  {}", finding.kind, finding.id);
            page.line(&[
                (QUIET, &format!("{:>width$}  ", held(finding))),
                (PLAIN, &finding.location),
                (QUIET, &rest),
            ]);
        }
    }
    if !report.suppressed.by.is_empty() {
        page.gap();
        page.line(&[(STRONG, "Suppressed")]);
        for by in &report.suppressed.by {
            let reason = by.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let text = format!("{} by {}{reason}", plural(by.findings, "finding", "findings"), by.name);
            let held = if by.size_mb > 0.0 { size(by.size_mb) } else { number(by.count) };
            page.paragraph(&format!("{held:>9}  "), QUIET, PLAIN, &text);
        }
    }
}
