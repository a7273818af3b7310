//! Interposer: the process clock, ns of `CLOCK_MONOTONIC` (read through the vDSO, no system call).

/// Reads a clock in ns; 0 if the kernel refuses, which it does not for the clocks used here.
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec.
    if unsafe { libc::clock_gettime(clock, &raw mut now) } != 0 {
        return 0;
    }
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Monotonic time.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Monotonic time as of the last tick of the kernel, some milliseconds old; a quarter of the price.
pub fn coarse_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE)
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
