//! Interposer, the slow path of every hook. In: a call whose countdown ran out, or a free of a page that holds sampled
//! objects. Out: the real call's result, and records.
//!
//! Order matters. A birth is booked after the real call and before the program gets the pointer. A death is booked
//! before the real call. A realloc suspends the old record, calls, and books the death and the new birth, or puts the
//! record back if the call failed.

use crate::errno::KeepErrno;
use crate::lifecycle::{self, Attached, Standing};
use crate::stack::{self, Here};
use crate::thread::{self, Thread};
use crate::{clock, loader, passing, real, session, sys, timing, writers};
use core::ffi::{c_int, c_void};
use memguard_sampling::{inclusion_probability, next_gap_bytes};
use memguard_segment::{Class, HeaderWord, Loss, Record};

/// A countdown so large that a thread does not come back here; for processes that go unwatched.
const NEVER: u64 = 1 << 62;
/// How far a thread that came before the start-up, or waits for a session, runs until it looks again.
const SOON_BYTES: u64 = 64 << 10;
/// A thread looks whether the interval has changed after so many bytes, or after this part of its interval if that is
/// more. Otherwise one that has drawn a gap of gigabytes while it was busy would not be heard of again once it is calm.
const STRETCH_BYTES_MIN: u64 = 4 << 20;
const STRETCH_SHARE: u64 = 16;
/// After so many calls that seem to come from within a slow path, that slow path was left by longjmp. Should it
/// still be there, sampling within it does no harm: its working memory is leased to it.
const REENTRIES_MAX: u32 = 16;

/// Called when an allocation may use the thread's countdown up, and the real one is done. Counts it. Until a new gap is
/// drawn the countdown keeps what it had before: what a longjmp out of here leaves is small, and soon used up. Gives the
/// probability with which the block was recorded, if it was.
#[cold]
#[inline(never)]
pub fn allocated(address: *mut c_void, size_bytes: usize, sp: u64, fp: u64) -> Option<f32> {
    let _errno = KeepErrno::new();
    let block = thread::current();
    // SAFETY: the calling thread's own block. A signal handler may enter here again and change it; the fields are
    // plain integers, `busy_sp` keeps it from what makes up a sample, and of the rest any value will do.
    let thread: &mut Thread = unsafe { &mut *block };
    // Not due: it came here for another reason (a realloc of a sampled block).
    if counts_down(thread, size_bytes) {
        return None;
    }
    thread.last_due = address as u64;
    // Before anything is touched that has lain unused since the last sample: waiting for it is most of what a sample takes.
    let entered_ns = if thread.interval_bytes == 0 { 0 } else { clock::monotonic_ns() };
    let standing = lifecycle::standing();
    let interval_bytes = match standing {
        Standing::Attached(attached) => attached.segment.get(HeaderWord::SampleIntervalBytes),
        Standing::Attachable => session::sample_interval_bytes(),
        Standing::Early => {
            thread.countdown = SOON_BYTES;
            return None;
        }
        Standing::Off => {
            thread.countdown = NEVER;
            return None;
        }
    };
    if !thread.armed {
        // A new thread: its first countdown starts with this allocation.
        arm(thread, interval_bytes);
        if counts_down(thread, size_bytes) {
            return None;
        }
    }
    // Only now, with a sample due: a process that allocates little never pays for a segment. One that is too young goes on
    // with a new gap, which has no memory of what came before; one that waits for a session asks again soon.
    let Some(attached) = lifecycle::attached_when_grown(standing) else {
        if lifecycle::has_to_ask() {
            thread.countdown = SOON_BYTES;
        } else {
            draw(thread, interval_bytes);
        }
        return None;
    };
    if thread.busy_sp != 0 && sp <= thread.busy_sp && thread.reentries < REENTRIES_MAX {
        // A signal handler that interrupted our slow path, which lies above us on the stack and will set the
        // countdown itself; or what longjmp left of one that is gone: then this thread is back before long.
        thread.reentries += 1;
        thread.countdown = SOON_BYTES;
        attached.segment.losses().count(Loss::Reentered);
        return None;
    }
    if thread.rest_bytes != 0 && !stretch_ended(thread, size_bytes as u64, interval_bytes) {
        return None;
    }
    thread.busy_sp = sp;
    thread.reentries = 0;
    if !thread.counted {
        thread.counted = true;
        attached.segment.add(HeaderWord::Threads, 1);
    }
    if attached.records_everything {
        record_as_all(attached, thread, address, size_bytes as u64, Here::at_entry(sp, fp));
        thread.busy_sp = 0;
        // Last: a handler that came in between has left a countdown of its own. The next allocation is due again.
        thread.interval_bytes = 0;
        count_down(thread, 0);
        return None;
    }
    // A walk costs a thousand times what recognising a stack does, so each is timed. A thread's first one came without a time, and
    // the one that attached the process has one before its clock began.
    let started_ns = match attached.since_start_ns(entered_ns) {
        0 => attached.now_ns(),
        entered_ns => entered_ns,
    };
    let recorded = if address.is_null() {
        None
    } else {
        record(attached, thread, address, size_bytes as u64, Here::at_entry(sp, fp), started_ns)
    };
    // A failed allocation took no bytes; the exponential gap has no memory, a new one does for it too.
    draw(thread, interval_bytes);
    attached.spent_on_sample(started_ns);
    thread.busy_sp = 0;
    recorded
}

