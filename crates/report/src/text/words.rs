//! Report, text: phrases that several parts use.
//! In: numbers of the document. Out: words.

use crate::document::{Exit, Fate, Report};
use crate::units::{dollars, duration, plural};

/// `3 leaks found, costing about $47.20 a month`, `No leaks found`.
pub fn verdict(report: &Report) -> String {
    if report.findings.is_empty() {
        return "No leaks found".to_owned();
    }
    let count = plural(report.findings.len() as u64, "leak", "leaks");
    let cost = report.total_estimated_cost_usd_per_month;
    if cost > 0.0 {
        format!("{count} found, costing about {} a month", dollars(cost))
    } else {
        format!("{count} found")
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
    let mut confidences: Vec<f64> = report.findings.iter().map(|finding| finding.confidence).collect();
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
