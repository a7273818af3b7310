//! Launcher, watch: what watching one process costs it. In: CPU times and numbers of calls, look by look. Out: sums for the report.

/// Beside a program's own instructions a call that is passed on takes this part of what it takes in a loop of nothing else,
/// where each waits for the jumps of the one before. Measured by `benches/programs/turns.c`, see docs/performance.md.
const PASSING_SHARE: f64 = 0.43;
/// A change of size both counts and asks, where an allocation only counts and a free only asks. Measured the same way.
const RESIZE_CALLS: f64 = 1.4;

/// What watching the process costs, and how its heap grew.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// CPU time of the process, in ns.
    pub cpu_ns: u64,
    /// Of it in hooks, in ns.
    pub hook_ns: u64,
    /// Of that in hooks of resources, in ns.
    pub resource_hook_ns: u64,
    /// Besides, in hooks of the heap that only passed a call on, in ns: estimated.
    pub passing_ns: u64,
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
        if other.cpu_ns != 0 {
            self.cpu_ns += other.cpu_ns;
            self.hook_ns += other.hook_ns;
            self.resource_hook_ns += other.resource_hook_ns;
            self.passing_ns += other.passing_ns;
        }
        self.sample_bytes_peak = self.sample_bytes_peak.max(other.sample_bytes_peak);
    }

    /// Estimates what all calls took that were only passed on: of so many births and deaths, with a resize counted as one of
    /// each, at so many ns for a call in a loop of nothing else.
    pub fn pass_on(&mut self, booked: f64, resizes: u64, call_ns: f64) {
        let calls = (booked - (2.0 - RESIZE_CALLS) * resizes as f64).max(0.0);
        self.passing_ns = (calls * PASSING_SHARE * call_ns) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a resize counts for less than a birth and a death, and never makes the sum negative. Method: known numbers.
    #[test]
    fn a_resize_is_not_two_calls() {
        let mut costs = Costs::default();
        costs.pass_on(2000.0, 0, 1000.0);
        assert_eq!(costs.passing_ns, 860_000);
        costs.pass_on(2000.0, 1000, 1000.0);
        assert_eq!(costs.passing_ns, 602_000);
        costs.pass_on(0.0, 1000, 1000.0);
        assert_eq!(costs.passing_ns, 0);
    }
}
