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

/// CPU time of a process, in ns.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuTime {
    /// Its own.
    pub own_ns: u64,
    /// Of the children that it has waited for, and of theirs.
    pub children_ns: u64,
}

impl CpuTime {
    /// Both together, in ns.
    pub fn total_ns(self) -> u64 {
        self.own_ns.saturating_add(self.children_ns)
    }

    fn add(&mut self, other: Self) {
        self.own_ns += other.own_ns;
        self.children_ns += other.children_ns;
    }
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

/// What watching takes of a process's own CPU time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// In hooks.
    pub hooks: InHooks,
    /// To attach, in ns.
    pub attach_ns: u64,
    /// Children that it has made by copying itself.
    pub forks: u64,
}

impl Taken {
    /// What processes took more to start, in ns: the library was loaded, of which its own start has seen so much in all of them; these
    /// were attached, and their memory was copied when they forked.
    pub fn starting_ns(&self, seen_ns: u64) -> u64 {
        let unseen_ns = seen_ns as f64 * LOADING_SHARE + self.forks as f64 * COPYING_NS;
        self.attach_ns.saturating_add(unseen_ns as u64)
    }

    fn add(&mut self, other: &Self) {
        self.hooks.add(&other.hooks);
        self.attach_ns += other.attach_ns;
        self.forks += other.forks;
    }
}

impl<'a> Sum<&'a Self> for Taken {
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
    /// The same when it was watched for the first time, of one without hooks that ran before this launcher did.
    pub before: CpuTime,
    /// What of it watching took.
    pub taken: Taken,
    /// The same as of the last time that its segment was read: after its end, when there may be no CPU time any more to compare with.
    pub taken_at_last: Taken,
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
    /// Adds those of a process that is forgotten.
    pub fn add(&mut self, other: &Self) {
        self.cpu.add(other.cpu);
        self.before.add(other.before);
        if other.is_compared() {
            self.taken.add(&other.taken);
        }
        self.taken_at_last.add(&other.taken_at_last);
        self.sample_bytes_peak = self.sample_bytes_peak.max(other.sample_bytes_peak);
    }

    /// Whether its CPU time was ever known.
    pub fn is_compared(&self) -> bool {
        self.cpu.own_ns != 0
    }

    /// CPU time of the process since it is watched, in ns.
    pub fn cpu_ns(&self) -> u64 {
        self.cpu.own_ns.saturating_sub(self.before.own_ns)
    }

    /// Takes all in as of one moment, when the process had used so much CPU time. What its hooks take later is not held against that.
    pub fn take(&mut self, cpu: CpuTime, spent: &Spent, reading: &Reading) {
        self.cpu = cpu;
        self.take_last(spent, reading);
        self.taken = self.taken_at_last;
    }

    /// The same when nobody knows how much CPU time it had used: it has ended since it was asked.
    pub fn take_last(&mut self, spent: &Spent, reading: &Reading) {
        let mut passing_ns = 0;
        // Where everything is recorded, no call is only passed on.
        if spent.is_sampled {
            let booked = reading.totals.iter().map(|t| t.born_count + t.died_count).sum();
            passing_ns = self.pass_on(self.cpu.own_ns, booked, spent.resizes, spent.passing_ns);
        }
        let hooks = InHooks { recording: spent.hooks, passing_ns };
        self.taken_at_last = Taken { hooks, attach_ns: spent.attach_ns, forks: spent.forks };
    }

    /// Estimates what the calls took that were only passed on: of so many births and deaths, with a resize counted as one of each, at
    /// so many ns that a hook adds in a loop of nothing else. They are priced by what the program did meanwhile, and that is
    /// settled when it has done so much that neither the kernel's clock nor the rarity of samples matters.
    fn pass_on(&mut self, cpu_ns: u64, booked: f64, resizes: u64, call_ns: f64) -> u64 {
        let calls = (booked - (2.0 - RESIZE_CALLS) * resizes as f64).max(self.settled.calls);
        let more = calls - self.settled.calls;
        let span_ns = cpu_ns.saturating_sub(self.settled.cpu_ns);
        let apart_ns = span_ns as f64 / more.max(1.0);
        let sparse = ((apart_ns - DENSE_NS) / (SPARSE_NS - DENSE_NS)).clamp(0.0, 1.0);
        let share = DENSE_SHARE + (SPARSE_SHARE - DENSE_SHARE) * sparse;
        let ns = self.settled.ns + more * share * call_ns;
        if span_ns >= SETTLED_AFTER_NS {
            self.settled = Passed { calls, ns, cpu_ns };
        }
        ns as u64
    }
}

/// What the segment of a process says that its hooks have taken so far.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// In hooks that record.
    pub hooks: HookTimes,
    resizes: u64,
    forks: u64,
    attach_ns: u64,
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
            attach_ns: reader.attach_ns(),
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
            costs.pass_on(0, booked, resizes, 1000.0)
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
            costs.pass_on(cpu_ns, 1000.0, 0, 1000.0)
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
        let busy_ns = costs.pass_on(1_000_000_000, 1e9, 0, 1.0);
        assert_eq!(busy_ns, 670_000_000);
        assert_eq!(costs.pass_on(3_000_000_000, 1e9, 0, 1.0), busy_ns);
        assert_eq!(costs.pass_on(4_000_000_000, 1e9 + 1000.0, 0, 1.0), busy_ns + 1000);
        let mut calm = Costs::default();
        let told = [0, 0, 10_000_000].map(|cpu_ns| calm.pass_on(cpu_ns, 1000.0, 0, 1.0));
        assert_eq!(told.last(), Some(&1000));
    }
}
