//! Report: two reports of one session, by collectors that came one after the other.
//! In: the last report of the one that is gone, the report of the one that has taken over. Out: one document.
//!
//! The newer collector knows the past by the tables alone. What the earlier one said of processes that have ended stands;
//! of processes that live it stands until the newer has watched for long enough to judge by itself.

use crate::assemble::{by_weight, memory_of, sum, total_cost, total_cost_next_30_days};
use crate::document::{Fate, Process, Report, ReportFinding, Suppressed};
use crate::identity::stamp;

/// Two looks at the clock of one process agree to this, in seconds.
const SAME_START_S: f64 = 0.01;

/// Adds to `now` what only `earlier` knows. `judges`: the newer collector's own judgement on living processes counts alone.
#[must_use]
pub fn merge(earlier: &Report, mut now: Report, judges: bool) -> Report {
    let mut processes: Vec<Process> = Vec::new();
    for process in &earlier.processes {
        match now.processes.iter_mut().find(|newer| is_same(newer, process)) {
            Some(newer) => adopt(newer, process),
            None => processes.push(ended_by(process, earlier.created_at)),
        }
    }
    processes.append(&mut now.processes);
    now.memory = memory_of(&processes);
    now.processes = processes;
    let lives = |finding: &ReportFinding| {
        let mut processes = now.processes.iter().filter(|process| finding.processes.contains(&process.pid));
        processes.next_back().is_some_and(|process| process.fate == Fate::Running)
    };
    for finding in &earlier.findings {
        let stands = !judges || !lives(finding);
        match now.findings.iter_mut().find(|newer| newer.id == finding.id) {
            Some(newer) => {
                // Whoever judges: since when it is suspected, and until when it held, both have seen.
                let first_seen = newer.first_seen.min(finding.first_seen);
                let last_seen = newer.last_seen.max(finding.last_seen);
                if stands && newer.confidence < finding.confidence {
                    *newer = finding.clone();
                }
                (newer.first_seen, newer.last_seen) = (first_seen, last_seen);
            }
            None if stands => now.findings.push(finding.clone()),
            None => {}
        }
    }
    // A collector that came when everything was over has nothing to compare with.
    if now.overhead.hook_cpu_percent.is_none() {
        now.overhead = earlier.overhead;
    }
    // Whoever can read the suppressions marks them anew.
    if now.suppressed == Suppressed::default() {
        now.suppressed.clone_from(&earlier.suppressed);
    }
    now.findings.sort_by(by_weight);
    now.total_estimated_cost_usd_next_30_days = total_cost_next_30_days(&now.findings);
    now.total_estimated_cost_usd_per_month = total_cost(&now.findings);
    now.stamp = stamp(&now.findings);
    now
}

fn is_same(a: &Process, b: &Process) -> bool {
    a.pid == b.pid && (a.started_at - b.started_at).abs() < SAME_START_S
}

/// What was seen of a process before.
fn adopt(newer: &mut Process, earlier: &Process) {
    // The newer collector's growth began where the earlier one's ended.
    let parts = earlier.memory.explained.iter().chain(&newer.memory.explained);
    newer.memory = sum(
        earlier.memory.growth_mb + newer.memory.growth_mb,
        parts.map(|part| (part.what.as_str(), part.mb)),
    );
    newer.rss_mb.start = earlier.rss_mb.start;
    newer.rss_mb.peak = newer.rss_mb.peak.max(earlier.rss_mb.peak);
    if newer.rss_mb.last == 0.0 {
        newer.rss_mb.last = earlier.rss_mb.last;
    }
    for (count, before) in
        [(&mut newer.descriptors, earlier.descriptors), (&mut newer.threads, earlier.threads)]
    {
        count.peak = count.peak.max(before.peak);
        count.limit = count.limit.or(before.limit);
        if count.last == 0 {
            count.last = before.last;
        }
    }
    newer.exit = newer.exit.or(earlier.exit);
    if newer.forecast.is_empty() && newer.fate != Fate::Running {
        newer.forecast.clone_from(&earlier.forecast);
    }
}

/// Nobody has seen the process since `at`.
fn ended_by(process: &Process, at: f64) -> Process {
    let mut process = process.clone();
    if process.fate == Fate::Running {
        process.fate = Fate::Ended;
        process.ended_at = process.ended_at.or(Some(at));
    }
    process
}
