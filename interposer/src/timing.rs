//! Interposer: what hooks take of the program's time. In: the times at which their work began. Out: sums in the segment, which the
//! report's statement is made from.
//!
//! A sample is timed each; of what is booked more often one in [`TIMED_ONE_IN`] is, and stands for all. What calls take that are only
//! passed on is another matter: see `passing`. How it all was fitted is in docs/adr/0018-passed-calls.md.

use crate::clock;
use crate::lifecycle::Attached;
use crate::thread::{self, TIMED_ONE_IN, Thread};
use memguard_segment::{Class, HeaderWord};

/// No hook takes longer, in ns; a walk through code that was never walked before takes 20 us.
const HOOK_NS_MAX: u64 = 200_000;
/// What stands for [`TIMED_ONE_IN`] took no longer, in ns. What did was interrupted, or walked through code that was never walked before: it
/// happened once, and is not what the others took. One interruption in ten thousand would otherwise tell a tenth too much.
const TYPICAL_NS_MAX: u64 = 5_000;
/// Reading a clock without a system call takes no longer than this, in ns.
const LOOK_NS_MAX: u64 = 64;
/// What no look at a clock can see of a hook, its way in and out, in per cent of what such a look takes: where a sample is taken, and
/// nothing of what it needs has been used for long. These were fitted to `benches/programs/turns.c`.
const UNSEEN_OF_SAMPLES: u64 = 100;
/// The same of what allocators' callers do again and again.
const UNSEEN_OF_BLOCKS: u64 = 40;
/// The same beside system calls that come one right after the other. At each the processor forgets which way jumps went.
const UNSEEN_OF_RESOURCES: u64 = 38;
/// And so much more where a file was opened, between what a regular one and a device need. Inside a device's `open` the kernel calls so
/// deep that the processor forgets where to return to as well: 5.7 ns for each frame above. Which it was is not known here.
const UNSEEN_OF_OPEN: u64 = 25;
/// And so much more for each microsecond from one booking to the next: the more others have done meanwhile, the more of what a hook
/// needs has left the caches, and of what the program needs leaves them for the hook.
const UNSEEN_FOR_EACH_US: u64 = 100;
/// Up to so much: what comes every 1.4 us and more was found to miss no more than that.
const UNSEEN_MAX: u64 = 180;

/// The beginning of a part of a hook's work that is timed.
#[derive(Clone, Copy)]
pub struct Timed {
    /// On the monotonic clock, in ns.
    started_ns: u64,
    /// From one booking of the thread to the next, in ns, since one was timed last; 0 if none was.
    apart_ns: u64,
}

impl Timed {
    /// What no look at a clock can see, in per cent of a look.
    fn unseen_of_resources(self, opens_file: bool) -> u64 {
        let by_call = UNSEEN_OF_RESOURCES + if opens_file { UNSEEN_OF_OPEN } else { 0 };
        (by_call + self.apart_ns.saturating_mul(UNSEEN_FOR_EACH_US) / 1000).min(UNSEEN_MAX)
    }
}

/// Begins a part of a hook's work. One in [`TIMED_ONE_IN`] of a thread's is timed, and stands for the others, which read no clock.
#[inline]
pub fn start_now_and_then(thread: &mut Thread) -> Option<Timed> {
    thread.books().then(|| {
        let started_ns = clock::monotonic_ns();
        let before_ns = core::mem::replace(&mut thread.timed_at_ns, started_ns);
        let since_ns = if before_ns == 0 { 0 } else { started_ns.saturating_sub(before_ns) };
        Timed { started_ns, apart_ns: since_ns / u64::from(TIMED_ONE_IN) }
    })
}

impl Attached {
    /// Books what it took to take a sample, with both looks at the clock.
    pub fn spent_on_sample(&self, started_ns: u64) {
        self.segment.add(HeaderWord::HookNs, self.work_ns(started_ns, UNSEEN_OF_SAMPLES) + 2 * self.clock_ns);
    }

    /// Works on the books of the heap, timed now and then.
    #[inline]
    pub fn timed_now_and_then<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: the calling thread's own block; no reference to it is held.
        let timed = start_now_and_then(unsafe { &mut *thread::current() });
        let answer = work();
        self.spent_on_block(timed);
        answer
    }

    /// Books what work on a block took, if it was timed.
    #[inline]
    pub fn spent_on_block(&self, timed: Option<Timed>) {
        if let Some(timed) = timed {
            self.spent_by_all(HeaderWord::HookNs, timed, UNSEEN_OF_BLOCKS);
        }
    }

    /// Books what work on a resource took, if it was timed; `born` is what was made, if something was.
    #[inline]
    pub fn spent_on_resource(&self, timed: Option<Timed>, born: Option<Class>) {
        if let Some(timed) = timed {
            self.spent_by_all(
                HeaderWord::ResourceHookNs,
                timed,
                timed.unseen_of_resources(born == Some(Class::File)),
            );
        }
    }

    /// Books the time since then for all of [`TIMED_ONE_IN`] hooks. Only this one looked at a clock. Not out of line: it would be
    /// fetched before the second look, and counted for all.
    #[inline]
    fn spent_by_all(&self, on: HeaderWord, timed: Timed, unseen: u64) {
        // What began before this process was watched cannot be told.
        let started_ns = self.since_start_ns(timed.started_ns);
        if started_ns != 0 {
            let work_ns = self.work_ns(started_ns, unseen);
            let others_ns = work_ns.min(TYPICAL_NS_MAX) * u64::from(TIMED_ONE_IN - 1);
            self.segment.add(on, work_ns + others_ns + 2 * self.clock_ns);
        }
    }

    /// What a hook takes that began at `started_ns`, without its two looks at the clock, of which one lies in between. What is unseen
    /// comes on top, in per cent of a look, as long as that is no system call.
    fn work_ns(&self, started_ns: u64, unseen: u64) -> u64 {
        self.took_ns(started_ns).saturating_sub(self.clock_ns) + self.clock_ns.min(LOOK_NS_MAX) * unseen / 100
    }

    /// Time since `started_ns`. What took longer than any hook does was interrupted: the thread waited for a processor, which
    /// costs the program nothing.
    fn took_ns(&self, started_ns: u64) -> u64 {
        self.now_ns().saturating_sub(started_ns).min(HOOK_NS_MAX)
    }
}
