//! Interposer: what a hook adds to a call that is only passed on, here and now. In: nothing. Out: ps, kept in the segment, from
//! which the collector estimates what all those calls took, of which none reads a clock.
//!
//! How fast a processor is changes from machine to machine, and from minute to minute where its other half or its host is busy:
//! the same call was seen to take half as much again. So a function that does nothing is called over and over, through a hook and
//! past it. The difference is a little more than a hook adds to a program, where other instructions hide a part: the collector
//! knows how much.

use crate::lifecycle::Attached;
use crate::{clock, hooks, real};
use core::ffi::c_void;
use core::hint::black_box;
use memguard_segment::HeaderWord;

/// So many that the clock's own tens of nanoseconds are a hundredth of the difference.
const CALLS: u64 = 1024;
const ROUNDS: u32 = 3;
/// Measured again after so many samples; each time takes some eight microseconds.
pub const SAMPLES: u64 = 1024;

type Callee = unsafe extern "C" fn(*mut c_void);

/// Measures, and notes the mean of this and what was noted before.
#[cold]
#[inline(never)]
pub fn measure(attached: &Attached) {
    // In turns, as the processor's speed may change; the shortest, as all others were interrupted.
    let (mut hooked_ns, mut bare_ns) = (u64::MAX, u64::MAX);
    for _ in 0..ROUNDS {
        hooked_ns = hooked_ns.min(calls_ns(hooks::passed));
        bare_ns = bare_ns.min(calls_ns(real::nothing));
    }
    let now_ps = hooked_ns.saturating_sub(bare_ns) * 1000 / CALLS;
    let segment = &attached.segment;
    let noted_ps = match segment.get(HeaderWord::PassingPs) {
        0 => now_ps,
        before_ps => u64::midpoint(before_ps, now_ps),
    };
    segment.set(HeaderWord::PassingPs, noted_ps);
}

/// One loop for both, so that they differ in nothing else.
#[inline(never)]
fn calls_ns(callee: Callee) -> u64 {
    let callee = black_box(callee);
    let started_ns = clock::monotonic_ns();
    for _ in 0..CALLS {
        // SAFETY: there is no block at null, and in the end nothing is done.
        unsafe { callee(core::ptr::null_mut()) };
    }
    clock::monotonic_ns().saturating_sub(started_ns)
}
