//! Launcher, watch: what watching one process costs it. In: CPU times and numbers of calls, look by look. Out: sums for the report.

use std::iter::Sum;

use memguard_collect::{HookTimes, ProcessReader};
use memguard_inspect::Stat;
use memguard_model::Reading;

/// Where a program does little but allocate, a hook adds this part of what it adds to a call in a loop of nothing else: it fits
/// between the allocator's own instructions. Measured by `benches/programs/turns.c`, see docs/performance.md.
const DENSE_SHARE: f64 = 0.67;
/// Up to so much CPU time of the program for each call, in ns.
const DENSE_NS: f64 = 8.0;
/// The same where a program does other things between: the processor has to find the hook and what it reads first.
const SPARSE_SHARE: f64 = 1.0;
/// From so much on, in ns.
const SPARSE_NS: f64 = 20.0;
/// What the program has done in so much CPU time, in ns, is settled.
const SETTLED_AFTER_NS: u64 = 1_000_000_000;
/// A change of size both counts and asks, where an allocation only counts and a free only asks. Measured the same way.
const RESIZE_CALLS: f64 = 1.5;
/// Loading the library takes so many times what its own start sees of it: what the loader and the kernel do for it before and after
/// cannot be seen from inside. Measured in fourteen programs, with and without, in turns (ADR 0018).
const LOADING_SHARE: f64 = 2.4;
/// What the kernel takes more to copy a watched process, in parent and child, in ns. Measured the same way.
const COPYING_NS: f64 = 35_000.0;

/// What processes take more to start, in ns: the library is loaded, of which its own start has seen so much in all of them, and the
/// memory of a watched one that forks is copied.
pub fn starting_ns(seen_ns: u64, forks: u64) -> u64 {
    (seen_ns as f64 * LOADING_SHARE + forks as f64 * COPYING_NS) as u64
}

/// CPU time of a process, in ns.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuTime {
    /// Its own.
    pub own_ns: u64,
    /// Of the children that it has waited for, and of theirs.
    pub children_ns: u64,
}

impl From<&Stat> for CpuTime {
    fn from(stat: &Stat) -> Self {
        Self { own_ns: stat.cpu_ns, children_ns: stat.children_cpu_ns }
    }
}

/// Time in hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct InHooks {
    /// In those that recorded something.
    pub recording: HookTimes,
    /// Besides, in hooks of the heap that only passed a call on, in ns: estimated.
    pub passing_ns: u64,
}

impl InHooks {
    /// All of it, in ns.
    pub fn total_ns(&self) -> u64 {
        self.recording.total_ns().saturating_add(self.passing_ns)
    }

    fn add(&mut self, other: &Self) {
        self.recording.heap_ns += other.recording.heap_ns;
        self.recording.resources_ns += other.recording.resources_ns;
        self.passing_ns += other.passing_ns;
    }
}

impl<'a> Sum<&'a Self> for InHooks {
    fn sum<I: Iterator<Item = &'a Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum.add(one);
            sum
        })
    }
}

/// Calls that were only passed on.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    /// How many.
    calls: f64,
    /// What they took, in ns.
    ns: f64,
    /// CPU time that the process had used then, in ns.
    cpu_ns: u64,
}

/// What watching the process costs, and how its heap grew.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// CPU time of the process when the kernel was asked for the last time.
    pub cpu: CpuTime,
    /// The same when it was watched for the first time, if it had begun long before.
    pub before: CpuTime,
    /// Of it in hooks.
    pub hooks: InHooks,
    /// Children that it has made by copying itself.
    pub forks: u64,
    /// What is settled of the calls that were only passed on.
    settled: Passed,
    /// Resident bytes of its segment.
    pub memory_bytes: u64,
    /// Mean bytes between samples.
    pub sample_bytes: u64,
    /// The most that this has been.
    pub sample_bytes_peak: u64,
    /// Estimated live heap at the first look, in bytes.
    pub heap_start_bytes: f64,
    /// Estimated live heap at the last look, in bytes.
    pub heap_last_bytes: f64,
}

impl Costs {
    /// Adds the times of a process that is forgotten, if they can be compared.
    pub fn add(&mut self, other: &Self) {
        if other.cpu.own_ns != 0 {
            self.cpu.own_ns += other.cpu_ns();
            self.hooks.add(&other.hooks);
            self.forks += other.forks;
        }
        self.sample_bytes_peak = self.sample_bytes_peak.max(other.sample_bytes_peak);
    }

    /// CPU time of the process since it is watched, in ns.
    pub fn cpu_ns(&self) -> u64 {
        self.cpu.own_ns.saturating_sub(self.before.own_ns)
    }

    /// The same with that of the children that it has waited for meanwhile, and of theirs.
    pub fn cpu_with_children_ns(&self) -> u64 {
        self.cpu_ns() + self.cpu.children_ns.saturating_sub(self.before.children_ns)
    }

