//! Interposer: the clocks, in ns. That of the process is `CLOCK_MONOTONIC` (read through the vDSO, no system call).

use crate::sys;

/// Reads a clock in ns; 0 if the kernel refuses, which it does not for the clocks used here.
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec.
    if unsafe { libc::clock_gettime(clock, &raw mut now) } != 0 {
        return 0;
    }
    in_ns(&now)
}

fn in_ns(time: &libc::timespec) -> u64 {
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Monotonic time.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Monotonic time as of the last tick of the kernel, some milliseconds old; a quarter of the price.
pub fn coarse_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
}

/// CPU time of the calling thread. A system call, and made as one: a sanitizer's `clock_gettime` may not have started up yet.
pub fn thread_cpu_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [libc::CLOCK_THREAD_CPUTIME_ID as usize, &raw mut now as usize, 0, 0, 0, 0];
    if sys::call(libc::SYS_clock_gettime, arguments) != 0 { 0 } else { in_ns(&now) }
}

/// Wall-clock time since 1970.
pub fn realtime_ns() -> u64 {
    read(libc::CLOCK_REALTIME)
}

/// What reading the monotonic clock takes: the shortest of a few.
pub fn cost_ns() -> u64 {
    let mut before_ns = monotonic_ns();
    let mut least_ns = u64::MAX;
    for _ in 0..4 {
        let now_ns = monotonic_ns();
        least_ns = least_ns.min(now_ns.saturating_sub(before_ns));
        before_ns = now_ns;
    }
    least_ns
}
