//! Report, text: phrases that several parts use.
//! In: numbers of the document. Out: words.

use crate::assemble::total_cost;
use crate::document::{Exit, Fate, Report, ReportFinding};
use crate::filter::{fresh, known_count};
use crate::units::{dollars, duration, plural};

/// `3 leaks found, costing about $47.20 a month`, `No leaks found`. What people have decided about already is no news.
pub fn verdict(report: &Report) -> String {
    let news: Vec<ReportFinding> = fresh(report).cloned().collect();
    let new = if set_aside(report).is_empty() { "" } else { "new " };
    if news.is_empty() {
        return format!("No {new}leaks found");
    }
    let count = plural(news.len() as u64, &format!("{new}leak"), &format!("{new}leaks"));
    let cost = total_cost(&news);
    if cost > 0.0 {
        format!("{count} found, costing about {} a month", dollars(cost))
    } else {
        format!("{count} found")
    }
}

/// `2 known by the baseline, 3 suppressed`; empty if nothing is.
pub fn set_aside(report: &Report) -> String {
    let known = known_count(report);
    let parts = [(known as u64, "known by the baseline"), (report.suppressed.findings, "suppressed")];
    let said: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    said.join(", ")
}

/// One sentence for each suppression whose last day has passed, of many the first.
pub fn expired(report: &Report) -> Vec<String> {
    const TOLD_MAX: usize = 3;
    let all = &report.suppressed.expired;
    let told = all.iter().take(TOLD_MAX).map(|suppression| {
        let (name, source, day) = (&suppression.name, &suppression.source, &suppression.expires);
        // The place last: a narrow terminal cuts it off.
        format!("suppression '{name}' expired on {day} and no longer applies ({source})")
    });
    let more = all.len().saturating_sub(TOLD_MAX);
    told.chain((more > 0).then(|| format!("and {more} more suppressions have expired"))).collect()
}

/// `at this rate the limit is reached in 3 h 12 min (cgroup memory limit 512 MiB)`.
pub fn reached(limit: &str, time_s: f64, lives: bool) -> String {
    if time_s < 0.5 {
        format!("the limit is reached ({limit})")
    } else if lives {
        format!("at this rate the limit is reached in {} ({limit})", duration(time_s))
    } else {
        format!("at this rate the limit would have been reached {} later ({limit})", duration(time_s))
    }
}

/// `2 processes watched for 2 h 10 min`.
pub fn watched(report: &Report) -> String {
    let until = report.session.ended_at.unwrap_or(report.created_at);
    format!(
        "{} watched for {}",
        plural(report.processes.len() as u64, "process", "processes"),
        duration(until - report.session.started_at)
    )
}

/// `1 almost certain, 2 likely`: the findings by how sure they are.
pub fn certainties(report: &Report) -> String {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    let mut confidences: Vec<f64> = fresh(report).map(|finding| finding.confidence).collect();
    confidences.sort_by(|left, right| right.total_cmp(left));
    for words in confidences.into_iter().map(certainty) {
        match counts.last_mut() {
            Some((last, count)) if *last == words => *count += 1,
            _ => counts.push((words, 1)),
        }
    }
    let parts: Vec<String> = counts.iter().map(|(words, count)| format!("{count} {words}")).collect();
    parts.join(", ")
}

/// How sure, in words.
pub fn certainty(confidence: f64) -> &'static str {
    match confidence {
        c if c >= 0.95 => "almost certain",
        c if c >= 0.9 => "very likely",
        c if c >= 0.7 => "likely",
        c if c >= 0.5 => "possible",
        _ => "doubtful",
    }
}

/// `exited with code 3`, `killed by signal 9 (KILL)`.
pub fn fate(exit: Option<Exit>, fate: Fate) -> String {
    match exit {
        Some(Exit { signal: Some(signal), .. }) => match signal_name(signal) {
            Some("KILL") => "killed by signal 9 (KILL), often for lack of memory".to_owned(),
            Some(name) => format!("killed by signal {signal} ({name})"),
            None => format!("killed by signal {signal}"),
        },
        Some(Exit { code: Some(0), .. }) => "exited normally".to_owned(),
        Some(Exit { code: Some(code), .. }) => format!("exited with code {code}"),
        _ => match fate {
            Fate::Running => "still running".to_owned(),
            Fate::Ended => "ended, how is not known".to_owned(),
            Fate::Replaced => "then executed another program".to_owned(),
        },
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        10 => "USR1",
        11 => "SEGV",
        12 => "USR2",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        _ => return None,
    })
}
