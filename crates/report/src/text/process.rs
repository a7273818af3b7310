//! Report, text: the processes, how they ended, and what was not seen of them.
//! In: the document. Out: a list; causes of loss are summed over the processes and explained.

use std::collections::BTreeMap;

use super::words::fate;
use super::{PLAIN, QUIET, STRONG, reached};
use crate::document::{Fate, Process, Report, StackCounts};
use crate::location::base_name;
use crate::loss::explanation;
use crate::paragraph::{Page, elided};
use crate::units::{number, plural, size};

/// Processes listed; a build starts thousands.
const LISTED_MAX: usize = 12;

pub fn render(page: &mut Page, report: &Report) {
    page.line(&[(STRONG, "Processes")]);
    let mut by_size: Vec<(usize, &Process)> = report.processes.iter().enumerate().collect();
    // The largest are kept, shown in the order they started.
    by_size
        .sort_by(|left, right| right.1.rss_mb.peak.total_cmp(&left.1.rss_mb.peak).then(left.0.cmp(&right.0)));
    by_size.truncate(LISTED_MAX);
    by_size.sort_by_key(|(index, _)| *index);
    for (_, process) in &by_size {
        let rss = &process.rss_mb;
        let text = format!(
            "{}{}{}, resident {} at start, {} at most, {} at last{}; {}",
            name(process),
            parent(report, process),
            if process.observed { ", seen from outside" } else { "" },
            size(rss.start),
            size(rss.peak),
            size(rss.last),
            held(process),
            fate(process.exit, process.fate)
        );
        page.paragraph(&format!("{:>9}  ", process.pid), QUIET, PLAIN, &text);
        for forecast in &process.forecast {
            let lives = process.fate == Fate::Running;
            let text = reached(&forecast.limit, forecast.time_to_limit_s, lives);
            page.paragraph("           ", QUIET, PLAIN, &format!("all its leaks together: {text}"));
        }
    }
    let rest = report.processes.len() - by_size.len();
    if rest > 0 {
        page.line(&[(QUIET, &format!("           and {} smaller ones", number(rest as f64)))]);
    }
    losses(page, report);
}

/// `nginx -g daemon off;`, or the file's name alone.
fn name(process: &Process) -> String {
    const COLUMNS: usize = 60;
    let Some((first, arguments)) = process.command.split_first() else {
        return base_name(&process.exe).to_owned();
    };
    let words: Vec<&str> =
        [base_name(first)].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    elided(&words.join(" "), COLUMNS)
}

/// ` (child of 4242)`, if that one was watched too.
fn parent(report: &Report, process: &Process) -> String {
    let is_watched = report.processes.iter().any(|other| other.pid == process.ppid);
    if is_watched { format!(" (child of {})", process.ppid) } else { String::new() }
}

/// `; 97 descriptors at most of 1,024, 8 threads at most`
fn held(process: &Process) -> String {
    let (descriptors, threads) = (&process.descriptors, &process.threads);
    if descriptors.peak == 0 {
        return String::new();
    }
    let of = descriptors.limit.map_or_else(String::new, |limit| format!(" of {}", number(limit as f64)));
    format!(
        "; {} at most{of}, {} at most",
        plural(descriptors.peak, "descriptor", "descriptors"),
        plural(threads.peak, "thread", "threads")
    )
}

fn losses(page: &mut Page, report: &Report) {
    let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
    let mut stacks = StackCounts::default();
    for process in &report.processes {
        for (cause, count) in &process.lost {
            let sum = lost.entry(cause).or_default();
            *sum = sum.saturating_add(*count);
        }
        stacks.complete = stacks.complete.saturating_add(process.stacks.complete);
        stacks.truncated = stacks.truncated.saturating_add(process.stacks.truncated);
        stacks.lost = stacks.lost.saturating_add(process.stacks.lost);
    }
    lost.retain(|_, count| *count > 0);
    let incomplete = stacks.truncated.saturating_add(stacks.lost);
    if lost.is_empty() && incomplete == 0 {
        return;
    }
    page.gap();
    page.line(&[(STRONG, "Not seen")]);
    for (cause, count) in lost {
        page.paragraph(&format!("{:>9}  ", number(count as f64)), QUIET, PLAIN, explanation(cause));
    }
    if incomplete > 0 {
        let all = stacks.complete.saturating_add(incomplete);
        let text = format!("of {} incomplete", plural(all, "call stack is", "call stacks are"));
        page.paragraph(&format!("{:>9}  ", number(incomplete as f64)), QUIET, PLAIN, &text);
    }
}
