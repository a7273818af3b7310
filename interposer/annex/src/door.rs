//! Annex, a door: the two pointers behind one exported name, and what happens behind it when a call is to be booked. In: the
//! call of an allocating or freeing function. Out: an entry in the books of libmemguard.so.

use crate::interface::interface;
use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

const UNSETTLED: u8 = 0;
const SETTLED: u8 = 1;

/// Of one exported name. The assembly knows where the two pointers lie.
#[repr(C)]
pub struct Door {
    /// Where a call goes first: until the start what opens the doors, then the counting entry, or the real function at once.
    entry: AtomicPtr<()>,
    /// The next definition of the name.
    real: AtomicPtr<()>,
    /// Whether it is known that the real function does not go through libmemguard.so's hooks itself.
    state: AtomicU8,
}

impl Door {
    /// A door that still leads to what opens it.
    pub const fn closed(opener: *const ()) -> Self {
        Self {
            entry: AtomicPtr::new(opener.cast_mut()),
            real: AtomicPtr::new(opener.cast_mut()),
            state: AtomicU8::new(UNSETTLED),
        }
    }

    /// The next definition.
    pub fn real(&self) -> *const () {
        self.real.load(Ordering::Relaxed)
    }

    /// Whether a call goes to this entry first.
    pub(crate) fn leads_to(&self, entry: *const ()) -> bool {
        self.entry.load(Ordering::Relaxed).cast_const() == entry
    }

    /// Leads to `real`, by way of `entry`.
    pub(crate) fn open(&self, entry: *const (), real: *const ()) {
        self.real.store(real.cast_mut(), Ordering::Relaxed);
        // What comes through the new entry reads the new `real`. On x86-64 that holds of any two stores.
        self.entry.store(entry.cast_mut(), Ordering::Release);
    }

    /// The first observation decides: an operator that calls malloc by name is counted there, not here as well. Later ones
    /// may be something else: an allocator that is out of memory tries again by another way.
    fn observe(&self, relays: bool) {
        if self.state.swap(SETTLED, Ordering::Relaxed) == UNSETTLED && relays {
            self.entry.store(self.real().cast_mut(), Ordering::Relaxed);
        }
    }
}

/// Books an allocation; called by the slow path of a door.
///
/// # Safety
/// As [`crate::Interface::allocated`] demands.
pub unsafe extern "C" fn booked(block: *mut c_void, bytes: usize, sp: u64, fp: u64, door: &Door) {
    if let Some(table) = interface() {
        // SAFETY: passed on.
        door.observe(unsafe { (table.allocated)(block, bytes, sp, fp) });
    }
}

/// Books a death; called by the slow path of a door. False if the block must not reach the allocator.
///
/// # Safety
/// As [`crate::Interface::freed`] demands.
pub unsafe extern "C" fn released(block: *mut c_void) -> bool {
    // SAFETY: passed on.
    interface().is_none_or(|table| unsafe { (table.freed)(block) })
}
