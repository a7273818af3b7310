//! Launcher, watch: keeps the cost of watching within its budget. In: CPU time of the process, of our hooks in it and of our looks at
//! it, look by look. Out: the mean number of bytes between samples.
//!
//! When hooks took more than their share of the last seconds' CPU time the interval grows by the power of two that
//! brings them back to it, as the cost falls as the interval grows; when they took so little that half the interval would
//! still be in order, it halves, down to where it began. Every sample stores the
//! probability with which it was taken, so estimates stay unbiased across changes.
//!
//! Where hooks take next to nothing of a processor they are let be, however little the program itself does.
//!
//! Only the heap is sampled. All else is taken off the budget first: what resources cost, calls that are passed on, and the
//! collector. But a quarter of the budget is always the heap's, half where there are no resources: a longer interval saves nothing
//! of what others take.

use memguard_collect::HookTimes;
use std::collections::VecDeque;

/// The share is taken over this span of looks, in ns.
const SPAN_NS: u64 = 10_000_000_000;
/// Less CPU time than this says nothing, in ns; unless it is all there was in the whole span.
const CPU_NS_MIN: u64 = 200_000_000;
/// Half the interval doubles the cost: there must be room for that, with some to spare.
const ROOM: f64 = 0.35;
/// The part of the budget that is the heap's at least.
const HEAP_PART_MIN: f64 = 0.25;
/// The part of it that may be gone before anything is sampled: a program that does little but allocate pays many times the budget
/// for calls that are passed on, and a longer interval changes nothing about it.
const BESIDES_PART_MAX: f64 = 0.5;
/// Hooks that take less than this share of one processor are let be: a service that does little would be thinned to
/// blindness for a few microseconds a second.
const HARMLESS: f64 = 0.0005;
/// Largest interval, in bytes.
const INTERVAL_BYTES_MAX: u64 = 1 << 32;

/// Steers one process.
#[derive(Debug, Clone)]
pub struct Governor {
    budget: f64,
    base_bytes: u64,
    looks: VecDeque<Look>,
}

/// What is known at one look, since the process began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// When, on the process clock, in ns.
    pub at_ns: u64,
    /// CPU time of the process, in ns.
    pub cpu_ns: u64,
    /// Of it, time in hooks that record.
    pub hooks: HookTimes,
    /// What watching takes besides, whatever the interval, in ns of CPU time: calls that are passed on, the collector's looks.
    pub besides_ns: u64,
}

impl Governor {
    /// `budget` is the share of CPU time that watching may take; `base_bytes` the interval where there is room.
    pub fn new(budget: f64, base_bytes: u64) -> Self {
        Self { budget, base_bytes, looks: VecDeque::new() }
    }

    /// The interval from now on, given the one so far.
    pub fn steer(&mut self, look: Look, interval_bytes: u64) -> u64 {
        while self.looks.get(1).is_some_and(|second| look.at_ns.saturating_sub(second.at_ns) >= SPAN_NS) {
            self.looks.pop_front();
        }
        let is_young = look.at_ns <= SPAN_NS && look.cpu_ns / 2 <= look.at_ns;
        if self.looks.is_empty() && is_young {
            // The first look at a young process is compared with its beginning: one that begins madly is thinned at once. One
            // that had used its processors long before it was attached would be thinned too late.
            self.looks.push_back(Look::default());
        }
        self.looks.push_back(look);
        let next = self.looks.front().map_or(interval_bytes, |first| self.next(first, &look, interval_bytes));
        if next != interval_bytes {
            // What was measured at another interval says nothing about this one.
            self.looks.clear();
            self.looks.push_back(look);
        }
        next
    }

