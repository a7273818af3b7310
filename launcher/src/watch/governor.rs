//! Launcher, watch: keeps the cost of sampling within its budget. In: CPU time of the process and of our hooks in it, look
//! by look. Out: the mean number of bytes between samples.
//!
//! When hooks took more than their share of the last seconds' CPU time the interval doubles; when they took so little
//! that half the interval would still be in order, it halves, down to where it began. Every sample stores the
//! probability with which it was taken, so estimates stay unbiased across changes.

use std::collections::VecDeque;

/// The share is taken over this span of looks, in ns.
const SPAN_NS: u64 = 10_000_000_000;
/// Less CPU time than this says nothing, in ns.
const CPU_NS_MIN: u64 = 200_000_000;
/// Half the interval doubles the cost: there must be room for that, with some to spare.
const ROOM: f64 = 0.35;
/// Largest interval, in bytes.
const INTERVAL_BYTES_MAX: u64 = 1 << 32;

/// Steers one process.
#[derive(Debug, Clone)]
pub struct Governor {
    budget: f64,
    base_bytes: u64,
    /// Time of the look, CPU time of the process, time in hooks; all in ns.
    looks: VecDeque<(u64, u64, u64)>,
}

impl Governor {
    /// `budget` is the share of CPU time that hooks may take; `base_bytes` the interval where there is room.
    pub fn new(budget: f64, base_bytes: u64) -> Self {
        Self { budget, base_bytes, looks: VecDeque::new() }
    }

    /// The interval from now on, given the one so far.
    pub fn steer(&mut self, at_ns: u64, cpu_ns: u64, hook_ns: u64, interval_bytes: u64) -> u64 {
        self.looks.push_back((at_ns, cpu_ns, hook_ns));
        while self.looks.front().is_some_and(|first| at_ns.saturating_sub(first.0) > SPAN_NS) {
            self.looks.pop_front();
        }
        let Some((_, cpu_before, hook_before)) = self.looks.front() else { return interval_bytes };
        let cpu = cpu_ns.saturating_sub(*cpu_before);
        if cpu < CPU_NS_MIN {
            return interval_bytes;
        }
        let share = hook_ns.saturating_sub(*hook_before) as f64 / cpu as f64;
        let next = if share > self.budget {
            interval_bytes.saturating_mul(2).min(INTERVAL_BYTES_MAX)
        } else if share < ROOM * self.budget {
            (interval_bytes / 2).max(self.base_bytes)
        } else {
            interval_bytes
        };
        if next != interval_bytes {
            // What was measured at another interval says nothing about this one.
            self.looks.clear();
            self.looks.push_back((at_ns, cpu_ns, hook_ns));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A process that is always busy and whose hooks cost `share` at an interval of 1024 bytes.
    fn run(
        governor: &mut Governor,
        from: u64,
        looks: u64,
        share: f64,
        mut interval: u64,
        hook: &mut f64,
    ) -> u64 {
        for look in from..from + looks {
            *hook += share * 1024.0 / interval as f64 * SECOND as f64;
            interval = governor.steer(look * SECOND, look * SECOND, *hook as u64, interval);
        }
        interval
    }

    /// Goal: within budget after a while, and back at the base when the load is over. Method: virtual time.
    #[test]
    fn doubles_until_within_budget_and_comes_back() {
        let mut governor = Governor::new(0.01, 1024);
        let mut hook = 0.0;
        let busy = run(&mut governor, 1, 60, 0.10, 1024, &mut hook);
        assert_eq!(busy, 16 * 1024, "a tenth of the time at 1 KiB is 0.6 % at 16 KiB");
        assert_eq!(run(&mut governor, 61, 120, 0.001, busy, &mut hook), 1024);
    }

    /// Goal: an idle process is left alone. Method: hooks cost all of almost no CPU time.
    #[test]
    fn little_cpu_time_says_nothing() {
        let mut governor = Governor::new(0.01, 1024);
        for look in 1..60 {
            assert_eq!(governor.steer(look * SECOND, look * 1_000_000, look * 1_000_000, 1024), 1024);
        }
    }
}
