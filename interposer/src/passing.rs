//! Interposer: what a call takes that is only passed on, here and now. In: nothing. Out: ps, kept in the segment, from which
//! the collector estimates what all those calls took, of which none reads a clock.
//!
//! How fast a processor is changes from machine to machine, and from minute to minute where its other half or its host is busy:
//! the same call was seen to take half as much again. So a hook that leads to a function that does nothing is called over and
//! over. That takes longer than a hook adds to a program, where other instructions hide a part: the collector knows how much.

use crate::lifecycle::Attached;
use crate::{clock, hooks};
use core::ffi::c_void;
use core::hint::black_box;
use memguard_segment::HeaderWord;

const CALLS: u64 = 256;
const ROUNDS: u32 = 3;
/// Measured again after so many samples; each time takes some two microseconds.
pub const SAMPLES: u64 = 1024;

/// Measures, and notes the mean of this and what was noted before.
#[cold]
#[inline(never)]
pub fn measure(attached: &Attached) {
    // The shortest: all others were interrupted.
    let least_ns = (0..ROUNDS).map(|_| calls_ns()).min().unwrap_or(0);
    let now_ps = least_ns.saturating_sub(attached.clock_ns) * 1000 / CALLS;
    let segment = &attached.segment;
    let noted_ps = match segment.get(HeaderWord::PassingPs) {
        0 => now_ps,
        before_ps => u64::midpoint(before_ps, now_ps),
    };
    segment.set(HeaderWord::PassingPs, noted_ps);
}

fn calls_ns() -> u64 {
    let hook = black_box(hooks::passed as unsafe extern "C" fn(*mut c_void));
    let started_ns = clock::monotonic_ns();
    for _ in 0..CALLS {
        // SAFETY: there is no block at null, and in the end nothing is done.
        unsafe { hook(core::ptr::null_mut()) };
    }
    clock::monotonic_ns().saturating_sub(started_ns)
}