    fn next(&self, first: &Look, last: &Look, interval_bytes: u64) -> u64 {
        let cpu_ns = last.cpu_ns.saturating_sub(first.cpu_ns);
        let is_busy = cpu_ns >= CPU_NS_MIN;
        let is_calm = !is_busy && last.at_ns.saturating_sub(first.at_ns) >= SPAN_NS;
        let share =
            |of: fn(&Look) -> u64| of(last).saturating_sub(of(first)) as f64 / cpu_ns.max(CPU_NS_MIN) as f64;
        let heap = share(|look| look.hooks.heap_ns);
        let besides = share(|look| look.besides_ns).min(BESIDES_PART_MAX * self.budget);
        let others = share(|look| look.hooks.resources_ns) + besides;
        let left = (self.budget - others).max(HEAP_PART_MIN * self.budget);
        let wall_ns = last.at_ns.saturating_sub(first.at_ns).max(1) as f64;
        let of_processor = last.hooks.heap_ns.saturating_sub(first.hooks.heap_ns) as f64 / wall_ns;
        if is_busy && heap > left && of_processor > HARMLESS {
            let too_much = (heap / left).min(of_processor / HARMLESS);
            let times = too_much.log2().ceil().max(1.0).exp2();
            interval_bytes.saturating_mul(times as u64).min(INTERVAL_BYTES_MAX.max(self.base_bytes))
        } else if (is_busy || is_calm) && (heap < ROOM * left || of_processor < ROOM * HARMLESS) {
            (interval_bytes / 2).max(self.base_bytes)
        } else {
            interval_bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A process in virtual time.
    struct Process {
        governor: Governor,
        interval: u64,
        look: Look,
    }

    impl Process {
        fn new() -> Self {
            let look = Look::default();
            Self { governor: Governor::new(0.01, 1024), interval: 1024, look }
        }

        /// Uses `busy` of a processor for some seconds; of that, sampling takes `heap` at an interval of 1024 bytes, and
        /// booking resources takes `resources`.
        fn run(&mut self, seconds: u64, busy: f64, heap: f64, resources: f64) -> u64 {
            for _ in 0..seconds {
                let cpu = busy * SECOND as f64;
                self.look.at_ns += SECOND;
                self.look.cpu_ns += cpu as u64;
                self.look.hooks.heap_ns += (cpu * heap * 1024.0 / self.interval as f64) as u64;
                self.look.hooks.resources_ns += (cpu * resources) as u64;
                self.interval = self.governor.steer(self.look, self.interval);
            }
            self.interval
        }
    }

    /// Goal: within budget at once, and back at the base when the load is over. Method: virtual time.
    #[test]
    fn grows_until_within_budget_and_comes_back() {
        let mut process = Process::new();
        assert_eq!(process.run(2, 1.0, 0.10, 0.0), 16 * 1024);
        assert_eq!(
            process.run(60, 1.0, 0.10, 0.0),
            16 * 1024,
            "a tenth of the time at 1 KiB is 0.6 % at 16 KiB"
        );
        assert_eq!(process.run(120, 1.0, 0.001, 0.0), 1024);
    }

    /// Goal: the first look is enough. Method: hooks take a tenth of the first second.
    #[test]
    fn thins_at_the_first_look() {
        assert_eq!(Process::new().run(1, 1.0, 0.10, 0.0), 16 * 1024);
    }

    /// Goal: a process that has gone nearly idle comes back too. Method: it uses a thousandth of a processor.
    #[test]
    fn comes_back_when_idle() {
        let mut process = Process::new();
        assert_eq!(process.run(60, 1.0, 0.10, 0.0), 16 * 1024);
        assert_eq!(process.run(60, 0.001, 0.10, 0.0), 1024);
    }

    /// Goal: an idle process is left alone. Method: hooks cost all of almost no CPU time.
    #[test]
    fn little_cpu_time_says_nothing() {
        assert_eq!(Process::new().run(60, 0.001, 1.0, 0.0), 1024);
    }

    /// Goal: a service that does little is not thinned to blindness. Method: hooks take a hundredth of 4 % of a processor, and
    /// then a tenth.
    #[test]
    fn what_is_harmless_is_let_be() {
        assert_eq!(Process::new().run(60, 0.04, 0.0115, 0.0), 1024);
        assert_eq!(Process::new().run(60, 0.04, 0.1, 0.0), 8 * 1024);
    }

    /// Goal: what resources cost is taken off the budget, but the heap is not given up for it. Method: resources take half
    /// of the budget, or many times all of it.
    #[test]
    fn resources_come_first_but_not_alone() {
        assert_eq!(Process::new().run(60, 1.0, 0.008, 0.0), 1024);
        assert_eq!(Process::new().run(60, 1.0, 0.008, 0.005), 2 * 1024);
        assert_eq!(Process::new().run(60, 1.0, 0.008, 0.5), 4 * 1024);
        assert_eq!(Process::new().run(60, 1.0, 0.002, 0.5), 1024);
    }

    /// Goal: watching all told keeps to the budget, but is not given up for what no interval changes. Method: passed calls and
    /// looks take a third of the budget, or many times all of it.
    #[test]
    fn what_is_no_sampling_counts_too() {
        for (besides, heap, interval) in
            [(0.003, 0.006, 1024), (0.003, 0.008, 2 * 1024), (0.1, 0.004, 1024), (0.1, 0.008, 2 * 1024)]
        {
            let mut process = Process::new();
            for _ in 0..60 {
                process.look.besides_ns += (besides * SECOND as f64) as u64;
                process.run(1, 1.0, heap, 0.0);
            }
            assert_eq!(process.interval, interval, "{besides} besides {heap}");
        }
    }

    /// Goal: what is remembered is bounded. Method: a day of looks.
    #[test]
    fn remembers_ten_seconds() {
        let mut process = Process::new();
        for _ in 0..24 * 3600 {
            process.run(1, 0.5, 0.001, 0.0);
        }
        assert!(process.governor.looks.len() <= 12, "{}", process.governor.looks.len());
    }
}
