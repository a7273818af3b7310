//! Launcher, watch: the facts that a report is made of. In: a session under watch. Out: [`ReportInput`].

use std::time::{SystemTime, UNIX_EPOCH};

use memguard_inspect::{Stat, children_cpu_ns, process_cpu_ns};
use memguard_report::{FindingInput, OverheadInput, ReportInput, SessionInput};

use super::Watch;
use super::base::{Base, tree_ns};
use super::costs::Costs;
use super::process::Watched;

/// Suspicions below this are not worth storing.
pub const CONFIDENCE_STORED_MIN: f64 = 0.05;
/// CPU times below this are too short to divide by, in ns.
const CPU_NS_MIN: u64 = 50_000_000;

/// Now, in seconds since 1970.
pub fn unix_time_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Watch {
    /// The facts as they are now.
    pub fn facts(&mut self, session: SessionInput) -> ReportInput {
        let mut processes = Vec::new();
        let mut findings = Vec::new();
        for process in self.processes.iter_mut().filter(|process| process.is_active()) {
            process.refresh();
            let index = processes.len();
            processes.push(process.facts().clone());
            for finding in process.findings().to_vec() {
                if finding.confidence >= CONFIDENCE_STORED_MIN {
                    let frames = process.frames(finding.stack);
                    let stack = self.sites.resolve(&frames);
                    findings.push(FindingInput { stack, finding, process: index });
                }
            }
        }
        ReportInput {
            created_at: unix_time_s(),
            usd_per_gb_hour: self.usd_per_gb_hour,
            session,
            processes,
            overhead: self.overhead(),
            findings,
        }
    }

    /// Asks how much CPU time everything that was started has used. It never becomes less: what has ended may be in nobody's sum.
    pub(super) fn learn_base(&mut self) {
        let ended_ns = children_cpu_ns().saturating_sub(self.children_before_ns);
        self.tree_ns = self.tree_ns.max(tree_ns(self.living_costs(), self.all_costs(), ended_ns));
    }

    fn all_costs(&self) -> impl Iterator<Item = &Costs> + Clone {
        self.processes.iter().map(Watched::costs).chain([&self.forgotten_costs])
    }

    fn living_costs(&self) -> impl Iterator<Item = &Costs> {
        self.processes.iter().filter(|process| !process.is_over()).map(Watched::costs)
    }

    fn overhead(&self) -> OverheadInput {
        let base = Base::of(self.all_costs(), self.tree_ns);
        let percent = |ns: u64| (base.cpu_ns >= CPU_NS_MIN).then(|| 100.0 * ns as f64 / base.cpu_ns as f64);
        let hooks = base.taken.hooks;
        // Of children that nobody waits for, the kernel keeps no sum.
        let starting_ns =
            base.taken.starting_ns(self.files.starting_ns().saturating_sub(self.starting_before_ns));
        let starting_ns = Some(starting_ns).filter(|ns| *ns <= base.cpu_ns);
        let sample_bytes_peak = self.all_costs().map(|costs| costs.sample_bytes_peak).max().unwrap_or(0);
        // The segments of those that have ended are given back. Of a session that is over, those of its last moment count.
        let segments_bytes = match self.living_costs().map(|costs| costs.memory_bytes).sum::<u64>() {
            0 => self.segments_bytes,
            living => living,
        };
        OverheadInput {
            hook_cpu_percent: percent(hooks.total_ns()),
            starting_cpu_percent: starting_ns.and_then(percent),
            collector_cpu_percent: percent(process_cpu_ns()),
            memory_bytes: Stat::of_self().map(|own| own.rss_bytes + segments_bytes),
            sample_bytes: self.sample_bytes_last(),
            sample_bytes_peak: sample_bytes_peak.max(self.sample_bytes).max(1),
            sample_bytes_base: self.sample_bytes.max(1),
            resource_hook_cpu_percent: percent(hooks.recording.resources_ns),
            passing_cpu_percent: percent(hooks.passing_ns),
            budget_percent: self.overhead_budget.map(|share| 100.0 * share),
        }
    }

    /// Mean bytes between samples, the longest in force, or that processes ended with when all have; 1 where everything is
    /// recorded, 0 where nothing is sampled.
    fn sample_bytes_last(&self) -> u64 {
        // A segment that nobody took is no process.
        let active = || self.processes.iter().filter(|process| process.is_active());
        let longest = |over| {
            let hooked = active().filter(|process| process.is_over() == over && !process.facts().observed);
            hooked.map(|process| process.costs().sample_bytes).max()
        };
        let interval = longest(false).filter(|bytes| *bytes != 0).or_else(|| longest(true));
        match interval {
            Some(bytes) => bytes.max(1),
            None if active().next().is_none() => self.sample_bytes.max(1),
            None => 0,
        }
    }
}
