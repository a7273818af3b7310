//! Report, text: the verdict, what was watched, and where most of it goes.
//! In: the document. Out: the first lines of the page.

use super::words::fate;
use super::{BAD, GOOD, PLAIN, QUIET, STRONG, certainties, verdict, watched};
use crate::document::Fate;
use crate::document::Report;
use crate::noun::held;
use crate::paragraph::{Page, elided};
use crate::units::dollars;

/// Findings listed at the top.
const OVERVIEW_MAX: usize = 5;

pub fn render(page: &mut Page, report: &Report) {
    let style = if report.findings.is_empty() { GOOD } else { BAD };
    page.paragraph("", PLAIN, style, &verdict(report));
    if !report.findings.is_empty() {
        page.paragraph("", PLAIN, PLAIN, &certainties(report));
    }
    let session = &report.session;
    let ending = fate(session.exit, if session.ended_at.is_some() { Fate::Ended } else { Fate::Running });
    page.paragraph("", PLAIN, PLAIN, &format!("{}, {ending}", watched(report)));
    page.paragraph(
        "",
        PLAIN,
        QUIET,
        &format!("{} on {}, session {}", command(report), session.host, session.id),
    );
    overview(page, report);
}

fn command(report: &Report) -> String {
    let command = report.session.command.join(" ");
    if command.is_empty() { report.session.name.clone() } else { elided(&command, 200) }
}

/// One line for each of the costliest, when there are several.
fn overview(page: &mut Page, report: &Report) {
    if report.findings.len() < 2 {
        return;
    }
    page.gap();
    let shown = &report.findings[..report.findings.len().min(OVERVIEW_MAX)];
    let place_width = shown.iter().map(|finding| finding.location.chars().count()).max().unwrap_or(0);
    let place_width = place_width.min(page.columns().saturating_sub(50).max(16));
    let held_width = shown.iter().map(|finding| held(finding).chars().count()).max().unwrap_or(0).max(10);
    for finding in shown {
        page.line(&[
            (STRONG, &format!("{:>held_width$} ", held(finding))),
            (PLAIN, &format!("{:>10}/month  ", money(finding.cost_usd_per_month))),
            (STRONG, &format!("{:place_width$}  ", elided(&finding.location, place_width))),
            (PLAIN, &finding.kind),
        ]);
    }
    let rest = report.findings.len() - shown.len();
    if rest > 0 {
        page.line(&[(QUIET, &format!("           and {rest} more below"))]);
    }
}

fn money(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { "< $0.01".to_owned() } else { dollars(usd) }
}
