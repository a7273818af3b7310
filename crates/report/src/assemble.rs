//! Report: from facts to the document.
//! In: [`ReportInput`]. Out: [`Report`], its findings in order of what they cost. Pure.

use std::collections::BTreeMap;

use memguard_symbolize as symbolize;
use serde::Serialize;

use crate::document::{
    Cleanup, Counted, Evidence, Explained, FrameRole, Memory, Overhead, Process, Report, ReportFinding,
    RssMb, SCHEMA, StackFrame,
};
use crate::identity::{finding_id, stamp};
use crate::input::{FindingInput, OverheadInput, ProcessInput, ReportInput};
use crate::location::{base_name, location};
use crate::units::{BYTES_PER_MB, HOURS_PER_MONTH, MB_PER_GB, rounded};

/// Makes the document. A leak that several processes have at one place (the workers of a server) is one finding.
pub fn assemble(input: &ReportInput) -> Report {
    let findings = input.findings.iter().map(|finding| self::finding(input, finding)).collect();
    let findings = together(findings);
    let processes: Vec<Process> = input.processes.iter().map(process).collect();
    Report {
        schema: SCHEMA.to_owned(),
        created_at: rounded(input.created_at, 3),
        stamp: stamp(&findings),
        total_estimated_cost_usd_per_month: total_cost(&findings),
        session: input.session.clone(),
        memory: memory_of(&processes),
        processes,
        overhead: overhead(&input.overhead),
        findings,
    }
}

/// One finding for each id, the costliest first.
fn together(mut findings: Vec<ReportFinding>) -> Vec<ReportFinding> {
    findings.sort_by(by_weight);
    let mut merged: Vec<ReportFinding> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|other| other.id == finding.id) {
            Some(main) => absorb(main, &finding),
            None => merged.push(finding),
        }
    }
    for finding in merged.iter_mut().filter(|finding| finding.processes.len() > 1) {
        finding.detail =
            format!("in {} processes, the heaviest: {}", finding.processes.len(), finding.detail);
    }
    merged.sort_by(by_weight);
    merged
}

/// Adds the same leak of another process, or at another stack of the same.
fn absorb(main: &mut ReportFinding, other: &ReportFinding) {
    main.size_mb = rounded(main.size_mb + other.size_mb, 3);
    for (bound, more) in main.size_mb_interval.iter_mut().zip(other.size_mb_interval) {
        *bound = rounded(*bound + more, 3);
    }
    main.count = rounded(main.count + other.count, 1);
    main.confidence = main.confidence.max(other.confidence);
    main.growth_mb_per_hour = rounded(main.growth_mb_per_hour + other.growth_mb_per_hour, 3);
    main.growth_per_hour = rounded(main.growth_per_hour + other.growth_per_hour, 1);
    main.first_seen = main.first_seen.min(other.first_seen);
    main.last_seen = main.last_seen.max(other.last_seen);
    main.cost_usd_per_month = rounded(main.cost_usd_per_month + other.cost_usd_per_month, 4);
    for pid in &other.processes {
        if !main.processes.contains(pid) {
            main.processes.push(*pid);
        }
    }
}

/// Sum of the findings' costs, in US dollars a month.
pub fn total_cost(findings: &[ReportFinding]) -> f64 {
    rounded(findings.iter().map(|finding| finding.cost_usd_per_month).sum(), 2)
}

/// Costliest first (the price is the same for all, so: size x confidence); then by confidence, count and
/// names, so that equal input gives equal output.
pub(crate) fn by_weight(left: &ReportFinding, right: &ReportFinding) -> std::cmp::Ordering {
    let weight = |finding: &ReportFinding| finding.size_mb * finding.confidence;
    weight(right)
        .total_cmp(&weight(left))
        .then_with(|| right.confidence.total_cmp(&left.confidence))
        .then_with(|| right.count.total_cmp(&left.count))
        .then_with(|| left.id.cmp(&right.id))
        .then_with(|| left.process.cmp(&right.process))
        .then_with(|| left.location.cmp(&right.location))
}

fn finding(input: &ReportInput, source: &FindingInput) -> ReportFinding {
    let FindingInput { finding, stack, process } = source;
    let (pattern, kind) = (word(&finding.pattern), word(&finding.kind));
    let process = input.processes.get(*process);
    let clock_zero = process.map_or(0.0, |process| process.started_at);
    let at = |ns: u64| rounded(clock_zero + ns as f64 / 1e9, 3);
    let size_mb = finding.size_bytes / BYTES_PER_MB;
    let confidence = rounded(finding.confidence.clamp(0.0, 1.0), 4);
    let cost = size_mb / MB_PER_GB * confidence * input.usd_per_gb_hour * HOURS_PER_MONTH;
    let whole = whole_process(finding, process);
    let location = match &whole {
        Some(program) if stack.is_empty() => program.function.clone(),
        _ => location(stack),
    };
    ReportFinding {
        id: finding_id(&pattern, &kind, whole.as_ref().map_or(stack, std::slice::from_ref)),
        location,
        size_mb: rounded(size_mb, 3),
        size_mb_interval: [
            rounded(finding.size_bytes_interval.0 / BYTES_PER_MB, 3),
            rounded(finding.size_bytes_interval.1 / BYTES_PER_MB, 3),
        ],
        count: rounded(finding.count, 1),
        detail: finding.detail.clone(),
        confidence,
        suggested_fix: finding.suggested_fix.clone(),
        growth_mb_per_hour: rounded(finding.growth_bytes_per_hour / BYTES_PER_MB, 3),
        growth_per_hour: rounded(finding.growth_per_hour, 1),
        first_seen: at(finding.first_seen_ns),
        last_seen: at(finding.last_seen_ns),
        process: process.map_or(0, |process| process.pid),
        processes: process.map(|process| process.pid).into_iter().collect(),
        cost_usd_per_month: rounded(cost, 4),
        stack: stack.iter().map(frame).collect(),
        evidence: finding.evidence.iter().map(evidence).collect(),
        cleanup: Cleanup::default(),
        pattern,
        kind,
    }
}

