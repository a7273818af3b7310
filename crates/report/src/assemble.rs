//! Report: from facts to the document.
//! In: [`ReportInput`]. Out: [`Report`], its findings in order of what they cost. Pure.

use std::collections::BTreeMap;

use memguard_detect::Kind;
use memguard_patterns::{Library, Recognised, word};
use memguard_symbolize as symbolize;

use crate::document::{
    Cleanup, Counted, Evidence, Explained, Fingerprint, Forecast, FrameRole, Memory, Overhead, Prevalence,
    Process, Report, ReportFinding, RssMb, SCHEMA, StackFrame, Suppressed,
};
use crate::forecast::{Draft, Outlook};
use crate::identity::{finding_id, stamp};
use crate::input::{FindingInput, OverheadInput, ProcessInput, ReportInput};
use crate::keyed::goes_into_a_keyed_store;
use crate::location::{base_name, location};
use crate::units::{BYTES_PER_MB, HOURS_PER_MONTH, MB_PER_GB, rounded};

/// Makes the document, in which findings that `library` knows have a name. A leak that several processes have at one place
/// (the workers of a server) is one finding.
pub fn assemble(input: &ReportInput, library: &Library) -> Report {
    let findings: Vec<Draft> = input.findings.iter().map(|finding| draft(input, finding, library)).collect();
    let outlook = Outlook::of(input, &findings);
    let findings = together(outlook.applied_to(findings, input));
    let processes: Vec<Process> =
        (0..).zip(&input.processes).map(|(at, source)| process(source, outlook.of_process(at))).collect();
    Report {
        schema: SCHEMA.to_owned(),
        created_at: rounded(input.created_at, 3),
        stamp: stamp(&findings),
        total_estimated_cost_usd_per_month: total_cost(&findings),
        session: input.session.clone(),
        memory: memory_of(&processes),
        processes,
        overhead: overhead(&input.overhead),
        total_estimated_cost_usd_next_30_days: total_cost_next_30_days(&findings),
        suppressed: Suppressed::default(),
        withdrawn: Vec::new(),
        findings,
    }
}