/// Counts an allocation, unless it uses the countdown up; then false, and nothing is changed.
fn counts_down(thread: &mut Thread, size_bytes: usize) -> bool {
    match thread.countdown.checked_sub(size_bytes as u64) {
        Some(left) if left != 0 && !has_wrapped(thread) => {
            thread.countdown = left;
            true
        }
        _ => false,
    }
}

/// Whether the countdown lies below zero: a signal came between the two instructions of a hook that count and put back, and its
/// handler allocated more than was left, or left by longjmp.
fn has_wrapped(thread: &Thread) -> bool {
    thread.countdown > NEVER
}

/// Draws a thread's first countdown.
fn arm(thread: &mut Thread, interval_bytes: u64) {
    thread.number = Thread::next_number();
    let seed = clock::monotonic_ns() ^ (u64::from(thread.number) << 32) ^ core::ptr::from_mut(thread) as u64;
    thread.rng = memguard_sampling::Rng::from_seed(seed);
    draw(thread, interval_bytes);
    thread.armed = true;
}

/// Draws the gap to the next sample.
fn draw(thread: &mut Thread, interval_bytes: u64) {
    thread.interval_bytes = interval_bytes;
    let gap_bytes = next_gap_bytes(&mut thread.rng, interval_bytes);
    count_down(thread, gap_bytes);
}

/// Counts down a gap, or the first stretch of it.
fn count_down(thread: &mut Thread, gap_bytes: u64) {
    let stretch_bytes = gap_bytes.min((thread.interval_bytes / STRETCH_SHARE).max(STRETCH_BYTES_MIN));
    thread.countdown = stretch_bytes;
    thread.rest_bytes = gap_bytes - stretch_bytes;
}

/// A stretch of the gap has run out with this allocation: goes on with what is left of it, at another interval with a new
/// one (the exponential gap has no memory). True if the allocation reaches the end of the gap, and so is the sample.
fn stretch_ended(thread: &mut Thread, size_bytes: u64, interval_bytes: u64) -> bool {
    let beyond_bytes = size_bytes.saturating_sub(thread.countdown);
    let left_bytes = thread.rest_bytes.saturating_sub(beyond_bytes);
    if left_bytes == 0 {
        thread.rest_bytes = 0;
    } else if thread.interval_bytes == interval_bytes {
        count_down(thread, left_bytes);
    } else {
        draw(thread, interval_bytes);
    }
    left_bytes == 0
}

