//! Report, text: one finding.
//! In: the finding, its number. Out: what leaks, where, how much, how fast, how sure, at what price, what to do.

use super::{PLAIN, QUIET, STRONG, certainty, reached, stack};
use crate::document::{Fate, Report, ReportFinding};
use crate::noun::{counted, held, is_number};
use crate::paragraph::Page;
use crate::units::{dollars, duration, number, size, size_range};

pub fn render(page: &mut Page, report: &Report, index: usize, finding: &ReportFinding) {
    let function = stack::location_function(finding);
    let place = match &function {
        Some(function) if !finding.location.starts_with(function.as_str()) => {
            format!("{} in {function}", finding.location)
        }
        _ => finding.location.clone(),
    };
    page.line(&[(STRONG, &format!("{index}. {}  ", finding.kind)), (STRONG, &place)]);
    page.paragraph("   ", PLAIN, PLAIN, &finding.detail);
    if let Some(known) = &finding.fingerprint {
        field(page, "known as", &format!("{} ({})", known.title, known.name));
        field(page, "", &known.explanation);
        if let Some(said) = &known.prevalence {
            field(page, "", &format!("How often: {}", said.text));
        }
    }
    field(page, "holds", &holds(finding));
    field(page, "grows", &grows(finding));
    field(page, "sure", &format!("{}, {:.2}", certainty(finding.confidence), finding.confidence));
    if let (Some(limit), Some(time_s)) = (&finding.limit, finding.time_to_limit_s) {
        let process = report.processes.iter().rev().find(|process| process.pid == finding.process);
        let lives = process.is_some_and(|process| process.fate == Fate::Running);
        field(page, "leads to", &reached(limit, time_s, lives));
    }
    if finding.cost_usd_per_month > 0.0 {
        field(page, "costs", &costs(finding));
    }
    field(page, "seen", &seen(report, finding));
    if !finding.suggested_fix.is_empty() {
        page.paragraph(&label("mend"), QUIET, STRONG, &finding.suggested_fix);
    }
    if finding.cleanup.done > 0 {
        field(page, "cleaned", &cleaned(finding));
    }
    field(page, "id", &finding.id);
    stack::render(page, &label("stack"), finding);
    for (index, evidence) in finding.evidence.iter().enumerate() {
        let name = if index == 0 { "because" } else { "" };
        field(page, name, &format!("{}: {}", evidence.what, evidence.value));
    }
}

/// `   holds    `: all labels are of one width.
fn label(name: &str) -> String {
    format!("   {name:<9}")
}

fn field(page: &mut Page, name: &str, text: &str) {
    page.paragraph(&label(name), QUIET, PLAIN, text);
}

/// `$25.03 a month`, and what growth makes of it.
fn costs(finding: &ReportFinding) -> String {
    const MORE: f64 = 1.05;
    let now = format!("{} a month", dollars(finding.cost_usd_per_month));
    if finding.cost_usd_next_30_days > MORE * finding.cost_usd_per_month {
        format!("{now}; growing as it does, {} in the next 30 days", dollars(finding.cost_usd_next_30_days))
    } else {
        now
    }
}

fn holds(finding: &ReportFinding) -> String {
    if is_number(finding) {
        return held(finding);
    }
    let [low, high] = finding.size_mb_interval;
    let range = size_range(low, high);
    let held = size(finding.size_mb);
    let mut text = if range == held { held } else { format!("{held} (95 %: {range})") };
    if let Some(counted) = counted(&finding.pattern, finding.count) {
        text = format!("{text}, {counted}");
    }
    text
}

fn grows(finding: &ReportFinding) -> String {
    if is_number(finding) {
        return format!("{} an hour", number(finding.growth_per_hour));
    }
    let bytes = format!("{}/h", size(finding.growth_mb_per_hour));
    match counted(&finding.pattern, finding.growth_per_hour) {
        Some(_) if finding.growth_per_hour.abs() < 0.05 => bytes,
        Some(_) => format!("{bytes}, {} an hour", number(finding.growth_per_hour)),
        None => bytes,
    }
}

fn seen(report: &Report, finding: &ReportFinding) -> String {
    let process = report.processes.iter().find(|process| process.pid == finding.process);
    let start = process.map_or(report.session.started_at, |process| process.started_at);
    format!(
        "in process {} from {} to {} after its start",
        finding.process,
        duration(finding.first_seen - start),
        duration(finding.last_seen - start)
    )
}

fn cleaned(finding: &ReportFinding) -> String {
    let done = counted(&finding.pattern, finding.cleanup.done as f64).unwrap_or_default();
    match finding.cleanup.reverted {
        0 => format!("{done} given back"),
        reverted => format!("{done} given back, {reverted} of them restored because the program used them"),
    }
}
