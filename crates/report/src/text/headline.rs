//! Report, text: the verdict, what was watched, and where most of it goes.
//! In: the document. Out: the first lines of the page.

use super::words::fate;
use super::{BAD, GOOD, PLAIN, QUIET, STRONG, certainties, expired, reached, set_aside, verdict, watched};
use crate::assemble::{total_cost, total_cost_next_30_days};
use crate::document::{Fate, Forecast, Process, Report, ReportFinding};
use crate::filter::fresh;
use crate::noun::held;
use crate::paragraph::{Page, elided};
use crate::units::dollars;

/// Findings listed at the top.
const OVERVIEW_MAX: usize = 5;

pub fn render(page: &mut Page, report: &Report) {
    let found = fresh(report).next().is_some();
    page.paragraph("", PLAIN, if found { BAD } else { GOOD }, &verdict(report));
    if found {
        page.paragraph("", PLAIN, PLAIN, &certainties(report));
    }
    let aside = set_aside(report);
    let ahead = ahead(report);
    let outlook = soonest(report).map(|(process, forecast)| {
        let lives = process.fate == Fate::Running;
        let text = reached(&forecast.limit, forecast.time_to_limit_s, lives);
        format!("process {}: {text}", process.pid)
    });
    let withdrawn = (!report.withdrawn.is_empty()).then(|| match report.withdrawn.len() {
        1 => "1 finding shown earlier was withdrawn: it no longer holds".to_owned(),
        n => format!("{n} findings shown earlier were withdrawn: they no longer hold"),
    });
    let further = Some(aside).filter(|text| !text.is_empty()).into_iter();
    for text in further.chain(ahead).chain(outlook).chain(withdrawn).chain(expired(report)) {
        page.paragraph("", PLAIN, PLAIN, &text);
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

/// What the next 30 days cost, where growth makes that more than today's size does.
fn ahead(report: &Report) -> Option<String> {
    const MORE: f64 = 1.05;
    let news: Vec<ReportFinding> = fresh(report).cloned().collect();
    let cost = total_cost_next_30_days(&news);
    let is_more = cost >= 0.01 && cost > MORE * total_cost(&news);
    is_more.then(|| format!("growing as they do, about {} in the next 30 days", dollars(cost)))
}

/// Of all processes the first to run out of something; one that lives if there is one.
fn soonest(report: &Report) -> Option<(&Process, &Forecast)> {
    let all = report.processes.iter().filter_map(|process| Some((process, process.forecast.first()?)));
    all.min_by(|(a, of_a), (b, of_b)| {
        let is_over = |process: &Process| process.fate != Fate::Running;
        is_over(a).cmp(&is_over(b)).then(of_a.time_to_limit_s.total_cmp(&of_b.time_to_limit_s))
    })
}

/// One line for each of the costliest, when there are several.
fn overview(page: &mut Page, report: &Report) {
    let news: Vec<&ReportFinding> = fresh(report).collect();
    if news.len() < 2 {
        return;
    }
    page.gap();
    let shown = &news[..news.len().min(OVERVIEW_MAX)];
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
    let rest = news.len() - shown.len();
    if rest > 0 {
        page.line(&[(QUIET, &format!("           and {rest} more below"))]);
    }
}

fn money(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { "< $0.01".to_owned() } else { dollars(usd) }
}
