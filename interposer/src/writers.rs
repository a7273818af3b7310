//! Interposer: whether the calling thread is the only one. In: glibc's own variable about it. Out: what the segment's tables
//! are told.
//!
//! glibc's allocator takes no lock while that variable is set, so a program that makes threads behind glibc's back, and
//! allocates in them, is lost already. An older glibc has no such variable: then there may always be others.

use crate::real;
use core::sync::atomic::{AtomicPtr, Ordering};
use memguard_segment::Writers;

#[unsafe(link_section = ".data")]
static SINGLE_THREADED: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// Finds the variable. In the constructor: a booking resolves no symbols.
pub fn learn() {
    SINGLE_THREADED.store(real::optional(c"__libc_single_threaded").cast(), Ordering::Relaxed);
}

/// Who may write now. Holds until this thread makes another, so for the rest of a hook.
pub fn now() -> Writers {
    let single = SINGLE_THREADED.load(Ordering::Relaxed);
    // SAFETY: null, or a char of libc's (or the program's copy of it), which is there for ever. The thread that changes it
    // is the only one.
    if !single.is_null() && unsafe { single.read_volatile() } != 0 { Writers::One } else { Writers::Many }
}