/// Records a sample, if it stands for anything.
fn record(
    attached: &Attached,
    thread: &mut Thread,
    address: *mut c_void,
    size_bytes: u64,
    here: Here,
    born_ns: u64,
) -> Option<f32> {
    // Of the interval with which this countdown was drawn, whatever it is now.
    let p = inclusion_probability(size_bytes, thread.interval_bytes) as f32;
    if p <= 0.0 {
        return None;
    }
    attached.segment.add_by(writers::now(), HeaderWord::Samples, 1);
    if attached.segment.get(HeaderWord::Samples).is_multiple_of(passing::SAMPLES) {
        passing::measure(attached);
    }
    let stack = stack::number(attached, thread, here, Class::Heap);
    attached.books.birth(&Record { address: address as u64, size_bytes, born_ns, stack, p });
    Some(p)
}

/// Records an allocation where all are.
#[inline]
fn record_as_all(
    attached: &Attached,
    thread: &mut Thread,
    address: *mut c_void,
    size_bytes: u64,
    here: Here,
) {
    let timed = timing::start_now_and_then(thread);
    if !address.is_null() {
        let address = address as u64;
        // Needed in some ten ns, when the stack is known.
        attached.books.prefetch(address);
        attached.segment.add_by(writers::now(), HeaderWord::Samples, 1);
        let born_ns = attached.birth_ns(thread.bookings);
        let stack = stack::number(attached, thread, here, Class::Heap);
        attached.books.birth(&Record { address, size_bytes, born_ns, stack, p: 1.0 });
    }
    attached.spent_on_block(timed);
}

/// Before the real call, which may call another hook by its name (a `calloc` its `malloc`).
fn forget_due() {
    // SAFETY: the calling thread's own block; no reference to it is held.
    unsafe { (*thread::current()).last_due = 0 };
}

/// Whether another hook has booked this block within the real call.
pub fn was_due(block: *mut c_void) -> bool {
    // SAFETY: as above.
    !block.is_null() && unsafe { (*thread::current()).last_due } == block as u64
}

macro_rules! allocating {
    ($($name:ident, $next:ident, |$($arg:ident),*| $bytes:expr;)*) => {$(
        /// Slow path of the hook of this name.
        ///
        /// # Safety
        /// The program's own arguments; `sp` and `fp` as the hook found them.
        pub unsafe extern "C" fn $name($($arg: usize,)* sp: u64, fp: u64) -> *mut c_void {
            forget_due();
            // SAFETY: the program's own arguments, passed on.
            let block = unsafe { real::$next.get()($($arg),*) };
            if !was_due(block) {
                allocated(block, $bytes, sp, fp);
            }
            block
        }
    )*};
}

allocating! {
    malloc, MALLOC, |bytes| bytes;
    valloc, VALLOC, |bytes| bytes;
    pvalloc, PVALLOC, |bytes| bytes;
    memalign, MEMALIGN, |alignment, bytes| bytes;
    aligned_alloc, ALIGNED_ALLOC, |alignment, bytes| bytes;
    calloc, CALLOC, |count, bytes| count.wrapping_mul(bytes);
}

/// Slow path of the hook of this name.
///
/// # Safety
/// The program's own arguments; `sp` and `fp` as the hook found them.
pub unsafe extern "C" fn posix_memalign(
    out: *mut *mut c_void,
    alignment: usize,
    bytes: usize,
    sp: u64,
    fp: u64,
) -> c_int {
    forget_due();
    // SAFETY: the program's own arguments, passed on.
    let answer = unsafe { real::POSIX_MEMALIGN.get()(out, alignment, bytes) };
    // SAFETY: on success there is a pointer at `out`.
    let block = if answer == 0 { unsafe { *out } } else { core::ptr::null_mut() };
    if !was_due(block) {
        allocated(block, bytes, sp, fp);
    }
    answer
}

/// Slow path of the hook of this name.
///
/// # Safety
/// The program's own arguments; `sp` and `fp` as the hook found them.
pub unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize, sp: u64, fp: u64) -> *mut c_void {
    reallocated(block, bytes, sp, fp, || {
        // SAFETY: the program's own arguments, passed on.
        unsafe { real::REALLOC.get()(block, bytes) }
    })
}

