//! Report, rendering: the few lines that `memguard run` leaves on the terminal when the program has ended.
//! In: a document. Out: 3 to 13 lines, each marked, because they stand between the program's own.

use crate::document::{Report, ReportFinding};
use crate::filter::fresh;
use crate::noun::held;
use crate::paragraph::{Page, elided};
use crate::text::{BAD, GOOD, PLAIN, QUIET, STRONG, certainty, expired, set_aside, verdict, watched};
use crate::units::plural;

/// Every line begins so.
const MARK: &str = "memguard: ";

/// Findings listed at most: with it the summary has at most thirteen lines.
const FINDINGS_MAX: usize = 5;

/// How the summary looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryOptions {
    /// Width in characters; at least 40 are used.
    pub columns: usize,
    /// Whether to write ANSI colours.
    pub colour: bool,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { columns: 80, colour: false }
    }
}

/// The summary.
pub fn render_summary(report: &Report, options: SummaryOptions) -> String {
    let mut page = Page::new(options.columns, options.colour);
    let news: Vec<&ReportFinding> = fresh(report).collect();
    let style = if news.is_empty() { GOOD } else { BAD };
    page.line(&[(QUIET, MARK), (style, &verdict(report))]);
    for finding in news.iter().take(FINDINGS_MAX) {
        line(&mut page, finding);
    }
    let rest = news.len().saturating_sub(FINDINGS_MAX);
    if rest > 0 {
        page.line(&[(QUIET, MARK), (PLAIN, &format!("  and {rest} more"))]);
    }
    let aside = Some(set_aside(report)).filter(|text| !text.is_empty());
    for text in aside.into_iter().chain(expired(report).into_iter().take(2)) {
        page.line(&[(QUIET, MARK), (PLAIN, &text)]);
    }
    page.line(&[(QUIET, MARK), (PLAIN, &format!("{}{}", watched(report), overhead(report)))]);
    let lost = lost(report);
    if lost > 0 {
        page.line(&[
            (QUIET, MARK),
            (PLAIN, &format!("{}, explained in the full report", plural(lost, "loss", "losses"))),
        ]);
    }
    page.line(&[(QUIET, MARK), (PLAIN, &format!("full report: memguard report {}", report.session.id))]);
    page.into_text()
}

fn line(page: &mut Page, finding: &ReportFinding) {
    let rest = format!("  {}, {}, {}", finding.kind, held(finding), certainty(finding.confidence));
    let place = elided(&finding.location, page.columns() / 2);
    page.line(&[(QUIET, MARK), (PLAIN, "  "), (STRONG, &place), (PLAIN, &rest)]);
}

fn overhead(report: &Report) -> String {
    match report.overhead.program_cpu_percent() {
        Some(percent) => format!(" at {} % of their CPU time", crate::units::number(percent)),
        None => String::new(),
    }
}

fn lost(report: &Report) -> u64 {
    report
        .processes
        .iter()
        .flat_map(|process| process.lost.values())
        .fold(0, |sum, count| sum.saturating_add(*count))
}
