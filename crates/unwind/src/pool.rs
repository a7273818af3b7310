//! Unwind: a fixed number of unwinders' working memories, shared by all threads. In: a thread that wants to
//! walk. Out: exclusive use of one, or none, at once: nobody waits.
//!
//! One per thread would be simpler and cost 40 KiB a thread; walks are short, so few are ever in use together. A process with
//! one thread makes do with one.

use crate::arch::{self, Cache};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Deepest stack kept, in frames.
pub const FRAMES_MAX: usize = 256;
/// Most working memories of a pool.
pub const WALKERS_MAX: usize = 8;

/// Working memory of one walk.
pub struct Scratch {
    pub(crate) cache: Cache,
    /// Return addresses, innermost first.
    pub frames: [u64; FRAMES_MAX],
    /// Where on the stack each of them was read; 0 where it came from elsewhere.
    pub slots: [u64; FRAMES_MAX],
    /// Where the module of the previous frame lay, and whether it was a fixed one.
    pub(crate) last_fixed: (u64, u64),
}

impl Scratch {
    fn new() -> Box<Self> {
        Box::new(Self {
            cache: arch::new_cache(),
            frames: [0; FRAMES_MAX],
            slots: [0; FRAMES_MAX],
            last_fixed: (0, 0),
        })
    }
}

struct Slot {
    busy: AtomicBool,
    scratch: UnsafeCell<Option<Box<Scratch>>>,
}

// SAFETY: `scratch` is touched only by whoever set `busy`, which admits one at a time.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Self {
        Self { busy: AtomicBool::new(false), scratch: UnsafeCell::new(None) }
    }

    /// Exclusive use of it, if nobody else has it; given back when dropped.
    fn hold(&self) -> Option<Held<'_>> {
        let taken = !self.busy.load(Ordering::Relaxed) && !self.busy.swap(true, Ordering::Acquire);
        // Made only if it is ours: dropping it gives the slot back, whoever has it.
        taken.then(|| Held { slot: self })
    }
}

/// The pool.
pub struct Pool {
    slots: [Slot; WALKERS_MAX],
    /// How many of them are in use: those have a working memory.
    count: AtomicUsize,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { slots: [const { Slot::new() }; WALKERS_MAX], count: AtomicUsize::new(0) }
    }

    /// Makes it one of `count` working memories, [`WALKERS_MAX`] at most, if it has fewer. Allocates, and needs 100 KiB of
    /// stack.
    pub fn fill(&self, count: usize) {
        for slot in self.slots.iter().take(count) {
            // One that somebody else has is full, or becomes so.
            if let Some(mut held) = slot.hold() {
                held.scratch().get_or_insert_with(Scratch::new);
            }
        }
        self.count.fetch_max(count.min(WALKERS_MAX), Ordering::Release);
    }

    /// How many working memories it has.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Takes one, preferably the one this `hint` (a thread's number) had before, whose cache is warm.
    pub fn lease(&self, hint: usize) -> Option<Lease<'_>> {
        let count = self.count();
        (0..count).map(|i| (hint + i) % count).find_map(|number| {
            let mut held = self.slots.get(number)?.hold()?;
            let scratch = NonNull::from(held.scratch().as_deref_mut()?);
            Some(Lease { scratch, number, _held: held })
        })
    }

    /// Forgets all leases: for a fork child, whose other threads do not exist any more.
    pub fn reset(&self) {
        for slot in &self.slots {
            slot.busy.store(false, Ordering::Relaxed);
        }
    }
}

/// A slot that nobody else uses.
struct Held<'a> {
    slot: &'a Slot,
}

impl Held<'_> {
    fn scratch(&mut self) -> &mut Option<Box<Scratch>> {
        // SAFETY: `busy` was false and is ours until `self` is dropped; `self` is borrowed exclusively meanwhile.
        unsafe { &mut *self.slot.scratch.get() }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.slot.busy.store(false, Ordering::Release);
    }
}

/// Exclusive use of one working memory; given back when dropped.
pub struct Lease<'a> {
    // Not a reference: that would be taken to be valid until the end of a function that drops the lease.
    scratch: NonNull<Scratch>,
    number: usize,
    _held: Held<'a>,
}

impl Lease<'_> {
    /// Which of the pool's working memories it is, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl core::ops::Deref for Lease<'_> {
    type Target = Scratch;
    fn deref(&self) -> &Scratch {
        // SAFETY: the box in the slot stays as it is while the slot is held; `self` is borrowed.
        unsafe { self.scratch.as_ref() }
    }
}

impl core::ops::DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { self.scratch.as_mut() }
    }
}
