//! Inspect: what the calling thread itself costs.

use nix::time::{ClockId, clock_gettime};

/// CPU time of this thread, in ns: what work costs, however busy the machine is with other things.
pub fn thread_cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.map_or(0, |t| (t.tv_sec() as u64) * 1_000_000_000 + t.tv_nsec() as u64)
}