    /// Takes all in as of one moment, when the process had used so much CPU time. What its hooks take later is not held against that.
    pub fn take(&mut self, cpu: CpuTime, spent: &Spent, reading: &Reading) {
        // Where everything is recorded, no call is only passed on.
        if spent.is_sampled {
            let booked = reading.totals.iter().map(|t| t.born_count + t.died_count).sum();
            self.pass_on(cpu.own_ns, booked, spent.resizes, spent.passing_ns);
        }
        self.cpu = cpu;
        self.forks = spent.forks;
        self.hooks.recording = spent.hooks;
    }

    /// Estimates what the calls took that were only passed on: of so many births and deaths, with a resize counted as one of each, at
    /// so many ns that a hook adds in a loop of nothing else. They are priced by what the program did meanwhile, and that is
    /// settled when it has done so much that neither the kernel's clock nor the rarity of samples matters.
    fn pass_on(&mut self, cpu_ns: u64, booked: f64, resizes: u64, call_ns: f64) {
        let calls = (booked - (2.0 - RESIZE_CALLS) * resizes as f64).max(self.settled.calls);
        let more = calls - self.settled.calls;
        let span_ns = cpu_ns.saturating_sub(self.settled.cpu_ns);
        let apart_ns = span_ns as f64 / more.max(1.0);
        let sparse = ((apart_ns - DENSE_NS) / (SPARSE_NS - DENSE_NS)).clamp(0.0, 1.0);
        let share = DENSE_SHARE + (SPARSE_SHARE - DENSE_SHARE) * sparse;
        let ns = self.settled.ns + more * share * call_ns;
        self.hooks.passing_ns = ns as u64;
        if span_ns >= SETTLED_AFTER_NS {
            self.settled = Passed { calls, ns, cpu_ns };
        }
    }
}

/// What the segment of a process says that its hooks have taken so far.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// In hooks that record.
    pub hooks: HookTimes,
    resizes: u64,
    forks: u64,
    /// What a hook adds to a call that it only passes on, in ns.
    passing_ns: f64,
    is_sampled: bool,
}

impl Spent {
    pub fn of(reader: &ProcessReader) -> Self {
        Self {
            hooks: reader.hook_times(),
            resizes: reader.resizes(),
            forks: reader.forks(),
            passing_ns: reader.passing_ns(),
            is_sampled: reader.sample_interval_bytes() > 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a resize counts for less than a birth and a death, and never makes the sum smaller. Method: known numbers.
    #[test]
    fn a_resize_is_not_two_calls() {
        let passing_ns = |booked, resizes| {
            let mut costs = Costs::default();
            costs.pass_on(0, booked, resizes, 1000.0);
            costs.hooks.passing_ns
        };
        assert_eq!(passing_ns(2000.0, 0), 1_340_000);
        assert_eq!(passing_ns(2000.0, 1000), 1_005_000);
        assert_eq!(passing_ns(0.0, 1000), 0);
    }

    /// Goal: of a program that does more than allocate, all that a hook takes is counted. Method: the same calls in more CPU time.
    #[test]
    fn other_work_hides_nothing() {
        let passing_ns = |cpu_ns| {
            let mut costs = Costs::default();
            costs.pass_on(cpu_ns, 1000.0, 0, 1000.0);
            costs.hooks.passing_ns
        };
        assert_eq!(passing_ns(5000), passing_ns(8000));
        assert!(passing_ns(8000) < passing_ns(14_000) && passing_ns(14_000) < passing_ns(20_000));
        assert_eq!((passing_ns(20_000), passing_ns(1_000_000)), (1_000_000, 1_000_000));
    }

    /// Goal: what calls were told to cost stays, whatever the program does later, but not before it has done enough to tell. Method:
    /// a busy beginning, then a calm hour; and a look before the kernel's clock has moved.
    #[test]
    fn the_past_is_not_priced_again() {
        let mut costs = Costs::default();
        costs.pass_on(1_000_000_000, 1e9, 0, 1.0);
        let busy_ns = costs.hooks.passing_ns;
        assert_eq!(busy_ns, 670_000_000);
        costs.pass_on(3_000_000_000, 1e9, 0, 1.0);
        assert_eq!(costs.hooks.passing_ns, busy_ns);
        costs.pass_on(4_000_000_000, 1e9 + 1000.0, 0, 1.0);
        assert_eq!(costs.hooks.passing_ns, busy_ns + 1000);
        let mut calm = Costs::default();
        for cpu_ns in [0, 0, 10_000_000] {
            calm.pass_on(cpu_ns, 1000.0, 0, 1.0);
        }
        assert_eq!(calm.hooks.passing_ns, 1000);
    }
}