/// A realloc is a death and a birth, if it succeeds.
pub fn reallocated(
    old: *mut c_void,
    bytes: usize,
    sp: u64,
    fp: u64,
    call: impl FnOnce() -> *mut c_void,
) -> *mut c_void {
    if real::is_bootstrap(old) {
        // SAFETY: a live bootstrap block of the program (or the loader).
        return unsafe { real::move_bootstrap(old, bytes) };
    }
    let suspended = {
        let _errno = KeepErrno::new();
        match lifecycle::standing() {
            Standing::Attached(attached) if attached.books.may_hold(old as u64) => {
                mend();
                attached
                    .timed_now_and_then(|| attached.books.suspend(old as u64))
                    .map(|record| (attached, record))
            }
            _ => None,
        }
    };
    forget_due();
    let new = call();
    {
        let _errno = KeepErrno::new();
        if let Some((attached, record)) = suspended {
            attached.timed_now_and_then(|| {
                // Null for a size of zero means freed (glibc); null otherwise means that nothing happened.
                if new.is_null() && bytes != 0 {
                    attached.books.restore(&record, attached.death_ns());
                } else {
                    attached.books.finish(&record, attached.death_ns());
                }
            });
        }
    }
    if !was_due(new)
        && let Some(p) = allocated(new, bytes, sp, fp)
        && !old.is_null()
        && let Standing::Attached(attached) = lifecycle::standing()
    {
        attached.segment.add(HeaderWord::Resizes, (1.0 / p + 0.5) as u64);
    }
    new
}

/// Draws a countdown anew that lies below zero. The gap has no memory; where everything is recorded it is zero, and the call
/// that was interrupted is due again.
fn mend() {
    // SAFETY: the calling thread's own block; a handler that interrupts us leaves its fields in order.
    let thread = unsafe { &mut *thread::current() };
    if has_wrapped(thread) {
        draw(thread, thread.interval_bytes);
    }
}

/// A free of a page that holds something: the block's death is booked if it is recorded. Before the real free: afterwards
/// another thread may be given the address at once. False if the block must not reach the real allocator.
#[inline(never)]
pub fn freed(block: *mut c_void) -> bool {
    if real::is_bootstrap(block) {
        return false;
    }
    let Standing::Attached(attached) = lifecycle::standing() else { return true };
    if !attached.books.may_hold(block as u64) {
        return true;
    }
    let _errno = KeepErrno::new();
    if attached.records_everything {
        // The allocator will look at what it keeps before the block; meanwhile it can be on its way.
        sys::prefetch((block as usize).wrapping_sub(size_of::<usize>()));
    }
    mend();
    attached.timed_now_and_then(|| {
        attached.books.death(block as u64, || attached.death_ns());
    });
    true
}

macro_rules! freeing {
    ($($name:ident, $next:ident, |$block:ident $(, $arg:ident)*|;)*) => {$(
        /// Slow path of the hook of this name.
        ///
        /// # Safety
        /// The program's own arguments.
        pub unsafe extern "C" fn $name($block: *mut c_void $(, $arg: usize)*) {
            if freed($block) {
                // SAFETY: the program's own arguments, passed on.
                unsafe { real::$next.get()($block $(, $arg)*) }
            }
        }
    )*};
}

freeing! {
    free, FREE, |block|;
    cfree, CFREE, |block|;
    free_sized, FREE_SIZED, |block, bytes|;
    free_aligned_sized, FREE_ALIGNED_SIZED, |block, alignment, bytes|;
}

/// The hook of this name.
///
/// # Safety
/// The program's own argument.
pub unsafe fn dlclose(handle: *mut c_void) -> c_int {
    // SAFETY: the program's own argument, passed on.
    let answer = unsafe { real::DLCLOSE.get()(handle) };
    // Afterwards: only now may something else be mapped there.
    loader::note_closing();
    answer
}
