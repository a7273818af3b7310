//! Report: what growth leads to, in time and money (docs/cost.md).
//! In: sizes, growth and limits of each process. Out: when a limit is reached, by one finding alone and by all of a process
//! together, and what the next 30 days cost. Time follows from amounts and rates alone; money is weighed by confidence, as all
//! costs are.

use crate::document::{Fate, Forecast, ReportFinding, Resource};
use crate::input::{LimitInput, LimitKind, ProcessInput, ReportInput};
use crate::thresholds::MIN_CONFIDENCE_DEFAULT;
use crate::units::{BYTES_PER_MB, HOURS_PER_MONTH, MB_PER_GB, rounded, size};

/// What takes longer says nothing any more: ten years.
const TIME_MAX_S: f64 = 10.0 * 365.0 * 86_400.0;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// A finding of one process, before those of several are put together.
pub struct Draft {
    pub finding: ReportFinding,
    /// Index of its process in the input.
    pub process: usize,
    /// Who shares the limit that it reaches first.
    pub shared: Option<(LimitKind, String)>,
}

impl Draft {
    /// The same finding in another process: towards a limit that both share they grow together; else the first to reach its own
    /// counts.
    pub fn share_limit(&mut self, other: &Self) {
        let (Some(own_s), Some(other_s)) = (self.finding.time_to_limit_s, other.finding.time_to_limit_s)
        else {
            if self.finding.time_to_limit_s.is_none() {
                self.take_limit(other);
            }
            return;
        };
        if self.shared.is_some() && self.shared == other.shared {
            let together_s = if own_s + other_s > 0.0 { own_s * other_s / (own_s + other_s) } else { 0.0 };
            self.finding.time_to_limit_s = Some(rounded(together_s, 0));
        } else if other_s < own_s {
            self.take_limit(other);
        }
    }

    fn take_limit(&mut self, other: &Self) {
        self.finding.time_to_limit_s = other.finding.time_to_limit_s;
        self.finding.limit.clone_from(&other.finding.limit);
        self.shared.clone_from(&other.shared);
    }
}

/// The forecasts of all processes.
pub struct Outlook {
    processes: Vec<Vec<Forecast>>,
}

impl Outlook {
    /// Looks ahead. What is too unsure to be shown does not count into a process's growth.
    pub fn of(input: &ReportInput, drafts: &[Draft]) -> Self {
        let growth: Vec<[f64; 3]> =
            (0..input.processes.len()).map(|at| growth_of_process(drafts, at)).collect();
        let forecast = |(at, process): (usize, &ProcessInput)| {
            let mut soonest: Vec<Forecast> = Vec::new();
            for resource in [Resource::Memory, Resource::Descriptors, Resource::Tasks] {
                let reached = process.limits.iter().filter(|limit| limit.kind.resource() == resource);
                let reached = reached.filter_map(|limit| {
                    let together = growth_towards(limit, at, input, &growth);
                    let time_s = time_to(limit, together)?;
                    Some(told(limit, together, time_s))
                });
                soonest.extend(reached.min_by(|a, b| a.time_to_limit_s.total_cmp(&b.time_to_limit_s)));
            }
            soonest.sort_by(|a, b| a.time_to_limit_s.total_cmp(&b.time_to_limit_s));
            soonest
        };
        Self { processes: input.processes.iter().enumerate().map(forecast).collect() }
    }

    /// What a process runs out of, soonest first.
    pub fn of_process(&self, at: usize) -> &[Forecast] {
        self.processes.get(at).map_or(&[], Vec::as_slice)
    }

    /// Adds to each finding when it reaches a limit by itself, and what it costs until then and after.
    pub fn applied_to(&self, drafts: Vec<Draft>, input: &ReportInput) -> Vec<Draft> {
        drafts.into_iter().map(|draft| self.applied(draft, input)).collect()
    }

    fn applied(&self, mut draft: Draft, input: &ReportInput) -> Draft {
        let growth = growth_of(&draft.finding);
        let limits = input.processes.get(draft.process).map_or(&[][..], |process| &process.limits);
        if let Some((resource, per_hour)) = growth {
            let reached = limits.iter().filter(|limit| limit.kind.resource() == resource);
            let reached = reached.filter_map(|limit| Some((limit, time_to(limit, per_hour)?)));
            if let Some((limit, time_s)) = reached.min_by(|a, b| a.1.total_cmp(&b.1)) {
                draft.finding.time_to_limit_s = Some(rounded(time_s, 0));
                draft.finding.limit = Some(name(limit));
                draft.shared = limit.shared.clone().map(|key| (limit.kind, key));
            }
        }
        let memory = self.of_process(draft.process).iter().find(|f| f.resource == Resource::Memory);
        let end_s = [memory.map(|forecast| forecast.time_to_limit_s), draft.finding.time_to_limit_s];
        let is_memory = growth.is_some_and(|(resource, _)| resource == Resource::Memory);
        let end_s = end_s.into_iter().flatten().filter(|_| is_memory).reduce(f64::min);
        draft.finding.cost_usd_next_30_days = cost(&draft.finding, end_s, input.usd_per_gb_hour);
        draft
    }
}