/// One finding for each id, the costliest first.
fn together(mut drafts: Vec<Draft>) -> Vec<ReportFinding> {
    drafts.sort_by(|left, right| by_weight(&left.finding, &right.finding));
    let mut merged: Vec<Draft> = Vec::new();
    for draft in drafts {
        match merged.iter_mut().find(|other| other.finding.id == draft.finding.id) {
            Some(main) => {
                main.share_limit(&draft);
                absorb(&mut main.finding, &draft.finding);
            }
            None => merged.push(draft),
        }
    }
    let mut merged: Vec<ReportFinding> = merged.into_iter().map(|draft| draft.finding).collect();
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
    main.cost_usd_next_30_days = rounded(main.cost_usd_next_30_days + other.cost_usd_next_30_days, 4);
    main.confidence_max = main.confidence_max.max(other.confidence_max);
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

/// Sum of what the findings cost in the next 30 days, in US dollars.
pub fn total_cost_next_30_days(findings: &[ReportFinding]) -> f64 {
    rounded(findings.iter().map(|finding| finding.cost_usd_next_30_days).sum(), 2)
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

/// A finding without its outlook.
fn draft(input: &ReportInput, source: &FindingInput, library: &Library) -> Draft {
    let finding = finding(input, source, library);
    Draft { finding, process: source.process, shared: None }
}

fn finding(input: &ReportInput, source: &FindingInput, library: &Library) -> ReportFinding {
    let FindingInput { finding, stack, process } = source;
    let identity = finding.kind.identity();
    let kind = kind(finding.kind, stack);
    // What goes through a library's door and is still known to it may be kept by the library.
    let asked = if kind == Kind::CacheUnbounded { identity } else { kind };
    let known = library.recognise(asked.pattern(), asked, stack);
    let fingerprint = known.map(|known| known.fingerprint);
    let kind = fingerprint.and_then(|known| known.becomes).unwrap_or(kind);
    let (pattern, kind) = (word(&kind.pattern()), word(&kind));
    let place = known.map_or_else(|| symbolize::location_index(stack), |known| known.found.location);
    // Whose library it is tells findings of one place apart; names of mere kinds and of the program's own functions do not.
    let library_name = known.filter(|known| known.found.call.is_some()).map(|known| known.fingerprint.root());
    let process = input.processes.get(*process);
    let clock_zero = process.map_or(0.0, |process| process.started_at);
    let at = |ns: u64| rounded(clock_zero + ns as f64 / 1e9, 3);
    let size_mb = finding.size_bytes / BYTES_PER_MB;
    let confidence = rounded(finding.confidence.clamp(0.0, 1.0), 4);
    let cost = size_mb / MB_PER_GB * confidence * input.usd_per_gb_hour * HOURS_PER_MONTH;
    let whole = whole_process(finding, process);
    let location = match &whole {
        Some(program) if stack.is_empty() => program.function.clone(),
        _ => location(stack, place),
    };
    ReportFinding {
        id: finding_id(
            &word(&identity.pattern()),
            &word(&identity),
            library_name,
            whole.as_ref().map_or(&stack[inside(known)..], std::slice::from_ref),
        ),
        location,
        size_mb: rounded(size_mb, 3),
        size_mb_interval: [
            rounded(finding.size_bytes_interval.0 / BYTES_PER_MB, 3),
            rounded(finding.size_bytes_interval.1 / BYTES_PER_MB, 3),
        ],
        count: rounded(finding.count, 1),
        detail: finding.detail.clone(),
        confidence,
        suggested_fix: fingerprint.map_or_else(|| finding.suggested_fix.clone(), |known| known.fix.clone()),
        fingerprint: fingerprint.map(named),
        growth_mb_per_hour: rounded(finding.growth_bytes_per_hour / BYTES_PER_MB, 3),
        growth_per_hour: rounded(finding.growth_per_hour, 1),
        first_seen: at(finding.first_seen_ns),
        last_seen: at(finding.last_seen_ns),
        process: process.map_or(0, |process| process.pid),
        processes: process.map(|process| process.pid).into_iter().collect(),
        cost_usd_per_month: rounded(cost, 4),
        stack: frames(stack, inside(known)),
        evidence: finding
            .evidence
            .iter()
            .map(evidence)
            .chain(known.and_then(|known| recognition(known, stack)))
            .collect(),
        cleanup: Cleanup::default(),
        known: false,
        suppressed_by: None,
        confidence_max: confidence,
        cost_usd_next_30_days: 0.0,
        time_to_limit_s: None,
        limit: None,
        pattern,
        kind,
    }
}

/// The kind that names on the stack make of it.
fn kind(kind: Kind, stack: &[symbolize::Frame]) -> Kind {
    match kind {
        Kind::CacheUnbounded if !goes_into_a_keyed_store(stack) => Kind::HeapGrowth,
        kind => kind,
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

/// How many of the innermost frames belong to the library that the program called.
fn inside(known: Option<Recognised<'_>>) -> usize {
    let library = known.filter(|known| known.found.call.is_some());
    library.and_then(|known| known.found.location).unwrap_or(0)
}

fn named(known: &memguard_patterns::Fingerprint) -> Fingerprint {
    let prevalence = known.prevalence.as_ref();
    Fingerprint {
        name: known.name.clone(),
        title: known.title.clone(),
        explanation: known.explanation.clone(),
        prevalence: prevalence
            .map(|said| Prevalence { text: said.text.clone(), source: said.source.clone() }),
    }
}

/// By what it was recognised, where that is more than its kind.
fn recognition(known: Recognised<'_>, stack: &[symbolize::Frame]) -> Option<Evidence> {
    let name = &known.fingerprint.name;
    let call = known.found.call.and_then(|at| stack.get(at));
    let value = match call {
        Some(frame) => format!("{name}, by the call of {} in {}", frame.function, frame.module),
        None => format!("{name}, by the functions on the stack"),
    };
    let by_stack = known.fingerprint.signature.functions() > 0;
    by_stack.then(|| Evidence { what: "known as".to_owned(), value })
}

/// The frames of the document. Those inside of a known library are as little the application's as the C library's.
fn frames(stack: &[symbolize::Frame], inside: usize) -> Vec<StackFrame> {
    let mut frames: Vec<StackFrame> = stack.iter().map(frame).collect();
    for frame in frames.iter_mut().take(inside).filter(|frame| frame.role == FrameRole::Application) {
        frame.role = FrameRole::Runtime;
    }
    frames
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

fn process(source: &ProcessInput, forecast: &[Forecast]) -> Process {
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
        forecast: forecast.to_vec(),
    }
}

fn overhead(source: &OverheadInput) -> Overhead {
    Overhead {
        hook_cpu_percent: source.hook_cpu_percent.map(|percent| rounded(percent, 3)),
        starting_cpu_percent: source.starting_cpu_percent.map(|percent| rounded(percent, 3)),
        collector_cpu_percent: source.collector_cpu_percent.map(|percent| rounded(percent, 3)),
        memory_mb: source.memory_bytes.map(|bytes| rounded(bytes as f64 / BYTES_PER_MB, 3)),
        sample_bytes: source.sample_bytes,
        sample_bytes_peak: source.sample_bytes_peak,
        sample_bytes_base: source.sample_bytes_base,
        resource_hook_cpu_percent: source.resource_hook_cpu_percent.map(|percent| rounded(percent, 3)),
        passing_cpu_percent: source.passing_cpu_percent.map(|percent| rounded(percent, 3)),
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
