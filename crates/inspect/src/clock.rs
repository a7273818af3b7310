//! Inspect: the kernel's clocks, in ns; 0 if the kernel refuses, which it does not for the clocks used here.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time of this thread, in ns: what work costs, however busy the machine is with other things.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that this thread has taken since [`thread_cpu_ns`] was `then_ns`.
pub fn thread_cpu_since(then_ns: u64) -> Duration {
    Duration::from_nanos(thread_cpu_ns().saturating_sub(then_ns))
}

/// CPU time of this process, in ns.
pub fn process_cpu_ns() -> u64 {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of this process's children that have ended and were reaped, and of theirs, in ns.
pub fn children_cpu_ns() -> u64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| {
        [usage.user_time(), usage.system_time()]
            .map(|time| time.num_microseconds().unsigned_abs() * 1000)
            .iter()
            .sum()
    })
}

/// `CLOCK_MONOTONIC`, which the processes' own clocks count from.
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

fn read(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |t| (t.tv_sec() as u64) * 1_000_000_000 + t.tv_nsec() as u64)
}