/// US dollars over the next 30 days: the integral of its size, which grows as it does today until the process runs into its limit
/// and stays there from then on.
fn cost(finding: &ReportFinding, end_s: Option<f64>, usd_per_gb_hour: f64) -> f64 {
    let growing_h = end_s.map_or(HOURS_PER_MONTH, |s| (s / SECONDS_PER_HOUR).min(HOURS_PER_MONTH));
    let growth = finding.growth_mb_per_hour.max(0.0);
    let mb_hours =
        finding.size_mb * HOURS_PER_MONTH + growth * growing_h * (HOURS_PER_MONTH - growing_h / 2.0);
    rounded(mb_hours / MB_PER_GB * finding.confidence * usd_per_gb_hour, 4)
}

/// What a finding takes more and more of, an hour, in bytes or things.
fn growth_of(finding: &ReportFinding) -> Option<(Resource, f64)> {
    let (resource, per_hour) = match (finding.pattern.as_str(), finding.kind.as_str()) {
        ("leaks" | "caches" | "cycles" | "mappings" | "fragmentation", _) => {
            (Resource::Memory, finding.growth_mb_per_hour * BYTES_PER_MB)
        }
        ("handles", _) => (Resource::Descriptors, finding.growth_per_hour),
        ("timers", kind) if kind.starts_with("timerfd-") => (Resource::Descriptors, finding.growth_per_hour),
        // A thread that has ended and was not joined holds its stack, but is no thread of the kernel any more.
        ("threads", "thread-growth") | ("processes", _) => (Resource::Tasks, finding.growth_per_hour),
        _ => return None,
    };
    (per_hour > 0.0).then_some((resource, per_hour))
}

/// Growth of all findings of a process that are shown, an hour: bytes, descriptors, tasks.
fn growth_of_process(drafts: &[Draft], process: usize) -> [f64; 3] {
    let mut sums = [0.0; 3];
    // That the limit comes near is said of all descriptors at once.
    let mut all_descriptors = 0.0_f64;
    let shown =
        |draft: &&Draft| draft.process == process && draft.finding.confidence >= MIN_CONFIDENCE_DEFAULT;
    for draft in drafts.iter().filter(shown) {
        let Some((resource, per_hour)) = growth_of(&draft.finding) else { continue };
        if draft.finding.kind == "fd-limit-near" {
            all_descriptors = all_descriptors.max(per_hour);
        } else {
            sums[index(resource)] += per_hour;
        }
    }
    let descriptors = &mut sums[index(Resource::Descriptors)];
    *descriptors = descriptors.max(all_descriptors);
    sums
}

const fn index(resource: Resource) -> usize {
    match resource {
        Resource::Memory => 0,
        Resource::Descriptors => 1,
        Resource::Tasks => 2,
    }
}

/// Growth towards a limit of the process `at`: its own, and that of living processes with whom it shares the limit.
fn growth_towards(limit: &LimitInput, at: usize, input: &ReportInput, growth: &[[f64; 3]]) -> f64 {
    let resource = index(limit.kind.resource());
    let shares = |(other, process): &(usize, &ProcessInput)| {
        *other == at
            || (process.fate == Fate::Running
                && limit.shared.is_some()
                && process
                    .limits
                    .iter()
                    .any(|theirs| theirs.kind == limit.kind && theirs.shared == limit.shared))
    };
    let sharing = input.processes.iter().enumerate().filter(shares);
    sharing.filter_map(|(other, _)| growth.get(other)).map(|sums| sums[resource]).sum()
}

/// Seconds until a limit is reached.
fn time_to(limit: &LimitInput, growth_per_hour: f64) -> Option<f64> {
    let seconds = (limit.limit - limit.held).max(0.0) / growth_per_hour * SECONDS_PER_HOUR;
    (growth_per_hour > 0.0 && seconds <= TIME_MAX_S).then_some(seconds)
}

fn told(limit: &LimitInput, growth_per_hour: f64, time_s: f64) -> Forecast {
    let resource = limit.kind.resource();
    let amount = |amount: f64| match resource {
        Resource::Memory => rounded(amount / BYTES_PER_MB, 3),
        Resource::Descriptors | Resource::Tasks => rounded(amount, 1),
    };
    Forecast {
        resource,
        limit: name(limit),
        limit_amount: amount(limit.limit),
        held_amount: amount(limit.held),
        growth_per_hour: amount(growth_per_hour),
        time_to_limit_s: rounded(time_s, 0),
    }
}

/// `cgroup memory limit 512 MiB`, `RLIMIT_NOFILE 1024`.
fn name(limit: &LimitInput) -> String {
    let (name, is_memory) = match limit.kind {
        LimitKind::CgroupMemory => ("cgroup memory limit", true),
        LimitKind::AddressSpace => ("RLIMIT_AS", true),
        LimitKind::Data => ("RLIMIT_DATA", true),
        // What it has now, and what is left: there is no number that anybody has set.
        LimitKind::HostMemory => return "host memory".to_owned(),
        LimitKind::Descriptors => ("RLIMIT_NOFILE", false),
        LimitKind::UserTasks => ("RLIMIT_NPROC", false),
        LimitKind::CgroupTasks => ("cgroup pids.max", false),
    };
    if is_memory {
        format!("{name} {}", size(limit.limit / BYTES_PER_MB))
    } else {
        // As `ulimit` writes it.
        format!("{name} {:.0}", limit.limit)
    }
}