/// What is the same for the whole process is named by its program: which place has most to do with it may change.
fn whole_process(
    finding: &memguard_detect::Finding,
    process: Option<&ProcessInput>,
) -> Option<symbolize::Frame> {
    let program = base_name(&process?.exe).to_owned();
    (finding.pattern == memguard_detect::Pattern::Fragmentation).then(|| symbolize::Frame {
        function: program.clone(),
        file: None,
        line: None,
        module: program,
        address: 0,
        inlined: false,
    })
}

/// The word that stands for an enum's variant in reports.
fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

fn evidence(source: &memguard_detect::Evidence) -> Evidence {
    Evidence { what: source.what.clone(), value: source.value.clone() }
}

fn frame(source: &symbolize::Frame) -> StackFrame {
    StackFrame {
        function: source.function.clone(),
        file: source.file.clone(),
        line: source.line,
        module: source.module.clone(),
        inlined: source.inlined,
        role: match symbolize::role(source) {
            symbolize::FrameRole::Allocator => FrameRole::Allocator,
            symbolize::FrameRole::Runtime => FrameRole::Runtime,
            symbolize::FrameRole::Application => FrameRole::Application,
        },
    }
}

fn process(source: &ProcessInput) -> Process {
    let mb = |bytes: u64| rounded(bytes as f64 / BYTES_PER_MB, 3);
    Process {
        pid: source.pid,
        ppid: source.ppid,
        exe: source.exe.clone(),
        command: source.command.clone(),
        observed: source.observed,
        started_at: rounded(source.started_at, 3),
        ended_at: source.ended_at.map(|at| rounded(at, 3)),
        rss_mb: RssMb {
            start: mb(source.rss_start_bytes),
            peak: mb(source.rss_peak_bytes),
            last: mb(source.rss_last_bytes),
        },
        memory: memory(source),
        descriptors: Counted {
            peak: source.descriptors_peak,
            last: source.descriptors_last,
            limit: source.descriptors_limit,
        },
        threads: Counted { peak: source.threads_peak, last: source.threads_last, limit: None },
        fate: source.fate,
        exit: source.exit,
        lost: source.lost.clone(),
        stacks: source.stacks,
    }
}

fn overhead(source: &OverheadInput) -> Overhead {
    Overhead {
        hook_cpu_percent: source.hook_cpu_percent.map(|percent| rounded(percent, 3)),
        collector_cpu_percent: source.collector_cpu_percent.map(|percent| rounded(percent, 3)),
        memory_mb: source.memory_bytes.map(|bytes| rounded(bytes as f64 / BYTES_PER_MB, 3)),
        sample_bytes: source.sample_bytes,
        sample_bytes_peak: source.sample_bytes_peak,
        sample_bytes_base: source.sample_bytes_base,
        resource_hook_cpu_percent: source.resource_hook_cpu_percent.map(|percent| rounded(percent, 3)),
        budget_percent: source.budget_percent.map(|percent| rounded(percent, 3)),
    }
}

fn memory(source: &ProcessInput) -> Memory {
    let grown = source.rss_last_bytes as f64 - source.rss_start_bytes as f64;
    let parts = source.memory.iter().map(|part| (part.what.as_str(), part.bytes / BYTES_PER_MB));
    sum(grown / BYTES_PER_MB, parts)
}

/// Where the growth of these processes together went.
pub(crate) fn memory_of(processes: &[Process]) -> Memory {
    let parts = processes.iter().flat_map(|process| &process.memory.explained);
    sum(
        processes.iter().map(|process| process.memory.growth_mb).sum(),
        parts.map(|part| (part.what.as_str(), part.mb)),
    )
}

/// Parts of the same name are one.
pub(crate) fn sum<'a>(growth_mb: f64, parts: impl Iterator<Item = (&'a str, f64)>) -> Memory {
    let mut by_name: BTreeMap<&str, f64> = BTreeMap::new();
    for (what, mb) in parts {
        *by_name.entry(what).or_default() += mb;
    }
    let part = |(what, mb): (&str, f64)| Explained { what: what.to_owned(), mb: rounded(mb, 3) };
    let mut explained: Vec<Explained> = by_name.into_iter().map(part).collect();
    explained.sort_by(|left, right| right.mb.total_cmp(&left.mb).then_with(|| left.what.cmp(&right.what)));
    Memory { growth_mb: rounded(growth_mb, 3), explained }
}
