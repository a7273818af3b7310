//! Unwind: a fixed number of unwinders' working memories, shared by all threads. In: a thread that wants to
//! walk. Out: exclusive use of one, or none, at once: nobody waits.
//!
//! One per thread would be simpler and cost 40 KiB a thread; walks are short, so few are ever in use together.

use crate::arch::{self, Cache};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// Deepest stack kept, in frames.
pub const FRAMES_MAX: usize = 256;

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

struct Slot {
    busy: AtomicBool,
    scratch: UnsafeCell<Box<Scratch>>,
}

// SAFETY: `scratch` is touched only by the holder of the lease, and `busy` admits one at a time.
unsafe impl Sync for Slot {}

/// The pool.
#[derive(Default)]
pub struct Pool {
    slots: Vec<Slot>,
}

impl Pool {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Makes `count` working memories. Allocates, and needs 100 KiB of stack.
    pub fn fill(&mut self, count: usize) {
        self.slots = (0..count)
            .map(|_| Slot {
                busy: AtomicBool::new(false),
                scratch: UnsafeCell::new(Box::new(Scratch {
                    cache: arch::new_cache(),
                    frames: [0; FRAMES_MAX],
                    slots: [0; FRAMES_MAX],
                    last_fixed: (0, 0),
                })),
            })
            .collect();
    }

    /// Takes one, preferably the one this `hint` (a thread's number) had before, whose cache is warm.
    pub fn lease(&self, hint: usize) -> Option<Lease<'_>> {
        let count = self.slots.len();
        (0..count).map(|i| (hint + i) % count).find_map(|number| {
            let slot = &self.slots[number];
            let taken = !slot.busy.load(Ordering::Relaxed) && !slot.busy.swap(true, Ordering::Acquire);
            // Made only if it is ours: dropping a lease gives it back, whoever has it.
            taken.then(|| Lease { slot, number })
        })
    }

    /// Forgets all leases: for a fork child, whose other threads do not exist any more.
    pub fn reset(&self) {
        for slot in &self.slots {
            slot.busy.store(false, Ordering::Relaxed);
        }
    }
}

/// Exclusive use of one working memory; given back when dropped.
pub struct Lease<'a> {
    slot: &'a Slot,
    number: usize,
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
        // SAFETY: a lease is the only one on its slot (`busy` was false and we set it).
        unsafe { &*self.slot.scratch.get() }
    }
}

impl core::ops::DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { &mut *self.slot.scratch.get() }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.slot.busy.store(false, Ordering::Release);
    }
}
